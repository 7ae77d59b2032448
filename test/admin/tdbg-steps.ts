/**
 * Commands of the official `tdbg`, in the order in which they are given, with the calls that they make. The recorder gives them to the
 * tool, on the official server and on ours; the test makes the calls and needs no tool.
 */
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { History } from "../../gen/wire/temporal/api/history/v1/message.js";
import { decode } from "../../src/api/wire.js";
import { normalise } from "../conformance/normalise.js";
import { command as c, NAMESPACE, type Session } from "../conformance/session.js";
import { CallError } from "../conformance/subject.js";
import type { AdminClient, AdminMethod } from "./admin-call.js";

export interface Names {
  readonly namespaceId: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly queue: string;
}

export interface Step {
  readonly name: string;
  readonly args: (n: Names) => readonly string[];
  readonly call: AdminMethod;
  readonly request: (n: Names) => object;
  /** The part of the answer that the tool prints. */
  readonly printed?: (answer: never) => unknown;
}

const execution = ({ workflowId, runId }: Names) => ({ workflowId, runId });
const wid = ({ workflowId, runId }: Names) => ["--workflow-id", workflowId, "--run-id", runId];
const partition = ({ queue }: Names) => ({
  taskQueue: queue,
  taskQueueType: 2,
  partitionId: { case: "normalPartitionId", value: 0 },
});
const partitionArgs = ({ namespaceId, queue }: Names) => [
  "--namespace-id",
  namespaceId,
  "--task-queue",
  queue,
  "--task-queue-type",
  "TASK_QUEUE_TYPE_ACTIVITY",
];
const HOUR = 3_600;
const FAR_IDS = { inclusiveMinTaskKey: { fireTime: {} }, exclusiveMaxTaskKey: { taskId: 2 ** 50, fireTime: {} } };
const DLQ = { taskCategory: 1, sourceCluster: "active", targetCluster: "active" };
const DLQ_ARGS = ["--dlq-type", "1", "--cluster", "active", "--target-cluster", "active"];

export const STEPS: readonly Step[] = [
  {
    name: "the rings of the cluster",
    args: () => ["membership", "list-gossip"],
    call: "DescribeCluster",
    request: () => ({}),
    printed: (a: { membershipInfo: { rings: unknown } }) => a.membershipInfo.rings,
  },
  {
    name: "one role of the cluster",
    args: () => ["membership", "list-gossip", "--role", "history"],
    call: "DescribeCluster",
    request: () => ({}),
    printed: (a: { membershipInfo: { rings: { role: string }[] } }) => a.membershipInfo.rings.filter((r) => r.role === "history"),
  },
  {
    name: "members of the cluster",
    args: () => ["membership", "list-db", "--role", "CLUSTER_MEMBER_ROLE_HISTORY"],
    call: "ListClusterMembers",
    request: () => ({ role: 2, lastHeartbeatWithin: {} }),
    printed: (a: { activeMembers: unknown }) => a.activeMembers,
  },
  { name: "a shard", args: () => ["shard", "describe", "--shard-id", "1"], call: "GetShard", request: () => ({ shardId: 1 }) },
  { name: "no shard", args: () => ["shard", "describe", "--shard-id", "0"], call: "GetShard", request: () => ({ shardId: 0 }) },
  {
    name: "the host of a shard",
    args: () => ["history-host", "describe", "--shard-id", "1"],
    call: "DescribeHistoryHost",
    request: () => ({ shardId: 1 }),
  },
  {
    name: "the host of a workflow",
    args: (n) => ["--namespace", NAMESPACE, "history-host", "describe", "--workflow-id", n.workflowId],
    call: "DescribeHistoryHost",
    request: (n) => ({ namespace: NAMESPACE, workflowExecution: { workflowId: n.workflowId } }),
  },
  {
    name: "the state of an execution",
    args: (n) => ["execution", "describe", ...wid(n)],
    call: "DescribeMutableState",
    request: (n) => ({ namespace: NAMESPACE, execution: execution(n) }),
  },
  {
    name: "the state of an execution that there is not",
    args: () => ["execution", "describe", "--workflow-id", "there-is-none"],
    call: "DescribeMutableState",
    request: () => ({ namespace: NAMESPACE, execution: { workflowId: "there-is-none" } }),
  },
  {
    name: "a history",
    args: (n) => ["execution", "show", ...wid(n), "--max-event-id", "100"],
    call: "GetWorkflowExecutionRawHistoryV2",
    request: (n) => ({ namespaceId: n.namespaceId, execution: execution(n), endEventId: 100, maximumPageSize: 100 }),
  },
  {
    name: "transfer tasks of a shard",
    args: () => [
      "shard",
      "list-tasks",
      "--shard-id",
      "1",
      "--task-category",
      "transfer",
      "--min-task-id",
      String(2 ** 49),
      "--max-task-id",
      String(2 ** 50),
    ],
    call: "ListHistoryTasks",
    request: () => ({ shardId: 1, category: 1, taskRange: { ...FAR_IDS, inclusiveMinTaskKey: { taskId: 2 ** 49, fireTime: {} } }, batchSize: 10 }),
  },
  {
    name: "replication tasks of a shard",
    args: () => ["shard", "list-tasks", "--shard-id", "1", "--task-category", "replication", "--max-task-id", String(2 ** 50)],
    call: "ListHistoryTasks",
    request: () => ({ shardId: 1, category: 3, taskRange: FAR_IDS, batchSize: 10 }),
  },
  {
    name: "timers of a shard without an end",
    args: () => ["shard", "list-tasks", "--shard-id", "1", "--task-category", "timer"],
    call: "ListHistoryTasks",
    request: () => ({
      shardId: 1,
      category: 2,
      taskRange: { inclusiveMinTaskKey: { fireTime: {} }, exclusiveMaxTaskKey: { fireTime: {} } },
      batchSize: 10,
    }),
  },
  {
    name: "a task that is not there, removed",
    args: () => [
      "shard",
      "remove-task",
      "--shard-id",
      "1",
      "--task-id",
      "99999999",
      "--task-category",
      "timer",
      "--task-timestamp",
      "1900000000000000000",
    ],
    call: "RemoveTask",
    request: () => ({ shardId: 1, category: 2, taskId: 99_999_999, visibilityTime: { seconds: 1_900_000_000 } }),
  },
  { name: "a shard, closed", args: () => ["shard", "close-shard", "--shard-id", "1"], call: "CloseShard", request: () => ({ shardId: 1 }) },
  {
    name: "tasks of a queue",
    args: (n) => ["taskqueue", "list-tasks", "--task-queue", n.queue, "--task-queue-type", "TASK_QUEUE_TYPE_ACTIVITY", "--print-json"],
    call: "GetTaskQueueTasks",
    request: (n) => ({ namespace: NAMESPACE, taskQueue: n.queue, taskQueueType: 2, maxTaskId: 2 ** 50, batchSize: 10 }),
  },
  {
    name: "a partition of a queue",
    args: (n) => ["taskqueue", "describe-task-queue-partition", ...partitionArgs(n), "--select-unversioned"],
    call: "DescribeTaskQueuePartition",
    request: (n) => ({ namespace: NAMESPACE, taskQueuePartition: partition(n), buildIds: { unversioned: true } }),
  },
  {
    name: "a partition of a queue, unloaded",
    args: (n) => ["taskqueue", "force-unload-task-queue-partition", ...partitionArgs(n)],
    call: "ForceUnloadTaskQueuePartition",
    request: (n) => ({ namespace: NAMESPACE, taskQueuePartition: partition(n) }),
  },
  {
    name: "what is kept of a queue",
    args: (n) => ["taskqueue", "get-user-data", "--namespace", NAMESPACE, "--task-queue", n.queue, "--task-queue-type", "TASK_QUEUE_TYPE_ACTIVITY"],
    call: "GetTaskQueueUserData",
    request: (n) => ({ namespace: NAMESPACE, taskQueue: n.queue, taskQueueType: 2 }),
  },
  {
    name: "queues of dead letters",
    args: () => ["dlq", "list", "--print-json"],
    call: "ListQueues",
    request: () => ({ queueType: 2, pageSize: 100 }),
  },
  {
    name: "dead letters of a queue that there is not",
    args: () => ["dlq", "read", ...DLQ_ARGS, "--last-message-id", "5"],
    call: "GetDLQTasks",
    request: () => ({ dlqKey: DLQ, pageSize: 1 }),
  },
  {
    name: "older dead letters",
    args: () => ["dlq", "--dlq-version", "v1", "read", "--dlq-type", "namespace", "--cluster", "active", "--last-message-id", "5"],
    call: "GetDLQMessages",
    request: () => ({ type: 2, sourceCluster: "active", inclusiveEndMessageId: 5, maximumPageSize: 5 }),
  },
  {
    name: "tasks refreshed",
    args: (n) => ["execution", "refresh-tasks", ...wid(n)],
    call: "RefreshWorkflowTasks",
    request: (n) => ({ namespaceId: n.namespaceId, execution: execution(n) }),
  },
  {
    name: "an execution rebuilt",
    args: (n) => ["execution", "rebuild", ...wid(n)],
    call: "RebuildMutableState",
    request: (n) => ({ namespace: NAMESPACE, execution: execution(n) }),
  },
  {
    name: "an execution deleted",
    args: (n) => ["--yes", "execution", "delete", ...wid(n)],
    call: "DeleteWorkflowExecution",
    request: (n) => ({ namespace: NAMESPACE, execution: execution(n) }),
  },
  {
    name: "an execution deleted again",
    args: (n) => ["--yes", "execution", "delete", ...wid(n)],
    call: "DeleteWorkflowExecution",
    request: (n) => ({ namespace: NAMESPACE, execution: execution(n) }),
  },
];

/** What the commands are about: a workflow that waits for a timer and for an activity that nobody takes. */
export async function prepare(s: Session): Promise<Names> {
  const runId = await s.running([c.timer("t", HOUR), c.activity(s, "a", { retryPolicy: { maximumAttempts: 3 } })], {
    workflowRunTimeout: { seconds: HOUR * 2 },
  });
  const { namespaceInfo } = await s.call("DescribeNamespace", { namespace: NAMESPACE });
  // The timeouts of its workflow tasks have passed, and what the official server does later is done.
  await s.sleep(15_000);
  return { namespaceId: namespaceInfo?.id ?? "", workflowId: s.id, runId, queue: s.queue };
}

/** What the call answers, or how it ends. */
export async function answerOf(admin: AdminClient, step: Step, n: Names): Promise<unknown> {
  try {
    const answer = await admin.call(step.call, step.request(n) as never);
    return shown(step.printed === undefined ? answer : step.printed(answer as never), n);
  } catch (e) {
    if (!(e instanceof CallError)) throw e;
    return shown({ code: e.code, text: e.message }, n);
  }
}

/** What belongs to how a server stores things, or differs for a reason that COMPAT.md names: not compared. */
const HIDDEN: ReadonlySet<string> = new Set([
  // Where and when.
  "historyAddr",
  "address",
  "identity",
  "hostId",
  "rpcAddress",
  "rpcPort",
  "owner",
  "updateTime",
  "itemsInCacheByIdCount",
  "itemsInCacheByNameCount",
  // Shards: the official server of the comparison has one.
  "shardId",
  "shardIds",
  "shardsNumber",
  "rangeId",
  "stolenSinceRenew",
  "queueStates",
  // Clocks, transactions and versions of single records.
  "clock",
  "branchToken",
  "taskId",
  "taskPass",
  "lastRunningClock",
  "lastFirstEventId",
  "lastFirstEventTxnId",
  "taskGenerationShardClockTimestamp",
  "subStateMachineTombstoneBatches",
  "timerTaskStatus",
  "taskStatus",
  "startVersion",
  "versionDirective",
  "stateTransitionCount",
  "transitionCount",
  // Sizes and counts of what has ended.
  "historySize",
  "activityCount",
  "userTimerCount",
  // Speeds.
  "tasksAddRate",
  "tasksDispatchRate",
  "approximateBacklogAge",
  // Two generations of a queue's table, and the numbers of its rows.
  "internalTaskQueueStatus",
  "buildId",
  "approximateBacklogCount",
  "branchId",
  "ancestors",
  // Of the last workflow task, when there is none.
  "workflowTaskOriginalScheduledTime",
  // Of times, as the tool prints some of them.
  "seconds",
  "nanos",
]);
const isHidden = (key: string): boolean => HIDDEN.has(key) || /LastUpdateVersionedTransition$|^lastUpdateVersionedTransition$/.test(key);

function shown(value: unknown, n: Names): unknown {
  const visible = (v: unknown): unknown => {
    if (Array.isArray(v)) return v.map(visible);
    if (v instanceof Uint8Array || v === null || typeof v !== "object") return v;
    return Object.fromEntries(
      Object.entries(v)
        .filter(([k]) => !isHidden(k))
        .map(([k, x]) => [k, k === "historyBatches" ? (x as { data: Uint8Array }[]).map((b) => batchOf(b.data)) : visible(x)]),
    );
  };
  return normalise(visible(value), [n.workflowId, n.queue]) ?? null;
}

const batchOf = (data: Uint8Array): unknown => decode(History, data).events.map((e) => [e.eventId, EventType[e.eventType]]);

/** The tool's output in the same terms: JSON without what is hidden, moments and ids replaced. */
export function shownText(text: string, n: Names): string {
  const out: string[] = [];
  let block: string[] | undefined;
  for (const line of text.replaceAll(/\u001b\[[0-9;]*m/g, "").split("\n")) {
    if (line === "{" || line === "[") block = [];
    (block ?? out).push(line);
    if (block === undefined || (line !== "}" && line !== "]")) continue;
    out.push(JSON.stringify(withoutHidden(JSON.parse(block.join("\n"))), null, 1));
    block = undefined;
  }
  const printed = out
    .join("\n")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>")
    .replaceAll(/"(taskId|historySizeBytes)":"\d+"/g, '"$1":"<n>"')
    .replaceAll(/blob len: \d+|Shard Id: \d+|address: [\d.:]+/g, "<n>")
    // Shown here, left out there: no time in both.
    .replaceAll('"workflowExecutionTimeout":"0s", ', "")
    .replaceAll(/"requestId":"[^"]+"/g, '"requestId":"<id>"');
  return String(normalise(printed, [n.workflowId, n.queue]) ?? "");
}

/** Of the tool's JSON, whose names are in one of two forms. What is empty without it goes too. */
function withoutHidden(v: unknown): unknown {
  if (Array.isArray(v)) return v.map(withoutHidden);
  if (v === null || typeof v !== "object") return v;
  return Object.fromEntries(
    Object.entries(v)
      .filter(([k]) => !isHidden(k.replaceAll(/_(\w)/g, (_, x: string) => x.toUpperCase())))
      .map(([k, x]) => [k, withoutHidden(x)] as const)
      .filter(([, x]) => x === null || typeof x !== "object" || Object.keys(x).length > 0),
  );
}
