/**
 * Deleting leaves nothing: of a run when its retention is over, of a namespace that is deleted, also when the server is killed in the
 * middle of it. Every table of the file is looked into.
 */
import { expect, it } from "vitest";
import { Payload } from "../../gen/wire/temporal/api/common/v1/message.js";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import { encode } from "../../src/api/wire.js";
import { command as c, payloads, type Session, seconds } from "../conformance/session.js";
import { accepted, responded } from "../harness/core-commands.js";
import { type FileTables, readTables } from "../harness/file-tables.js";
import { ServerOnFile } from "../harness/server-on-file.js";

const json = (value: unknown) => encode(Payload, { metadata: { encoding: Buffer.from("json/plain") }, data: Buffer.from(JSON.stringify(value)) });

const isMissing = (f: () => Promise<unknown>) => () =>
  f().then(
    () => false,
    () => true,
  );

/** A namespace with an attribute, and one workflow in it that stays. */
async function register(s: Session, namespace: string, retention = seconds(86_400)): Promise<string> {
  await s.call("RegisterNamespace", { namespace, workflowExecutionRetentionPeriod: retention });
  await s.call("AddSearchAttributes", { namespace, searchAttributes: { Colour: 2, Amount: 3, Story: 1, Tags: 7 } });
  return (await s.call("DescribeNamespace", { namespace })).namespaceInfo?.id ?? "";
}

const OF_EACH_KIND = {
  memo: { fields: { note: json("a memo") } },
  searchAttributes: { indexedFields: { Colour: json("red"), Amount: json(42), Story: json("once upon a time"), Tags: json(["a", "b"]) } },
};

/** A workflow with something of everything that has rows of its own; its workflow id begins with the name. Answers its run ids. */
async function eventful(s: Session, namespace: string, name: string): Promise<string[]> {
  const queue = `${name}-queue`;
  const task = async () => s.call("PollWorkflowTaskQueue", { namespace, taskQueue: { name: queue, kind: 1 }, identity: "worker" }, 20_000);
  const answer = async (commands: object[]) => {
    const { taskToken } = await task();
    await s.call("RespondWorkflowTaskCompleted", { namespace, taskToken, identity: "worker", commands });
  };
  const workflow = {
    namespace,
    workflowId: name,
    workflowType: { name: "T" },
    taskQueue: { name: queue },
    requestId: `${name}-request`,
    ...OF_EACH_KIND,
  };
  const completionCallbacks = [{ variant: { case: "nexus" as const, value: { url: `http://127.0.0.1:1/${name}-callback` } } }];
  const timeSkippingConfig = { enabled: false };
  const userMetadata = { summary: json(`${name}-summary`), details: json(`${name}-details`) };
  const priority = { fairnessKey: `${name}-key` };
  const more = { completionCallbacks, timeSkippingConfig, userMetadata, priority } as object;
  const { runId } = await s.call("StartWorkflowExecution", { ...workflow, ...more });
  await s.call("SignalWorkflowExecution", {
    namespace,
    workflowExecution: { workflowId: name },
    signalName: "x",
    requestId: `${name}-signal`,
    input: payloads("in"),
  });
  await answer([
    c.activity(s, "a", { taskQueue: { name: queue } }),
    c.timer("t", 3600),
    c.child(`${name}-child`, { taskQueue: { name: `${name}-nobody` }, parentClosePolicy: 1 }),
    c.signalExternal(`${name}-stranger`),
    { ...c.marker(`${name}-marker`) },
    {
      commandType: CommandType.SCHEDULE_NEXUS_OPERATION,
      attributes: {
        case: "scheduleNexusOperationCommandAttributes",
        value: { endpoint: "nobody", service: `${name}-service`, operation: `${name}-operation` },
      },
    },
  ]);
  const updated = (updateId: string, stage: 2 | 3) =>
    s.call("UpdateWorkflowExecution", {
      namespace,
      workflowExecution: { workflowId: name },
      waitPolicy: { lifecycleStage: stage },
      request: { meta: { updateId, identity: "client" }, input: { name: `${name}-update`, args: payloads("in") } },
    });
  const asked = [updated(`${name}-accepted`, 2), updated(`${name}-completed`, 3)];
  const messages: object[] = [];
  while (messages.length < 3) {
    const { taskToken, messages: requests } = await task();
    const answers = requests.flatMap((m) => {
      const id = m.protocolInstanceId;
      return id.endsWith("-completed") ? [accepted(id), responded(id)] : [accepted(id)];
    });
    messages.push(...answers);
    await s.call("RespondWorkflowTaskCompleted", { namespace, taskToken, identity: "worker", messages: answers as never });
  }
  await Promise.all(asked);
  // A run that was reset shares its history with the one that follows.
  const reset = await s.call("ResetWorkflowExecution", {
    namespace,
    workflowExecution: { workflowId: name, runId },
    workflowTaskFinishEventId: 5,
    requestId: `${name}-reset`,
    reason: `${name}-reason`,
  });
  return [runId, reset.runId];
}

/** What is kept of a namespace and its queues beside executions. */
async function settled(s: Session, namespace: string, name: string): Promise<void> {
  const taskQueue = `${name}-queue`;
  await s.call("UpdateTaskQueueConfig", {
    ...{ namespace, taskQueue, taskQueueType: 2, identity: "admin" },
    ...{ updateQueueRateLimit: { rateLimit: { requestsPerSecond: 500 }, reason: `${name}-reason` }, setFairnessWeightOverrides: { a: 2 } },
  });
  await s.call("CreateWorkflowRule", {
    namespace,
    spec: { id: `${name}-rule`, trigger: { case: "activityStart", value: { predicate: "ActivityType = 'X'" } }, actions: [] },
    identity: "admin",
    requestId: `${name}-rule`,
  } as never);
  await s.call("UpdateWorkerBuildIdCompatibility", {
    ...{ namespace, taskQueue: `${name}-sets`, operation: { case: "addNewBuildIdInNewDefaultSet", value: `${name}-build` } },
  });
  await s.call("RecordWorkerHeartbeat", { namespace, workerHeartbeat: [{ workerInstanceKey: `${name}-worker`, taskQueue }] });
  await s.call("UpdateWorkerConfig", {
    ...{ namespace, selector: { selector: { case: "workerInstanceKey", value: `${name}-worker` } }, workerConfig: { workflowCacheSize: 9 } },
  });
  const deploymentOptions = { deploymentName: `${name}-deployment`, buildId: "b", workerVersioningMode: 2 as const };
  await s.call("PollWorkflowTaskQueue", { namespace, taskQueue: { name: taskQueue, kind: 1 }, identity: "w", deploymentOptions }, 2500);
  await s.shown("DescribeWorkerDeploymentVersion", {
    namespace,
    deploymentVersion: { deploymentName: `${name}-deployment`, buildId: "b" },
  });
}

/** A schedule, a standalone activity and a standalone Nexus operation, whose ids begin with the name. Answers the run ids of the latter. */
async function standalone(s: Session, namespace: string, name: string): Promise<string[]> {
  const action = {
    case: "startWorkflow" as const,
    value: { workflowId: `${name}-run`, workflowType: { name: "T" }, taskQueue: { name: `${name}-queue` } },
  };
  await s.call("CreateSchedule", {
    ...{ namespace, scheduleId: `${name}-schedule`, requestId: `${name}-schedule`, ...OF_EACH_KIND },
    schedule: { spec: { interval: [{ interval: seconds(3600) }] }, action: { action }, state: { notes: `${name}-notes` } },
    initialPatch: { triggerImmediately: {} },
  });
  const activity = await s.call("StartActivityExecution", {
    ...{
      namespace,
      activityId: `${name}-activity`,
      activityType: { name: "A" },
      taskQueue: { name: `${name}-queue` },
      requestId: `${name}-activity`,
    },
    ...{ startToCloseTimeout: seconds(600), input: payloads(`${name}-input`), searchAttributes: OF_EACH_KIND.searchAttributes },
  });
  const operation = await s.call("StartNexusOperationExecution", {
    ...{ namespace, operationId: `${name}-operation`, endpoint: "nobody", service: "s", operation: "o", requestId: `${name}-operation` },
  });
  return [activity.runId, operation.runId];
}

/** Where operations go, to be answered by nobody. */
const endpoint = (s: Session) =>
  s.call("CreateNexusEndpoint", {
    spec: { name: "nobody", target: { variant: { case: "worker", value: { namespace: "default", taskQueue: "nobody" } } } },
  });

const without = (counts: FileTables["counts"], ...names: string[]) =>
  Object.fromEntries(Object.entries(counts).filter(([name]) => !names.includes(name)));

it("a namespace is deleted with every row that it had, by the next process if the one that began is killed", async () => {
  const server = new ServerOnFile();
  let s = await server.start();
  await register(s, "keep");
  await endpoint(s);
  await eventful(s, "keep", "kept");
  await standalone(s, "keep", "kept");
  await server.stop();
  const before = readTables(server.file);

  s = await server.start();
  const id = await register(s, "gone");
  await eventful(s, "gone", "gone-eventful");
  await settled(s, "gone", "gone");
  await standalone(s, "gone", "gone");
  await Promise.all(
    Array.from({ length: 300 }, (_, i) =>
      s.call("StartWorkflowExecution", {
        namespace: "gone",
        workflowId: `gone-${i}`,
        workflowType: { name: "T" },
        taskQueue: { name: `gone-queue-${i % 3}` },
        ...OF_EACH_KIND,
      }),
    ),
  );
  await s.call("TerminateWorkflowExecution", { namespace: "gone", workflowExecution: { workflowId: "gone-0" }, reason: "r" });
  await s.call("StartBatchOperation", {
    namespace: "gone",
    jobId: "gone-job",
    reason: "r",
    visibilityQuery: "WorkflowType = 'T'",
    maxOperationsPerSecond: 1,
    operation: { case: "signalOperation", value: { signal: "x" } },
  });
  const { deletedNamespace } = await s.call("DeleteNamespace", { namespace: "gone" });
  expect(deletedNamespace).toBe(`gone-deleted-${id.slice(0, 5)}`);
  await server.stop("SIGKILL");
  expect(readTables(server.file).counts["run"]).toBeGreaterThan(before.counts["run"] as number);

  s = await server.start();
  await s.until(
    "the namespace is gone",
    isMissing(() => s.call("DescribeNamespace", { namespace: "", id })),
  );
  await server.stop();
  const after = readTables(server.file);
  expect(after.holding([id, "gone"])).toEqual([]);
  expect(after.counts).toEqual(before.counts);
});

it("an emptied namespace stays for its delay, over a restart, and keeps nothing but its record", async () => {
  const server = new ServerOnFile();
  let s = await server.start("--dynamic-config-value", 'worker.protectedNamespaces=["default"]');
  const id = await register(s, "gone");
  await endpoint(s);
  await eventful(s, "gone", "gone-eventful");
  await s.refused("DeleteNamespace", { namespace: "default" });
  expect(s.log).toEqual([
    { what: expect.anything(), value: expect.objectContaining({ code: 9, message: "namespace default is protected from deletion" }) },
  ]);
  await s.call("DeleteNamespace", { namespace: "gone", namespaceDeleteDelay: seconds(3600) });
  await s.until(
    "it is empty",
    isMissing(() => s.call("DescribeWorkflowExecution", { namespace: `gone-deleted-${id.slice(0, 5)}`, execution: { workflowId: "gone-eventful" } })),
  );
  await server.stop();
  s = await server.start();
  expect((await s.call("DescribeNamespace", { namespace: "", id })).namespaceInfo?.state).toBe(3);
  // The delay is replaced by none.
  await s.call("DeleteNamespace", { namespace: "", namespaceId: id, namespaceDeleteDelay: seconds(0) });
  await s.until(
    "the namespace is gone",
    isMissing(() => s.call("DescribeNamespace", { namespace: "", id })),
  );
  await server.stop();
  expect(readTables(server.file).holding([id, "gone-eventful"])).toEqual([]);
});

it("a run whose retention is over leaves no row in any table", async () => {
  const server = new ServerOnFile();
  const settings = [
    "--dynamic-config-value",
    'system.namespaceMinRetentionLocal="1s"',
    "--dynamic-config-value",
    'matching.backlogScavengeInterval="50ms"',
  ];
  let s = await server.start(...settings);
  await register(s, "short", seconds(1));
  await endpoint(s);
  await server.stop();
  const before = readTables(server.file);
  s = await server.start(...settings);
  const runIds = await eventful(s, "short", "passing");
  const others = await standalone(s, "short", "other");
  await s.call("TerminateActivityExecution", { namespace: "short", activityId: "other-activity", reason: "r" });
  await s.call("TerminateNexusOperationExecution", { namespace: "short", operationId: "other-operation", reason: "r" });
  const [action] = (await s.call("DescribeSchedule", { namespace: "short", scheduleId: "other-schedule" })).info?.recentActions ?? [];
  const { workflowId = "" } = action?.startWorkflowResult ?? {};
  await s.call("DeleteSchedule", { namespace: "short", scheduleId: "other-schedule" });
  await s.call("TerminateWorkflowExecution", { namespace: "short", workflowExecution: { workflowId }, reason: "r" });
  // The child outlives a reset of its parent.
  for (const workflowId of ["passing", "passing-child"])
    await s.call("TerminateWorkflowExecution", { namespace: "short", workflowExecution: { workflowId }, reason: "r" });
  for (const workflowId of ["passing", "passing-child"])
    await s.until(
      `${workflowId} is gone`,
      isMissing(() => s.call("DescribeWorkflowExecution", { namespace: "short", execution: { workflowId } })),
    );
  // Request ids, history and stored tasks go after what the run is found by. A file in WAL mode can be read beside its server.
  await s.until("nothing is left of it", async () => readTables(server.file).holding([...runIds, ...others, workflowId]).length === 0);
  await server.stop();
  const after = readTables(server.file);
  // Of its task queues the names are kept.
  expect(after.holding([...runIds, ...others, "passing", "other-", "a memo"])).toEqual(["registry"]);
  expect(without(after.counts, "registry")).toEqual(without(before.counts, "registry"));
});
