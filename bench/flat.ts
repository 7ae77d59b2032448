/**
 * `npm run bench:flat`: costs that must not grow with what is already there. CPU is the server's, over enough calls to be counted in
 * ticks of 10 ms; each pair is measured in turns, so that a noisy machine is noisy to both.
 */
import type { Command } from "../gen/wire/temporal/api/command/v1/message.js";
import { CommandType } from "../gen/wire/temporal/api/enums/v1/command_type.js";
import { duration } from "../src/api/time.js";
import type { Init } from "../src/api/wire.js";
import { startServer, temporaryDirectory } from "../test/harness/server-process.js";
import { done, figure, heading, note } from "./figures.js";
import { cpuMs, median, rssMib, settledCpuMs } from "./process-usage.js";
import { concurrently, Rpc } from "./rpc.js";

const ROUNDS = 7;
const DAY_MICROS = 86_400_000_000;
const queue = { name: "bench", kind: 1 } as const;

const server = await startServer(["--db-filename", `${temporaryDirectory()}/flat.db`]);
const rpc = new Rpc(server.address);

const start = (workflowId: string) =>
  rpc.call("StartWorkflowExecution", {
    workflowId,
    requestId: workflowId,
    workflowType: { name: "w" },
    taskQueue: queue,
    workflowTaskTimeout: duration(60_000_000),
  });

/** Starts a workflow and completes its first workflow task with the commands. */
async function begin(workflowId: string, commands: readonly Init<Command>[]): Promise<void> {
  await start(workflowId);
  const task = await rpc.call("PollWorkflowTaskQueue", { taskQueue: queue });
  await rpc.call("RespondWorkflowTaskCompleted", { taskToken: task.taskToken, commands: [...commands] });
}

const marker: Init<Command> = {
  commandType: CommandType.RECORD_MARKER,
  attributes: { case: "recordMarkerCommandAttributes", value: { markerName: "m" } },
};

/** Workflow tasks with 1,000 markers each, until the history has about so many events. */
/** `batch`: events that one workflow task adds, which are one row. */
async function beginLong(workflowId: string, events: number, batch = 1_000): Promise<void> {
  await begin(workflowId, new Array(batch - 10).fill(marker));
  for (let has = batch; has < events; has += batch) {
    await rpc.call("SignalWorkflowExecution", { workflowExecution: { workflowId }, signalName: "go-on", requestId: `go-on-${has}` });
    const task = await rpc.call("PollWorkflowTaskQueue", { taskQueue: queue });
    await rpc.call("RespondWorkflowTaskCompleted", { taskToken: task.taskToken, commands: new Array(batch - 4).fill(marker) });
  }
}
const timer = (timerId: string): Init<Command> => ({
  commandType: CommandType.START_TIMER,
  attributes: { case: "startTimerCommandAttributes", value: { timerId, startToFireTimeout: duration(DAY_MICROS) } },
});
const activity = (activityId: string): Init<Command> => ({
  commandType: CommandType.SCHEDULE_ACTIVITY_TASK,
  attributes: {
    case: "scheduleActivityTaskCommandAttributes",
    value: {
      activityId,
      activityType: { name: "a" },
      taskQueue: queue,
      scheduleToCloseTimeout: duration(DAY_MICROS),
      startToCloseTimeout: duration(DAY_MICROS),
    },
  },
});

async function cpuOf(f: () => Promise<void>): Promise<number> {
  const before = cpuMs(server.pid);
  await f();
  return cpuMs(server.pid) - before;
}

/** Median of the ratios of two costs that are measured in turns. */
async function ratio(
  rounds: number,
  small: () => Promise<void>,
  large: () => Promise<void>,
): Promise<{ ratio: number; smallMs: number; largeMs: number }> {
  const ratios: number[] = [];
  const of: { small: number[]; large: number[] } = { small: [], large: [] };
  for (let i = 0; i < rounds; i++) {
    const s = await cpuOf(small);
    const l = await cpuOf(large);
    of.small.push(s);
    of.large.push(l);
    ratios.push(l / Math.max(s, 1));
  }
  return { ratio: median(ratios), smallMs: median(of.small), largeMs: median(of.large) };
}

heading("npm run bench:flat");

{
  const SIGNALS = 4_000;
  let n = 0;
  const signalsTo = (ids: readonly string[]) => () =>
    concurrently(SIGNALS, 20, async () => {
      const signal = n++;
      const workflowId = ids[signal % ids.length] as string;
      await rpc.call("SignalWorkflowExecution", { workflowExecution: { workflowId }, signalName: "s", requestId: `s-${signal}` });
    });
  const short: string[] = [];
  const long: string[] = [];
  // Many of each, so that the short ones stay short, and in turns, so that the rows of neither lie closer together in the file.
  for (let i = 0; i < 100; i++) {
    short.push(`short-${i}`);
    long.push(`long-${i}`);
    await begin(`short-${i}`, new Array(5).fill(marker));
    await beginLong(`long-${i}`, 10_000);
  }
  await signalsTo(short)();
  await signalsTo(long)();
  const r = await ratio(ROUNDS, signalsTo(short), signalsTo(long));
  note(`a signal: ${(r.smallMs / SIGNALS).toFixed(3)} ms of CPU at 10 events, ${(r.largeMs / SIGNALS).toFixed(3)} ms at 10,000`);
  figure("a signal at 10,000 events over one at 10", r.ratio, "x", 1.1);
}

{
  const COMPLETIONS = 1_000;
  const tokens = { few: [] as Uint8Array[], many: [] as Uint8Array[] };
  const fill = async (name: "few" | "many", workflows: number, pending: number): Promise<void> => {
    for (let w = 0; w < workflows; w++)
      await begin(
        `${name}-${tokens[name].length}-${w}`,
        Array.from({ length: pending }, (_, i) => activity(`a${i}`)),
      );
    const polled: Uint8Array[] = [];
    await concurrently(workflows * pending, 20, async () => {
      polled.push((await rpc.call("PollActivityTaskQueue", { taskQueue: queue })).taskToken);
    });
    tokens[name].push(...polled);
  };
  const complete = (name: "few" | "many") => async () => {
    const mine = tokens[name].splice(0, COMPLETIONS);
    await concurrently(mine.length, 20, async (i) => {
      await rpc.call("RespondActivityTaskCompleted", { taskToken: mine[i] as Uint8Array });
    });
  };
  // In each round 1,000 are completed: all of 100 workflows with 10, or the first of 10 with 1,000, which stay nearly full.
  const rounds: number[] = [];
  const each = { few: 0, many: 0 };
  for (let round = 0; round < 3; round++) {
    await fill("few", 100, 10);
    const few = await cpuOf(complete("few"));
    await fill("many", 1, 1_000);
    const many = await cpuOf(complete("many"));
    rounds.push(many / Math.max(few, 1));
    each.few = few / COMPLETIONS;
    each.many = many / COMPLETIONS;
  }
  note(`completing an activity: ${each.few.toFixed(3)} ms of CPU with 10 pending, ${each.many.toFixed(3)} ms with 1,000`);
  figure("completing an activity with 1,000 pending over one with 10", median(rounds), "x", 2);
}

{
  await begin("history-100", new Array(96).fill(marker));
  // Rows of the same size: what a page costs is what it shows, and the row that it cuts.
  await beginLong("history-50000", 50_000, 100);
  const pages = (workflowId: string) => () =>
    concurrently(400, 4, async () => {
      await rpc.call("GetWorkflowExecutionHistoryReverse", { execution: { workflowId }, maximumPageSize: 100 });
    });
  await pages("history-100")();
  await pages("history-50000")();
  const r = await ratio(ROUNDS, pages("history-100"), pages("history-50000"));
  note(`a reverse first page: ${(r.smallMs / 400).toFixed(3)} ms of CPU of 100 events, ${(r.largeMs / 400).toFixed(3)} ms of 50,000`);
  figure("a reverse first page of 50,000 events over one of 100", r.ratio, "x", 1.25);
}

await server.stop();
rpc.close();

{
  const idle = await startServer(["--db-filename", `${temporaryDirectory()}/idle.db`]);
  const client = new Rpc(idle.address);
  const WORKFLOWS = 100_000;
  const one = async (i: number): Promise<void> => {
    await client.call("StartWorkflowExecution", {
      workflowId: `idle-${i}`,
      requestId: `idle-${i}`,
      workflowType: { name: "w" },
      taskQueue: queue,
      workflowTaskTimeout: duration(60_000_000),
    });
    const task = await client.call("PollWorkflowTaskQueue", { taskQueue: queue });
    await client.call("RespondWorkflowTaskCompleted", { taskToken: task.taskToken, commands: [timer("far")] });
  };
  await concurrently(2_000, 50, one);
  const before = rssMib(idle.pid);
  await concurrently(WORKFLOWS - 2_000, 50, (i) => one(i + 2_000));
  // When the deadlines of the workflow tasks have passed, which move their rows, nothing is left to do.
  const cpuBefore = await settledCpuMs(idle.pid);
  figure("100,000 open workflows with far timers add", rssMib(idle.pid) - before, "MiB", 100);
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  figure("CPU of 10 idle seconds with them", cpuMs(idle.pid) - cpuBefore, "ms", 20);
  client.close();
  await idle.stop();
}
done();
