/** Checks on what a worker says of its version. */

import type { WorkerDeploymentOptions } from "../../../gen/wire/temporal/api/deployment/v1/message.js";
import { WorkerVersioningMode } from "../../../gen/wire/temporal/api/enums/v1/deployment.js";
import { TaskQueueKind } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import type { TaskQueue } from "../../../gen/wire/temporal/api/taskqueue/v1/message.js";
import type {
  UpdateWorkerBuildIdCompatibilityRequest,
  UpdateWorkerVersioningRulesRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { invalidArgument, permissionDenied } from "../../api/service-error.js";
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
  if (useVersioning && !limits.areBuildIdWorkersServed)
    throw permissionDenied("Worker versioning in workflow progress APIs is disabled on this namespace.", "");
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

/** All that is missing, in one text, as the official server tells it. */
export function validateBuildIdOperation({ namespace, taskQueue, operation }: UpdateWorkerBuildIdCompatibilityRequest, sizeMax: number): void {
  const missing = ["request to update worker build ID compatability requires: "];
  const check = (id: string, name: string): void => {
    if (id === "") missing.push(`\`${name}\` to be set`);
    else if (isLongerThan(id, sizeMax)) missing.push(` Worker build IDs to be no larger than ${sizeMax} characters`);
  };
  if (namespace === "") missing.push("`namespace` to be set");
  if (taskQueue === "") missing.push("`task_queue` to be set");
  if (operation.case === undefined) missing.push("an operation to be specified");
  if (operation.case === "addNewCompatibleBuildId") {
    check(operation.value.newBuildId, "add_new_compatible_version");
    if (operation.value.existingCompatibleBuildId === "") missing.push("`existing_compatible_version` to be set");
  } else if (operation.case === "addNewBuildIdInNewDefaultSet") check(operation.value, "add_new_version_id_in_new_default_set");
  else if (operation.case === "promoteSetByBuildId") check(operation.value, "promote_set_by_version_id");
  else if (operation.case === "promoteBuildIdWithinSet") check(operation.value, "promote_version_id_within_set");
  if (missing.length > 1) throw invalidArgument(missing.join(", "));
}

const RULE_BUILD_ID_SIZE_MAX = 255;

export function validateRuleBuildIds({ operation }: UpdateWorkerVersioningRulesRequest): void {
  for (const id of buildIdsOf(operation))
    if (isLongerThan(id, RULE_BUILD_ID_SIZE_MAX))
      throw invalidArgument(`BuildId must be <= ${RULE_BUILD_ID_SIZE_MAX} characters, was ${Buffer.byteLength(id)}`);
}

function buildIdsOf(operation: UpdateWorkerVersioningRulesRequest["operation"]): string[] {
  switch (operation.case) {
    case "insertAssignmentRule":
    case "replaceAssignmentRule":
      return [operation.value.rule?.targetBuildId ?? ""];
    case "addCompatibleRedirectRule":
      return [operation.value.rule?.targetBuildId ?? "", operation.value.rule?.sourceBuildId ?? ""];
    case "replaceCompatibleRedirectRule":
      return [operation.value.rule?.targetBuildId ?? ""];
    case "commitBuildId":
      return [operation.value.targetBuildId];
    default:
      return [];
  }
}
