/**
 * Which worker version gets a task of a queue: what the deployments that serve the queue say together, and the choice for one
 * workflow. Behaviour: common/worker_versioning of the official server.
 */
import type { WorkerDeploymentRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { WorkerDeploymentVersionStatus } from "../../../gen/wire/temporal/api/enums/v1/deployment.js";
import type { TaskQueueType } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { timestampMicros } from "../../api/time.js";
import { fingerprint32 } from "../../lib/fingerprint32.js";
import type { Version } from "./version.js";

/** Versions that have polled a queue of one type, and where its tasks go. */
export interface QueueVersions {
  /** Status by deployment name and build id. */
  readonly members: ReadonlyMap<string, ReadonlyMap<string, WorkerDeploymentVersionStatus>>;
  readonly current: Version | undefined;
  readonly currentRevision: number;
  /** Microseconds; 0 never. */
  readonly currentTime: number;
  /** Undefined with `isRamping`: to workers of no version. */
  readonly ramping: Version | undefined;
  readonly isRamping: boolean;
  readonly rampPercentage: number;
  readonly rampingRevision: number;
  readonly rampingTime: number;
}

/** What a version's queues and routing are at one moment: replaced as a whole when anything changes. */
export interface VersionDirectory {
  /** Undefined: no version has ever polled the queue. */
  queue(namespaceId: string, taskQueue: string, type: TaskQueueType): QueueVersions | undefined;
  /** Where redirect rules lead from a build id. Unset: nobody has rules. */
  redirected?(namespaceId: string, taskQueue: string, buildId: string): string;
}

export const NO_VERSIONS: VersionDirectory = { queue: () => undefined };

export interface Target {
  readonly version: Version | undefined;
  readonly revision: number;
}
const NOWHERE: Target = { version: undefined, revision: 0 };

/** `deployments`: those with a version that has polled the queue. */
export function queueVersions(deployments: readonly WorkerDeploymentRecord[], taskQueue: string, type: TaskQueueType): QueueVersions {
  const members = new Map<string, Map<string, WorkerDeploymentVersionStatus>>();
  for (const d of deployments) {
    const builds = new Map<string, WorkerDeploymentVersionStatus>();
    for (const v of d.versions) if (v.taskQueues.some((q) => q.type === type && q.name === taskQueue)) builds.set(v.buildId, v.status);
    if (builds.size > 0) members.set(d.name, builds);
  }
  const isMember = (v: Version | undefined) => v !== undefined && members.get(v.deploymentName)?.has(v.buildId) === true;
  type Choice = { version: Version | undefined; time: number; revision: number; percentage: number };
  // A version that serves the queue goes before "no version", however new that is.
  const best: { current: [Choice?, Choice?]; ramping: [Choice?, Choice?] } = { current: [], ramping: [] };
  const offer = (to: [Choice?, Choice?], choice: Choice) => {
    const i = isMember(choice.version) ? 0 : choice.version === undefined ? 1 : undefined;
    if (i !== undefined && choice.time > (to[i]?.time ?? 0)) to[i] = choice;
  };
  for (const { routingConfig: rc, name } of deployments) {
    if (rc === undefined || !members.has(name)) continue;
    const common = { revision: rc.revisionNumber, percentage: rc.rampingVersionPercentage };
    offer(best.current, { ...common, version: rc.currentDeploymentVersion, time: timestampMicros(rc.currentVersionChangedTime) });
    offer(best.ramping, { ...common, version: rc.rampingDeploymentVersion, time: timestampMicros(rc.rampingVersionPercentageChangedTime) });
  }
  const current = best.current[0] ?? best.current[1];
  const ramping = best.ramping[0] ?? best.ramping[1];
  return {
    members,
    current: current?.version,
    currentRevision: current?.revision ?? 0,
    currentTime: current?.time ?? 0,
    ramping: ramping?.version,
    isRamping: ramping !== undefined && (ramping.version !== undefined || ramping.percentage > 0),
    rampPercentage: ramping?.percentage ?? 0,
    rampingRevision: ramping?.revision ?? 0,
    rampingTime: ramping?.time ?? 0,
  };
}

export function servesQueue(versions: QueueVersions | undefined, v: Version): boolean {
  return versions?.members.get(v.deploymentName)?.has(v.buildId) === true;
}

export function statusOf(versions: QueueVersions | undefined, v: Version): WorkerDeploymentVersionStatus {
  return versions?.members.get(v.deploymentName)?.get(v.buildId) ?? WorkerDeploymentVersionStatus.UNSPECIFIED;
}

/** Where the workflow's tasks go that are bound to no version. The ramp is decided by the workflow id, so that it stays where it is. */
export function targetOf(versions: QueueVersions | undefined, workflowId: string, usesRamping: boolean): Target {
  if (versions === undefined) return NOWHERE;
  const current: Target = { version: versions.current, revision: versions.currentRevision };
  const ramping: Target = { version: versions.ramping, revision: versions.rampingRevision };
  const { rampPercentage } = versions;
  if (usesRamping && versions.ramping !== undefined) return ramping;
  if (rampPercentage <= 0) return current;
  if (rampPercentage === 100) return ramping;
  const threshold = 100 * (fingerprint32(Buffer.from(workflowId)) / 2 ** 32);
  return threshold <= rampPercentage ? ramping : current;
}

/**
 * The same for a task of a workflow that runs on a version: within one deployment the newer of the two revisions wins, so that a
 * workflow does not go back to what another queue has left behind.
 */
export function dispatchTarget(
  versions: QueueVersions | undefined,
  workflowId: string,
  task: { readonly version: Version | undefined; readonly revision: number; readonly usesRamping: boolean },
): Target {
  const target = targetOf(versions, workflowId, task.usesRamping);
  if (target.version === undefined || task.version === undefined) return target;
  if (target.version.deploymentName !== task.version.deploymentName || target.revision >= task.revision) return target;
  return { version: task.version, revision: task.revision };
}
