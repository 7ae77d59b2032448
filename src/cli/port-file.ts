import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Whoever sees the file sees all of it: it is written beside and moved into place. */
export function writePortFile(path: string, line: string): void {
  const full = resolve(path);
  mkdirSync(dirname(full), { recursive: true });
  const draft = `${full}.${process.pid}`;
  try {
    writeFileSync(draft, `${line}\n`);
    renameSync(draft, full);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}
