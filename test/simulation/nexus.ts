/**
 * Handlers of Nexus operations: they outlive the server, know a request that comes again by its id, answer at once or call back, may
 * die before or after they have done what was asked, and refuse. A completion is sent until it is acknowledged, now and then twice,
 * before the answer to the start, or to a run that a reset has ended meanwhile.
 */
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { Code, ServiceError } from "../../src/api/service-error.js";
import { Archetype } from "../../src/core/execution.js";
import type { InputOf } from "../../src/core/input.js";
import type { CancelOutcome, NexusCall, OperationOutcome, StartOutcome } from "../../src/core/nexus-operation/calls.js";
import type { NexusEndpointDirectory } from "../../src/core/nexus-operation/endpoints.js";
import { Kind } from "../../src/core/workflow/mutable-state.js";
import type { Receivers } from "./callbacks.js";
import { ENDPOINT } from "./programs.js";
import type { SimCaller } from "./server.js";
import type { Disk } from "./sim-store.js";
import { Died, type SimWorld } from "./world.js";

export const ENDPOINTS: NexusEndpointDirectory = { idOf: (name) => (name === ENDPOINT ? "sim-id" : undefined) };

/** Operations that nobody cancels end by themselves. */
const LONG_MICROS = 20_000_000;

interface Operation {
  readonly call: NexusCall;
  readonly token: string;
  readonly isSync: boolean;
  outcome: OperationOutcome;
  isEnding: boolean;
}

export class NexusHandlers {
  /** By request id. */
  private readonly operations = new Map<string, Operation>();
  private life = 0;
  private results = 0;

  constructor(
    private readonly w: SimWorld,
    /** Of completion callbacks, which leave the store the same way. */
    private readonly receivers: Receivers,
  ) {}

  /** The server has ended: no call of it is answered any more. */
  forget(): void {
    this.life++;
  }

  /** What has become of the operation that was asked for with this request; undefined: it has not ended. */
  outcomeOf(requestId: string): string | undefined {
    const op = this.operations.get(requestId);
    return op !== undefined && (op.isSync || op.isEnding) ? textOf(op.outcome) : undefined;
  }

  readonly caller: SimCaller = {
    startOperation: (_namespace, call) => this.answered(() => this.start(call)),
    cancelOperation: (_namespace, call) => this.answered(() => this.cancel(call)),
    deliverCallback: (_namespace, call) => {
      this.receivers.sent(call);
      return this.answered(() => this.receivers.deliver(call));
    },
  };

  private answered<T>(f: () => T): Promise<T> {
    const { life, w } = this;
    return new Promise((resolve) => {
      w.later(w.pick(300_000), () => {
        if (life !== this.life) return;
        const answer = f();
        w.later(w.pick(300_000), () => {
          if (life === this.life) resolve(answer);
        });
      });
    });
  }

  private isTroubled(perMille: number, fault: string): boolean {
    const { w } = this;
    if (w.isHealed || !w.chance(perMille)) return false;
    w.count(fault);
    return true;
  }

  private start(call: NexusCall): { outcome: StartOutcome; isDown: boolean } {
    const { w } = this;
    const retry = { outcome: { kind: "retry", failure: { message: "down" } }, isDown: w.chance(500) } as const;
    if (this.isTroubled(120, "handler died before")) return retry;
    let op = this.operations.get(call.requestId);
    if (op === undefined) {
      op = { call, token: `token ${call.requestId}`, isSync: w.chance(350), outcome: this.outcome(), isEnding: false };
      this.operations.set(call.requestId, op);
      if (!op.isSync) this.begin(op);
    }
    if (this.isTroubled(120, "handler died after")) return retry;
    // One that has called back already may say so, or how it ended.
    const isKnown = op.isSync || (op.isEnding && w.chance(500));
    return { outcome: isKnown ? op.outcome : { kind: "started", operationToken: op.token, links: [] }, isDown: false };
  }

  private outcome(): OperationOutcome {
    const what = this.w.pick(10);
    if (what < 6) return { kind: "completed", result: Buffer.from(`result ${this.results++}`), links: [] };
    if (what < 8) return { kind: "failed", cause: { message: "as it does" } };
    return { kind: "canceled", cause: { message: "canceled", failureInfo: { case: "canceledFailureInfo", value: {} } } };
  }

  private begin(op: Operation): void {
    const { w } = this;
    const isLong = op.call.operation.endsWith("c") || w.chance(100);
    w.later(isLong ? w.pick(LONG_MICROS) : w.pick(1_500_000), () => this.end(op, op.outcome));
  }

  private cancel(call: NexusCall): { outcome: CancelOutcome; isDown: boolean } {
    const { w } = this;
    const failure = { message: "not now" };
    if (this.isTroubled(120, "handler died before")) return { outcome: { kind: "retry", failure }, isDown: w.chance(500) };
    if (w.chance(200)) return { outcome: { kind: "failed", failure }, isDown: false };
    const op = this.operations.get(call.requestId);
    if (op === undefined || op.token !== call.operationToken) w.problem(`operation ${call.requestId} is canceled and was never started`);
    else {
      const canceled: OperationOutcome = {
        kind: "canceled",
        cause: { message: "canceled", failureInfo: { case: "canceledFailureInfo", value: {} } },
      };
      w.later(w.pick(500_000), () => this.end(op, canceled));
    }
    return { outcome: { kind: "done" }, isDown: false };
  }

  private end(op: Operation, outcome: OperationOutcome): void {
    if (op.isEnding) return;
    op.isEnding = true;
    op.outcome = outcome;
    this.complete(op, op.call.runId);
    if (!this.isTroubled(150, "completion sent twice")) return;
    this.w.later(this.w.pick(3_000_000), () => this.complete(op, op.call.runId));
  }

  /** Sent again until it is said that it has arrived, or that nothing waits for it: in its run, or in the one that a reset has made. */
  private complete(op: Operation, runId: string): void {
    const { w } = this;
    const { outcome } = op;
    const { workflowId, scheduledEventId, requestId, archetype } = op.call;
    const isOfWorkflow = archetype === Archetype.WORKFLOW;
    const input: InputOf<"nexusCompleted"> = {
      kind: "nexusCompleted",
      scheduledEventId,
      requestId,
      operationToken: op.token,
      startTime: 0,
      links: [],
      outcome,
    };
    w.submit<"nexusCompleted">(workflowId, runId, input, archetype).then(
      () => {
        if (isOfWorkflow) w.acknowledged.operationEnds.push({ workflowId, runId, requestId, outcome: textOf(outcome) });
        else w.acknowledged.standaloneEnds.push({ runId, outcome: textOf(outcome) });
      },
      (e) => {
        w.expected(e);
        const isUnknown = e instanceof ServiceError && e.code === Code.NOT_FOUND;
        if (isUnknown && runId !== "" && isOfWorkflow) this.complete(op, "");
        else if (!isUnknown && (e instanceof Died || e instanceof ServiceError)) w.later(200_000 + w.pick(1_000_000), () => this.complete(op, runId));
      },
    );
  }
}

/** Calls that are still to be made. */
export async function hasOutbound(disk: Disk): Promise<boolean> {
  return (await disk.inner.listComponents(0, Kind.OUTBOUND, undefined, 1)).length > 0;
}

const textOf = (o: OperationOutcome): string => (o.kind === "completed" ? Buffer.from(o.result ?? []).toString() : o.kind);

/** How an event says that an operation has ended. */
export function endOfOperation({ attributes: a }: HistoryEvent): { scheduledEventId: number; requestId: string; outcome: string } | undefined {
  switch (a.case) {
    case "nexusOperationCompletedEventAttributes":
      return { ...a.value, outcome: Buffer.from(a.value.result ?? []).toString() };
    case "nexusOperationFailedEventAttributes":
      return { ...a.value, outcome: "failed" };
    case "nexusOperationCanceledEventAttributes":
      return { ...a.value, outcome: "canceled" };
    case "nexusOperationTimedOutEventAttributes":
      return { ...a.value, outcome: "timed out" };
    default:
      return undefined;
  }
}
