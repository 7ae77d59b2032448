/** What a workflow learns of its children and of other workflows that it signaled or asked to cancel. */
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { assert } from "../../lib/assert.js";
import type { ExecutionAddress, InputOf } from "../input.js";
import { type Context, Need, type Run } from "./context.js";
import type { RunState } from "./mutable-state.js";
import { addressed, wakeWorkflow } from "./signal.js";
import { closePolicyEffects } from "./transfer.js";
import { TransferKind } from "./transfer-kind.js";

const RESETS_MAX = 100;

/** The run that has taken the place of one that was reset. */
function followResets(ctx: Context, from: RunState): RunState | undefined {
  let state = from;
  for (let n = 0; !state.isOpen && state.info.resetRunId !== "" && n < RESETS_MAX; n++) {
    const { resetRunId } = state.info;
    const next = ctx.chain.run(resetRunId);
    if (next === undefined) {
      if (ctx.chain.isMissing(resetRunId)) return undefined;
      throw new Need([], [], { runs: [resetRunId], histories: [] });
    }
    state = next;
  }
  return state;
}

/**
 * An execution that has ended asks nothing of others any more, even if its last task did: the official server looks before it
 * carries (processStartChildExecution, processSignalExecution, processCancelExecution). A child whose end was reported has no start
 * to be told of.
 */
export function isTransferAwaited(
  ctx: Context,
  address: ExecutionAddress,
  { transferKind, initiatedEventId }: InputOf<"isTransferAwaited">,
): boolean {
  const state = addressed(ctx, address);
  if (!state.isOpen) return false;
  switch (transferKind) {
    case TransferKind.START_CHILD:
      return state.children.base.get(initiatedEventId)?.startedEventId === 0;
    case TransferKind.SIGNAL_EXTERNAL:
      return state.externalSignals.base.has(initiatedEventId);
    case TransferKind.CANCEL_EXTERNAL:
      return state.externalCancels.base.has(initiatedEventId);
    default:
      return true;
  }
}

/** Whether the run was ended by a reset, and the run in its place has the child too: that one starts it, or finds it. */
function goesOn(ctx: Context, run: Run, initiatedEventId: number): boolean {
  if (!run.info.endedByReset || run.info.resetRunId === "") return false;
  const next = followResets(ctx, run.draft.base);
  return next !== undefined && initiatedEventId < (next.info.reset?.forkEventId ?? 0);
}

export function childStarted(ctx: Context, address: ExecutionAddress, input: InputOf<"childStarted">): undefined {
  const run = ctx.open(addressed(ctx, address));
  run.transferDone(input.transferId);
  const child = run.draft.children.get(input.initiatedEventId);
  if (child === undefined) return undefined;
  const target = {
    initiatedEventId: child.initiatedEventId,
    namespaceId: child.namespaceId,
    namespace: child.namespace,
    workflowId: child.workflowId,
    runId: input.runId,
    firstRunId: input.runId,
  };
  if (!run.isOpen) {
    if (goesOn(ctx, run, child.initiatedEventId)) return undefined;
    // The parent ended meanwhile: its policy decides what becomes of the child.
    for (const effect of closePolicyEffects(child.parentClosePolicy, input.runId)) run.transfer({ ...target, ...effect });
    return undefined;
  }
  // Reported before: only the row is left to go.
  if (child.startedEventId !== 0) return undefined;
  const initiated = ctx.event(run, input.initiatedEventId).attributes;
  assert(initiated.case === "startChildWorkflowExecutionInitiatedEventAttributes", "a child's initiated event");
  run.add(EventType.CHILD_WORKFLOW_EXECUTION_STARTED, "childWorkflowExecutionStartedEventAttributes", {
    namespace: child.namespace,
    namespaceId: child.namespaceId,
    initiatedEventId: child.initiatedEventId,
    workflowExecution: { workflowId: child.workflowId, runId: input.runId },
    workflowType: { name: child.workflowType },
    header: initiated.value.header,
  });
  run.transfer({ ...target, kind: TransferKind.FIRST_TASK });
  wakeWorkflow(run);
  return undefined;
}

export function childStartFailed(ctx: Context, address: ExecutionAddress, input: InputOf<"childStartFailed">): undefined {
  const run = ctx.open(addressed(ctx, address));
  run.transferDone(input.transferId);
  const child = run.draft.children.get(input.initiatedEventId);
  if (child === undefined || child.startedEventId !== 0 || !run.isOpen) return undefined;
  const initiated = ctx.event(run, input.initiatedEventId).attributes;
  assert(initiated.case === "startChildWorkflowExecutionInitiatedEventAttributes", "a child's initiated event");
  run.add(EventType.START_CHILD_WORKFLOW_EXECUTION_FAILED, "startChildWorkflowExecutionFailedEventAttributes", {
    namespace: child.namespace,
    namespaceId: child.namespaceId,
    workflowId: child.workflowId,
    workflowType: { name: child.workflowType },
    cause: input.cause,
    control: initiated.value.control,
    initiatedEventId: child.initiatedEventId,
  });
  wakeWorkflow(run);
  return undefined;
}

export function childClosed(ctx: Context, address: ExecutionAddress, input: InputOf<"childClosed">): undefined {
  const state = followResets(ctx, addressed(ctx, address));
  if (state === undefined || !state.isOpen) return undefined;
  const run = ctx.open(state);
  const child = run.draft.children.get(input.initiatedEventId);
  if (child === undefined || child.workflowId !== input.childWorkflowId) return undefined;
  if (child.runId !== "" && child.runId !== input.childFirstRunId) return undefined;
  // The same start may be reported after the end of the child: the effect of the start is then made up for first.
  if (child.startedEventId === 0) {
    const initiated = ctx.event(run, input.initiatedEventId).attributes;
    assert(initiated.case === "startChildWorkflowExecutionInitiatedEventAttributes", "a child's initiated event");
    run.add(EventType.CHILD_WORKFLOW_EXECUTION_STARTED, "childWorkflowExecutionStartedEventAttributes", {
      namespace: child.namespace,
      namespaceId: child.namespaceId,
      initiatedEventId: child.initiatedEventId,
      workflowExecution: { workflowId: child.workflowId, runId: input.childFirstRunId },
      workflowType: { name: child.workflowType },
      header: initiated.value.header,
    });
  }
  const started = run.draft.children.get(input.initiatedEventId);
  assert(started !== undefined, "the child is pending");
  const common = {
    namespace: child.namespace,
    namespaceId: child.namespaceId,
    workflowExecution: { workflowId: input.childWorkflowId, runId: input.childRunId },
    workflowType: { name: child.workflowType },
    initiatedEventId: child.initiatedEventId,
    startedEventId: started.startedEventId,
  };
  const a = input.event.attributes;
  switch (a.case) {
    case "workflowExecutionCompletedEventAttributes":
      run.add(EventType.CHILD_WORKFLOW_EXECUTION_COMPLETED, "childWorkflowExecutionCompletedEventAttributes", { ...common, result: a.value.result });
      break;
    case "workflowExecutionFailedEventAttributes":
      run.add(EventType.CHILD_WORKFLOW_EXECUTION_FAILED, "childWorkflowExecutionFailedEventAttributes", {
        ...common,
        failure: a.value.failure,
        retryState: a.value.retryState,
      });
      break;
    case "workflowExecutionCanceledEventAttributes":
      run.add(EventType.CHILD_WORKFLOW_EXECUTION_CANCELED, "childWorkflowExecutionCanceledEventAttributes", { ...common, details: a.value.details });
      break;
    case "workflowExecutionTimedOutEventAttributes":
      run.add(EventType.CHILD_WORKFLOW_EXECUTION_TIMED_OUT, "childWorkflowExecutionTimedOutEventAttributes", {
        ...common,
        retryState: a.value.retryState,
      });
      break;
    case "workflowExecutionTerminatedEventAttributes":
      run.add(EventType.CHILD_WORKFLOW_EXECUTION_TERMINATED, "childWorkflowExecutionTerminatedEventAttributes", common);
      break;
    default:
      assert(false, `a child does not end with ${a.case}`);
  }
  wakeWorkflow(run);
  return undefined;
}

export function externalSignaled(ctx: Context, address: ExecutionAddress, input: InputOf<"externalSignaled">): undefined {
  const run = ctx.open(addressed(ctx, address));
  run.transferDone(input.transferId);
  const pending = run.draft.externalSignals.get(input.initiatedEventId);
  if (pending === undefined || !run.isOpen) return undefined;
  const initiated = ctx.event(run, input.initiatedEventId).attributes;
  assert(initiated.case === "signalExternalWorkflowExecutionInitiatedEventAttributes", "an external signal's initiated event");
  const common = {
    namespace: ctx.env.namespaces.byId(pending.namespaceId)?.name ?? pending.namespace,
    namespaceId: pending.namespaceId,
    workflowExecution: { workflowId: pending.workflowId, runId: pending.runId },
    initiatedEventId: pending.initiatedEventId,
    control: initiated.value.control,
  };
  if (input.failure === undefined)
    run.add(EventType.EXTERNAL_WORKFLOW_EXECUTION_SIGNALED, "externalWorkflowExecutionSignaledEventAttributes", common);
  else
    run.add(EventType.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED, "signalExternalWorkflowExecutionFailedEventAttributes", {
      ...common,
      cause: input.failure,
    });
  wakeWorkflow(run);
  return undefined;
}

export function externalCancelRequested(ctx: Context, address: ExecutionAddress, input: InputOf<"externalCancelRequested">): undefined {
  const run = ctx.open(addressed(ctx, address));
  run.transferDone(input.transferId);
  const pending = run.draft.externalCancels.get(input.initiatedEventId);
  if (pending === undefined || !run.isOpen) return undefined;
  const initiated = ctx.event(run, input.initiatedEventId).attributes;
  assert(initiated.case === "requestCancelExternalWorkflowExecutionInitiatedEventAttributes", "an external cancel's initiated event");
  const common = {
    namespace: ctx.env.namespaces.byId(pending.namespaceId)?.name ?? pending.namespace,
    namespaceId: pending.namespaceId,
    workflowExecution: { workflowId: pending.workflowId, runId: pending.runId },
    initiatedEventId: pending.initiatedEventId,
  };
  if (input.failure === undefined)
    run.add(EventType.EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED, "externalWorkflowExecutionCancelRequestedEventAttributes", common);
  else
    run.add(EventType.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED, "requestCancelExternalWorkflowExecutionFailedEventAttributes", {
      ...common,
      cause: input.failure,
    });
  wakeWorkflow(run);
  return undefined;
}
