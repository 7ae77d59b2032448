/**
 * Build ids before deployments: a run is assigned one when its first workflow task starts, redirect rules move it to another, and its
 * activities follow where they asked to. Behaviour: mutable_state_impl.go of the official server (validateBuildIdRedirectInfo,
 * ApplyBuildIdRedirect).
 */
import { ActivityRecord as Activity, type ActivityRecord, VersioningRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { WorkerVersionStamp } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { WorkerVersioningMode } from "../../../gen/wire/temporal/api/enums/v1/deployment.js";
import { VersioningBehavior } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { RespondWorkflowTaskCompletedRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { invalidArgument, notFound } from "../../api/service-error.js";
import { type Run, Stale } from "./context.js";
import { noteVersioning } from "./derived-attributes.js";
import { effectiveVersion } from "./effective-version.js";

const versionedBuildId = (stamp: WorkerVersionStamp | undefined): string => (stamp?.useVersioning === true ? stamp.buildId : "");

/** Counts the run's redirects, the one to this worker included. @throws Stale when the task was for a build that the run has left. */
export function redirectCounter(run: Run, stamp: WorkerVersionStamp | undefined): number {
  const { info } = run;
  const { assignedBuildId } = info;
  const counter = info.versioning?.redirectCounter ?? 0;
  const hasCompleted = info.lastCompletedTaskStartedEventId !== 0;
  if (stamp?.useVersioning !== true && assignedBuildId !== "" && hasCompleted) throw new Stale();
  const buildId = stamp?.buildId ?? "";
  if (buildId === assignedBuildId) return counter;
  if (hasCompleted && run.ctx.env.versions?.redirected?.(info.namespaceId, info.taskQueue, assignedBuildId) !== buildId) throw new Stale();
  return assignedBuildId === "" && !hasCompleted ? counter : counter + 1;
}

/** Whether the start of a workflow task concerns the run's build id. What waits in a sticky queue is its worker's own. */
export function concernsBuildId(run: Run, stamp: WorkerVersionStamp | undefined, isOwnSticky: boolean): boolean {
  return versionedBuildId(stamp) !== "" || (run.info.assignedBuildId !== "" && !isOwnSticky);
}

/** A worker of the build has taken a task of the run. Answers whether what waits has to be offered again, to the same workers. */
export function followBuildId(run: Run, stamp: WorkerVersionStamp | undefined, counter: number): boolean {
  const { info } = run;
  const buildId = versionedBuildId(stamp);
  if (buildId === "") return false;
  const known = info.versioning?.redirectCounter ?? 0;
  const isRedirect = counter > 0;
  if (isRedirect && known >= counter) return false;
  assignBuildId(run, buildId);
  if (isRedirect) info.versioning = { ...VersioningRecord.create(info.versioning ?? {}), redirectCounter: counter };
  return isRedirect;
}

export function assignBuildId(run: Run, buildId: string): void {
  const { info, draft } = run;
  if (info.assignedBuildId === buildId) return;
  info.assignedBuildId = buildId;
  info.stickyTaskQueue = "";
  info.stickyScheduleToStartTimeout = 0;
  draft.dirty = true;
  noteVersioning(run, { stamp: { buildId, useVersioning: true }, version: undefined });
}

export function noteTaskBuildId(run: Run, stamp: WorkerVersionStamp | undefined): void {
  const taskBuildId = versionedBuildId(stamp);
  if ((run.info.versioning?.taskBuildId ?? "") === taskBuildId) return;
  run.info.versioning = { ...VersioningRecord.create(run.info.versioning ?? {}), taskBuildId };
}

/** What an activity keeps of the build that runs it. */
export function withBuildId(a: ActivityRecord, stamp: WorkerVersionStamp | undefined): ActivityRecord {
  const buildId = versionedBuildId(stamp);
  return buildId === "" || a.useWorkflowBuildId ? a : Activity.copy(a, { buildId });
}

/** @throws ServiceError of a worker of another build than the task was given to, or of none where the run has had one. */
export function checkCompletingBuild(run: Run, request: RespondWorkflowTaskCompletedRequest): void {
  const { info } = run;
  const completed = request.workerVersionStamp?.buildId ?? "";
  const started = info.versioning?.taskBuildId ?? "";
  if (info.assignedBuildId !== "" && info.stickyTaskQueue === "" && completed !== started)
    throw notFound(`this workflow task was dispatched to Build ID ${started}, not ${completed}`);
  if (
    info.mostRecentWorkerVersionStamp?.useVersioning === true &&
    request.workerVersionStamp?.useVersioning !== true &&
    request.deploymentOptions?.workerVersioningMode !== WorkerVersioningMode.VERSIONED &&
    effectiveVersion(info).behavior === VersioningBehavior.UNSPECIFIED
  )
    throw invalidArgument("Workflow using versioning must continue to use versioning.");
}
