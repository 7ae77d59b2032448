/**
 * Power cuts. The real server runs under load on files that freeze.c watches; from what it wrote down come disk images, each as a
 * power cut at one sync would leave it, and each must hold what was acknowledged by then. SIGKILL keeps the page cache, so it
 * cannot prove that anything was synced: this can.
 *
 * A server lives several times on one file: it is stopped, killed, and left. Every image is read by the store (check-image.ts);
 * some are taken up by the engine in this process (finish-image.ts), some by the real binary, until every workflow has ended.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../../src/lib/random.js";
import { startServer, temporaryDirectory } from "../harness/server-process.js";
import { checkImage } from "./check-image.js";
import { finishImage } from "./finish-image.js";
import { type Freeze, freezes, type Image, settle } from "./frozen-disk.js";
import { type Acknowledged, Load } from "./load.js";

export interface DurabilityOptions {
  readonly durability: "full" | "normal" | "memory";
  /** What each sync takes longer. The server, which measures another file, does not see it: its thread is named. */
  readonly delayUs: number;
  readonly commitThread: "engine" | "writer";
  /** Lives of the server on the file, and syncs in each. */
  readonly lives: number;
  readonly syncsPerLife: number;
  /** Upper bound of a signal's payload. */
  readonly payloadBytes: number;
  readonly imagesMax: number;
  /** Whether every second image has a part of what was not synced; what nothing but a strict one is sure to show is looked for without. */
  readonly mayTear: boolean;
  /** Every so many images the engine, and the binary, finish what was open. 0: never. */
  readonly engineEvery: number;
  readonly binaryEvery: number;
  readonly seed: number;
  /** Load goes on that long at most in each life. */
  readonly lifeMsMax: number;
  /** Each life ends within a write: the first that ends a transaction after so many pages, some more in each. 0: never. */
  readonly dieAfterPages: number;
  /** Each life is killed after it has written its last commits, before so many syncs: whoever comes next finds them in the files. */
  readonly syncsLeftOut: number;
}

export interface DurabilityReport {
  syncs: number;
  acknowledged: number;
  /** Workflows whose histories were read of a server before anything else was asked of it. */
  shown: number;
  images: number;
  torn: number;
  /** Syncs of the database itself: checkpoints. */
  checkpoints: number;
  /** Bytes that were in the files of a process that had died, and in no record. */
  unrecorded: number;
  /** Images in which SQLite had a log to recover. */
  withLog: number;
  engine: number;
  binary: number;
  /** Facts looked for, over all images. */
  facts: number;
  problems: string[];
}

/** Undefined when there is no compiler or no way to preload. */
export function buildLibrary(name: "freeze" | "full-disk", directory: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  const library = join(directory, `${name}.so`);
  const source = join(import.meta.dirname, `${name}.c`);
  const built = spawnSync("cc", ["-O2", "-Wall", "-shared", "-fPIC", "-o", library, source, "-ldl", "-lpthread"]);
  if (built.error !== undefined) return undefined;
  if (built.status !== 0) throw new Error(`${name}.c does not compile: ${built.stderr.toString()}`);
  return library;
}

export const NO_COMPILER = "skipped: the durability test needs Linux and a C compiler (cc)";

export async function durabilityTest(library: string, o: DurabilityOptions): Promise<DurabilityReport> {
  const directory = temporaryDirectory();
  const live = join(directory, "live");
  mkdirSync(live);
  const file = join(live, "d.db");
  const log = join(directory, "log");
  const counterFile = join(directory, "counter");
  writeFileSync(counterFile, Buffer.alloc(8));
  let acknowledged: Acknowledged[] = [];
  let shown = 0;
  try {
    for (let life = 0; life < o.lives; life++) {
      const server = await startServer(["--db-filename", file, "--durability", o.durability, "--commit-thread", o.commitThread], {
        LD_PRELOAD: library,
        FREEZE_FILE: file,
        FREEZE_LOG: log,
        FREEZE_COUNTER: counterFile,
        FREEZE_DELAY_US: String(o.delayUs),
        FREEZE_DIE: String(o.dieAfterPages === 0 ? 0 : o.dieAfterPages + 7 * life),
      });
      const load = new Load({
        address: server.address,
        counterFile,
        acknowledged,
        clients: 6,
        payloadBytes: o.payloadBytes,
        seed: o.seed + life,
        name: `life${life}`,
      });
      shown += await load.look();
      load.begin();
      const until = load.counter() + o.syncsPerLife;
      const end = Date.now() + o.lifeMsMax;
      let isDead = false;
      void server.exited.then(() => {
        isDead = true;
      });
      while (!isDead && load.counter() < until && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
      await server.stop(life % 2 === 0 && o.syncsLeftOut === 0 ? "SIGTERM" : "SIGKILL");
      await load.stop();
      const counter = settle(log, counterFile, file, o.syncsLeftOut);
      acknowledged = acknowledged.filter((a) => a.counter <= counter);
    }
    return { ...(await checkAll(o, directory, readFileSync(log), acknowledged)), shown };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function checkAll(o: DurabilityOptions, directory: string, log: Buffer, acknowledged: readonly Acknowledged[]): Promise<DurabilityReport> {
  const report: DurabilityReport = {
    syncs: 0,
    acknowledged: acknowledged.length,
    shown: 0,
    images: 0,
    torn: 0,
    checkpoints: 0,
    unrecorded: 0,
    withLog: 0,
    engine: 0,
    binary: 0,
    facts: 0,
    problems: [],
  };
  for (const f of freezes(log)) {
    report.syncs = f.counter;
    report.checkpoints = f.checkpoints;
    report.unrecorded = f.unrecorded;
  }
  const random = new Random(o.seed);
  const sorted = [...acknowledged].sort((a, b) => a.counter - b.counter);
  let known = 0;
  let last: Freeze | undefined;
  const wanted = Math.min(o.imagesMax, report.syncs + 1);
  for (const freeze of freezes(log)) {
    last = freeze;
    while (known < sorted.length && (sorted[known] as Acknowledged).counter <= freeze.counter) known++;
    // Evenly over the run, its first and last moments included.
    if (Math.floor((freeze.counter * wanted) / (report.syncs + 1)) < report.images && freeze.counter < report.syncs) continue;
    const isTorn = o.mayTear && freeze.hasPending && random.uint32() % 2 === 0;
    const image = isTorn ? freeze.torn(random) : freeze.strict();
    const at = join(directory, `image-${report.images}`);
    const problems = await checkOne(o, report, at, image, sorted.slice(0, known));
    report.images++;
    if (isTorn) report.torn++;
    for (const p of problems) report.problems.push(`${isTorn ? "torn" : "strict"} image at sync ${freeze.counter}: ${p}`);
    if (report.problems.length > 20) break;
  }
  if (last === undefined) report.problems.push("nothing was written");
  return report;
}

async function checkOne(o: DurabilityOptions, report: DurabilityReport, at: string, image: Image, known: readonly Acknowledged[]): Promise<string[]> {
  mkdirSync(at);
  const file = join(at, "d.db");
  const put = (): void => {
    for (const suffix of ["", "-wal", "-journal", "-shm"]) rmSync(`${file}${suffix}`, { force: true });
    for (const [name, data] of image) writeFileSync(join(at, name), data);
  };
  const isDue = (every: number): boolean => every > 0 && report.images % every === every - 1;
  try {
    put();
    if ((image.get("d.db-wal")?.length ?? 0) > 0) report.withLog++;
    report.facts += known.length;
    const problems = await checkImage(file, known);
    if (problems.length === 0 && isDue(o.engineEvery)) {
      put();
      report.engine++;
      problems.push(...(await finishImage(file, Date.now() * 1000)));
    }
    if (problems.length === 0 && isDue(o.binaryEvery)) {
      put();
      report.binary++;
      problems.push(...(await finishWithBinary(file, o.seed)));
      problems.push(...(await checkImage(file, known)));
    }
    return problems;
  } finally {
    rmSync(at, { recursive: true, force: true });
  }
}

/** The real server takes the file up; real workers bring every workflow that was open to its end. */
async function finishWithBinary(file: string, seed: number): Promise<string[]> {
  const server = await startServer(["--db-filename", file]);
  const counterFile = `${file}.counter`;
  writeFileSync(counterFile, Buffer.alloc(8));
  const load = new Load({ address: server.address, counterFile, acknowledged: [], clients: 0, payloadBytes: 0, seed, name: "finish" });
  try {
    load.begin();
    const left = await load.finishAll(60_000);
    return left.map((l) => `${l} does not end on the real server`);
  } finally {
    await load.stop();
    await server.stop();
  }
}
