/** Commands that a worker's process takes from its control queue: cancellation of activities that send no heartbeats. */
import { Payload } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { ExecuteCommandsRequest, ExecuteCommandsResponse } from "../../../gen/wire/temporal/api/nexusservices/workerservice/v1/request_response.js";
import type {
  PollActivityTaskQueueResponse,
  PollNexusTaskQueueResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { decode, encode } from "../../../src/api/wire.js";
import { command as c, type Script, type Session, seconds } from "../session.js";

const FAILURE = { message: "again", failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } } as never;
const handlerFailure = (type: string) => ({ message: "no", failureInfo: { case: "nexusHandlerFailureInfo" as const, value: { type } } });
const control = (s: Session, process = "p") => `temporal-sys/worker-commands/default/${s.id}/${process}`;
const take = (s: Session, workerControlTaskQueue = control(s)) =>
  s.call("PollActivityTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, identity: "worker", workerControlTaskQueue }, 20_000);
const poll = (s: Session, timeoutMs = 20_000, name = control(s)) =>
  s.call("PollNexusTaskQueue", { taskQueue: { name, kind: 3 }, identity: "process" }, timeoutMs);
const long = { startToCloseTimeout: seconds(600) };

/** What came, and whether it names the tasks, byte for byte, as their worker knows them. */
function showCommands(s: Session, { request }: PollNexusTaskQueueResponse, ...tasks: PollActivityTaskQueueResponse[]): void {
  if (request?.variant.case !== "startOperation") {
    s.note("no commands", request);
    return;
  }
  const { payload, ...operation } = request.variant.value;
  const { metadata, data } = decode(Payload, payload ?? new Uint8Array());
  const tokens = decode(ExecuteCommandsRequest, data).commands.map(({ type }) =>
    type.case === "cancelActivity" ? Buffer.from(type.value.taskToken).toString("hex") : "no cancellation",
  );
  s.note("operation", { ...operation, scheduledTime: request.scheduledTime, encoding: Buffer.from(metadata["encoding"] ?? []).toString() });
  s.note("the tasks", [tokens.length, ...tasks.map((t) => tokens.includes(Buffer.from(t.taskToken).toString("hex")))]);
}

const done = (s: Session, { taskToken }: PollNexusTaskQueueResponse, count = 1) => {
  const results = Array.from({ length: count }, () => ({ type: { case: "cancelActivity" as const, value: {} } }));
  const payload = encode(Payload, { data: encode(ExecuteCommandsResponse, { results }) });
  const variant = { case: "syncSuccess" as const, value: { payload } };
  const response = { variant: { case: "startOperation" as const, value: { variant } } };
  return s.call("RespondNexusTaskCompleted", { taskToken, identity: "process", response });
};

/** Asks for the cancellation of activities by their scheduled events. */
async function cancel(s: Session, ...scheduledEventIds: number[]): Promise<void> {
  await s.signal("cancel");
  await s.answer(scheduledEventIds.map((id) => c.cancelActivity(id)));
}

export const scripts: Record<string, Script> = {
  "an activity without heartbeats is canceled": async (s) => {
    await s.running([c.activity(s, "a", long)]);
    const task = await take(s);
    const commands = poll(s);
    await cancel(s, 5);
    const got = await commands;
    showCommands(s, got, task);
    await done(s, got);
    await s.call("RespondActivityTaskCanceled", { taskToken: task.taskToken, identity: "worker" });
    await s.answer([c.complete()]);
    await s.history();
  },
  "commands wait for their process": async (s) => {
    await s.running([c.activity(s, "a", long)]);
    const task = await take(s);
    await cancel(s, 5);
    await s.sleep(1000);
    const got = await poll(s);
    showCommands(s, got, task);
    await done(s, got);
  },
  "those of one workflow task come to each process together": async (s) => {
    await s.running(["a", "b", "c", "d"].map((id) => c.activity(s, id, long)));
    const tasks = [await take(s), await take(s), await take(s, control(s, "q")), await take(s)];
    // Which activity each poll got is up to the queue.
    const events = ["a", "b", "c", "d"].map((id, i) => [id, 5 + i] as const);
    const own = tasks.filter((_, i) => i < 2);
    const other = tasks.filter((_, i) => i === 2);
    await cancel(s, ...events.filter(([id]) => [...own, ...other].some((t) => t.activityId === id)).map(([, id]) => id));
    const got = await poll(s);
    showCommands(s, got, ...own);
    await done(s, got, 2);
    const others = await poll(s, 20_000, control(s, "q"));
    showCommands(s, others, ...other);
    await done(s, others);
    showCommands(s, await poll(s, 2500));
  },
  "an activity that is started eagerly": async (s) => {
    await s.start();
    const { taskToken } = await s.workflowTask();
    const { activityTasks } = await s.call("RespondWorkflowTaskCompleted", {
      taskToken,
      identity: "worker",
      workerControlTaskQueue: control(s),
      commands: [c.activity(s, "a", { ...long, requestEagerExecution: true })],
    });
    await cancel(s, 5);
    const got = await poll(s);
    showCommands(s, got, ...activityTasks);
    await done(s, got);
  },
  "a later attempt is told through its own worker's process": async (s) => {
    await s.running([c.activity(s, "a", { ...long, retryPolicy: { initialInterval: seconds(0.1) } })]);
    const first = await take(s, control(s, "q"));
    await s.call("RespondActivityTaskFailed", { taskToken: first.taskToken, identity: "worker", failure: FAILURE });
    const second = await take(s);
    await cancel(s, 5);
    const got = await poll(s);
    showCommands(s, got, first, second);
    await done(s, got);
  },
  "nothing is sent": async (s) => {
    await s.running(["none", "waits", "backs off"].map((id) => c.activity(s, id, { ...long, retryPolicy: { initialInterval: seconds(600) } })));
    // Of a worker that takes no commands, of one in its backoff, and of one that nobody has taken.
    const tasks = [await take(s, ""), await take(s)];
    await s.call("RespondActivityTaskFailed", {
      taskToken: (tasks[1] as PollActivityTaskQueueResponse).taskToken,
      identity: "worker",
      failure: FAILURE,
    });
    await cancel(s, 5, 6, 7);
    showCommands(s, await poll(s, 2500));
  },
  "an activity that ends before its worker has answered": async (s) => {
    await s.running([c.activity(s, "a", long)]);
    const task = await take(s);
    await cancel(s, 5);
    const got = await poll(s);
    await s.call("RespondActivityTaskCompleted", { taskToken: task.taskToken, identity: "worker" });
    await done(s, got);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a process that fails for now is told again": async (s) => {
    await s.running([c.activity(s, "a", long)]);
    const task = await take(s);
    await cancel(s, 5);
    const first = await poll(s);
    await s.call("RespondNexusTaskFailed", { taskToken: first.taskToken, identity: "process", failure: handlerFailure("UNAVAILABLE") });
    const second = await poll(s);
    showCommands(s, second, task);
    await done(s, second);
  },
  "a process that refuses is not told again": async (s) => {
    await s.running([c.activity(s, "a", long)]);
    await take(s);
    await cancel(s, 5);
    const first = await poll(s);
    await s.call("RespondNexusTaskFailed", { taskToken: first.taskToken, identity: "process", failure: handlerFailure("BAD_REQUEST") });
    showCommands(s, await poll(s, 4500));
    await s.shown("DescribeWorkflowExecution", { execution: { workflowId: s.id } }, (d) => d.pendingActivities.map((a) => [a.activityId, a.state]));
  },
};
