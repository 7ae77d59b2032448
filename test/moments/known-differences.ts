/** Where moments and durations differ on purpose: the one list. Each is a row of COMPAT.md ("Other differences"). */
import type { MomentFile } from "./play-moments.js";

export interface KnownDifference {
  readonly files: readonly MomentFile[];
  readonly what: RegExp;
  readonly why: string;
}

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    files: ["activities"],
    what: /^timed out\.pendingActivities\[0\]\.(currentRetryInterval|lastAttemptCompleteTime)$/,
    why: "an attempt that timed out has ended then; the official server keeps the end of the attempt before, and counts from there",
  },
  {
    files: ["runs"],
    what: /^timed out\.pendingWorkflowTask\./,
    why: "a run that is closed has no workflow task; the official server goes on showing one that nobody had taken",
  },
  {
    files: ["describes"],
    what: /^terminated\.workflowExecutionInfo\.executionDuration$/,
    why: "a run that ended before it was to begin lasted no time; the official server shows less than none",
  },
  {
    files: ["nexus"],
    what: /\.info\.cancellationInfo\.requestedTime$/,
    why: "a standalone Nexus operation says since when it is to be canceled; the official server does not",
  },
];
