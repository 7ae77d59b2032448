/** Two plays of one script: the same lines, at the same moments but for a tolerance. */
import type { Line } from "./line.js";

/** Seconds by which a moment of the official server may be before ours, or after. */
export interface Tolerance {
  readonly early: number;
  readonly late: number;
}

/** Each call of the official server takes its milliseconds, some a tenth of a second; what follows is late by as much. */
export const USUAL: Tolerance = { early: 0.3, late: 0.8 };
/** Durations are what somebody asked for or what a policy says: this is for rounding. */
const OF_DURATIONS: Tolerance = { early: 0.05, late: 0.05 };

/** Durations that were measured between moments. */
const MEASURED = /\.(executionDuration|firstWorkflowTaskBackoff|elapsedSinceLastHeartbeat|age)$|timeout$/;

const byWhat = (lines: readonly Line[]): Map<string, Line[]> => {
  const out = new Map<string, Line[]>();
  for (const line of lines) out.set(line.what, [...(out.get(line.what) ?? []), line]);
  return out;
};

/** How far a moment or duration may be from the recorded one, before and after it; undefined of what must be the same. */
export function toleranceOf({ kind, what }: Line, ofMoments: Tolerance): Tolerance | undefined {
  if (kind === "is") return undefined;
  return kind === "for" && !MEASURED.test(what) ? OF_DURATIONS : ofMoments;
}

function isSame(official: Line, ours: Line, ofMoments: Tolerance): boolean {
  if (official.kind !== ours.kind) return false;
  const tolerance = toleranceOf(official, ofMoments);
  if (tolerance === undefined) return official.value === ours.value;
  const late = Number(official.value) - Number(ours.value);
  return late <= tolerance.late && late >= -tolerance.early;
}

const shown = (line: Line | undefined): string => {
  if (line === undefined) return "nothing";
  return line.kind === "is" ? JSON.stringify(line.value) : `${line.kind} ${Number(line.value).toFixed(2)} s`;
};

/** What differs, a text each. Lines of one name are compared in their order; those of different names have none but their moments. */
export function differences(official: readonly Line[], ours: readonly Line[], ofMoments = USUAL): { what: string; text: string }[] {
  const [theirs, own] = [byWhat(official), byWhat(ours)];
  const out: { what: string; text: string }[] = [];
  for (const what of new Set([...theirs.keys(), ...own.keys()])) {
    const [a, b] = [theirs.get(what) ?? [], own.get(what) ?? []];
    for (let i = 0; i < Math.max(a.length, b.length); i++) {
      const [x, y] = [a[i], b[i]];
      if (x === undefined || y === undefined || !isSame(x, y, ofMoments)) out.push({ what, text: `${what}: official ${shown(x)}, ours ${shown(y)}` });
    }
  }
  return out;
}
