/**
 * RespondWorkflowTaskCompleted and RespondWorkflowTaskFailed. All commands of a completion stand, or none: one that is refused
 * fails the workflow task, with the draft of the completion thrown away. Behaviour: service/history/api/respondworkflowtaskcompleted
 * of the official server.
 */
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause as Cause } from "../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { QueryResultType } from "../../../gen/wire/temporal/api/enums/v1/query.js";
import { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import type { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type { RespondWorkflowTaskCompletedRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { failedPrecondition, invalidArgument, notFound, queryFailed } from "../../api/service-error.js";
import { durationMicros } from "../../api/time.js";
import { markStarted, startedActivity } from "../activity/statemachine.js";
import type { ExecutionAddress, InputOf } from "../input.js";
import type { NextTimer, Replies, StartedActivity } from "../transition.js";
import { checkCompletingBuild } from "./build-id.js";
import { closeRun, HISTORY_SERVICE_IDENTITY, terminateRun } from "./close.js";
import { Completion, TaskFailure } from "./commands/command.js";
import { COMMANDS, checkSequence } from "./commands/table.js";
import type { Context, Run } from "./context.js";
import { noteBinaryChecksums, noteUnversioned, noteVersioning } from "./derived-attributes.js";
import { enumName } from "./enum-name.js";
import { TASK_SPECULATIVE } from "./mutable-state.js";
import { beginNextRun } from "./next-run.js";
import { addResetPoint } from "./reset-points.js";
import { addressed, addressedOpen } from "./signal.js";
import { handleMessage, isRejection, Messages } from "./update/messages.js";
import { failSent, outgoing, rejectUnprocessed } from "./update/registry.js";
import { completedVersion, hasMoved, offerActivitiesAgain } from "./versioning.js";
import {
  completeTask,
  discardTask,
  failTask,
  forgetSticky,
  recordStarted,
  scheduleSpeculativeTask,
  scheduleWorkflowTask,
  startedWorkflowTask,
  taskByToken,
  timeOutTask,
} from "./workflow-task.js";

/** Of an event in its history: its frame, two ids, a time, its type, and the id of the workflow task's end. */
const EVENT_SIZE_BYTES_MIN = 20;

export function completeWorkflowTask(
  ctx: Context,
  address: ExecutionAddress,
  input: InputOf<"completeWorkflowTask">,
): Replies["completeWorkflowTask"] {
  const { request, token } = input;
  const state = addressed(ctx, address);
  let run = ctx.open(state);
  const task = taskByToken(run, token);
  const isPaused = state.info.pause !== undefined;
  if (isPaused && request.forceCreateNewWorkflowTask)
    throw failedPrecondition("Workflow is paused and force create new workflow task is not allowed.");
  if (input.page === "look") return { ...NOTHING, timeLeft: task.startedTime + task.timeout - run.now };
  checkSequence(request.commands);
  const version = completedVersion(request);
  checkCompletingBuild(run, request);
  const limits = ctx.env.config.limits;

  const isDiscarded = task.type === TASK_SPECULATIVE && isDiscardable(run, request);
  // A heartbeat that brings nothing keeps the workflow task alive, but not for ever.
  const isHeartbeat = request.forceCreateNewWorkflowTask && request.commands.length === 0 && request.messages.length === 0;
  const heartbeatsSince = task.originalScheduledTime || task.scheduledTime;
  let failure: TaskFailure | undefined;
  let completion: Completion | undefined;
  let heartbeatTimedOut = false;
  if (isHeartbeat && run.now > heartbeatsSince + limits.workflowTaskHeartbeatTimeoutMs * 1000) {
    timeOutTask(run);
    setSticky(run, request);
    heartbeatTimedOut = true;
  } else {
    const hasBuffered = run.events.hasBuffered;
    const completedEventId = isDiscarded ? discard(run) : complete(run, request, version);
    setSticky(run, request);
    completion = new Completion(run, completedEventId, request.identity, hasBuffered);
    if (request.messages.length > 0) completion.messages = new Messages(request.messages);
    // More can be in no transaction: the run ends, and what its worker wants besides would only keep others waiting.
    const eventsMax = limits.transactionSizeBytesMax / EVENT_SIZE_BYTES_MIN;
    try {
      if (input.page === "too large")
        throw new TaskFailure(Cause.REQUEST_TOO_LARGE, invalidArgument("workflow task completion buffer size exceeds the per-workflow limit"), true);
      for (const command of request.commands) {
        if (!run.isOpen || run.info.nextEventId - completedEventId > eventsMax) break;
        COMMANDS[command.commandType]?.handle(completion, command);
      }
      if (completion.messages !== undefined) for (const message of completion.messages.rest()) handleMessage(completion, message);
    } catch (e) {
      if (!(e instanceof TaskFailure)) throw e;
      failure = e;
    }
    if (failure === undefined && run.isOpen && !request.forceCreateNewWorkflowTask) rejectUnprocessed(run.draft);
  }

  if (failure !== undefined) {
    // It goes on until its time is up, which slows the worker down.
    const goesOn = task.attempt > 1 && failure.failedCause !== Cause.UNHANDLED_COMMAND;
    if (goesOn && state.updates.length === 0) throw invalidArgument(failureText(failure));
    ctx.reset();
    run = ctx.open(state);
    failSent(run.draft);
    if (goesOn) return { ...NOTHING, refused: invalidArgument(failureText(failure)) };
    failTask(
      run,
      failure.failedCause,
      Failure.create({ message: failureText(failure), failureInfo: { case: "serverFailureInfo", value: { nonRetryable: false } } }),
      request.identity,
      { binaryChecksum: request.binaryChecksum },
    );
    if (failure.terminates) {
      run.flushBuffered();
      closeRun(run, EventType.WORKFLOW_EXECUTION_TERMINATED, "workflowExecutionTerminatedEventAttributes", {
        reason: failureText(failure),
        details: undefined,
        identity: HISTORY_SERVICE_IDENTITY,
      });
    } else scheduleWorkflowTask(run);
    return { ...NOTHING, refused: invalidArgument(failureText(failure)) };
  }

  if (completion?.nextRun !== undefined) beginNextRun(run, completion.nextRun);
  const resetHistoryEventId = isDiscarded ? run.info.lastCompletedTaskStartedEventId : 0;
  if (!run.isOpen) {
    answerQueries(run, request);
    return NOTHING;
  }
  answerQueries(run, request);

  const activityTasks: StartedActivity[] = [];
  for (const id of completion?.eagerActivities ?? []) {
    const activity = run.draft.activities.get(id);
    if (activity === undefined) continue;
    const started = markStarted(run, activity, {
      requestId: `${run.info.runId}:${id}:eager`,
      identity: request.identity,
      versionStamp: undefined,
      controlTaskQueue: request.workerControlTaskQueue === "" ? undefined : request.workerControlTaskQueue,
    });
    activityTasks.push(startedActivity(run, started));
  }

  let newTask: Replies["completeWorkflowTask"]["newTask"];
  if (
    !isPaused &&
    (request.forceCreateNewWorkflowTask ||
      heartbeatTimedOut ||
      completion?.hasBuffered === true ||
      (run.events.hasBuffered && run.events.hasBufferedWhere(isNews)) ||
      completion?.activityCanceledUnstarted === true ||
      run.info.versioningInfo?.versionTransition !== undefined)
  ) {
    // A run on its way to another version takes its next task there.
    const isHere = run.info.assignedBuildId === "" || run.info.assignedBuildId === request.workerVersionStamp?.buildId;
    const isReturned = request.returnNewWorkflowTask && isHere && run.info.versioningInfo?.versionTransition === undefined;
    scheduleWorkflowTask(run, {
      bypassDispatch: isReturned,
      originalScheduledTime: isHeartbeat && !heartbeatTimedOut ? heartbeatsSince : run.now,
    });
    if (isReturned) newTask = startReturned(run, request);
  } else {
    const updates = outgoing(run.draft);
    if (updates === "messages" && request.returnNewWorkflowTask) {
      scheduleSpeculativeTask(run, { bypassDispatch: true });
      newTask = startReturned(run, request);
    } else if (updates !== undefined) scheduleWorkflowTask(run);
  }
  // What the worker does not learn from its next task, it learns here: it has to give the workflow up.
  const refused = heartbeatTimedOut ? notFound("workflow task heartbeat timeout") : undefined;
  const isEmpty = newTask === undefined && activityTasks.length === 0;
  const nextTimer = completion !== undefined && isEmpty && !isPaused ? nextTimerOf(completion, request) : undefined;
  return { refused, newTask, activityTasks, resetHistoryEventId, nextTimer };
}

/** The worker holds the workflow, would take the next task with this answer, and that task comes with a timer unless something else is faster. */
function nextTimerOf({ run, firstTimer }: Completion, request: RespondWorkflowTaskCompletedRequest): NextTimer | undefined {
  const { info } = run;
  if (firstTimer === undefined || run.draft.timers.get(firstTimer.startedEventId) === undefined) return undefined;
  if (!request.returnNewWorkflowTask || info.stickyTaskQueue === "" || info.workflowTask !== undefined) return undefined;
  // Which build takes a task is for the queue to say.
  if (info.assignedBuildId !== "" || request.workerVersionStamp?.useVersioning === true) return undefined;
  return { runKey: run.draft.key, within: Math.max(0, firstTimer.fireTime - run.now), stickyTaskQueue: info.stickyTaskQueue };
}

/** Callbacks that were attached to an update with its acceptance are nothing that the workflow must see. */
const isNews = (e: HistoryEvent): boolean => e.eventType !== EventType.WORKFLOW_EXECUTION_OPTIONS_UPDATED;

/** The task enters history. Answers the id of the completed event. */
function complete(run: Run, request: RespondWorkflowTaskCompletedRequest, version: ReturnType<typeof completedVersion>): number {
  const before = run.draft.base.info.versioningInfo === undefined && run.info.versioningInfo === undefined ? undefined : { ...run.info };
  const scheduledTime = run.info.workflowTask?.scheduledTime ?? run.now;
  const event = completeTask(run, {
    identity: request.identity,
    binaryChecksum: request.binaryChecksum,
    workerVersion: request.workerVersionStamp,
    sdkMetadata: request.sdkMetadata,
    meteringMetadata: request.meteringMetadata,
    versioningBehavior: version.versioningBehavior,
    workerDeploymentName: version.workerDeploymentName,
    deploymentVersion: version.deploymentVersion,
    deployment: version.deployment,
  });
  if (addResetPoint(run, event) && request.binaryChecksum !== "") noteBinaryChecksums(run);
  const previous = run.info.mostRecentWorkerVersionStamp;
  run.info.mostRecentWorkerVersionStamp = request.workerVersionStamp;
  const isVersioned =
    run.info.versioningInfo !== undefined || run.info.versioning !== undefined || request.workerVersionStamp?.useVersioning === true;
  if (before !== undefined || isVersioned) {
    if (hasMoved(before ?? run.draft.base.info, run.info)) offerActivitiesAgain(run, run.now - scheduledTime);
    noteVersioning(run, { stamp: request.workerVersionStamp, version: version.deploymentVersion });
  } else noteUnversioned(run, request.workerVersionStamp, previous);
  return event.eventId;
}

function discard(run: Run): number {
  discardTask(run);
  return 0;
}

/**
 * Whether a speculative task may vanish: the worker brings nothing but rejections, and either has seen no other event with it, or can
 * forget those that it has seen. Too many are not sent again and again.
 */
function isDiscardable(run: Run, request: RespondWorkflowTaskCompletedRequest): boolean {
  if (request.commands.length > 0 || request.forceCreateNewWorkflowTask) return false;
  const { nextEventId, lastCompletedTaskStartedEventId } = run.info;
  const canForget = request.capabilities?.discardSpeculativeWorkflowTaskWithEvents === true;
  const max = canForget ? run.ctx.env.config.limits.discardedTaskEventsMax : 0;
  return nextEventId <= lastCompletedTaskStartedEventId + 2 + max && request.messages.every(isRejection);
}

/** The next task, for the worker that has just completed one. */
function startReturned(run: Run, request: RespondWorkflowTaskCompletedRequest): Replies["completeWorkflowTask"]["newTask"] {
  // A stamp says that rules have assigned a build id: sets do not.
  const stamp = request.workerVersionStamp?.useVersioning === true && run.info.assignedBuildId === "" ? undefined : request.workerVersionStamp;
  recordStarted(run, "request-from-RespondWorkflowTaskCompleted", request.identity, stamp, run.info.versioning?.redirectCounter ?? 0);
  return startedWorkflowTask(run, { holdsWorkflow: true, isHeartbeat: request.forceCreateNewWorkflowTask });
}

const NOTHING: Replies["completeWorkflowTask"] = { refused: undefined, newTask: undefined, activityTasks: [], resetHistoryEventId: 0 };

function failureText(failure: TaskFailure): string {
  const name = enumName(Cause, failure.failedCause);
  return failure.error === undefined ? name : `${name}: ${failure.error.message}`;
}

function setSticky(run: Run, request: RespondWorkflowTaskCompletedRequest): void {
  const sticky = request.stickyAttributes;
  if (sticky?.workerTaskQueue === undefined || sticky.workerTaskQueue.name === "") {
    forgetSticky(run.draft);
    return;
  }
  const info = run.info;
  // It is on its way to workers of another version: this one is not asked again.
  if (info.versioningInfo?.versionTransition !== undefined) return;
  if (info.assignedBuildId !== "" && info.assignedBuildId !== request.workerVersionStamp?.buildId) return;
  info.stickyTaskQueue = sticky.workerTaskQueue.name;
  info.stickyScheduleToStartTimeout = durationMicros(sticky.scheduleToStartTimeout);
}

/** Results of the queries that went with the task. */
function answerQueries(run: Run, request: RespondWorkflowTaskCompletedRequest): void {
  const { draft, ctx } = run;
  if (draft.queries.length === 0) return;
  const left = [];
  for (const q of draft.queries) {
    const result = request.queryResults[q.id];
    if (result === undefined) {
      left.push({ ...q, sent: false });
      continue;
    }
    if (result.resultType === QueryResultType.ANSWERED)
      ctx.answers.push({ waiter: q.waiter, result: { kind: "answered", response: { queryResult: result.answer } } });
    else ctx.answers.push({ waiter: q.waiter, result: queryFailed(result.errorMessage, { failure: result.failure }) });
  }
  draft.queries = left;
}

export function failWorkflowTask(ctx: Context, address: ExecutionAddress, input: InputOf<"failWorkflowTask">): undefined {
  const { request, token } = input;
  const run = addressedOpen(ctx, address);
  taskByToken(run, token);
  if (request.cause === Cause.GRPC_MESSAGE_TOO_LARGE) {
    terminateRun(run, { reason: "GrpcMessageTooLarge", details: undefined, identity: HISTORY_SERVICE_IDENTITY });
    return undefined;
  }
  failTask(run, request.cause, request.failure, request.identity, { binaryChecksum: request.binaryChecksum });
  scheduleWorkflowTask(run);
  return undefined;
}
