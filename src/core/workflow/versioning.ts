/**
 * A run among worker versions: which workers its tasks are for, its move to another version, what the worker that completed a task
 * says of itself, and what children and next runs inherit. A run that no version concerns has neither `versioningInfo` nor
 * `versioning`, and pays nothing. Behaviour: mutable_state_impl.go and workflow_task_state_machine.go of the official server.
 */
import {
  ActivityRecord as Activity,
  type ActivityRecord,
  type ExecutionRecord,
  type InheritedVersionRecord,
  VersioningRecord,
} from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { InheritedAutoUpgradeInfo } from "../../../gen/wire/temporal/api/deployment/v1/message.js";
import { WorkerVersioningMode } from "../../../gen/wire/temporal/api/enums/v1/deployment.js";
import { TaskQueueType } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { ContinueAsNewInitiator, ContinueAsNewVersioningBehavior, VersioningBehavior } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type {
  DeclinedTargetVersionUpgrade,
  WorkflowExecutionStartedEventAttributes,
  WorkflowTaskCompletedEventAttributes,
} from "../../../gen/wire/temporal/api/history/v1/message.js";
import { type VersioningOverride, WorkflowExecutionVersioningInfo } from "../../../gen/wire/temporal/api/workflow/v1/message.js";
import type { RespondWorkflowTaskCompletedRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { invalidArgument } from "../../api/service-error.js";
import type { Init } from "../../api/wire.js";
import { dispatchActivity } from "../activity/statemachine.js";
import type { Poller } from "../input.js";
import { dispatchTarget, NO_VERSIONS, servesQueue, type Target, targetOf } from "../versioning/routing.js";
import { ofBuildId, ofDeployment, type TaskVersion, UNVERSIONED_TASK } from "../versioning/task-version.js";
import { sameVersion, type Version } from "../versioning/version.js";
import { type Run, Stale } from "./context.js";
import { effectiveVersion, isPinnedOverride, newForm, overrideTarget } from "./effective-version.js";
import type { RunDraft } from "./mutable-state.js";

// --- which workers a task is for

export function workflowTaskVersion(info: ExecutionRecord): TaskVersion | undefined {
  if (info.versioningInfo !== undefined) {
    const { behavior, version } = effectiveVersion(info);
    if (behavior !== VersioningBehavior.UNSPECIFIED) return ofDeployment(behavior, version, info.versioningInfo.revisionNumber, usesRamping(info));
  }
  const stamp = info.mostRecentWorkerVersionStamp;
  if (info.assignedBuildId === "" && stamp?.useVersioning === true && stamp.buildId !== "") return ofBuildId(stamp.buildId);
  if (info.lastCompletedTaskStartedEventId === 0 && info.inheritedBuildId === "") return undefined;
  return info.assignedBuildId === "" ? UNVERSIONED_TASK : ofBuildId(info.assignedBuildId);
}

export function activityTaskVersion(info: ExecutionRecord, a: ActivityRecord): TaskVersion | undefined {
  if (info.versioningInfo !== undefined) {
    const { behavior, version } = effectiveVersion(info);
    if (behavior !== VersioningBehavior.UNSPECIFIED) return ofDeployment(behavior, version, info.versioningInfo.revisionNumber, false);
  }
  if (!a.useWorkflowBuildId) return undefined;
  if (info.assignedBuildId !== "") return ofBuildId(info.assignedBuildId);
  const stamp = info.mostRecentWorkerVersionStamp;
  return stamp?.useVersioning === true && stamp.buildId !== "" ? ofBuildId(stamp.buildId) : UNVERSIONED_TASK;
}

/** A continue-as-new may ask for the ramping version: until a task of the new run is completed. */
function usesRamping(info: ExecutionRecord): boolean {
  return (
    info.lastCompletedTaskStartedEventId === 0 &&
    info.versioningInfo?.continueAsNewInitialVersioningBehavior === ContinueAsNewVersioningBehavior.USE_RAMPING_VERSION
  );
}

const queueOf = (run: Run, taskQueue: string, type: TaskQueueType) =>
  (run.ctx.env.versions ?? NO_VERSIONS).queue(run.info.namespaceId, taskQueue, type);

export const isInVersion = (run: Run, taskQueue: string, version: Version): boolean =>
  servesQueue(queueOf(run, taskQueue, TaskQueueType.WORKFLOW), version);

function dispatchRevision(run: Run, taskQueue: string, type: TaskQueueType): number {
  const { version } = effectiveVersion(run.info);
  const revision = run.info.versioningInfo?.revisionNumber ?? 0;
  const isWorkflowTask = type === TaskQueueType.WORKFLOW;
  const task = { version, revision, usesRamping: isWorkflowTask && usesRamping(run.info) };
  const target = dispatchTarget(queueOf(run, taskQueue, type), run.info.workflowId, task);
  return target.version === undefined ? 0 : target.revision;
}

// --- a task starts

export const concernsVersions = (info: ExecutionRecord, poller: Pick<Poller, "deployment">): boolean =>
  info.versioningInfo !== undefined || poller.deployment !== undefined;

/** Whether the worker of a pinned run is to be told that tasks of its kind go elsewhere now. */
export function isTargetChanged(info: ExecutionRecord): boolean {
  return info.versioning?.lastNotified !== undefined && effectiveVersion(info).behavior === VersioningBehavior.PINNED;
}

const versioningOf = (info: ExecutionRecord): VersioningRecord => VersioningRecord.create(info.versioning ?? {});

/** Before the workflow task is recorded as started. */
export function noteTarget(run: Run): void {
  const { info } = run;
  const { behavior, version } = effectiveVersion(info);
  if (behavior === VersioningBehavior.UNSPECIFIED) return;
  const known = info.versioning;
  const forget = () => {
    if (known?.lastNotified !== undefined || known?.declined !== undefined)
      info.versioning = { ...versioningOf(info), lastNotified: undefined, declined: undefined };
  };
  if (info.versioningInfo?.versioningOverride !== undefined) return forget();
  if (behavior === VersioningBehavior.AUTO_UPGRADE) return;
  const target: Target = targetOf(queueOf(run, info.taskQueue, TaskQueueType.WORKFLOW), info.workflowId, usesRamping(info));
  const highest = Math.max(known?.lastNotified?.revision ?? 0, known?.declined?.revision ?? 0);
  if (sameVersion(version, target.version) && target.revision >= highest) return forget();
  if (known?.declined !== undefined && target.revision <= known.declined.revision) return;
  if (target.revision < highest) return;
  info.versioning = { ...versioningOf(info), lastNotified: { version: target.version, revision: target.revision }, declined: undefined };
}

/** After it: a worker of another version has taken the task. */
export function noteWorkflowTaskPoller(run: Run, poller: Poller): void {
  const { behavior, version } = effectiveVersion(run.info);
  if (sameVersion(poller.deployment, version)) return;
  // A task from a time when the run was not pinned.
  if (behavior === VersioningBehavior.PINNED) throw new Stale();
  startTransition(run, poller.deployment, dispatchRevision(run, run.info.taskQueue, TaskQueueType.WORKFLOW));
}

/** The run begins to move; its activities wait until a workflow task is completed there. */
function startTransition(run: Run, to: Version | undefined, revision: number): void {
  const { info, draft } = run;
  info.versioningInfo = {
    ...WorkflowExecutionVersioningInfo.create(info.versioningInfo ?? {}),
    versionTransition: { version: "", deploymentVersion: to },
    revisionNumber: revision,
  };
  info.stickyTaskQueue = "";
  info.stickyScheduleToStartTimeout = 0;
  draft.dirty = true;
}

/**
 * Whether the activity may start. A worker of another version whose workflow tasks would go there as well draws the run along: the
 * run begins to move instead, and the activity is offered again when it has.
 */
export function mayStartActivity(run: Run, a: ActivityRecord, poller: Poller): "yes" | "moves" {
  const { info } = run;
  if (info.versioningInfo?.versionTransition !== undefined) throw new Stale();
  const { behavior, version } = effectiveVersion(info);
  if (sameVersion(poller.deployment, version) || behavior === VersioningBehavior.PINNED) return "yes";
  const target = targetOf(queueOf(run, info.taskQueue, TaskQueueType.WORKFLOW), info.workflowId, false);
  const revision = dispatchRevision(run, a.taskQueue, TaskQueueType.ACTIVITY);
  const isAhead = target.version !== undefined && poller.deployment?.deploymentName === target.version.deploymentName && revision > target.revision;
  if (!sameVersion(poller.deployment, target.version) && !isAhead) return "yes";
  startTransition(run, poller.deployment, revision);
  return "moves";
}

// --- a task is completed

/** What the worker says of its version, as the completed event has it. @throws ServiceError when it contradicts itself. */
export function completedVersion(
  request: RespondWorkflowTaskCompletedRequest,
): Pick<WorkflowTaskCompletedEventAttributes, "versioningBehavior" | "workerDeploymentName" | "deploymentVersion" | "deployment"> {
  const { deploymentOptions: options, deployment } = request;
  const isVersioned = options?.workerVersioningMode === WorkerVersioningMode.VERSIONED;
  if (request.versioningBehavior !== VersioningBehavior.UNSPECIFIED && deployment === undefined && !isVersioned)
    throw invalidArgument("versioning behavior cannot be specified without deployment options being set with versioned mode");
  const named = isVersioned
    ? { deploymentName: options.deploymentName, buildId: options.buildId }
    : deployment === undefined
      ? undefined
      : { deploymentName: deployment.seriesName, buildId: deployment.buildId };
  return {
    // Workers have said so without being of a version.
    versioningBehavior: options !== undefined && !isVersioned ? VersioningBehavior.UNSPECIFIED : request.versioningBehavior,
    workerDeploymentName: options?.deploymentName || (deployment?.seriesName ?? ""),
    deploymentVersion: named !== undefined && named.deploymentName !== "" && named.buildId !== "" ? named : undefined,
    deployment: undefined,
  };
}

/** The state follows the completed event. */
export function applyCompletedVersion(draft: RunDraft, a: WorkflowTaskCompletedEventAttributes): void {
  const { info } = draft;
  const { versioningBehavior: behavior, deploymentVersion: version, workerDeploymentName } = a;
  if (
    info.versioningInfo === undefined &&
    behavior === VersioningBehavior.UNSPECIFIED &&
    info.versioning === undefined &&
    workerDeploymentName === ""
  )
    return;
  if (workerDeploymentName !== (info.versioning?.workerDeploymentName ?? "")) info.versioning = { ...versioningOf(info), workerDeploymentName };
  if (info.versioningInfo === undefined && behavior === VersioningBehavior.UNSPECIFIED) return;
  const next = { ...WorkflowExecutionVersioningInfo.create(info.versioningInfo ?? {}) };
  if (next.versionTransition !== undefined && sameVersion(next.versionTransition.deploymentVersion, version)) next.versionTransition = undefined;
  next.behavior = behavior;
  next.deploymentVersion = behavior === VersioningBehavior.UNSPECIFIED ? undefined : version;
  const target = next.versioningOverride?.override;
  if (target?.case === "oneTime" && version !== undefined && sameVersion(target.value.targetDeploymentVersion, version))
    next.versioningOverride = undefined;
  info.versioningInfo = next;
}

/** The state follows an event that sets or takes away the override: the deployment that it names is the workflow's at once. */
export function applyVersioningOverride(draft: RunDraft, override: VersioningOverride | undefined, unset: boolean): void {
  const { info } = draft;
  if (!unset && override === undefined) return;
  if (!unset || info.versioningInfo !== undefined)
    info.versioningInfo = {
      ...WorkflowExecutionVersioningInfo.create(info.versioningInfo ?? {}),
      versioningOverride: override === undefined ? undefined : newForm(override),
    };
  const named = unset ? info.versioningInfo?.deploymentVersion : overrideTarget(info.versioningInfo?.versioningOverride);
  const before = info.versioning?.workerDeploymentName ?? "";
  const workerDeploymentName = named?.deploymentName ?? (unset ? "" : before);
  if (workerDeploymentName !== before) info.versioning = { ...versioningOf(info), workerDeploymentName };
}

/** Whether activities that wait have to be offered again: their run has moved, or behaves in another way. */
export function hasMoved(before: ExecutionRecord, after: ExecutionRecord): boolean {
  const transition = before.versioningInfo?.versionTransition;
  if (transition !== undefined && after.versioningInfo?.versionTransition === undefined) return true;
  const [was, is] = [effectiveVersion(before), effectiveVersion(after)];
  return was.behavior !== is.behavior || !sameVersion(was.version, is.version);
}

/** Activities that no worker has taken are offered to the workers that they are for now. `later`: how long a task kept them. */
export function offerActivitiesAgain(run: Run, later = 0, which: (a: ActivityRecord) => boolean = () => true): void {
  for (const a of [...run.draft.activities.values()]) {
    if (a.startedTime !== 0 || !which(a)) continue;
    const again = Activity.copy(a, { stamp: a.stamp + 1, attemptScheduledTime: a.attemptScheduledTime + (a.waitsForRetry ? 0 : later) });
    run.draft.putActivity(again);
    if (!again.waitsForRetry) dispatchActivity(run, again);
  }
}

// --- what others inherit

export interface Inherited {
  readonly pinnedVersion: Version | undefined;
  readonly versioningOverride: VersioningOverride | undefined;
  readonly autoUpgrade: InheritedAutoUpgradeInfo | undefined;
}

const autoUpgradeFrom = (version: Version, revision: number, initial: ContinueAsNewVersioningBehavior): InheritedAutoUpgradeInfo => ({
  sourceDeploymentVersion: version,
  sourceDeploymentRevisionNumber: revision,
  continueAsNewInitialVersioningBehavior: initial,
});

/** Undefined: the child starts as any other workflow. */
export function inheritedByChild(
  run: Run,
  child: { namespaceId: string; taskQueue: string; inheritBuildId: boolean; override: VersioningOverride | undefined },
): InheritedVersionRecord | undefined {
  const { info } = run;
  if (child.override !== undefined) return undefined;
  const { behavior, version } = effectiveVersion(info);
  if (behavior === VersioningBehavior.UNSPECIFIED && !child.inheritBuildId) return undefined;
  const sameNamespace = child.namespaceId === info.namespaceId;
  const sameQueue = child.taskQueue === info.taskQueue;
  const fits = sameNamespace && version !== undefined && (sameQueue || isInVersion(run, child.taskQueue, version));
  const isPinned = behavior === VersioningBehavior.PINNED;
  const revision = info.versioningInfo?.revisionNumber ?? 0;
  const override = info.versioningInfo?.versioningOverride;
  const stamp = info.mostRecentWorkerVersionStamp;
  const byBuildId = child.inheritBuildId && behavior === VersioningBehavior.UNSPECIFIED;
  return {
    pinnedVersion: isPinned && fits ? version : undefined,
    versioningOverride: overrideTarget(override) !== undefined && sameNamespace && (sameQueue || (isPinned && fits)) ? override : undefined,
    autoUpgrade:
      behavior === VersioningBehavior.AUTO_UPGRADE && fits && revision !== 0
        ? autoUpgradeFrom(version, revision, ContinueAsNewVersioningBehavior.UNSPECIFIED)
        : undefined,
    buildId: byBuildId ? info.assignedBuildId : "",
    sourceStamp: byBuildId && info.assignedBuildId === "" && stamp?.useVersioning === true ? stamp : undefined,
  };
}

type StartedPart = Pick<
  Init<WorkflowExecutionStartedEventAttributes>,
  | "versioningOverride"
  | "inheritedPinnedVersion"
  | "inheritedAutoUpgradeInfo"
  | "declinedTargetVersionUpgrade"
  | "inheritedBuildId"
  | "sourceVersionStamp"
>;
const NOTHING: StartedPart = {};

export function inheritedByContinuation(run: Run, taskQueue: string, inheritBuildId: boolean, initial: ContinueAsNewVersioningBehavior): StartedPart {
  const { info } = run;
  const { behavior, version } = effectiveVersion(info);
  if (behavior === VersioningBehavior.UNSPECIFIED) return inheritBuildId ? inheritedBuildId(info) : NOTHING;
  const sameQueue = taskQueue === info.taskQueue;
  const fits = version !== undefined && (sameQueue || isInVersion(run, taskQueue, version));
  const isPinned = behavior === VersioningBehavior.PINNED;
  const keeps = isPinned && initial === ContinueAsNewVersioningBehavior.UNSPECIFIED;
  const revision = info.versioningInfo?.revisionNumber ?? 0;
  const override = info.versioningInfo?.versioningOverride;
  const pinned = keeps && fits ? version : undefined;
  return {
    inheritedPinnedVersion: pinned,
    versioningOverride: isPinnedOverride(override) && (sameQueue || pinned !== undefined) ? override : undefined,
    inheritedAutoUpgradeInfo: !keeps && fits && revision !== 0 ? autoUpgradeFrom(version, revision, initial) : undefined,
    declinedTargetVersionUpgrade: pinned === undefined ? undefined : declined(info),
  };
}

function inheritedBuildId(info: ExecutionRecord): StartedPart {
  const stamp = info.mostRecentWorkerVersionStamp;
  if (info.assignedBuildId !== "") return { inheritedBuildId: info.assignedBuildId };
  return stamp?.useVersioning === true ? { sourceVersionStamp: stamp } : NOTHING;
}

/** What the worker was told of and did not follow. */
function declined(info: ExecutionRecord): DeclinedTargetVersionUpgrade | undefined {
  const of = info.versioning?.lastNotified ?? info.versioning?.declined;
  return of === undefined ? undefined : { deploymentVersion: of.version, revisionNumber: of.revision };
}

/** A retry goes on where it was, a cron run starts afresh; an override that pins stays. */
export function inheritedByNextRun(run: Run, started: WorkflowExecutionStartedEventAttributes, initiator: ContinueAsNewInitiator): StartedPart {
  const { info } = run;
  const isRetry = initiator === ContinueAsNewInitiator.RETRY;
  if (info.versioningInfo === undefined) {
    const stamp = info.mostRecentWorkerVersionStamp;
    const part: StartedPart = {};
    if (started.inheritedBuildId !== "") part.inheritedBuildId = started.inheritedBuildId;
    if (isRetry && info.assignedBuildId === "" && stamp?.useVersioning === true) part.sourceVersionStamp = stamp;
    return part;
  }
  const { behavior, version } = effectiveVersion(info);
  const { versioningOverride: override, revisionNumber, continueAsNewInitialVersioningBehavior: initial } = info.versioningInfo;
  return {
    versioningOverride: isPinnedOverride(override) ? override : undefined,
    inheritedPinnedVersion: isRetry && behavior === VersioningBehavior.PINNED && started.inheritedPinnedVersion !== undefined ? version : undefined,
    inheritedAutoUpgradeInfo:
      isRetry && behavior === VersioningBehavior.AUTO_UPGRADE && version !== undefined && revisionNumber !== 0
        ? autoUpgradeFrom(version, revisionNumber, initial)
        : undefined,
    declinedTargetVersionUpgrade: started.declinedTargetVersionUpgrade,
    inheritedBuildId: started.inheritedBuildId,
  };
}

/** The state follows the started event. */
export function applyStartedVersion(draft: RunDraft, a: WorkflowExecutionStartedEventAttributes): void {
  const { info } = draft;
  if (a.sourceVersionStamp !== undefined) info.mostRecentWorkerVersionStamp = a.sourceVersionStamp;
  if (a.inheritedBuildId !== "") info.assignedBuildId = a.inheritedBuildId;
  const { versioningOverride: override, inheritedPinnedVersion: pinned, inheritedAutoUpgradeInfo: upgrade } = a;
  if (override === undefined && pinned === undefined && upgrade === undefined) return;
  const next = WorkflowExecutionVersioningInfo.create({});
  if (override !== undefined) next.versioningOverride = newForm(override);
  if (pinned !== undefined) {
    next.deploymentVersion = pinned;
    next.behavior = VersioningBehavior.PINNED;
  }
  if (upgrade !== undefined) {
    next.revisionNumber = upgrade.sourceDeploymentRevisionNumber;
    next.deploymentVersion = upgrade.sourceDeploymentVersion;
    next.behavior = VersioningBehavior.AUTO_UPGRADE;
    next.continueAsNewInitialVersioningBehavior = upgrade.continueAsNewInitialVersioningBehavior;
  }
  info.versioningInfo = next;
  const workerDeploymentName = effectiveVersion(info).version?.deploymentName ?? "";
  const refused = a.continuedExecutionRunId !== "" && pinned !== undefined ? a.declinedTargetVersionUpgrade : undefined;
  if (workerDeploymentName === "" && refused === undefined) return;
  info.versioning = VersioningRecord.create({
    workerDeploymentName,
    declined: refused === undefined ? undefined : { version: refused.deploymentVersion, revision: refused.revisionNumber },
  });
}
