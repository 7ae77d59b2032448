/**
 * `<database>.lock` names the server that has the file open: JSON {pid, port, startedAt, process}. SQLite's own locks keep a second
 * process out too, but cannot say who holds them; this file makes the refusal useful.
 *
 * A holder that was killed leaves the file behind. It counts only while its process runs, and a process is known by its pid *and* by
 * its start (boot id and start tick, where /proc has them): a container that restarts gets the same pid, 1, every time.
 */
import { linkSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

export interface LockHolder {
  readonly pid: number;
  /** 0 until the holder listens. */
  readonly port: number;
  readonly startedAt: string;
  /** Empty where the system has no /proc. */
  readonly process: string;
}

export class FileInUseError extends Error {
  override readonly name = "FileInUseError";
  constructor(
    dbFilename: string,
    readonly holder: LockHolder,
  ) {
    const where = holder.port === 0 ? "is not listening yet" : `listens on port ${holder.port}`;
    super(`${dbFilename} is in use by another server: process ${holder.pid}, which ${where} (since ${holder.startedAt})`);
  }
}

/** Locks of this very process: its pid alone could not tell them from those of an earlier process with the same pid. */
const held = new Set<string>();

/** One path per database, whatever links lead to it. */
function lockPath(dbFilename: string): string {
  const full = resolve(dbFilename);
  mkdirSync(dirname(full), { recursive: true });
  try {
    return `${realpathSync(full)}.lock`;
  } catch {
    return `${join(realpathSync(dirname(full)), basename(full))}.lock`;
  }
}

/** Which process had this pid: field 22 of /proc/pid/stat, counted after the name, which may contain anything. */
export function processIdentity(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const startTick = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}:${startTick}`;
  } catch {
    return "";
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function isAlive(path: string, holder: LockHolder): boolean {
  if (holder.pid === process.pid) return held.has(path);
  if (!isRunning(holder.pid)) return false;
  const now = processIdentity(holder.pid);
  return now === "" || holder.process === "" || now === holder.process;
}

/** Undefined when the file is gone or was cut off while being written. */
function parseHolder(contents: string): LockHolder | undefined {
  try {
    const value = JSON.parse(contents) as LockHolder;
    return Number.isSafeInteger(value.pid) && value.pid > 0 ? value : undefined;
  } catch {
    return undefined;
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Creates `path` with its contents at once, or not at all. */
function createWhole(path: string, contents: string): boolean {
  const draft = `${path}.${process.pid}`;
  try {
    writeFileSync(draft, contents);
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Takes a dead holder's file away, unless another starter was quicker: then what was taken is theirs and goes back. */
function removeStale(path: string, contents: string): void {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  const taken = readFileSync(aside, "utf8");
  if (taken !== contents) createWhole(path, taken);
  rmSync(aside, { force: true });
}

export class LockFile {
  private constructor(
    readonly path: string,
    private mine: LockHolder,
  ) {
    held.add(path);
  }

  /** @throws FileInUseError when a running server has the file. */
  static acquire(dbFilename: string): LockFile {
    const path = lockPath(dbFilename);
    const mine: LockHolder = { pid: process.pid, port: 0, startedAt: new Date().toISOString(), process: processIdentity(process.pid) };
    do {
      // Taken away first: on a full disk it is the room for ours.
      const contents = readIfThere(path);
      if (contents === undefined) continue;
      const holder = parseHolder(contents);
      if (holder !== undefined && isAlive(path, holder)) throw new FileInUseError(dbFilename, holder);
      removeStale(path, contents);
    } while (!createWhole(path, JSON.stringify(mine)));
    return new LockFile(path, mine);
  }

  /** On a full disk the port stays unsaid. */
  setPort(port: number): void {
    if (!this.isOurs()) return;
    const mine = { ...this.mine, port };
    const draft = `${this.path}.${process.pid}`;
    try {
      writeFileSync(draft, JSON.stringify(mine));
      renameSync(draft, this.path);
      this.mine = mine;
    } catch (error) {
      rmSync(draft, { force: true });
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }

  /** Removes the file if it is still ours. */
  release(): void {
    if (this.isOurs()) rmSync(this.path, { force: true });
    held.delete(this.path);
  }

  private isOurs(): boolean {
    return held.has(this.path) && readIfThere(this.path) === JSON.stringify(this.mine);
  }
}
