/** Which workers a task is for, as history says it when the task is offered; the queue's routing decides the rest (matching). */
import type { TaskVersionRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { VersioningBehavior } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { Version } from "./version.js";

export interface TaskVersion {
  /** The execution runs on workers of no version. */
  readonly isUnversioned: boolean;
  /** Unspecified: build ids decide, not deployments. */
  readonly behavior: VersioningBehavior;
  readonly version: Version | undefined;
  readonly revision: number;
  readonly usesRamping: boolean;
  /** Of the older kinds of versioning. */
  readonly assignedBuildId: string;
}

const NONE: TaskVersion = {
  isUnversioned: false,
  behavior: VersioningBehavior.UNSPECIFIED,
  version: undefined,
  revision: 0,
  usesRamping: false,
  assignedBuildId: "",
};

export const UNVERSIONED_TASK: TaskVersion = Object.freeze({ ...NONE, isUnversioned: true });

export const ofBuildId = (assignedBuildId: string): TaskVersion => ({ ...NONE, assignedBuildId });

export const ofDeployment = (behavior: VersioningBehavior, version: Version | undefined, revision: number, usesRamping: boolean): TaskVersion => ({
  ...NONE,
  behavior,
  version,
  revision,
  usesRamping,
});

/** `undefined`: the queue's rules assign a build id. */
export function taskVersionRecord(v: TaskVersion | undefined): TaskVersionRecord | undefined {
  if (v === undefined) return undefined;
  return {
    isUnversioned: v.isUnversioned,
    behavior: v.behavior,
    deploymentVersion: v.version,
    revision: v.revision,
    usesRampingVersion: v.usesRamping,
    assignedBuildId: v.assignedBuildId,
  };
}

export function taskVersionOf(r: TaskVersionRecord | undefined): TaskVersion | undefined {
  if (r === undefined) return undefined;
  if (r.isUnversioned) return UNVERSIONED_TASK;
  const { behavior, deploymentVersion: version, revision, usesRampingVersion: usesRamping, assignedBuildId } = r;
  return { isUnversioned: false, behavior, version, revision, usesRamping, assignedBuildId };
}
