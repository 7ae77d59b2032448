package suite;

import static suite.Events.*;

import io.temporal.activity.ActivityOptions;
import io.temporal.api.enums.v1.EventType;
import io.temporal.api.enums.v1.ParentClosePolicy;
import io.temporal.api.enums.v1.WorkflowIdReusePolicy;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowExecutionAlreadyStarted;
import io.temporal.client.WorkflowFailedException;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowStub;
import io.temporal.common.RetryOptions;
import io.temporal.common.SearchAttributeKey;
import io.temporal.common.SearchAttributes;
import io.temporal.failure.ActivityFailure;
import io.temporal.failure.ApplicationFailure;
import io.temporal.failure.ChildWorkflowFailure;
import io.temporal.failure.TimeoutFailure;
import io.temporal.worker.Worker;
import io.temporal.workflow.Async;
import io.temporal.workflow.CancellationScope;
import io.temporal.workflow.ChildWorkflowOptions;
import io.temporal.workflow.ContinueAsNewOptions;
import io.temporal.workflow.Promise;
import io.temporal.workflow.Saga;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** How runs start, follow each other and end, what they decide on their way, and what is recorded of them. */
final class Runs {
  static final SearchAttributeKey<String> WORD = SearchAttributeKey.forKeyword("CustomKeywordField");
  static final SearchAttributeKey<Long> NUMBER = SearchAttributeKey.forLong("CustomIntField");

  private Runs() {}

  private static Steps steps() {
    return Workflow.newActivityStub(
        Steps.class,
        ActivityOptions.newBuilder()
            .setStartToCloseTimeout(Duration.ofSeconds(20))
            .setRetryOptions(RetryOptions.newBuilder().setMaximumAttempts(1).build())
            .build());
  }

  @WorkflowInterface
  public interface Continues {
    @WorkflowMethod
    String continues(int left);
  }

  /** What the last run of a chain knows that was said of the first one. */
  public static final class ContinuesImpl implements Continues {
    @Override
    public String continues(int left) {
      if (left > 0) Workflow.continueAsNew(left - 1);
      return Workflow.getTypedSearchAttributes().get(WORD) + " " + Workflow.getInfo().getContinuedExecutionRunId().isPresent();
    }
  }

  @WorkflowInterface
  public interface Renews {
    @WorkflowMethod
    String renews(boolean first);
  }

  /** The second run is of another memo and has a limit of its own. */
  public static final class RenewsImpl implements Renews {
    @Override
    public String renews(boolean first) {
      if (first)
        Workflow.continueAsNew(
            ContinueAsNewOptions.newBuilder().setWorkflowRunTimeout(Duration.ofSeconds(77)).setMemo(Map.of("m", "another")).build(), false);
      return Workflow.getMemo("m", String.class) + " " + Workflow.getInfo().getWorkflowRunTimeout().toSeconds();
    }
  }

  @WorkflowInterface
  public interface Decides {
    @WorkflowMethod
    String decides();
  }

  public static final class DecidesImpl implements Decides {
    @Override
    public String decides() {
      int version = Workflow.getVersion("change", Workflow.DEFAULT_VERSION, 2);
      int drawn = Workflow.sideEffect(Integer.class, () -> 5);
      int sum = 0;
      // The third reading differs from the second: the marker is renewed then, and then only.
      for (int reading : new int[] {1, 1, 4})
        sum += Workflow.mutableSideEffect("reading", Integer.class, (a, b) -> !a.equals(b), () -> reading);
      boolean isSame = Workflow.getVersion("change", Workflow.DEFAULT_VERSION, 2) == version;
      // Random ids and numbers are the run's own: a replay would find others out.
      String id = Workflow.randomUUID().toString();
      return version + " " + drawn + " " + sum + " " + isSame + " " + id.length();
    }
  }

  @WorkflowInterface
  public interface Trip {
    @WorkflowMethod
    String trip(boolean parallel);
  }

  /** Undoes what was done when a later step fails, the last step first. */
  public static final class TripImpl implements Trip {
    @Override
    public String trip(boolean parallel) {
      Steps steps = steps();
      List<String> undone = new ArrayList<>();
      Saga saga = new Saga(new Saga.Options.Builder().setParallelCompensation(parallel).build());
      try {
        for (String what : List.of("car", "hotel", "flight")) {
          steps.echo(what);
          saga.addCompensation(() -> undone.add(steps.echo("no " + what)));
        }
        steps.fatal();
        return "gone";
      } catch (ActivityFailure e) {
        saga.compensate();
        return undone.stream().sorted(parallel ? String::compareTo : (a, b) -> 0).collect(Collectors.joining(", "));
      }
    }
  }

  @WorkflowInterface
  public interface Races {
    @WorkflowMethod
    String races();
  }

  /** The first of two timers wins; the other is taken back. */
  public static final class RacesImpl implements Races {
    @Override
    public String races() {
      List<Promise<Void>> slow = new ArrayList<>();
      CancellationScope scope = Workflow.newCancellationScope(() -> slow.add(Workflow.newTimer(Duration.ofHours(1))));
      scope.run();
      Promise<String> first = Workflow.newTimer(Duration.ofMillis(50)).thenApply(x -> "the quick one");
      Object winner = Promise.anyOf(first, slow.get(0).thenApply(x -> "the slow one")).get();
      scope.cancel();
      return (String) winner;
    }
  }

  @WorkflowInterface
  public interface Annotates {
    @WorkflowMethod
    String annotates();
  }

  public static final class AnnotatesImpl implements Annotates {
    @Override
    public String annotates() {
      Workflow.upsertTypedSearchAttributes(WORD.valueSet("later"), NUMBER.valueUnset());
      Workflow.upsertMemo(Map.of("note", "later"));
      return Workflow.getTypedSearchAttributes().get(WORD) + " " + Workflow.getMemo("note", String.class);
    }
  }

  @WorkflowInterface
  public interface Child {
    @WorkflowMethod
    String child(String how);
  }

  public static final class ChildImpl implements Child {
    @Override
    public String child(String how) {
      switch (how) {
        case "fails":
          throw ApplicationFailure.newNonRetryableFailure("no", "Typed", 3);
        case "sleeps":
          Workflow.sleep(Duration.ofHours(1));
          return "slept";
        default:
          return how + " " + Workflow.getInfo().getParentWorkflowId().isPresent();
      }
    }
  }

  @WorkflowInterface
  public interface Parent {
    @WorkflowMethod
    List<String> parent();
  }

  public static final class ParentImpl implements Parent {
    private static Child child(ParentClosePolicy policy) {
      return Workflow.newChildWorkflowStub(
          Child.class,
          ChildWorkflowOptions.newBuilder()
              .setWorkflowId(Workflow.getInfo().getWorkflowId() + "-" + policy.name())
              .setParentClosePolicy(policy)
              .build());
    }

    @Override
    public List<String> parent() {
      List<String> got = new ArrayList<>();
      got.add(Workflow.newChildWorkflowStub(Child.class).child("fine"));
      try {
        Workflow.newChildWorkflowStub(Child.class).child("fails");
      } catch (ChildWorkflowFailure e) {
        ApplicationFailure cause = (ApplicationFailure) e.getCause();
        got.add(cause.getType() + cause.getDetails().get(Integer.class));
      }
      for (ParentClosePolicy policy :
          List.of(ParentClosePolicy.PARENT_CLOSE_POLICY_ABANDON, ParentClosePolicy.PARENT_CLOSE_POLICY_TERMINATE)) {
        Child left = child(policy);
        Async.function(left::child, "sleeps");
        Workflow.getWorkflowExecution(left).get();
      }
      return got;
    }
  }

  @WorkflowInterface
  public interface Insists {
    @WorkflowMethod
    int insists(int times);
  }

  public static final class InsistsImpl implements Insists {
    @Override
    public int insists(int times) {
      int attempt = Workflow.getInfo().getAttempt();
      if (attempt < times) throw ApplicationFailure.newFailure("not yet", "Early");
      return attempt;
    }
  }

  @WorkflowInterface
  public interface Counts {
    @WorkflowMethod
    int counts();
  }

  public static final class CountsImpl implements Counts {
    @Override
    public int counts() {
      Integer last = Workflow.getLastCompletionResult(Integer.class);
      return last == null ? 1 : last + 1;
    }
  }

  static void register(Worker worker) {
    worker.registerWorkflowImplementationTypes(
        ContinuesImpl.class,
        RenewsImpl.class,
        DecidesImpl.class,
        TripImpl.class,
        RacesImpl.class,
        AnnotatesImpl.class,
        ChildImpl.class,
        ParentImpl.class,
        InsistsImpl.class,
        CountsImpl.class);
  }

  static void check(Suite s) {
    s.check(
        "continue-as-new carries attributes",
        "kept true",
        events(STARTED, COMPLETED),
        id -> {
          WorkflowOptions options =
              s.options(id).setTypedSearchAttributes(SearchAttributes.newBuilder().set(WORD, "kept").build()).build();
          WorkflowStub stub = s.client.newUntypedWorkflowStub("Continues", options);
          String first = stub.start(2).getRunId();
          String answer = stub.getResult(String.class);
          Suite.expect(s.types(id, first), events(STARTED, "WORKFLOW_EXECUTION_CONTINUED_AS_NEW"));
          return answer;
        });
    s.check(
        "continue-as-new with a memo and a limit of its own",
        "another 77",
        events(STARTED, COMPLETED),
        id -> s.client.newWorkflowStub(Renews.class, s.options(id).setMemo(Map.of("m", "first")).build()).renews(true));
    s.check(
        "versions and side effects, recorded where they change",
        "2 5 6 true 36",
        events(STARTED, MARKER, MARKER, MARKER, MARKER, COMPLETED),
        id -> s.stub(Decides.class, id).decides());
    List<String> three = events(ACTIVITY, ACTIVITY, ACTIVITY);
    List<String> fails = List.of("ACTIVITY_TASK_SCHEDULED", "ACTIVITY_TASK_STARTED", "ACTIVITY_TASK_FAILED");
    s.check(
        "a saga takes back what was done, the last first",
        "no flight, no hotel, no car",
        events(STARTED, three, fails, three, COMPLETED),
        id -> s.stub(Trip.class, id).trip(false));
    s.check(
        "a saga takes back all at once",
        "no car, no flight, no hotel",
        null,
        id -> {
          String answer = s.stub(Trip.class, id).trip(true);
          Suite.expect(s.types(id, null).stream().filter("ACTIVITY_TASK_COMPLETED"::equals).count(), 6L);
          return answer;
        });
    s.check(
        "a timer that lost is taken back",
        "the quick one",
        events(STARTED, TIMER_STARTED, TIMER_STARTED, TIMER_FIRED, "TIMER_CANCELED", COMPLETED),
        id -> s.stub(Races.class, id).races());
    s.check(
        "attributes and memo are found again",
        "later later",
        events(STARTED, "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES", "WORKFLOW_PROPERTIES_MODIFIED", COMPLETED),
        id -> {
          WorkflowOptions options =
              s.options(id)
                  .setTypedSearchAttributes(SearchAttributes.newBuilder().set(WORD, "first").set(NUMBER, 7L).build())
                  .build();
          String answer = s.client.newWorkflowStub(Annotates.class, options).annotates();
          String query = "CustomKeywordField = 'later' AND CustomIntField IS NULL AND WorkflowId = '" + id + "'";
          Suite.until(() -> s.client.countWorkflows(query + " AND ExecutionStatus = 'Completed'").getCount() == 1);
          var found = s.client.listExecutions(query).collect(Collectors.toList());
          Suite.expect(found.size(), 1);
          Suite.expect(found.get(0).getTypedSearchAttributes().get(WORD), "later");
          Suite.expect(found.get(0).getMemo("note", String.class), "later");
          return answer;
        });
    s.check(
        "children: one ends well, one fails, one outlives its parent, one does not",
        List.of("fine true", "Typed3"),
        events(
            STARTED,
            CHILD_INITIATED,
            CHILD_STARTED,
            CHILD_COMPLETED,
            CHILD_INITIATED,
            CHILD_STARTED,
            "CHILD_WORKFLOW_EXECUTION_FAILED",
            CHILD_INITIATED,
            CHILD_STARTED,
            CHILD_INITIATED,
            CHILD_STARTED,
            COMPLETED),
        id -> {
          List<String> answer = s.stub(Parent.class, id).parent();
          s.untilEvent(id + "-PARENT_CLOSE_POLICY_TERMINATE", EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED);
          WorkflowStub left = s.existing(id + "-PARENT_CLOSE_POLICY_ABANDON");
          Suite.expect(left.describe().getStatus().name(), "WORKFLOW_EXECUTION_STATUS_RUNNING");
          left.terminate("done");
          return answer;
        });
    s.check(
        "a run is retried by its policy",
        3,
        events(STARTED, COMPLETED),
        id -> {
          RetryOptions retry = RetryOptions.newBuilder().setInitialInterval(Duration.ofMillis(20)).setMaximumAttempts(5).build();
          return s.client.newWorkflowStub(Insists.class, s.options(id).setRetryOptions(retry).build()).insists(3);
        });
    s.check(
        "the run timeout",
        "TIMEOUT_TYPE_START_TO_CLOSE",
        events(STARTED, TIMER_STARTED, "WORKFLOW_EXECUTION_TIMED_OUT"),
        id -> {
          try {
            return s.client
                .newWorkflowStub(Child.class, s.options(id).setWorkflowRunTimeout(Duration.ofSeconds(1)).build())
                .child("sleeps");
          } catch (WorkflowFailedException e) {
            return ((TimeoutFailure) e.getCause()).getTimeoutType().name();
          }
        });
    s.check(
        "an id that is taken, and one that was",
        "alone false",
        events(STARTED, COMPLETED),
        id -> {
          WorkflowClient.start(s.stub(Messages.Collects.class, id)::collects);
          try {
            WorkflowClient.start(s.stub(Messages.Collects.class, id)::collects);
            return "started twice";
          } catch (WorkflowExecutionAlreadyStarted e) {
            s.existing(id).terminate("the next one comes");
          }
          String answer = s.stub(Child.class, id).child("alone");
          WorkflowOptions once =
              s.options(id).setWorkflowIdReusePolicy(WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE).build();
          try {
            WorkflowClient.start(s.client.newWorkflowStub(Messages.Collects.class, once)::collects);
            return "started a third time";
          } catch (WorkflowExecutionAlreadyStarted e) {
            return answer;
          }
        });
    s.check(
        "a delayed start",
        "late false",
        events(STARTED, COMPLETED),
        id -> {
          Child stub = s.client.newWorkflowStub(Child.class, s.options(id).setStartDelay(Duration.ofMillis(500)).build());
          WorkflowClient.start(stub::child, "late");
          var description = s.existing(id).describe();
          Suite.expect(Duration.between(description.getStartTime(), description.getExecutionTime()), Duration.ofMillis(500));
          return stub.child("late");
        });
    s.check(
        "cron hands its result on",
        "2",
        events(STARTED, "WORKFLOW_EXECUTION_TERMINATED"),
        id -> {
          WorkflowStub stub = s.client.newUntypedWorkflowStub("Counts", s.options(id).setCronSchedule("@every 1s").build());
          String first = stub.start().getRunId();
          String[] run = {first};
          String answer = "";
          for (int n = 0; n < 2; n++) {
            EventType done = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED;
            Suite.until(() -> s.history(id, run[0]).stream().anyMatch(e -> e.getEventType() == done));
            var end = s.history(id, run[0]).stream().filter(e -> e.getEventType() == done).findFirst().orElseThrow();
            answer = end.getWorkflowExecutionCompletedEventAttributes().getResult().getPayloads(0).getData().toStringUtf8();
            run[0] = end.getWorkflowExecutionCompletedEventAttributes().getNewExecutionRunId();
          }
          s.existing(id).terminate("enough");
          return answer;
        });
    s.check(
        "an eager start needs no poll",
        "eager false",
        events(STARTED, COMPLETED),
        id -> {
          String answer =
              s.client.newWorkflowStub(Child.class, s.options(id).setDisableEagerExecution(false).build()).child("eager");
          var started = s.find(id, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED).getWorkflowExecutionStartedEventAttributes();
          Suite.expect(started.getEagerExecutionAccepted(), true);
          return answer;
        });
  }
}
