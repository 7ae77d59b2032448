package suite;

import io.temporal.api.common.v1.WorkflowExecution;
import io.temporal.api.enums.v1.EventType;
import io.temporal.api.enums.v1.WorkflowExecutionStatus;
import io.temporal.api.history.v1.HistoryEvent;
import io.temporal.api.nexus.v1.EndpointSpec;
import io.temporal.api.nexus.v1.EndpointTarget;
import io.temporal.api.operatorservice.v1.CreateNexusEndpointRequest;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowStub;
import io.temporal.common.WorkflowExecutionHistory;
import io.temporal.serviceclient.OperatorServiceStubs;
import io.temporal.serviceclient.OperatorServiceStubsOptions;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import io.temporal.testing.ReplayResults;
import io.temporal.testing.WorkflowReplayer;
import io.temporal.worker.Worker;
import io.temporal.worker.WorkerFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * Workflows of the official Java SDK against a running server: each asserts its result and its history's event types; at the end every
 * history is replayed. Prints one line a test, "ok NAME, TIME" or "FAILED NAME: why", then "ran N", and ends with 1 when any failed.
 * Arguments: address, and a part of the names of the tests to run.
 */
public final class Suite {
  static final String QUEUE = "java-suite-" + UUID.randomUUID();
  static final String ENDPOINT = "java-" + UUID.randomUUID();
  private static final int TEST_SECONDS_MAX = 40;

  final WorkflowClient client;
  private final String only;
  private final AtomicInteger ran = new AtomicInteger();
  private final AtomicInteger bad = new AtomicInteger();

  /** What is done with the workflow of an id, and what came of it. */
  interface Test {
    Object run(String id) throws Exception;
  }

  interface Question {
    boolean ask() throws Exception;
  }

  private Suite(WorkflowClient client, String only) {
    this.client = client;
    this.only = only;
  }

  WorkflowOptions.Builder options(String id) {
    return WorkflowOptions.newBuilder().setWorkflowId(id).setTaskQueue(QUEUE);
  }

  <T> T stub(Class<T> type, String id) {
    return client.newWorkflowStub(type, options(id).build());
  }

  /** Of one that is there. */
  WorkflowStub existing(String id) {
    return client.newUntypedWorkflowStub(id);
  }

  List<HistoryEvent> history(String id, String runId) {
    return client.fetchHistory(id, runId).getEvents();
  }

  /** Without the workflow tasks. */
  List<String> types(String id, String runId) {
    List<String> types = new ArrayList<>();
    for (HistoryEvent e : history(id, runId)) {
      String name = e.getEventType().name().substring("EVENT_TYPE_".length());
      if (!name.startsWith("WORKFLOW_TASK_")) types.add(name);
    }
    return types;
  }

  HistoryEvent find(String id, EventType type) {
    return history(id, null).stream().filter(e -> e.getEventType() == type).findFirst().orElseThrow();
  }

  void untilEvent(String id, EventType type) throws Exception {
    until(() -> history(id, null).stream().anyMatch(e -> e.getEventType() == type));
  }

  /** Asks until the answer is yes; the test's time limit is the limit. */
  static void until(Question question) throws Exception {
    while (!question.ask()) Thread.sleep(20);
  }

  static void expect(Object got, Object expected) {
    if (!Objects.equals(got, expected)) throw new IllegalStateException("got " + got + ", not " + expected);
  }

  void check(String name, Object expected, List<String> events, Test test) {
    check(name, expected, events, Set.of(), test);
  }

  /**
   * @param chance events that may be there or not, and anywhere
   */
  void check(String name, Object expected, List<String> events, Set<String> chance, Test test) {
    if (!name.contains(only)) return;
    ran.incrementAndGet();
    String id = "java-" + UUID.randomUUID();
    long began = System.nanoTime();
    try {
      bounded(
          () -> {
            expect(test.run(id), expected);
            if (events == null) return null;
            List<String> found = types(id, null);
            found.removeIf(chance::contains);
            if (!found.equals(events)) throw new IllegalStateException("history is " + found + ", not " + events);
            return null;
          });
      System.out.println("ok " + name + ", " + (System.nanoTime() - began) / 1_000_000 + " ms");
    } catch (Throwable e) {
      bad.incrementAndGet();
      System.out.println("FAILED " + name + ": " + told(e));
    }
  }

  /** With what it was caused by. */
  private static String told(Throwable e) {
    return e.getCause() == null || e.getCause() == e ? e.toString() : e + " <- " + told(e.getCause());
  }

  private static void bounded(Callable<Void> work) throws Exception {
    ExecutorService thread = Executors.newSingleThreadExecutor();
    try {
      Future<Void> done = thread.submit(work);
      done.get(TEST_SECONDS_MAX, TimeUnit.SECONDS);
    } catch (TimeoutException e) {
      throw new IllegalStateException("not done in " + TEST_SECONDS_MAX + " s");
    } finally {
      thread.shutdownNow();
    }
  }

  /** Every run that a worker took up fits the code of its workflow when it is replayed. The SDK's replayer knows no termination. */
  private void replayAll(Worker worker) {
    check(
        "every history is replayed",
        List.of(),
        null,
        id -> {
          List<WorkflowExecutionHistory> histories = new ArrayList<>();
          client
              .listExecutions("TaskQueue = '" + QUEUE + "'")
              .forEach(
                  w -> {
                    WorkflowExecution of = w.getExecution();
                    WorkflowExecutionHistory history = client.fetchHistory(of.getWorkflowId(), of.getRunId());
                    boolean isTaken =
                        history.getEvents().stream().anyMatch(e -> e.getEventType() == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED);
                    boolean isTerminated = w.getStatus() == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED;
                    if (isTaken && !isTerminated) histories.add(history);
                  });
          if (histories.size() < 20) throw new IllegalStateException("only " + histories.size() + " histories");
          ReplayResults results = WorkflowReplayer.replayWorkflowExecutions(histories, false, worker);
          return results.allErrors().stream().map(e -> e.workflowId).collect(Collectors.toList());
        });
  }

  private void createEndpoint(WorkflowServiceStubs service) {
    OperatorServiceStubs operator =
        OperatorServiceStubs.newServiceStubs(
            OperatorServiceStubsOptions.newBuilder().setChannel(service.getRawChannel()).validateAndBuildWithDefaults());
    EndpointTarget.Worker target = EndpointTarget.Worker.newBuilder().setNamespace("default").setTaskQueue(QUEUE).build();
    operator
        .blockingStub()
        .createNexusEndpoint(
            CreateNexusEndpointRequest.newBuilder()
                .setSpec(EndpointSpec.newBuilder().setName(ENDPOINT).setTarget(EndpointTarget.newBuilder().setWorker(target)))
                .build());
  }

  public static void main(String[] args) {
    WorkflowServiceStubs service =
        WorkflowServiceStubs.newServiceStubs(WorkflowServiceStubsOptions.newBuilder().setTarget(args[0]).build());
    WorkflowClient client = WorkflowClient.newInstance(service);
    Suite suite = new Suite(client, args.length > 1 ? args[1] : "");
    suite.createEndpoint(service);
    WorkerFactory factory = WorkerFactory.newInstance(client);
    Worker worker = factory.newWorker(QUEUE);
    worker.registerActivitiesImplementations(new ActivitiesImpl());
    Activities.register(worker);
    Messages.register(worker);
    Runs.register(worker);
    Operations.register(worker);
    factory.start();
    ExecutorService threads = Executors.newCachedThreadPool();
    // They mostly wait.
    List<Consumer<Suite>> parts =
        List.of(Activities::check, Messages::check, Runs::check, Operations::check, StandaloneActivities::check);
    CompletableFuture.allOf(
            parts.stream().map(part -> CompletableFuture.runAsync(() -> part.accept(suite), threads)).toArray(CompletableFuture[]::new))
        .join();
    suite.replayAll(worker);
    System.out.println("ran " + suite.ran.get());
    System.out.flush();
    factory.shutdownNow();
    service.shutdownNow();
    System.exit(suite.bad.get() > 0 ? 1 : 0);
  }
}
