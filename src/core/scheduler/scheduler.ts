/**
 * What a schedule does: times of its spec, backfills and triggers become buffered starts; overlap policies say which of them start,
 * wait or are skipped; starting a workflow, and making one end, are transfer tasks, and the end of an action comes back by its
 * internal completion callback. Modelled on the official server's newer scheduler (chasm/lib/scheduler); where that differs from the
 * workflow-based one, COMPAT.md says which is followed.
 *
 * In: a draft, the moment, chance. Out: the changed draft. Invariants: a time of the spec makes at most one start; a start is asked
 * for under one request id; nothing waits without a deadline, an action that runs, or a transfer task that will wake the schedule.
 */
import type { BackfillRecord, BufferedStartRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { InternalCallbackRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { Payload } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { ScheduleOverlapPolicy as Policy } from "../../../gen/wire/temporal/api/enums/v1/schedule.js";
import { WorkflowExecutionStatus, WorkflowIdReusePolicy } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { ScheduleState as ScheduleStateMessage } from "../../../gen/wire/temporal/api/schedule/v1/message.js";
import type { NewWorkflowExecutionInfo } from "../../../gen/wire/temporal/api/workflow/v1/message.js";
import { StartWorkflowExecutionRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { cappedMicros, duration, durationMicros, MICROS_PER_SECOND } from "../../api/time.js";
import { encode, type Init } from "../../api/wire.js";
import { localTime, UTC } from "../../lib/time-zone.js";
import { uuidV4 } from "../../lib/uuid.js";
import type { ComponentContext } from "../component.js";
import { Archetype } from "../execution.js";
import type { Env } from "../input.js";
import { boundedTaskTimeout } from "../workflow/commands/limits-check.js";
import { withRetryDefaults } from "../workflow/retry-and-cron.js";
import { TransferKind } from "../workflow/transfer-kind.js";
import { resolveOverlaps } from "./overlap.js";
import { type ScheduleDraft, Stage } from "./schedule-state.js";
import { type ActionTime, TooManyExclusions } from "./spec.js";

const DAY = 86_400 * MICROS_PER_SECOND;
const CATCHUP_WINDOW_DEFAULT = 365 * DAY;
const CATCHUP_WINDOW_MIN = 10 * MICROS_PER_SECOND;
/** What starts later than this is caught up on, and the log says so. */
const LATE = 2 * MICROS_PER_SECOND;
/** A start that is late by less is not given up for it. */
const START_DEADLINE_MIN = 5 * MICROS_PER_SECOND;
export const BUFFER_MAX = 1_000;
/** Places of the buffer that backfills leave to the spec. */
const BUFFER_RESERVE = 50;
export const RECENT_ACTIONS_MAX = 10;
/** How long a schedule lives on that has nothing more to do. */
const IDLE_TIME = 7 * DAY;
/** Times of the spec that one transition looks at: a long catch-up takes several, so that the others get their turn. */
const TIMES_PER_TRANSITION_MAX = 1_000;
/** Starts that are asked for at once. */
const STARTS_ASKED_MAX = 50;
const BACKFILL_RETRY_MAX = 60 * MICROS_PER_SECOND;

const RUNNING: ReadonlySet<number> = new Set([Stage.RUNNING, Stage.CANCELLING, Stage.TERMINATING]);
/** Another one overlaps with it. */
const OCCUPIES: ReadonlySet<number> = new Set([Stage.READY, Stage.ASKED, ...RUNNING]);
const WAITING: ReadonlySet<number> = new Set([Stage.NEW, Stage.DEFERRED]);

export const isRunning = (s: BufferedStartRecord): boolean => RUNNING.has(s.stage);
export const hasStarted = (s: BufferedStartRecord): boolean => s.runId !== "";

export class Scheduler {
  /** Set when there is more to do at once than one transition takes. */
  private goesOn = false;
  /** The first time of the spec that has not come; undefined when there is none, or it would not be used. */
  private nextTime: number | undefined;
  private caughtUp = 0;

  constructor(
    readonly draft: ScheduleDraft,
    private readonly ctx: ComponentContext<ScheduleDraft>,
  ) {}

  private get env(): Env {
    return this.ctx.env;
  }

  private get now(): number {
    return this.ctx.env.now;
  }

  private get info(): ScheduleDraft["info"] {
    return this.draft.info;
  }

  get state(): ScheduleStateMessage {
    return this.info.state as ScheduleStateMessage;
  }

  setState(change: Partial<ScheduleStateMessage>): void {
    this.info.state = { ...this.state, ...change };
    this.changed();
  }

  /** Something that is shown has changed. */
  changed(): void {
    this.draft.dirty = true;
    this.draft.isShownChanged = true;
  }

  /** A client that prepares an update has to look again. */
  newToken(): void {
    this.info.conflictToken++;
    this.changed();
  }

  private get action(): NewWorkflowExecutionInfo {
    const action = this.draft.definition.action?.action;
    if (action?.case !== "startWorkflow") throw new Error("a schedule starts a workflow");
    return action.value;
  }

  // --- Times

  get seed(): string {
    return `${this.info.namespaceId}-${this.info.workflowId}`;
  }

  private timeAfter(after: number): ActionTime | undefined {
    try {
      return this.draft.spec().next(this.seed, after, this.env.config.limits.schedulerSpecStepsMax);
    } catch (e) {
      // Excluded as far as can be seen: nothing to do until the spec is changed.
      if (e instanceof TooManyExclusions) return undefined;
      throw e;
    }
  }

  catchupWindow(): number {
    const asked = durationMicros(this.draft.definition.policies?.catchupWindow);
    return asked <= 0 ? CATCHUP_WINDOW_DEFAULT : Math.max(asked, CATCHUP_WINDOW_MIN);
  }

  /** What this server catches up at most, whatever the schedule asks for. */
  private effectiveWindow(): number {
    const max = this.env.config.limits.scheduleCatchupMsMax * 1000;
    return max > 0 ? Math.min(this.catchupWindow(), max) : this.catchupWindow();
  }

  private policyOf = (policy: Policy): Policy => policy || this.draft.definition.policies?.overlapPolicy || Policy.SKIP;

  /** Whether times of the spec count now. `use`: one action is taken from those that remain. */
  private mayAct(use: boolean): boolean {
    const { state } = this;
    if (state.paused) return false;
    if (!state.limitedActions) return true;
    if (state.remainingActions <= 0) return false;
    if (use) {
      this.setState({ remainingActions: state.remainingActions - 1 });
      this.newToken();
    }
    return true;
  }

  /** Takes the times up to now into the buffer. */
  generate(): void {
    const { info, now } = this;
    this.nextTime = undefined;
    this.goesOn = false;
    if (!this.mayAct(false)) {
      // Time spent paused is not made up for.
      if (info.processedUntil < now) info.processedUntil = now;
      return;
    }
    const window = this.effectiveWindow();
    let room = BUFFER_MAX - info.starts.length;
    const starts: BufferedStartRecord[] = [];
    let next = this.timeAfter(info.processedUntil);
    for (let n = 0; next !== undefined && next.actual <= now; next = this.timeAfter(next.actual)) {
      if (n++ === TIMES_PER_TRANSITION_MAX) {
        this.goesOn = true;
        break;
      }
      info.processedUntil = next.actual;
      this.draft.dirty = true;
      if (next.actual < info.updateTime) continue;
      if (now - next.actual > window) info.missedCatchupWindow++;
      else if (room <= 0) info.bufferDropped++;
      else {
        room--;
        if (now - next.actual > LATE) this.caughtUp++;
        starts.push(this.start(next, Policy.UNSPECIFIED, false, "auto"));
      }
      this.changed();
    }
    this.nextTime = next?.actual;
    if (starts.length > 0) info.starts = [...info.starts, ...starts];
  }

  private start(time: ActionTime, overlapPolicy: Policy, manual: boolean, origin: string): BufferedStartRecord {
    return {
      requestId: `sched-${origin}-${uuidV4(this.ctx.random.bytes16())}`,
      workflowId: this.workflowIdAt(time.nominal),
      runId: "",
      nominalTime: time.nominal,
      actualTime: time.actual,
      desiredTime: 0,
      // The policy under which it came stays its own.
      overlapPolicy: this.policyOf(overlapPolicy),
      manual,
      stage: Stage.NEW,
      startTime: 0,
      status: WorkflowExecutionStatus.UNSPECIFIED,
      closeTime: 0,
    };
  }

  private workflowIdAt(nominal: number): string {
    const { workflowId } = this.action;
    return this.draft.definition.policies?.keepOriginalWorkflowId === true
      ? workflowId
      : `${workflowId}-${rfc3339(Math.floor(nominal / MICROS_PER_SECOND) * MICROS_PER_SECOND)}`;
  }

  /** One action now, outside of the spec. */
  trigger(at: number, overlapPolicy: Policy): void {
    const time = { nominal: at, actual: at };
    this.info.starts = [...this.info.starts, { ...this.start(time, overlapPolicy, true, this.newId()), desiredTime: at }];
    this.changed();
  }

  addBackfill(request: { startTime: number; endTime: number; overlapPolicy: Policy }): void {
    this.info.backfills = [...this.info.backfills, { ...request, backfillId: this.newId(), processedUntil: 0, retryTime: 0, attempt: 0 }];
    this.changed();
  }

  private newId(): string {
    return uuidV4(this.ctx.random.bytes16());
  }

  /** Takes times of the ranges that are backfilled into the buffer, as far as there is room: it leaves half of it to others. */
  private backfill(): void {
    const { info, now } = this;
    if (info.backfills.length === 0) return;
    const left: BackfillRecord[] = [];
    const count = info.backfills.length;
    for (const b of info.backfills) {
      const pending = Math.max(0, info.starts.length - RECENT_ACTIONS_MAX);
      let room = Math.floor(Math.max(0, Math.floor(BUFFER_MAX / 2) - pending - BUFFER_RESERVE) / count);
      if (b.retryTime > now || room === 0) {
        left.push(b.retryTime > now ? b : { ...b, attempt: b.attempt + 1, retryTime: now + backoff(b.attempt + 1) });
        continue;
      }
      let until = b.processedUntil === 0 ? b.startTime - 1000 : b.processedUntil;
      const starts: BufferedStartRecord[] = [];
      let next = this.timeAfter(until);
      for (; room > 0 && next !== undefined && next.actual <= b.endTime; next = this.timeAfter(next.actual)) {
        until = next.actual;
        starts.push(this.start(next, b.overlapPolicy, true, b.backfillId));
        room--;
      }
      if (starts.length > 0) info.starts = [...info.starts, ...starts];
      if (next !== undefined && next.actual <= b.endTime)
        left.push({ ...b, processedUntil: until, attempt: b.attempt + 1, retryTime: now + backoff(b.attempt + 1) });
      this.changed();
    }
    info.backfills = left;
    this.draft.dirty = true;
  }

  // --- The buffer

  /** Decides on everything that waits. */
  private decide(): void {
    for (;;) {
      const { info, now } = this;
      const waiting = info.starts.filter((s) => WAITING.has(s.stage));
      if (waiting.length === 0) return;
      const occupied = info.starts.some((s) => OCCUPIES.has(s.stage));
      const overlap = resolveOverlaps(waiting, occupied, (s) => this.policyOf(s.overlapPolicy));
      const stages = new Map<BufferedStartRecord, Stage>();
      for (const s of overlap.wait) stages.set(s, Stage.DEFERRED);
      let isDropped = false;
      for (const s of overlap.start) {
        const isLate = !s.manual && now > s.actualTime + Math.max(this.effectiveWindow(), START_DEADLINE_MIN);
        if (isLate && this.mayAct(false)) info.missedCatchupWindow++;
        if (isLate || (!s.manual && !this.mayAct(true))) isDropped = true;
        else stages.set(s, Stage.READY);
      }
      if (overlap.skipped > 0) {
        info.overlapSkipped += overlap.skipped;
        this.changed();
      }
      const starts: BufferedStartRecord[] = [];
      for (const s of info.starts) {
        const stage = WAITING.has(s.stage) ? stages.get(s) : s.stage;
        if (stage !== s.stage) this.changed();
        if (stage !== undefined) starts.push(stage === s.stage ? s : { ...s, stage });
      }
      info.starts = starts;
      if (overlap.end !== undefined) this.endRunning(overlap.end);
      // The place of one that was dropped is another's.
      if (!isDropped) return;
    }
  }

  /** Asks each running action once to end. To terminate comes after to cancel. */
  private endRunning(how: "cancel" | "terminate"): void {
    const { info, env } = this;
    const asked = how === "cancel" ? Stage.CANCELLING : Stage.TERMINATING;
    info.starts = info.starts.map((s) => {
      if (!isRunning(s) || s.stage >= asked) return s;
      this.draft.transfer(env, {
        kind: how === "cancel" ? TransferKind.CANCEL_SCHEDULED : TransferKind.TERMINATE_SCHEDULED,
        namespaceId: env.namespace.id,
        namespace: env.namespace.name,
        workflowId: s.workflowId,
        firstRunId: s.runId,
        identity: this.identity,
        reason: how === "cancel" ? "cancelled by schedule overlap policy" : "terminated by schedule overlap policy",
        requestId: `${s.requestId}-${how}`,
      });
      return { ...s, stage: asked };
    });
  }

  private get identity(): string {
    return `temporal-scheduler-${this.env.namespace.name}-${this.info.workflowId}`;
  }

  /** Asks for the starts that are ready, some at a time. */
  private askStarts(): void {
    const { info, env } = this;
    let room = STARTS_ASKED_MAX - info.starts.filter((s) => s.stage === Stage.ASKED).length;
    if (room <= 0 || !info.starts.some((s) => s.stage === Stage.READY)) return;
    info.starts = info.starts.map((s) => {
      if (s.stage !== Stage.READY || room <= 0) return s;
      room--;
      this.draft.transfer(env, {
        kind: TransferKind.START_SCHEDULED,
        namespaceId: env.namespace.id,
        namespace: env.namespace.name,
        workflowId: s.workflowId,
        requestId: s.requestId,
        startRequest: encode(StartWorkflowExecutionRequest, this.startRequest(s)),
      });
      return { ...s, stage: Stage.ASKED };
    });
    this.draft.dirty = true;
  }

  private startRequest(s: BufferedStartRecord): Init<StartWorkflowExecutionRequest> {
    const { info, env, action } = this;
    const { result } = this.draft;
    const executionTimeout = cappedMicros(action.workflowExecutionTimeout);
    let runTimeout = cappedMicros(action.workflowRunTimeout);
    if (executionTimeout > 0 && (runTimeout === 0 || runTimeout > executionTimeout)) runTimeout = executionTimeout;
    const taskTimeout = cappedMicros(action.workflowTaskTimeout) || env.config.limits.workflowTaskTimeoutMsDefault * 1000;
    const keepsId = this.draft.definition.policies?.keepOriginalWorkflowId === true;
    return {
      namespace: env.namespace.name,
      workflowId: s.workflowId,
      workflowType: action.workflowType,
      taskQueue: { name: action.taskQueue?.name, kind: 1 },
      input: action.input,
      header: action.header,
      workflowExecutionTimeout: action.workflowExecutionTimeout === undefined ? undefined : duration(executionTimeout),
      workflowRunTimeout: runTimeout === 0 && action.workflowRunTimeout === undefined ? undefined : duration(runTimeout),
      workflowTaskTimeout: duration(boundedTaskTimeout(taskTimeout, runTimeout)),
      identity: this.identity,
      requestId: s.requestId,
      // A workflow that ran under the id of this very time is not run again, except by hand.
      workflowIdReusePolicy: s.manual || keepsId ? WorkflowIdReusePolicy.ALLOW_DUPLICATE : WorkflowIdReusePolicy.REJECT_DUPLICATE,
      retryPolicy: action.retryPolicy === undefined ? undefined : withRetryDefaults(action.retryPolicy, env.config.limits.workflowRetry),
      memo: action.memo,
      searchAttributes: {
        indexedFields: {
          ...action.searchAttributes?.indexedFields,
          TemporalScheduledStartTime: attribute(rfc3339(s.nominalTime), "Datetime"),
          TemporalScheduledById: attribute(info.workflowId, "Keyword"),
        },
      },
      userMetadata: action.userMetadata,
      priority: action.priority,
      versioningOverride: action.versioningOverride,
      lastCompletionResult: result.result,
      continuedFailure: result.failure,
      completionCallbacks: [
        {
          variant: {
            case: "internal",
            value: {
              data: encode(InternalCallbackRecord, {
                archetype: Archetype.SCHEDULE,
                namespaceId: info.namespaceId,
                id: info.workflowId,
                runId: info.runId,
                requestId: s.requestId,
              }),
            },
          },
        },
      ],
    };
  }

  /** Replaces a start of the buffer. Answers false when there is none of that request. */
  replaceStart(requestId: string, change: (s: BufferedStartRecord) => BufferedStartRecord | undefined): boolean {
    const { info } = this;
    const i = info.starts.findIndex((s) => s.requestId === requestId);
    const old = info.starts[i];
    if (old === undefined) return false;
    const changed = change(old);
    info.starts = [...info.starts.slice(0, i), ...(changed === undefined ? [] : [changed]), ...info.starts.slice(i + 1)];
    this.changed();
    return true;
  }

  /** Of what has ended only the newest are kept. */
  forgetCompleted(): void {
    const { info } = this;
    const completed = info.starts.filter((s) => s.stage === Stage.COMPLETED).sort((a, b) => a.closeTime - b.closeTime);
    if (completed.length <= RECENT_ACTIONS_MAX) return;
    const old = new Set(completed.slice(0, completed.length - RECENT_ACTIONS_MAX));
    info.starts = info.starts.filter((s) => !old.has(s));
  }

  // --- The whole

  /** Does everything that can be done now, and says when there is more. */
  advance(): void {
    const { info, draft } = this;
    this.backfill();
    this.generate();
    this.decide();
    this.askStarts();
    const due = this.deadline();
    if (due === undefined) {
      draft.removed = true;
      draft.dirty = true;
      return;
    }
    if (due !== info.due) {
      info.due = due;
      draft.dirty = true;
    }
    if (this.caughtUp > 0)
      this.ctx.notices.push({
        level: "warn",
        fields: { namespace: this.env.namespace.name, scheduleId: info.workflowId, caughtUp: this.caughtUp, missed: info.missedCatchupWindow },
        text: "a schedule catches up on actions that it missed",
      });
  }

  /** When the schedule has to be looked at again; 0 is never, undefined: it has lived long enough without anything to do. */
  private deadline(): number | undefined {
    const { info, now } = this;
    let at = Number.POSITIVE_INFINITY;
    if (this.goesOn) at = now;
    for (const b of info.backfills) at = Math.min(at, b.retryTime);
    const acts = this.nextTime !== undefined && this.mayAct(false);
    if (acts) at = Math.min(at, this.nextTime as number);
    const isHeldOpen = this.goesOn || this.state.paused || info.backfills.length > 0 || info.starts.some((s) => !hasStarted(s));
    if (!acts && !isHeldOpen) {
      const idleUntil = this.lastEvent() + IDLE_TIME;
      if (idleUntil <= now) return undefined;
      at = Math.min(at, idleUntil);
    }
    return Number.isFinite(at) ? at : 0;
  }

  /** Until when an idle schedule lives; 0: it is not idle. */
  get idleCloseTime(): number {
    const { info } = this;
    return info.due > 0 && info.due === this.lastEvent() + IDLE_TIME ? info.due : 0;
  }

  private lastEvent(): number {
    const { info } = this;
    let last = Math.max(info.createTime, info.updateTime);
    for (const s of info.starts) last = Math.max(last, s.startTime);
    return last;
  }

  /** The next times, as they are shown. */
  futureTimes(count: number): number[] {
    const { info, state, now } = this;
    const max = state.limitedActions ? Math.min(Math.max(state.remainingActions, 0), count) : count;
    const out: number[] = [];
    // In the middle of a long catch-up the times that are missed are not gone through for a look.
    const from = state.paused || (info.due > 0 && info.due <= now) ? now : info.processedUntil;
    for (let t = this.timeAfter(from); t !== undefined && out.length < max; t = this.timeAfter(t.actual))
      if (t.actual > now && t.actual >= info.updateTime) out.push(t.actual);
    return out;
  }
}

function backoff(attempt: number): number {
  return Math.min(2 ** Math.min(attempt - 1, 10) * MICROS_PER_SECOND, BACKFILL_RETRY_MAX);
}

/** With the fraction of a second, as far as there is one. */
export function rfc3339(micros: number): string {
  const t = localTime(Math.floor(micros / MICROS_PER_SECOND), UTC);
  const fraction = micros - t.seconds * MICROS_PER_SECOND;
  const two = (n: number) => String(n).padStart(2, "0");
  const tail = fraction === 0 ? "" : `.${String(fraction).padStart(6, "0").replace(/0+$/, "")}`;
  return `${String(t.year).padStart(4, "0")}-${two(t.month)}-${two(t.day)}T${two(t.hour)}:${two(t.minute)}:${two(t.second)}${tail}Z`;
}

export function attribute(value: string | number | boolean, type: string): Uint8Array {
  return encode(Payload, {
    metadata: { encoding: Buffer.from("json/plain"), type: Buffer.from(type) },
    data: Buffer.from(JSON.stringify(value)),
  });
}
