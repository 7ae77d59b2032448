/** Plays scripts, and knows what the official server answered: recorded files that name its version and the script's hash. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Script, Session } from "./session.js";

export const REFERENCE = "temporal server 1.32.1";
const here = import.meta.dirname;

export const ENDED_EARLY = "the script ended early";

export interface Recorded {
  reference: string;
  hash: string;
  scripts: Record<string, unknown>;
}

export const FILES = ["workflow-tasks", "activities", "outside"] as const;

/** Of what decides the record: the scripts, the session and the normaliser. */
export function hashOf(file: string): string {
  const h = createHash("sha256");
  for (const f of [`scripts/${file}.ts`, "session.ts", "normalise.ts"]) h.update(readFileSync(join(here, f)));
  return h.digest("hex").slice(0, 16);
}

export async function scriptsOf(file: (typeof FILES)[number]): Promise<Record<string, Script>> {
  switch (file) {
    case "workflow-tasks":
      return (await import("./scripts/workflow-tasks.js")).scripts;
    case "activities":
      return (await import("./scripts/activities.js")).scripts;
    case "outside":
      return (await import("./scripts/outside.js")).scripts;
  }
}

/** What a script records on the server at `address`. A script that throws has recorded where it ended, which no record may hold. */
export async function play(address: string, script: Script): Promise<unknown> {
  const session = new Session(address);
  try {
    await script(session);
  } catch (e) {
    session.note(ENDED_EARLY, e instanceof Error ? e.message : String(e));
  } finally {
    session.close();
  }
  return JSON.parse(JSON.stringify(session.record()));
}

const pathOf = (file: string): string => join(here, "expected", `${file}.json`);

export function recorded(file: string): Recorded | undefined {
  return existsSync(pathOf(file)) ? (JSON.parse(readFileSync(pathOf(file), "utf8")) as Recorded) : undefined;
}

export function record(file: string, scripts: Record<string, unknown>): void {
  for (const [name, log] of Object.entries(scripts)) {
    const end = (log as { what: string; value: unknown }[]).find((l) => l.what === ENDED_EARLY);
    if (end !== undefined) throw new Error(`script "${name}" did not play to its end on the official server: ${end.value}`);
  }
  writeFileSync(pathOf(file), `${JSON.stringify({ reference: REFERENCE, hash: hashOf(file), scripts }, null, 1)}\n`);
}
