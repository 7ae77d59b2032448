/** Plays loads beside the probe, and prints for each how long it took and how long the others waited. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { figure } from "../figures.js";
import type { Rpc } from "../rpc.js";
import type { Waits } from "./probe.js";

/**
 * A second is what a client does not notice as a fault: the shortest deadline that SDKs set for a call is ten times that, a poll that is
 * given up has a second to be answered in, and workers' local timers are far longer. What is worth a look is above half of it.
 */
export const WAIT_MS_MAX = 1_000;
/** What a load leaves to be done begins within that time, if nobody is told of its end. */
const AFTER_MS = 100;

export class Loads {
  private longestCommit: { what: string; ms: number } = { what: "", ms: 0 };

  private constructor(
    readonly rpc: Rpc,
    private readonly probe: ChildProcess,
    private readonly lines: AsyncIterator<string>,
    private readonly only: string,
  ) {}

  /** `only`: text that the names of the loads to be measured hold; the others are played all the same, since later ones need them. */
  static async begin(rpc: Rpc, address: string, only: string): Promise<Loads> {
    const root = join(import.meta.dirname, "../..");
    const probe = spawn(process.execPath, [join(root, "scripts/run-ts.mjs"), join(root, "bench/waits/probe.ts"), address], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const { stdout } = probe;
    if (stdout === null) throw new Error("the probe has no stdout");
    const loads = new Loads(rpc, probe, createInterface({ input: stdout })[Symbol.asyncIterator](), only);
    await loads.line();
    return loads;
  }

  private async line(): Promise<Waits> {
    for (;;) {
      const { value, done } = await this.lines.next();
      if (done === true) throw new Error("the probe has ended");
      if (value.startsWith("{")) return JSON.parse(value) as Waits;
    }
  }

  private tell(what: "begin" | "end"): Promise<Waits> {
    this.probe.stdin?.write(`${what}\n`);
    return this.line();
  }

  async play<T>(what: string, f: () => Promise<T>): Promise<T> {
    await this.tell("begin");
    const begin = performance.now();
    const answer = await f();
    const took = performance.now() - begin;
    await new Promise((resolve) => setTimeout(resolve, AFTER_MS));
    const { answerMs, commitMs } = await this.tell("end");
    if (!what.includes(this.only)) return answer;
    if (commitMs > this.longestCommit.ms) this.longestCommit = { what, ms: commitMs };
    figure(`${what}: ${Math.round(took)} ms, a commit beside it ${Math.round(commitMs)} ms`, answerMs, "ms", WAIT_MS_MAX);
    return answer;
  }

  async end(): Promise<void> {
    const { what, ms } = this.longestCommit;
    figure(`longest commit, beside "${what}"`, ms, "ms", 2 * WAIT_MS_MAX);
    this.probe.stdin?.end();
    if (this.probe.exitCode === null) await once(this.probe, "exit");
  }
}

export const times = <T>(n: number, f: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => f(i));

/** A call that is to be refused, with the code that says so. */
export async function refused(code: number, call: Promise<unknown>): Promise<void> {
  const outcome = await call.then(
    () => 0,
    (e: { code?: number }) => e.code,
  );
  if (outcome !== code) throw new Error(`refused with ${outcome} instead of ${code}`);
}
