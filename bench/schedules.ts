/**
 * `npm run bench:schedules`: schedules that wait cost next to nothing, and skipped time is fast. In: a server with 10,000 schedules that
 * act once a day, and a server for tests with one of them. Out: what the first adds in memory, CPU and rows in a minute, and how long
 * the second sleeps for thirty days.
 */
import { CommandType } from "../gen/wire/temporal/api/enums/v1/command_type.js";
import { duration } from "../src/api/time.js";
import { startServer, startTestServer, temporaryDirectory } from "../test/harness/server-process.js";
import { counts } from "./counts.js";
import { done, figure, heading } from "./figures.js";
import { cpuMs, rssMib, settledCpuMs } from "./process-usage.js";
import { concurrently, Rpc } from "./rpc.js";

const SCHEDULES = 10_000;
const DAY_MICROS = 86_400_000_000;
const MINUTE_MS = 60_000;
const queue = { name: "bench", kind: 1 } as const;

function daily(rpc: Rpc, scheduleId: string): Promise<unknown> {
  const action = { workflowId: scheduleId, workflowType: { name: "w" }, taskQueue: queue };
  return rpc.call("CreateSchedule", {
    scheduleId,
    requestId: scheduleId,
    schedule: {
      // Not at the same moment of the day, and none within the minute that is measured.
      spec: { interval: [{ interval: duration(DAY_MICROS), phase: duration((nowOfDay() + DAY_MICROS / 2) % DAY_MICROS) }] },
      action: { action: { case: "startWorkflow", value: action } },
    },
  });
}
const nowOfDay = (): number => (Date.now() * 1_000) % DAY_MICROS;
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

heading("npm run bench:schedules");

{
  const server = await startServer(["--db-filename", `${temporaryDirectory()}/schedules.db`]);
  const port = Number(server.address.split(":")[1]);
  const rpc = new Rpc(server.address);
  // As many that are deleted again: what the requests themselves take (code, the collector's young space, pages of the file) is there before.
  await concurrently(SCHEDULES, 20, async (i) => void (await daily(rpc, `gone-${i}`)));
  await concurrently(SCHEDULES, 20, async (i) => void (await rpc.call("DeleteSchedule", { scheduleId: `gone-${i}` })));
  await settledCpuMs(server.pid);
  const before = rssMib(server.pid);
  await concurrently(SCHEDULES, 20, async (i) => void (await daily(rpc, `daily-${i}`)));
  await settledCpuMs(server.pid);
  figure("10,000 idle schedules add", rssMib(server.pid) - before, "MiB", 30);
  const { rows } = await counts(port);
  const cpu = await settledCpuMs(server.pid);
  await wait(MINUTE_MS);
  figure("CPU of a minute with them", ((cpuMs(server.pid) - cpu) * 100) / MINUTE_MS, "%", 0.1);
  figure("rows written in that time", (await counts(port)).rows - rows, "rows", 0);
  rpc.close();
  await server.stop();
}

{
  const server = await startTestServer(["0"]);
  const rpc = new Rpc(server.address);
  await daily(rpc, "daily");
  let isOver = false;
  const worker = (async () => {
    while (!isOver) {
      const task = await rpc.call("PollWorkflowTaskQueue", { taskQueue: queue });
      if (task.taskToken.length === 0) continue;
      const commands = [
        {
          commandType: CommandType.COMPLETE_WORKFLOW_EXECUTION,
          attributes: { case: "completeWorkflowExecutionCommandAttributes", value: {} },
        } as const,
      ];
      await rpc.call("RespondWorkflowTaskCompleted", { taskToken: task.taskToken, commands });
    }
  })();
  const begin = performance.now();
  await rpc.call("UnlockTimeSkippingWithSleep", { duration: duration(30 * DAY_MICROS) });
  figure("a sleep of 30 days", performance.now() - begin, "ms", 2_000);
  isOver = true;
  const { info } = await rpc.call("DescribeSchedule", { scheduleId: "daily" });
  figure("actions missing of 30", 30 - (info?.actionCount ?? 0), "", 0);
  await server.stop();
  rpc.close();
  await worker.catch(() => undefined);
}
done();
