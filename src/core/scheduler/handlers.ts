/** The inputs that a schedule takes: calls, its deadline, and what becomes of its actions. */
import { ScheduleDefinitionRecord, ScheduleRecord, ScheduleResultRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { WorkflowExecutionAlreadyStartedFailure } from "../../../gen/wire/temporal/api/errordetails/v1/message.js";
import type { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import { Failure as FailureType } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import type { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { type Schedule, type SchedulePatch, ScheduleState as ScheduleStateMessage } from "../../../gen/wire/temporal/api/schedule/v1/message.js";
import { Code, detail, failedPrecondition, invalidArgument, notFound, ServiceError } from "../../api/service-error.js";
import { timestampMicros } from "../../api/time.js";
import type { Init } from "../../api/wire.js";
import { addressing, applyToComponent, type ComponentContext, type ComponentHandlers, remove } from "../component.js";
import { Archetype, type ExecutionChain } from "../execution.js";
import type { Env, ExecutionAddress, InputKind, InputOf } from "../input.js";
import type { Outcome } from "../transition.js";
import { isReservedAttribute } from "../visibility/attributes.js";
import { isNullPayload } from "../workflow/apply-events.js";
import { Stale } from "../workflow/context.js";
import { clockIdOf, REAL_CLOCK } from "../workflow/execution-clock.js";
import { conflictToken, describeSchedule, scheduleRow } from "./describe.js";
import { ScheduleDraft, ScheduleState, Stage } from "./schedule-state.js";
import { isRunning, Scheduler } from "./scheduler.js";
import { TooManyExclusions } from "./spec.js";

const INITIAL_TOKEN = 1;
const BACKFILLS_MAX = 100;
/** Requests that are remembered: a caller that asks again asks soon. */
const REQUEST_IDS_MAX = 25;
const MATCHING_TIMES_MAX = 1_000;

type Context = ComponentContext<ScheduleDraft>;

const { existing, remaining, ...addressed } = addressing<ScheduleState, ScheduleDraft>(
  (state) => new ScheduleDraft(state, false),
  // The official server's text.
  (id) => notFound(`workflow not found for ID: temporal-sys-scheduler:${id}`),
);

/** Whether the request was applied before; from now on it has been. */
function isRepeated(draft: ScheduleDraft, requestId: string): boolean {
  if (requestId === "") return false;
  const { info } = draft;
  if (info.requestIds.includes(requestId)) return true;
  info.requestIds = [...info.requestIds, requestId].slice(-REQUEST_IDS_MAX);
  return false;
}

/** What a schedule may set of its own, the rest is the server's; null is no value. */
function userAttributes(fields: Readonly<Record<string, Uint8Array>>): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries(fields).filter(([name, value]) => !isReservedAttribute(name) && !isNullPayload(value, true)));
}

function definitionOf(schedule: Schedule | undefined): Pick<ScheduleDefinitionRecord, "spec" | "action" | "policies"> {
  return { spec: schedule?.spec, action: schedule?.action, policies: schedule?.policies };
}

function patch(scheduler: Scheduler, p: SchedulePatch | undefined, now: number): void {
  if (p === undefined) return;
  if (p.pause !== "") scheduler.setState({ paused: true, notes: p.pause });
  if (p.unpause !== "") scheduler.setState({ paused: false, notes: p.unpause });
  applyRequests(scheduler, p, now);
}

function applyRequests(scheduler: Scheduler, p: SchedulePatch, now: number): void {
  const { info } = scheduler.draft;
  if (info.backfills.length + p.backfillRequest.length > BACKFILLS_MAX) throw failedPrecondition("too many concurrent backfillers");
  const trigger = p.triggerImmediately;
  if (trigger !== undefined) scheduler.trigger(timestampMicros(trigger.scheduledTime) || now, trigger.overlapPolicy);
  for (const b of p.backfillRequest)
    scheduler.addBackfill({ startTime: timestampMicros(b.startTime), endTime: timestampMicros(b.endTime), overlapPolicy: b.overlapPolicy });
}

const HANDLERS: ComponentHandlers<ScheduleDraft> = {
  createSchedule: (ctx, address, { request }) => {
    const { env } = ctx;
    const current = ctx.addressed(address);
    if (current !== undefined) {
      if (current.info.startRequestId === request.requestId) return { conflictToken: conflictToken(INITIAL_TOKEN) };
      throw new ServiceError(Code.ALREADY_EXISTS, `schedule ${JSON.stringify(request.scheduleId)} is already registered`, [
        detail(WorkflowExecutionAlreadyStartedFailure, {}),
      ]);
    }
    const info = ScheduleRecord.create({
      recordVersion: 1,
      archetype: Archetype.SCHEDULE,
      namespaceId: env.namespace.id,
      workflowId: request.scheduleId,
      runId: env.newRunId,
      startRequestId: request.requestId,
      conflictToken: INITIAL_TOKEN,
      createTime: env.now,
      processedUntil: env.now,
      state: request.schedule?.state ?? ScheduleStateMessage.create({}),
    });
    const definition = ScheduleDefinitionRecord.create({
      ...definitionOf(request.schedule),
      memo: request.memo,
      searchAttributes:
        request.searchAttributes === undefined ? undefined : { indexedFields: userAttributes(request.searchAttributes.indexedFields) },
    });
    const draft = new ScheduleDraft(new ScheduleState(env.newKey, info, definition, ScheduleResultRecord.create({})), true);
    ctx.drafts.push(draft);
    const scheduler = new Scheduler(draft, ctx);
    scheduler.changed();
    // Pausing is not for an initial patch: the schedule itself says whether it is paused.
    if (request.initialPatch !== undefined) applyRequests(scheduler, request.initialPatch, env.now);
    scheduler.advance();
    return { conflictToken: conflictToken(INITIAL_TOKEN) };
  },
  describeSchedule: (ctx, address) => {
    const draft = existing(ctx, address);
    return {
      response: describeSchedule(draft, new Scheduler(draft, ctx), ctx.env.namespace),
      key: draft.key,
      starting: draft.info.starts.filter((s) => s.stage === Stage.ASKED).map((s) => s.requestId),
    };
  },
  updateSchedule: (ctx, address, { request }) => {
    const draft = existing(ctx, address);
    const { info } = draft;
    if (isRepeated(draft, request.requestId)) return undefined;
    if (request.conflictToken.length > 0 && !conflictToken(info.conflictToken).every((b, i) => request.conflictToken[i] === b))
      throw failedPrecondition("mismatched conflict token");
    const scheduler = new Scheduler(draft, ctx);
    // What was due before the change is done as it was.
    scheduler.generate();
    const { memo, searchAttributes } = draft.definition;
    draft.definition = ScheduleDefinitionRecord.create({
      ...definitionOf(request.schedule),
      memo: request.memo ?? memo,
      searchAttributes:
        request.searchAttributes === undefined ? searchAttributes : { indexedFields: userAttributes(request.searchAttributes.indexedFields) },
    });
    info.state = request.schedule?.state ?? ScheduleStateMessage.create({});
    info.updateTime = ctx.env.now;
    scheduler.newToken();
    scheduler.advance();
    return undefined;
  },
  patchSchedule: (ctx, address, { request }) => {
    const draft = existing(ctx, address);
    if (isRepeated(draft, request.requestId)) return undefined;
    const scheduler = new Scheduler(draft, ctx);
    scheduler.generate();
    patch(scheduler, request.patch, ctx.env.now);
    draft.info.updateTime = ctx.env.now;
    scheduler.newToken();
    scheduler.advance();
    return undefined;
  },
  scheduleMatchingTimes: (ctx, address, { request }) => {
    const draft = existing(ctx, address);
    if (request.startTime === undefined || request.endTime === undefined) throw invalidArgument("missing or invalid query");
    const { seed } = new Scheduler(draft, ctx);
    const spec = draft.spec();
    const until = timestampMicros(request.endTime);
    const out: number[] = [];
    try {
      let t = spec.next(seed, timestampMicros(request.startTime), ctx.env.config.limits.schedulerSpecStepsMax);
      for (
        ;
        t !== undefined && t.actual <= until && out.length < MATCHING_TIMES_MAX;
        t = spec.next(seed, t.actual, ctx.env.config.limits.schedulerSpecStepsMax)
      )
        out.push(t.actual);
    } catch (e) {
      if (!(e instanceof TooManyExclusions)) throw e;
      throw invalidArgument("the schedule calendar specification has too many exclusions. Please modify the specification.");
    }
    return out;
  },
  deleteSchedule: (ctx, address) => {
    remove(existing(ctx, address));
    return undefined;
  },
  delete: addressed.delete,
  due: (ctx, address) => {
    const draft = remaining(ctx, address);
    new Scheduler(draft, ctx).advance();
    // The row that has fired is not waited for again.
    if (draft.info.due === draft.base.info.due && draft.info.due > 0 && draft.info.due <= ctx.env.now) draft.info.due = ctx.env.now + 1;
    draft.dirty = true;
    return undefined;
  },
  actionStarted: (ctx, address, input) => {
    const draft = remaining(ctx, address);
    const scheduler = new Scheduler(draft, ctx);
    draft.transferDone(input.transferId);
    scheduler.replaceStart(input.requestId, (s) => {
      if (s.stage !== Stage.ASKED) return s;
      draft.info.actionCount++;
      return { ...s, stage: Stage.RUNNING, runId: input.runId, startTime: ctx.env.now };
    });
    scheduler.advance();
    return undefined;
  },
  actionStartFailed: (ctx, address, input) => {
    const draft = remaining(ctx, address);
    const scheduler = new Scheduler(draft, ctx);
    draft.transferDone(input.transferId);
    scheduler.replaceStart(input.requestId, (s) => (s.stage === Stage.ASKED ? undefined : s));
    ctx.notices.push({
      level: "info",
      fields: { namespace: ctx.env.namespace.name, reason: input.reason },
      text: "an action of a schedule could not be started",
    });
    scheduler.advance();
    return undefined;
  },
  actionClosed: (ctx, address, input) => {
    const draft = remaining(ctx, address);
    const scheduler = new Scheduler(draft, ctx);
    const { status, result, failure } = ending(input.event);
    const isKnown = scheduler.replaceStart(input.requestId, (s) => {
      // An action may end before its start has been told of.
      if (!isRunning(s) && s.stage !== Stage.ASKED) return s;
      if (s.stage === Stage.ASKED) draft.info.actionCount++;
      pauseOnFailure(scheduler, status, s.workflowId);
      draft.result = ScheduleResultRecord.create(failure === undefined ? { result } : { result: draft.result.result, failure });
      const began = s.stage === Stage.ASKED ? { runId: input.firstRunId, startTime: ctx.env.now } : {};
      return { ...s, ...began, stage: Stage.COMPLETED, status, closeTime: timestampMicros(input.event.eventTime) };
    });
    if (!isKnown) throw new Stale();
    const waiting = draft.info.starts.find((s) => s.stage === Stage.DEFERRED);
    if (waiting !== undefined) scheduler.replaceStart(waiting.requestId, (s) => ({ ...s, desiredTime: timestampMicros(input.event.eventTime) }));
    scheduler.forgetCompleted();
    scheduler.advance();
    return undefined;
  },
  transferDone: (ctx, address, input) => {
    remaining(ctx, address).transferDone(input.transferId);
    return undefined;
  },
};

/** After all its retries. */
function pauseOnFailure(scheduler: Scheduler, status: WorkflowExecutionStatus, workflowId: string): void {
  const isFailure = status === WorkflowExecutionStatus.FAILED || status === WorkflowExecutionStatus.TIMED_OUT;
  if (!isFailure || scheduler.draft.definition.policies?.pauseOnFailure !== true || scheduler.state.paused) return;
  const how = status === WorkflowExecutionStatus.FAILED ? "failed" : "timedout";
  scheduler.setState({ paused: true, notes: `paused, workflow ${how}: ${workflowId}` });
  scheduler.newToken();
}

/** How a workflow ended, from its close event, and what it leaves to the next action. */
function ending(event: HistoryEvent): { status: WorkflowExecutionStatus; result?: Uint8Array | undefined; failure?: Failure | undefined } {
  const a = event.attributes;
  const failed = (status: WorkflowExecutionStatus, message: string, failureInfo: NonNullable<Init<Failure>["failureInfo"]>) => ({
    status,
    failure: FailureType.create({ message, failureInfo }),
  });
  switch (a.case) {
    case "workflowExecutionCompletedEventAttributes":
      return { status: WorkflowExecutionStatus.COMPLETED, result: a.value.result };
    case "workflowExecutionCanceledEventAttributes":
      return failed(WorkflowExecutionStatus.CANCELED, "operation canceled", { case: "canceledFailureInfo", value: { details: a.value.details } });
    case "workflowExecutionTerminatedEventAttributes":
      return failed(WorkflowExecutionStatus.TERMINATED, "operation terminated", { case: "terminatedFailureInfo", value: {} });
    case "workflowExecutionTimedOutEventAttributes":
      return failed(WorkflowExecutionStatus.TIMED_OUT, "operation exceeded internal timeout", { case: "timeoutFailureInfo", value: {} });
    default: {
      const failure = a.case === "workflowExecutionFailedEventAttributes" ? a.value.failure : undefined;
      return { status: WorkflowExecutionStatus.FAILED, failure: failure ?? FailureType.create({}) };
    }
  }
}

/** Ends the transition of a schedule: what is shown of it is written with it. */
function finish(ctx: Context, draft: ScheduleDraft): void {
  if (draft.removed || !draft.dirty) return;
  draft.info.stateTransitionCount++;
  draft.info.dueClock = draft.info.due === 0 ? REAL_CLOCK : clockIdOf(ctx.env);
  if (draft.isShownChanged) draft.visibility = scheduleRow(draft, new Scheduler(draft, ctx), ctx.env.namespace);
}

export function applyToSchedule<K extends InputKind>(
  ...all: readonly [chain: ExecutionChain, address: ExecutionAddress, input: InputOf<K>, env: Env]
): Outcome<K> {
  return applyToComponent("a schedule", HANDLERS, finish, all);
}
