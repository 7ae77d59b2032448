/** Where a workflow's tasks go: what the override says, or else what its worker said; and the override's older forms. */
import type { ExecutionRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { WorkerDeploymentVersion } from "../../../gen/wire/temporal/api/deployment/v1/message.js";
import { VersioningBehavior } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import {
  VersioningOverride_PinnedOverrideBehavior as PinnedBehavior,
  VersioningOverride,
  type WorkflowExecutionVersioningInfo,
} from "../../../gen/wire/temporal/api/workflow/v1/message.js";
import { oldVersionText, parseVersion } from "../versioning/version.js";

/** The version that an override sends the workflow to. */
export function overrideTarget(override: VersioningOverride | undefined): WorkerDeploymentVersion | undefined {
  const target = override?.override;
  if (target?.case === "pinned") return target.value.version;
  return target?.case === "oneTime" ? target.value.targetDeploymentVersion : undefined;
}

export const isPinnedOverride = (override: VersioningOverride | undefined): boolean => override?.override.case === "pinned";

/** A move to another version goes before the override, the override before what the worker said last. */
export function effectiveVersion(info: ExecutionRecord): { behavior: VersioningBehavior; version: WorkerDeploymentVersion | undefined } {
  const { versioningInfo } = info;
  if (versioningInfo === undefined) return NO_VERSION;
  if (versioningInfo.versionTransition !== undefined)
    return { behavior: VersioningBehavior.AUTO_UPGRADE, version: versioningInfo.versionTransition.deploymentVersion };
  const target = versioningInfo.versioningOverride?.override;
  if (target?.case === "pinned" || target?.case === "oneTime")
    return { behavior: VersioningBehavior.PINNED, version: overrideTarget(versioningInfo.versioningOverride) };
  if (target?.case === "autoUpgrade") return { behavior: VersioningBehavior.AUTO_UPGRADE, version: versioningInfo.deploymentVersion };
  const { behavior } = versioningInfo;
  return behavior === VersioningBehavior.UNSPECIFIED ? NO_VERSION : { behavior, version: versioningInfo.deploymentVersion };
}

const NO_VERSION = { behavior: VersioningBehavior.UNSPECIFIED, version: undefined };

/** The newest form, which alone is kept. */
export function newForm(override: VersioningOverride): VersioningOverride {
  const { behavior, deployment, pinnedVersion } = override;
  const pinnedTo = (deploymentName: string, buildId: string) =>
    VersioningOverride.create({
      override: { case: "pinned", value: { behavior: PinnedBehavior.PINNED, version: { deploymentName, buildId } } },
    } as never);
  if (pinnedVersion !== "") {
    const version = parseVersion(pinnedVersion);
    return pinnedTo(version?.deploymentName ?? "", version?.buildId ?? "");
  }
  if (deployment !== undefined) return pinnedTo(deployment.seriesName, deployment.buildId);
  if (behavior === VersioningBehavior.AUTO_UPGRADE) return VersioningOverride.create({ override: { case: "autoUpgrade", value: true } });
  return VersioningOverride.create({ override: override.override });
}

/** As it is shown: older clients read the older fields. */
export function shownVersioning(info: WorkflowExecutionVersioningInfo | undefined): WorkflowExecutionVersioningInfo | undefined {
  if (info === undefined) return undefined;
  const out = { ...info };
  if (info.deploymentVersion !== undefined) out.version = oldVersionText(info.deploymentVersion);
  if (info.versionTransition !== undefined)
    out.versionTransition = { ...info.versionTransition, version: oldVersionText(info.versionTransition.deploymentVersion) };
  if (info.versioningOverride === undefined) return out;
  const shown = VersioningOverride.create(info.versioningOverride);
  const target = shown.override;
  if (target.case === "autoUpgrade") shown.behavior = VersioningBehavior.AUTO_UPGRADE;
  if (target.case === "pinned") {
    shown.behavior = VersioningBehavior.PINNED;
    shown.pinnedVersion = oldVersionText(target.value.version);
  }
  out.versioningOverride = shown;
  return out;
}
