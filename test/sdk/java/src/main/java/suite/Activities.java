package suite;

import static suite.Events.*;

import io.temporal.activity.ActivityCancellationType;
import io.temporal.activity.ActivityOptions;
import io.temporal.activity.LocalActivityOptions;
import io.temporal.api.enums.v1.EventType;
import io.temporal.api.enums.v1.PendingActivityState;
import io.temporal.client.ActivityCompletionClient;
import io.temporal.client.ActivityNotExistsException;
import io.temporal.client.WorkflowClient;
import io.temporal.common.RetryOptions;
import io.temporal.failure.ActivityFailure;
import io.temporal.failure.ApplicationFailure;
import io.temporal.failure.CanceledFailure;
import io.temporal.failure.TimeoutFailure;
import io.temporal.worker.Worker;
import io.temporal.workflow.Async;
import io.temporal.workflow.CancellationScope;
import io.temporal.workflow.Promise;
import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/** Activities: attempts, heartbeats, cancellations, and what others complete. */
final class Activities {
  private Activities() {}

  private static Steps steps(int attempts) {
    return Workflow.newActivityStub(
        Steps.class,
        ActivityOptions.newBuilder()
            .setStartToCloseTimeout(Duration.ofSeconds(20))
            .setHeartbeatTimeout(Duration.ofMillis(1500))
            .setCancellationType(ActivityCancellationType.WAIT_CANCELLATION_COMPLETED)
            .setRetryOptions(RetryOptions.newBuilder().setInitialInterval(Duration.ofMillis(20)).setMaximumAttempts(attempts).build())
            .build());
  }

  @WorkflowInterface
  public interface Retries {
    @WorkflowMethod
    List<Integer> retries();
  }

  /** A failure is tried again, and a silent worker's activity goes on from its last heartbeat. */
  public static final class RetriesImpl implements Retries {
    @Override
    public List<Integer> retries() {
      return List.of(steps(5).flaky(3), steps(5).beats());
    }
  }

  @WorkflowInterface
  public interface Many {
    @WorkflowMethod
    int many(int n);
  }

  public static final class ManyImpl implements Many {
    @Override
    public int many(int n) {
      List<Promise<String>> all = new ArrayList<>();
      for (int i = 0; i < n; i++) all.add(Async.function(steps(1)::echo, String.valueOf(i)));
      Promise.allOf(all).get();
      return all.stream().mapToInt(p -> Integer.parseInt(p.get())).sum();
    }
  }

  @WorkflowInterface
  public interface Fatal {
    @WorkflowMethod
    List<String> fatal();
  }

  public static final class FatalImpl implements Fatal {
    @Override
    public List<String> fatal() {
      try {
        steps(5).fatal();
        return List.of();
      } catch (ActivityFailure e) {
        ApplicationFailure cause = (ApplicationFailure) e.getCause();
        return List.of(
            e.getRetryState().name(),
            cause.getType(),
            cause.getOriginalMessage(),
            cause.getDetails().get(0, String.class) + cause.getDetails().get(1, Integer.class));
      }
    }
  }

  @WorkflowInterface
  public interface Elsewhere {
    @WorkflowMethod
    String elsewhere();
  }

  public static final class ElsewhereImpl implements Elsewhere {
    @Override
    public String elsewhere() {
      try {
        return steps(1).pending();
      } catch (ActivityFailure e) {
        ApplicationFailure cause = (ApplicationFailure) e.getCause();
        return cause.getType() + ": " + cause.getOriginalMessage();
      }
    }
  }

  @WorkflowInterface
  public interface Cancels {
    @WorkflowMethod
    String cancels();

    @SignalMethod
    void cancel();
  }

  public static final class CancelsImpl implements Cancels {
    private boolean asked = false;

    @Override
    public String cancels() {
      List<Promise<Void>> running = new ArrayList<>();
      CancellationScope scope =
          Workflow.newCancellationScope(() -> running.add(Async.procedure(steps(1)::untilCanceled)));
      scope.run();
      Workflow.await(() -> asked);
      scope.cancel("no more");
      try {
        running.get(0).get();
        return "ended";
      } catch (ActivityFailure e) {
        return e.getCause() instanceof CanceledFailure ? "canceled" : String.valueOf(e.getCause());
      }
    }

    @Override
    public void cancel() {
      asked = true;
    }
  }

  @WorkflowInterface
  public interface Local {
    @WorkflowMethod
    String local();
  }

  public static final class LocalImpl implements Local {
    private final Steps steps =
        Workflow.newLocalActivityStub(
            Steps.class,
            LocalActivityOptions.newBuilder()
                .setStartToCloseTimeout(Duration.ofSeconds(5))
                .setRetryOptions(RetryOptions.newBuilder().setInitialInterval(Duration.ofMillis(10)).setMaximumAttempts(5).build())
                .build());

    @Override
    public String local() {
      return steps.echo("local") + steps.flaky(3);
    }
  }

  @WorkflowInterface
  public interface Nobody {
    @WorkflowMethod
    String nobody();
  }

  public static final class NobodyImpl implements Nobody {
    @Override
    public String nobody() {
      Steps steps =
          Workflow.newActivityStub(
              Steps.class,
              ActivityOptions.newBuilder()
                  .setTaskQueue("nobody-polls-this")
                  .setScheduleToStartTimeout(Duration.ofMillis(200))
                  .setStartToCloseTimeout(Duration.ofSeconds(20))
                  .build());
      try {
        return steps.echo("");
      } catch (ActivityFailure e) {
        return ((TimeoutFailure) e.getCause()).getTimeoutType().name();
      }
    }
  }

  static void register(Worker worker) {
    worker.registerWorkflowImplementationTypes(
        RetriesImpl.class,
        ManyImpl.class,
        FatalImpl.class,
        ElsewhereImpl.class,
        CancelsImpl.class,
        LocalImpl.class,
        NobodyImpl.class);
  }

  /** Of the activity that the workflow has with a worker. */
  private static ActivitiesImpl.Taken taken(String id) throws Exception {
    Suite.until(() -> ActivitiesImpl.TAKEN.containsKey(id));
    return ActivitiesImpl.TAKEN.get(id);
  }

  static void check(Suite s) {
    ActivityCompletionClient completion = s.client.newActivityCompletionClient();
    s.check(
        "a retried activity, and one that goes on from its heartbeat",
        List.of(3, 42),
        events(STARTED, ACTIVITY, ACTIVITY, COMPLETED),
        id -> s.stub(Retries.class, id).retries());
    s.check(
        "twenty activities at once",
        190,
        null,
        id -> {
          int sum = s.stub(Many.class, id).many(20);
          List<String> types = s.types(id, null);
          for (String type : ACTIVITY) Suite.expect(Collections.frequency(types, type), 20);
          Suite.expect(types.size(), 62);
          return sum;
        });
    s.check(
        "a final failure arrives whole",
        List.of("RETRY_STATE_NON_RETRYABLE_FAILURE", "Fatal", "no use", "detail7"),
        events(STARTED, "ACTIVITY_TASK_SCHEDULED", "ACTIVITY_TASK_STARTED", "ACTIVITY_TASK_FAILED", COMPLETED),
        id -> s.stub(Fatal.class, id).fatal());
    s.check(
        "completed by token, once",
        "by token",
        events(STARTED, ACTIVITY, COMPLETED),
        id -> {
          Elsewhere stub = s.stub(Elsewhere.class, id);
          WorkflowClient.start(stub::elsewhere);
          byte[] token = taken(id).token();
          completion.heartbeat(token, "half way");
          completion.complete(token, "by token");
          try {
            completion.complete(token, "again");
            return "completed twice";
          } catch (ActivityNotExistsException e) {
            return stub.elsewhere();
          }
        });
    s.check(
        "failed by id",
        "ByHand: no",
        events(STARTED, "ACTIVITY_TASK_SCHEDULED", "ACTIVITY_TASK_STARTED", "ACTIVITY_TASK_FAILED", COMPLETED),
        id -> {
          Elsewhere stub = s.stub(Elsewhere.class, id);
          WorkflowClient.start(stub::elsewhere);
          completion.completeExceptionally(id, Optional.empty(), taken(id).activityId(), ApplicationFailure.newFailure("no", "ByHand"));
          return stub.elsewhere();
        });
    s.check(
        "a cancellation is waited for",
        "canceled",
        events(
            STARTED,
            "ACTIVITY_TASK_SCHEDULED",
            SIGNALED,
            "ACTIVITY_TASK_CANCEL_REQUESTED",
            "ACTIVITY_TASK_STARTED",
            "ACTIVITY_TASK_CANCELED",
            COMPLETED),
        id -> {
          Cancels stub = s.stub(Cancels.class, id);
          WorkflowClient.start(stub::cancels);
          Suite.until(
              () -> {
                var pending = s.existing(id).describe().getRawDescription().getPendingActivitiesList();
                return pending.size() == 1
                    && pending.get(0).getState() == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
                    && pending.get(0).getHeartbeatDetails().getPayloadsCount() == 1;
              });
          stub.cancel();
          String answer = s.existing(id).getResult(String.class);
          Suite.expect(
              s.find(id, EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED).getActivityTaskCanceledEventAttributes().getLatestCancelRequestedEventId() > 0,
              true);
          return answer;
        });
    s.check(
        "local activities are markers, however often they are tried",
        "local3",
        events(STARTED, "MARKER_RECORDED", "MARKER_RECORDED", COMPLETED),
        id -> s.stub(Local.class, id).local());
    s.check(
        "schedule-to-start ends the wait for a worker",
        "TIMEOUT_TYPE_SCHEDULE_TO_START",
        events(STARTED, "ACTIVITY_TASK_SCHEDULED", "ACTIVITY_TASK_TIMED_OUT", COMPLETED),
        id -> s.stub(Nobody.class, id).nobody());
  }
}
