/** What DescribeActivityExecution, the wait for its outcome and lists show of a standalone activity. */
import type { ActivityExecutionInfo, ActivityExecutionOutcome } from "../../../gen/wire/temporal/api/activity/v1/message.js";
import { Payload, SearchAttributes } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { ActivityExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/activity.js";
import { PendingActivityState, WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type {
  DescribeActivityExecutionRequest,
  DescribeActivityExecutionResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { duration, timestamp } from "../../api/time.js";
import { encode, type Init } from "../../api/wire.js";
import type { NamespaceView } from "../namespace-view.js";
import { ACTIVITY_DIVISION, DIVISION } from "../visibility/attributes.js";
import type { VisibilityRow } from "../visibility/row.js";
import { indexedValues, withTypes } from "../visibility/search-attributes.js";
import { type ActivityDraft, isWithWorker, Status } from "./activity-state.js";
import { callbackInfo } from "./callbacks.js";
import { firstDispatchTime } from "./options.js";

const SHOWN: Readonly<Record<Status, ActivityExecutionStatus>> = {
  [Status.SCHEDULED]: ActivityExecutionStatus.RUNNING,
  [Status.STARTED]: ActivityExecutionStatus.RUNNING,
  [Status.CANCEL_REQUESTED]: ActivityExecutionStatus.RUNNING,
  [Status.PAUSE_REQUESTED]: ActivityExecutionStatus.RUNNING,
  [Status.RESET_REQUESTED]: ActivityExecutionStatus.RUNNING,
  [Status.PAUSED]: ActivityExecutionStatus.PAUSED,
  [Status.COMPLETED]: ActivityExecutionStatus.COMPLETED,
  [Status.FAILED]: ActivityExecutionStatus.FAILED,
  [Status.CANCELED]: ActivityExecutionStatus.CANCELED,
  [Status.TERMINATED]: ActivityExecutionStatus.TERMINATED,
  [Status.TIMED_OUT]: ActivityExecutionStatus.TIMED_OUT,
};

/** The column has numbers of workflows: queries of both name the same states. */
const IN_ROWS: Readonly<Partial<Record<ActivityExecutionStatus, WorkflowExecutionStatus>>> = {
  [ActivityExecutionStatus.RUNNING]: WorkflowExecutionStatus.RUNNING,
  [ActivityExecutionStatus.PAUSED]: WorkflowExecutionStatus.PAUSED,
  [ActivityExecutionStatus.COMPLETED]: WorkflowExecutionStatus.COMPLETED,
  [ActivityExecutionStatus.FAILED]: WorkflowExecutionStatus.FAILED,
  [ActivityExecutionStatus.CANCELED]: WorkflowExecutionStatus.CANCELED,
  [ActivityExecutionStatus.TERMINATED]: WorkflowExecutionStatus.TERMINATED,
  [ActivityExecutionStatus.TIMED_OUT]: WorkflowExecutionStatus.TIMED_OUT,
};
const OF_ROWS: ReadonlyMap<number, ActivityExecutionStatus> = new Map(
  Object.entries(IN_ROWS).map(([own, row]) => [row as number, Number(own) as ActivityExecutionStatus]),
);

export const statusOfRow = (status: number): ActivityExecutionStatus => OF_ROWS.get(status) ?? ActivityExecutionStatus.UNSPECIFIED;

function runState(draft: ActivityDraft): PendingActivityState {
  switch (draft.status) {
    case Status.SCHEDULED:
      return PendingActivityState.SCHEDULED;
    case Status.STARTED:
      return PendingActivityState.STARTED;
    case Status.RESET_REQUESTED:
      return draft.info.resetPauses ? PendingActivityState.PAUSE_REQUESTED : PendingActivityState.STARTED;
    case Status.CANCEL_REQUESTED:
      return PendingActivityState.CANCEL_REQUESTED;
    case Status.PAUSED:
      return PendingActivityState.PAUSED;
    case Status.PAUSE_REQUESTED:
      return PendingActivityState.PAUSE_REQUESTED;
    default:
      return PendingActivityState.UNSPECIFIED;
  }
}

function shownAttributes({ request }: ActivityDraft, namespace: NamespaceView): SearchAttributes {
  return request.searchAttributes === undefined ? { indexedFields: {} } : withTypes(request.searchAttributes, namespace);
}

function infoOf(draft: ActivityDraft, request: DescribeActivityExecutionRequest, namespace: NamespaceView, now: number): Init<ActivityExecutionInfo> {
  const { info, activity: a, request: asked, outcome } = draft;
  const next = draft.status === Status.SCHEDULED && a.attemptScheduledTime > now ? a.attemptScheduledTime : 0;
  const isRunning = isWithWorker(draft.status);
  return {
    activityId: info.workflowId,
    runId: info.runId,
    activityType: { name: a.activityType },
    status: SHOWN[draft.status],
    runState: runState(draft),
    taskQueue: a.taskQueue,
    scheduleToCloseTimeout: duration(a.scheduleToCloseTimeout),
    scheduleToStartTimeout: duration(a.scheduleToStartTimeout),
    startToCloseTimeout: duration(a.startToCloseTimeout),
    heartbeatTimeout: duration(a.heartbeatTimeout),
    retryPolicy: a.retryPolicy,
    heartbeatDetails: request.includeHeartbeatDetails ? a.lastHeartbeatDetails : undefined,
    lastHeartbeatTime: timestamp(a.lastHeartbeatTime),
    lastStartedTime: timestamp(info.lastStartedTime),
    attempt: a.attempt,
    executionDuration: draft.isOpen ? undefined : duration(info.closeTime - a.scheduledTime),
    scheduleTime: timestamp(a.scheduledTime),
    expirationTime: timestamp(a.scheduleToCloseDeadline),
    closeTime: timestamp(info.closeTime),
    lastFailure: request.includeLastFailure ? (outcome?.ofAttempt === true ? outcome.failure : a.lastFailure) : undefined,
    lastWorkerIdentity: a.lastWorkerIdentity,
    currentRetryInterval: next > 0 && !isRunning && info.retryInterval > 0 ? duration(info.retryInterval) : undefined,
    lastAttemptCompleteTime: timestamp(a.lastAttemptCompleteTime),
    nextAttemptScheduleTime: timestamp(next),
    priority: a.priority,
    stateTransitionCount: info.stateTransitionCount,
    stateSizeBytes: draft.base.stateSizeBytes,
    searchAttributes: shownAttributes(draft, namespace),
    header: asked.header as never,
    userMetadata: asked.userMetadata,
    canceledReason: info.cancelReason,
    links: asked.links.flatMap((l) => l.links),
    totalHeartbeatCount: info.heartbeatCount,
    sdkName: info.sdkName,
    sdkVersion: info.sdkVersion,
    startDelay: info.startDelay > 0 || asked.options?.startDelay !== undefined ? duration(info.startDelay) : undefined,
    executionTime: timestamp(firstDispatchTime(draft)),
  };
}

export function describe(
  draft: ActivityDraft,
  request: DescribeActivityExecutionRequest,
  namespace: NamespaceView,
  now: number,
): Init<DescribeActivityExecutionResponse> {
  return {
    runId: draft.info.runId,
    info: infoOf(draft, request, namespace, now),
    input: request.includeInput ? draft.request.input : undefined,
    outcome: request.includeOutcome ? outcomeOf(draft) : undefined,
    callbacks: [...draft.callbacks.values()].map(callbackInfo),
  };
}

export function outcomeOf({ outcome }: ActivityDraft): Init<ActivityExecutionOutcome> | undefined {
  if (outcome === undefined) return undefined;
  const { failure, retryState, result } = outcome;
  if (failure !== undefined) return { value: { case: "failure", value: failure }, retryState };
  return { value: { case: "result", value: result ?? new Uint8Array(0) } };
}

const keyword = (value: string): Uint8Array =>
  encode(Payload, { metadata: { encoding: Buffer.from("json/plain"), type: Buffer.from("Keyword") }, data: Buffer.from(JSON.stringify(value)) });

export function activityRow(draft: ActivityDraft, namespace: NamespaceView): VisibilityRow {
  const { info, activity: a, request } = draft;
  const searchAttributes: SearchAttributes = {
    indexedFields: { ...request.searchAttributes?.indexedFields, [DIVISION]: keyword(ACTIVITY_DIVISION) },
  };
  return {
    key: draft.key,
    namespaceKey: namespace.key,
    workflowId: info.workflowId,
    runId: info.runId,
    workflowType: a.activityType,
    taskQueue: a.taskQueue,
    status: IN_ROWS[SHOWN[draft.status]] ?? WorkflowExecutionStatus.RUNNING,
    startTime: a.scheduledTime,
    executionTime: firstDispatchTime(draft),
    closeTime: info.closeTime,
    historyLength: 0,
    historySizeBytes: draft.isOpen ? 0 : draft.base.stateSizeBytes,
    stateTransitionCount: draft.isOpen ? 0 : info.stateTransitionCount,
    parentWorkflowId: "",
    parentRunId: "",
    rootWorkflowId: info.workflowId,
    rootRunId: info.runId,
    memo: new Uint8Array(0),
    searchAttributes: encode(SearchAttributes, searchAttributes),
    attributes: indexedValues(searchAttributes, namespace),
  };
}
