/** What describes, polls and lists show of a standalone Nexus operation. */

import type { NexusExecutionRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { NexusLongPollToken } from "../../../gen/wire/perdure/persistence/v1/token.js";
import { Memo, Payload, SearchAttributes } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { NexusOperationWaitStage as Stage, NexusOperationExecutionStatus as Status } from "../../../gen/wire/temporal/api/enums/v1/nexus.js";
import { WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import { type NexusOperationExecutionInfo, NexusOperationExecutionListInfo } from "../../../gen/wire/temporal/api/nexus/v1/message.js";
import type {
  DescribeNexusOperationExecutionRequest,
  DescribeNexusOperationExecutionResponse,
  PollNexusOperationExecutionResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { duration, timestamp } from "../../api/time.js";
import { encode, type Init } from "../../api/wire.js";
import { attemptsOf } from "../attempts.js";
import type { NamespaceView } from "../namespace-view.js";
import { DIVISION, NEXUS_OPERATION_ATTRIBUTES } from "../visibility/attributes.js";
import type { VisibilityRow } from "../visibility/row.js";
import { indexedValues } from "../visibility/search-attributes.js";
import type { NexusExecutionDraft } from "./execution-state.js";

/** Value of TemporalNamespaceDivision that marks the rows of standalone Nexus operations. */
export const NEXUS_OPERATION_DIVISION = "TemporalNexusOperation";
/** Memo of a row: what a list shows. */
export const NEXUS_LIST_INFO_MEMO = "NexusOperationInfo";

const TO_CLOSE = 1;
const TO_START = 2;
const START_TO_CLOSE = 4;

/** Which timeouts a request had: one of 0 is shown as it came. */
export function timeoutsGiven(given: { scheduleToClose: boolean; scheduleToStart: boolean; startToClose: boolean }): number {
  return (given.scheduleToClose ? TO_CLOSE : 0) + (given.scheduleToStart ? TO_START : 0) + (given.startToClose ? START_TO_CLOSE : 0);
}

export function describeNexusExecution(
  draft: NexusExecutionDraft,
  request: DescribeNexusOperationExecutionRequest,
  now: number,
): Init<DescribeNexusOperationExecutionResponse> {
  const { info } = draft;
  return {
    runId: info.runId,
    info: executionInfo(draft, now),
    input: request.includeInput ? draft.request.input : undefined,
    outcome: request.includeOutcome ? outcomeOf(draft) : { case: undefined },
    longPollToken: encode(NexusLongPollToken, {
      namespaceId: info.namespaceId,
      operationId: info.workflowId,
      runId: info.runId,
      stateTransitionCount: info.stateTransitionCount,
    }),
  } as Init<DescribeNexusOperationExecutionResponse>;
}

export function pollNexusExecution(draft: NexusExecutionDraft): Init<PollNexusOperationExecutionResponse> {
  const { info } = draft;
  return {
    runId: info.runId,
    waitStage: draft.isOpen ? Stage.STARTED : Stage.CLOSED,
    operationToken: info.operationToken,
    outcome: outcomeOf(draft),
  } as Init<PollNexusOperationExecutionResponse>;
}

type Outcome = { case: "result"; value: Uint8Array } | { case: "failure"; value: Failure } | { case: undefined };

/** Of one that has ended: its outcome, or the failure of the attempt that was its last. */
function outcomeOf(draft: NexusExecutionDraft): Outcome {
  const { outcome, info } = draft;
  if (draft.isOpen) return { case: undefined };
  if (outcome?.isSuccess === true) return outcome.result === undefined ? { case: undefined } : { case: "result", value: outcome.result };
  const failure = outcome?.failure ?? info.lastAttemptFailure;
  return failure === undefined ? { case: undefined } : { case: "failure", value: failure };
}

function executionInfo(draft: NexusExecutionDraft, now: number): Init<NexusOperationExecutionInfo> {
  const { info, request, outcome } = draft;
  const c = info.cancellation;
  const given = (micros: number, bit: number) => (micros > 0 || (info.timeoutsGiven & bit) !== 0 ? duration(micros) : undefined);
  const expires = info.scheduleToCloseTimeout > 0 || (info.timeoutsGiven & TO_CLOSE) !== 0;
  return {
    operationId: info.workflowId,
    runId: info.runId,
    endpoint: info.endpoint,
    service: info.service,
    operation: info.operation,
    status: info.status,
    state: info.state,
    scheduleToCloseTimeout: given(info.scheduleToCloseTimeout, TO_CLOSE),
    scheduleToStartTimeout: given(info.scheduleToStartTimeout, TO_START),
    startToCloseTimeout: given(info.startToCloseTimeout, START_TO_CLOSE),
    attempt: info.attempt,
    scheduleTime: timestamp(info.scheduledTime),
    expirationTime: expires ? timestamp(info.scheduledTime + info.scheduleToCloseTimeout) : undefined,
    closeTime: timestamp(info.closeTime),
    lastAttemptCompleteTime: timestamp(info.lastAttemptCompleteTime),
    lastAttemptFailure: info.lastAttemptFailure,
    nextAttemptScheduleTime: timestamp(info.nextAttemptTime),
    executionDuration: duration((info.closeTime > 0 ? info.closeTime : now) - info.scheduledTime),
    cancellationInfo:
      c === undefined
        ? undefined
        : {
            requestedTime: timestamp(c.requestedTime),
            state: c.state,
            ...attemptsOf(c),
            reason: info.cancelReason,
          },
    requestId: info.requestId,
    operationToken: info.operationToken,
    stateTransitionCount: info.stateTransitionCount,
    searchAttributes: request.searchAttributes ?? {},
    nexusHeader: request.nexusHeader,
    userMetadata: request.userMetadata,
    links: info.links,
    identity: request.identity,
    stateSizeBytes: draft.base.sizeBytes + (outcome === draft.base.outcome ? 0 : (outcome?.result?.length ?? 0)),
  } as Init<NexusOperationExecutionInfo>;
}

/** In the numbers of workflows, by which rows are indexed. */
const ROW_STATUS: Readonly<Record<number, WorkflowExecutionStatus>> = {
  [Status.RUNNING]: WorkflowExecutionStatus.RUNNING,
  [Status.COMPLETED]: WorkflowExecutionStatus.COMPLETED,
  [Status.FAILED]: WorkflowExecutionStatus.FAILED,
  [Status.CANCELED]: WorkflowExecutionStatus.CANCELED,
  [Status.TERMINATED]: WorkflowExecutionStatus.TERMINATED,
  [Status.TIMED_OUT]: WorkflowExecutionStatus.TIMED_OUT,
};

export function nexusExecutionRow(draft: NexusExecutionDraft, namespace: NamespaceView): VisibilityRow {
  const { info, request } = draft;
  const custom = request.searchAttributes ?? { indexedFields: {} };
  const searchAttributes: SearchAttributes = { indexedFields: { ...custom.indexedFields, [DIVISION]: keyword(NEXUS_OPERATION_DIVISION) } };
  const own = (name: string, value: string): VisibilityRow["attributes"] => {
    const a = NEXUS_OPERATION_ATTRIBUTES.get(name);
    return a === undefined ? [] : [{ ...a, value }];
  };
  return {
    key: draft.key,
    namespaceKey: namespace.key,
    workflowId: info.workflowId,
    runId: info.runId,
    workflowType: "",
    taskQueue: "",
    status: ROW_STATUS[info.status] ?? WorkflowExecutionStatus.UNSPECIFIED,
    startTime: info.scheduledTime,
    executionTime: info.scheduledTime,
    closeTime: info.closeTime,
    historyLength: 0,
    historySizeBytes: 0,
    stateTransitionCount: info.stateTransitionCount,
    parentWorkflowId: "",
    parentRunId: "",
    rootWorkflowId: info.workflowId,
    rootRunId: info.runId,
    memo: encode(Memo, { fields: { [NEXUS_LIST_INFO_MEMO]: encode(Payload, { data: encode(NexusOperationExecutionListInfo, listInfo(info)) }) } }),
    searchAttributes: encode(SearchAttributes, searchAttributes),
    attributes: [
      ...indexedValues(searchAttributes, namespace),
      ...own("Endpoint", info.endpoint),
      ...own("Service", info.service),
      ...own("Operation", info.operation),
      ...own("RequestId", info.requestId),
    ],
  };
}

function listInfo(info: NexusExecutionRecord): Init<NexusOperationExecutionListInfo> {
  return {
    operationId: info.workflowId,
    runId: info.runId,
    endpoint: info.endpoint,
    service: info.service,
    operation: info.operation,
    scheduleTime: timestamp(info.scheduledTime),
    closeTime: timestamp(info.closeTime),
    status: info.status,
    stateTransitionCount: info.closeTime > 0 ? info.stateTransitionCount : 0,
    executionDuration: info.closeTime > 0 ? duration(info.closeTime - info.scheduledTime) : undefined,
  } as Init<NexusOperationExecutionListInfo>;
}

function keyword(value: string): Uint8Array {
  return encode(Payload, {
    metadata: { encoding: Buffer.from("json/plain"), type: Buffer.from("Keyword") },
    data: Buffer.from(JSON.stringify(value)),
  });
}
