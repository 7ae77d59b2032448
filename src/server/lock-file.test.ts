import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FileInUseError, LockFile, processIdentity } from "./lock-file.js";

let folder: string;
let db: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "perdure-lock-"));
  db = join(folder, "a.db");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const holderOf = (path: string) => JSON.parse(readFileSync(path, "utf8"));

/** A process that runs until it is killed. */
async function otherProcess() {
  const child = spawn(process.execPath, ["-e", "process.stdout.write('up'); setInterval(() => {}, 1000)"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(child.stdout, "data");
  return {
    pid: child.pid as number,
    async kill() {
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
  };
}

describe("lock file", () => {
  test("names the holder and its port while held, and is gone after release", () => {
    const lock = LockFile.acquire(db);
    lock.setPort(7233);
    expect(holderOf(lock.path)).toMatchObject({ pid: process.pid, port: 7233, process: processIdentity(process.pid) });
    lock.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("a second open of the same file in one process is refused, by any path", () => {
    writeFileSync(db, "");
    symlinkSync(db, join(folder, "link.db"));
    const lock = LockFile.acquire(db);
    expect(() => LockFile.acquire(db)).toThrow(FileInUseError);
    expect(() => LockFile.acquire(join(folder, "link.db"))).toThrow(FileInUseError);
    lock.release();
    LockFile.acquire(db).release();
  });

  test("a running holder is named with pid and port; once it is killed its lock counts no more", async () => {
    const other = await otherProcess();
    const contents = { pid: other.pid, port: 7234, startedAt: "2026-01-01T00:00:00.000Z", process: processIdentity(other.pid) };
    writeFileSync(`${db}.lock`, JSON.stringify(contents));
    expect(() => LockFile.acquire(db)).toThrow(new RegExp(`process ${other.pid}, which listens on port 7234`));
    expect(holderOf(`${db}.lock`)).toEqual(contents);
    await other.kill();
    const lock = LockFile.acquire(db);
    expect(holderOf(lock.path).pid).toBe(process.pid);
    lock.release();
  });

  test.skipIf(processIdentity(process.pid) === "")("a running process that only inherited the holder's pid does not hold", async () => {
    const other = await otherProcess();
    writeFileSync(`${db}.lock`, JSON.stringify({ pid: other.pid, port: 1, startedAt: "", process: "another-boot:1" }));
    LockFile.acquire(db).release();
    await other.kill();
  });

  test("a lock with this process's own pid that it did not take is an earlier process's", () => {
    writeFileSync(`${db}.lock`, JSON.stringify({ pid: process.pid, port: 1, startedAt: "", process: "" }));
    LockFile.acquire(db).release();
  });

  test("a torn lock file does not keep anybody out", () => {
    writeFileSync(`${db}.lock`, '{"pid": 1');
    LockFile.acquire(db).release();
  });

  test("release leaves a lock alone that somebody else took meanwhile", () => {
    const lock = LockFile.acquire(db);
    writeFileSync(lock.path, JSON.stringify({ pid: 1, port: 0, startedAt: "", process: "" }));
    lock.release();
    expect(existsSync(lock.path)).toBe(true);
  });

  test("the folder of a new database is made", () => {
    const lock = LockFile.acquire(join(folder, "new", "b.db"));
    expect(existsSync(lock.path)).toBe(true);
    lock.release();
  });
});
