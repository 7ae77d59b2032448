/**
 * A Nexus operation of a workflow: SCHEDULED (a request is to be made) -> STARTED (the handler will call back) -> ended, which
 * removes it; BACKING_OFF between attempts. Cancellation is a second machine inside: it waits for the start, then goes the same way
 * with requests of its own. Requests are outbound rows; what comes of them are inputs. Behaviour: components/nexusoperations of the
 * official server.
 */
import { type NexusCancellationRecord, NexusOperationRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { Link } from "../../../gen/wire/temporal/api/common/v1/message.js";
import {
  NexusOperationCancellationState as CancelState,
  PendingNexusOperationState as State,
} from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import type { TimeoutType } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import { notFound } from "../../api/service-error.js";
import type { Init } from "../../api/wire.js";
import { ofDestination } from "../../config/dynamic-config.js";
import { assert } from "../../lib/assert.js";
import { Archetype } from "../execution.js";
import type { ExecutionAddress, InputOf } from "../input.js";
import { OutboundKind, outboundBackoff } from "../outbound.js";
import { type Context, type Run, Stale } from "../workflow/context.js";
import { addressed, addressedOpen, wakeWorkflow } from "../workflow/signal.js";
import type { NexusCall, OperationOutcome, StartOutcome } from "./calls.js";
import { type Deadline, deadlines, requestTimes } from "./deadlines.js";

const UNSUCCESSFUL = "nexus operation completed unsuccessfully";

/** Asks for the request that the state calls for. */
export function requestStart(run: Run, op: NexusOperationRecord): void {
  run.outbound({ kind: OutboundKind.START_OPERATION, componentId: op.scheduledEventId, attempt: op.attempt, destination: op.endpoint });
}

function requestCancel(run: Run, op: NexusOperationRecord): void {
  const attempt = op.cancellation?.attempt ?? 0;
  run.outbound({ kind: OutboundKind.CANCEL_OPERATION, componentId: op.scheduledEventId, attempt, destination: op.endpoint });
}

/** The command's event is applied: its first request, its deadlines. */
export function begin(run: Run, op: NexusOperationRecord): void {
  requestStart(run, op);
  for (const d of deadlines(op)) run.deadline(d.time);
}

/** A reset goes on with it: what was not started is asked for again, under the same request id; what was, took one attempt. */
export function resumeOperation(run: Run, op: NexusOperationRecord): void {
  if (op.state === State.SCHEDULED) requestStart(run, op);
  else if (op.attempt === 0) put(run, op, { attempt: 1, lastAttemptCompleteTime: op.startedTime });
  for (const d of deadlines(op)) run.deadline(d.time);
  beginCancellation(run, op.scheduledEventId);
}

/** What has been asked of others and not answered is asked once more: the same request, which is known by its id. */
export function askAgain(run: Run, op: NexusOperationRecord): void {
  if (op.state === State.SCHEDULED) requestStart(run, op);
  if (op.cancellation?.state === CancelState.SCHEDULED) requestCancel(run, op);
}

/** The command's event is applied: of a started operation the request goes out, another one has yet to learn its token. */
export function beginCancellation(run: Run, scheduledEventId: number): void {
  const op = run.draft.nexusOperations.get(scheduledEventId);
  if (op !== undefined && op.state === State.STARTED) scheduleCancellation(run, op);
}

function scheduleCancellation(run: Run, op: NexusOperationRecord): void {
  const c = op.cancellation;
  if (c === undefined || c.state !== CancelState.UNSPECIFIED) return;
  const scheduled = put(run, op, { cancellation: { ...c, state: CancelState.SCHEDULED, requestedTime: run.now } });
  requestCancel(run, scheduled);
}

function put(run: Run, op: NexusOperationRecord, changes: Partial<NexusOperationRecord>): NexusOperationRecord {
  const next = NexusOperationRecord.copy(op, changes);
  run.draft.putNexusOperation(next);
  return next;
}

/** Runs what is due of the run's operations. Answers whether anything was. */
export function fireNexusDue(run: Run): boolean {
  const due: (Deadline & { id: number })[] = [];
  for (const op of run.draft.nexusOperations.values())
    for (const d of deadlines(op)) if (d.time <= run.now) due.push({ ...d, id: op.scheduledEventId });
  due.sort((a, b) => a.time - b.time || a.id - b.id);
  let hasTimedOut = false;
  for (const { what, id } of due) {
    const op = run.draft.nexusOperations.get(id);
    if (op === undefined) continue;
    if (what === "backoff") requestStart(run, put(run, op, { state: State.SCHEDULED, nextAttemptTime: 0 }));
    else if (what === "cancelBackoff") {
      assert(op.cancellation !== undefined, "what backs off exists");
      requestCancel(run, put(run, op, { cancellation: { ...op.cancellation, state: CancelState.SCHEDULED, nextAttemptTime: 0 } }));
    } else {
      timeOut(run, op, what);
      hasTimedOut = true;
    }
  }
  if (hasTimedOut) wakeWorkflow(run);
  return due.length > 0;
}

/** The operation of an outbound row; Stale when the row no longer concerns anything. */
function operationOf(ctx: Context, address: ExecutionAddress, scheduledEventId: number): { run: Run; op: NexusOperationRecord } {
  const state = address.runId === "" ? ctx.chain.current() : ctx.chain.run(address.runId);
  if (state === undefined || !state.isOpen) throw new Stale();
  const run = ctx.open(state);
  const op = run.draft.nexusOperations.get(scheduledEventId);
  if (op === undefined) throw new Stale();
  return { run, op };
}

function checkStart(op: NexusOperationRecord, attempt: number): void {
  if (op.state !== State.SCHEDULED || op.attempt !== attempt) throw new Stale();
}

function checkCancel(op: NexusOperationRecord, attempt: number): NexusCancellationRecord {
  const c = op.cancellation;
  if (c === undefined || c.state !== CancelState.SCHEDULED || c.attempt !== attempt) throw new Stale();
  return c;
}

/** What the request has to say. */
export function nexusCall(ctx: Context, address: ExecutionAddress, input: InputOf<"nexusCall">): NexusCall {
  const { run, op } = operationOf(ctx, address, input.scheduledEventId);
  if (input.isCancel) checkCancel(op, input.attempt);
  else checkStart(op, input.attempt);
  const event = ctx.event(run, op.scheduledEventId);
  assert(event.attributes.case === "nexusOperationScheduledEventAttributes", "an operation's scheduled event");
  const scheduled = event.attributes.value;
  const reference = { case: "eventRef" as const, value: { eventId: op.scheduledEventId, eventType: EventType.NEXUS_OPERATION_SCHEDULED } };
  const { workflowId, runId } = run.info;
  return {
    endpoint: op.endpoint,
    endpointId: op.endpointId,
    service: op.service,
    operation: op.operation,
    requestId: op.requestId,
    operationToken: op.operationToken,
    input: scheduled.input,
    header: scheduled.nexusHeader,
    link: { variant: { case: "workflowEvent", value: { namespace: ctx.env.namespace.name, workflowId, runId, reference } } },
    ...requestTimes(op, input.isCancel, run.now, ofDestination(ctx.env.config, ctx.env.namespace.name, op.endpoint)),
    scheduledEventId: op.scheduledEventId,
    workflowId,
    runId,
    archetype: Archetype.WORKFLOW,
  };
}

/** The outcome of a start request. */
export function nexusStarted(ctx: Context, address: ExecutionAddress, input: InputOf<"nexusStarted">): undefined {
  const { run, op } = operationOf(ctx, address, input.scheduledEventId);
  checkStart(op, input.attempt);
  run.outboundDone(input.outboundId);
  const { outcome } = input;
  switch (outcome.kind) {
    case "started":
      recordStarted(run, op, outcome, { requestId: op.requestId, time: run.now });
      wakeWorkflow(run);
      return undefined;
    case "retry": {
      const attempt = op.attempt + 1;
      const nextAttemptTime = run.now + outboundBackoff(attempt, ctx.random.float());
      put(run, op, {
        state: State.BACKING_OFF,
        attempt,
        lastAttemptCompleteTime: run.now,
        lastAttemptFailure: Failure.create(outcome.failure),
        nextAttemptTime,
      });
      run.deadline(nextAttemptTime);
      return undefined;
    }
    case "timedOut":
      timeOut(run, op, outcome.timeoutType);
      wakeWorkflow(run);
      return undefined;
    default:
      end(run, op, outcome);
      wakeWorkflow(run);
      return undefined;
  }
}

function recordStarted(
  run: Run,
  op: NexusOperationRecord,
  started: Pick<Extract<StartOutcome, { kind: "started" }>, "operationToken" | "links">,
  by: { requestId: string; time: number },
): void {
  run.add(
    EventType.NEXUS_OPERATION_STARTED,
    "nexusOperationStartedEventAttributes",
    { scheduledEventId: op.scheduledEventId, operationToken: started.operationToken, operationId: started.operationToken, requestId: by.requestId },
    { links: started.links as Link[], time: by.time },
  );
  const applied = run.draft.nexusOperations.get(op.scheduledEventId);
  assert(applied !== undefined, "a started operation is pending");
  const next = put(run, applied, {
    attempt: op.attempt + 1,
    lastAttemptCompleteTime: run.now,
    lastAttemptFailure: undefined,
    nextAttemptTime: 0,
  });
  for (const d of deadlines(next)) run.deadline(d.time);
  scheduleCancellation(run, next);
}

function end(run: Run, op: NexusOperationRecord, outcome: OperationOutcome): void {
  const { scheduledEventId, requestId } = op;
  switch (outcome.kind) {
    case "completed":
      run.add(
        EventType.NEXUS_OPERATION_COMPLETED,
        "nexusOperationCompletedEventAttributes",
        { scheduledEventId, result: outcome.result, requestId },
        { links: outcome.links as Link[] },
      );
      return;
    case "failed":
      run.add(EventType.NEXUS_OPERATION_FAILED, "nexusOperationFailedEventAttributes", {
        failure: unsuccessful(op, outcome.cause),
        scheduledEventId,
        requestId,
      });
      return;
    case "canceled":
      run.add(EventType.NEXUS_OPERATION_CANCELED, "nexusOperationCanceledEventAttributes", {
        failure: unsuccessful(op, asCanceled(outcome.cause)),
        scheduledEventId,
        requestId,
      });
  }
}

function timeOut(run: Run, op: NexusOperationRecord, timeoutType: TimeoutType): void {
  const { scheduledEventId, requestId } = op;
  run.add(EventType.NEXUS_OPERATION_TIMED_OUT, "nexusOperationTimedOutEventAttributes", {
    failure: unsuccessful(op, { message: "operation timed out", failureInfo: { case: "timeoutFailureInfo", value: { timeoutType } } }),
    scheduledEventId,
    requestId,
  });
}

function unsuccessful(op: NexusOperationRecord, cause: Init<Failure>): Init<Failure> {
  const { endpoint, service, operation, operationToken, scheduledEventId } = op;
  const value = { endpoint, service, operation, operationToken, operationId: operationToken, scheduledEventId };
  return { message: UNSUCCESSFUL, failureInfo: { case: "nexusOperationExecutionFailureInfo", value }, cause };
}

/** Older SDKs send another kind of failure for a canceled operation. */
export function asCanceled(cause: Init<Failure>): Init<Failure> {
  if (cause.failureInfo?.case === "canceledFailureInfo") return cause;
  const { message, stackTrace, cause: inner } = cause;
  return { message, stackTrace, failureInfo: { case: "canceledFailureInfo", value: {} }, cause: inner } as Init<Failure>;
}

/** The outcome of a cancel request. Whether the operation is canceled in the end, its handler will tell. */
export function nexusCancelRequested(ctx: Context, address: ExecutionAddress, input: InputOf<"nexusCancelRequested">): undefined {
  const { run, op } = operationOf(ctx, address, input.scheduledEventId);
  const before = checkCancel(op, input.attempt);
  run.outboundDone(input.outboundId);
  const { outcome } = input;
  const c: NexusCancellationRecord = { ...before, attempt: before.attempt + 1, lastAttemptCompleteTime: run.now, lastAttemptFailure: undefined };
  const ids = { scheduledEventId: op.scheduledEventId, requestedEventId: c.requestedEventId };
  if (outcome.kind === "retry") {
    c.state = CancelState.BACKING_OFF;
    c.lastAttemptFailure = Failure.create(outcome.failure);
    c.nextAttemptTime = run.now + outboundBackoff(c.attempt, ctx.random.float());
    run.deadline(c.nextAttemptTime);
    put(run, op, { cancellation: c });
    return undefined;
  }
  const isTold = ctx.env.config.limits.nexusCancelEvents;
  if (outcome.kind === "failed") {
    if (isTold)
      run.add(
        EventType.NEXUS_OPERATION_CANCEL_REQUEST_FAILED,
        "nexusOperationCancelRequestFailedEventAttributes",
        { ...ids, failure: outcome.failure },
        { workerMayIgnore: true },
      );
    c.state = CancelState.FAILED;
    c.lastAttemptFailure = Failure.create(outcome.failure);
  } else {
    if (isTold)
      run.add(EventType.NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED, "nexusOperationCancelRequestCompletedEventAttributes", ids, {
        workerMayIgnore: true,
      });
    c.state = CancelState.SUCCEEDED;
  }
  put(run, op, { cancellation: c });
  if (isTold) wakeWorkflow(run);
  return undefined;
}

/** The completion callback of an operation: it may come before the answer to the start. */
export function nexusCompleted(ctx: Context, address: ExecutionAddress, input: InputOf<"nexusCompleted">): undefined {
  const state = addressed(ctx, address);
  const op = state.hasNexusOperations ? state.nexusOperations.base.get(input.scheduledEventId) : undefined;
  if (op === undefined) throw notFound(`stale reference: state machine not found: nexusoperations.Operation:${input.scheduledEventId}`);
  const run = addressedOpen(ctx, address);
  if (op.requestId !== input.requestId) throw notFound("operation not found");
  if (op.state !== State.STARTED)
    recordStarted(run, op, input, { requestId: input.requestId, time: input.startTime > 0 ? input.startTime : run.now });
  const started = run.draft.nexusOperations.get(input.scheduledEventId);
  assert(started !== undefined, "an operation that ends is pending");
  end(run, started, input.outcome);
  wakeWorkflow(run);
  return undefined;
}
