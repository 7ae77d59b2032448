package localenvironment;

import greeting.Greeting;
import io.temporal.client.WorkflowNotFoundException;
import io.temporal.client.WorkflowOptions;
import io.temporal.testing.TemporalDevServerOptions;
import io.temporal.testing.TestWorkflowEnvironment;

/**
 * The Java SDK's local environment with a program in place of the `temporal` CLI: a workflow in one environment, its result asked for in
 * a second one. Arguments: the program, and a file for both, or none for memory.
 */
public final class LocalEnvironment {
  private static final String QUEUE = "local-environment";

  private static TestWorkflowEnvironment environment(String[] args) {
    TemporalDevServerOptions.Builder options = TemporalDevServerOptions.newBuilder().setExistingPath(args[0]);
    if (args.length > 1) options.setDatabaseFilename(args[1]);
    return TestWorkflowEnvironment.startLocal(options.build());
  }

  public static void main(String[] args) {
    try (TestWorkflowEnvironment first = environment(args)) {
      var worker = first.newWorker(QUEUE);
      Greeting.Impl.registerWith(worker);
      first.start();
      WorkflowOptions options = WorkflowOptions.newBuilder().setWorkflowId("w").setTaskQueue(QUEUE).build();
      System.out.println("first: " + first.getWorkflowClient().newWorkflowStub(Greeting.class, options).greeting("local"));
    }
    try (TestWorkflowEnvironment second = environment(args)) {
      System.out.println("second: " + second.getWorkflowClient().newUntypedWorkflowStub("w").getResult(String.class));
    } catch (WorkflowNotFoundException e) {
      System.out.println("second: not found");
    }
    System.exit(0);
  }
}
