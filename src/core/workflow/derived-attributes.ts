/** Search attributes that the server keeps of a workflow by itself: what of it is paused, which builds have run it, and where it may run. */
import { Payload, type WorkerVersionStamp } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { VersioningBehavior } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { decode, encode } from "../../api/wire.js";
import { type Version, versionText } from "../versioning/version.js";
import type { Run } from "./context.js";
import { overrideTarget } from "./effective-version.js";
import { enumName } from "./enum-name.js";

const PAUSE_INFO = "TemporalPauseInfo";
const VERSIONING_BEHAVIOR = "TemporalWorkflowVersioningBehavior";
const DEPLOYMENT = "TemporalWorkerDeployment";
const DEPLOYMENT_VERSION = "TemporalWorkerDeploymentVersion";
const USED_VERSIONS = "TemporalUsedWorkerDeploymentVersions";
const BUILD_IDS = "BuildIds";
const BINARY_CHECKSUMS = "BinaryChecksums";
const UNVERSIONED = "unversioned";
const ASSIGNED = "assigned:";
const PINNED = "pinned:";

/** Not of the events: a replay does not give them. */
export const DERIVED_ATTRIBUTES: readonly string[] = [
  PAUSE_INFO,
  VERSIONING_BEHAVIOR,
  DEPLOYMENT,
  DEPLOYMENT_VERSION,
  USED_VERSIONS,
  BUILD_IDS,
  BINARY_CHECKSUMS,
  "TemporalReportedProblems",
];

/** `value` undefined: the workflow does not have it. */
export function putDerived(run: Run, name: string, type: string, value: unknown): void {
  const { draft } = run;
  const before = draft.searchAttributes?.indexedFields;
  const old = before?.[name];
  if (value === undefined && old === undefined) return;
  const { [name]: _, ...indexedFields } = before ?? {};
  if (value !== undefined) {
    const metadata = { encoding: Buffer.from("json/plain"), type: Buffer.from(type) };
    const payload = encode(Payload, { metadata, data: Buffer.from(JSON.stringify(value)) });
    if (old !== undefined && Buffer.compare(payload, old) === 0) return;
    indexedFields[name] = payload;
  }
  draft.searchAttributes = { indexedFields };
  draft.dirty = true;
  run.visibilityChanged = true;
}

export function notePauses(run: Run): void {
  const { pause, workflowId } = run.info;
  const entries: string[] = [];
  if (pause !== undefined) {
    entries.push(`Workflow:${workflowId}`);
    if (pause.reason !== "") entries.push(`Reason:${pause.reason}`);
  }
  const types = new Set<string>();
  for (const a of run.draft.activities.values()) if (a.paused) types.add(a.activityType);
  for (const type of types) entries.push(`property:activityType=${type}`);
  putDerived(run, PAUSE_INFO, "KeywordList", entries.length === 0 ? undefined : entries);
}

/** `used`: what the worker that has just completed a task said of itself. */
export function noteVersioning(run: Run, used?: { stamp: WorkerVersionStamp | undefined; version: Version | undefined }): void {
  const { info } = run;
  // What is on its way is not there yet.
  const settled = info.versioningInfo === undefined ? undefined : { ...info.versioningInfo, versionTransition: undefined };
  const target = overrideTarget(settled?.versioningOverride);
  const isAutoUpgrade = settled?.versioningOverride?.override.case === "autoUpgrade";
  const behavior = isAutoUpgrade ? VersioningBehavior.AUTO_UPGRADE : target !== undefined ? VersioningBehavior.PINNED : (settled?.behavior ?? 0);
  const version = target ?? settled?.deploymentVersion;
  const deployment = version?.deploymentName ?? info.versioning?.workerDeploymentName ?? "";
  const max = run.ctx.env.config.limits.searchAttributeValueBytesMax;
  putDerived(run, BUILD_IDS, "KeywordList", bounded(buildIds(run, behavior, version, used?.stamp), max));
  if (used?.version !== undefined) {
    const known = listOf(run, USED_VERSIONS);
    const text = versionText(used.version);
    if (!known.includes(text)) putDerived(run, USED_VERSIONS, "KeywordList", bounded([...known, text], max));
  }
  putDerived(run, DEPLOYMENT, "Keyword", deployment || undefined);
  putDerived(run, DEPLOYMENT_VERSION, "Keyword", versionText(version) || undefined);
  putDerived(run, VERSIONING_BEHAVIOR, "Keyword", behavior === VersioningBehavior.UNSPECIFIED ? undefined : enumName(VersioningBehavior, behavior));
}

/**
 * A worker without a version has completed a task: of the same build as the last one, as nearly always, it changes nothing.
 * `previous`: what the last one said of itself.
 */
export function noteUnversioned(run: Run, stamp: WorkerVersionStamp | undefined, previous: WorkerVersionStamp | undefined): void {
  const isSame = stamp?.buildId === previous?.buildId && previous?.useVersioning !== true;
  if (!isSame || run.draft.searchAttributes?.indexedFields[BUILD_IDS] === undefined) noteVersioning(run, { stamp, version: undefined });
}

/** Of older workers: each binary that has a reset point. */
export function noteBinaryChecksums(run: Run): void {
  const seen = (run.info.autoResetPoints?.points ?? []).map((p) => p.binaryChecksum).filter((c) => c !== "");
  if (seen.length > 0) putDerived(run, BINARY_CHECKSUMS, "KeywordList", seen);
}

/** The oldest go when there are too many; the first says how the workflow runs now, where it says so. */
function bounded(values: readonly string[], sizeMax: number): string[] | undefined {
  let kept = [...values];
  const first = kept[0] ?? "";
  const leads = first === UNVERSIONED || first.startsWith(ASSIGNED);
  while (kept.length > 0 && Buffer.byteLength(JSON.stringify(kept)) > sizeMax)
    kept = leads && kept.length > 1 ? [first, ...kept.slice(2)] : kept.slice(1);
  return kept.length === 0 ? undefined : kept;
}

function buildIds(run: Run, behavior: VersioningBehavior, version: Version | undefined, stamp: WorkerVersionStamp | undefined): string[] {
  const { info } = run;
  const values: string[] = [];
  if (behavior === VersioningBehavior.UNSPECIFIED) {
    if (stamp?.useVersioning !== true && info.assignedBuildId === "") values.push(UNVERSIONED);
    else if (info.assignedBuildId !== "") values.push(`${ASSIGNED}${info.assignedBuildId}`);
  }
  if (behavior === VersioningBehavior.PINNED) values.push(`${PINNED}${versionText(version)}`);
  for (const v of listOf(run, BUILD_IDS)) if (v !== UNVERSIONED && !v.startsWith(ASSIGNED) && !v.startsWith(PINNED)) values.push(v);
  const own = stamp === undefined ? undefined : stampText(stamp);
  if (own !== undefined && !values.includes(own)) values.push(own);
  return values;
}

function stampText(stamp: WorkerVersionStamp): string {
  if (stamp.buildId === "") return UNVERSIONED;
  return `${stamp.useVersioning ? "versioned" : UNVERSIONED}:${stamp.buildId}`;
}

function listOf(run: Run, name: string): string[] {
  const payload = run.draft.searchAttributes?.indexedFields[name];
  if (payload === undefined) return [];
  const value = JSON.parse(Buffer.from(decode(Payload, payload).data).toString()) as unknown;
  return Array.isArray(value) ? value.filter((v): v is string => typeof v === "string") : typeof value === "string" ? [value] : [];
}
