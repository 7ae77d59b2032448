/**
 * Standalone Nexus operations under way: started, waited for, looked at, canceled, terminated; their handlers (nexus.ts) are those of
 * the operations of workflows. A stored operation agrees with itself at any moment (`checkOperation`); at the end each has ended as
 * its handler says, or as somebody was told (`end`), and deleted it leaves nothing.
 */
import { ExecutionHeader, OutboundRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { NexusOperationCancellationState as CancelState, PendingNexusOperationState as State } from "../../gen/wire/temporal/api/enums/v1/common.js";
import {
  NexusOperationIdConflictPolicy as ConflictPolicy,
  NexusOperationIdReusePolicy as ReusePolicy,
  NexusOperationWaitStage as Stage,
  NexusOperationExecutionStatus as Status,
} from "../../gen/wire/temporal/api/enums/v1/nexus.js";
import {
  DescribeNexusOperationExecutionRequest,
  RequestCancelNexusOperationExecutionRequest,
  StartNexusOperationExecutionRequest,
  TerminateNexusOperationExecutionRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { duration } from "../../src/api/time.js";
import { decode } from "../../src/api/wire.js";
import { Archetype } from "../../src/core/execution.js";
import type { InputOf, NexusExecutionInputKind } from "../../src/core/input.js";
import { deadlines } from "../../src/core/nexus-operation/deadlines.js";
import { NexusExecutionState } from "../../src/core/nexus-operation/execution-state.js";
import { OutboundKind } from "../../src/core/outbound.js";
import type { Replies } from "../../src/core/transition.js";
import { Kind } from "../../src/core/workflow/mutable-state.js";
import { ENDPOINT } from "./programs.js";
import type { Disk } from "./sim-store.js";
import type { SimWorld } from "./world.js";

const IDS = 6;
const RECENT = 5;
const WAIT_MS = 3_600_000;
const OUTBOUND_MAX = 1_000_000;
export const ENDPOINT_ID = "sim-id";
const REUSE = [ReusePolicy.ALLOW_DUPLICATE, ReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY, ReusePolicy.REJECT_DUPLICATE] as const;
const CONFLICT = [ConflictPolicy.FAIL, ConflictPolicy.USE_EXISTING] as const;

type Input = NexusExecutionInputKind | "delete";

/** What the handler of a request says that became of it; undefined: nothing yet. */
type Handled = (requestId: string) => string | undefined;

export class Operations {
  private requests = 0;
  private readonly recent: { id: string; runId: string }[] = [];
  private readonly starts = new Map<string, string>();
  private readonly cancels: { runId: string; requestId: string }[] = [];
  private readonly terminations: { runId: string; requestId: string }[] = [];
  /** What those who waited were told of the end. */
  private readonly told: { runId: string; outcome: string }[] = [];
  /** Runs of which somebody waits for the end, in this life of the server. */
  private readonly awaited = new Map<number, string>();
  private waits = 0;
  private readonly keys = new Set<number>();
  /** How each has ended. */
  readonly endings: string[] = [];
  private stage: "running" | "closed" | "checked" = "running";

  constructor(
    private readonly w: SimWorld,
    private readonly disk: Disk,
    private readonly handled: Handled,
  ) {}

  step(): void {
    const { w } = this;
    const requestId = `n${this.requests++}`;
    const kind = w.pick(100);
    if (kind < 35 || this.recent.length === 0) return this.start(requestId);
    const { id, runId } = this.recent[w.pick(this.recent.length)] as { id: string; runId: string };
    const reason = "sim";
    if (kind < 55) this.wait(id, runId, w.chance(300) ? Stage.STARTED : Stage.CLOSED);
    else if (kind < 68) {
      const request = DescribeNexusOperationExecutionRequest.create({ includeInput: true, includeOutcome: true });
      this.send<"describeNexusExecution">(id, runId, { kind: "describeNexusExecution", request });
    } else if (kind < 85) {
      const request = RequestCancelNexusOperationExecutionRequest.create({ requestId, reason });
      this.send<"cancelNexusExecution">(id, runId, { kind: "cancelNexusExecution", request }, () => this.cancels.push({ runId, requestId }));
    } else if (kind < 93) {
      const request = TerminateNexusOperationExecutionRequest.create({ requestId, reason });
      this.send<"terminateNexusExecution">(id, runId, { kind: "terminateNexusExecution", request }, () =>
        this.terminations.push({ runId, requestId }),
      );
    } else if (w.swarm.deletes) {
      w.acknowledged.deleted.add(runId);
      this.send<"delete">(id, runId, { kind: "delete" });
    }
  }

  private submit<K extends Input>(id: string, runId: string, input: InputOf<K>): Promise<Replies[K]> {
    return this.w.submit<K>(id, runId, input, Archetype.NEXUS_OPERATION);
  }

  /** Once or twice, and again when the answer is lost. */
  private send<K extends Input>(id: string, runId: string, input: InputOf<K>, then: (reply: Replies[K]) => void = () => undefined): void {
    const { w } = this;
    const once = (again: boolean): void => {
      this.submit<K>(id, runId, input).then(
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

  private start(requestId: string): void {
    const { w } = this;
    const id = `operation${w.pick(IDS)}`;
    const timed = w.pick(10);
    const request = StartNexusOperationExecutionRequest.create({
      operationId: id,
      requestId,
      endpoint: ENDPOINT,
      service: "service",
      // Those that are long wait for somebody to cancel them.
      operation: w.chance(400) ? "op-c" : "op",
      nexusHeader: {},
      scheduleToCloseTimeout: duration(300_000_000),
      scheduleToStartTimeout: timed === 0 ? duration(500_000) : undefined,
      startToCloseTimeout: timed === 1 ? duration(200_000) : undefined,
      idReusePolicy: REUSE[w.pick(100) < 80 ? 0 : w.pick(REUSE.length)] ?? ReusePolicy.ALLOW_DUPLICATE,
      idConflictPolicy: CONFLICT[w.pick(CONFLICT.length)] ?? ConflictPolicy.FAIL,
    });
    this.send<"startNexusExecution">(id, "", { kind: "startNexusExecution", request, endpointId: ENDPOINT_ID }, ({ runId, started }) => {
      this.starts.set(requestId, runId);
      if (!started) return;
      this.recent.push({ id, runId });
      if (this.recent.length > RECENT) this.recent.shift();
    });
  }

  /** As a long poll does it: looks, waits for the next change, and looks again before it waits. */
  private wait(id: string, runId: string, stage: Stage): void {
    const { w } = this;
    const wait = ++this.waits;
    const look = (): Promise<Replies["pollNexusExecution"]> => this.submit<"pollNexusExecution">(id, runId, { kind: "pollNexusExecution", stage });
    const untilFound = async (): Promise<void> => {
      let seen = await look();
      this.awaited.set(wait, runId);
      while (seen.response === undefined) {
        const { server } = w;
        if (server === undefined) return;
        const { changed, stop } = server.engine.waitForChange(seen.key, seen.changes, WAIT_MS, () => () => undefined);
        seen = await look().catch((e: unknown) => {
          stop();
          throw e;
        });
        if (seen.response === undefined) await w.call(() => changed);
        stop();
        if (seen.response === undefined) seen = await look();
      }
      const { response } = seen;
      if (response.waitStage !== Stage.CLOSED) return;
      const outcome = response.outcome as { case: string | undefined; value?: unknown } | undefined;
      this.told.push({ runId, outcome: outcome?.case === "result" ? Buffer.from(outcome.value as Uint8Array).toString() : "failure" });
    };
    untilFound()
      .catch((e: unknown) => w.expected(e))
      .finally(() => this.awaited.delete(wait));
  }

  // --- The end: each comes to it, is compared with what was told of it, and deleted

  /** Called again and again without faults. Answers whether all is done. */
  async end(): Promise<boolean> {
    const { w } = this;
    const states: NexusExecutionState[] = [];
    for (const key of await this.disk.executionKeys()) {
      const state = await loadOperation(this.disk, key);
      if (state !== undefined) states.push(state);
    }
    if (states.some((s) => s.isOpen)) return false;
    if (this.stage === "running") this.stage = "closed";
    else if (this.stage === "closed") {
      for (const runId of new Set(this.awaited.values()))
        if (states.some((s) => s.info.runId === runId)) w.problem(`operation ${runId} has ended, and who waits for it is not told`);
      for (const { key } of states) {
        this.keys.add(key);
        await checkOperation(this.disk, key, (t) => w.problem(t));
      }
      this.checkTold(states);
      for (const { info } of states)
        this.endings.push(`${info.workflowId} ${info.runId} ${info.status} ${info.attempt} ${info.stateTransitionCount}`);
      this.stage = "checked";
    }
    if (this.stage !== "checked") return false;
    for (const { info } of states) this.submit<"delete">(info.workflowId, info.runId, { kind: "delete" }).catch((e: unknown) => w.expected(e));
    if (states.length > 0) return false;
    for (const due of this.disk.dues) if (this.keys.has(Number(due.split("/")[0]))) w.problem(`due row ${due} is of an operation that was deleted`);
    return true;
  }

  private checkTold(states: readonly NexusExecutionState[]): void {
    const { w } = this;
    const byRun = new Map(states.map((s) => [s.info.runId, s]));
    const of = (runId: string, what: string): NexusExecutionState | undefined => {
      const state = byRun.get(runId);
      if (state === undefined && !w.acknowledged.deleted.has(runId)) w.problem(`${what} was acknowledged by operation ${runId}, which is lost`);
      return state;
    };
    for (const [requestId, runId] of this.starts) of(runId, `start ${requestId}`);
    for (const { runId, requestId } of this.cancels) {
      const state = of(runId, "a cancel request");
      if (state !== undefined && state.info.cancelRequestId !== requestId)
        w.problem(`${whereOf(state)}: cancel request ${requestId} was acknowledged and is lost`);
    }
    for (const { runId, requestId } of this.terminations) {
      const state = of(runId, `termination ${requestId}`);
      if (state !== undefined && (state.info.status !== Status.TERMINATED || state.info.terminateRequestId !== requestId))
        w.problem(`${whereOf(state)}: termination ${requestId} was acknowledged, and it is ${Status[state.info.status]}`);
    }
    for (const { runId, outcome } of this.told) {
      const state = of(runId, "an outcome");
      if (state !== undefined && textOf(state) !== outcome) w.problem(`${whereOf(state)}: somebody was told ${outcome}, it is ${textOf(state)}`);
    }
    for (const { runId, outcome } of w.acknowledged.standaloneEnds) {
      const state = of(runId, "an end");
      if (state !== undefined && saysOf(state) !== outcome)
        w.problem(`${whereOf(state)}: its end (${outcome}) was acknowledged, and it is ${saysOf(state)}`);
    }
    const last = new Map<string, NexusExecutionState>();
    for (const state of states) {
      const { workflowId, startRequestId, status, requestId } = state.info;
      if (last.get(workflowId)?.info.startRequestId === startRequestId && w.acknowledged.deleted.size === 0)
        w.problem(`${whereOf(state)}: start ${startRequestId} was applied twice in a row`);
      last.set(workflowId, state);
      const isByHandler = status === Status.COMPLETED || status === Status.FAILED || status === Status.CANCELED;
      if (isByHandler && saysOf(state) !== this.handled(requestId))
        w.problem(`${whereOf(state)}: is ${saysOf(state)}, its handler says ${this.handled(requestId)}`);
      if (status === Status.TIMED_OUT && !w.swarm.testClock && state.info.closeTime - state.info.scheduledTime >= 290_000_000)
        w.problem(`${whereOf(state)}: was held back until its time was over`);
    }
  }
}

const whereOf = ({ info }: NexusExecutionState): string => `operation ${info.workflowId} ${info.runId}`;

/** As those who wait for the end are told it. */
const textOf = ({ outcome }: NexusExecutionState): string => (outcome?.isSuccess === true ? Buffer.from(outcome.result ?? []).toString() : "failure");

/** As handlers say it. */
function saysOf(state: NexusExecutionState): string {
  const { status } = state.info;
  if (status === Status.COMPLETED) return textOf(state);
  return status === Status.FAILED ? "failed" : status === Status.CANCELED ? "canceled" : (Status[status] ?? "");
}

/** Undefined for what is no standalone operation. */
async function loadOperation(disk: Disk, key: number): Promise<NexusExecutionState | undefined> {
  const rows = await disk.inner.loadExecution(key);
  if (rows === undefined || decode(ExecutionHeader, rows.record).archetype !== Archetype.NEXUS_OPERATION) return undefined;
  return NexusExecutionState.load(key, rows.record, rows.live);
}

/** Calls that leave the store and are not done, each as the execution, the kind, what of it, and the attempt. */
export async function outboundCalls(disk: Disk): Promise<ReadonlySet<string>> {
  const rows = await disk.inner.listComponents(0, Kind.OUTBOUND, undefined, OUTBOUND_MAX);
  return new Set(
    rows.map(({ value }) => {
      const r = decode(OutboundRecord, value);
      return outboundCall(r.runId, r.kind as OutboundKind, r.componentId, r.attempt);
    }),
  );
}

export const outboundCall = (runId: string, kind: OutboundKind, id: number, attempt: number): string => `${runId} ${kind} ${id} ${attempt}`;

/** State, outcome, visibility row, due row and calls of one operation say the same. */
export async function checkOperation(disk: Disk, key: number, problem: (text: string) => void): Promise<void> {
  const state = await loadOperation(disk, key);
  if (state === undefined) return;
  const { info, outcome } = state;
  const where = whereOf(state);
  if (state.isOpen && outcome !== undefined) problem(`${where}: is open and has an outcome`);
  if (state.isOpen === (info.state === State.UNSPECIFIED)) problem(`${where}: is ${Status[info.status]} and ${State[info.state]}`);
  if (!state.isOpen && outcome === undefined && info.lastAttemptFailure === undefined) problem(`${where}: has ended without an outcome`);
  if ((info.status === Status.COMPLETED) !== (outcome?.isSuccess === true))
    problem(`${where}: is ${Status[info.status]} with the outcome ${JSON.stringify(outcome)}`);
  const row = disk.visibility.get(key);
  if (row === undefined) problem(`${where}: not listed`);
  else if (row.closeTime !== info.closeTime) problem(`${where}: listed as closed at ${row.closeTime}, is closed at ${info.closeTime}`);
  const earliest = state.isOpen ? Math.min(...deadlines(info).map((d) => d.time)) : info.deleteAt;
  if (Number.isFinite(earliest) && earliest > 0 && (info.due === 0 || info.due > earliest))
    problem(`${where}: due at ${info.due}, has a deadline at ${earliest}`);
  if (info.due > 0 && !disk.dues.has(`${key}/${info.due}`)) problem(`${where}: no due row at ${info.due}`);
  if (!state.isOpen) return;
  const calls = await outboundCalls(disk);
  const { cancellation } = info;
  if (info.state === State.SCHEDULED && !calls.has(outboundCall(info.runId, OutboundKind.START_OPERATION, 0, info.attempt)))
    problem(`${where}: attempt ${info.attempt} is to be made, and nothing makes it`);
  if (cancellation?.state === CancelState.SCHEDULED && !calls.has(outboundCall(info.runId, OutboundKind.CANCEL_OPERATION, 0, cancellation.attempt)))
    problem(`${where}: its cancellation is to be asked for, and nothing asks`);
}
