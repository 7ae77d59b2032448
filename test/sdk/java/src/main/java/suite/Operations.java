package suite;

import static suite.Events.*;

import io.nexusrpc.Operation;
import io.nexusrpc.Service;
import io.nexusrpc.handler.HandlerException;
import io.nexusrpc.handler.OperationHandler;
import io.nexusrpc.handler.OperationImpl;
import io.nexusrpc.handler.ServiceImpl;
import io.temporal.api.enums.v1.ScheduleOverlapPolicy;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.schedules.Schedule;
import io.temporal.client.schedules.ScheduleActionStartWorkflow;
import io.temporal.client.schedules.ScheduleBackfill;
import io.temporal.client.schedules.ScheduleClient;
import io.temporal.client.schedules.ScheduleDescription;
import io.temporal.client.schedules.ScheduleException;
import io.temporal.client.schedules.ScheduleHandle;
import io.temporal.client.schedules.ScheduleIntervalSpec;
import io.temporal.client.schedules.ScheduleOptions;
import io.temporal.client.schedules.ScheduleSpec;
import io.temporal.client.schedules.ScheduleState;
import io.temporal.client.schedules.ScheduleUpdate;
import io.temporal.failure.NexusOperationFailure;
import io.temporal.nexus.Nexus;
import io.temporal.nexus.WorkflowRunOperation;
import io.temporal.worker.Worker;
import io.temporal.workflow.NexusOperationHandle;
import io.temporal.workflow.NexusOperationOptions;
import io.temporal.workflow.NexusServiceOptions;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

/** Nexus operations and schedules. */
final class Operations {
  private Operations() {}

  @Service
  public interface Greetings {
    @Operation
    String greet(String name);

    /** A workflow. */
    @Operation
    String child(String how);

    @Operation
    String refuse(String name);
  }

  @ServiceImpl(service = Greetings.class)
  public static final class GreetingsImpl {
    @OperationImpl
    public OperationHandler<String, String> greet() {
      return OperationHandler.sync((context, details, name) -> "hello " + name);
    }

    @OperationImpl
    public OperationHandler<String, String> child() {
      return WorkflowRunOperation.fromWorkflowMethod(
          (context, details, how) ->
              Nexus.getOperationContext()
                      .getWorkflowClient()
                      .newWorkflowStub(
                          Runs.Child.class, WorkflowOptions.newBuilder().setWorkflowId("nexus-" + details.getRequestId()).build())
                  ::child);
    }

    @OperationImpl
    public OperationHandler<String, String> refuse() {
      return OperationHandler.sync(
          (context, details, name) -> {
            throw new HandlerException(HandlerException.ErrorType.BAD_REQUEST, new IllegalArgumentException("no " + name));
          });
    }
  }

  @WorkflowInterface
  public interface Calls {
    @WorkflowMethod
    List<String> calls(String endpoint);
  }

  public static final class CallsImpl implements Calls {
    @Override
    public List<String> calls(String endpoint) {
      Greetings service =
          Workflow.newNexusServiceStub(
              Greetings.class,
              NexusServiceOptions.newBuilder()
                  .setEndpoint(endpoint)
                  .setOperationOptions(NexusOperationOptions.newBuilder().setScheduleToCloseTimeout(Duration.ofSeconds(20)).build())
                  .build());
      String greeting = service.greet("Java");
      NexusOperationHandle<String> handle = Workflow.startNexusOperation(service::child, "nexus");
      boolean hasToken = handle.getExecution().get().getOperationToken().isPresent();
      String result = handle.getResult().get();
      try {
        service.refuse("way");
        return List.of("not refused");
      } catch (NexusOperationFailure e) {
        return List.of(greeting, result + " " + hasToken, e.getCause().getClass().getSimpleName());
      }
    }
  }

  static void register(Worker worker) {
    worker.registerWorkflowImplementationTypes(CallsImpl.class);
    worker.registerNexusServiceImplementation(new GreetingsImpl());
  }

  private static Schedule schedule(Suite s, String id, boolean paused) {
    return Schedule.newBuilder()
        .setAction(
            ScheduleActionStartWorkflow.newBuilder()
                .setWorkflowType(Runs.Child.class)
                .setArguments("scheduled")
                .setOptions(s.options(id).build())
                .build())
        .setSpec(ScheduleSpec.newBuilder().setIntervals(List.of(new ScheduleIntervalSpec(Duration.ofHours(1)))).build())
        .setState(ScheduleState.newBuilder().setPaused(paused).setNote("made").build())
        .build();
  }

  static void check(Suite s) {
    s.check(
        "Nexus operations: at once, by a workflow, refused",
        List.of("hello Java", "nexus false true", "HandlerException"),
        events(
            STARTED,
            "NEXUS_OPERATION_SCHEDULED",
            "NEXUS_OPERATION_COMPLETED",
            "NEXUS_OPERATION_SCHEDULED",
            "NEXUS_OPERATION_STARTED",
            "NEXUS_OPERATION_COMPLETED",
            "NEXUS_OPERATION_SCHEDULED",
            "NEXUS_OPERATION_FAILED",
            COMPLETED),
        id -> s.stub(Calls.class, id).calls(Suite.ENDPOINT));
    ScheduleClient schedules = ScheduleClient.newInstance(s.client.getWorkflowServiceStubs());
    s.check(
        "a schedule: triggered, paused, updated, filled back, deleted",
        "3 true",
        null,
        id -> {
          ScheduleHandle handle = schedules.createSchedule(id, schedule(s, id, true), ScheduleOptions.newBuilder().build());
          handle.trigger();
          Suite.until(() -> handle.describe().getInfo().getNumActions() == 1);
          handle.unpause("go on");
          Suite.expect(handle.describe().getSchedule().getState().isPaused(), false);
          handle.pause("wait");
          Suite.expect(handle.describe().getSchedule().getState().getNote(), "wait");
          handle.update(
              input -> {
                Schedule.Builder builder = Schedule.newBuilder(input.getDescription().getSchedule());
                ScheduleSpec daily =
                    ScheduleSpec.newBuilder().setIntervals(List.of(new ScheduleIntervalSpec(Duration.ofDays(1)))).build();
                return new ScheduleUpdate(builder.setSpec(daily).build());
              });
          Suite.until(() -> handle.describe().getSchedule().getSpec().getIntervals().get(0).getEvery().equals(Duration.ofDays(1)));
          Instant end = Instant.parse("2024-01-02T12:00:00Z");
          handle.backfill(
              List.of(new ScheduleBackfill(end.minus(Duration.ofDays(2)), end, ScheduleOverlapPolicy.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL)));
          Suite.until(() -> handle.describe().getInfo().getNumActions() == 3);
          ScheduleDescription description = handle.describe();
          Suite.until(() -> schedules.listSchedules("ScheduleId = '" + id + "'", 10).count() == 1);
          Suite.until(
              () -> s.client.countWorkflows("TemporalScheduledById = '" + id + "' AND ExecutionStatus = 'Completed'").getCount() == 3);
          handle.delete();
          try {
            handle.describe();
            return "still there";
          } catch (ScheduleException e) {
            return description.getInfo().getNumActions() + " " + description.getSchedule().getState().isPaused();
          }
        });
  }
}
