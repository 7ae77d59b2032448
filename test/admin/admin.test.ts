/** AdminService: what an operator sees of the server, and repairs of it by hand. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ExecutionRecord, TransferRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { History, type HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { NexusOperationState } from "../../gen/wire/temporal/server/api/enums/v1/nexus.js";
import { TaskType } from "../../gen/wire/temporal/server/api/enums/v1/task.js";
import { NexusOperationCancellationInfo, NexusOperationInfo } from "../../gen/wire/temporal/server/api/persistence/v1/nexus_operations.js";
import { CallbackState, CallbackStatus } from "../../gen/wire/temporal/server/chasm/lib/callback/proto/v1/message.js";
import { Code } from "../../src/api/service-error.js";
import { decode, EMPTY_BYTES, encode } from "../../src/api/wire.js";
import { Kind } from "../../src/core/workflow/mutable-state.js";
import { TransferKind } from "../../src/core/workflow/transfer-kind.js";
import { shardOf } from "../../src/history/shard.js";
import { Batch } from "../../src/persistence/batch.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { CoreSubject } from "../conformance/core-subject.js";
import { command as c, NAMESPACE, payloads, Session, seconds } from "../conformance/session.js";
import { AdminClient } from "./admin-call.js";

const FAR = { seconds: 4_000_000_000, nanos: 0 };
const ANY_TIME = { inclusiveMinTaskKey: { fireTime: {} }, exclusiveMaxTaskKey: { fireTime: FAR } };
const ANY_ID = { inclusiveMinTaskKey: { fireTime: {} }, exclusiveMaxTaskKey: { fireTime: {}, taskId: Number.MAX_SAFE_INTEGER } };
const UNKNOWN_RUN = "00000000-0000-4000-8000-00000000abcd";

let store: MemoryStore;
let subject: CoreSubject;
let admin: AdminClient;
let s: Session;

async function open(seed = 1): Promise<void> {
  subject = await CoreSubject.open(store, seed);
  admin = new AdminClient(subject);
}

beforeEach(async () => {
  store = new MemoryStore();
  await open();
  s = new Session(subject);
});
afterEach(() => subject.close());

const namespaceId = async () => (await s.call("DescribeNamespace", { namespace: NAMESPACE })).namespaceInfo?.id ?? "";
const shardId = async (workflowId = s.id) => shardOf({ namespaceId: await namespaceId(), workflowId });
const execution = () => ({ workflowId: s.id });

async function events(workflowId: string, runId = ""): Promise<HistoryEvent[]> {
  const { history } = await s.call("GetWorkflowExecutionHistory", { execution: { workflowId, runId } });
  return history === undefined ? [] : decode(History, history).events;
}

/** A workflow with two operations, events 5 and 6, and callbacks of its own. */
async function nexusOperations(completionCallbacks: object[] = []): Promise<void> {
  const target = { variant: { case: "worker" as const, value: { namespace: NAMESPACE, taskQueue: `${s.queue}-h` } } };
  await s.call("CreateNexusEndpoint", { spec: { name: `e-${s.id}`, target } });
  const value = { endpoint: `e-${s.id}`, service: "svc", operation: "op" };
  const operation = {
    commandType: CommandType.SCHEDULE_NEXUS_OPERATION,
    attributes: { case: "scheduleNexusOperationCommandAttributes", value } as never,
  };
  await s.running([operation, operation], { completionCallbacks: completionCallbacks as never });
}

const pollNexus = () => s.call("PollNexusTaskQueue", { taskQueue: { name: `${s.queue}-h` }, identity: "handler" }, 20_000);

/** The state as operators see it; times of the last change are left out. */
async function state() {
  const { databaseMutableState } = await admin.call("DescribeMutableState", { namespace: NAMESPACE, execution: execution() });
  const { executionInfo, ...rest } = databaseMutableState ?? {};
  const { lastUpdateTime, stateTransitionCount, transitionHistory, ...info } = executionInfo ?? {};
  return { ...rest, executionInfo: info };
}

describe("a shard", () => {
  it("that is closed is read again: its timers fire, what waits in memory is answered, and its owner took it once more", async () => {
    await s.running([c.timer("t", 60)]);
    const id = await shardId();
    const before = (await admin.call("GetShard", { shardId: id })).shardInfo;
    const update = s.refused("UpdateWorkflowExecution", {
      workflowExecution: execution(),
      waitPolicy: { lifecycleStage: 3 },
      request: { meta: { updateId: "u" }, input: { name: "u" } },
    });
    await admin.call("CloseShard", { shardId: id });
    const described = await admin.call("DescribeMutableState", { namespace: NAMESPACE, execution: execution() });
    const after = (await admin.call("GetShard", { shardId: id })).shardInfo;
    expect([before?.shardId, before?.rangeId, after?.rangeId, described.shardId]).toEqual([id, 1, 2, String(id)]);
    const task = await s.workflowTask();
    expect(task.messages.map((m) => m.protocolInstanceId)).toEqual(["u"]);
    await s.call("RespondWorkflowTaskFailed", { taskToken: task.taskToken, identity: "worker" });
    await s.sleep(61_000);
    await s.answer([c.complete()]);
    await update;
    expect((await events(s.id)).map((e) => e.attributes.case)).toContain("timerFiredEventAttributes");
  });

  it("loses nothing that callers ask of its workflows while it is closed again and again", async () => {
    await s.running();
    const id = await shardId();
    const signals = Array.from({ length: 40 }, (_, i) => s.signal(`s${i}`));
    const closes = Array.from({ length: 10 }, () => admin.call("CloseShard", { shardId: id }));
    await Promise.all([...signals, ...closes]);
    const names = (await events(s.id)).flatMap((e) =>
      e.attributes.case === "workflowExecutionSignaledEventAttributes" ? [e.attributes.value.signalName] : [],
    );
    expect(names.sort()).toEqual(Array.from({ length: 40 }, (_, i) => `s${i}`).sort());
  });

  it("has one of the numbers from 1 to 1024", async () => {
    for (const name of ["GetShard", "CloseShard", "DescribeHistoryHost"] as const)
      expect(await admin.refusal(name, { shardId: 1025 })).toEqual([Code.INVALID_ARGUMENT, "shard Id cannot be larger than max shard count"]);
    expect(await admin.refusal("GetShard", { shardId: 0 })).toEqual([Code.INVALID_ARGUMENT, "Invalid ShardID: 0"]);
  });
});

describe("tasks of history", () => {
  it("are listed by shard: the earliest deadline of each execution, and what it is", async () => {
    const runId = await s.running([c.timer("t", 60)]);
    // The row moves on when it fires: at first it is that of the workflow task.
    await s.sleep(20_000);
    const list = async (id: number) => (await admin.call("ListHistoryTasks", { shardId: id, category: 2, taskRange: ANY_TIME })).tasks;
    const id = await shardId();
    const [task, ...others] = await list(id);
    expect(others).toEqual([]);
    expect(task).toMatchObject({ workflowId: s.id, runId, taskType: TaskType.USER_TIMER });
    expect(await list((id % 1024) + 1)).toEqual([]);
    const range = { inclusiveMinTaskKey: { fireTime: { seconds: (task?.fireTime?.seconds ?? 0) + 1 } }, exclusiveMaxTaskKey: { fireTime: FAR } };
    expect((await admin.call("ListHistoryTasks", { shardId: id, category: 2, taskRange: range })).tasks).toEqual([]);
  });

  it("come page by page", async () => {
    const id = await shardId();
    const names: string[] = [];
    const namespace = await namespaceId();
    for (let i = 0; names.length < 5; i++) if (shardOf({ namespaceId: namespace, workflowId: `p${i}` }) === id) names.push(`p${i}`);
    for (const workflowId of names) await s.start({ workflowId, workflowRunTimeout: seconds(3600) });
    const seen: string[] = [];
    let nextPageToken: Uint8Array = new Uint8Array(0);
    let pages = 0;
    do {
      const page = await admin.call("ListHistoryTasks", { shardId: id, category: 2, taskRange: ANY_TIME, batchSize: 2, nextPageToken });
      seen.push(...page.tasks.map((t) => t.workflowId));
      expect(page.tasks.length).toBeLessThanOrEqual(2);
      nextPageToken = page.nextPageToken;
      pages++;
    } while (nextPageToken.length > 0);
    expect([seen.sort(), pages]).toEqual([names.sort(), 3]);
  });

  it("a timer that is removed does not fire, until the workflow's tasks are refreshed", async () => {
    await s.running([c.timer("t", 60)]);
    const id = await shardId();
    const [task] = (await admin.call("ListHistoryTasks", { shardId: id, category: 2, taskRange: ANY_TIME })).tasks;
    await admin.call("RemoveTask", { shardId: id, category: 2, taskId: task?.taskId, visibilityTime: task?.fireTime });
    expect((await admin.call("ListHistoryTasks", { shardId: id, category: 2, taskRange: ANY_TIME })).tasks).toEqual([]);
    await s.sleep(120_000);
    const before = (await events(s.id)).length;
    await admin.call("RefreshWorkflowTasks", { namespaceId: await namespaceId(), execution: execution() });
    await s.answer([c.complete()]);
    expect([before, (await events(s.id)).some((e) => e.attributes.case === "timerFiredEventAttributes")]).toEqual([5, true]);
  });

  it("an effect on another workflow that is removed is not carried out", async () => {
    const sourceRunId = await s.running();
    const target = `${s.id}-target`;
    await s.start({ workflowId: target, taskQueue: { name: `${s.queue}-other` } });
    const sourceNamespaceId = await namespaceId();
    const id = await shardId();
    subject.close();
    const record = {
      kind: TransferKind.CANCEL_EXTERNAL,
      sourceNamespaceId,
      sourceNamespace: NAMESPACE,
      sourceWorkflowId: s.id,
      sourceRunId,
      namespaceId: sourceNamespaceId,
      namespace: NAMESPACE,
      workflowId: target,
      rowId: 7,
      nextTime: 2_000_000_000_000_000,
    };
    const batch = new Batch();
    batch.writeComponent(0, Kind.TRANSFER, 7, { op: "insert", value: encode(TransferRecord, record) });
    await store.commit(batch);
    await open(2);
    await again();
    const list = async () => (await admin.call("ListHistoryTasks", { shardId: id, category: 1, taskRange: ANY_ID })).tasks;
    expect(await list()).toMatchObject([{ taskId: 7, workflowId: s.id, taskType: TaskType.TRANSFER_CANCEL_EXECUTION }]);
    await admin.call("RemoveTask", { shardId: id, category: 1, taskId: 7, visibilityTime: {} });
    expect(await list()).toEqual([]);
    await s.sleep(400_000);
    expect((await events(target)).length).toBe(2);
  });

  it("are requests of Nexus operations too; one that is under way goes on when it is removed", async () => {
    await nexusOperations();
    const id = await shardId();
    const list = async () => (await admin.call("ListHistoryTasks", { shardId: id, category: 7, taskRange: ANY_ID })).tasks;
    const found = await list();
    expect(found).toMatchObject([
      { workflowId: s.id, taskType: TaskType.STATE_MACHINE_OUTBOUND },
      { workflowId: s.id, taskType: TaskType.STATE_MACHINE_OUTBOUND },
    ]);
    const first = await admin.call("ListHistoryTasks", { shardId: id, category: 7, taskRange: ANY_ID, batchSize: 1 });
    const { nextPageToken } = first;
    const second = await admin.call("ListHistoryTasks", { shardId: id, category: 7, taskRange: ANY_ID, batchSize: 1, nextPageToken });
    expect([...first.tasks, ...second.tasks]).toEqual(found);
    expect((await admin.call("ListHistoryTasks", { shardId: (id % 1024) + 1, category: 7, taskRange: ANY_ID })).tasks).toEqual([]);
    for (const { taskId } of found) await admin.call("RemoveTask", { shardId: id, category: 7, taskId, visibilityTime: {} });
    expect(await list()).toEqual([]);
    for (const { taskToken } of await Promise.all([pollNexus(), pollNexus()]))
      await s.call("RespondNexusTaskCompleted", {
        taskToken,
        response: { variant: { case: "startOperation", value: { variant: { case: "syncSuccess", value: {} } as never } } },
      });
    const ended = (e: HistoryEvent) => e.attributes.case === "nexusOperationCompletedEventAttributes";
    await s.until("both have ended", async () => (await events(s.id)).filter(ended).length === 2);
  });

  it("are refused with the official texts", async () => {
    const bad = (request: object) => admin.refusal("ListHistoryTasks", { shardId: 1, category: 2, ...request });
    const invalid = (text: string) => [Code.INVALID_ARGUMENT, text];
    expect(await bad({})).toEqual(invalid("Task range is not set"));
    expect(await bad({ category: 9, taskRange: ANY_ID })).toEqual(invalid("unknown task category: 9"));
    expect(await bad({ taskRange: ANY_ID })).toEqual(invalid("invalid task range, max fire time must be specified for scheduled task category"));
    const both = { inclusiveMinTaskKey: { taskId: 1, fireTime: {} }, exclusiveMaxTaskKey: { taskId: 9, fireTime: FAR } };
    expect(await bad({ taskRange: both })).toEqual(invalid("invalid task range, taskID must be empty for scheduled task category"));
    expect(await bad({ category: 1, taskRange: both })).toEqual(invalid("invalid task range, fireTime must be empty for immediate task category"));
    expect(await bad({ category: 1, taskRange: ANY_TIME })).toEqual(
      invalid("invalid task range, max taskID must be specified for immediate task category"),
    );
    expect(await admin.refusal("RemoveTask", { shardId: 1, category: 1, taskId: 3 })).toEqual(
      invalid("Invalid task key: task key fire time must have unix nano value >= 0, got -6795364578871345152"),
    );
    expect(await admin.refusal("RemoveTask", { shardId: 1, category: 9 })).toEqual(invalid("Invalid task category ID: 9"));
  });
});

describe("an execution", () => {
  it("is described as it is in the store and in memory", async () => {
    const runId = await s.running([c.timer("t", 60), c.activity(s, "a", { retryPolicy: { maximumAttempts: 3 } })]);
    await s.signal("x", { requestId: "signal-request" });
    const d = await admin.call("DescribeMutableState", { namespace: NAMESPACE, execution: execution() });
    expect(d.cacheMutableState).toEqual(d.databaseMutableState);
    const found = d.databaseMutableState;
    expect(found?.executionState).toMatchObject({ runId, status: 1, state: 2 });
    expect(found?.signalRequestedIds).toEqual(["signal-request"]);
    expect(Object.values(found?.activityInfos ?? {})).toMatchObject([{ activityId: "a", attempt: 1, retryMaximumAttempts: 3, taskQueue: s.queue }]);
    expect(Object.keys(found?.timerInfos ?? {})).toEqual(["t"]);
    expect(found?.executionInfo).toMatchObject({ workflowId: s.id, taskQueue: s.queue, signalCount: 1, workflowTypeName: "T" });
    expect(found?.nextEventId).toBe((await events(s.id)).length + 1);
    const last = found?.executionInfo?.versionHistories?.histories[0]?.items;
    expect(last).toEqual([{ eventId: (found?.nextEventId ?? 0) - 1, version: 0 }]);
    await admin.call("CloseShard", { shardId: await shardId() });
    const after = await admin.call("DescribeMutableState", { namespace: NAMESPACE, execution: execution() });
    expect([after.cacheMutableState, after.databaseMutableState]).toEqual([undefined, found]);
  });

  it("is described with its Nexus operations and callbacks", async () => {
    await nexusOperations([{ variant: { case: "nexus" as const, value: { url: "http://localhost:1/told", header: { k: "v" } } } }]);
    const task = await pollNexus();
    const variant = { case: "asyncSuccess", value: { operationToken: "token" } };
    await s.call("RespondNexusTaskCompleted", {
      taskToken: task.taskToken,
      response: { variant: { case: "startOperation", value: { variant: variant as never } } },
    });
    await s.until("the first has started", async () =>
      (await events(s.id)).some((e) => e.attributes.case === "nexusOperationStartedEventAttributes"),
    );
    await s.answer([
      {
        commandType: CommandType.REQUEST_CANCEL_NEXUS_OPERATION,
        attributes: { case: "requestCancelNexusOperationCommandAttributes", value: { scheduledEventId: 6 } } as never,
      },
    ]);
    const { databaseMutableState: found } = await admin.call("DescribeMutableState", { namespace: NAMESPACE, execution: execution() });
    const machines = found?.executionInfo?.subStateMachinesByType["nexusoperations.Operation"]?.machinesById ?? {};
    expect(Object.keys(machines)).toEqual(["5", "6"]);
    const shown = Object.values(machines).map((m) => decode(NexusOperationInfo, m?.data ?? EMPTY_BYTES));
    expect(shown).toMatchObject([
      { endpoint: `e-${s.id}`, service: "svc", operation: "op", state: NexusOperationState.STARTED, operationToken: "token" },
      { endpoint: `e-${s.id}`, service: "svc", operation: "op", state: NexusOperationState.SCHEDULED, operationToken: "" },
    ]);
    const cancellation = machines["6"]?.children["nexusoperations.Cancelation"]?.machinesById[""];
    const [asked] = (await events(s.id)).filter((e) => e.attributes.case === "nexusOperationCancelRequestedEventAttributes");
    expect(decode(NexusOperationCancellationInfo, cancellation?.data ?? EMPTY_BYTES).requestedEventId).toBe(asked?.eventId);
    expect(machines["5"]?.children).toEqual({});
    const nodes = found?.chasmNodes ?? {};
    const requestId = found?.executionState?.createRequestId;
    expect(Object.keys(nodes)).toEqual(["", "Callbacks", `Callbacks#${requestId}-0`]);
    const { callback, status, requestId: by } = decode(CallbackState, nodes[`Callbacks#${requestId}-0`]?.data?.data ?? EMPTY_BYTES);
    expect([callback?.variant.value, status, by]).toEqual([
      { url: "http://localhost:1/told", header: { k: "v" } },
      CallbackStatus.STANDBY,
      requestId,
    ]);
  });

  it("whose tasks were lost gets them again", async () => {
    await s.running([c.activity(s, "a")]);
    const queue = { namespace: NAMESPACE, taskQueue: s.queue, taskQueueType: 2, maxTaskId: Number.MAX_SAFE_INTEGER } as const;
    const [lost] = (await admin.call("GetTaskQueueTasks", queue)).tasks;
    const batch = new Batch();
    const row = { queue: 2, priority: 3, pass: lost?.taskPass ?? 0, id: lost?.taskId ?? 0 };
    for (const number of [1, 2, 3]) batch.writeBacklog({ ...row, queue: number }, { op: "delete" });
    await store.commit(batch);
    subject.close();
    await open(2);
    expect((await admin.call("GetTaskQueueTasks", queue)).tasks).toEqual([]);
    await admin.call("RefreshWorkflowTasks", { namespaceId: await again().then((n) => n), execution: execution() });
    expect((await admin.call("GetTaskQueueTasks", queue)).tasks).toMatchObject([{ data: { workflowId: s.id, scheduledEventId: 5 } }]);
  });

  it("whose state is damaged is made anew from its history", async () => {
    await s.running([c.timer("t", 60), c.activity(s, "a"), c.memo("k")]);
    const before = await state();
    const id = await shardId();
    const [timer] = (await admin.call("ListHistoryTasks", { shardId: id, category: 2, taskRange: ANY_TIME })).tasks;
    const key = timer?.taskId ?? 0;
    const rows = await store.loadExecution(key);
    const record = decode(ExecutionRecord, rows?.record ?? new Uint8Array());
    const batch = new Batch();
    batch.putExecution(key, id, encode(ExecutionRecord, { ...record, workflowType: "Other", signalCount: 77, runDeadline: 5 }), false);
    batch.writeComponent(key, Kind.TIMER, Object.values(before.timerInfos ?? {})[0]?.startedEventId ?? 0, { op: "delete" });
    batch.writeComponent(key, Kind.MEMO, 0, { op: "delete" });
    await store.commit(batch);
    await admin.call("CloseShard", { shardId: id });
    expect(await state()).not.toEqual(before);
    await admin.call("RebuildMutableState", { namespace: NAMESPACE, execution: execution() });
    expect(await state()).toEqual(before);
    await s.sleep(61_000);
    await s.answer([c.complete()]);
    expect((await events(s.id)).map((e) => e.attributes.case)).toContain("timerFiredEventAttributes");
  });

  it("that is sound stays as it is when it is rebuilt", async () => {
    await s.running([c.timer("t", 600), c.activity(s, "a", { retryPolicy: { initialInterval: seconds(100) } }), c.child(`${s.id}-child`)]);
    const task = await s.activityTask();
    await s.call("RespondActivityTaskFailed", {
      taskToken: task.taskToken,
      identity: "worker",
      failure: { message: "again", failureInfo: { case: "applicationFailureInfo", value: {} } },
    });
    const running = await s.workflowTask();
    await s.signal("buffered");
    const before = await state();
    await admin.call("RebuildMutableState", { namespace: NAMESPACE, execution: execution() });
    expect(await state()).toEqual(before);
    expect(Object.values(before.activityInfos ?? {})).toMatchObject([{ attempt: 2, retryLastFailure: { message: "again" } }]);
    await s.call("RespondWorkflowTaskCompleted", { taskToken: running.taskToken, identity: "worker", commands: [] });
    await s.answer([c.complete()]);
  });

  it("keeps its Nexus operations and callbacks when it is rebuilt, and asks for them again", async () => {
    await nexusOperations([{ variant: { case: "nexus" as const, value: { url: "http://localhost:1/told" } } }]);
    const answer = (taskToken: Uint8Array, variant: object) =>
      s.call("RespondNexusTaskCompleted", { taskToken, response: { variant: { case: "startOperation", value: { variant: variant as never } } } });
    const first = await pollNexus();
    const second = await pollNexus();
    await answer(first.taskToken, { case: "asyncSuccess", value: { operationToken: "token" } });
    const shown = async () => {
      const d = await s.call("DescribeWorkflowExecution", { execution: execution() });
      return [d.pendingNexusOperations.sort((a, b) => a.scheduledEventId - b.scheduledEventId), d.callbacks];
    };
    await s.until("the first has started", async () =>
      (await events(s.id)).some((e) => e.attributes.case === "nexusOperationStartedEventAttributes"),
    );
    const before = await shown();
    await admin.call("RebuildMutableState", { namespace: NAMESPACE, execution: execution() });
    expect(await shown()).toEqual(before);
    const again = await pollNexus();
    expect(again.request?.variant).toEqual(second.request?.variant);
    await answer(again.taskToken, { case: "syncSuccess", value: {} });
    await s.until("the second has ended", async () => ((await shown())[0]?.length ?? 0) === 1);
    await answer(second.taskToken, { case: "syncSuccess", value: {} });
    await s.sleep(1_000);
    expect((await events(s.id)).filter((e) => e.attributes.case === "nexusOperationCompletedEventAttributes")).toHaveLength(1);
  });

  it("is deleted as it is, with everything of it", async () => {
    const runId = await s.running([c.timer("t", 60)]);
    const request = { namespace: NAMESPACE, execution: { workflowId: s.id, runId } };
    expect((await admin.call("DeleteWorkflowExecution", request)).warnings).toEqual([]);
    expect((await admin.call("DeleteWorkflowExecution", request)).warnings).toEqual([
      `Unable to load mutable state. Skipping workflow history deletion.. Error: workflow execution not found for workflow ID "${s.id}" and run ID "${runId}"`,
    ]);
    const gone = [Code.NOT_FOUND, `workflow not found for ID: ${s.id}`];
    expect(await admin.refusal("DeleteWorkflowExecution", { namespace: NAMESPACE, execution: execution() })).toEqual(gone);
    expect(await admin.refusal("DescribeMutableState", request)).toEqual(gone);
    expect((await s.call("CountWorkflowExecutions", { query: `WorkflowId = '${s.id}'` })).count).toBe(0);
  });

  it("that is none, or no workflow, is refused", async () => {
    for (const name of ["DescribeMutableState", "RebuildMutableState", "DeleteWorkflowExecution"] as const) {
      const refusal = (request: object) => admin.refusal(name, { namespace: NAMESPACE, execution: { workflowId: "none" }, ...request });
      expect(await refusal({})).toEqual([Code.NOT_FOUND, "workflow not found for ID: none"]);
      expect(await refusal({ execution: {} })).toEqual([Code.INVALID_ARGUMENT, "WorkflowId is not set on request."]);
      expect(await refusal({ execution: { workflowId: "w", runId: "x" } })).toEqual([Code.INVALID_ARGUMENT, "Invalid RunId."]);
      expect(await refusal({ namespace: "no" })).toEqual([Code.NOT_FOUND, "Namespace no is not found."]);
    }
    const described = (request: object) => admin.refusal("DescribeMutableState", { namespace: NAMESPACE, execution: execution(), ...request });
    expect(await described({ archetype: "x" })).toEqual([Code.INVALID_ARGUMENT, "unknown archetype: x"]);
    expect(await described({ archetypeId: 77 })).toEqual([Code.INVALID_ARGUMENT, "unknown archetype ID: 77"]);
    const refresh = { namespaceId: "x", execution: execution() };
    expect(await admin.refusal("RefreshWorkflowTasks", refresh)).toEqual([Code.NOT_FOUND, "Namespace x is not found."]);
  });
});

/** The namespace's id, asked of the present process. */
const again = async () => {
  s = Object.assign(new Session(subject), { id: s.id, queue: s.queue });
  return namespaceId();
};

/** Every batch of a history, a page at a time. */
async function rawHistory(workflowId: string, runId: string, maximumPageSize = 2): Promise<Uint8Array[]> {
  const out: Uint8Array[] = [];
  let nextPageToken: Uint8Array = new Uint8Array(0);
  do {
    const request = { namespaceId: await namespaceId(), execution: { workflowId, runId }, startEventVersion: 1, maximumPageSize, nextPageToken };
    const page = await admin.call("GetWorkflowExecutionRawHistoryV2", request);
    expect(page.historyBatches.length).toBeLessThanOrEqual(maximumPageSize);
    out.push(...page.historyBatches.map((b) => b.data));
    nextPageToken = page.nextPageToken;
  } while (nextPageToken.length > 0);
  return out;
}

describe("a raw history", () => {
  it("is the history, a batch for each transaction, whatever the size of the pages", async () => {
    const runId = await s.running([c.timer("t", 1), c.activity(s, "a")]);
    await s.signal("x");
    await s.answer([c.complete()]);
    const shown = await events(s.id);
    for (const size of [1, 2, 100]) {
      const batches = await rawHistory(s.id, runId, size);
      expect(batches.flatMap((b) => decode(History, b).events)).toEqual(shown);
      expect(batches.map((b) => decode(History, b).events[0]?.eventId)).toEqual([1, 3, 4, 7, 9, 10]);
    }
  });

  it("of a part: without the events that bound it, or with them", async () => {
    const runId = await s.running([c.timer("t", 60)]);
    const request = { namespaceId: await namespaceId(), execution: { workflowId: s.id, runId }, maximumPageSize: 100 };
    const ids = (batches: readonly { data: Uint8Array }[]) => batches.flatMap((b) => decode(History, b.data).events.map((e) => e.eventId));
    const v2 = await admin.call("GetWorkflowExecutionRawHistoryV2", { ...request, startEventId: 2, endEventId: 5 });
    expect([ids(v2.historyBatches), v2.historyNodeIds]).toEqual([
      [3, 4],
      [3, 4],
    ]);
    const v1 = await admin.call("GetWorkflowExecutionRawHistory", { ...request, startEventId: 2, endEventId: 5 });
    expect(ids(v1.historyBatches)).toEqual([2, 3, 4, 5]);
    expect(v1.versionHistory?.items).toEqual([{ eventId: 5, version: 0 }]);
  });

  it("is refused with the official texts", async () => {
    const runId = await s.running();
    const bad = async (request: object) =>
      (
        await admin.refusal("GetWorkflowExecutionRawHistoryV2", {
          namespaceId: await namespaceId(),
          execution: { workflowId: s.id, runId },
          maximumPageSize: 1,
          endEventId: 3,
          ...request,
        })
      )[1];
    expect(await bad({ maximumPageSize: 0 })).toBe("Invalid PageSize.");
    expect(await bad({ endEventId: 0 })).toBe("Invalid event query range.");
    expect(await bad({ execution: { workflowId: s.id } })).toBe("Invalid RunId.");
    expect(await bad({ execution: { runId } })).toBe("WorkflowId is not set on request.");
    expect(await bad({ execution: { workflowId: s.id, runId: UNKNOWN_RUN } })).toBe(`workflow not found for ID: ${s.id}`);
  });
});

describe("an imported history", () => {
  const RUN = "01890000-0000-7000-8000-000000000001";

  async function importAs(workflowId: string, runId: string, batches: readonly Uint8Array[]): Promise<void> {
    const common = { namespace: NAMESPACE, execution: { workflowId, runId } };
    let token: Uint8Array = new Uint8Array(0);
    for (const data of batches) {
      const historyBatches = [{ encodingType: 1, data }];
      token = (await admin.call("ImportWorkflowExecution", { ...common, historyBatches, token })).token;
    }
    expect((await admin.call("ImportWorkflowExecution", { ...common, token })).token.length).toBe(0);
  }

  it("is a run that has ended: listed, described and read like any other, also after a restart", async () => {
    const runId = await s.running([c.timer("t", 1), c.memo("k")]);
    await s.answer([c.complete(payloads("done"))]);
    const batches = await rawHistory(s.id, runId);
    await importAs("imported", RUN, batches);
    subject.close();
    await open(2);
    await again();
    expect(await events("imported")).toEqual(await events(s.id));
    const { workflowExecutionInfo } = await s.call("DescribeWorkflowExecution", { execution: { workflowId: "imported" } });
    const { historyLength } = (await s.call("DescribeWorkflowExecution", { execution: execution() })).workflowExecutionInfo ?? {};
    expect(workflowExecutionInfo).toMatchObject({ execution: { runId: RUN }, status: 2, historyLength, type: { name: "T" } });
    expect((await s.call("CountWorkflowExecutions", { query: "WorkflowId = 'imported' AND ExecutionStatus = 'Completed'" })).count).toBe(1);
  });

  it("of a run that goes on is worked on", async () => {
    const runId = await s.running([c.timer("t", 60), c.activity(s, "a")]);
    const batches = await rawHistory(s.id, runId);
    await s.call("TerminateWorkflowExecution", { workflowExecution: execution() });
    await importAs("imported", RUN, batches);
    const task = await s.activityTask();
    expect(task.workflowExecution).toEqual({ workflowId: "imported", runId: RUN });
    await s.call("RespondActivityTaskCompleted", { taskToken: task.taskToken, identity: "worker" });
    await s.answer([]);
    await s.sleep(61_000);
    await s.answer([c.complete()]);
    expect((await events("imported")).map((e) => e.attributes.case)).toContain("timerFiredEventAttributes");
  });

  it.each([
    [
      EventType.WORKFLOW_PROPERTIES_MODIFIED_EXTERNALLY,
      { case: "workflowPropertiesModifiedExternallyEventAttributes", value: { newTaskQueue: "q" } },
    ],
    [
      EventType.ACTIVITY_PROPERTIES_MODIFIED_EXTERNALLY,
      { case: "activityPropertiesModifiedExternallyEventAttributes", value: { scheduledEventId: 3 } },
    ],
  ] as const)("with an event that nobody writes is refused whole, as the official server does: %i", async (eventType, attributes) => {
    const whole = await rawHistory(s.id, await s.running());
    const event = encode(History, { events: [{ eventId: 3, eventType, attributes }] });
    const common = { namespace: NAMESPACE, execution: { workflowId: "changed", runId: RUN } };
    const historyBatches = [whole[0] ?? new Uint8Array(0), event].map((data) => ({ encodingType: 1, data }));
    const { token } = await admin.call("ImportWorkflowExecution", { ...common, historyBatches });
    const refused = [Code.UNIMPLEMENTED, "Workflow/activity property modification not implemented"];
    expect(await admin.refusal("ImportWorkflowExecution", { ...common, token })).toEqual(refused);
    expect((await s.call("CountWorkflowExecutions", { query: "WorkflowId = 'changed'" })).count).toBe(0);
    // What is left of the import is refused again, and a whole one is taken.
    expect(await admin.refusal("ImportWorkflowExecution", { ...common, token })).toEqual(refused);
    await importAs("changed", RUN, whole);
    expect(await events("changed")).toEqual(await events(s.id));
  });

  it("does not take the place of a run that is open, is taken once, and must be whole", async () => {
    const runId = await s.running();
    const batches = await rawHistory(s.id, runId);
    const common = { namespace: NAMESPACE, execution: { workflowId: s.id, runId: "ffffffff-0000-7000-8000-000000000001" } };
    const later = await admin.call("ImportWorkflowExecution", { ...common, historyBatches: batches.map((data) => ({ encodingType: 1, data })) });
    expect((await admin.refusal("ImportWorkflowExecution", { ...common, token: later.token }))[0]).toBe(Code.FAILED_PRECONDITION);
    await importAs("other", RUN, batches);
    await importAs("other", RUN, batches);
    const part = { namespace: NAMESPACE, execution: { workflowId: "part", runId: RUN } };
    const { token } = await admin.call("ImportWorkflowExecution", { ...part, historyBatches: [{ encodingType: 1, data: batches[1] }] });
    expect(await admin.refusal("ImportWorkflowExecution", { ...part, token })).toEqual([
      Code.INVALID_ARGUMENT,
      "event 1 of the imported history is missing",
    ]);
    expect(await admin.refusal("ImportWorkflowExecution", part)).toEqual([
      Code.INVALID_ARGUMENT,
      "HistoryImporter::commit cannot create workflow without events",
    ]);
    expect((await admin.refusal("ImportWorkflowExecution", { ...part, token: Buffer.from("x") }))[0]).toBe(Code.INVALID_ARGUMENT);
  });
});

describe("a task queue", () => {
  const partition = () => ({ taskQueue: s.queue, taskQueueType: 2, partitionId: { case: "normalPartitionId" as const, value: 0 } });

  it("shows its tasks and what it knows of itself", async () => {
    await s.running([c.activity(s, "a", { priority: { priorityKey: 1, fairnessKey: "f" } }), c.activity(s, "b")]);
    const common = { namespace: NAMESPACE, taskQueue: s.queue, taskQueueType: 2, maxTaskId: Number.MAX_SAFE_INTEGER };
    const { tasks } = await admin.call("GetTaskQueueTasks", common);
    expect(tasks.map((t) => [t.data?.scheduledEventId, t.data?.priority?.priorityKey ?? 0])).toEqual([
      [5, 1],
      [6, 0],
    ]);
    const first = await admin.call("GetTaskQueueTasks", { ...common, batchSize: 1 });
    const second = await admin.call("GetTaskQueueTasks", { ...common, batchSize: 1, nextPageToken: first.nextPageToken });
    expect([...first.tasks, ...second.tasks]).toEqual(tasks);
    expect((await admin.call("GetTaskQueueTasks", { ...common, minTaskId: (tasks[1]?.taskId ?? 0) + 1 })).tasks).toEqual([]);
    const described = await admin.call("DescribeTaskQueuePartition", {
      namespace: NAMESPACE,
      taskQueuePartition: partition(),
      buildIds: { unversioned: true },
    });
    const info = described.versionsInfoInternal[""]?.physicalTaskQueueInfo;
    expect(info?.internalTaskQueueStatus).toMatchObject([{ approximateBacklogCount: 2, loadedTasks: 2, backlogDrained: false }]);
    expect(info?.taskQueueStats?.approximateBacklogCount).toBe(2);
  });

  it("that is unloaded ends its polls and gives out its tasks as before", async () => {
    await s.running();
    const waiting = s.activityTask();
    await s.sleep(100);
    const unload = () => admin.call("ForceUnloadTaskQueuePartition", { namespace: NAMESPACE, taskQueuePartition: partition() });
    expect((await unload()).wasLoaded).toBe(true);
    expect((await waiting).taskToken.length).toBe(0);
    await s.signal("x");
    await s.answer([c.activity(s, "a"), c.activity(s, "b")]);
    await unload();
    const got = [await s.activityTask(), await s.activityTask()].map((t) => t.activityId);
    expect(got).toEqual(["a", "b"]);
    const other = { ...partition(), taskQueue: "never" };
    expect((await admin.call("ForceUnloadTaskQueuePartition", { namespace: NAMESPACE, taskQueuePartition: other })).wasLoaded).toBe(false);
  });

  it("keeps the configuration that it was given", async () => {
    const ask = { namespace: NAMESPACE, taskQueue: s.queue, taskQueueType: 2 };
    expect((await admin.call("GetTaskQueueUserData", ask)).userData).toBeUndefined();
    await s.call("UpdateTaskQueueConfig", {
      taskQueue: s.queue,
      taskQueueType: 2,
      updateQueueRateLimit: { rateLimit: { requestsPerSecond: 7 }, reason: "slow" },
    });
    const { userData } = await admin.call("GetTaskQueueUserData", ask);
    expect(userData?.config?.queueRateLimit?.rateLimit?.requestsPerSecond).toBe(7);
  });
});

describe("the cluster", () => {
  it("is this process, in all roles", async () => {
    const cluster = await admin.call("DescribeCluster", {});
    expect(cluster).toMatchObject({ clusterName: "active", historyShardCount: 1024, serverVersion: expect.any(String) });
    expect(cluster.membershipInfo?.rings.map((r) => [r.role, r.memberCount])).toEqual([
      ["frontend", 1],
      ["history", 1],
      ["matching", 1],
      ["worker", 1],
    ]);
    expect((await admin.call("ListClusters", {})).clusters).toMatchObject([{ clusterName: "active", historyShardCount: 1024 }]);
    expect((await admin.refusal("DescribeCluster", { clusterName: "other" }))[0]).toBe(Code.NOT_FOUND);
    const members = await admin.call("ListClusterMembers", {});
    expect(members.activeMembers.map((m) => m.role)).toEqual([1, 2, 3, 4]);
    expect((await admin.call("ListClusterMembers", { role: 2 })).activeMembers).toMatchObject([{ hostId: members.activeMembers[1]?.hostId }]);
    const page = await admin.call("ListClusterMembers", { pageSize: 3 });
    const rest = await admin.call("ListClusterMembers", { pageSize: 3, nextPageToken: page.nextPageToken });
    expect([page.activeMembers.length, rest.activeMembers.map((m) => m.role), rest.nextPageToken.length]).toEqual([3, [4], 0]);
    expect(await admin.refusal("ListClusterMembers", { hostId: "zz" })).toEqual([
      Code.INVALID_ARGUMENT,
      'host ID "zz" is not a valid UUID: invalid UUID length: 2',
    ]);
  });

  it("has one history host with all shards", async () => {
    const byShard = await admin.call("DescribeHistoryHost", { shardId: 1 });
    expect([byShard.shardsNumber, byShard.shardIds.length, byShard.shardIds.at(-1)]).toEqual([1024, 1024, 1024]);
    const byWorkflow = await admin.call("DescribeHistoryHost", { namespace: NAMESPACE, workflowExecution: execution() });
    expect(byWorkflow.address).toBe(byShard.address);
    expect(await admin.refusal("DescribeHistoryHost", {})).toEqual([
      Code.INVALID_ARGUMENT,
      "must provide one and only one: shard id or namespace & workflow id or host address",
    ]);
  });

  it("is well when its store answers", async () => {
    const { state, services } = await admin.call("DeepHealthCheck", {});
    expect([state, services[0]?.hosts[0]?.checks.map((check) => check.checkType)]).toEqual([1, ["grpc_health", "persistence_latency"]]);
  });

  it("tells of a namespace by name and by id, and changes its search attributes", async () => {
    const byName = await admin.call("GetNamespace", { attributes: { case: "namespace", value: NAMESPACE } });
    const byId = await admin.call("GetNamespace", { attributes: { case: "id", value: await namespaceId() } });
    expect([byName.info?.name, byId]).toEqual([NAMESPACE, byName]);
    await admin.call("AddSearchAttributes", { namespace: NAMESPACE, searchAttributes: { AdminKeyword: 2 } });
    const { customAttributes, systemAttributes } = await admin.call("GetSearchAttributes", { namespace: NAMESPACE });
    expect([customAttributes, systemAttributes.WorkflowId]).toEqual([{ AdminKeyword: 2 }, 2]);
    await admin.call("RemoveSearchAttributes", { namespace: NAMESPACE, searchAttributes: ["AdminKeyword"] });
    expect((await admin.call("GetSearchAttributes", { namespace: NAMESPACE })).customAttributes).toEqual({});
    expect((await admin.refusal("GetSearchAttributes", {}))[1]).toBe("Namespace is not set on request.");
    expect((await admin.refusal("GetNamespace", {}))[1]).toBe("Namespace not set on request.");
  });

  it("has no dead letters", async () => {
    const dlqKey = { taskCategory: 1, sourceCluster: "active", targetCluster: "active" };
    expect(await admin.refusal("GetDLQTasks", { dlqKey, pageSize: 5 })).toEqual([
      Code.UNAVAILABLE,
      "GetDLQTasks failed. Error: queue not found: type = 2 and name = 1_active_active_B8jqXXpO",
    ]);
    expect((await admin.refusal("GetDLQTasks", { dlqKey }))[1]).toBe("Invalid PageSize.");
    expect((await admin.refusal("GetDLQTasks", { dlqKey: { ...dlqKey, taskCategory: 99 }, pageSize: 5 }))[1]).toBe("Invalid task category id: 99");
    for (const name of ["PurgeDLQTasks", "MergeDLQTasks"] as const) expect((await admin.refusal(name, { dlqKey }))[0]).toBe(Code.UNAVAILABLE);
    for (const name of ["DescribeDLQJob", "CancelDLQJob"] as const) expect((await admin.refusal(name, {}))[0]).toBe(Code.NOT_FOUND);
    expect((await admin.call("ListQueues", { queueType: 1, pageSize: 5 })).queues).toEqual([]);
    for (const name of ["GetDLQMessages", "PurgeDLQMessages", "MergeDLQMessages"] as const) {
      expect(await admin.refusal(name, { type: 2 })).toEqual([Code.OK, ""]);
      expect((await admin.refusal(name, { type: 1 }))[1]).toBe("Invalid ShardID: 0");
      expect((await admin.refusal(name, {}))[1]).toBe("The DLQ type is not supported.");
    }
  });

  it("is alone: what concerns others is refused with the reason", async () => {
    for (const name of [
      "GetReplicationMessages",
      "GetNamespaceReplicationMessages",
      "GetDLQReplicationMessages",
      "SyncWorkflowState",
      "ReapplyEvents",
      "GenerateLastHistoryReplicationTasks",
      "AddOrUpdateRemoteCluster",
    ] as const)
      expect(await admin.refusal(name, { namespace: NAMESPACE } as object)).toEqual([
        Code.UNIMPLEMENTED,
        "not implemented: this server is a cluster of its own and replicates nothing",
      ]);
    expect(await admin.refusal("ResendReplicationTasks", {})).toEqual([
      Code.UNIMPLEMENTED,
      "ResendReplicationTasks is not implemented in AdminHandler",
    ]);
    const task = { shardId: 1, tasks: [{ categoryId: 1, blob: { data: Buffer.of(1) } }] };
    expect(await admin.refusal("AddTasks", task)).toEqual([
      Code.UNIMPLEMENTED,
      "not implemented: tasks of history are in a form of this server's own",
    ]);
    expect(await admin.refusal("MigrateSchedule", { namespace: NAMESPACE, scheduleId: "s" })).toEqual([
      Code.UNIMPLEMENTED,
      "not implemented: there is one scheduler",
    ]);
    expect(await admin.refusal("RemoveRemoteCluster", { clusterName: "active" })).toEqual([
      Code.INVALID_ARGUMENT,
      "Cannot delete current cluster metadata",
    ]);
    expect(await admin.refusal("RemoveRemoteCluster", { clusterName: "x" })).toEqual([Code.OK, ""]);
  });
});
