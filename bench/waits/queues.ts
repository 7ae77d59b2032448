/** Task queues and workers: deep ones, many of them, rules at their limits, heartbeats; many schedules; the skipping of time. */
import { TaskQueueType } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { duration } from "../../src/api/time.js";
import { concurrently } from "../rpc.js";
import { activity, begin, complete, nobody } from "./commands.js";
import { type Loads, times } from "./loads.js";
import { MANY } from "./runs.js";

const SCHEDULES = 10_000;
const WORKERS = 20_000;
const DAY_MICROS = 86_400_000_000;
const ASSIGNMENT_RULES = 100;
const REDIRECT_RULES = 500;

export async function queues(loads: Loads, httpAddress: string): Promise<void> {
  const { rpc } = loads;
  const deep = { namespace: MANY, taskQueue: { name: "deep", kind: 1 as const } };
  await loads.play("a deep task queue described, a hundred times", () =>
    concurrently(100, 10, async () => {
      await rpc.call("DescribeTaskQueue", { ...deep, taskQueueType: 1, reportStats: true, includeTaskQueueStatus: true });
      const taskQueueTypes = [TaskQueueType.WORKFLOW, TaskQueueType.ACTIVITY];
      const versions = { unversioned: true, allActive: true };
      await rpc.call("DescribeTaskQueue", { ...deep, apiMode: 1, taskQueueTypes, versions, reportStats: true, reportPollers: true });
      await rpc.call("ListTaskQueuePartitions", deep);
    }),
  );
  await loads.play("its reachability, of 5,000 builds", () =>
    rpc
      .call("DescribeTaskQueue", {
        ...deep,
        apiMode: 1,
        taskQueueTypes: [TaskQueueType.WORKFLOW],
        versions: { buildIds: times(5_000, (i) => `b${i}`) },
        reportTaskReachability: true,
        reportStats: true,
      })
      .catch(() => undefined),
  );
  await loads.play("200 workers that leave, beside 10,000 task queues", () =>
    concurrently(200, 200, async (i) => {
      const identity = `worker-${i}`;
      await rpc.call("ShutdownWorker", {
        namespace: MANY,
        identity,
        workerInstanceKey: identity,
        stickyTaskQueue: `${identity}-sticky`,
        taskQueue: "deep",
      });
    }),
  );
  await loads.play("1,000 polls that begin and end at once", async () => {
    const polls = times(1_000, () =>
      rpc.call("PollActivityTaskQueue", { taskQueue: { name: "polled" }, workerInstanceKey: "polling" }).catch(() => undefined),
    );
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await rpc.call("ShutdownWorker", { identity: "bench", workerInstanceKey: "polling", taskQueue: "polled" });
    await Promise.all(polls);
  });
  await loads.play("/metrics beside 10,000 task queues, the first of them", async () => {
    await (await fetch(`http://${httpAddress}/metrics`)).text();
  });
  await loads.play("/metrics once more", async () => {
    await (await fetch(`http://${httpAddress}/metrics`)).text();
  });
  await loads.play("sets of build ids at their limit, and their reachability", async () => {
    for (let set = 0; set < 10; set++) {
      await rpc.call("UpdateWorkerBuildIdCompatibility", {
        taskQueue: "sets",
        operation: { case: "addNewBuildIdInNewDefaultSet", value: `${set}.0` },
      });
      for (let build = 1; build < 10; build++)
        await rpc.call("UpdateWorkerBuildIdCompatibility", {
          taskQueue: "sets",
          operation: {
            case: "addNewCompatibleBuildId",
            value: { newBuildId: `${set}.${build}`, existingCompatibleBuildId: `${set}.0`, makeSetDefault: true },
          },
        });
    }
    await rpc.call("GetWorkerBuildIdCompatibility", { taskQueue: "sets" });
    await rpc.call("GetWorkerTaskReachability", { buildIds: times(5, (i) => `${i}.0`), taskQueues: ["sets"] });
  });
  await loads.play(`versioning rules at their limit, ${ASSIGNMENT_RULES} and ${REDIRECT_RULES}`, async () => {
    let { conflictToken } = await rpc.call("GetWorkerVersioningRules", { taskQueue: "rules" });
    for (let i = 0; i < ASSIGNMENT_RULES; i++)
      ({ conflictToken } = await rpc.call("UpdateWorkerVersioningRules", {
        taskQueue: "rules",
        conflictToken,
        operation: { case: "insertAssignmentRule", value: { ruleIndex: 0, rule: { targetBuildId: `a${i}` } } },
      }));
    for (let i = 0; i < REDIRECT_RULES; i++)
      ({ conflictToken } = await rpc.call("UpdateWorkerVersioningRules", {
        taskQueue: "rules",
        conflictToken,
        operation: {
          case: "addCompatibleRedirectRule",
          value: { rule: { sourceBuildId: `r${i}`, targetBuildId: i % 40 === 0 ? `t${i}` : `r${i - 1}` } },
        },
      }));
    await rpc.call("GetWorkerVersioningRules", { taskQueue: "rules" });
  });
  await loads.play(`heartbeats of ${WORKERS} workers in one call`, () =>
    rpc.call("RecordWorkerHeartbeat", {
      workerHeartbeat: times(WORKERS, (i) => ({ workerInstanceKey: `worker-${(i * 7919) % WORKERS}`, workerIdentity: "w", taskQueue: `q${i % 10}` })),
    }),
  );
  await loads.play("  20 lists of them", () =>
    concurrently(20, 20, async () => void (await rpc.call("ListWorkers", { query: "TaskQueue = 'q1' OR TaskQueue = 'q2'", pageSize: 100 }))),
  );
  await loads.play("  all of them in pages of 100", async () => {
    let nextPageToken: Uint8Array = new Uint8Array(0);
    do ({ nextPageToken } = await rpc.call("ListWorkers", { pageSize: 100, nextPageToken }));
    while (nextPageToken.length > 0);
  });
  await loads.play("  all of them in one page", () => rpc.call("ListWorkers", { pageSize: WORKERS }));
  await loads.play("  those that meet one of 5,000 conditions", () =>
    rpc.call("ListWorkers", { query: noneOf("TaskQueue", 5_000) }).catch(() => undefined),
  );
  await loads.play("a workflow rule of 20,000 conditions, and ten activities that it is asked about", async () => {
    const trigger = { case: "activityStart", value: { predicate: noneOf("ActivityType", 20_000) } } as const;
    await rpc.call("CreateWorkflowRule", { spec: { id: "rule", trigger, actions: [{ variant: { case: "activityPause", value: {} } }] } });
    const token = await begin(rpc, "ruled");
    const taskQueue = { name: "ruled", kind: 1 } as const;
    await complete(
      rpc,
      token,
      times(10, (i) => activity(`${i}`, taskQueue)),
    );
    for (let i = 0; i < 10; i++) await rpc.call("PollActivityTaskQueue", { taskQueue });
    await rpc.call("DeleteWorkflowRule", { ruleId: "rule" });
    await rpc.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: "ruled" } });
  });
}

/** A query of many conditions that nothing meets. */
const noneOf = (field: string, conditions: number): string => times(conditions, (i) => `${field} = 'none-${i}'`).join(" OR ");

export async function manySchedules(loads: Loads): Promise<void> {
  const { rpc } = loads;
  const now = (Date.now() * 1_000) % DAY_MICROS;
  await loads.play(`${SCHEDULES} schedules created`, () =>
    concurrently(SCHEDULES, 50, async (i) => {
      const scheduleId = `daily-${i}`;
      const spec = { interval: [{ interval: duration(DAY_MICROS), phase: duration((now + DAY_MICROS / 2) % DAY_MICROS) }] };
      const action = {
        action: { case: "startWorkflow", value: { workflowId: scheduleId, workflowType: { name: "w" }, taskQueue: nobody } },
      } as const;
      await rpc.call("CreateSchedule", { scheduleId, requestId: scheduleId, schedule: { spec, action } });
    }),
  );
  await loads.play("  listed in pages of 1,000, and counted", async () => {
    let nextPageToken: Uint8Array = new Uint8Array(0);
    do ({ nextPageToken } = await rpc.call("ListSchedules", { maximumPageSize: 1_000, nextPageToken }));
    while (nextPageToken.length > 0);
    await rpc.call("CountSchedules", {});
  });
}

/** Last: nothing else is to be asked of a server whose time has been skipped. */
export async function clocks(loads: Loads): Promise<void> {
  const { rpc } = loads;
  await loads.play("the first UnlockTimeSkipping, which looks at every open run", async () => {
    await rpc.call("UnlockTimeSkipping", {});
    await rpc.call("LockTimeSkipping", {});
  });
}
