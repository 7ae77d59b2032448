/**
 * Options of a running workflow: where it runs (versioning override) and its priority, by field mask. Behaviour:
 * service/history/api/updateworkflowoptions of the official server.
 */
import { Priority, TimeSkippingConfig } from "../../../gen/wire/temporal/api/common/v1/message.js";
import type { WorkerDeploymentVersion } from "../../../gen/wire/temporal/api/deployment/v1/message.js";
import { TaskQueueType } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { VersioningBehavior } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import {
  VersioningOverride_PinnedOverrideBehavior as PinnedBehavior,
  type PostResetOperation,
  type VersioningOverride,
  WorkflowExecutionOptions,
} from "../../../gen/wire/temporal/api/workflow/v1/message.js";
import { failedPrecondition, invalidArgument, ServiceError } from "../../api/service-error.js";
import { encode } from "../../api/wire.js";
import type { Env, ExecutionAddress, InputOf } from "../input.js";
import type { Replies } from "../transition.js";
import { servesQueue } from "../versioning/routing.js";
import { parseVersion, versionText } from "../versioning/version.js";
import type { Context, Run } from "./context.js";
import { noteVersioning } from "./derived-attributes.js";
import { effectiveVersion, newForm } from "./effective-version.js";
import { enumName } from "./enum-name.js";
import { checkPaths, type FieldTree, fieldPaths } from "./field-mask.js";
import { addressedOpen } from "./signal.js";
import { addOptionsEvent } from "./time-skipping.js";
import { offerActivitiesAgain } from "./versioning.js";
import { clearSticky, offerTaskAgain } from "./workflow-task.js";

/** What a mask may name. */
const VERSION: FieldTree = { deployment_name: true, build_id: true };
export const OPTIONS_FIELDS: FieldTree = {
  versioning_override: {
    behavior: true,
    deployment: { series_name: true, build_id: true },
    pinned_version: true,
    pinned: { behavior: true, version: VERSION },
    auto_upgrade: true,
    one_time: { target_deployment_version: VERSION },
  },
  priority: { priority_key: true, fairness_key: true, fairness_weight: true },
  time_skipping_config: {
    enabled: true,
    fast_forward_config: { duration: { seconds: true, nanos: true }, id: true },
    max_session_skip_count: true,
    disable_propagation: true,
  },
};

export function updateOptions(ctx: Context, address: ExecutionAddress, input: InputOf<"updateOptions">): Replies["updateOptions"] {
  const { request } = input;
  const run = addressedOpen(ctx, address);
  const options = WorkflowExecutionOptions.create(request.workflowExecutionOptions ?? {});
  const target = options.versioningOverride?.override;
  if (target?.case === "pinned" && target.value.behavior !== PinnedBehavior.UNSPECIFIED && target.value.version === undefined) {
    const { behavior, version } = effectiveVersion(run.info);
    if (behavior !== VersioningBehavior.PINNED)
      throw failedPrecondition(
        `must specify a specific pinned override version because workflow with id ${run.info.workflowId} has behavior ${enumName(VersioningBehavior, behavior)} and is not yet pinned to any version`,
      );
    target.value.version = version;
  }
  checkVersioningOverride(ctx.env, options.versioningOverride, run.info.taskQueue);
  return { workflowExecutionOptions: mergeAndApply(run, options, request.updateMask?.paths ?? [], request.identity) };
}

/** @throws ServiceError of an override that says nothing, or names a version that does not serve the queue. */
export function checkVersioningOverride(env: Env, override: VersioningOverride | undefined, taskQueue: string): void {
  checkOverrideForm(override);
  const target = override?.override;
  const served = (version: WorkerDeploymentVersion | undefined) => {
    if (version === undefined || servesQueue(env.versions?.queue(env.namespace.id, taskQueue, TaskQueueType.WORKFLOW), version)) return;
    throw failedPrecondition(`Pinned version '${versionText(version)}' is not present in task queue '${taskQueue}' of type 'Workflow'`);
  };
  if (target?.case === "pinned") served(target.value.version);
  else if (target?.case === "oneTime") served(target.value.targetDeploymentVersion);
  else if (target?.case === undefined && override?.behavior === VersioningBehavior.PINNED && override.deployment === undefined)
    served(parseVersion(override.pinnedVersion));
}

/** @throws ServiceError of an override that says nothing. */
export function checkOverrideForm(override: VersioningOverride | undefined): void {
  if (override === undefined) return;
  const target = override.override;
  switch (target.case) {
    case "autoUpgrade":
      if (!target.value) throw invalidArgument("auto-upgrade override must be true");
      return;
    case "pinned":
      if (target.value.version === undefined) throw invalidArgument("must provide version if override is pinned.");
      if (target.value.behavior === PinnedBehavior.UNSPECIFIED) throw invalidArgument("must specify pinned override behavior if override is pinned.");
      return;
    case "oneTime":
      if (target.value.targetDeploymentVersion === undefined)
        throw invalidArgument("must provide target deployment version if override is one-time.");
      return;
    default:
  }
  const { behavior, deployment, pinnedVersion } = override;
  switch (behavior) {
    case VersioningBehavior.PINNED:
      if (deployment !== undefined) {
        if (deployment.seriesName === "") throw invalidArgument("deployment name cannot be empty");
        if (/[.:]/.test(deployment.seriesName)) throw invalidArgument("deployment name cannot contain '.' or ':'");
        if (deployment.buildId === "") throw invalidArgument("deployment build ID cannot be empty");
        return;
      }
      if (pinnedVersion === "") throw invalidArgument("must provide deployment (deprecated) or pinned version if behavior is 'PINNED'");
      try {
        parseVersion(pinnedVersion);
      } catch {
        throw invalidArgument(`invalid version string ${JSON.stringify(pinnedVersion)}, expected format is "<deployment_name>.<build_id>"`);
      }
      return;
    case VersioningBehavior.AUTO_UPGRADE:
      if (deployment !== undefined) throw invalidArgument("only provide deployment if behavior is 'PINNED'");
      if (pinnedVersion !== "") throw invalidArgument("only provide pinned version if behavior is 'PINNED'");
      return;
    case VersioningBehavior.UNSPECIFIED:
      throw invalidArgument("override behavior is required");
    default:
      throw invalidArgument(`override behavior ${behavior} not recognized`);
  }
}

/** The options as they are with the fields of the mask taken over; an event when that changes anything. */
function mergeAndApply(run: Run, wanted: WorkflowExecutionOptions, paths: readonly string[], identity: string): WorkflowExecutionOptions {
  const before = WorkflowExecutionOptions.create({
    versioningOverride: run.info.versioningInfo?.versioningOverride,
    priority: run.info.priority,
    timeSkippingConfig: run.draft.timeSkipping?.config,
  });
  let merged: WorkflowExecutionOptions;
  try {
    checkPaths(paths, OPTIONS_FIELDS, WorkflowExecutionOptions.typeName);
    merged = merge(before, wanted, fieldPaths(paths));
  } catch (e) {
    if (!(e instanceof ServiceError)) throw e;
    throw invalidArgument(`error applying update_options: ${e.message}`);
  }
  const was = Buffer.from(encode(WorkflowExecutionOptions, before));
  // The same fast-forward again is another one: from now on.
  const isForward = fieldPaths(paths).has("timeSkippingConfig") && wanted.timeSkippingConfig?.fastForwardConfig !== undefined;
  if (!isForward && was.equals(encode(WorkflowExecutionOptions, merged))) return merged;
  const versionBefore = JSON.stringify(effectiveVersion(run.info));
  addOptionsEvent(run, {
    versioningOverride: merged.versioningOverride === undefined ? undefined : newForm(merged.versioningOverride),
    unsetVersioningOverride: merged.versioningOverride === undefined,
    identity,
    priority: merged.priority,
    timeSkippingConfig: merged.timeSkippingConfig,
    timeSkippingConfigUpdated: isForward || !isSameConfig(before.timeSkippingConfig, merged.timeSkippingConfig),
  });
  const isElsewhere = JSON.stringify(effectiveVersion(run.info)) !== versionBefore;
  if (isElsewhere) {
    const { versioningInfo } = run.info;
    if (versioningInfo?.versionTransition !== undefined) run.info.versioningInfo = { ...versioningInfo, versionTransition: undefined };
    clearSticky(run.draft);
    noteVersioning(run);
    offerActivitiesAgain(run);
  }
  const hasPriority = (p: Priority | undefined) => Buffer.from(encode(Priority, p ?? {}));
  if (isElsewhere || (merged.priority !== undefined && !hasPriority(before.priority).equals(hasPriority(merged.priority)))) offerTaskAgain(run);
  return merged;
}

function isSameConfig(a: TimeSkippingConfig | undefined, b: TimeSkippingConfig | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.from(encode(TimeSkippingConfig, a)).equals(encode(TimeSkippingConfig, b));
}

function merge(into: WorkflowExecutionOptions, from: WorkflowExecutionOptions, fields: ReadonlySet<string>): WorkflowExecutionOptions {
  const out = { ...into };
  if (fields.has("versioningOverride")) out.versioningOverride = from.versioningOverride;
  const [deployment, behavior] = [fields.has("versioningOverride.deployment"), fields.has("versioningOverride.behavior")];
  if (deployment !== behavior) throw invalidArgument("versioning_override fields must be updated together");
  if (deployment) out.versioningOverride = from.versioningOverride;
  for (const field of fields)
    if (field.startsWith("versioningOverride.") && field !== "versioningOverride.deployment" && field !== "versioningOverride.behavior")
      throw invalidArgument("versioning_override doesn't support partial updates");
  if (fields.has("priority")) out.priority = from.priority;
  for (const name of ["priorityKey", "fairnessKey", "fairnessWeight"] as const)
    if (fields.has(`priority.${name}`))
      out.priority = { ...Priority.create(out.priority ?? {}), [name]: (from.priority ?? Priority.create({}))[name] };
  for (const field of fields)
    if (field === "timeSkippingConfig") out.timeSkippingConfig = from.timeSkippingConfig;
    else if (field.startsWith("timeSkippingConfig.")) throw invalidArgument("time_skipping_config doesn't support partial update");
  return out;
}

/** @throws ServiceError of an operation that cannot follow a reset. */
export function checkPostResetOperations(env: Env, operations: readonly PostResetOperation[], taskQueue: string): void {
  for (const { variant } of operations) {
    if (variant.case === "signalWorkflow") throw invalidArgument("unsupported post reset operation: *workflow.PostResetOperation_SignalWorkflow_");
    if (variant.case === undefined) throw invalidArgument("unsupported post reset operation: <nil>");
    checkVersioningOverride(env, variant.value.workflowExecutionOptions?.versioningOverride, taskQueue);
  }
}

export function applyPostResetOperations(run: Run, operations: readonly PostResetOperation[]): void {
  for (const { variant } of operations)
    if (variant.case === "updateWorkflowOptions")
      mergeAndApply(run, WorkflowExecutionOptions.create(variant.value.workflowExecutionOptions ?? {}), variant.value.updateMask?.paths ?? [], "");
}
