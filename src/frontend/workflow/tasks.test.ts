import { expect, test } from "vitest";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import {
  DeleteWorkflowExecutionRequest,
  GetWorkflowExecutionHistoryRequest,
  PollActivityTaskQueueRequest,
  PollWorkflowTaskQueueRequest,
  QueryWorkflowRequest,
  RecordActivityTaskHeartbeatByIdRequest,
  RespondActivityTaskCompletedByIdRequest,
  RespondActivityTaskFailedByIdRequest,
  StartWorkflowExecutionRequest,
  TerminateWorkflowExecutionRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { notFound } from "../../api/service-error.js";
import { decodeTaskToken } from "../../api/task-token.js";
import { decode } from "../../api/wire.js";
import type { QueryReply, StartedWorkflowTask } from "../../core/transition.js";
import { fakeServices, framed, RUN_ID, started } from "../fake-services.js";
import {
  pollActivityTaskQueue,
  recordActivityTaskHeartbeatById,
  respondActivityTaskCompletedById,
  respondActivityTaskFailedById,
} from "./activity-tasks.js";
import { deleteWorkflowExecution, terminateWorkflowExecution } from "./cancel-terminate-delete.js";
import { getWorkflowExecutionHistory } from "./history.js";
import { queryWorkflow } from "./query.js";
import { startWorkflowExecution } from "./start.js";
import { pollWorkflowTaskQueue } from "./workflow-tasks.js";

const queue = { namespace: "default", taskQueue: { name: "q" } };
const plain = { eventType: EventType.WORKFLOW_TASK_SCHEDULED };
const eventIds = (history: Uint8Array | undefined) => decode(History, history ?? new Uint8Array()).events.map((e) => e.eventId);
const tooLarge = new Uint8Array(2_097_153);
const activity = { namespace: "default", workflowId: "w", activityId: "a" };

test("a polled workflow task carries its first page of history; the token leads to the rest, transient events last", async () => {
  const task: StartedWorkflowTask = {
    response: { workflowExecution: { workflowId: "w", runId: RUN_ID }, startedEventId: 302 },
    history: { runKey: 1, segments: [], fromEventId: 1, endEventId: 301 },
    trailing: framed([{ eventId: 301 }, { eventId: 302 }]),
    scheduledEventId: 301,
    nonce: 1,
  };
  const f = await fakeServices({ pollWorkflowTask: () => Promise.resolve({ task, scaling: 1, waiting: 7 }) });
  f.history.append(started);
  for (let i = 0; i < 300; i++) f.history.append(plain);
  const r = await pollWorkflowTaskQueue(f.s)(PollWorkflowTaskQueueRequest.create(queue), f.call());
  expect([eventIds(r.history).length, r.startedEventId, r.pollerScalingDecision?.pollRequestDeltaSuggestion]).toEqual([256, 302, 1]);
  expect(r.backlogCountHint).toBe(7);
  const next = { namespace: "default", execution: { workflowId: "w" }, nextPageToken: r.nextPageToken };
  const rest = await getWorkflowExecutionHistory(f.s)(GetWorkflowExecutionHistoryRequest.create(next), f.call());
  const ids = eventIds(rest.history);
  expect([ids[0], ids.at(-1), ids.length, rest.nextPageToken]).toEqual([257, 302, 46, undefined]);
});

test("a poll that ends without a task answers empty", async () => {
  const none = () => Promise.resolve(undefined);
  const f = await fakeServices({ pollWorkflowTask: none, pollActivityTask: none });
  expect(await pollWorkflowTaskQueue(f.s)(PollWorkflowTaskQueueRequest.create(queue), f.call())).toEqual({});
  expect(await pollActivityTaskQueue(f.s)(PollActivityTaskQueueRequest.create(queue), f.call())).toEqual({});
});

test("a query task answers with the query and a token of the query, and with the history for who does not have it", async () => {
  const history = { runKey: 1, segments: [], fromEventId: 1, endEventId: 2 };
  const reply = {
    kind: "direct" as const,
    runId: RUN_ID,
    stickyTaskQueue: "",
    stickyScheduleToStartMs: 0,
    taskQueue: "q",
    workflowType: "t",
    priority: 3,
    previousStartedEventId: 3,
    history,
  };
  const request = QueryWorkflowRequest.create({ execution: { workflowId: "w" }, query: { queryType: "state" } });
  let isSticky = false;
  const f = await fakeServices({
    pollWorkflowTask: () =>
      Promise.resolve({ query: { reply, request, onStickyUnanswered: () => undefined }, queryId: "7", isSticky, scaling: 0, waiting: 0 }),
  });
  f.history.append(started);
  const r = await pollWorkflowTaskQueue(f.s)(PollWorkflowTaskQueueRequest.create(queue), f.call());
  expect([r.query?.queryType, eventIds(r.history), r.previousStartedEventId]).toEqual(["state", [1], 3]);
  expect(decodeTaskToken(r.taskToken ?? new Uint8Array())).toMatchObject({ workflowId: "w", taskQueue: "q", queryId: "7" });
  isSticky = true;
  const sticky = await pollWorkflowTaskQueue(f.s)(PollWorkflowTaskQueueRequest.create(queue), f.call());
  expect([sticky.query?.queryType, eventIds(sticky.history), sticky.nextPageToken?.length, sticky.previousStartedEventId]).toEqual([
    "state",
    [],
    0,
    3,
  ]);
});

test("an activity task takes its input from the event that scheduled it", async () => {
  const input = Buffer.from("in");
  const task = { response: { attempt: 2 }, scheduled: { segments: [], eventId: 2 }, scheduledEventId: 2, nonce: 1 };
  const f = await fakeServices({ pollActivityTask: () => Promise.resolve({ task, scaling: -1 }) });
  const attributes = { case: "activityTaskScheduledEventAttributes" as const, value: { activityId: "a", activityType: { name: "t" }, input } };
  f.history.append(started, { eventType: EventType.ACTIVITY_TASK_SCHEDULED, attributes });
  const r = await pollActivityTaskQueue(f.s)(PollActivityTaskQueueRequest.create(queue), f.call());
  expect(r).toMatchObject({
    activityId: "a",
    activityType: { name: "t" },
    attempt: 2,
    input,
    pollerScalingDecision: { pollRequestDeltaSuggestion: -1 },
  });
});

test("what an activity reports beyond the blob limit fails the activity instead", async () => {
  const f = await fakeServices();
  f.history.replies = { failActivity: () => undefined };
  const heartbeat = { ...activity, details: tooLarge };
  const r = await recordActivityTaskHeartbeatById(f.s)(RecordActivityTaskHeartbeatByIdRequest.create(heartbeat), f.call());
  expect(r.cancelRequested).toBe(true);
  await respondActivityTaskCompletedById(f.s)(RespondActivityTaskCompletedByIdRequest.create({ ...activity, result: tooLarge }), f.call());
  const failed = { ...activity, failure: { message: "m".repeat(2_097_153) }, lastHeartbeatDetails: tooLarge };
  const answer = await respondActivityTaskFailedById(f.s)(RespondActivityTaskFailedByIdRequest.create(failed), f.call());
  expect(answer.failures?.map((x) => x.message)).toEqual(["Heartbeat details exceed size limit.", "Failure exceeds size limit."]);
  const failures = f.history.inputs.map(({ input }) => (input.kind === "failActivity" ? input.failure : undefined));
  expect(failures.map((x) => x?.message)).toEqual([
    "Heartbeat details exceed size limit.",
    "Complete result exceeds size limit.",
    "Failure exceeds size limit.",
  ]);
  expect(failures[2]?.cause?.message.length).toBe(524_288);
  expect(f.warnings.length).toBeGreaterThan(0);
});

test("a start is handed on with its defaults filled in", async () => {
  const f = await fakeServices();
  const reply = { runId: RUN_ID, started: true, status: 1, eagerTask: undefined, startedEventLink: undefined, firstRunId: RUN_ID };
  f.history.replies = { start: () => reply };
  const request = {
    ...queue,
    workflowId: "w",
    workflowType: { name: "t" },
    workflowExecutionTimeout: { seconds: 5 },
    workflowTaskTimeout: { seconds: 600 },
    retryPolicy: { initialInterval: { seconds: 2 } },
  };
  const r = await startWorkflowExecution(f.s)(StartWorkflowExecutionRequest.create(request), f.call());
  const input = f.history.inputs[0]?.input;
  expect(input?.kind === "start" ? input.request : undefined).toMatchObject({
    requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    workflowIdReusePolicy: 1,
    workflowIdConflictPolicy: 1,
    workflowRunTimeout: { seconds: 5, nanos: 0 },
    workflowTaskTimeout: { seconds: 5, nanos: 0 },
    retryPolicy: { initialInterval: { seconds: 2 }, maximumInterval: { seconds: 200, nanos: 0 }, backoffCoefficient: 2, maximumAttempts: 0 },
    taskQueue: { kind: 1 },
  });
  expect(r.link?.variant).toMatchObject({ case: "workflowEvent", value: { runId: RUN_ID, reference: { case: "eventRef", value: { eventId: 1 } } } });
});

test("a query that nobody answers is given up at its deadline, or when its caller goes, and dropped", async () => {
  const f = await fakeServices();
  f.history.replies = { query: () => new Promise<QueryReply>(() => undefined), dropQuery: () => undefined };
  const request = () => QueryWorkflowRequest.create({ namespace: "default", execution: { workflowId: "w" }, query: { queryType: "q" } });
  const atDeadline = queryWorkflow(f.s)(request(), f.call(3000)) as Promise<unknown>;
  f.runtime.elapse(3000);
  await expect(atDeadline).rejects.toThrow("query timed out before a worker could process it");
  const call = f.call(3000);
  const gone = queryWorkflow(f.s)(request(), call) as Promise<unknown>;
  call.cancel();
  await expect(gone).rejects.toThrow("query timed out");
  expect(f.history.inputs.map(({ input }) => input.kind)).toEqual(["query", "dropQuery", "query", "dropQuery"]);
  expect(f.runtime.timers.size).toBe(0);
});

test("a run whose sticky worker does not answer a query is sticky no more", async () => {
  const reply = { kind: "direct", runId: RUN_ID, stickyTaskQueue: "s" } as Extract<QueryReply, { kind: "direct" }>;
  const f = await fakeServices({
    query: (_namespace, query) => {
      query.onStickyUnanswered();
      return Promise.resolve({ queryResult: Buffer.from("r") });
    },
  });
  f.history.replies = {
    query: () => reply,
    resetSticky: () => Promise.reject(notFound("it has closed")),
  };
  const request = QueryWorkflowRequest.create({ namespace: "default", execution: { workflowId: "w" }, query: { queryType: "q" } });
  expect(await queryWorkflow(f.s)(request, f.call())).toEqual({ queryResult: Buffer.from("r") });
  expect(f.history.inputs.map(({ address, input }) => [address.runId, input.kind])).toEqual([
    ["", "query"],
    [RUN_ID, "resetSticky"],
  ]);
});

test("terminate says who did it when the caller does not", async () => {
  const f = await fakeServices();
  f.history.replies = { terminate: () => ({ runId: RUN_ID }) };
  await terminateWorkflowExecution(f.s)(
    TerminateWorkflowExecutionRequest.create({ namespace: "default", workflowExecution: { workflowId: "w" } }),
    f.call(),
  );
  expect(f.history.inputs[0]?.input).toMatchObject({ request: { reason: "terminated by user via frontend", identity: "frontend-service" } });
});

test("delete ends an open run first, and goes on when it has ended by itself", async () => {
  const f = await fakeServices();
  f.history.append(started);
  f.history.replies = { terminate: () => Promise.reject(notFound("workflow execution already completed")), delete: () => ({ runId: RUN_ID }) };
  await deleteWorkflowExecution(f.s)(
    DeleteWorkflowExecutionRequest.create({ namespace: "default", workflowExecution: { workflowId: "w" } }),
    f.call(),
  );
  expect(f.history.inputs.map(({ address, input }) => [input.kind, address.runId])).toEqual([
    ["historyPosition", ""],
    ["terminate", RUN_ID],
    ["delete", RUN_ID],
  ]);
});
