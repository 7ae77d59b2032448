/** Signals, cancel requests and terminations from outside. */

import type { Link } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { ResourceExhaustedCause, ResourceExhaustedScope } from "../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { invalidArgument, notFound, resourceExhausted } from "../../api/service-error.js";
import type { ExecutionAddress, InputOf } from "../input.js";
import type { Replies } from "../transition.js";
import { terminateRun } from "./close.js";
import { type Context, Need, type Run } from "./context.js";
import type { RunState } from "./mutable-state.js";
import { isTaskRunning, scheduleWorkflowTask } from "./workflow-task.js";

export const WORKFLOW_NOT_FOUND = "workflow execution not found";
export const WORKFLOW_COMPLETED = "workflow execution already completed";

/** The addressed run. The text for an unknown workflow is the official server's. */
export function addressed(ctx: Context, address: ExecutionAddress): RunState {
  const state = address.runId === "" ? ctx.chain.current() : ctx.chain.run(address.runId);
  if (state === undefined) {
    throw notFound(
      address.runId === ""
        ? `workflow not found for ID: ${address.workflowId}`
        : `workflow execution not found for workflow ID ${JSON.stringify(address.workflowId)} and run ID ${JSON.stringify(address.runId)}`,
    );
  }
  return state;
}

export function addressedOpen(ctx: Context, address: ExecutionAddress): Run {
  const state = addressed(ctx, address);
  if (!state.isOpen) throw notFound(WORKFLOW_COMPLETED);
  return ctx.open(state);
}

/** Whether a request was applied to this run before. */
function isApplied(run: Run, requestId: string): boolean {
  if (requestId === "") return false;
  // The request that started the run has no row: the record names it.
  if (requestId === run.info.startRequestId || run.draft.requestIds.some((r) => r.id === requestId)) return true;
  const known = run.draft.base.knownRequestIds;
  if (known !== undefined) return known.has(requestId);
  const loaded = run.ctx.loaded.requestId(requestId);
  if (loaded === undefined) throw new Need([], [requestId]);
  return loaded !== null;
}

interface SignalContent {
  signalName: string;
  input: Uint8Array | undefined;
  identity: string;
  header: Uint8Array | undefined;
  requestId: string;
  links: Link[];
}

/** Adds the signal and, unless told not to, makes sure that a workflow task follows. Answers the event id (0 while it waits). */
export function addSignal(
  run: Run,
  signal: SignalContent,
  external: { workflowId: string; runId: string } | undefined,
  /** `first`: the signal that comes with the start, under the request id of the start. `hurries`: it ends the first task's backoff. */
  options: { first?: boolean; hurries?: boolean } = {},
): number {
  if (options.first !== true && isApplied(run, signal.requestId)) return 0;
  const max = run.ctx.env.config.limits.signalsPerExecutionMax;
  if (max > 0 && run.info.signalCount >= max) throw invalidArgument("exceeded workflow execution limit for signal events");
  // The workflow wanted to close and could not, because something had come: it gets one task without more coming.
  if (run.info.closeAttempted && isTaskRunning(run.draft))
    throw resourceExhausted(
      "workflow operation can not be applied because workflow is closing",
      ResourceExhaustedCause.BUSY_WORKFLOW,
      ResourceExhaustedScope.NAMESPACE,
    );
  const event = run.add(
    EventType.WORKFLOW_EXECUTION_SIGNALED,
    "workflowExecutionSignaledEventAttributes",
    {
      signalName: signal.signalName,
      input: signal.input,
      identity: signal.identity,
      header: signal.header,
      externalWorkflowExecution: external,
      requestId: signal.requestId,
    },
    { links: signal.links },
  );
  if (options.first === true) return event.eventId;
  if (signal.requestId !== "") run.draft.requestIds.push({ id: signal.requestId, eventType: EventType.WORKFLOW_EXECUTION_SIGNALED, eventId: 0 });
  if (options.hurries === true && !run.info.awaitsParent) scheduleWorkflowTask(run);
  else wakeWorkflow(run);
  return Math.max(event.eventId, 0);
}

/** Something happened that the workflow must see. A first workflow task that waits for its backoff is not hurried. */
export function wakeWorkflow(run: Run): void {
  const info = run.info;
  if (!run.isOpen || info.awaitsParent || info.firstTaskBackoffUntil > 0) return;
  scheduleWorkflowTask(run);
}

export function signal(ctx: Context, address: ExecutionAddress, input: InputOf<"signal">): Replies["signal"] {
  const { request, external } = input;
  const run = addressedOpen(ctx, address);
  if (external?.childWorkflowOnly === true) checkParent(run, external.workflowId, external.runId);
  const eventId = addSignal(
    run,
    {
      signalName: request.signalName,
      input: request.input,
      identity: request.identity,
      header: request.header,
      requestId: request.requestId,
      links: request.links,
    },
    external === undefined ? undefined : { workflowId: external.workflowId, runId: external.runId },
  );
  return { runId: run.info.runId, eventId };
}

function checkParent(run: Run, workflowId: string, runId: string): void {
  const parent = run.info.parent;
  if (parent === undefined || parent.workflowId !== workflowId || parent.runId !== runId) throw notFound("workflow parent does not match");
}

/** Of a request that names a chain of runs, that is of the newest one: which run it names besides does not count. */
const ofChain = (address: ExecutionAddress, firstExecutionRunId: string): ExecutionAddress =>
  firstExecutionRunId === "" ? address : { ...address, runId: "" };

export function requestCancel(ctx: Context, address: ExecutionAddress, input: InputOf<"requestCancel">): Replies["requestCancel"] {
  const { request, external } = input;
  const state = addressed(ctx, ofChain(address, request.firstExecutionRunId));
  // What has ended needs no cancelling: the request has reached its aim.
  if (!state.isOpen) return { runId: state.info.runId };
  const run = ctx.open(state);
  if (request.firstExecutionRunId !== "" && run.info.firstRunId !== request.firstExecutionRunId) throw notFound(WORKFLOW_NOT_FOUND);
  if (external?.childWorkflowOnly === true) checkParent(run, external.workflowId, external.runId);
  if (run.info.cancelRequested) {
    if (request.requestId !== "" && run.info.cancelRequestId === request.requestId) return { runId: run.info.runId };
    // A second request changes nothing, and is no error.
    return { runId: run.info.runId };
  }
  run.add(
    EventType.WORKFLOW_EXECUTION_CANCEL_REQUESTED,
    "workflowExecutionCancelRequestedEventAttributes",
    {
      cause: request.reason,
      externalInitiatedEventId: external?.initiatedEventId,
      externalWorkflowExecution: external === undefined ? undefined : { workflowId: external.workflowId, runId: external.runId },
      identity: request.identity,
    },
    { links: request.links },
  );
  run.info.cancelRequestId = request.requestId;
  // Unlike a signal, a cancel request does not wait for the end of the first task's backoff.
  if (!run.info.awaitsParent) scheduleWorkflowTask(run);
  return { runId: run.info.runId };
}

export function terminate(ctx: Context, address: ExecutionAddress, input: InputOf<"terminate">): Replies["terminate"] {
  const { request, parent } = input;
  const run = addressedOpen(ctx, ofChain(address, request.firstExecutionRunId));
  if (request.firstExecutionRunId !== "" && run.info.firstRunId !== request.firstExecutionRunId) throw notFound(WORKFLOW_NOT_FOUND);
  if (input.childWorkflowOnly && parent !== undefined) checkParent(run, parent.workflowId, parent.runId);
  terminateRun(run, { reason: request.reason, details: request.details, identity: request.identity }, request.links);
  return { runId: run.info.runId };
}
