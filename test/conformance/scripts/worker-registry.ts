/** Workers that send heartbeats: listed, counted, described, and gone when they say so. */
import type { WorkerHeartbeat } from "../../../gen/wire/temporal/api/worker/v1/message.js";
import type { Init } from "../../../src/api/wire.js";
import { type Script, type Session, seconds } from "../session.js";

const at = (s: number) => ({ seconds: 1_700_000_000 + s, nanos: 0 });
const beat = (s: Session, key: string, more: Init<WorkerHeartbeat> = {}): Init<WorkerHeartbeat> => ({
  workerInstanceKey: `${s.queue}-${key}`,
  workerIdentity: `${key}@host`,
  taskQueue: s.queue,
  hostInfo: { hostName: `host-${key}`, processId: "7", workerGroupingKey: "group" },
  deploymentVersion: { deploymentName: "shop", buildId: key },
  sdkName: "temporal-go",
  sdkVersion: "1.30.0",
  status: 1,
  startTime: at(0),
  heartbeatTime: at(60),
  elapsedSinceLastHeartbeat: seconds(60),
  plugins: [{ name: "tracing", version: "2" }],
  ...more,
});
const record = (s: Session, ...workerHeartbeat: Init<WorkerHeartbeat>[]) => s.call("RecordWorkerHeartbeat", { identity: "worker", workerHeartbeat });
const mine = (s: Session, more = "") => `TaskQueue = '${s.queue}'${more}`;

export const scripts: Record<string, Script> = {
  "workers listed, counted and described": async (s) => {
    await record(s, beat(s, "b"), beat(s, "a", { sdkName: "temporal-typescript", status: 2 }));
    await record(s, beat(s, "a", { currentStickyCacheSize: 5, workflowTaskSlotsInfo: { currentAvailableSlots: 3 } }));
    const page = (nextPageToken: Uint8Array) =>
      s.shown("ListWorkers", { query: mine(s), pageSize: 1, nextPageToken }, (r) => [r.workers, r.workersInfo.length, r.nextPageToken.length > 0]);
    const first = await page(new Uint8Array(0));
    const second = await page(first.nextPageToken);
    s.note("more pages", second.nextPageToken.length);
    await s.shown("CountWorkers", { query: mine(s) });
    await s.shown("DescribeWorker", { workerInstanceKey: `${s.queue}-a` });
    await s.refused("DescribeWorker", { workerInstanceKey: `${s.queue}-nobody` });
  },
  "a worker that has shut down": async (s) => {
    await record(s, beat(s, "a"), beat(s, "b"), beat(s, "c"));
    await record(s, beat(s, "a", { status: 3 }), beat(s, "b", { status: 2 }));
    await s.call("ShutdownWorker", {
      stickyTaskQueue: `${s.queue}-sticky`,
      workerInstanceKey: `${s.queue}-c`,
      taskQueue: s.queue,
      workerHeartbeat: beat(s, "c", { status: 3 }),
    });
    await s.shown("ListWorkers", { query: mine(s) }, (r) => r.workers.map((w) => [w.workerInstanceKey, w.status]));
    await s.refused("DescribeWorker", { workerInstanceKey: `${s.queue}-a` });
  },
  "queries of workers": async (s) => {
    await record(
      s,
      beat(s, "a"),
      beat(s, "b", { sdkName: "temporal-java", status: 2, deploymentVersion: undefined }),
      beat(s, "c", { startTime: at(3600), heartbeatTime: undefined, hostInfo: undefined }),
    );
    for (const condition of [
      "WorkerInstanceKey = 'nobody'",
      `WorkerInstanceKey = '${s.queue}-a'`,
      "WorkerIdentity STARTS_WITH 'b@'",
      "WorkerIdentity NOT STARTS_WITH 'b@'",
      "HostName = 'host-a'",
      "HostName IS NULL",
      "DeploymentName IS NOT NULL",
      "BuildId != 'a'",
      "SdkName = 'temporal-java' OR SdkVersion = '1.29.0'",
      "WorkerStatus = 'Running'",
      "Status = 'ShuttingDown'",
      "StartTime > '2023-11-14T22:30:00Z'",
      "StartTime <= '2023-11-14T22:13:20Z'",
      "StartTime = 1700000000000000000",
      "StartTime BETWEEN '2023-11-14T22:00:00Z' AND '2023-11-14T22:30:00Z'",
      "StartTime NOT BETWEEN '2023-11-14T22:00:00Z' AND '2023-11-14T22:30:00Z'",
      "HeartbeatTime IS NULL",
      "HeartbeatTime < '2000-01-01T00:00:00Z'",
      "HeartbeatTime NOT BETWEEN '2000-01-01T00:00:00Z' AND '2001-01-01T00:00:00Z'",
      "(SdkName = 'temporal-go' AND BuildId = 'a')",
      // What makes no sense matches nothing.
      "NOT SdkName = 'temporal-go'",
      "Unknown = 'x'",
      "(Unknown = 'x' OR SdkName = 'temporal-go')",
      "(SdkName = 'temporal-go' OR Unknown = 'x')",
      "SdkName > 'a'",
      "SdkName IN ('temporal-go')",
      "SdkName = 5",
      "SdkName = ''",
      "sdkname = 'temporal-go'",
      "StartTime = 'yesterday'",
      "SdkName LIKE 'temporal%'",
    ])
      await s.shown("CountWorkers", { query: mine(s, ` AND ${condition}`) }, (r) => [condition.replaceAll(s.queue, "q"), r.count]);
  },
  "queries of workers that are none": async (s) => {
    for (const query of ["TaskQueue = ", "TaskQueue", "AND", "TaskQueue = 'a' LIMIT 5", "TaskQueue = 'a", "TaskQueue = 'a' ORDER BY TaskQueue"]) {
      await record(s, beat(s, "a"));
      await s.call("ListWorkers", { query }).then(
        (r) => s.note(query, r.workers.length),
        (e: { code: number; message: string }) => s.note(query, [e.code, e.message]),
      );
    }
    await s.refused("CountWorkers", { query: "TaskQueue = " });
  },
  "calls about workers refused": async (s) => {
    const namespace = "there-is-no-such-namespace";
    await record(s, beat(s, "a"), beat(s, "b"));
    await s.refused("ListWorkers", { query: mine(s), pageSize: 1, nextPageToken: Buffer.from("no token") });
    await s.refused("ListWorkers", { namespace });
    await s.refused("CountWorkers", { namespace });
    await s.refused("DescribeWorker", { namespace, workerInstanceKey: "a" });
    await s.refused("RecordWorkerHeartbeat", { namespace });
  },
  "the server's own workers": async (s) => {
    await record(s, beat(s, "system", { taskQueue: `temporal-sys-${s.queue}` }));
    const query = `WorkerInstanceKey = '${s.queue}-system'`;
    await s.shown("CountWorkers", { query });
    await s.shown("CountWorkers", { query, includeSystemWorkers: true });
    await s.shown("ListWorkers", { query, includeSystemWorkers: true }, (r) => r.workers.length);
    await s.shown("ListWorkers", { query }, (r) => r.workers.length);
  },
  "polls end with their worker": async (s) => {
    const poll = (name: "PollWorkflowTaskQueue" | "PollActivityTaskQueue") =>
      s.call(name, { taskQueue: { name: s.queue, kind: 1 }, identity: "worker", workerInstanceKey: `${s.queue}-a` }, 20_000);
    const polls = Promise.all([poll("PollWorkflowTaskQueue"), poll("PollActivityTaskQueue")]);
    const other = s.call("PollActivityTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, identity: "other", workerInstanceKey: `${s.queue}-b` });
    await s.until("they wait", async () => {
      const pollers = await Promise.all(
        [1, 2].map((taskQueueType) => s.call("DescribeTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, taskQueueType })),
      );
      return pollers[0]?.pollers.length === 1 && pollers[1]?.pollers.length === 2;
    });
    await s.shown("ShutdownWorker", {
      workerInstanceKey: `${s.queue}-a`,
      identity: "worker",
      taskQueue: s.queue,
      stickyTaskQueue: `${s.queue}-sticky`,
    });
    s.note("answers", await polls);
    for (const taskQueueType of [1, 2])
      await s.shown("DescribeTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, taskQueueType }, (d) => d.pollers.map((p) => p.identity));
    s.note("a poll after that", await poll("PollActivityTaskQueue"));
    s.note("the other worker's", await other);
  },
};
