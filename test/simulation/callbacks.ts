/**
 * Receivers of completion callbacks: they outlive the server, may die before or after they have taken a delivery, and turn some down
 * for good. A delivery is compared with the disk at the moment it leaves: what it tells of must be committed. At the end each
 * callback that stands in a history has been delivered for the run that ended with it, with that outcome, and for no other. What a
 * describe has told to be over does not leave again.
 */

import type { Callback } from "../../gen/wire/temporal/api/common/v1/message.js";
import { Payloads } from "../../gen/wire/temporal/api/common/v1/message.js";
import { CallbackState } from "../../gen/wire/temporal/api/enums/v1/common.js";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { RetryState } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import { decode } from "../../src/api/wire.js";
import { type ActivityState, Status } from "../../src/core/activity-execution/activity-state.js";
import type { CallbackCall } from "../../src/core/callback/statemachine.js";
import { RunDraft } from "../../src/core/workflow/mutable-state.js";
import type { Run } from "./checks.js";
import type { Disk } from "./sim-store.js";
import type { SimWorld } from "./world.js";

const DESTINATIONS = 3;
const OF_UPDATE = "/update/";

type Answer = { outcome: { kind: "done" } | { kind: "failed" | "retry"; message: string }; isDown: boolean };

interface Receipt {
  readonly runId: string;
  readonly outcome: string;
  /** What the receiver has made of it; undefined: it was down whenever it was called. */
  end: "taken" | "refused" | undefined;
  /** How often the server has been told so. */
  told: number;
}

export class Receivers {
  /** By address and the run whose end is told. */
  private readonly receipts = new Map<string, Receipt>();
  /** Addresses that a start or an attachment was acknowledged with. */
  private readonly acknowledged: { url: string; runId: string }[] = [];
  /** Addresses and runs of which somebody was told that their deliveries are over. */
  private readonly over = new Set<string>();
  private addresses = 0;

  constructor(
    private readonly w: SimWorld,
    private readonly disk: Disk,
  ) {}

  /** For the end of that. */
  newCallback(of: "workflow" | "update" | "activity" = "workflow"): Callback {
    const url = `http://receiver-${this.w.pick(DESTINATIONS)}/${of}/${this.addresses++}`;
    return { variant: { case: "nexus", value: { url, header: { name: "value" } } }, links: [] } as unknown as Callback;
  }

  attached(callbacks: readonly Callback[], runId: string): void {
    for (const c of callbacks) this.acknowledged.push({ url: urlOf(c), runId });
  }

  /** A describe has told this of a run's callbacks. */
  described(runId: string, callbacks: readonly { readonly callback?: unknown; readonly state?: CallbackState }[]): void {
    const waiting = new Set<string>();
    const ended = new Set<string>();
    for (const { callback, state } of callbacks) {
      const isOver = state === CallbackState.SUCCEEDED || state === CallbackState.FAILED;
      (isOver ? ended : waiting).add(`${urlOf(callback as Callback)} ${runId}`);
    }
    for (const key of ended) if (!waiting.has(key)) this.over.add(key);
  }

  private isTroubled(perMille: number, fault: string): boolean {
    const { w } = this;
    if (w.isHealed || !w.chance(perMille)) return false;
    w.count(fault);
    return true;
  }

  /** A call is on its way, whether it arrives or not. */
  sent(call: CallbackCall): void {
    const runId = runIdOf(call);
    const row = [...this.disk.visibility.values()].find((r) => r.runId === runId);
    if (!call.url.includes(OF_UPDATE) && row !== undefined && row.closeTime === 0)
      this.w.problem(`${call.url}: ${row.workflowId} ${runId} is said to have ended, and is open on the disk`);
    if (this.over.has(`${call.url} ${runId}`) && !this.w.acknowledged.offeredAgain.has(runId))
      this.w.problem(`${call.url}: is delivered again, though ${runId} has told that this is over`);
  }

  deliver(call: CallbackCall): Answer {
    const { w } = this;
    const runId = runIdOf(call);
    const outcome = textOf(call.outcome);
    if (call.header.name !== "value") w.problem(`${call.url}: lost its header`);
    const key = `${call.url} ${runId}`;
    const receipt = this.receipts.get(key) ?? { runId, outcome, end: undefined, told: 0 };
    this.receipts.set(key, receipt);
    if (receipt.outcome !== outcome) w.problem(`${key}: was told ${receipt.outcome}, then ${outcome}`);
    const retry = { outcome: { kind: "retry", message: "down" }, isDown: w.chance(300) } as const;
    if (this.isTroubled(200, "receiver died before")) return retry;
    receipt.end ??= this.isTroubled(60, "receiver refused") ? "refused" : "taken";
    if (this.isTroubled(150, "receiver died after")) return retry;
    receipt.told++;
    return { outcome: receipt.end === "taken" ? { kind: "done" } : { kind: "failed", message: "no" }, isDown: false };
  }

  /** Nothing is left that the server has to try again. */
  get isResting(): boolean {
    const there = new Set([...this.disk.visibility.values()].map((r) => r.runId));
    return [...this.receipts.values()].every((r) => r.end !== undefined || !there.has(r.runId));
  }

  // --- What must hold

  check(runs: ReadonlyMap<string, Run>): void {
    const { w } = this;
    for (const { url, runId } of this.acknowledged) {
      const run = runs.get(runId);
      if (run === undefined) {
        if (!w.acknowledged.deleted.has(runId)) w.problem(`callback ${url} was acknowledged by ${runId}, which is lost`);
      } else if (!callbacksOf(run).includes(url)) w.problem(`${run.where}: callback ${url} was acknowledged and is lost`);
    }
    const expected = new Set<string>();
    for (const run of runs.values()) {
      this.checkEnds(run);
      const outcome = outcomeOf(run);
      if (outcome === undefined) continue;
      for (const url of callbacksOf(run)) {
        expected.add(`${url} ${run.state.info.runId}`);
        if (outcome !== UNKNOWN) this.checkReceipt(run, url, outcome);
      }
    }
    for (const [key, { runId }] of this.receipts)
      if (runs.has(runId) && !key.includes(OF_UPDATE) && !expected.has(key)) w.problem(`${key}: told of the end of a run that has not ended with it`);
  }

  /** What a standalone activity that has ended says of its callbacks is what their receivers say. */
  checkActivity({ info, callbacks, outcome }: ActivityState): void {
    const { w } = this;
    const { runId } = info;
    const ended = info.status === Status.CANCELED ? "canceled" : "failed";
    const text = outcome?.failure === undefined ? completedText(outcome?.result) : ended;
    const seen = new Set<string>();
    for (const c of callbacks.base.values()) {
      const url = c.callback === undefined ? "" : urlOf(c.callback);
      const where = `activity ${info.workflowId} ${runId}: callback ${url}`;
      const receipt = this.receipts.get(`${url} ${runId}`);
      // Each start that brings one brings another, and one that comes again adds nothing.
      if (seen.has(url)) w.problem(`${where} is there twice`);
      seen.add(url);
      this.checkTimes(where, receipt, 1);
      const says = { [CallbackState.SUCCEEDED]: "taken", [CallbackState.FAILED]: "refused" }[c.state as number];
      if (says === undefined || says !== receipt?.end) w.problem(`${where} is ${CallbackState[c.state]}, its receiver says ${receipt?.end}`);
      else if (receipt.outcome !== text) w.problem(`${where} was told ${receipt.outcome}, the activity's end is ${text}`);
    }
  }

  /** What the run says of its callbacks is what their receivers say. */
  private checkEnds(run: Run): void {
    const { info } = run.state;
    for (const c of new RunDraft(run.state, false).callbacks.values()) {
      if (c.callback === undefined) continue;
      const url = urlOf(c.callback);
      const { end } = this.receipts.get(`${url} ${info.runId}`) ?? {};
      const says = { [CallbackState.SUCCEEDED]: "taken", [CallbackState.FAILED]: "refused" }[c.state as number];
      const isOfUpdateThatEnded = c.updateId !== "" && c.completedEventId > 0;
      const isLeft =
        c.state === CallbackState.STANDBY && !isOfUpdateThatEnded && ([undefined, UNKNOWN].includes(outcomeOf(run)) || c.updateId !== "");
      if (says !== end && !isLeft) this.w.problem(`${run.where}: callback ${url} is ${CallbackState[c.state]}, its receiver says ${end}`);
      if (end !== undefined && isLeft) this.w.problem(`${run.where}: callback ${url} waits, its receiver says ${end}`);
    }
  }

  private checkReceipt(run: Run, url: string, outcome: string): void {
    const receipt = this.receipts.get(`${url} ${run.state.info.runId}`);
    if (receipt?.end === undefined) this.w.problem(`${run.where}: callback ${url} was never delivered`);
    else if (receipt.outcome !== outcome) this.w.problem(`${run.where}: callback ${url} was told ${receipt.outcome}, the run's end is ${outcome}`);
    if (!this.w.acknowledged.offeredAgain.has(run.state.info.runId))
      this.checkTimes(`${run.where}: callback ${url}`, receipt, callbacksOf(run).filter((u) => u === url).length);
  }

  private checkTimes(where: string, receipt: Receipt | undefined, attached: number): void {
    const { crashes, loses, refuses, fills, bugs } = this.w.swarm;
    if (receipt !== undefined && receipt.told > attached && !crashes && !loses && !refuses && !fills && !bugs)
      this.w.problem(`${where} came ${receipt.told} times, though nothing was lost`);
  }
}

export const urlOf = (c: Callback): string => (c.variant.case === "nexus" ? c.variant.value.url : "");

/** Of the run itself, not of its updates. */
function callbacksOf(run: Run): string[] {
  return run.events
    .flatMap(({ attributes: a }) => {
      if (a.case === "workflowExecutionStartedEventAttributes") return a.value.completionCallbacks.map(urlOf);
      return a.case === "workflowExecutionOptionsUpdatedEventAttributes" ? a.value.attachedCompletionCallbacks.map(urlOf) : [];
    })
    .filter((url) => url !== "");
}

/** By the history alone it cannot be said whether the run's callbacks went out. */
const UNKNOWN = "unknown";

/** Undefined: the run has not ended, or another goes on for it. */
function outcomeOf({ state, events }: Run): string | undefined {
  const last = events.at(-1);
  const a = last?.attributes;
  // A reset ends a run that is open, and leaves one that has ended as it is.
  if (state.info.resetRunId !== "" && last?.eventType === EventType.WORKFLOW_EXECUTION_TERMINATED) return UNKNOWN;
  switch (a?.case) {
    case "workflowExecutionCompletedEventAttributes":
      return completedText(a.value.result);
    case "workflowExecutionFailedEventAttributes":
      return a.value.retryState === RetryState.IN_PROGRESS ? undefined : "failed";
    case "workflowExecutionTimedOutEventAttributes":
      return a.value.retryState === RetryState.IN_PROGRESS ? undefined : "failed";
    case "workflowExecutionCanceledEventAttributes":
      return "canceled";
    case "workflowExecutionTerminatedEventAttributes":
      return "failed";
    default:
      return undefined;
  }
}

const completedText = (result: Uint8Array | undefined): string =>
  `completed ${Buffer.from(result === undefined ? [] : (decode(Payloads, result).payloads[0] ?? [])).toString("hex")}`;

function textOf(o: CallbackCall["outcome"]): string {
  return o.kind === "completed" ? `completed ${Buffer.from(o.result ?? []).toString("hex")}` : o.kind;
}

function runIdOf(call: CallbackCall): string {
  const link = call.link.variant as { value?: { runId?: string } } | undefined;
  return link?.value?.runId ?? "";
}
