/**
 * A worker deployment: its versions, which one is current, which one ramps, and what is left to drain. Pure: each change takes the
 * record as it is and answers the record as it will be; the registry (matching/deployments.ts) makes it durable. On the official
 * server a deployment and each of its versions are workflows; what they do is here one change of one record.
 * Behaviour: service/worker/workerdeployment of the official server.
 */
import { WorkerDeploymentRecord, WorkerDeploymentVersionRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { ComputeConfig } from "../../../gen/wire/temporal/api/compute/v1/config.js";
import { RoutingConfig, type VersionMetadata } from "../../../gen/wire/temporal/api/deployment/v1/message.js";
import { WorkerDeploymentVersionStatus as Status, VersionDrainageStatus } from "../../../gen/wire/temporal/api/enums/v1/deployment.js";
import { ResourceExhaustedCause, ResourceExhaustedScope } from "../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import type { TaskQueueType } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { alreadyExists, failedPrecondition, internal, notFound, resourceExhausted, type ServiceError } from "../../api/service-error.js";
import { timestampOf } from "../../api/time.js";
import { oldVersionText, parseVersion, sameVersion, UNVERSIONED, type Version, versionText } from "./version.js";

/** Of deployments that came into being by a poll. */
export const AUTO_CREATED = "_auto_create_";

export interface DeploymentLimits {
  readonly deploymentsMax: number;
  readonly versionsInDeploymentMax: number;
  readonly taskQueuesInDeploymentVersionMax: number;
}

export interface Change {
  readonly record: WorkerDeploymentRecord;
}

export interface VersionTaskQueue {
  readonly name: string;
  readonly type: TaskQueueType;
}

/** What a change must know of the queues. */
export interface QueueFacts {
  /** Whether workers of the version have polled one of its queues lately. */
  hasPollers(version: Version, queues: readonly VersionTaskQueue[]): boolean;
  /** Whether the queue is the version's still, and has had tasks lately. */
  isInUse(version: Version, queue: VersionTaskQueue): boolean;
}

export function exhausted(text: string): ServiceError {
  return resourceExhausted(text, ResourceExhaustedCause.WORKER_DEPLOYMENT_LIMITS, ResourceExhaustedScope.NAMESPACE);
}

export const deploymentNotFound = (name: string) =>
  notFound(`no Worker Deployment found with name '${name}'; does your Worker Deployment have pollers?`);
export const versionNotFound = (buildId: string, name: string) => notFound(`build ID '${buildId}' not found in Worker Deployment '${name}'`);
const managedByAnother = (manager: string, identity: string) =>
  failedPrecondition(
    `ManagerIdentity '${manager}' is set and does not match user identity '${identity}'; to proceed, set your own identity as the ManagerIdentity, remove the ManagerIdentity, or wait for the other client to do so`,
  );

export function newDeployment(namespaceId: string, name: string, requestId: string, identity: string, now: number): WorkerDeploymentRecord {
  return WorkerDeploymentRecord.create({
    namespaceId,
    name,
    createTime: now,
    routingConfig: { currentVersion: UNVERSIONED },
    conflictToken: tokenAt(now),
    createRequestId: requestId,
    lastModifierIdentity: identity,
  });
}

function tokenAt(now: number): Uint8Array {
  const token = Buffer.alloc(8);
  token.writeDoubleBE(now);
  return token;
}

/** Later than every earlier one. */
function nextToken(d: WorkerDeploymentRecord, now: number): Uint8Array {
  const last = d.conflictToken.length === 8 ? Buffer.from(d.conflictToken).readDoubleBE() : 0;
  return tokenAt(Math.max(now, last + 1));
}

export function findVersion(d: WorkerDeploymentRecord | undefined, buildId: string): WorkerDeploymentVersionRecord | undefined {
  return d?.versions.find((v) => v.buildId === buildId);
}

export function replaceVersion(d: WorkerDeploymentRecord, version: WorkerDeploymentVersionRecord): WorkerDeploymentRecord {
  return WorkerDeploymentRecord.copy(d, { versions: d.versions.map((v) => (v.buildId === version.buildId ? version : v)) });
}

const routing = (d: WorkerDeploymentRecord): RoutingConfig => RoutingConfig.create(d.routingConfig ?? {});
const versionOf = (d: WorkerDeploymentRecord, v: { buildId: string }): Version => ({ deploymentName: d.name, buildId: v.buildId });

/** A version more; an old one that nobody uses makes room when there are too many. */
function addVersion(
  d: WorkerDeploymentRecord,
  version: Parameters<typeof WorkerDeploymentVersionRecord.create>[0] & { buildId: string },
  limits: DeploymentLimits,
  queues: QueueFacts,
): WorkerDeploymentRecord {
  let { versions } = d;
  const max = limits.versionsInDeploymentMax;
  if (versions.length >= max) {
    const unused = [...versions].sort((a, b) => a.createTime - b.createTime).find((v) => undeletable(d, v, "", true, false, queues) === undefined);
    if (unused === undefined)
      throw new TooManyVersions(
        `cannot add version ${d.name}.${version.buildId} since maximum number of versions (${max}) have been registered in the deployment`,
      );
    versions = versions.filter((v) => v !== unused);
  }
  return WorkerDeploymentRecord.copy(d, { versions: [...versions, WorkerDeploymentVersionRecord.create(version)] });
}

/** Each caller tells it in its own way. */
export class TooManyVersions extends Error {}

/** A worker of the version polls the queue for the first time. Undefined: nothing changes. */
export function registerQueue(
  d: WorkerDeploymentRecord,
  buildId: string,
  queue: VersionTaskQueue,
  limits: DeploymentLimits,
  queues: QueueFacts,
  now: number,
): WorkerDeploymentRecord | undefined {
  let next = d;
  if (findVersion(d, buildId) === undefined) {
    try {
      next = addVersion(d, { buildId, createTime: now, status: Status.INACTIVE }, limits, queues);
    } catch (e) {
      throw e instanceof TooManyVersions ? exhausted(e.message) : e;
    }
  }
  const version = findVersion(next, buildId) as WorkerDeploymentVersionRecord;
  if (version.taskQueues.some((q) => q.name === queue.name && q.type === queue.type)) return undefined;
  const max = limits.taskQueuesInDeploymentVersionMax;
  if (new Set(version.taskQueues.map((q) => q.name)).size >= max)
    throw exhausted(`cannot add task queue ${queue.name} since maximum number of task queues (${max}) have been registered in deployment`);
  return replaceVersion(
    next,
    WorkerDeploymentVersionRecord.copy(version, {
      taskQueues: [...version.taskQueues, { ...queue }],
      status: version.status === Status.CREATED ? Status.INACTIVE : version.status,
    }),
  );
}

export function createVersion(
  d: WorkerDeploymentRecord,
  request: { buildId: string; requestId: string; identity: string; computeConfig: ComputeConfig | undefined },
  limits: DeploymentLimits,
  queues: QueueFacts,
  now: number,
): WorkerDeploymentRecord | undefined {
  const { buildId, requestId, identity, computeConfig } = request;
  const existing = findVersion(d, buildId);
  if (existing !== undefined) {
    if (existing.createRequestId === requestId) return undefined;
    throw alreadyExists(`Worker Deployment Version "${d.name}.${buildId}" already exists`);
  }
  try {
    return addVersion(
      d,
      { buildId, createTime: now, status: Status.CREATED, createRequestId: requestId, lastModifierIdentity: identity, computeConfig },
      limits,
      queues,
    );
  } catch (e) {
    throw e instanceof TooManyVersions ? exhausted(e.message) : e;
  }
}

export interface RoutingRequest {
  /** The older text form; in SetRampingVersion empty: nothing ramps. */
  readonly version: string;
  readonly identity: string;
  readonly conflictToken: Uint8Array;
  readonly ignoreMissingTaskQueues: boolean;
  readonly allowNoPollers: boolean;
}

function checkToken(d: WorkerDeploymentRecord, token: Uint8Array): void {
  if (token.length > 0 && Buffer.compare(token, d.conflictToken) !== 0) throw failedPrecondition("conflict token mismatch");
}

function checkManager(d: WorkerDeploymentRecord, identity: string): void {
  if (d.managerIdentity !== "" && d.managerIdentity !== identity) throw managedByAnother(d.managerIdentity, identity);
}

/** With `allowNoPollers` a version may be routed to before any worker of it has come. */
function withVersion(
  d: WorkerDeploymentRecord,
  version: Version | undefined,
  limits: DeploymentLimits,
  queues: QueueFacts,
  now: number,
): WorkerDeploymentRecord {
  if (version === undefined || findVersion(d, version.buildId) !== undefined) return d;
  try {
    return addVersion(d, { buildId: version.buildId, createTime: now, status: Status.CREATED }, limits, queues);
  } catch (e) {
    throw e instanceof TooManyVersions ? internal(e.message) : e;
  }
}

/** Whether the old version has queues with work that the new one does not serve. */
function missesQueues(d: WorkerDeploymentRecord, from: string, to: Version, queues: QueueFacts): boolean {
  const old = parseVersion(from);
  const before = old === undefined ? undefined : findVersion(d, old.buildId);
  if (old === undefined || before === undefined) return false;
  const served = findVersion(d, to.buildId)?.taskQueues ?? [];
  return before.taskQueues.some((q) => !served.some((s) => s.name === q.name && s.type === q.type) && queues.isInUse(old, q));
}

export interface Routed {
  /** Undefined: nothing changes. */
  readonly record: WorkerDeploymentRecord | undefined;
  readonly previousVersion: string;
  readonly previousPercentage: number;
  readonly conflictToken: Uint8Array;
  /** The change stands although the request is refused: a version came into being. */
  readonly refused?: ServiceError;
}

export function setCurrent(d: WorkerDeploymentRecord, request: RoutingRequest, limits: DeploymentLimits, queues: QueueFacts, now: number): Routed {
  const { version: text, identity } = request;
  const rc = routing(d);
  if (rc.currentVersion === text && d.lastModifierIdentity === identity)
    return { record: undefined, previousVersion: text, previousPercentage: 0, conflictToken: d.conflictToken };
  checkToken(d, request.conflictToken);
  const version = parseVersion(text);
  if (version !== undefined && findVersion(d, version.buildId) === undefined && !request.allowNoPollers)
    throw versionNotFound(version.buildId, d.name);
  checkManager(d, identity);
  let next = withVersion(d, version, limits, queues, now);
  const previous = rc.currentVersion;
  if (!request.ignoreMissingTaskQueues && version !== undefined && missesQueues(next, previous, version, queues))
    return {
      record: next === d ? undefined : next,
      previousVersion: previous,
      previousPercentage: 0,
      conflictToken: d.conflictToken,
      refused: failedPrecondition(
        `proposed current version '${versionText(version)}' is missing active task queues from the current version; these would become unversioned if it is set as the current version`,
      ),
    };
  if (previous !== text) {
    const time = timestampOf(now);
    const promoted = text === rc.rampingVersion;
    const routingConfig = RoutingConfig.create({
      ...rc,
      currentDeploymentVersion: version,
      currentVersion: text,
      currentVersionChangedTime: time,
      revisionNumber: rc.revisionNumber + 1,
      ...(promoted
        ? {
            rampingVersion: "",
            rampingDeploymentVersion: undefined,
            rampingVersionPercentage: 0,
            rampingVersionChangedTime: time,
            rampingVersionPercentageChangedTime: time,
          }
        : {}),
    });
    next = rerouted(WorkerDeploymentRecord.copy(next, { routingConfig }), now);
    // The deployment strikes the drainage out of its own summary, not the version.
    if (version !== undefined)
      next = replaceVersion(next, { ...(findVersion(next, version.buildId) as WorkerDeploymentVersionRecord), drainageErased: now });
  }
  const conflictToken = nextToken(d, now);
  return {
    record: WorkerDeploymentRecord.copy(next, { conflictToken, lastModifierIdentity: identity }),
    previousVersion: previous,
    previousPercentage: 0,
    conflictToken,
  };
}

export function setRamping(
  d: WorkerDeploymentRecord,
  request: RoutingRequest & { readonly percentage: number },
  limits: DeploymentLimits,
  queues: QueueFacts,
  now: number,
): Routed {
  const { version: text, percentage, identity } = request;
  const rc = routing(d);
  const [previousVersion, previousPercentage] = [rc.rampingVersion, rc.rampingVersionPercentage];
  if (text === previousVersion && percentage === previousPercentage && d.lastModifierIdentity === identity)
    return { record: undefined, previousVersion: text, previousPercentage: percentage, conflictToken: d.conflictToken };
  checkToken(d, request.conflictToken);
  if (text === rc.currentVersion && !(text === UNVERSIONED && percentage === 0))
    throw failedPrecondition(`requested ramping version ${text} is already current`);
  const version = text === "" ? undefined : parseVersion(text);
  if (version !== undefined && findVersion(d, version.buildId) === undefined && !request.allowNoPollers)
    throw versionNotFound(version.buildId, d.name);
  checkManager(d, identity);
  let next = withVersion(d, version, limits, queues, now);
  if (previousVersion !== text || previousPercentage !== percentage) {
    if (
      version !== undefined &&
      previousVersion !== text &&
      !request.ignoreMissingTaskQueues &&
      missesQueues(next, rc.currentVersion, version, queues)
    )
      return {
        record: next === d ? undefined : next,
        previousVersion,
        previousPercentage,
        conflictToken: d.conflictToken,
        refused: failedPrecondition(
          `proposed ramping version '${versionText(version)}' is missing active task queues from the current version; these would become unversioned if it is set as the ramping version`,
        ),
      };
    const time = timestampOf(now);
    const routingConfig = RoutingConfig.create({
      ...rc,
      rampingDeploymentVersion: version,
      rampingVersion: text,
      rampingVersionPercentage: percentage,
      rampingVersionChangedTime: previousVersion === text && text !== "" ? rc.rampingVersionChangedTime : time,
      rampingVersionPercentageChangedTime: time,
      revisionNumber: rc.revisionNumber + 1,
    });
    next = rerouted(WorkerDeploymentRecord.copy(next, { routingConfig }), now);
    // A ramp to no version goes by the current one, which then tells its own summary.
    const concernsCurrent = text === UNVERSIONED || (text === "" && (previousVersion === UNVERSIONED || previousVersion === ""));
    const current = concernsCurrent ? findVersion(next, rc.currentDeploymentVersion?.buildId ?? "") : undefined;
    if (current !== undefined) next = replaceVersion(next, { ...current, drainageErased: 0 });
  }
  const conflictToken = nextToken(d, now);
  return {
    record: WorkerDeploymentRecord.copy(next, { conflictToken, lastModifierIdentity: identity }),
    previousVersion,
    previousPercentage,
    conflictToken,
  };
}

/** Each version as the new routing makes it. Only what the change concerns is touched. */
function rerouted(d: WorkerDeploymentRecord, now: number): WorkerDeploymentRecord {
  const rc = routing(d);
  const micros = (t: { seconds: number; nanos: number } | undefined) => (t === undefined ? 0 : t.seconds * 1e6 + Math.round(t.nanos / 1000));
  const versions = d.versions.map((v) => {
    const own = versionOf(d, v);
    const isCurrent = sameVersion(rc.currentDeploymentVersion, own);
    const isRamping = !isCurrent && sameVersion(rc.rampingDeploymentVersion, own);
    const wasActive = v.currentSince !== 0 || v.rampingSince !== 0;
    if (!isCurrent && !isRamping && !wasActive) return v;
    const next = WorkerDeploymentVersionRecord.copy(v, { currentSince: 0, rampingSince: 0, rampPercentage: 0, drainageErased: 0 });
    if (isCurrent || isRamping) {
      next.status = isCurrent ? Status.CURRENT : Status.RAMPING;
      if (isCurrent) {
        next.currentSince = micros(rc.currentVersionChangedTime);
        next.lastCurrentTime = next.currentSince;
        next.routingUpdateTime = next.currentSince;
      } else {
        next.rampingSince = micros(rc.rampingVersionChangedTime);
        next.rampPercentage = rc.rampingVersionPercentage;
        next.routingUpdateTime = micros(rc.rampingVersionPercentageChangedTime);
      }
      if (next.firstActivationTime === 0) next.firstActivationTime = now;
      next.drainageStatus = VersionDrainageStatus.UNSPECIFIED;
      next.drainageChanged = 0;
      next.drainageChecked = 0;
      next.lastDeactivationTime = 0;
      if (isCurrent && v.currentSince === next.currentSince) next.drainageErased = v.drainageErased;
      return next;
    }
    next.status = Status.DRAINING;
    next.routingUpdateTime = now;
    next.lastDeactivationTime = now;
    return draining(next, now);
  });
  return WorkerDeploymentRecord.copy(d, { versions });
}

function draining(v: WorkerDeploymentVersionRecord, now: number): WorkerDeploymentVersionRecord {
  return WorkerDeploymentVersionRecord.copy(v, {
    status: Status.DRAINING,
    drainageStatus: VersionDrainageStatus.DRAINING,
    drainageChanged: now,
    drainageChecked: now,
  });
}

/** When the version's open workflows are to be counted next; undefined when it is not draining. */
export function nextDrainageCheck(v: WorkerDeploymentVersionRecord, grace: number, interval: number): number | undefined {
  if (v.drainageStatus !== VersionDrainageStatus.DRAINING) return undefined;
  return v.drainageChecked + (v.drainageChecked === v.drainageChanged ? grace : interval);
}

export function drainageChecked(d: WorkerDeploymentRecord, buildId: string, hasWorkflows: boolean, now: number): WorkerDeploymentRecord | undefined {
  const v = findVersion(d, buildId);
  if (v === undefined || v.drainageStatus !== VersionDrainageStatus.DRAINING) return undefined;
  if (hasWorkflows) return replaceVersion(d, { ...v, drainageChecked: now });
  return replaceVersion(d, {
    ...v,
    status: Status.DRAINED,
    drainageStatus: VersionDrainageStatus.DRAINED,
    drainageChanged: now,
    drainageChecked: now,
  });
}

/** A workflow was pinned to a version that nobody expected to be used again. Undefined: it is in use anyway. */
export function reactivated(d: WorkerDeploymentRecord, buildId: string, now: number): WorkerDeploymentRecord | undefined {
  const v = findVersion(d, buildId);
  if (v === undefined || (v.status !== Status.DRAINED && v.status !== Status.INACTIVE)) return undefined;
  return replaceVersion(d, draining(v, now));
}

/** Why the version cannot be deleted; undefined: it can. */
function undeletable(
  d: WorkerDeploymentRecord,
  v: WorkerDeploymentVersionRecord,
  identity: string,
  byServer: boolean,
  skipDrainage: boolean,
  queues: QueueFacts,
): ServiceError | undefined {
  const version = versionOf(d, v);
  const { currentVersion, rampingVersion } = routing(d);
  const old = oldVersionText(version);
  const refused = (why: string) => failedPrecondition(`version '${versionText(version)}' cannot be deleted since it ${why}`);
  if (currentVersion === old || rampingVersion === old) return refused("is current or ramping");
  if (!byServer && d.managerIdentity !== "" && d.managerIdentity !== identity) return managedByAnother(d.managerIdentity, identity);
  if (!skipDrainage && v.drainageStatus === VersionDrainageStatus.DRAINING) return refused("is draining");
  return queues.hasPollers(version, v.taskQueues) ? refused("has active pollers") : undefined;
}

export function deleteVersion(
  d: WorkerDeploymentRecord,
  buildId: string,
  request: { readonly identity: string; readonly skipDrainage: boolean },
  queues: QueueFacts,
): WorkerDeploymentRecord | undefined {
  const v = findVersion(d, buildId);
  if (v === undefined) return undefined;
  const refused = undeletable(d, v, request.identity, false, request.skipDrainage, queues);
  if (refused !== undefined) throw refused;
  return WorkerDeploymentRecord.copy(d, { versions: d.versions.filter((x) => x !== v), lastModifierIdentity: request.identity });
}

export function setManager(
  d: WorkerDeploymentRecord,
  request: { readonly identity: string; readonly manager: string; readonly conflictToken: Uint8Array },
  now: number,
): { record: WorkerDeploymentRecord | undefined; previous: string; conflictToken: Uint8Array } {
  const { identity, manager } = request;
  if (d.managerIdentity === manager && d.lastModifierIdentity === identity)
    return { record: undefined, previous: manager, conflictToken: d.conflictToken };
  checkToken(d, request.conflictToken);
  const conflictToken = nextToken(d, now);
  return {
    record: WorkerDeploymentRecord.copy(d, { managerIdentity: manager, lastModifierIdentity: identity, conflictToken }),
    previous: d.managerIdentity,
    conflictToken,
  };
}

export function updatedMetadata(
  v: WorkerDeploymentVersionRecord,
  upserts: Readonly<Record<string, Uint8Array>>,
  removes: readonly string[],
  identity: string,
): WorkerDeploymentVersionRecord {
  const entries: VersionMetadata["entries"] = { ...(v.metadata?.entries ?? {}), ...upserts };
  for (const key of removes) delete entries[key];
  const hasAny = v.metadata !== undefined || Object.keys(upserts).length > 0;
  return WorkerDeploymentVersionRecord.copy(v, { metadata: hasAny ? { entries } : undefined, lastModifierIdentity: identity });
}
