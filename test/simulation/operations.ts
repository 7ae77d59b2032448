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
import type { NexusExecutionInputKind } from "../../src/core/input.js";
import { deadlines } from "../../src/core/nexus-operation/deadlines.js";
import { NexusExecutionState } from "../../src/core/nexus-operation/execution-state.js";
import { OutboundKind } from "../../src/core/outbound.js";
import type { Replies } from "../../src/core/transition.js";
import { Kind } from "../../src/core/workflow/mutable-state.js";
import { ENDPOINT } from "./programs.js";
import type { Disk } from "./sim-store.js";
import { Standalone, WAIT_MS } from "./standalone.js";
import type { SimWorld } from "./world.js";

const RECENT = 5;
const IDS = 6;
const OUTBOUND_MAX = 1_000_000;
export const ENDPOINT_ID = "sim-id";
const REUSE = [ReusePolicy.ALLOW_DUPLICATE, ReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY, ReusePolicy.REJECT_DUPLICATE] as const;
const CONFLICT = [ConflictPolicy.FAIL, ConflictPolicy.USE_EXISTING] as const;

type Input = NexusExecutionInputKind | "delete";

/** What the handler of a request says that became of it; undefined: nothing yet. */
type Handled = (requestId: string) => string | undefined;

export class Operations extends Standalone<Input, NexusExecutionState> {
  private requests = 0;
  /** What those who waited were told of the end. */
  private readonly told: { runId: string; outcome: string }[] = [];

  constructor(
    w: SimWorld,
    disk: Disk,
    private readonly handled: Handled,
  ) {
    super(w, disk, Archetype.NEXUS_OPERATION, "operation", RECENT);
  }

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
    } else if (kind < 85) this.cancel(id, runId);
    else if (kind < 93) {
      const request = TerminateNexusOperationExecutionRequest.create({ requestId, reason });
      this.send<"terminateNexusExecution">(id, runId, { kind: "terminateNexusExecution", request }, () =>
        this.terminations.push({ runId, requestId }),
      );
    } else if (w.swarm.deletes) {
      w.acknowledged.deleted.add(runId);
      this.send<"delete">(id, runId, { kind: "delete" });
    }
  }

  /** Some have lost patience with a server that was down. */
  giveUp(): void {
    for (const { id, runId } of this.recent) if (this.w.chance(900)) this.cancel(id, runId);
  }

  private cancel(id: string, runId: string): void {
    const requestId = `n${this.requests++}`;
    const request = RequestCancelNexusOperationExecutionRequest.create({ requestId, reason: "sim" });
    this.send<"cancelNexusExecution">(id, runId, { kind: "cancelNexusExecution", request }, () => this.cancels.push({ runId, requestId }));
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
    this.send<"startNexusExecution">(id, "", { kind: "startNexusExecution", request, endpointId: ENDPOINT_ID }, (reply) =>
      this.began(id, requestId, reply),
    );
  }

  /** As a long poll does it: looks, waits for the next change, and looks again before it waits. */
  private wait(id: string, runId: string, stage: Stage): void {
    const { w } = this;
    const look = (): Promise<Replies["pollNexusExecution"]> => this.submit<"pollNexusExecution">(id, runId, { kind: "pollNexusExecution", stage });
    this.awaiting(runId, async (isOpen) => {
      let seen = await look();
      isOpen();
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
    });
  }

  // --- The end

  protected load(key: number): Promise<NexusExecutionState | undefined> {
    return loadOperation(this.disk, key);
  }

  protected check(key: number): Promise<void> {
    return checkOperation(
      this.disk,
      key,
      this.w.time,
      (t) => this.w.problem(t),
      (c) => this.w.count(c),
    );
  }

  protected urge(): void {}

  protected async hasRest(): Promise<boolean> {
    return false;
  }

  protected checkEnds(states: readonly NexusExecutionState[], of: (runId: string, what: string) => NexusExecutionState | undefined): void {
    const { w } = this;
    for (const { runId, requestId } of this.terminations) {
      const state = of(runId, `termination ${requestId}`);
      if (state !== undefined && (state.info.status !== Status.TERMINATED || state.info.terminateRequestId !== requestId))
        w.problem(`${this.whereOf(state)}: termination ${requestId} was acknowledged, and it is ${Status[state.info.status]}`);
    }
    for (const { runId, outcome } of this.told) {
      const state = of(runId, "an outcome");
      if (state !== undefined && textOf(state) !== outcome) w.problem(`${this.whereOf(state)}: somebody was told ${outcome}, it is ${textOf(state)}`);
    }
    for (const { runId, outcome } of w.acknowledged.standaloneEnds) {
      const state = of(runId, "an end");
      if (state !== undefined && saysOf(state) !== outcome)
        w.problem(`${this.whereOf(state)}: its end (${outcome}) was acknowledged, and it is ${saysOf(state)}`);
    }
    for (const state of states) {
      const { status, requestId } = state.info;
      const isByHandler = status === Status.COMPLETED || status === Status.FAILED || status === Status.CANCELED;
      if (isByHandler && saysOf(state) !== this.handled(requestId))
        w.problem(`${this.whereOf(state)}: is ${saysOf(state)}, its handler says ${this.handled(requestId)}`);
      if (status === Status.TIMED_OUT && !w.swarm.testClock && state.info.closeTime - state.info.scheduledTime >= 290_000_000)
        w.problem(`${this.whereOf(state)}: was held back until its time was over`);
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

export const isOperation = (record: Uint8Array): boolean => decode(ExecutionHeader, record).archetype === Archetype.NEXUS_OPERATION;

/** Undefined for what is no standalone operation. */
async function loadOperation(disk: Disk, key: number): Promise<NexusExecutionState | undefined> {
  const rows = await disk.inner.loadExecution(key);
  if (rows === undefined || !isOperation(rows.record)) return undefined;
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
export async function checkOperation(
  disk: Disk,
  key: number,
  now: number,
  problem: (text: string) => void,
  count: (what: string) => void,
): Promise<void> {
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
  // What has passed while nobody was there, and is written anew before it is seen to, is due at once.
  const isPast = state.isOpen && earliest < info.due && info.due <= now + 1;
  if (isPast) count("operation written after its deadline");
  if (Number.isFinite(earliest) && earliest > 0 && (info.due === 0 || (info.due > earliest && !isPast)))
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
