/** Checks on what a worker says of its version. */

import type { WorkerDeploymentOptions } from "../../../gen/wire/temporal/api/deployment/v1/message.js";
import { WorkerVersioningMode } from "../../../gen/wire/temporal/api/enums/v1/deployment.js";
import { TaskQueueKind } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import type { TaskQueue } from "../../../gen/wire/temporal/api/taskqueue/v1/message.js";
import { invalidArgument } from "../../api/service-error.js";
import type { RequestLimits } from "../request-limits.js";
import { isLongerThan } from "./execution.js";

/** Room that the id of a version's own workflow takes up besides its two names (common/worker_versioning). */
const VERSION_ID_OVERHEAD = Buffer.byteLength("temporal-sys-worker-deployment-version:");

export function validateVersioning(
  stamp: { readonly buildId: string; readonly useVersioning: boolean } | undefined,
  options: WorkerDeploymentOptions | undefined,
  queue: TaskQueue | undefined,
  limits: RequestLimits,
): void {
  const useVersioning = stamp?.useVersioning ?? false;
  const buildId = stamp?.buildId ?? "";
  if (queue?.kind === TaskQueueKind.STICKY && queue.normalName === "" && (useVersioning || options !== undefined))
    throw invalidArgument("NormalName must be set on sticky queue when UseVersioning is true or DeploymentOptions are set.");
  if (useVersioning && buildId === "") throw invalidArgument("WorkerVersionStamp must be present if UseVersioning is true.");
  if (isLongerThan(buildId, limits.buildIdSizeMax))
    throw invalidArgument("Build ID exceeds configured limit.workerBuildIdSize, use a shorter build ID.");
  if (options === undefined || options.workerVersioningMode !== WorkerVersioningMode.VERSIONED) return;
  if (options.deploymentName === "" || options.buildId === "") throw invalidArgument("Deployment name and build id must be set together.");
  const max = Math.trunc((limits.idLengthMax - VERSION_ID_OVERHEAD) / 2);
  for (const [field, value] of [
    ["WorkerDeploymentName", options.deploymentName],
    ["BuildID", options.buildId],
  ] as const) {
    if (isLongerThan(value, max)) throw invalidArgument(`size of ${field} larger than the maximum allowed`);
    if (field === "WorkerDeploymentName")
      for (const c of [".", ":"]) if (value.includes(c)) throw invalidArgument(`worker deployment name cannot contain '${c}'`);
    if (value.startsWith("__")) throw invalidArgument(`${field} cannot start with '__'`);
  }
}
