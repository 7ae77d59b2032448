/**
 * A worker whose machine is gone without a word: its connection stays open here, and its poll waits. What comes of a task that is given
 * to it, on a clock that the test moves.
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import { WorkflowService } from "../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { decode, encode, type Init } from "../../src/api/wire.js";
import { FakeRuntime } from "../../src/lib/fake-runtime.js";
import { frame, type Sent, WireClient } from "../../src/rpc/wire-client.js";
import type { MethodDescriptor } from "../../src/worker/internal-client.js";
import { openWholeServer, type WholeServer } from "../harness/whole-server.js";

const M = WorkflowService.methods;
const QUEUE = { namespace: "one", taskQueue: { name: "q" } };

let runtime: FakeRuntime;
let server: WholeServer;
let live: WireClient;
let vanishing: WireClient;
/** Both halves of the connection that vanishes, and what takes it. */
let halves: Socket[];
let onServersSideClosed: Promise<void>;
let cable: ReturnType<typeof createServer>;

beforeEach(async () => {
  runtime = new FakeRuntime("free");
  server = await openWholeServer({ runtime });
  halves = [];
  let closed = (): void => undefined;
  onServersSideClosed = new Promise((resolve) => (closed = resolve));
  cable = createServer((near) => {
    const far = connect(server.port, server.host);
    halves.push(near, far);
    for (const [a, b] of [[near, far] as const, [far, near] as const]) {
      a.on("error", () => undefined);
      a.pipe(b);
    }
    far.once("close", closed);
  });
  await new Promise<void>((resolve) => cable.listen(0, "127.0.0.1", resolve));
  live = await WireClient.connect(server.port);
  vanishing = await WireClient.connect((cable.address() as AddressInfo).port);
});
afterEach(async () => {
  for (const half of halves) half.destroy();
  live.close();
  cable.close();
  await server.close();
});

/** Nothing goes either way any more, the end of it included. */
function vanish(): void {
  const [near, far] = halves as [Socket, Socket];
  near.unpipe(far);
  far.unpipe(near);
  near.resume();
  far.resume();
}

const send = <I>(client: WireClient, row: MethodDescriptor<I, unknown>, request: Init<I>): Sent =>
  client.send({ path: row.path, headers: { "grpc-timeout": "300S" }, chunks: [frame(encode(row.input, request))] });

/** Time passes until there is an answer. */
async function call<I, O>(row: MethodDescriptor<I, O>, request: Init<I>, stepMs = 0): Promise<O> {
  let isAnswered = false;
  const answer = send(live, row, request).answer.finally(() => (isAnswered = true));
  while (!isAnswered) {
    runtime.elapse(stepMs);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { status, text, body } = await answer;
  expect([status, text]).toEqual([0, ""]);
  return decode(row.output, body.subarray(5));
}
const pollers = async (taskQueueType: number): Promise<string[]> =>
  (await call(M.DescribeTaskQueue, { ...QUEUE, taskQueueType })).pollers.map((p) => p.identity);
const start = (workflowId: string) => call(M.StartWorkflowExecution, { ...QUEUE, workflowId, workflowType: { name: "T" }, requestId: workflowId });

it("a workflow task that went to a worker who had vanished goes to another one when its time is up", async () => {
  send(vanishing, M.PollWorkflowTaskQueue, { ...QUEUE, identity: "gone" });
  await expect.poll(() => pollers(1)).toEqual(["gone"]);
  vanish();
  await start("w");
  const task = await call(M.PollWorkflowTaskQueue, { ...QUEUE, identity: "there" }, 500);
  expect([task.workflowExecution?.workflowId, task.attempt]).toEqual(["w", 2]);
  await call(M.RespondWorkflowTaskCompleted, {
    ...{ namespace: "one", taskToken: task.taskToken },
    commands: [
      { commandType: CommandType.COMPLETE_WORKFLOW_EXECUTION, attributes: { case: "completeWorkflowExecutionCommandAttributes", value: {} } },
    ],
  });
  const { workflowExecutionInfo } = await call(M.DescribeWorkflowExecution, { namespace: "one", execution: { workflowId: "w" } });
  expect(workflowExecutionInfo?.status).toBe(2);
});

it("an activity that went to a worker who had vanished goes to another one when its time is up", async () => {
  send(vanishing, M.PollActivityTaskQueue, { ...QUEUE, identity: "gone" });
  await expect.poll(() => pollers(2)).toEqual(["gone"]);
  vanish();
  await start("w");
  const { taskToken } = await call(M.PollWorkflowTaskQueue, { ...QUEUE, identity: "there" });
  const activity = { activityId: "a", activityType: { name: "A" }, taskQueue: { name: "q" }, startToCloseTimeout: { seconds: 30 } };
  await call(M.RespondWorkflowTaskCompleted, {
    ...{ namespace: "one", taskToken },
    commands: [{ commandType: CommandType.SCHEDULE_ACTIVITY_TASK, attributes: { case: "scheduleActivityTaskCommandAttributes", value: activity } }],
  });
  const task = await call(M.PollActivityTaskQueue, { ...QUEUE, identity: "there" }, 500);
  expect([task.activityId, task.attempt]).toEqual(["a", 2]);
});

it("the connection of who has vanished is closed within what keepalive says, and no task goes there afterwards", async () => {
  send(vanishing, M.PollWorkflowTaskQueue, { ...QUEUE, identity: "gone" });
  await expect.poll(() => pollers(1)).toEqual(["gone"]);
  vanish();
  runtime.elapse(60_000);
  // Whoever is there has answered the ping before the second of these.
  for (let i = 0; i < 2; i++) await call(M.GetSystemInfo, {});
  runtime.elapse(10_000);
  await onServersSideClosed;
  await start("w");
  const task = await call(M.PollWorkflowTaskQueue, { ...QUEUE, identity: "there" });
  expect([task.workflowExecution?.workflowId, task.attempt]).toEqual(["w", 1]);
});
