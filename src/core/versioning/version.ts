/** Names of worker versions: a deployment's name and a build id, and the two forms in which both are written as one text. */
import type { WorkerDeploymentOptions, WorkerDeploymentVersion } from "../../../gen/wire/temporal/api/deployment/v1/message.js";
import { WorkerVersioningMode } from "../../../gen/wire/temporal/api/enums/v1/deployment.js";
import { invalidArgument } from "../../api/service-error.js";

/** What the older text form says where there is no version. */
export const UNVERSIONED = "__unversioned__";
/** Room that the id of a version's own workflow takes up besides its two names, on the official server. */
const VERSION_ID_OVERHEAD = Buffer.byteLength("temporal-sys-worker-deployment-version:");

export type Version = WorkerDeploymentVersion;

export function sameVersion(a: Version | undefined, b: Version | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.deploymentName === b.deploymentName && a.buildId === b.buildId;
}

/** The form of search attributes and of most texts. */
export function versionText(v: Version | undefined): string {
  return v === undefined ? "" : `${v.deploymentName}:${v.buildId}`;
}

/** The form of the deprecated fields. */
export function oldVersionText(v: Version | undefined): string {
  return v === undefined ? UNVERSIONED : `${v.deploymentName}.${v.buildId}`;
}

/** Either form; undefined is no version. @throws ServiceError whose message is the reason alone. */
export function parseVersion(text: string): Version | undefined {
  if (text === UNVERSIONED) return undefined;
  const at = text.search(/[.:]/);
  if (at < 0) throw invalidArgument(`expected delimiter ':' or '.' not found in version string ${text}`);
  if (at === 0) throw invalidArgument(`deployment name is empty in version string ${text}`);
  if (at === text.length - 1) throw invalidArgument(`build id is empty in version string ${text}`);
  return { deploymentName: text.slice(0, at), buildId: text.slice(at + 1) };
}

/** @throws ServiceError of a name that no version can have. */
export function validateVersionField(field: "WorkerDeploymentName" | "BuildID", value: string, idLengthMax: number): void {
  if (value === "") throw invalidArgument(`${field} cannot be empty`);
  if (Buffer.byteLength(value) > Math.trunc((idLengthMax - VERSION_ID_OVERHEAD) / 2))
    throw invalidArgument(`size of ${field} larger than the maximum allowed`);
  if (field === "WorkerDeploymentName")
    for (const c of [".", ":"]) if (value.includes(c)) throw invalidArgument(`worker deployment name cannot contain '${c}'`);
  if (value.startsWith("__")) throw invalidArgument(`${field} cannot start with '__'`);
}

interface SaysVersion {
  readonly deploymentOptions: WorkerDeploymentOptions | undefined;
  readonly workerVersionCapabilities?:
    | { readonly useVersioning: boolean; readonly deploymentSeriesName: string; readonly buildId: string }
    | undefined;
}

/** The version that a worker names; undefined for one of no deployment. */
export function versionOfWorker({ deploymentOptions, workerVersionCapabilities: caps }: SaysVersion): Version | undefined {
  if (deploymentOptions?.workerVersioningMode === WorkerVersioningMode.VERSIONED)
    return { deploymentName: deploymentOptions.deploymentName, buildId: deploymentOptions.buildId };
  if (caps?.useVersioning && caps.deploymentSeriesName !== "" && caps.buildId !== "")
    return { deploymentName: caps.deploymentSeriesName, buildId: caps.buildId };
  return undefined;
}
