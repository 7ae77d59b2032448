package suite;

import static suite.Events.*;

import io.temporal.activity.ActivityOptions;
import io.temporal.api.enums.v1.EventType;
import io.temporal.api.enums.v1.WorkflowIdConflictPolicy;
import io.temporal.client.UpdateOptions;
import io.temporal.client.WithStartWorkflowOperation;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowFailedException;
import io.temporal.client.WorkflowStub;
import io.temporal.client.WorkflowUpdateException;
import io.temporal.client.WorkflowUpdateHandle;
import io.temporal.client.WorkflowUpdateStage;
import io.temporal.failure.ApplicationFailure;
import io.temporal.failure.CanceledFailure;
import io.temporal.worker.Worker;
import io.temporal.workflow.CancellationScope;
import io.temporal.workflow.ExternalWorkflowStub;
import io.temporal.workflow.QueryMethod;
import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.UpdateMethod;
import io.temporal.workflow.UpdateValidatorMethod;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Signals, queries, updates and cancellations: what others say to a running workflow, and what it says to others. */
final class Messages {
  private Messages() {}

  @WorkflowInterface
  public interface Collects {
    @WorkflowMethod
    List<String> collects();

    @SignalMethod
    void add(String word);

    @SignalMethod
    void finish();

    @QueryMethod
    int count();

    /** Adds, and answers how many there are, after an activity. */
    @UpdateMethod
    int put(String word);

    @UpdateValidatorMethod(updateName = "put")
    void validatePut(String word);

    /** Ends in a failure. */
    @UpdateMethod
    void refuse();

    /** Waits for `finish`. */
    @UpdateMethod
    String last();
  }

  public static final class CollectsImpl implements Collects {
    private final Steps steps =
        Workflow.newActivityStub(Steps.class, ActivityOptions.newBuilder().setStartToCloseTimeout(Duration.ofSeconds(20)).build());
    private final List<String> words = new ArrayList<>();
    private boolean finished = false;

    @Override
    public List<String> collects() {
      Workflow.await(() -> finished && Workflow.isEveryHandlerFinished());
      return words;
    }

    @Override
    public void add(String word) {
      words.add(word);
    }

    @Override
    public void finish() {
      finished = true;
    }

    @Override
    public int count() {
      return words.size();
    }

    @Override
    public int put(String word) {
      words.add(steps.echo(word));
      return words.size();
    }

    @Override
    public void validatePut(String word) {
      if (word.isEmpty()) throw new IllegalArgumentException("no word");
    }

    @Override
    public void refuse() {
      throw ApplicationFailure.newFailure("not now", "Refusal");
    }

    @Override
    public String last() {
      Workflow.await(() -> finished);
      return words.get(words.size() - 1);
    }
  }

  @WorkflowInterface
  public interface CleansUp {
    @WorkflowMethod
    String cleansUp();
  }

  public static final class CleansUpImpl implements CleansUp {
    @Override
    public String cleansUp() {
      try {
        Workflow.sleep(Duration.ofHours(1));
        return "slept";
      } catch (CanceledFailure e) {
        String[] word = new String[1];
        Steps steps =
            Workflow.newActivityStub(Steps.class, ActivityOptions.newBuilder().setStartToCloseTimeout(Duration.ofSeconds(20)).build());
        CancellationScope detached = Workflow.newDetachedCancellationScope(() -> word[0] = steps.echo("cleaned"));
        detached.run();
        return word[0];
      }
    }
  }

  @WorkflowInterface
  public interface Waits {
    @WorkflowMethod
    void waits();
  }

  public static final class WaitsImpl implements Waits {
    @Override
    public void waits() {
      Workflow.sleep(Duration.ofHours(1));
    }
  }

  @WorkflowInterface
  public interface Outside {
    @WorkflowMethod
    String outside(String other);
  }

  public static final class OutsideImpl implements Outside {
    @Override
    public String outside(String other) {
      ExternalWorkflowStub stub = Workflow.newUntypedExternalWorkflowStub(other);
      stub.signal("add", "from outside");
      stub.cancel();
      try {
        Workflow.newUntypedExternalWorkflowStub(other + "-that-is-not").signal("add", "nobody");
        return "reached nobody";
      } catch (ApplicationFailure e) {
        return e.getType();
      }
    }
  }

  static void register(Worker worker) {
    worker.registerWorkflowImplementationTypes(CollectsImpl.class, CleansUpImpl.class, WaitsImpl.class, OutsideImpl.class);
  }

  private static String isCanceled(WorkflowStub stub) {
    try {
      return stub.getResult(String.class);
    } catch (WorkflowFailedException e) {
      return e.getCause() instanceof CanceledFailure ? "canceled" : String.valueOf(e.getCause());
    }
  }

  static void check(Suite s) {
    s.check(
        "signals and queries, while it runs and after",
        List.of("a", "b"),
        events(STARTED, SIGNALED, SIGNALED, SIGNALED, COMPLETED),
        id -> {
          Collects stub = s.stub(Collects.class, id);
          WorkflowClient.start(stub::collects);
          stub.add("a");
          Suite.expect(stub.count(), 1);
          stub.add("b");
          Suite.expect(stub.count(), 2);
          stub.finish();
          List<String> words = stub.collects();
          Suite.expect(stub.count(), 2);
          return words;
        });
    s.check(
        "a signal with the start, twice",
        List.of("first", "second"),
        events(STARTED, SIGNALED, SIGNALED, SIGNALED, COMPLETED),
        id -> {
          for (String word : List.of("first", "second"))
            s.client
                .newUntypedWorkflowStub("Collects", s.options(id).build())
                .signalWithStart("add", new Object[] {word}, new Object[] {});
          s.existing(id).signal("finish");
          return s.existing(id).getResult(List.class);
        });
    s.check(
        "updates: a result after an activity, a rejection without a trace, a failure",
        "1 2 IllegalArgumentException Refusal",
        events(
            STARTED,
            UPDATE_ACCEPTED,
            ACTIVITY,
            UPDATE_COMPLETED,
            UPDATE_ACCEPTED,
            ACTIVITY,
            UPDATE_COMPLETED,
            UPDATE_ACCEPTED,
            UPDATE_COMPLETED,
            SIGNALED,
            COMPLETED),
        id -> {
          Collects stub = s.stub(Collects.class, id);
          WorkflowClient.start(stub::collects);
          List<String> got = new ArrayList<>();
          for (String word : List.of("a", "b")) got.add(String.valueOf(stub.put(word)));
          try {
            stub.put("");
          } catch (WorkflowUpdateException e) {
            String type = ((ApplicationFailure) e.getCause()).getType();
            got.add(type.substring(type.lastIndexOf('.') + 1));
          }
          try {
            stub.refuse();
          } catch (WorkflowUpdateException e) {
            got.add(((ApplicationFailure) e.getCause()).getType());
          }
          stub.finish();
          stub.collects();
          return String.join(" ", got);
        });
    s.check(
        "an update that is accepted, asked for again by its id, and answered when the workflow goes on",
        "word",
        events(STARTED, SIGNALED, UPDATE_ACCEPTED, SIGNALED, UPDATE_COMPLETED, COMPLETED),
        id -> {
          Collects stub = s.stub(Collects.class, id);
          WorkflowClient.start(stub::collects);
          stub.add("word");
          WorkflowUpdateHandle<String> handle =
              s.existing(id)
                  .startUpdate(
                      UpdateOptions.newBuilder(String.class)
                          .setUpdateName("last")
                          .setUpdateId("the-last")
                          .setWaitForStage(WorkflowUpdateStage.ACCEPTED)
                          .build());
          s.untilEvent(id, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED);
          Suite.expect(handle.getId(), "the-last");
          stub.finish();
          Suite.expect(handle.getResultAsync().get(), "word");
          return s.existing(id).getUpdateHandle("the-last", String.class).getResultAsync().get();
        });
    s.check(
        "an update with the start, of a new run and of the running one",
        List.of("a", "b"),
        events(STARTED, UPDATE_ACCEPTED, ACTIVITY, UPDATE_COMPLETED, UPDATE_ACCEPTED, ACTIVITY, UPDATE_COMPLETED, SIGNALED, COMPLETED),
        id -> {
          int expected = 1;
          for (String word : List.of("a", "b")) {
            Collects stub =
                s.client.newWorkflowStub(
                    Collects.class,
                    s.options(id).setWorkflowIdConflictPolicy(WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING).build());
            int n =
                WorkflowClient.executeUpdateWithStart(
                    stub::put,
                    word,
                    UpdateOptions.newBuilder(Integer.class).build(),
                    new WithStartWorkflowOperation<>(stub::collects));
            Suite.expect(n, expected++);
          }
          s.existing(id).signal("finish");
          return s.existing(id).getResult(List.class);
        });
    s.check(
        "cleans up in a scope of its own when it is canceled",
        // The SDK calls a run canceled that was asked to be, whatever its method answers.
        "canceled",
        events(STARTED, TIMER_STARTED, CANCEL_ASKED, "TIMER_CANCELED", ACTIVITY, "WORKFLOW_EXECUTION_CANCELED"),
        id -> {
          WorkflowClient.start(s.stub(CleansUp.class, id)::cleansUp);
          s.untilEvent(id, EventType.EVENT_TYPE_TIMER_STARTED);
          s.existing(id).cancel("enough");
          return isCanceled(s.existing(id));
        });
    s.check(
        "a cancellation that nobody handles",
        "canceled",
        events(STARTED, TIMER_STARTED, CANCEL_ASKED, "TIMER_CANCELED", "WORKFLOW_EXECUTION_CANCELED"),
        id -> {
          WorkflowClient.start(s.stub(Waits.class, id)::waits);
          s.untilEvent(id, EventType.EVENT_TYPE_TIMER_STARTED);
          s.existing(id).cancel();
          return isCanceled(s.existing(id));
        });
    s.check(
        "signals and cancels another, and hears that a third is not there",
        "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND",
        events(
            STARTED,
            "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
            "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED",
            "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
            "EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED",
            "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
            "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED",
            COMPLETED),
        id -> {
          WorkflowClient.start(s.stub(Collects.class, id + "-other")::collects);
          String answer = s.stub(Outside.class, id).outside(id + "-other");
          Suite.expect(isCanceled(s.existing(id + "-other")), "canceled");
          Suite.expect(s.types(id + "-other", null), events(STARTED, SIGNALED, CANCEL_ASKED, "WORKFLOW_EXECUTION_CANCELED"));
          return answer;
        });
    s.check(
        "a termination with its reason",
        "enough",
        events(STARTED, "WORKFLOW_EXECUTION_TERMINATED"),
        id -> {
          WorkflowClient.start(s.stub(Collects.class, id)::collects);
          s.existing(id).terminate("enough", "details");
          var attributes =
              s.find(id, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED).getWorkflowExecutionTerminatedEventAttributes();
          Suite.expect(attributes.getDetails().getPayloads(0).getData().toStringUtf8(), "\"details\"");
          return attributes.getReason();
        });
  }
}
