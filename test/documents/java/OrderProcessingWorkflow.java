import io.temporal.workflow.QueryMethod;
import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;

/** What the document's Java names and does not show. */
@WorkflowInterface
public interface OrderProcessingWorkflow {
  @WorkflowMethod
  String processOrder(OrderInput order);

  @SignalMethod
  void paymentReceived(PaymentInfo payment);

  @QueryMethod
  String orderState();
}
