/** Worker deployment versions, for scripts: their workers' polls, and changes of routing awaited. */
import type { Session } from "./session.js";
import { CallError } from "./subject.js";

export const VERSIONED = 2;
/** The official server keeps deployments in workflows of its own, which take their time. */
export const PATIENCE_MS = 30_000;

/** One deployment a script; its name is hidden like the ids. */
export const deployment = (s: Session) => s.queue;
export const options = (s: Session, buildId: string) => ({ deploymentName: deployment(s), buildId, workerVersioningMode: VERSIONED });
export const version = (s: Session, buildId: string) => ({ deploymentName: deployment(s), buildId });
/** A worker of the version, or of none. */
export const worker = (s: Session, buildId: string) => ({
  identity: `worker ${buildId}`,
  ...(buildId === "" ? {} : { deploymentOptions: options(s, buildId) }),
});

export const poll = (s: Session, buildId: string, queue = s.queue, timeoutMs = 20_000) =>
  s.call("PollWorkflowTaskQueue", { taskQueue: { name: queue, kind: 1 }, ...worker(s, buildId) }, timeoutMs);
export const pollActivity = (s: Session, buildId: string, queue = s.queue, timeoutMs = 20_000) =>
  s.call("PollActivityTaskQueue", { taskQueue: { name: queue, kind: 1 }, ...worker(s, buildId) }, timeoutMs);
export const pollNexus = (s: Session, buildId: string, queue = s.queue, timeoutMs = 20_000) =>
  s.call("PollNexusTaskQueue", { taskQueue: { name: queue, kind: 1 }, ...worker(s, buildId) }, timeoutMs);
const POLLS = { 1: poll, 2: pollActivity, 3: pollNexus } as const;

export const describeVersion = (s: Session, buildId: string) =>
  s.call("DescribeWorkerDeploymentVersion", { deploymentVersion: version(s, buildId) }).then((r) => r.workerDeploymentVersionInfo);
export const isThere = (e: unknown) => {
  if (e instanceof CallError && (e.code === 5 || e.code === 4)) return undefined;
  throw e;
};

/** Polls until the version is known to serve the queue: no task waits for it. */
export async function register(s: Session, buildId: string, queue = s.queue, type: keyof typeof POLLS = 1): Promise<void> {
  const serves = async () => {
    const info = await describeVersion(s, buildId).catch(isThere);
    return info?.taskQueueInfos.some((q) => q.name === queue && q.type === type) === true;
  };
  for (let i = 0; i < 40 && !(await serves()); i++) await POLLS[type](s, buildId, queue, 2500).catch(isThere);
  await s.until(`${buildId} serves ${queue}`, serves);
}

interface QueueOfType {
  readonly name: string;
  readonly type: number;
}
const ofWorkflows = (s: Session): readonly QueueOfType[] => [1, 2].map((type) => ({ name: s.queue, type }));

/** The official server's queues learn of a change after the caller has. */
export async function routed(s: Session, what: "current" | "ramping", buildId: string, queues = ofWorkflows(s)): Promise<void> {
  await s.until(`the queues know that ${buildId || "none"} is ${what}`, async () => {
    for (const { name, type: taskQueueType } of queues) {
      const { versioningInfo: info } = await s.call("DescribeTaskQueue", { taskQueue: { name, kind: 1 }, taskQueueType }, PATIENCE_MS);
      const serves =
        buildId === "" || (await describeVersion(s, buildId).catch(isThere))?.taskQueueInfos.some((q) => q.type === taskQueueType) === true;
      const is = what === "current" ? info?.currentDeploymentVersion : info?.rampingDeploymentVersion;
      if (serves && (is?.buildId ?? "") !== buildId) return false;
    }
    return true;
  });
}
export async function current(s: Session, buildId: string, extra: object = {}, queues?: readonly QueueOfType[]): Promise<void> {
  await s.call("SetWorkerDeploymentCurrentVersion", { deploymentName: deployment(s), buildId, identity: "operator", ...extra }, PATIENCE_MS);
  await routed(s, "current", buildId, queues);
}
export async function ramping(s: Session, buildId: string, percentage: number, extra: object = {}, queues?: readonly QueueOfType[]): Promise<void> {
  await s.call(
    "SetWorkerDeploymentRampingVersion",
    { deploymentName: deployment(s), buildId, percentage, identity: "operator", ...extra },
    PATIENCE_MS,
  );
  await routed(s, "ramping", buildId, queues);
}
