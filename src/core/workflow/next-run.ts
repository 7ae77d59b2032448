/** The run that follows in a chain: continue-as-new, retry, cron. What it inherits, and how long it waits. */

import type { ContinueAsNewWorkflowExecutionCommandAttributes } from "../../../gen/wire/temporal/api/command/v1/message.js";
import { TaskQueueKind } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { ContinueAsNewInitiator } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import type { WorkflowExecutionStartedEventAttributes } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { cappedMicros, duration, timestamp } from "../../api/time.js";
import type { Init } from "../../api/wire.js";
import { assert } from "../../lib/assert.js";
import { cronBackoff } from "../../lib/cron.js";
import { uuidV4 } from "../../lib/uuid.js";
import { callbacksToCarry } from "../callback/statemachine.js";
import type { Run } from "./context.js";
import { rollOverResetPoints } from "./reset-points.js";
import { beginFirstTask, createRun, executionTimeoutOf, type NewRun } from "./start.js";
import { clockOfNextRun } from "./time-skipping.js";
import { inheritedByContinuation, inheritedByNextRun } from "./versioning.js";

/** Microseconds until the next cron run; undefined when the workflow is no cron or its chain's time is over. */
export function cronDelay(run: Run): number | undefined {
  const info = run.info;
  if (info.cronSchedule === "") return undefined;
  return cronBackoff(info.cronSchedule, info.executionTime, run.now);
}

/** A chain may not spin: a run that follows one that lived less than the minimal interval waits for the rest of it. */
function minimalBackoff(run: Run, delay: number): number {
  const interval = run.ctx.env.config.limits.workflowIdReuseIntervalMsMin * 1000;
  const lived = run.now - run.info.executionTime;
  return lived >= interval ? delay : Math.max(delay, interval - Math.max(0, lived));
}

function inherited(run: Run): Init<WorkflowExecutionStartedEventAttributes> {
  const info = run.info;
  const parent = info.parent;
  return {
    parentWorkflowNamespace: parent?.namespace,
    parentWorkflowNamespaceId: parent?.namespaceId,
    parentWorkflowExecution: parent === undefined ? undefined : { workflowId: parent.workflowId, runId: parent.runId },
    parentInitiatedEventId: parent?.initiatedEventId,
    rootWorkflowExecution: parent === undefined ? undefined : { workflowId: info.rootWorkflowId, runId: info.rootRunId },
    workflowExecutionTimeout: executionTimeoutOf(info),
    workflowExecutionExpirationTime: timestamp(info.executionDeadline),
    continuedExecutionRunId: info.runId,
    firstExecutionRunId: info.firstRunId,
    cronSchedule: info.cronSchedule,
    prevAutoResetPoints: rollOverResetPoints(info.autoResetPoints, info.runId, run.now, run.ctx.env.namespace.retention),
    priority: info.priority,
    ...clockOfNextRun(run),
  };
}

/**
 * Retry and cron: the same start again, whatever the run changed of its memo and attributes. Needs the start event. `lastCompletionResult`
 * "kept" is what the run itself was given.
 */
export function nextRunOf(
  run: Run,
  next: { initiator: ContinueAsNewInitiator; delay: number; lastCompletionResult: Uint8Array | "kept" | undefined; failure: Failure | undefined },
): NewRun {
  const info = run.info;
  const started = run.ctx.event(run, 1).attributes;
  assert(started.case === "workflowExecutionStartedEventAttributes", "the first event starts the run");
  const a = started.value;
  const isRetry = next.initiator === ContinueAsNewInitiator.RETRY;
  return {
    attributes: {
      ...inherited(run),
      workflowType: a.workflowType,
      taskQueue: { name: info.taskQueue, kind: TaskQueueKind.NORMAL },
      input: a.input,
      header: a.header,
      workflowRunTimeout: a.workflowRunTimeout,
      workflowTaskTimeout: a.workflowTaskTimeout,
      retryPolicy: a.retryPolicy,
      memo: a.memo,
      searchAttributes: a.searchAttributes,
      priority: a.priority,
      initiator: next.initiator,
      continuedFailure: next.failure,
      lastCompletionResult: next.lastCompletionResult === "kept" ? a.lastCompletionResult : next.lastCompletionResult,
      firstWorkflowTaskBackoff: duration(minimalBackoff(run, next.delay)),
      attempt: isRetry ? info.attempt + 1 : 1,
      completionCallbacks: isRetry ? callbacksToCarry(run.draft) : [],
      ...inheritedByNextRun(run, a, next.initiator),
    },
    workflowId: info.workflowId,
    requestId: "",
    reusePolicy: info.reusePolicy,
    userMetadata: undefined,
    links: info.links,
    awaitsParent: false,
  };
}

export function continueAsNewRun(
  run: Run,
  a: ContinueAsNewWorkflowExecutionCommandAttributes,
  resolved: { type: string; queue: string; runTimeout: number; taskTimeout: number },
): NewRun {
  const info = run.info;
  const backoff = minimalBackoff(run, cappedMicros(a.backoffStartInterval));
  return {
    attributes: {
      ...inherited(run),
      workflowType: { name: resolved.type },
      taskQueue: { name: resolved.queue, kind: TaskQueueKind.NORMAL },
      input: a.input,
      header: a.header,
      workflowRunTimeout: duration(resolved.runTimeout),
      workflowTaskTimeout: duration(resolved.taskTimeout),
      retryPolicy: a.retryPolicy,
      cronSchedule: a.cronSchedule,
      memo: a.memo,
      searchAttributes: a.searchAttributes,
      initiator: a.initiator,
      continuedFailure: a.failure,
      lastCompletionResult: a.lastCompletionResult,
      firstWorkflowTaskBackoff: backoff === 0 && a.backoffStartInterval === undefined ? undefined : duration(backoff),
      attempt: a.initiator === ContinueAsNewInitiator.RETRY ? info.attempt + 1 : 1,
      completionCallbacks: callbacksToCarry(run.draft),
      ...inheritedByContinuation(run, resolved.queue, a.inheritBuildId, a.initialVersioningBehavior),
    },
    workflowId: info.workflowId,
    requestId: "",
    reusePolicy: info.reusePolicy,
    userMetadata: undefined,
    links: info.links,
    awaitsParent: false,
  };
}

/** Opens the next run. The closed one keeps nothing that the new one goes on with. */
export function beginNextRun(run: Run, next: NewRun): void {
  const child = createRun(run.ctx, { ...next, clockBase: run.draft.timeSkipping?.base });
  child.draft.predecessor = run.draft.base;
  child.info.startRequestId = uuidV4(run.ctx.random.bytes16());
  beginFirstTask(child);
}
