package suite;

import io.temporal.activity.Activity;
import io.temporal.activity.ActivityExecutionContext;
import io.temporal.client.ActivityCanceledException;
import io.temporal.failure.ApplicationFailure;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

final class ActivitiesImpl implements Steps {
  record Taken(byte[] token, String activityId) {}

  /** Of the activities that somebody else completes, by workflow id. */
  static final Map<String, Taken> TAKEN = new ConcurrentHashMap<>();

  @Override
  public String echo(String s) {
    return s;
  }

  @Override
  public Integer flaky(Integer times) {
    int attempt = Activity.getExecutionContext().getInfo().getAttempt();
    if (attempt < times) throw new IllegalStateException("attempt " + attempt);
    return attempt;
  }

  @Override
  public int beats() {
    ActivityExecutionContext context = Activity.getExecutionContext();
    Optional<Integer> before = context.getHeartbeatDetails(Integer.class);
    if (before.isPresent()) return before.get() + 1;
    context.heartbeat(41);
    try {
      Thread.sleep(60_000);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return -1;
  }

  @Override
  public String pending() {
    ActivityExecutionContext context = Activity.getExecutionContext();
    TAKEN.put(context.getInfo().getWorkflowId(), new Taken(context.getTaskToken(), context.getInfo().getActivityId()));
    context.doNotCompleteOnReturn();
    return null;
  }

  @Override
  public void fatal() {
    throw ApplicationFailure.newNonRetryableFailure("no use", "Fatal", "detail", 7);
  }

  @Override
  public void untilCanceled() {
    ActivityExecutionContext context = Activity.getExecutionContext();
    for (; ; ) {
      try {
        context.heartbeat("beat");
        Thread.sleep(20);
      } catch (ActivityCanceledException e) {
        throw e;
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException(e);
      }
    }
  }
}
