package suite;

import io.temporal.api.enums.v1.ActivityIdConflictPolicy;
import io.temporal.api.enums.v1.PendingActivityState;
import io.temporal.client.ActivityAlreadyStartedException;
import io.temporal.client.ActivityClient;
import io.temporal.client.ActivityExecutionDescription;
import io.temporal.client.ActivityFailedException;
import io.temporal.client.ActivityHandle;
import io.temporal.client.StartActivityOptions;
import io.temporal.client.UntypedActivityHandle;
import io.temporal.common.RetryOptions;
import io.temporal.common.SearchAttributes;
import io.temporal.failure.ApplicationFailure;
import io.temporal.failure.CanceledFailure;
import io.temporal.failure.TerminatedFailure;
import io.temporal.failure.TimeoutFailure;
import java.time.Duration;
import java.util.List;
import java.util.stream.Collectors;

/** Activities without a workflow. */
final class StandaloneActivities {
  private StandaloneActivities() {}

  private static StartActivityOptions.Builder options(String id) {
    return StartActivityOptions.newBuilder()
        .setId(id)
        .setTaskQueue(Suite.QUEUE)
        .setStartToCloseTimeout(Duration.ofSeconds(20))
        .setRetryOptions(RetryOptions.newBuilder().setInitialInterval(Duration.ofMillis(20)).build());
  }

  /** On a queue that nobody polls. */
  private static StartActivityOptions.Builder waiting(String id) {
    return options(id).setTaskQueue(Suite.QUEUE + "-nobody");
  }

  private static Throwable causeOf(UntypedActivityHandle handle) {
    try {
      handle.getResult(Object.class);
      throw new IllegalStateException("a result where a failure was due");
    } catch (ActivityFailedException e) {
      return e.getCause();
    }
  }

  static void check(Suite s) {
    ActivityClient activities = ActivityClient.newInstance(s.client.getWorkflowServiceStubs());
    s.check(
        "standalone: a result, for who started it and for who asks later",
        "hello",
        null,
        id -> {
          Suite.expect(activities.execute(Steps.class, Steps::echo, options(id).build(), "hello"), "hello");
          return activities.getHandle(id, null, String.class).getResult();
        });
    s.check(
        "standalone: tried again, and described",
        "3 ACTIVITY_EXECUTION_STATUS_COMPLETED flaky",
        null,
        id -> {
          ActivityHandle<Integer> handle =
              activities.start(Steps.class, Steps::flaky, options(id).setStaticSummary("thrice").build(), 3);
          Suite.expect(handle.getResult(), 3);
          ActivityExecutionDescription d = handle.describe();
          Suite.expect(d.getStaticSummary(), "thrice");
          return d.getAttempt() + " " + d.getStatus().name() + " " + d.getActivityType();
        });
    s.check(
        "standalone: goes on from its heartbeat when its worker falls silent",
        42,
        null,
        id -> activities.execute(Steps.class, Steps::beats, options(id).setHeartbeatTimeout(Duration.ofMillis(1500)).build()));
    s.check(
        "standalone: fails with what its worker said",
        "Fatal: no use 7",
        null,
        id -> {
          ApplicationFailure cause =
              (ApplicationFailure) causeOf(activities.start(Steps.class, Steps::fatal, options(id).build()));
          return cause.getType() + ": " + cause.getOriginalMessage() + " " + cause.getDetails().get(1, Integer.class);
        });
    s.check(
        "standalone: times out when nobody takes it",
        "TIMEOUT_TYPE_SCHEDULE_TO_START",
        null,
        id -> {
          StartActivityOptions o = waiting(id).setScheduleToStartTimeout(Duration.ofMillis(200)).build();
          return ((TimeoutFailure) causeOf(activities.start(Steps.class, Steps::echo, o, "x"))).getTimeoutType().name();
        });
    s.check(
        "standalone: canceled and terminated while it waits",
        true,
        null,
        id -> {
          UntypedActivityHandle canceled = activities.start(Steps.class, Steps::echo, waiting(id + "-c").build(), "x");
          canceled.cancel("no more");
          UntypedActivityHandle terminated = activities.start(Steps.class, Steps::echo, waiting(id + "-t").build(), "x");
          terminated.terminate("enough");
          return causeOf(canceled) instanceof CanceledFailure && causeOf(terminated) instanceof TerminatedFailure;
        });
    s.check(
        "standalone: hears of its cancellation with a heartbeat",
        "ACTIVITY_EXECUTION_STATUS_CANCELED",
        null,
        id -> {
          StartActivityOptions o = options(id).setHeartbeatTimeout(Duration.ofSeconds(2)).build();
          ActivityHandle<Void> handle = activities.start(Steps.class, Steps::untilCanceled, o);
          Suite.until(() -> handle.describe().getRunState() == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED);
          handle.cancel("stop");
          if (!(causeOf(handle) instanceof CanceledFailure)) return "another failure";
          return handle.describe().getStatus().name();
        });
    s.check(
        "standalone: an id is its own while it runs",
        true,
        null,
        id -> {
          ActivityHandle<String> first = activities.start(Steps.class, Steps::echo, waiting(id).build(), "x");
          try {
            activities.start(Steps.class, Steps::echo, waiting(id).build(), "x");
            return "started twice";
          } catch (ActivityAlreadyStartedException e) {
            StartActivityOptions o =
                waiting(id).setIdConflictPolicy(ActivityIdConflictPolicy.ACTIVITY_ID_CONFLICT_POLICY_USE_EXISTING).build();
            ActivityHandle<String> same = activities.start(Steps.class, Steps::echo, o, "x");
            first.terminate("done");
            return same.getActivityRunId().equals(first.getActivityRunId());
          }
        });
    s.check(
        "standalone: listed and counted, with attributes",
        List.of("one", "two"),
        null,
        id -> {
          for (String word : List.of("one", "two"))
            activities.start(
                Steps.class,
                Steps::echo,
                waiting(id + "-" + word).setTypedSearchAttributes(SearchAttributes.newBuilder().set(Runs.WORD, word).build()).build(),
                "x");
          String query = "ActivityId STARTS_WITH '" + id + "' AND ActivityType = 'echo' AND ExecutionStatus = 'Running'";
          Suite.until(() -> activities.countExecutions(query).getCount() == 2);
          List<String> words =
              activities
                  .listExecutions(query)
                  .map(a -> a.getSearchAttributes().get(Runs.WORD))
                  .sorted()
                  .collect(Collectors.toList());
          for (String word : words) activities.getHandle(id + "-" + word, null).terminate("done");
          return words;
        });
  }
}
