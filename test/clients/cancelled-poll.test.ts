/** A poll whose caller goes is withdrawn: the next task waits for a poller that is there. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TaskQueueType } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { WorkflowService } from "../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { decode, encode, type Init } from "../../src/api/wire.js";
import { type Answer, frame, type Sent, WireClient } from "../../src/rpc/wire-client.js";
import type { MethodDescriptor } from "../../src/worker/internal-client.js";
import { type ServerProcess, startServer } from "../harness/server-process.js";

const M = WorkflowService.methods;
const QUEUE = { namespace: "default", taskQueue: { name: "cancelled-poll" } };

describe("a cancelled poll", () => {
  let server: ServerProcess;
  const clients: WireClient[] = [];
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(async () => {
    for (const c of clients) c.close();
    await server.stop();
  });

  async function connect(): Promise<WireClient> {
    const client = await WireClient.connect(Number(server.address.slice(server.address.lastIndexOf(":") + 1)));
    clients.push(client);
    return client;
  }
  const send = <I>(client: WireClient, row: MethodDescriptor<I, unknown>, request: Init<I>): Sent =>
    client.send({ path: row.path, headers: { "grpc-timeout": "60S" }, chunks: [frame(encode(row.input, request))] });
  function reply<O>(row: MethodDescriptor<unknown, O>, answer: Answer): O {
    expect([answer.status, answer.text]).toEqual([0, ""]);
    return decode(row.output, answer.body.subarray(5));
  }
  async function call<I, O>(client: WireClient, row: MethodDescriptor<I, O>, request: Init<I>): Promise<O> {
    return reply(row as MethodDescriptor<unknown, O>, await send(client, row, request).answer);
  }
  /** The queue knows of a poller as soon as one waits. */
  async function pollerOf(client: WireClient, identity: string): Promise<void> {
    for (;;) {
      const { pollers } = await call(client, M.DescribeTaskQueue, { ...QUEUE, taskQueueType: TaskQueueType.WORKFLOW });
      if (pollers.some((p) => p.identity === identity)) return;
    }
  }

  it.each([
    ["by RST_STREAM", (poll: Sent, _: WireClient) => poll.stream.close(8)],
    ["with its connection", (_: Sent, client: WireClient) => client.close()],
  ])("%s gets no task", async (how, cancel) => {
    const client = await connect();
    const leaving = await connect();
    const poll = send(leaving, M.PollWorkflowTaskQueue, { ...QUEUE, identity: `leaving ${how}` });
    await pollerOf(client, `leaving ${how}`);
    cancel(poll, leaving);
    await poll.answer;
    // Its connection has been read up to the reset, or to its end, before the start below is sent.
    if (leaving.session.destroyed) await call(client, M.GetSystemInfo, {});
    else await call(leaving, M.GetSystemInfo, {});
    const execution = { workflowId: `after a poll cancelled ${how}` };
    await call(client, M.StartWorkflowExecution, { ...QUEUE, ...execution, workflowType: { name: "t" }, requestId: how });
    const task = await call(client, M.PollWorkflowTaskQueue, { ...QUEUE, identity: "staying" });
    expect([task.workflowExecution?.workflowId, task.attempt]).toEqual([execution.workflowId, 1]);
    // Nothing was given to another poller and timed out.
    expect(task.startedEventId).toBe(3);
  });
});
