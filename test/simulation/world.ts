/** What clients, workers and checkers of a simulated run share: chance, the server as it is now, and what it has acknowledged. */
import type { Call } from "../../src/api/call.js";
import type { Archetype } from "../../src/core/execution.js";
import type { InputKind, InputOf } from "../../src/core/input.js";
import type { Replies } from "../../src/core/transition.js";
import type { SimServer } from "./server.js";

/** What this run does at all: swarm testing, some faults and calls off entirely. */
export interface Swarm {
  delays: boolean;
  slowReads: boolean;
  refuses: boolean;
  fills: boolean;
  loses: boolean;
  crashes: boolean;
  evicts: boolean;
  workerDeaths: boolean;
  slowWorkers: boolean;
  pollDeaths: boolean;
  lostReplies: boolean;
  duplicates: boolean;
  sameBatch: boolean;
  sticky: boolean;
  continues: boolean;
  terminates: boolean;
  cancels: boolean;
  deletes: boolean;
  updates: boolean;
  resets: boolean;
  pauses: boolean;
  /** Operators touch pending activities. */
  operates: boolean;
  schedules: boolean;
  /** Standalone activities. */
  activities: boolean;
  /** Standalone Nexus operations. */
  operations: boolean;
  /** Workflows on a queue that builds of a deployment serve. */
  versions: boolean;
  /** Executions with a clock of their own. */
  ownClocks: boolean;
  /** Tests move the clock of the namespace. */
  testClock: boolean;
  /** Starts and updates bring completion callbacks. */
  callbacks: boolean;
  /** Processes of workers take commands. */
  commands: boolean;
  /** The core fails on inputs. */
  bugs: boolean;
  /** Operators repair runs by hand. */
  repairs: boolean;
}

/** Every worker is alive and quick, and every batch is written. */
export const isUntroubled = (s: Swarm): boolean => !(s.workerDeaths || s.slowWorkers || s.crashes || s.loses || s.refuses || s.fills || s.bugs);

/** What callers were told, which must hold for ever. */
export class Acknowledged {
  /** Run id by request id. */
  readonly starts = new Map<string, string>();
  readonly signals: { workflowId: string; runId: string; requestId: string }[] = [];
  /** Pairs of signals to one run, of which the second was sent when the first had been acknowledged. */
  readonly signalOrder: { runId: string; first: string; second: string }[] = [];
  readonly activities: { runId: string; scheduledEventId: number; attempt: number }[] = [];
  /** Standalone activities that a worker has ended: completed with that result, or canceled. */
  readonly activityEnds: { runId: string; result: string | undefined }[] = [];
  /** Ends of Nexus operations that a handler was told to have arrived; no run id: in the newest run. */
  readonly operationEnds: { workflowId: string; runId: string; requestId: string; outcome: string }[] = [];
  /** The same of standalone ones. */
  readonly standaloneEnds: { runId: string; outcome: string }[] = [];
  readonly workflowTasks: { runId: string; scheduledEventId: number; identity: string }[] = [];
  readonly cancels: { runId: string; at: number }[] = [];
  readonly terminated: string[] = [];
  readonly deleted = new Set<string>();
  readonly updates: { runId: string; updateId: string; isCompleted: boolean }[] = [];
  /** Overrides of a run's version; no build: it goes by the routing, or by what its workers say. */
  readonly overrides: { runId: string; build: string | undefined }[] = [];
  readonly resets: { base: string; runId: string; forkEventId: number; keepsSignals: boolean }[] = [];
  /** Runs that were asked to offer again what is on its way: it may come once more. */
  readonly offeredAgain = new Set<string>();
  /** Runs whose row of timers somebody has taken away, until they are refreshed; and all that have been without, or come from elsewhere. */
  readonly withoutTimers = new Set<string>();
  readonly heldUp = new Set<string>();
  /** How many events of a run come from elsewhere. */
  readonly imports = new Map<string, number>();
  /** Workflow ids of which somebody has asked to count the attempts of an activity anew. */
  readonly attemptsReset = new Set<string>();
  /** Greatest attempt of an activity whose failure was acknowledged. */
  readonly failedAttempts = new Map<string, number>();
}

export interface SimWorld {
  readonly swarm: Swarm;
  readonly isHealed: boolean;
  readonly acknowledged: Acknowledged;
  readonly server: SimServer | undefined;
  /** Real time. */
  readonly now: number;
  /** The time of the namespace, as callers are told it. */
  readonly time: number;
  chance(perMille: number): boolean;
  /** Below n. */
  pick(n: number): number;
  count(fault: string): void;
  problem(text: string): void;
  /** An error that a caller may get is no problem; any other is. */
  expected(e: unknown): void;
  later(micros: number, f: () => void): void;
  /** A call that ends with the server's life. */
  call<T>(f: (s: SimServer) => Promise<T>): Promise<T>;
  submit<K extends InputKind>(workflowId: string, runId: string, input: InputOf<K>, archetype?: Archetype): Promise<Replies[K]>;
}

/** Of one of a few, so that callers meet. */
export function pickWorkflowId(w: SimWorld): string {
  if (w.swarm.ownClocks && w.chance(250)) return `t${w.pick(6)}`;
  return w.swarm.versions && w.chance(350) ? `v${w.pick(8)}` : `w${w.pick(25)}`;
}

/** The server has ended under the call. */
export class Died extends Error {}

export class SimCall implements Call {
  readonly path = "sim";
  readonly peer = "sim";
  cancelled = false;
  private readonly listeners = new Set<() => void>();
  constructor(readonly deadlineMs: number) {}
  metadata(): string | undefined {
    return undefined;
  }
  onCancel(f: () => void): () => void {
    if (this.cancelled) f();
    else this.listeners.add(f);
    return () => this.listeners.delete(f);
  }
  cancel(): void {
    this.cancelled = true;
    for (const f of this.listeners) f();
    this.listeners.clear();
  }
}
