/**
 * What clients of standalone activities and of standalone Nexus operations have in common: calls that are sent twice or lose their
 * answer, the runs that callers were told of, and the end, at which each run has come to one, is compared with what was told of it
 * (`checkTold`), and deleted leaves nothing. A kind gives what it draws and what it knows of its own states.
 */
import type { Archetype } from "../../src/core/execution.js";
import type { InputKind, InputOf } from "../../src/core/input.js";
import type { Replies } from "../../src/core/transition.js";
import type { Disk } from "./sim-store.js";
import type { SimWorld } from "./world.js";

export const WAIT_MS = 3_600_000;

interface StandaloneState {
  readonly key: number;
  readonly isOpen: boolean;
  readonly info: {
    readonly workflowId: string;
    readonly runId: string;
    readonly startRequestId: string;
    readonly cancelRequestId: string;
    readonly status: number;
    readonly stateTransitionCount: number;
  };
}

interface Told {
  readonly runId: string;
  readonly requestId: string;
}

export abstract class Standalone<K extends InputKind, S extends StandaloneState> {
  /** The runs that callers were told of last: of most calls the target. */
  protected readonly recent: { id: string; runId: string }[] = [];
  private readonly starts = new Map<string, string>();
  protected readonly cancels: Told[] = [];
  protected readonly terminations: Told[] = [];
  /** Runs of which somebody waits for the end, in this life of the server. */
  private readonly awaited = new Map<number, string>();
  private waits = 0;
  private readonly keys = new Set<number>();
  /** How each has ended. */
  readonly endings: string[] = [];
  private stage: "running" | "closed" | "checked" = "running";

  constructor(
    protected readonly w: SimWorld,
    protected readonly disk: Disk,
    private readonly archetype: Archetype,
    /** As problems name it. */
    private readonly noun: string,
    private readonly recentMax: number,
  ) {}

  /** Undefined for what is of another kind. */
  protected abstract load(key: number): Promise<S | undefined>;
  /** Of one state by itself. */
  protected abstract check(key: number): Promise<void>;
  /** The states at the end, beside what is compared of both kinds. */
  protected abstract checkEnds(states: readonly S[], of: (runId: string, what: string) => S | undefined): void;
  /** Called while some are open. */
  protected abstract urge(open: readonly S[]): void;
  /** Whether all is done for one that has ended. */
  protected isSettled(_state: S): boolean {
    return true;
  }
  /** Whether something is still to be done for those that have ended. */
  protected abstract hasRest(): Promise<boolean>;

  protected submit<I extends K>(id: string, runId: string, input: InputOf<I>): Promise<Replies[I]> {
    return this.w.submit<I>(id, runId, input, this.archetype);
  }

  /** Once or twice, and again when the answer is lost. */
  protected send<I extends K>(id: string, runId: string, input: InputOf<I>, then: (reply: Replies[I]) => void = () => undefined): void {
    const { w } = this;
    const once = (again: boolean): void => {
      this.submit<I>(id, runId, input).then(
        (reply) => {
          then(reply);
          if (!again) return;
          w.count("client lost a reply");
          once(false);
        },
        (e) => w.expected(e),
      );
    };
    once(w.swarm.lostReplies && w.chance(100));
    if (!w.swarm.duplicates || !w.chance(80)) return;
    w.count("client sent twice");
    if (w.chance(500)) once(false);
    else w.later(w.pick(3_000_000), () => once(false));
  }

  /** A start was acknowledged. */
  protected began(id: string, requestId: string, { runId, started }: { readonly runId: string; readonly started: boolean }): void {
    this.starts.set(requestId, runId);
    if (!started) return;
    this.recent.push({ id, runId });
    if (this.recent.length > this.recentMax) this.recent.shift();
  }

  /** `wait` says when the run has been seen open, and ends when its end was told. */
  protected awaiting(runId: string, wait: (isOpen: () => void) => Promise<void>): void {
    const { w } = this;
    const id = ++this.waits;
    wait(() => this.awaited.set(id, runId))
      .catch((e: unknown) => w.expected(e))
      .finally(() => this.awaited.delete(id));
  }

  /** Called again and again without faults. Answers whether all is done. */
  async end(): Promise<boolean> {
    const { w, noun } = this;
    const states: S[] = [];
    for (const key of await this.disk.executionKeys()) {
      const state = await this.load(key);
      if (state !== undefined) states.push(state);
    }
    const open = states.filter((s) => s.isOpen);
    this.urge(open);
    if (open.length > 0 || !states.every((s) => this.isSettled(s)) || (await this.hasRest())) return false;
    if (this.stage === "running") this.stage = "closed";
    else if (this.stage === "closed") {
      for (const runId of new Set(this.awaited.values()))
        if (states.some((s) => s.info.runId === runId)) w.problem(`${noun} ${runId} has ended, and who waits for it is not told`);
      for (const { key } of states) {
        this.keys.add(key);
        await this.check(key);
      }
      this.checkTold(states);
      for (const { info } of states) this.endings.push(`${info.workflowId} ${info.runId} ${info.status} ${info.stateTransitionCount}`);
      this.stage = "checked";
    }
    if (this.stage !== "checked") return false;
    for (const { info } of states)
      w.submit<"delete">(info.workflowId, info.runId, { kind: "delete" }, this.archetype).catch((e: unknown) => w.expected(e));
    if (states.length > 0) return false;
    for (const due of this.disk.dues) if (this.keys.has(Number(due.split("/")[0]))) w.problem(`due row ${due} is of a deleted ${noun}`);
    return true;
  }

  protected whereOf({ info }: S): string {
    return `${this.noun} ${info.workflowId} ${info.runId}`;
  }

  private checkTold(states: readonly S[]): void {
    const { w, noun } = this;
    const byRun = new Map(states.map((s) => [s.info.runId, s]));
    const of = (runId: string, what: string): S | undefined => {
      const state = byRun.get(runId);
      if (state === undefined && !w.acknowledged.deleted.has(runId)) w.problem(`${what} was acknowledged by ${noun} ${runId}, which is lost`);
      return state;
    };
    for (const [requestId, runId] of this.starts) of(runId, `start ${requestId}`);
    for (const { runId, requestId } of this.cancels) {
      const state = of(runId, "a cancel request");
      if (state !== undefined && state.info.cancelRequestId !== requestId)
        w.problem(`${this.whereOf(state)}: cancel request ${requestId} was acknowledged and is lost`);
    }
    const last = new Map<string, S>();
    for (const state of states) {
      const { workflowId, startRequestId } = state.info;
      if (last.get(workflowId)?.info.startRequestId === startRequestId && w.acknowledged.deleted.size === 0)
        w.problem(`${this.whereOf(state)}: start ${startRequestId} was applied twice in a row`);
      last.set(workflowId, state);
    }
    this.checkEnds(states, of);
  }
}
