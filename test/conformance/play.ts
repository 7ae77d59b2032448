/** Plays scripts, and knows what the official server answered: recorded files that name its version and the script's hash. */
import { join } from "node:path";
import { hashOfSources, type RecordFile, readRecord, writeRecord } from "./records.js";
import { ONE_PARTITION } from "./reference-settings.js";
import { type Script, Session } from "./session.js";
import type { Subject } from "./subject.js";

const here = import.meta.dirname;

export const ENDED_EARLY = "the script ended early";

export interface Played {
  record: { what: string; value: unknown }[];
  coverage: Record<string, string[]>;
}

export type Recorded = RecordFile<Played>;

type ScriptFile = { scripts: Record<string, Script> };
const SCRIPTS = {
  "workflow-tasks": () => import("./scripts/workflow-tasks.js"),
  "activity-executions": () => import("./scripts/activity-executions.js"),
  "activity-callbacks": () => import("./scripts/activity-callbacks.js"),
  activities: () => import("./scripts/activities.js"),
  outside: () => import("./scripts/outside.js"),
  commands: () => import("./scripts/commands.js"),
  starts: () => import("./scripts/starts.js"),
  queries: () => import("./scripts/queries.js"),
  workers: () => import("./scripts/workers.js"),
  children: () => import("./scripts/children.js"),
  lists: () => import("./scripts/lists.js"),
  server: () => import("./scripts/server.js"),
  updates: () => import("./scripts/updates.js"),
  "update-with-start": () => import("./scripts/update-with-start.js"),
  histories: () => import("./scripts/histories.js"),
  reset: () => import("./scripts/reset.js"),
  resets: () => import("./scripts/resets.js"),
  pause: () => import("./scripts/pause.js"),
  operators: () => import("./scripts/operators.js"),
  options: () => import("./scripts/options.js"),
  rules: () => import("./scripts/rules.js"),
  "task-queues": () => import("./scripts/task-queues.js"),
  "build-ids": () => import("./scripts/build-ids.js"),
  "worker-registry": () => import("./scripts/worker-registry.js"),
  batches: () => import("./scripts/batches.js"),
  namespaces: () => import("./scripts/namespaces.js"),
  schedules: () => import("./scripts/schedules.js"),
  nexus: () => import("./scripts/nexus.js"),
  "nexus-operations": () => import("./scripts/nexus-operations.js"),
  "system-operations": () => import("./scripts/system-operations.js"),
  "worker-deployments": () => import("./scripts/worker-deployments.js"),
  "versioned-runs": () => import("./scripts/versioned-runs.js"),
  "versioned-tasks": () => import("./scripts/versioned-tasks.js"),
  "versioned-nexus": () => import("./scripts/versioned-nexus.js"),
  "time-skipping": () => import("./scripts/time-skipping.js"),
  "completion-pages": () => import("./scripts/completion-pages.js"),
  links: () => import("./scripts/links.js"),
  "worker-commands": () => import("./scripts/worker-commands.js"),
} satisfies Record<string, () => Promise<ScriptFile>>;
export const FILES = Object.keys(SCRIPTS) as (keyof typeof SCRIPTS)[];

const BUILD_IDS_AND_RULES = [
  ...ONE_PARTITION,
  "frontend.workerVersioningDataAPIs=true",
  "frontend.workerVersioningRuleAPIs=true",
  "frontend.workerVersioningWorkflowAPIs=true",
  "frontend.rps.namespaceReplicationInducingAPIs=10000",
  "frontend.namespaceRPS.namespaceReplicationInducingAPIs=10000",
];
/**
 * Dynamic configuration (key=jsonvalue) that the official server needs to behave as this one does by default: one partition, since
 * with more the order of tasks is up to chance; and what it keeps behind a flag.
 */
export const OFFICIAL_SETTINGS: Readonly<Partial<Record<keyof typeof SCRIPTS, readonly string[]>>> = {
  "task-queues": [...ONE_PARTITION, "matching.enableFairness=true"],
  "build-ids": [
    ...ONE_PARTITION,
    "frontend.workerVersioningDataAPIs=true",
    "frontend.workerVersioningRuleAPIs=true",
    "frontend.rps.namespaceReplicationInducingAPIs=10000",
    "frontend.namespaceRPS.namespaceReplicationInducingAPIs=10000",
  ],
  "worker-deployments": ONE_PARTITION,
  "versioned-runs": ONE_PARTITION,
  "versioned-tasks": BUILD_IDS_AND_RULES,
  "versioned-nexus": BUILD_IDS_AND_RULES,
  // What this server advertises is on by default.
  server: [
    "history.enableUpdateCallbacks=true",
    "frontend.enableCancelWorkerPollsOnShutdown=true",
    "frontend.enableBatchOperationsForStandaloneActivities=true",
  ],
  "activity-callbacks": ["activity.enableCallbacks=true"],
  updates: ["history.enableUpdateCallbacks=true"],
  "system-operations": ["history.enableSignalWithStartFromWorkflow=true"],
  batches: ["frontend.enableBatchOperationsForStandaloneActivities=true"],
  "worker-commands": ONE_PARTITION,
  "worker-registry": [...ONE_PARTITION, "frontend.enableCancelWorkerPollsOnShutdown=true"],
};

/** What files of scripts share, each with its user. */
const SHARED: Readonly<Partial<Record<string, string>>> = {
  "worker-deployments": "worker-versions.ts",
  "versioned-runs": "worker-versions.ts",
  "versioned-nexus": "worker-versions.ts",
  "update-with-start": "scripts/updates.ts",
  resets: "scripts/updates.ts",
};

/** What decides the record: the scripts with what they share, the session and the normaliser. */
export function sourcesOf(file: string): string[] {
  const shared = SHARED[file];
  return [`scripts/${file}.ts`, "session.ts", "normalise.ts", ...(shared === undefined ? [] : [shared])].map((f) => join(here, f));
}

export const hashOf = (file: string): string => hashOfSources(sourcesOf(file));

export async function scriptsOf(file: keyof typeof SCRIPTS): Promise<Record<string, Script>> {
  return ((await SCRIPTS[file]()) as ScriptFile).scripts;
}

/** Search attributes that scripts use, one of each type (IndexedValueType), usable when this returns. */
export async function prepare(subject: Subject): Promise<void> {
  const session = new Session(subject);
  const searchAttributes = Object.fromEntries(
    ["Text", "Keyword", "Int", "Double", "Bool", "Datetime", "KeywordList"].map((type, i) => [`Conformance${type}`, i + 1]),
  );
  await session.until("the server answers", () =>
    session.call("AddSearchAttributes", { searchAttributes }).then(
      () => true,
      () => false,
    ),
  );
  await session.until("the attributes are usable", () =>
    session.call("CountWorkflowExecutions", { query: "ConformanceKeyword = 'x'" }).then(
      () => true,
      () => false,
    ),
  );
}

/** Whether a poll that gets nothing is answered empty or too late is up to the machine. */
function withoutChance(coverage: Record<string, string[]>): Record<string, string[]> {
  const isChance = (what: string, outcome: string) => what.startsWith("rpc Poll") && outcome === "DEADLINE_EXCEEDED";
  return Object.fromEntries(Object.entries(coverage).map(([what, outcomes]) => [what, outcomes.filter((o) => !isChance(what, o))]));
}

/** What a script records on the subject. A script that throws has recorded where it ended, which no record may hold. `look` gets what was not normalised. */
export async function play(subject: Subject, script: Script, look: (session: Session) => void = () => undefined): Promise<Played> {
  const session = new Session(subject);
  try {
    await script(session);
  } catch (e) {
    session.note(ENDED_EARLY, e instanceof Error ? e.message : String(e));
  }
  look(session);
  return JSON.parse(JSON.stringify({ record: session.record(), coverage: withoutChance(session.coverage()) }));
}

const pathOf = (file: string): string => join(here, "expected", `${file}.json`);

export const recorded = (file: string): Recorded | undefined => readRecord<Played>(pathOf(file));

export function record(file: string, scripts: Record<string, Played>): void {
  const early = Object.entries(scripts).flatMap(([name, { record: log }]) =>
    log.filter((l) => l.what === ENDED_EARLY).map((l) => `script "${name}" did not play to its end on the official server: ${l.value}`),
  );
  if (early.length > 0) throw new Error(early.join("\n"));
  writeRecord(pathOf(file), hashOf(file), scripts);
}
