package greeting;

import io.temporal.activity.ActivityInterface;
import io.temporal.activity.ActivityOptions;
import io.temporal.worker.Worker;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.time.Duration;

/** A workflow with one activity, for programs that are about how a client comes to a server. */
@WorkflowInterface
public interface Greeting {
  @WorkflowMethod
  String greeting(String name);

  @ActivityInterface
  interface Greetings {
    String greet(String name);
  }

  final class Impl implements Greeting {
    @Override
    public String greeting(String name) {
      ActivityOptions options = ActivityOptions.newBuilder().setStartToCloseTimeout(Duration.ofSeconds(20)).build();
      return Workflow.newActivityStub(Greetings.class, options).greet(name);
    }

    public static void registerWith(Worker worker) {
      worker.registerWorkflowImplementationTypes(Impl.class);
      worker.registerActivitiesImplementations((Greetings) name -> "hello " + name);
    }
  }
}
