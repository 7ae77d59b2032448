/** Where a workflow's tasks go: what the override says, or else what its worker said; and the override's older forms. */
import type { ExecutionRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { WorkerDeploymentVersion } from "../../../gen/wire/temporal/api/deployment/v1/message.js";
import { VersioningBehavior } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import {
  VersioningOverride_PinnedOverrideBehavior as PinnedBehavior,
  VersioningOverride,
  type WorkflowExecutionVersioningInfo,
} from "../../../gen/wire/temporal/api/workflow/v1/message.js";

export function effectiveVersion(info: ExecutionRecord): { behavior: VersioningBehavior; version: WorkerDeploymentVersion | undefined } {
  const { versioningInfo } = info;
  const target = versioningInfo?.versioningOverride?.override;
  if (target?.case === "pinned") return { behavior: VersioningBehavior.PINNED, version: target.value.version };
  if (target?.case === "autoUpgrade") return { behavior: VersioningBehavior.AUTO_UPGRADE, version: versioningInfo?.deploymentVersion };
  return { behavior: versioningInfo?.behavior ?? VersioningBehavior.UNSPECIFIED, version: versioningInfo?.deploymentVersion };
}

/** The newest form, which alone is kept. */
export function newForm(override: VersioningOverride): VersioningOverride {
  const { behavior, deployment, pinnedVersion } = override;
  const pinnedTo = (deploymentName: string, buildId: string) =>
    VersioningOverride.create({
      override: { case: "pinned", value: { behavior: PinnedBehavior.PINNED, version: { deploymentName, buildId } } },
    } as never);
  if (pinnedVersion !== "") {
    const at = pinnedVersion.indexOf(".");
    return pinnedTo(pinnedVersion.slice(0, at), pinnedVersion.slice(at + 1));
  }
  if (deployment !== undefined) return pinnedTo(deployment.seriesName, deployment.buildId);
  if (behavior === VersioningBehavior.AUTO_UPGRADE) return VersioningOverride.create({ override: { case: "autoUpgrade", value: true } });
  return VersioningOverride.create({ override: override.override });
}

/** As it is shown: older clients read the older fields. */
export function shownVersioning(info: WorkflowExecutionVersioningInfo | undefined): WorkflowExecutionVersioningInfo | undefined {
  const override = info?.versioningOverride;
  if (info === undefined || override === undefined) return info;
  const shown = VersioningOverride.create(override);
  const target = shown.override;
  if (target.case === "autoUpgrade") shown.behavior = VersioningBehavior.AUTO_UPGRADE;
  if (target.case === "pinned") {
    shown.behavior = VersioningBehavior.PINNED;
    const { deploymentName = "", buildId = "" } = target.value.version ?? {};
    shown.pinnedVersion = `${deploymentName}.${buildId}`;
  }
  return { ...info, versioningOverride: shown };
}
