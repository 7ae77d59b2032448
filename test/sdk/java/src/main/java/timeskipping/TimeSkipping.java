package timeskipping;

import com.google.protobuf.Empty;
import io.grpc.StatusRuntimeException;
import io.temporal.activity.Activity;
import io.temporal.activity.ActivityInterface;
import io.temporal.activity.ActivityOptions;
import io.temporal.api.common.v1.WorkflowExecution;
import io.temporal.api.enums.v1.EventType;
import io.temporal.api.enums.v1.ParentClosePolicy;
import io.temporal.api.history.v1.HistoryEvent;
import io.temporal.api.testservice.v1.LockTimeSkippingRequest;
import io.temporal.api.testservice.v1.SleepRequest;
import io.temporal.api.testservice.v1.TestServiceGrpc.TestServiceBlockingStub;
import io.temporal.api.testservice.v1.UnlockTimeSkippingRequest;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowFailedException;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowStub;
import io.temporal.client.schedules.Schedule;
import io.temporal.client.schedules.ScheduleActionStartWorkflow;
import io.temporal.client.schedules.ScheduleClient;
import io.temporal.client.schedules.ScheduleHandle;
import io.temporal.client.schedules.ScheduleIntervalSpec;
import io.temporal.client.schedules.ScheduleOptions;
import io.temporal.client.schedules.ScheduleSpec;
import io.temporal.common.RetryOptions;
import io.temporal.failure.ActivityFailure;
import io.temporal.failure.ApplicationFailure;
import io.temporal.failure.TimeoutFailure;
import io.temporal.internal.common.ProtobufTimeUtils;
import io.temporal.serviceclient.TestServiceStubs;
import io.temporal.serviceclient.TestServiceStubsOptions;
import io.temporal.testing.TestEnvironmentOptions;
import io.temporal.testing.TestWorkflowEnvironment;
import io.temporal.worker.Worker;
import io.temporal.workflow.Async;
import io.temporal.workflow.ChildWorkflowOptions;
import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.UpdateMethod;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * The Java SDK's TestWorkflowEnvironment with `perdure test-server` as its external service, in skipped time; threads of the SDK's users
 * by their numbers. Prints one line a test, "ok NAME, TIME" or "FAILED NAME: why", then "ran N". Argument: address of a server whose
 * time is not locked. Locks are counted: a test that locks unlocks as often.
 */
public final class TimeSkipping {
  private static final String QUEUE = "java-time";
  private static final Duration DAY = Duration.ofDays(1);
  /** Real time for days of skipped time. */
  private static final int TEST_SECONDS_MAX = 15;

  private final TestWorkflowEnvironment env;
  private final WorkflowClient client;
  private final TestServiceBlockingStub time;
  private int ran = 0;
  private int bad = 0;

  interface Test {
    Object run(String id) throws Exception;
  }

  @ActivityInterface
  public interface Steps {
    String echo(String s);

    void fails();
  }

  public static final class StepsImpl implements Steps {
    @Override
    public String echo(String s) {
      return s;
    }

    @Override
    public void fails() {
      int attempt = Activity.getExecutionContext().getInfo().getAttempt();
      if (attempt < 4) throw ApplicationFailure.newFailure("attempt " + attempt, "Early");
    }
  }

  private static ActivityOptions.Builder steps() {
    return ActivityOptions.newBuilder().setStartToCloseTimeout(Duration.ofHours(2));
  }

  @WorkflowInterface
  public interface Sleeps {
    @WorkflowMethod
    long sleeps(long hours);
  }

  /** Hours that passed, as the workflow sees them. */
  public static final class SleepsImpl implements Sleeps {
    @Override
    public long sleeps(long hours) {
      long before = Workflow.currentTimeMillis();
      Workflow.sleep(Duration.ofHours(hours));
      return Duration.ofMillis(Workflow.currentTimeMillis() - before).toHours();
    }
  }

  @WorkflowInterface
  public interface Tries {
    @WorkflowMethod
    List<Object> tries();
  }

  /** An activity whose retries wait for hours, and one that may not wait for its fourth attempt. */
  public static final class TriesImpl implements Tries {
    @Override
    public List<Object> tries() {
      long before = Workflow.currentTimeMillis();
      RetryOptions hours = RetryOptions.newBuilder().setInitialInterval(Duration.ofHours(10)).setBackoffCoefficient(1).build();
      Workflow.newActivityStub(Steps.class, steps().setRetryOptions(hours).build()).fails();
      long retried = Duration.ofMillis(Workflow.currentTimeMillis() - before).toHours();
      try {
        Workflow.newActivityStub(Steps.class, steps().setScheduleToCloseTimeout(Duration.ofHours(25)).setRetryOptions(hours).build()).fails();
        return List.of();
      } catch (ActivityFailure e) {
        long both = Duration.ofMillis(Workflow.currentTimeMillis() - before).toHours();
        return List.of(retried, both, e.getRetryState().name());
      }
    }
  }

  @WorkflowInterface
  public interface Waits {
    @WorkflowMethod
    String waits();

    @SignalMethod
    void finish();

    /** Answers after two days. */
    @UpdateMethod
    String slow();
  }

  public static final class WaitsImpl implements Waits {
    private boolean finished = false;

    @Override
    public String waits() {
      return Workflow.await(Duration.ofDays(60), () -> finished) ? "finished" : "gave up";
    }

    @Override
    public void finish() {
      finished = true;
    }

    @Override
    public String slow() {
      Workflow.sleep(Duration.ofDays(2));
      return "slept";
    }
  }

  @WorkflowInterface
  public interface Leaves {
    @WorkflowMethod
    void leaves(String how, boolean again);
  }

  /** Starts a child that outlives it; may continue as new then. */
  public static final class LeavesImpl implements Leaves {
    @Override
    public void leaves(String how, boolean again) {
      if (how.isEmpty()) return;
      RetryOptions hourly =
          RetryOptions.newBuilder().setInitialInterval(Duration.ofHours(1)).setBackoffCoefficient(1).setMaximumAttempts(3).build();
      ChildWorkflowOptions.Builder options =
          ChildWorkflowOptions.newBuilder()
              .setWorkflowId(Workflow.getInfo().getWorkflowId() + "-child")
              .setParentClosePolicy(ParentClosePolicy.PARENT_CLOSE_POLICY_ABANDON);
      if (how.equals("fails")) options.setRetryOptions(hourly);
      Left child = Workflow.newChildWorkflowStub(Left.class, options.build());
      Async.function(child::left, how);
      Workflow.getWorkflowExecution(child).get();
      if (again) Workflow.continueAsNew("", false);
    }
  }

  @WorkflowInterface
  public interface Left {
    @WorkflowMethod
    String left(String how);
  }

  public static final class LeftImpl implements Left {
    @Override
    public String left(String how) {
      if (how.equals("fails")) throw ApplicationFailure.newFailure("the child fails", "Left");
      if (how.equals("sleeps")) Workflow.sleep(Duration.ofHours(10));
      return Workflow.newActivityStub(Steps.class, steps().build()).echo("left");
    }
  }

  private TimeSkipping(String address) {
    env =
        TestWorkflowEnvironment.newInstance(
            TestEnvironmentOptions.newBuilder().setUseExternalService(true).setTarget(address).build());
    client = env.getWorkflowClient();
    time =
        TestServiceStubs.newServiceStubs(
                TestServiceStubsOptions.newBuilder().setChannel(env.getWorkflowServiceStubs().getRawChannel()).validateAndBuildWithDefaults())
            .blockingStub();
    Worker worker = env.newWorker(QUEUE);
    worker.registerWorkflowImplementationTypes(SleepsImpl.class, TriesImpl.class, WaitsImpl.class, LeavesImpl.class, LeftImpl.class);
    worker.registerActivitiesImplementations(new StepsImpl());
    env.start();
  }

  private Instant now() {
    return ProtobufTimeUtils.toJavaInstant(time.getCurrentTime(Empty.getDefaultInstance()).getTime());
  }

  private void lock() {
    time.lockTimeSkipping(LockTimeSkippingRequest.getDefaultInstance());
  }

  private void unlock() {
    time.unlockTimeSkipping(UnlockTimeSkippingRequest.getDefaultInstance());
  }

  /** Of a test whose time is locked. */
  private void sleep(Duration duration) {
    time.unlockTimeSkippingWithSleep(SleepRequest.newBuilder().setDuration(ProtobufTimeUtils.toProtoDuration(duration)).build());
  }

  private <T> T stub(Class<T> type, String id) {
    return client.newWorkflowStub(type, WorkflowOptions.newBuilder().setWorkflowId(id).setTaskQueue(QUEUE).build());
  }

  private WorkflowStub existing(String id) {
    return client.newUntypedWorkflowStub(id);
  }

  private String status(String id) {
    return existing(id).describe().getStatus().name().substring("WORKFLOW_EXECUTION_STATUS_".length());
  }

  private Duration lifeOf(String id) {
    List<HistoryEvent> events = client.fetchHistory(id).getEvents();
    Instant start = ProtobufTimeUtils.toJavaInstant(events.get(0).getEventTime());
    return Duration.between(start, ProtobufTimeUtils.toJavaInstant(events.get(events.size() - 1).getEventTime()));
  }

  private boolean has(String id, EventType type) {
    return client.fetchHistory(id).getEvents().stream().anyMatch(e -> e.getEventType() == type);
  }

  private interface Question {
    boolean ask();
  }

  private static void until(Question question) throws InterruptedException {
    while (!question.ask()) Thread.sleep(20);
  }

  private void untilStatus(String id, String status) throws InterruptedException {
    until(
        () -> {
          try {
            return status(id).equals(status);
          } catch (io.temporal.client.WorkflowNotFoundException e) {
            return false;
          }
        });
  }

  private void check(String name, Object expected, Test test) {
    ran++;
    long began = System.nanoTime();
    ExecutorService thread = Executors.newSingleThreadExecutor();
    try {
      Future<Object> done = thread.submit(() -> test.run("time-" + UUID.randomUUID()));
      Object got = done.get(TEST_SECONDS_MAX, TimeUnit.SECONDS);
      if (!got.equals(expected)) throw new IllegalStateException("answered " + got + ", not " + expected);
      System.out.println("ok " + name + ", " + (System.nanoTime() - began) / 1_000_000 + " ms");
    } catch (Exception e) {
      bad++;
      System.out.println("FAILED " + name + ": " + (e instanceof ExecutionException ? e.getCause() : e));
    } finally {
      thread.shutdownNow();
    }
  }

  /** Time is not locked: whatever is waited for is reached at once. */
  private void unlocked() {
    check("sleeps for 100 days", 2400L, id -> stub(Sleeps.class, id).sleeps(2400));
    check("skips the waits of retries, as far as a timeout lets them go", List.of(30, 50, "RETRY_STATE_TIMEOUT"), id -> stub(Tries.class, id).tries());
    check(
        "a condition that never holds gives up after 60 days",
        "gave up 60",
        id -> stub(Waits.class, id).waits() + " " + lifeOf(id).toDays());
    check(
        "a run timeout of days",
        "TIMEOUT_TYPE_START_TO_CLOSE 7",
        id -> {
          WorkflowOptions options =
              WorkflowOptions.newBuilder().setWorkflowId(id).setTaskQueue(QUEUE).setWorkflowRunTimeout(Duration.ofDays(7)).build();
          try {
            return client.newWorkflowStub(Sleeps.class, options).sleeps(24 * 8);
          } catch (WorkflowFailedException e) {
            return ((TimeoutFailure) e.getCause()).getTimeoutType().name() + " " + lifeOf(id).toDays();
          }
        });
    check(
        "sdk-java 1540: the sleep of a child is skipped when its parent has continued as new",
        "left 10",
        id -> {
          stub(Leaves.class, id).leaves("sleeps", true);
          return existing(id + "-child").getResult(String.class) + " " + lifeOf(id + "-child").toHours();
        });
    check(
        "sdk-java 2283: the result of an update whose handler sleeps is awaited in skipped time",
        "slept finished 2",
        id -> {
          lock();
          try {
            WorkflowClient.start(stub(Waits.class, id)::waits);
            // Asked for while time is locked once, as this SDK's environment locks it: the wait for the result is what moves it.
            String answer = existing(id).update("slow", String.class);
            existing(id).signal("finish");
            String result = existing(id).getResult(String.class);
            return answer + " " + result + " " + lifeOf(id).toDays();
          } finally {
            unlock();
          }
        });
    check(
        "sdk-java 1693: lists, counts, describes and deletes in skipped time",
        "3 0 40",
        id -> {
          Instant begin = now();
          for (String n : List.of("a", "b", "c")) stub(Sleeps.class, id + n).sleeps(960);
          String mine = "WorkflowId STARTS_WITH '" + id + "'";
          String late = "'" + begin.plus(Duration.ofDays(39)) + "'";
          long closed = client.countWorkflows(mine + " AND CloseTime > " + late).getCount();
          long early = client.countWorkflows(mine + " AND CloseTime < " + late).getCount();
          client
              .getWorkflowServiceStubs()
              .blockingStub()
              .deleteWorkflowExecution(
                  io.temporal.api.workflowservice.v1.DeleteWorkflowExecutionRequest.newBuilder()
                      .setNamespace("default")
                      .setWorkflowExecution(WorkflowExecution.newBuilder().setWorkflowId(id + "b"))
                      .build());
          until(() -> client.listExecutions(mine).count() == 2);
          return closed + " " + early + " " + lifeOf(id + "a").toDays();
        });
  }

  /** The test holds time, and moves it by as much as it says. */
  private void locked() {
    check(
        "locked, nothing is skipped; a sleep of the test skips as much as it says",
        "RUNNING false COMPLETED 31",
        id -> {
          WorkflowClient.start(stub(Sleeps.class, id)::sleeps, 720L);
          until(() -> has(id, EventType.EVENT_TYPE_TIMER_STARTED));
          sleep(Duration.ofDays(29));
          String before = status(id) + " " + has(id, EventType.EVENT_TYPE_TIMER_FIRED);
          Instant begin = now();
          sleep(Duration.ofDays(31));
          long days = Duration.between(begin, now()).toDays();
          untilStatus(id, "COMPLETED");
          return before + " " + status(id) + " " + days;
        });
    check(
        "unlocked in between, time runs to the end of what is waited for",
        "gave up true",
        id -> {
          Instant begin = now();
          WorkflowClient.start(stub(Waits.class, id)::waits);
          unlock();
          String answer;
          try {
            answer = existing(id).getResult(String.class);
          } finally {
            lock();
          }
          return answer + " " + (Duration.between(begin, now()).toDays() >= 60);
        });
    check(
        "sdk-java 2392: sleeping in the test does not hang after a workflow whose abandoned child has ended",
        "1 COMPLETED",
        id -> {
          stub(Leaves.class, id).leaves("ends", false);
          Instant begin = now();
          sleep(DAY);
          long days = Duration.between(begin, now()).toDays();
          untilStatus(id + "-child", "COMPLETED");
          return days + " " + status(id + "-child");
        });
    check(
        "sdk-java 2642: sleeping in the test stays virtual after another test left a child that is retried, and reaches a delayed start",
        "RUNNING false FAILED 0",
        id -> {
          stub(Leaves.class, id).leaves("fails", false);
          WorkflowOptions options =
              WorkflowOptions.newBuilder().setWorkflowId(id + "-late").setTaskQueue(QUEUE).setStartDelay(Duration.ofHours(12)).build();
          WorkflowClient.start(client.newWorkflowStub(Sleeps.class, options)::sleeps, 0L);
          sleep(Duration.ofHours(11));
          String before = status(id + "-late") + " " + has(id + "-late", EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED);
          sleep(Duration.ofHours(13));
          untilStatus(id + "-late", "COMPLETED");
          untilStatus(id + "-child", "FAILED");
          return before + " " + status(id + "-child") + " " + existing(id + "-late").getResult(Long.class);
        });
    check(
        "sdk-java 1954: sleep(30d) fires 30 daily actions of a schedule",
        "30 30",
        id -> {
          ScheduleClient schedules = ScheduleClient.newInstance(client.getWorkflowServiceStubs());
          Schedule daily =
              Schedule.newBuilder()
                  .setAction(
                      ScheduleActionStartWorkflow.newBuilder()
                          .setWorkflowType(Sleeps.class)
                          .setArguments(0L)
                          .setOptions(WorkflowOptions.newBuilder().setWorkflowId(id).setTaskQueue(QUEUE).build())
                          .build())
                  .setSpec(ScheduleSpec.newBuilder().setIntervals(List.of(new ScheduleIntervalSpec(DAY))).build())
                  .build();
          ScheduleHandle handle = schedules.createSchedule(id, daily, ScheduleOptions.newBuilder().build());
          sleep(Duration.ofDays(30));
          long actions = handle.describe().getInfo().getNumActions();
          until(() -> client.countWorkflows("TemporalScheduledById = '" + id + "' AND ExecutionStatus = 'Completed'").getCount() == 30);
          handle.delete();
          return actions + " " + client.listExecutions("TemporalScheduledById = '" + id + "'").count();
        });
    check(
        "more unlocks than locks are refused",
        "UNKNOWN",
        id -> {
          unlock();
          try {
            unlock();
            unlock();
            return "unlocked";
          } catch (StatusRuntimeException e) {
            return e.getStatus().getCode().name();
          }
        });
  }

  public static void main(String[] args) {
    TimeSkipping tests = new TimeSkipping(args[0]);
    long began = System.nanoTime();
    tests.unlocked();
    tests.lock();
    tests.locked();
    System.out.println("took " + (System.nanoTime() - began) / 1_000_000 + " ms");
    System.out.println("ran " + tests.ran);
    System.out.flush();
    tests.env.close();
    System.exit(tests.bad > 0 ? 1 : 0);
  }
}
