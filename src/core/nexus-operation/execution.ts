/**
 * A standalone Nexus operation: an execution of its own, without a workflow or a history. SCHEDULED (a request is to be made) ->
 * STARTED (the handler will call back) -> ended; BACKING_OFF between attempts. A cancellation waits for the start, then goes its own
 * way with requests of its own. Requests are outbound rows, what comes of them are inputs, the same that a workflow's operations
 * get. One that has ended is kept for the namespace's retention. Behaviour: chasm/lib/nexusoperation of the official server.
 */
import {
  NexusCancellationRecord,
  NexusExecutionRecord,
  NexusOutcomeRecord,
  NexusRequestRecord,
} from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { Link } from "../../../gen/wire/temporal/api/common/v1/message.js";
import {
  NexusOperationCancellationState as CancelState,
  PendingNexusOperationState as State,
} from "../../../gen/wire/temporal/api/enums/v1/common.js";
import {
  NexusOperationIdConflictPolicy as ConflictPolicy,
  NexusOperationIdReusePolicy as ReusePolicy,
  NexusOperationWaitStage as Stage,
  NexusOperationExecutionStatus as Status,
} from "../../../gen/wire/temporal/api/enums/v1/nexus.js";
import type { TimeoutType } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { NexusOperationExecutionAlreadyStartedFailure } from "../../../gen/wire/temporal/api/errordetails/v1/message.js";
import { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import type { StartNexusOperationExecutionRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { Code, detail, failedPrecondition, notFound, ServiceError } from "../../api/service-error.js";
import { cappedMicros } from "../../api/time.js";
import type { Init } from "../../api/wire.js";
import { ofDestination } from "../../config/dynamic-config.js";
import { addressing, applyToComponent, type ComponentContext, type ComponentHandlers } from "../component.js";
import { Archetype, type ExecutionChain } from "../execution.js";
import type { Env, ExecutionAddress, InputKind, InputOf } from "../input.js";
import { OutboundKind, outboundBackoff } from "../outbound.js";
import type { NexusExecutionView, Outcome, Replies } from "../transition.js";
import { Stale } from "../workflow/context.js";
import { clockIdOf, REAL_CLOCK, realNow } from "../workflow/execution-clock.js";
import type { NexusCall, OperationOutcome } from "./calls.js";
import { type Deadline, deadlines, requestTimes } from "./deadlines.js";
import { describeNexusExecution, nexusExecutionRow, pollNexusExecution, timeoutsGiven } from "./execution-describe.js";
import { NexusExecutionDraft, NexusExecutionState } from "./execution-state.js";
import { freshRequestId } from "./request.js";
import { asCanceled } from "./statemachine.js";

type Context = ComponentContext<NexusExecutionDraft>;

/** Those that ALLOW_DUPLICATE_FAILED_ONLY lets start again. */
const UNSUCCESSFUL: ReadonlySet<Status> = new Set([Status.FAILED, Status.CANCELED, Status.TERMINATED, Status.TIMED_OUT]);

const { open, existing, remaining, ...addressed } = addressing<NexusExecutionState, NexusExecutionDraft>(
  (state) => new NexusExecutionDraft(state, false),
  (id) => notFound(`operation not found for ID: ${id}`),
);

const view = <T>(draft: NexusExecutionDraft, response: T): NexusExecutionView<T> => ({
  response,
  key: draft.key,
  changes: draft.info.stateTransitionCount,
});

function alreadyStarted(state: NexusExecutionState): ServiceError {
  const { startRequestId, runId } = state.info;
  return new ServiceError(Code.ALREADY_EXISTS, `nexus operation execution already started: request_id=${startRequestId}, run_id=${runId}`, [
    detail(NexusOperationExecutionAlreadyStartedFailure, { startRequestId, runId }),
  ]);
}

/** The operation that the request finds under its id, when it is the answer. */
function found(current: NexusExecutionState, request: StartNexusOperationExecutionRequest): Replies["startNexusExecution"] | undefined {
  const { info } = current;
  const reply = { runId: info.runId, started: false };
  if (info.startRequestId === request.requestId) return reply;
  if (current.isOpen) {
    if (request.idConflictPolicy === ConflictPolicy.USE_EXISTING) return reply;
    throw alreadyStarted(current);
  }
  if (request.idReusePolicy === ReusePolicy.REJECT_DUPLICATE) throw alreadyStarted(current);
  if (request.idReusePolicy === ReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY && !UNSUCCESSFUL.has(info.status)) throw alreadyStarted(current);
  return undefined;
}

function start(ctx: Context, { request, endpointId }: InputOf<"startNexusExecution">): NexusExecutionDraft {
  const { env } = ctx;
  const info = NexusExecutionRecord.create({
    recordVersion: 1,
    archetype: Archetype.NEXUS_OPERATION,
    namespaceId: env.namespace.id,
    workflowId: request.operationId,
    runId: env.newRunId,
    startRequestId: request.requestId,
    endpoint: request.endpoint,
    endpointId,
    service: request.service,
    operation: request.operation,
    scheduledTime: env.now,
    scheduleToCloseTimeout: cappedMicros(request.scheduleToCloseTimeout),
    scheduleToStartTimeout: cappedMicros(request.scheduleToStartTimeout),
    startToCloseTimeout: cappedMicros(request.startToCloseTimeout),
    timeoutsGiven: timeoutsGiven({
      scheduleToClose: request.scheduleToCloseTimeout !== undefined,
      scheduleToStart: request.scheduleToStartTimeout !== undefined,
      startToClose: request.startToCloseTimeout !== undefined,
    }),
    requestId: freshRequestId(ctx.random.bytes16(), env.newRunId),
    status: Status.RUNNING,
    state: State.SCHEDULED,
    attempt: 1,
  });
  const { input, nexusHeader, userMetadata, identity, searchAttributes } = request;
  const asked = NexusRequestRecord.create({ input, nexusHeader, userMetadata, identity, searchAttributes });
  const draft = new NexusExecutionDraft(new NexusExecutionState(env.newKey, info, asked, undefined), true);
  ctx.drafts.push(draft);
  draft.isShownChanged = true;
  requestStart(draft);
  return draft;
}

const request = (draft: NexusExecutionDraft, kind: OutboundKind, attempt: number): void =>
  draft.call({ kind, attempt, componentId: 0, destination: draft.info.endpoint });

const requestStart = (draft: NexusExecutionDraft): void => request(draft, OutboundKind.START_OPERATION, draft.info.attempt);

function requestCancel(draft: NexusExecutionDraft): void {
  request(draft, OutboundKind.CANCEL_OPERATION, draft.info.cancellation?.attempt ?? 0);
}

/** One that has not started has no token yet by which it could be canceled. */
function beginCancellation(draft: NexusExecutionDraft): void {
  const { info } = draft;
  const c = info.cancellation;
  if (c === undefined || c.state !== CancelState.UNSPECIFIED || info.state !== State.STARTED) return;
  info.cancellation = { ...c, state: CancelState.SCHEDULED, attempt: 1 };
  requestCancel(draft);
}

function close(ctx: Context, draft: NexusExecutionDraft, status: Status): void {
  const { info } = draft;
  info.status = status;
  info.state = State.UNSPECIFIED;
  info.closeTime = ctx.env.now;
  info.nextAttemptTime = 0;
  info.deleteAt = realNow(ctx.env) + ctx.env.namespace.retention;
  draft.isShownChanged = true;
  draft.dirty = true;
}

/** `byAttempt`: the failure of an attempt is shown as that, and is the outcome. */
function fail(ctx: Context, draft: NexusExecutionDraft, status: Status, failure: Init<Failure>, byAttempt: boolean): void {
  const { info } = draft;
  if (byAttempt) {
    info.lastAttemptCompleteTime = ctx.env.now;
    info.lastAttemptFailure = Failure.create(failure);
  } else draft.outcome = NexusOutcomeRecord.create({ failure: Failure.create(failure) });
  close(ctx, draft, status);
}

function timeOut(ctx: Context, draft: NexusExecutionDraft, timeoutType: TimeoutType, byAttempt: boolean): void {
  const failure = { message: "operation timed out", failureInfo: { case: "timeoutFailureInfo" as const, value: { timeoutType } } };
  fail(ctx, draft, Status.TIMED_OUT, failure, byAttempt);
}

function end(ctx: Context, draft: NexusExecutionDraft, outcome: OperationOutcome, byAttempt: boolean): void {
  switch (outcome.kind) {
    case "completed":
      addLinks(draft, outcome.links);
      draft.outcome = NexusOutcomeRecord.create({ isSuccess: true, result: outcome.result });
      close(ctx, draft, Status.COMPLETED);
      return;
    case "failed":
      fail(ctx, draft, Status.FAILED, outcome.cause, byAttempt);
      return;
    case "canceled":
      fail(ctx, draft, Status.CANCELED, asCanceled(outcome.cause), byAttempt);
  }
}

function addLinks(draft: NexusExecutionDraft, links: readonly Init<Link>[]): void {
  if (links.length > 0) draft.info.links = [...draft.info.links, ...(links as Link[])];
}

function started(draft: NexusExecutionDraft, operationToken: string, time: number, links: readonly Init<Link>[]): void {
  const { info } = draft;
  addLinks(draft, links);
  info.state = State.STARTED;
  info.operationToken = operationToken;
  info.startedTime = time;
  info.lastAttemptCompleteTime = time;
  info.lastAttemptFailure = undefined;
  info.nextAttemptTime = 0;
  draft.dirty = true;
  beginCancellation(draft);
}

function attempted(ctx: Context, address: ExecutionAddress, attempt: number): NexusExecutionDraft {
  const draft = remaining(ctx, address);
  if (draft.info.state !== State.SCHEDULED || draft.info.attempt !== attempt) throw new Stale();
  return draft;
}

function canceling(ctx: Context, address: ExecutionAddress, attempt: number): { draft: NexusExecutionDraft; c: NexusCancellationRecord } {
  const draft = remaining(ctx, address);
  const c = draft.info.cancellation;
  if (!draft.isOpen || c === undefined || c.state !== CancelState.SCHEDULED || c.attempt !== attempt) throw new Stale();
  return { draft, c };
}

function isReached(draft: NexusExecutionDraft, stage: Stage): boolean {
  return !draft.isOpen || (stage === Stage.STARTED && draft.info.state === State.STARTED);
}

function fire(ctx: Context, draft: NexusExecutionDraft, what: Deadline["what"]): void {
  const { info } = draft;
  if (what === "backoff") {
    info.state = State.SCHEDULED;
    info.attempt++;
    info.nextAttemptTime = 0;
    requestStart(draft);
  } else if (what === "cancelBackoff") {
    const c = info.cancellation as NexusCancellationRecord;
    info.cancellation = { ...c, state: CancelState.SCHEDULED, attempt: c.attempt + 1, nextAttemptTime: 0 };
    requestCancel(draft);
  } else timeOut(ctx, draft, what, false);
}

const HANDLERS: ComponentHandlers<NexusExecutionDraft> = {
  startNexusExecution: (ctx, address, input) => {
    const current = ctx.addressed(address) as NexusExecutionState | undefined;
    const reply = current === undefined ? undefined : found(current, input.request);
    return reply ?? { runId: start(ctx, input).info.runId, started: true };
  },
  describeNexusExecution: (ctx, address, { request }) => {
    const draft = existing(ctx, address);
    return view(draft, describeNexusExecution(draft, request, ctx.env.now));
  },
  pollNexusExecution: (ctx, address, { stage }) => {
    const draft = existing(ctx, address);
    return view(draft, isReached(draft, stage) ? pollNexusExecution(draft) : undefined);
  },
  cancelNexusExecution: (ctx, address, { request }) => {
    const draft = existing(ctx, address);
    const { info } = draft;
    if (info.cancellation !== undefined && info.cancelRequestId === request.requestId) return undefined;
    if (!draft.isOpen) throw failedPrecondition("operation already completed");
    if (info.cancellation !== undefined) throw failedPrecondition(`cancellation already requested with request ID ${info.cancelRequestId}`);
    info.cancellation = NexusCancellationRecord.create({ requestedTime: ctx.env.now });
    info.cancelRequestId = request.requestId;
    info.cancelReason = request.reason;
    draft.dirty = true;
    beginCancellation(draft);
    return undefined;
  },
  terminateNexusExecution: (ctx, address, { request }) => {
    const draft = existing(ctx, address);
    const { info } = draft;
    if (info.isTerminated) {
      if (info.terminateRequestId === request.requestId) return undefined;
      throw failedPrecondition(`already terminated with request ID ${info.terminateRequestId}`);
    }
    if (!draft.isOpen) throw failedPrecondition("operation already completed");
    info.isTerminated = true;
    info.terminateRequestId = request.requestId;
    const value = { identity: request.identity };
    fail(ctx, draft, Status.TERMINATED, { message: request.reason, failureInfo: { case: "terminatedFailureInfo", value } }, false);
    return undefined;
  },
  delete: addressed.delete,
  due: (ctx, address) => {
    const draft = remaining(ctx, address);
    const { info } = draft;
    const { now } = ctx.env;
    draft.dirty = true;
    if (!draft.isOpen) {
      draft.removed = info.deleteAt > 0 && info.deleteAt <= realNow(ctx.env);
      return undefined;
    }
    const due = deadlines(info).filter((d) => d.time <= now);
    for (const d of due.sort((a, b) => a.time - b.time)) if (draft.isOpen) fire(ctx, draft, d.what);
    draft.isUnchanged = due.length === 0;
    return undefined;
  },
  nexusCall: (ctx, address, input): NexusCall => {
    const draft = input.isCancel ? canceling(ctx, address, input.attempt).draft : attempted(ctx, address, input.attempt);
    const { info, request } = draft;
    const { endpoint, endpointId, service, operation, requestId, operationToken, workflowId, runId } = info;
    return {
      ...{ endpoint, endpointId, service, operation, requestId, operationToken, workflowId, runId },
      input: request.input,
      header: request.nexusHeader,
      link: { variant: { case: "nexusOperation", value: { namespace: ctx.env.namespace.name, operationId: workflowId, runId } } },
      ...requestTimes(info, input.isCancel, ctx.env.now, ofDestination(ctx.env.config, ctx.env.namespace.name, endpoint)),
      scheduledEventId: 0,
      archetype: Archetype.NEXUS_OPERATION,
    };
  },
  nexusStarted: (ctx, address, input) => {
    const draft = attempted(ctx, address, input.attempt);
    const { info } = draft;
    const { outcome } = input;
    const { now } = ctx.env;
    draft.callDone(input.outboundId);
    if (outcome.kind === "started") started(draft, outcome.operationToken, now, outcome.links);
    else if (outcome.kind === "timedOut") timeOut(ctx, draft, outcome.timeoutType, true);
    else if (outcome.kind === "retry") {
      info.state = State.BACKING_OFF;
      info.lastAttemptCompleteTime = now;
      info.lastAttemptFailure = Failure.create(outcome.failure);
      info.nextAttemptTime = now + outboundBackoff(info.attempt, ctx.random.float());
    } else end(ctx, draft, outcome, true);
    return undefined;
  },
  nexusCancelRequested: (ctx, address, input) => {
    const { draft, c } = canceling(ctx, address, input.attempt);
    const { outcome } = input;
    const { now } = ctx.env;
    draft.callDone(input.outboundId);
    const next = { ...c, lastAttemptCompleteTime: now, lastAttemptFailure: outcome.kind === "done" ? undefined : Failure.create(outcome.failure) };
    if (outcome.kind === "retry") {
      next.state = CancelState.BACKING_OFF;
      next.nextAttemptTime = now + outboundBackoff(c.attempt, ctx.random.float());
    } else next.state = outcome.kind === "done" ? CancelState.SUCCEEDED : CancelState.FAILED;
    draft.info.cancellation = next;
    return undefined;
  },
  nexusCompleted: (ctx, address, input) => {
    const state = ctx.addressed(address) as NexusExecutionState | undefined;
    if (state === undefined || !state.isOpen || state.info.requestId !== input.requestId) throw notFound("operation not found");
    const draft = open(ctx, state);
    // The completion may come before the answer to the start.
    if (draft.info.state === State.SCHEDULED) started(draft, input.operationToken, input.startTime || ctx.env.now, input.links);
    end(ctx, draft, input.outcome.kind === "completed" ? { ...input.outcome, links: [] } : input.outcome, false);
    return undefined;
  },
};

/** Ends the transition: its deadline, and what is shown of it. */
function finish(ctx: Context, draft: NexusExecutionDraft): void {
  if (draft.removed || (!draft.dirty && !draft.isNew)) return;
  const { info } = draft;
  if (!draft.isUnchanged) info.stateTransitionCount++;
  // Retention is real; deadlines are kept in the clock of the namespace.
  const now = draft.isOpen ? ctx.env.now : realNow(ctx.env);
  const earliest = draft.isOpen ? deadlines(info).reduce((min, d) => (min === 0 || d.time < min ? d.time : min), 0) : info.deleteAt;
  if (!draft.isOpen || info.due <= now || (earliest > 0 && earliest < info.due)) info.due = earliest === 0 ? 0 : Math.max(earliest, now + 1);
  info.dueClock = draft.isOpen && info.due > 0 ? clockIdOf(ctx.env) : REAL_CLOCK;
  if (draft.isShownChanged) draft.visibility = nexusExecutionRow(draft, ctx.env.namespace);
}

export function applyToNexusExecution<K extends InputKind>(
  ...all: readonly [chain: ExecutionChain, address: ExecutionAddress, input: InputOf<K>, env: Env]
): Outcome<K> {
  return applyToComponent("a Nexus operation", HANDLERS, finish, all);
}
