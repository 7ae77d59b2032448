import { expect, it } from "vitest";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { ResetType } from "../../../gen/wire/temporal/api/enums/v1/reset.js";
import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { StartBatchOperationRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Method, MethodTable } from "../../api/call.js";
import { Code, ServiceError } from "../../api/service-error.js";
import { encode, type Init } from "../../api/wire.js";
import { FakeRuntime } from "../../lib/fake-runtime.js";
import { CallScope, InternalClient } from "../internal-client.js";
import { isPassing, operate } from "./operations.js";

const SERVICE = "/temporal.api.workflowservice.v1.WorkflowService/";
type Operation = NonNullable<Init<StartBatchOperationRequest>["operation"]>;

/** Does the operation to "w" of run "r"; answers what was called and with what. `answers` by method. */
async function called(operation: Operation, answers: Record<string, object> = {}): Promise<[method: string, request: object][]> {
  const calls: [string, object][] = [];
  const table = {
    get: (path: string) => {
      const name = path.slice(SERVICE.length);
      const handler = (request: object) => {
        calls.push([name, request]);
        return answers[name] ?? {};
      };
      return { handler } as unknown as Method;
    },
  } as unknown as MethodTable;
  const client = new InternalClient(() => table, new FakeRuntime());
  const request = StartBatchOperationRequest.create({ jobId: "job", reason: "because", operation });
  await operate(
    { client, namespace: "n", request, type: 0, scope: new CallScope(), nowMicros: () => 1_800_000_000_000_000 },
    { id: "w", runId: "r" },
  );
  return calls;
}

const execution = { workflowId: "w", runId: "r" };
const jitter = { seconds: 3, nanos: 0 };

it("each calls the one method that does it, with what the request said", async () => {
  const cases: [Operation, method: string, request: object][] = [
    [
      { case: "terminationOperation", value: { identity: "me" } },
      "TerminateWorkflowExecution",
      { workflowExecution: execution, reason: "because", identity: "me" },
    ],
    [
      { case: "cancellationOperation", value: { identity: "me" } },
      "RequestCancelWorkflowExecution",
      { workflowExecution: execution, identity: "me" },
    ],
    [
      { case: "signalOperation", value: { signal: "go", identity: "me" } },
      "SignalWorkflowExecution",
      { workflowExecution: execution, signalName: "go", identity: "me" },
    ],
    [{ case: "deletionOperation", value: {} }, "DeleteWorkflowExecution", { workflowExecution: execution }],
    [
      {
        case: "updateWorkflowOptionsOperation",
        value: { identity: "me", workflowExecutionOptions: {}, updateMask: { paths: ["versioning_override"] } },
      },
      "UpdateWorkflowExecutionOptions",
      { workflowExecution: execution, updateMask: { paths: ["versioning_override"] }, identity: "me" },
    ],
    [
      { case: "unpauseActivitiesOperation", value: { identity: "me", activity: { case: "type", value: "A" }, resetAttempts: true, jitter } },
      "UnpauseActivity",
      { execution, identity: "me", activity: { case: "type", value: "A" }, resetAttempts: true, resetHeartbeat: false, jitter },
    ],
    [
      { case: "unpauseActivitiesOperation", value: { activity: { case: "matchAll", value: true }, resetHeartbeat: true } },
      "UnpauseActivity",
      { execution, activity: { case: "unpauseAll", value: true }, resetHeartbeat: true },
    ],
    [
      { case: "resetActivitiesOperation", value: { activity: { case: "matchAll", value: true }, keepPaused: true, restoreOriginalOptions: true } },
      "ResetActivity",
      { execution, activity: { case: "matchAll", value: true }, keepPaused: true, restoreOriginalOptions: true },
    ],
    [
      {
        case: "updateActivityOptionsOperation",
        value: { activity: { case: "type", value: "A" }, activityOptions: {}, updateMask: { paths: ["priority"] } },
      },
      "UpdateActivityOptions",
      { execution, activity: { case: "type", value: "A" }, updateMask: { paths: ["priority"] }, restoreOriginal: false },
    ],
    [
      { case: "terminateActivitiesOperation", value: { identity: "me", reason: "why" } },
      "TerminateActivityExecution",
      { activityId: "w", runId: "r", identity: "me", reason: "why" },
    ],
    [
      { case: "cancelActivitiesOperation", value: { identity: "me", reason: "why" } },
      "RequestCancelActivityExecution",
      { activityId: "w", runId: "r", identity: "me", reason: "why" },
    ],
    [{ case: "deleteActivitiesOperation", value: {} }, "DeleteActivityExecution", { activityId: "w", runId: "r" }],
  ];
  for (const [operation, method, request] of cases) {
    const calls = await called(operation);
    expect(calls.map(([name]) => name)).toEqual([method]);
    expect(calls[0]?.[1]).toMatchObject({ namespace: "n", ...request });
  }
});

it("request ids are the same for the same target, and the official server's", async () => {
  const signal: Operation = { case: "signalOperation", value: { signal: "go" } };
  const id = async () => ((await called(signal))[0]?.[1] as { requestId: string } | undefined)?.requestId;
  // UUID version 5 of "job:signal:w:r:go" in the nil namespace.
  expect(await id()).toBe("2b26c4e8-8dae-5504-a15e-2b731da8057d");
  expect(await id()).toBe(await id());
});

const events = (...types: EventType[]) => ({ history: encode(History, { events: types.map((eventType, i) => ({ eventId: i + 1, eventType })) }) });
const { WORKFLOW_TASK_COMPLETED: COMPLETED, WORKFLOW_TASK_SCHEDULED: SCHEDULED, WORKFLOW_EXECUTION_STARTED: STARTED } = EventType;

it("a reset finds its event: first, last, by id, or where a build began", async () => {
  const resetTo = async (value: object, answers: Record<string, object>) => {
    const calls = await called({ case: "resetOperation", value: value as never }, answers);
    const [method, request] = calls.at(-1) as [string, { workflowTaskFinishEventId: number; workflowExecution: { runId: string } }];
    expect(method).toBe("ResetWorkflowExecution");
    expect(request).toMatchObject({ reason: "because" });
    return [request.workflowTaskFinishEventId, request.workflowExecution.runId];
  };
  const history = { GetWorkflowExecutionHistory: events(STARTED, SCHEDULED, COMPLETED, SCHEDULED, COMPLETED) };
  const reverse = {
    GetWorkflowExecutionHistoryReverse: {
      history: encode(History, {
        events: [
          { eventId: 5, eventType: COMPLETED },
          { eventId: 4, eventType: SCHEDULED },
        ],
      }),
    },
  };
  expect(await resetTo({ options: { target: { case: "firstWorkflowTask", value: {} } } }, history)).toEqual([3, "r"]);
  expect(await resetTo({ resetType: ResetType.FIRST_WORKFLOW_TASK }, history)).toEqual([3, "r"]);
  expect(await resetTo({ options: { target: { case: "lastWorkflowTask", value: {} } } }, reverse)).toEqual([5, "r"]);
  expect(await resetTo({ resetType: ResetType.LAST_WORKFLOW_TASK }, reverse)).toEqual([5, "r"]);
  // Where no task was completed: what follows the one that was scheduled.
  expect(await resetTo({ resetType: ResetType.FIRST_WORKFLOW_TASK }, { GetWorkflowExecutionHistory: events(STARTED, SCHEDULED) })).toEqual([3, "r"]);
  expect(await resetTo({ options: { target: { case: "workflowTaskId", value: 7 } } }, {})).toEqual([7, "r"]);
  const point = { buildId: "b", runId: "earlier", firstWorkflowTaskCompletedId: 4, resettable: true };
  const described = (p: object) => ({ DescribeWorkflowExecution: { workflowExecutionInfo: { autoResetPoints: { points: [{ ...point, ...p }] } } } });
  const build = (more: object = {}) => ({ options: { target: { case: "buildId", value: "b" }, ...more } });
  expect(await resetTo(build(), described({}))).toEqual([4, "earlier"]);
  await expect(resetTo(build({ currentRunOnly: true }), described({}))).rejects.toThrow("points to previous run and CurrentRunOnly is set");
  await expect(resetTo(build(), described({ resettable: false }))).rejects.toThrow("is not resettable");
  await expect(resetTo(build(), described({ expireTime: { seconds: 1 } }))).rejects.toThrow("is expired");
  await expect(resetTo(build(), described({ buildId: "other" }))).rejects.toThrow("Can't find reset point for b");
  await expect(resetTo({ resetType: ResetType.FIRST_WORKFLOW_TASK }, { GetWorkflowExecutionHistory: events(STARTED) })).rejects.toThrow(
    "unable to find",
  );
});

it("only what can pass is tried again", () => {
  const passes = (code: Code, operation: Operation["case"] = "signalOperation") => isPassing(new ServiceError(code, "x"), operation);
  expect([Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED, Code.INTERNAL].map((c) => passes(c))).toEqual([true, true, true]);
  expect([Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION, Code.UNIMPLEMENTED, Code.PERMISSION_DENIED].map((c) => passes(c))).toEqual([
    false,
    false,
    false,
    false,
  ]);
  expect(passes(Code.FAILED_PRECONDITION, "resetActivitiesOperation")).toBe(true);
  expect(passes(Code.FAILED_PRECONDITION, "terminateActivitiesOperation")).toBe(false);
});
