/** Files of what the official server did: each names its version and a hash of the sources that decide it. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

export const REFERENCE = "temporal server 1.32.1";

export interface RecordFile<T> {
  reference: string;
  hash: string;
  scripts: Record<string, T>;
}

export function hashOfSources(paths: readonly string[]): string {
  const h = createHash("sha256");
  for (const path of paths) h.update(readFileSync(path));
  return h.digest("hex").slice(0, 16);
}

export function readRecord<T>(path: string): RecordFile<T> | undefined {
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as RecordFile<T>) : undefined;
}

export function writeRecord<T>(path: string, hash: string, scripts: Record<string, T>): void {
  writeFileSync(path, `${JSON.stringify({ reference: REFERENCE, hash, scripts } satisfies RecordFile<T>, null, 1)}\n`);
}

/** Files of this folder and below that the sources import and that are not among them. The subjects are no source: they only carry. */
export function importedButMissing(sources: readonly string[], folders: readonly string[]): string[] {
  return sources.flatMap((source) =>
    [...readFileSync(source, "utf8").matchAll(/from "(\.[^"]*)\.js"/g)]
      .map((m) => new URL(`${m[1]}.ts`, `file://${source}`).pathname)
      .filter((f) => folders.some((folder) => f.startsWith(`${folder}/`)) && !f.endsWith("/subject.ts") && !sources.includes(f)),
  );
}
