/** A power cut at any sync loses nothing that was acknowledged; where syncs are left out, the same check finds what is lost. */
import { execFileSync } from "node:child_process";
import { appendFileSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { Random } from "../../src/lib/random.js";
import { temporaryDirectory } from "../harness/server-process.js";
import { buildLibrary, type DurabilityOptions, durabilityTest, NO_COMPILER } from "./durability.js";
import { freezes, settle } from "./frozen-disk.js";

const directory = temporaryDirectory();
const library = buildLibrary("freeze", directory);
if (library === undefined) process.stdout.write(`${NO_COMPILER}\n`);

/** A process that is killed can die in one write only, of a page; of three lives one is killed. More would mean that the recorder does not see all. */
const PAGE = 4096;

const BASE: DurabilityOptions = {
  durability: "full",
  delayUs: 0,
  commitThread: "engine",
  lives: 3,
  syncsPerLife: 40,
  payloadBytes: 200,
  imagesMax: 90,
  mayTear: true,
  engineEvery: 9,
  binaryEvery: 30,
  seed: 1,
  lifeMsMax: 10_000,
  dieAfterPages: 0,
  syncsLeftOut: 0,
};

describe.skipIf(library === undefined)("a power cut", () => {
  let images = 0;
  const run = (options: Partial<DurabilityOptions>) => durabilityTest(library as string, { ...BASE, ...options });

  it("loses nothing that was acknowledged, with commits on the engine's thread", { timeout: 120_000 }, async () => {
    const r = await run({});
    images += r.images;
    expect(r.problems).toEqual([]);
    expect(r).toMatchObject({ engine: 10, binary: 3 });
    expect(r.facts).toBeGreaterThan(5_000);
    expect(r.torn).toBeGreaterThan(20);
    expect(r.unrecorded).toBeLessThanOrEqual(PAGE);
  });

  it("loses nothing on a slow disk, with commits on a thread of their own", { timeout: 120_000 }, async () => {
    const r = await run({ delayUs: 3_000, commitThread: "writer", imagesMax: 80 });
    images += r.images;
    expect(r.problems).toEqual([]);
    expect(r.facts).toBeGreaterThan(5_000);
    expect(r.unrecorded).toBeLessThanOrEqual(PAGE);
  });

  it("loses nothing while the log is checkpointed and begun anew", { timeout: 120_000 }, async () => {
    const r = await run({ payloadBytes: 400_000, lives: 2, syncsPerLife: 100, imagesMax: 50, engineEvery: 20, binaryEvery: 0 });
    images += r.images;
    expect(r.problems).toEqual([]);
    expect(r.checkpoints).toBeGreaterThan(1);
    expect(r.unrecorded).toBeLessThanOrEqual(PAGE);
  });

  it.each(["engine", "writer"] as const)(
    "loses nothing after lives that ended within the write of a commit on the thread %s",
    { timeout: 120_000 },
    async (commitThread) => {
      const lives = 4;
      const r = await run({ commitThread, dieAfterPages: 60, lives, syncsPerLife: 1_000, imagesMax: 120, binaryEvery: 0 });
      images += r.images;
      expect(r.problems).toEqual([]);
      expect(r.unrecorded).toBeGreaterThan(0);
      expect(r.unrecorded).toBeLessThanOrEqual(lives * PAGE);
    },
  );

  it.each(["engine", "writer"] as const)(
    "loses nothing that a server has shown of what a killed one wrote and had not synced, on the thread %s",
    { timeout: 60_000 },
    async (commitThread) => {
      const { shown, problems } = await run({
        commitThread,
        lives: 2,
        syncsPerLife: 20,
        syncsLeftOut: 5,
        imagesMax: 200,
        mayTear: false,
        engineEvery: 0,
        binaryEvery: 0,
      });
      expect(shown).toBeGreaterThan(3);
      expect(problems).toEqual([]);
    },
  );

  it("was tried at 200 moments and more", () => {
    expect(images).toBeGreaterThanOrEqual(200);
  });

  it.each(["normal", "memory"] as const)(
    "loses what was acknowledged with --durability %s: the check can fail",
    { timeout: 60_000 },
    async (durability) => {
      const r = await run({ durability, lives: 1, lifeMsMax: 1_500, engineEvery: 0, binaryEvery: 0 });
      expect(r.acknowledged).toBeGreaterThan(50);
      expect(r.problems.filter((p) => p.includes("was acknowledged"))).not.toEqual([]);
    },
  );
});

describe.skipIf(library === undefined)("a frozen disk", () => {
  const images: { counter: number; names: Record<string, string> }[] = [];
  const log = join(directory, "log");

  beforeAll(() => {
    const file = join(directory, "x.db");
    const counter = join(directory, "counter");
    writeFileSync(counter, Buffer.alloc(8));
    const program = `
      const fs = require("node:fs");
      const dir = fs.openSync(${JSON.stringify(directory)}, "r");
      const fd = fs.openSync(${JSON.stringify(file)}, "w+");
      fs.writeSync(fd, "aaaa", 0);
      fs.fsyncSync(fd);                       // 1: bytes, no name
      fs.fsyncSync(dir);                      // 2: the name
      fs.writeSync(fd, "bb", 2);
      const other = fs.openSync(${JSON.stringify(`${file}-wal`)}, "w+");
      fs.writeSync(other, "w", 0);
      fs.fdatasyncSync(other);                // 3: another file
      fs.fdatasyncSync(fd);                   // 4
      fs.ftruncateSync(fd, 1);
      fs.fsyncSync(dir);                      // 5: the second name, no sizes
      fs.fsyncSync(fd);                       // 6
      fs.renameSync(${JSON.stringify(`${file}-wal`)}, ${JSON.stringify(`${file}-journal`)});
      fs.writeSync(fd, "zz", 3);
      fs.fsyncSync(dir);                      // 7: the new name
      fs.unlinkSync(${JSON.stringify(`${file}-journal`)});
      fs.fsyncSync(fd);                       // 8
    `;
    execFileSync(process.execPath, ["-e", program], {
      env: { ...process.env, LD_PRELOAD: library, FREEZE_FILE: file, FREEZE_LOG: log, FREEZE_COUNTER: counter },
    });
    for (const f of freezes(readFileSync(log))) images.push({ counter: f.counter, names: textOf(f.strict()) });
    expect(readFileSync(counter).readBigUInt64LE()).toBe(8n);
  });

  const textOf = (image: Map<string, Buffer>) => Object.fromEntries([...image].map(([n, d]) => [n, d.toString("latin1")]));
  const at = (counter: number) => images.find((i) => i.counter === counter)?.names;

  it("holds what was written before a completed sync of the same file, under names whose directory was synced", () => {
    expect(at(0)).toEqual({});
    expect(at(1)).toEqual({});
    expect(at(2)).toEqual({ "x.db": "aaaa" });
    expect(at(3)).toEqual({ "x.db": "aaaa" });
    expect(at(4)).toEqual({ "x.db": "aabb" });
    expect(at(5)).toEqual({ "x.db": "aabb", "x.db-wal": "w" });
    expect(at(6)).toEqual({ "x.db": "a", "x.db-wal": "w" });
    expect(at(7)).toEqual({ "x.db": "a", "x.db-journal": "w" });
    expect(at(8)).toEqual({ "x.db": "a\0\0zz", "x.db-journal": "w" });
  });

  it("holds, after the next sync, what a killed process wrote and could not write down", () => {
    const [file, log, counter] = [join(directory, "y.db"), join(directory, "y-log"), join(directory, "y-counter")];
    writeFileSync(counter, Buffer.alloc(8));
    const live = (program: string): void => {
      execFileSync(process.execPath, ["-e", `const fs = require("node:fs"); const file = ${JSON.stringify(file)}; ${program}`], {
        env: { ...process.env, LD_PRELOAD: library, FREEZE_FILE: file, FREEZE_LOG: log, FREEZE_COUNTER: counter },
      });
    };
    live(`
      const fd = fs.openSync(file, "w+");
      fs.writeSync(fd, "aaaa", 0);
      fs.fsyncSync(fd);
      fs.fsyncSync(fs.openSync(${JSON.stringify(directory)}, "r"));
      fs.writeSync(fd, "b", 1);
      fs.writeSync(fs.openSync(file + "-journal", "w+"), "j", 0);
      fs.fsyncSync(fs.openSync(${JSON.stringify(directory)}, "r"));
    `);
    // Killed: the bytes are in the files and nowhere else, half a record is in the log, and its last sync is not counted.
    writeFileSync(file, "abcac");
    writeFileSync(`${file}-wal`, "w");
    unlinkSync(`${file}-journal`);
    appendFileSync(log, "W\0\0\0half");
    writeFileSync(counter, Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]));
    settle(log, counter, file);
    live(`
      const fd = fs.openSync(file, "r+");
      fs.writeSync(fd, "d", 5);
      fs.fsyncSync(fs.openSync(file + "-wal", "r+"));
      fs.fsyncSync(fd);
      fs.fsyncSync(fs.openSync(${JSON.stringify(directory)}, "r"));
    `);
    writeFileSync(file, "ab");
    settle(log, counter, file);
    live(`fs.fsyncSync(fs.openSync(file, "r+"));`);
    const seen: [number, Record<string, string>][] = [];
    for (const f of freezes(readFileSync(log))) seen.push([f.counter, textOf(f.strict())]);
    expect(seen.slice(3)).toEqual([
      [3, { "y.db": "aaaa", "y.db-journal": "" }],
      [4, { "y.db": "aaaa", "y.db-journal": "" }],
      [5, { "y.db": "abcacd", "y.db-journal": "" }],
      [6, { "y.db": "abcacd", "y.db-wal": "w" }],
      [7, { "y.db": "ab", "y.db-wal": "w" }],
    ]);
    expect(readFileSync(counter).readBigUInt64LE()).toBe(7n);
  });

  it("may hold, torn, any part of what came later, and never less than what is certain", () => {
    const seen = new Set<string>();
    const random = new Random(7);
    for (let i = 0; i < 50; i++) {
      for (const f of freezes(readFileSync(log))) {
        if (f.counter !== 2) continue;
        seen.add(JSON.stringify(textOf(f.torn(random))));
        break;
      }
    }
    expect([...seen].sort()).toEqual(
      [
        '{"x.db":"aaaa","x.db-wal":""}',
        '{"x.db":"aaaa","x.db-wal":"w"}',
        '{"x.db":"aaaa"}',
        '{"x.db":"aabb","x.db-wal":""}',
        '{"x.db":"aabb","x.db-wal":"w"}',
        '{"x.db":"aabb"}',
      ].sort(),
    );
  });
});
