/** Search attributes that the server keeps of a workflow by itself: what of it is paused, and where it may run. */
import { Payload } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { VersioningBehavior } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { encode } from "../../api/wire.js";
import type { Run } from "./context.js";
import { effectiveVersion } from "./effective-version.js";
import { enumName } from "./enum-name.js";

const PAUSE_INFO = "TemporalPauseInfo";
const VERSIONING_BEHAVIOR = "TemporalWorkflowVersioningBehavior";

/** Not of the events: a replay does not give them. */
export const DERIVED_ATTRIBUTES: readonly string[] = [PAUSE_INFO, VERSIONING_BEHAVIOR, "TemporalReportedProblems"];

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

export function noteVersioning(run: Run): void {
  const { behavior } = effectiveVersion(run.info);
  putDerived(run, VERSIONING_BEHAVIOR, "Keyword", behavior === VersioningBehavior.UNSPECIFIED ? undefined : enumName(VersioningBehavior, behavior));
}
