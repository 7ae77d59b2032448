/** Nexus tasks by worker versions: which workers get them, while routing, rules and sets of build ids change. */
import { CommandType } from "../../../gen/wire/temporal/api/enums/v1/command_type.js";
import { command as c, payloads, type Script, type Session, seconds } from "../session.js";
import { current, isThere, pollNexus, ramping, register, version } from "../worker-versions.js";

const NEXUS = 3;
const NOBODY_MS = 3_000;
/** The official server takes a moment to bring rules to its queues. */
const SETTLE_MS = 1_000;
const handlers = (s: Session) => `${s.queue}-h`;
const served = (s: Session) => [{ name: handlers(s), type: NEXUS }];

/** An operation of a workflow whose own workers have no version. `extra`: of the start. */
async function operation(s: Session, operationName = "op"): Promise<void> {
  await s.call("CreateNexusEndpoint", {
    spec: { name: `e-${s.id}`, target: { variant: { case: "worker", value: { namespace: "default", taskQueue: handlers(s) } } } },
  });
  await s.running([scheduled(s, operationName)]);
}
const scheduled = (s: Session, name: string) => ({
  commandType: CommandType.SCHEDULE_NEXUS_OPERATION,
  attributes: {
    case: "scheduleNexusOperationCommandAttributes",
    value: { endpoint: `e-${s.id}`, service: "svc", operation: name, scheduleToCloseTimeout: seconds(90) },
  } as never,
});

type Poll = (timeoutMs?: number) => Promise<{ taskToken: Uint8Array }>;
const by =
  (s: Session, buildId: string): Poll =>
  (timeoutMs) =>
    pollNexus(s, buildId, handlers(s), timeoutMs);
const build = (s: Session, n: number) => `${s.queue}-${n}`;
const byBuild =
  (s: Session, n: number): Poll =>
  (timeoutMs = 20_000) =>
    s.call(
      "PollNexusTaskQueue",
      { taskQueue: { name: handlers(s) }, identity: `worker ${n}`, workerVersionCapabilities: { buildId: build(s, n), useVersioning: true } },
      timeoutMs,
    );

const nobody = async (s: Session, who: string, poll: Poll) => {
  const got = await poll(NOBODY_MS).catch(isThere);
  s.note(who, got === undefined || got.taskToken.length === 0 ? "no task" : "a task");
};
/** The worker gets the task, and the workflow its result. */
async function serves(s: Session, who: string, poll: Poll): Promise<void> {
  let taskToken = new Uint8Array(0);
  // A request that nobody took in time is made again.
  await s.until(`${who} has a task`, async () => {
    taskToken = Uint8Array.from((await poll().catch(isThere))?.taskToken ?? []);
    return taskToken.length > 0;
  });
  s.note(who, "a task");
  await s.call("RespondNexusTaskCompleted", {
    taskToken,
    identity: "handler",
    response: {
      variant: { case: "startOperation", value: { variant: { case: "syncSuccess", value: { payload: payloads("out").subarray(2) } } } },
    } as never,
  });
}
const end = async (s: Session) => {
  await s.answer([c.complete()]);
  await s.history();
};
const versionShown = (s: Session, buildId: string) =>
  s.shown("DescribeWorkerDeploymentVersion", { deploymentVersion: version(s, buildId), reportTaskQueueStats: true }, (r) => [
    r.workerDeploymentVersionInfo?.status,
    r.workerDeploymentVersionInfo?.taskQueueInfos,
    r.versionTaskQueues,
  ]);
async function rule(s: Session, name: string, value: object): Promise<void> {
  const { conflictToken } = await s.call("GetWorkerVersioningRules", { taskQueue: handlers(s) });
  await s.call("UpdateWorkerVersioningRules", { taskQueue: handlers(s), conflictToken, operation: { case: name, value } as never });
  await s.sleep(SETTLE_MS);
}
async function sets(s: Session, name: string, value: unknown): Promise<void> {
  await s.call("UpdateWorkerBuildIdCompatibility", { taskQueue: handlers(s), operation: { case: name, value } as never });
  await s.sleep(SETTLE_MS);
}

export const scripts: Record<string, Script> = {
  "a version comes into being by a poll for Nexus tasks": async (s) => {
    await register(s, "1", handlers(s), NEXUS);
    await versionShown(s, "1");
    const queue = { taskQueue: { name: handlers(s), kind: 1 }, taskQueueType: NEXUS };
    await s.shown("DescribeTaskQueue", queue, (r) => [r.pollers, r.versioningInfo]);
    await current(s, "1", {}, served(s));
    await s.shown("DescribeTaskQueue", { ...queue, reportStats: true }, (r) => [r.versioningInfo, r.stats, r.statsByPriorityKey]);
    await versionShown(s, "1");
    await operation(s);
    await serves(s, "the current version", by(s, "1"));
    await s.refused("PollNexusTaskQueue", {
      taskQueue: { name: handlers(s), kind: 1 },
      workerVersionCapabilities: { buildId: "x".repeat(256), useVersioning: true },
    });
    await s.refused("PollNexusTaskQueue", { taskQueue: { name: handlers(s), kind: 1 }, workerVersionCapabilities: { useVersioning: true } });
    await s.refused("PollNexusTaskQueue", {
      taskQueue: { name: handlers(s), kind: 1 },
      deploymentOptions: { deploymentName: "a", workerVersioningMode: 2 },
    });
  },
  "a version whose workers poll for Nexus tasks stays": async (s) => {
    await register(s, "1", handlers(s), NEXUS);
    await s.refused("DeleteWorkerDeploymentVersion", { deploymentVersion: version(s, "1"), identity: "operator" });
    await operation(s);
    await serves(s, "a worker without a version", by(s, ""));
  },
  "a heartbeat comes with a poll for Nexus tasks": async (s) => {
    const workerInstanceKey = `${s.id}-worker`;
    const heartbeat = { workerInstanceKey, workerIdentity: "worker", taskQueue: handlers(s), sdkName: "sdk", status: 1 };
    await s.call("PollNexusTaskQueue", { taskQueue: { name: handlers(s) }, identity: "worker", workerHeartbeat: [heartbeat] }, 2_500).catch(isThere);
    await s.until("the worker is known", async () => {
      const { workersInfo } = await s.call("ListWorkers", { query: `WorkerInstanceKey = '${workerInstanceKey}'` });
      return workersInfo.length > 0;
    });
    await s.shown("DescribeWorker", { workerInstanceKey }, (r) => r.workerInfo);
    await operation(s);
    await serves(s, "a worker without a version", by(s, ""));
  },
  "Nexus tasks of no version": async (s) => {
    await register(s, "1", handlers(s), NEXUS);
    await operation(s);
    await nobody(s, "a version that is not current", by(s, "1"));
    await serves(s, "a worker without a version", by(s, ""));
    await end(s);
  },
  "Nexus tasks of the current version": async (s) => {
    await register(s, "1", handlers(s), NEXUS);
    await register(s, "2", handlers(s), NEXUS);
    await current(s, "1", {}, served(s));
    await operation(s);
    await nobody(s, "a worker without a version", by(s, ""));
    await nobody(s, "another version", by(s, "2"));
    await serves(s, "the current version", by(s, "1"));
    await end(s);
  },
  "a Nexus task that waits goes to the version that becomes current": async (s) => {
    await register(s, "1", handlers(s), NEXUS);
    await register(s, "2", handlers(s), NEXUS);
    await current(s, "1", {}, served(s));
    await operation(s);
    const waiting = by(s, "2");
    const [, task] = await Promise.all([current(s, "2", {}, served(s)), serves(s, "the version that becomes current", waiting)]);
    s.note("then", task ?? "done");
    await end(s);
  },
  "Nexus tasks of a whole ramp": async (s) => {
    await register(s, "1", handlers(s), NEXUS);
    await register(s, "2", handlers(s), NEXUS);
    await current(s, "1", {}, served(s));
    await ramping(s, "2", 100, {}, served(s));
    await operation(s);
    await nobody(s, "the current version", by(s, "1"));
    await serves(s, "the ramping version", by(s, "2"));
    await end(s);
  },
  "Nexus tasks of a ramp to no version": async (s) => {
    await register(s, "1", handlers(s), NEXUS);
    await current(s, "1", {}, served(s));
    await ramping(s, "", 100, {}, served(s));
    await s.until("the queue knows of the ramp", async () => {
      const { versioningInfo } = await s.call("DescribeTaskQueue", { taskQueue: { name: handlers(s), kind: 1 }, taskQueueType: NEXUS });
      return versioningInfo?.rampingVersionPercentage === 100;
    });
    await operation(s);
    await nobody(s, "the current version", by(s, "1"));
    await serves(s, "a worker without a version", by(s, ""));
    await end(s);
  },
  "Nexus tasks when the current version is taken back": async (s) => {
    await register(s, "1", handlers(s), NEXUS);
    await current(s, "1", {}, served(s));
    await operation(s);
    await nobody(s, "a worker without a version", by(s, ""));
    await current(s, "", { ignoreMissingTaskQueues: true }, served(s));
    await serves(s, "a worker without a version", by(s, ""));
    await end(s);
  },
  "Nexus tasks by a rule and a redirect of build ids": async (s) => {
    await rule(s, "insertAssignmentRule", { ruleIndex: 0, rule: { targetBuildId: build(s, 1) } });
    await operation(s, "first");
    await nobody(s, "a worker without a build", by(s, ""));
    await nobody(s, "another build", byBuild(s, 2));
    await serves(s, "the build of the rule", byBuild(s, 1));
    await s.answer([scheduled(s, "second")]);
    await rule(s, "addCompatibleRedirectRule", { rule: { sourceBuildId: build(s, 1), targetBuildId: build(s, 2) } });
    await s.refused("PollNexusTaskQueue", {
      taskQueue: { name: handlers(s) },
      workerVersionCapabilities: { buildId: build(s, 1), useVersioning: true },
    });
    await serves(s, "the build that it redirects to", byBuild(s, 2));
    await end(s);
  },
  "Nexus tasks by sets of build ids": async (s) => {
    await sets(s, "addNewBuildIdInNewDefaultSet", build(s, 1));
    await operation(s, "first");
    await nobody(s, "a worker without a build", by(s, ""));
    await serves(s, "a build of the set", byBuild(s, 1));
    await sets(s, "addNewBuildIdInNewDefaultSet", build(s, 2));
    await s.answer([scheduled(s, "second")]);
    await nobody(s, "a build of the set before", byBuild(s, 1));
    await serves(s, "a build of the default set", byBuild(s, 2));
    await end(s);
  },
};
