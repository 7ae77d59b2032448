/** Plays the scripts of moments, and knows when things happened on the official server: recorded files beside those of conformance. */
import { join } from "node:path";
import { hashOfSources, type RecordFile, readRecord, writeRecord } from "../conformance/records.js";
import { COMMON_SETTINGS, ONE_PARTITION, REFERENCE_SETTINGS } from "../conformance/reference-settings.js";
import type { Subject } from "../conformance/subject.js";
import { differences, type Tolerance, USUAL } from "./compare.js";
import { KNOWN_DIFFERENCES } from "./known-differences.js";
import { readLine, written } from "./line.js";
import { type MomentScript, MomentSession } from "./moment-session.js";

const here = import.meta.dirname;
const conformance = join(here, "../conformance");
const ENDED_EARLY = "the script ended early";

/** What was seen, and when it began: the core alone begins at the same moment, so that it meets the same minutes and time zones. */
export interface Watched {
  readonly began: string;
  readonly lines: readonly string[];
}

const SCRIPTS = {
  tasks: () => import("./scripts/tasks.js"),
  runs: () => import("./scripts/runs.js"),
  describes: () => import("./scripts/describes.js"),
  activities: () => import("./scripts/activities.js"),
  "activity-executions": () => import("./scripts/activity-executions.js"),
  schedules: () => import("./scripts/schedules.js"),
  nexus: () => import("./scripts/nexus.js"),
  lists: () => import("./scripts/lists.js"),
  "worker-deployments": () => import("./scripts/worker-deployments.js"),
  polls: () => import("./scripts/polls.js"),
} satisfies Record<string, () => Promise<{ scripts: Record<string, MomentScript> }>>;
export type MomentFile = keyof typeof SCRIPTS;
export const FILES = Object.keys(SCRIPTS) as MomentFile[];

export const scriptsOf = async (file: MomentFile): Promise<Record<string, MomentScript>> => (await SCRIPTS[file]()).scripts;

/** Of both servers, where a script would wait for a minute. */
export const SETTINGS: Readonly<Partial<Record<MomentFile, Readonly<Record<string, unknown>>>>> = {
  polls: {
    "matching.longPollExpirationInterval": "7s",
    "history.longPollExpirationInterval": "5s",
    "activity.longPollTimeout": "6s",
    "nexusoperation.longPollTimeout": "4s",
  },
};

/** What is less steady than the rest. */
const TOLERANCES: Readonly<Partial<Record<MomentFile, Tolerance>>> = {
  // Either server draws a fifth of each interval between attempts of requests and callbacks.
  nexus: { early: 1.2, late: 1.2 },
  // The official server's timers of these come some tenths of a second late, each after the one before.
  "activity-executions": { early: 0.3, late: 1.2 },
  // The official server changes their routing by workflows of its own, which take up to half a second for a step.
  "worker-deployments": { early: 0.3, late: 2 },
};
export const toleranceIn = (file: MomentFile): Tolerance => TOLERANCES[file] ?? USUAL;

const asFlags = (settings: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(settings).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
/** Timers of the official server may be late by its own setting; a second of it would hide what is compared. */
const PUNCTUAL = { "history.timerProcessorMaxTimeShift": "10ms" };
export const officialFlags = (file: MomentFile): string[] => [
  ...asFlags({ ...REFERENCE_SETTINGS, ...PUNCTUAL, ...SETTINGS[file] }),
  ...ONE_PARTITION,
];
export const ownFlags = (file: MomentFile): string[] =>
  asFlags({ ...COMMON_SETTINGS, ...SETTINGS[file] }).flatMap((s) => ["--dynamic-config-value", s]);

const SHARED: Readonly<Partial<Record<MomentFile, readonly string[]>>> = {
  tasks: ["scripts/updates.ts"],
  polls: ["scripts/updates.ts"],
  "worker-deployments": ["worker-versions.ts"],
};
const OUTCOMES: readonly MomentFile[] = ["tasks", "runs", "describes", "activities", "activity-executions", "nexus", "polls"];

/** What decides the record of a file. */
export const sourcesOf = (file: MomentFile): string[] => [
  join(here, `scripts/${file}.ts`),
  join(here, "moment-session.ts"),
  join(here, "line.ts"),
  ...(OUTCOMES.includes(file) ? [join(here, "outcomes.ts")] : []),
  ...["session.ts", "normalise.ts", ...(SHARED[file] ?? [])].map((f) => join(conformance, f)),
];
export const hashOf = (file: MomentFile): string => hashOfSources(sourcesOf(file));

const pathOf = (file: MomentFile): string => join(here, "expected", `${file}.json`);
export const recorded = (file: MomentFile): RecordFile<Watched> | undefined => readRecord<Watched>(pathOf(file));

export async function play(subject: Subject, script: MomentScript): Promise<Watched> {
  const session = new MomentSession(subject);
  try {
    await script(session);
  } catch (e) {
    session.is(ENDED_EARLY, e instanceof Error ? e.message : String(e));
  }
  return { began: new Date(session.began * 1000).toISOString(), lines: session.lines.map(written) };
}

export function record(file: MomentFile, scripts: Record<string, Watched>): void {
  const early = Object.entries(scripts).flatMap(([name, { lines }]) =>
    lines.filter((l) => l.startsWith(ENDED_EARLY)).map((l) => `${file}: "${name}" did not play to its end on the official server: ${l}`),
  );
  if (early.length > 0) throw new Error(early.join("\n"));
  writeRecord(pathOf(file), hashOf(file), scripts);
}

/** What differs and is not known to differ on purpose. */
export function unexpected(file: MomentFile, official: Watched, ours: Watched): string[] {
  const known = KNOWN_DIFFERENCES.filter((k) => k.files.includes(file));
  return differences(official.lines.map(readLine), ours.lines.map(readLine), toleranceIn(file))
    .filter((d) => !known.some((k) => k.what.test(d.what)))
    .map((d) => d.text);
}
