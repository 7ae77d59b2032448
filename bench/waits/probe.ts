/**
 * The one who waits: a process of its own, so that what the player of the loads computes is no part of the wait. In: the server's address
 * as argument, a line on stdin at each load's begin and end. Out: at each end a line of JSON, the longest waits in between. Two
 * connections ask again and again: for GetSystemInfo, which waits for nothing but its turn, and for a signal, which waits for its commit too.
 */
import { createInterface } from "node:readline";
import { Rpc } from "../rpc.js";

export interface Waits {
  readonly answerMs: number;
  readonly commitMs: number;
}

const PAUSE_MS = 5;
/** Below what a run takes in signals. */
const SIGNALS_A_RUN = 5_000;
const [address = ""] = process.argv.slice(2);

/** Asks until it is told to stop, and remembers the longest wait since the last look. */
class Asking {
  private longest = 0;
  private isOver = false;
  private asking: Promise<void> = Promise.resolve();
  private readonly loop: Promise<void>;

  constructor(private readonly ask: () => Promise<unknown>) {
    this.loop = this.again();
  }

  private async again(): Promise<void> {
    while (!this.isOver) {
      this.asking = this.once();
      await this.asking;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  private async once(): Promise<void> {
    const begin = performance.now();
    await this.ask();
    this.longest = Math.max(this.longest, performance.now() - begin);
  }

  /** What is under way belongs to the time before the look. */
  async look(): Promise<number> {
    await this.asking;
    const { longest } = this;
    this.longest = 0;
    return longest;
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.loop;
  }
}

const reader = new Rpc(address);
const writer = new Rpc(address);
let signals = 0;
async function signal(): Promise<void> {
  const n = signals++;
  const workflowId = `probe-${Math.floor(n / SIGNALS_A_RUN)}`;
  if (n % SIGNALS_A_RUN === 0)
    await writer.call("StartWorkflowExecution", { workflowId, requestId: workflowId, workflowType: { name: "probe" }, taskQueue: { name: "probe" } });
  await writer.call("SignalWorkflowExecution", { workflowExecution: { workflowId }, signalName: "s", requestId: `${n}` });
}
// The first calls of a connection take longer.
await reader.call("GetSystemInfo", {});
await signal();
const answers = new Asking(() => reader.call("GetSystemInfo", {}));
const commits = new Asking(signal);
process.stdout.write(`${JSON.stringify({ isReady: true })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "begin") await Promise.all([answers.look(), commits.look()]);
  const waits: Waits = { answerMs: await answers.look(), commitMs: await commits.look() };
  process.stdout.write(`${JSON.stringify(waits)}\n`);
}
await Promise.all([answers.stop(), commits.stop()]);
reader.close();
writer.close();
