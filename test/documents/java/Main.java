import io.temporal.activity.ActivityInterface;
import io.temporal.activity.ActivityOptions;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowStub;
import io.temporal.worker.Worker;
import io.temporal.worker.WorkerFactory;
import io.temporal.workflow.Workflow;
import java.time.Duration;
import java.util.Locale;

/** The program around the document's methods: the order workflow and its worker. */
public final class Main {
  private static final String ID = "order-processing-12345";

  @ActivityInterface
  public interface Activities {
    String processPayment(OrderInput order, PaymentInfo payment);
  }

  public static final class OrderProcessingWorkflowImpl implements OrderProcessingWorkflow {
    private final Activities activities =
        Workflow.newActivityStub(
            Activities.class,
            ActivityOptions.newBuilder().setStartToCloseTimeout(Duration.ofSeconds(10)).build());
    private PaymentInfo payment;
    private String state = "awaiting payment";

    @Override
    public String processOrder(OrderInput order) {
      Workflow.await(() -> payment != null);
      String receipt = activities.processPayment(order, payment);
      state = "paid";
      return receipt;
    }

    @Override
    public void paymentReceived(PaymentInfo received) {
      payment = received;
    }

    @Override
    public String orderState() {
      return state;
    }
  }

  public static void main(String[] args) {
    WorkflowClient client = TemporalClient.createClient();
    WorkerFactory factory = WorkerFactory.newInstance(client);
    Worker worker = factory.newWorker("order-processing-queue");
    worker.registerWorkflowImplementationTypes(OrderProcessingWorkflowImpl.class);
    worker.registerActivitiesImplementations(
        (Activities)
            (order, payment) ->
                String.format(
                    Locale.ROOT,
                    "%s: %.2f %s by %s",
                    order.getCustomerId(),
                    payment.getAmount(),
                    payment.getCurrency(),
                    payment.getMethod()));
    factory.start();
    WorkflowOperations operations = new WorkflowOperations(client);
    operations.startWorkflow();
    OrderProcessingWorkflow workflow = client.newWorkflowStub(OrderProcessingWorkflow.class, ID);
    String before = workflow.orderState();
    operations.signalWorkflow(ID);
    String receipt = WorkflowStub.fromTyped(workflow).getResult(String.class);
    System.out.printf("[\"%s\", \"%s\", \"%s\"]%n", before, workflow.orderState(), receipt);
    factory.shutdownNow();
    client.getWorkflowServiceStubs().shutdownNow();
  }
}
