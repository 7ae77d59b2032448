/**
 * What the official server 1.32.1 answers to requests with something wrong, code and text as it sent them, against our checks:
 * the namespace interceptors, then the handler.
 */
import { describe, expect, test } from "vitest";
import { OperatorService } from "../../gen/wire/temporal/api/operatorservice/v1/service.js";
import { WorkflowService } from "../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { Code, ServiceError } from "../api/service-error.js";
import { FakeCall, fakeServices } from "./fake-services.js";
import { methodTable } from "./methods.js";
import { namespaceNameValidator, namespaceStateValidator } from "./namespace-validator.js";

const D = { namespace: "default" };
const type = { workflowType: { name: "t" } };
const start = { ...D, workflowId: "w", ...type, taskQueue: { name: "q" } };
const long = "x".repeat(1001);
const blob = new Uint8Array(2_097_153);
const signal = { ...D, workflowExecution: { workflowId: "w" }, signalName: "s" };
const { INVALID_ARGUMENT: BAD, NOT_FOUND, FAILED_PRECONDITION } = Code;

async function answer(name: string, request: object, timeoutMs = 30_000): Promise<unknown> {
  const { s, runtime } = await fakeServices();
  const descriptor = { ...WorkflowService.methods, ...OperatorService.methods }[name as "DescribeNamespace"];
  const method = methodTable(s).get(descriptor.path);
  if (method?.handler === undefined) throw new Error(`${name} has no handler`);
  const { handler } = method;
  const message = method.input.create(request as never);
  const call = new FakeCall(runtime.now / 1000 + timeoutMs);
  const state = () => namespaceStateValidator(s.namespaces)(method, message, call, async () => handler(message, call));
  return namespaceNameValidator(s.namespaces, () => 1000)(method, message, call, state);
}

async function refusal(name: string, request: object, timeoutMs?: number): Promise<[Code, string]> {
  try {
    return [Code.OK, JSON.stringify(await answer(name, request, timeoutMs))];
  } catch (e) {
    if (!(e instanceof ServiceError)) throw e;
    return [e.code, e.message];
  }
}

const rows: [name: string, request: object, code: Code, text: string][] = [
  ["StartWorkflowExecution", {}, BAD, "Namespace is empty."],
  ["StartWorkflowExecution", { namespace: "nope" }, NOT_FOUND, "Namespace nope is not found."],
  ["StartWorkflowExecution", { namespace: long }, BAD, "Namespace length exceeds limit."],
  ["StartWorkflowExecution", D, BAD, "WorkflowId is not set on request."],
  ["StartWorkflowExecution", { ...D, workflowId: long }, BAD, "WorkflowId exceeds maximum allowed length (1001/1000)"],
  ["StartWorkflowExecution", { ...D, workflowId: "é".repeat(501) }, BAD, "WorkflowId exceeds maximum allowed length (1002/1000)"],
  ["StartWorkflowExecution", { ...D, workflowId: "w" }, BAD, "WorkflowType is not set on request."],
  ["StartWorkflowExecution", { ...start, workflowType: { name: long } }, BAD, "WorkflowType length exceeds limit."],
  ["StartWorkflowExecution", { ...D, workflowId: "w", ...type }, BAD, "taskQueue is not set"],
  ["StartWorkflowExecution", { ...start, taskQueue: {} }, BAD, "missing task queue name"],
  ["StartWorkflowExecution", { ...start, taskQueue: { name: long } }, BAD, "taskQueue length exceeds limit"],
  [
    "StartWorkflowExecution",
    { ...start, taskQueue: { name: "temporal-sys-per-ns-tq" } },
    BAD,
    "cannot use internal per-namespace task queue:temporal-sys-per-ns-tq",
  ],
  [
    "StartWorkflowExecution",
    { ...start, workflowRunTimeout: { seconds: -1 } },
    BAD,
    "An invalid WorkflowRunTimeoutSeconds is set on request. cause: negative duration",
  ],
  [
    "StartWorkflowExecution",
    { ...start, workflowRunTimeout: { seconds: 1, nanos: -1 } },
    BAD,
    "An invalid WorkflowRunTimeoutSeconds is set on request. cause: duration has seconds and nanos with different signs",
  ],
  [
    "StartWorkflowExecution",
    { ...start, workflowStartDelay: { seconds: -5 } },
    BAD,
    "An invalid WorkflowStartDelaySeconds is set on request. cause: negative duration",
  ],
  [
    "StartWorkflowExecution",
    { ...start, workflowStartDelay: { seconds: 5 }, cronSchedule: "* * * * *" },
    BAD,
    "CronSchedule and WorkflowStartDelay may not be used together.",
  ],
  ["StartWorkflowExecution", { ...start, cronSchedule: "x" }, BAD, "invalid CronSchedule."],
  ["StartWorkflowExecution", { ...start, cronSchedule: "0 0 31 2 *" }, BAD, "invalid CronSchedule, no time can be found to satisfy the schedule"],
  ["StartWorkflowExecution", { ...start, retryPolicy: { maximumAttempts: -1 } }, BAD, "MaximumAttempts cannot be negative on retry policy."],
  [
    "StartWorkflowExecution",
    { ...start, retryPolicy: { backoffCoefficient: 0.5 } },
    BAD,
    "BackoffCoefficient cannot be less than 1 on retry policy.",
  ],
  ["StartWorkflowExecution", { ...start, retryPolicy: { nonRetryableErrorTypes: ["TemporalTimeout:Foo"] } }, BAD, "Invalid timeout type value: Foo."],
  [
    "StartWorkflowExecution",
    { ...start, retryPolicy: { initialInterval: { seconds: 5 }, maximumInterval: { seconds: 1 } } },
    BAD,
    "MaximumInterval cannot be less than InitialInterval on retry policy.",
  ],
  ["StartWorkflowExecution", { ...start, requestId: long }, BAD, "RequestId length exceeds limit."],
  ["StartWorkflowExecution", { ...start, priority: { priorityKey: -1 } }, BAD, "priority key can't be negative"],
  [
    "StartWorkflowExecution",
    { ...start, workflowIdReusePolicy: 4, workflowIdConflictPolicy: 1 },
    BAD,
    "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot be used together with a WorkflowIDConflictPolicy",
  ],
  [
    "StartWorkflowExecution",
    { ...start, workflowIdReusePolicy: 3, workflowIdConflictPolicy: 3 },
    BAD,
    "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be used together with WorkflowIdConflictPolicy WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING",
  ],
  [
    "StartWorkflowExecution",
    { ...start, onConflictOptions: { attachCompletionCallbacks: true } },
    BAD,
    "attaching request ID is required for attaching completion callbacks",
  ],
  [
    "StartWorkflowExecution",
    { ...start, timeSkippingConfig: { enabled: true, fastForwardConfig: { id: "f" } } },
    BAD,
    "Time skipping config invalid: fast_forward duration must be positive",
  ],
  [
    "StartWorkflowExecution",
    { ...start, timeSkippingConfig: { enabled: true, fastForwardConfig: { id: " ", duration: { seconds: 1 } } } },
    BAD,
    "Time skipping config invalid: fast_forward_id must be set",
  ],
  [
    "StartWorkflowExecution",
    { ...start, timeSkippingConfig: { enabled: false, fastForwardConfig: { id: "f", duration: { seconds: 1 } } } },
    BAD,
    "time_skipping_config: cannot set fast_forward when enabled is false",
  ],
  ["StartWorkflowExecution", { ...start, links: [{}] }, BAD, "unsupported link variant"],
  ["StartWorkflowExecution", { ...start, links: Array(11).fill({}) }, BAD, "cannot attach more than 10 links per request, got 11"],
  [
    "StartWorkflowExecution",
    { ...start, links: [{ variant: { case: "workflow", value: { namespace: "n", workflowId: "w".repeat(5000) } } }] },
    BAD,
    "link exceeds allowed size of 4000, got 5009",
  ],
  [
    "StartWorkflowExecution",
    { ...start, completionCallbacks: [{ variant: { case: "nexus", value: { url: "ftp://x" } } }] },
    BAD,
    "invalid url: unknown scheme: ftp://x",
  ],
  ["StartWorkflowExecution", { ...start, input: blob }, BAD, "Blob data size exceeds limit."],
  ["StartWorkflowExecution", { ...start, memo: { fields: { a: blob } } }, BAD, "Memo size exceeds limit."],
  ["SignalWithStartWorkflowExecution", { ...D, workflowId: "w" }, BAD, "signal not set"],
  ["SignalWithStartWorkflowExecution", { ...start, signalName: long }, BAD, "signal name exceeds maximum allowed length (1001/1000)"],
  ["SignalWithStartWorkflowExecution", { ...start, signalName: "s", workflowType: {} }, BAD, "workflow type not set"],
  [
    "SignalWithStartWorkflowExecution",
    { ...start, signalName: "s", workflowIdConflictPolicy: 1 },
    BAD,
    "Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported for this operation.",
  ],
  ["SignalWithStartWorkflowExecution", { ...start, signalName: "s", signalInput: blob }, BAD, "Blob data size exceeds limit."],
  ["SignalWorkflowExecution", D, BAD, "Execution is not set on request."],
  ["SignalWorkflowExecution", { ...D, workflowExecution: {} }, BAD, "WorkflowId is not set on request."],
  ["SignalWorkflowExecution", { ...D, workflowExecution: { workflowId: "w", runId: "bad" } }, BAD, "Invalid RunId."],
  ["SignalWorkflowExecution", { ...signal, signalName: "" }, BAD, "SignalName is not set on request."],
  ["SignalWorkflowExecution", { ...signal, signalName: long }, BAD, "SignalName length exceeds limit."],
  ["SignalWorkflowExecution", { ...signal, input: blob }, BAD, "Blob data size exceeds limit."],
  ["DescribeWorkflowExecution", D, BAD, "Execution is not set on request."],
  ["GetWorkflowExecutionHistory", D, BAD, "Execution is not set on request."],
  ["QueryWorkflow", D, BAD, "Execution is not set on request."],
  ["QueryWorkflow", { ...D, execution: { workflowId: "w" } }, BAD, "WorkflowQuery is not set on request."],
  ["QueryWorkflow", { ...D, execution: { workflowId: "w" }, query: {} }, BAD, "QueryType is not set on request."],
  ["PollWorkflowTaskQueue", D, BAD, "taskQueue is not set"],
  ["PollWorkflowTaskQueue", { ...D, taskQueue: {} }, BAD, "missing task queue name"],
  ["PollWorkflowTaskQueue", { ...D, taskQueue: { name: "/_sys/x/1" } }, BAD, "task queue name cannot start with reserved prefix /_sys/"],
  ["PollWorkflowTaskQueue", { ...D, taskQueue: { name: "q" }, identity: long }, BAD, "Identity length exceeds limit."],
  [
    "PollWorkflowTaskQueue",
    { ...D, taskQueue: { name: "q" }, workerVersionCapabilities: { useVersioning: true } },
    BAD,
    "WorkerVersionStamp must be present if UseVersioning is true.",
  ],
  [
    "PollWorkflowTaskQueue",
    { ...D, taskQueue: { name: "q" }, deploymentOptions: { workerVersioningMode: 2 } },
    BAD,
    "Deployment name and build id must be set together.",
  ],
  ["PollActivityTaskQueue", D, BAD, "taskQueue is not set"],
  ["RespondWorkflowTaskCompleted", D, BAD, "Task token not set on request."],
  ["RespondWorkflowTaskCompleted", { ...D, taskToken: Buffer.from("garbage") }, BAD, "Error deserializing task token."],
  ["RespondActivityTaskCompleted", {}, BAD, "Task token not set on request."],
  ["RespondActivityTaskCompleted", { namespace: "nope", taskToken: Buffer.from("garbage") }, NOT_FOUND, "Namespace nope is not found."],
  ["RecordActivityTaskHeartbeat", { namespace: "nope" }, NOT_FOUND, "Namespace nope is not found."],
  ["RespondQueryTaskCompleted", { ...D, taskToken: Buffer.from("garbage") }, BAD, "Error deserializing task token."],
  ["RespondActivityTaskCompletedById", D, BAD, "ActivityId is not set on request."],
  ["RespondActivityTaskCompletedById", { ...D, activityId: "a", workflowId: "w", runId: "bad" }, BAD, "RunId is not valid UUID."],
  ["DescribeTaskQueue", D, BAD, "taskQueue is not set"],
  ["RegisterNamespace", {}, BAD, "Namespace not set on request."],
  ["RegisterNamespace", { namespace: "new" }, BAD, "A valid retention period is not set on request."],
  ["UpdateNamespace", {}, BAD, "Namespace not set on request."],
  ["UpdateNamespace", { namespace: "nope" }, NOT_FOUND, "Namespace nope is not found."],
  ["DeprecateNamespace", { namespace: "nope" }, NOT_FOUND, "Namespace nope is not found."],
  ["DescribeNamespace", {}, BAD, "Namespace not set on request."],
  ["ListArchivedWorkflowExecutions", D, BAD, "Cluster is not configured for visibility archival."],
  [
    "ListOpenWorkflowExecutions",
    { ...D, startTimeFilter: { earliestTime: { seconds: 10 }, latestTime: { seconds: 5 } } },
    BAD,
    "EarliestTime in StartTimeFilter should not be larger than LatestTime.",
  ],
  [
    "ListClosedWorkflowExecutions",
    { ...D, filters: { case: "statusFilter", value: {} } },
    BAD,
    "StatusFilter must be specified and must be not Running.",
  ],
  ["AddSearchAttributes", D, BAD, "SearchAttributes are not set on request."],
  ["AddSearchAttributes", { ...D, searchAttributes: { WorkflowId: 1 } }, BAD, "Search attribute WorkflowId is reserved by system."],
  ["AddSearchAttributes", { ...D, searchAttributes: { A: 77 } }, BAD, "Unknown search attribute type: 77."],
  ["AddSearchAttributes", { searchAttributes: { A: 1 } }, BAD, "Namespace is not set on request."],
  ["RemoveSearchAttributes", { ...D, searchAttributes: ["WorkflowId"] }, BAD, "Unable to remove non-custom search attributes: WorkflowId."],
  ["ListSearchAttributes", {}, BAD, "Namespace is not set on request."],
];

describe("requests that the official server refuses get its code and text", () => {
  for (const [name, request, code, text] of rows) test(`${name}: ${text}`, async () => expect(await refusal(name, request)).toEqual([code, text]));
});

test("a poll whose deadline is too near, or missing, is refused", async () => {
  const request = { ...D, taskQueue: { name: "q" } };
  for (const name of ["PollWorkflowTaskQueue", "PollActivityTaskQueue", "PollNexusTaskQueue"])
    expect(await refusal(name, request, 1500)).toEqual([FAILED_PRECONDITION, "Context timeout is too short."]);
});

test("a task token of another namespace is refused; without a namespace the token's own is taken", async () => {
  const { encodeTaskToken } = await import("../api/task-token.js");
  const { s } = await fakeServices();
  // Ids are drawn in the same order by every set of fakes.
  const taskToken = encodeTaskToken({ namespaceId: s.namespaces.view("default").id, workflowId: "w", runId: "r" });
  expect(await refusal("RespondActivityTaskCompleted", { namespace: "other", taskToken })).toEqual([
    BAD,
    "Operation requested with a token from a different namespace.",
  ]);
  expect(await refusal("RespondActivityTaskCompleted", { taskToken })).toEqual([BAD, "no reply to completeActivity"]);
});

test("a deprecated namespace starts nothing, and still signals", async () => {
  const { s, call } = await fakeServices();
  await s.namespaces.deprecate("default");
  const check = async (name: keyof typeof WorkflowService.methods, request: object) => {
    const method = methodTable(s).get(WorkflowService.methods[name].path);
    if (method === undefined) throw new Error(name);
    return namespaceStateValidator(s.namespaces)(method, method.input.create(request as never), call(), () => Promise.resolve("passed"));
  };
  await expect(check("StartWorkflowExecution", start)).rejects.toThrow("Namespace has invalid state: Deprecated. Must be Registered.");
  expect(await check("SignalWorkflowExecution", signal)).toBe("passed");
});
