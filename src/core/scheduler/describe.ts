/** What DescribeSchedule and lists show of a schedule, and its visibility row. */
import type { BufferedStartRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { ScheduleDefinitionRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { Memo, Payload, SearchAttributes } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { ScheduleOverlapPolicy } from "../../../gen/wire/temporal/api/enums/v1/schedule.js";
import { WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import {
  type ScheduleAction,
  type ScheduleActionResult,
  ScheduleListInfo,
  type ScheduleSpec,
} from "../../../gen/wire/temporal/api/schedule/v1/message.js";
import type { DescribeScheduleResponse } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { duration, NO_TIME, timestamp, timestampOf } from "../../api/time.js";
import { encode, type Init } from "../../api/wire.js";
import type { NamespaceView } from "../namespace-view.js";
import { DIVISION, SCHEDULE_ATTRIBUTES } from "../visibility/attributes.js";
import type { VisibilityRow } from "../visibility/row.js";
import { indexedValues, withTypes } from "../visibility/search-attributes.js";
import type { ScheduleDraft } from "./schedule-state.js";
import { Stage } from "./schedule-state.js";
import { attribute, hasStarted, isRunning, RECENT_ACTIONS_MAX, type Scheduler } from "./scheduler.js";
import { shownSpec } from "./spec.js";

/** The division of visibility that schedules are in. */
export const SCHEDULE_DIVISION = "TemporalScheduler";
export const LIST_INFO_MEMO = "ScheduleInfo";
const SCHEDULER_WORKFLOW_TYPE = "temporal-sys-scheduler-workflow";
const SCHEDULER_TASK_QUEUE = "temporal-sys-per-ns-tq";
const FUTURE_TIMES_MAX = 10;
const RECENT_ACTIONS_LISTED_MAX = 5;
const LISTED_SPECS_MAX = 10;
const NONE = new Uint8Array(0);

export function conflictToken(token: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(token % 2 ** 32, 0);
  bytes.writeUInt32LE(Math.floor(token / 2 ** 32), 4);
  return bytes;
}

function recentActions(starts: readonly BufferedStartRecord[], max: number): Init<ScheduleActionResult>[] {
  return starts
    .filter(hasStarted)
    .sort((a, b) => a.startTime - b.startTime || a.actualTime - b.actualTime)
    .slice(-max)
    .map((s) => ({
      scheduleTime: timestampOf(s.actualTime),
      actualTime: timestampOf(s.startTime),
      startWorkflowResult: { workflowId: s.workflowId, runId: s.runId },
      startWorkflowStatus: s.stage === Stage.COMPLETED ? s.status : WorkflowExecutionStatus.RUNNING,
    }));
}

export function describeSchedule(draft: ScheduleDraft, scheduler: Scheduler, namespace: NamespaceView): Init<DescribeScheduleResponse> {
  const { info, definition } = draft;
  const { policies, memo, searchAttributes } = definition;
  const hasAttributes = Object.keys(searchAttributes?.indexedFields ?? {}).length > 0;
  return {
    schedule: {
      spec: shownSpec(definition.spec as ScheduleSpec),
      action: typedAction(definition.action, namespace),
      policies: {
        ...policies,
        overlapPolicy: policies?.overlapPolicy || ScheduleOverlapPolicy.SKIP,
        catchupWindow: duration(scheduler.catchupWindow()),
      },
      state: info.state,
    },
    info: {
      actionCount: info.actionCount,
      missedCatchupWindow: info.missedCatchupWindow,
      overlapSkipped: info.overlapSkipped,
      bufferDropped: info.bufferDropped,
      bufferSize: info.starts.filter((s) => !hasStarted(s)).length,
      runningWorkflows: info.starts.filter(isRunning).map((s) => ({ workflowId: s.workflowId, runId: s.runId })),
      recentActions: recentActions(info.starts, RECENT_ACTIONS_MAX),
      futureActionTimes: scheduler.futureTimes(FUTURE_TIMES_MAX).map(timestampOf),
      createTime: timestamp(info.createTime),
      updateTime: timestamp(info.updateTime) ?? NO_TIME,
      stateSizeBytes: draft.base.encodeRecord().length + encode(ScheduleDefinitionRecord, definition).length,
    },
    conflictToken: conflictToken(info.conflictToken),
    memo: memo ?? {},
    searchAttributes: hasAttributes ? withTypes(searchAttributes as SearchAttributes, namespace) : undefined,
  };
}

/** The attributes that the action sets are shown with their types, like a workflow's. */
function typedAction(action: ScheduleAction | undefined, namespace: NamespaceView): Init<ScheduleAction> | undefined {
  const start = action?.action;
  if (start?.case !== "startWorkflow" || start.value.searchAttributes === undefined) return action;
  const searchAttributes = withTypes(start.value.searchAttributes, namespace);
  return { action: { case: "startWorkflow", value: { ...start.value, searchAttributes } } };
}

export function listInfo(draft: ScheduleDraft, scheduler: Scheduler): Init<ScheduleListInfo> {
  const { info, definition } = draft;
  const spec = definition.spec as ScheduleSpec;
  const action = definition.action?.action;
  return {
    spec: {
      ...spec,
      timezoneData: NONE,
      structuredCalendar: spec.structuredCalendar.slice(0, LISTED_SPECS_MAX),
      excludeStructuredCalendar: spec.excludeStructuredCalendar.slice(0, LISTED_SPECS_MAX),
      interval: spec.interval.slice(0, LISTED_SPECS_MAX),
    },
    workflowType: action?.case === "startWorkflow" ? action.value.workflowType : undefined,
    notes: info.state?.notes,
    paused: info.state?.paused,
    recentActions: recentActions(info.starts, RECENT_ACTIONS_LISTED_MAX),
    futureActionTimes: scheduler.futureTimes(FUTURE_TIMES_MAX).map(timestampOf),
  };
}

export function scheduleRow(draft: ScheduleDraft, scheduler: Scheduler, namespace: NamespaceView): VisibilityRow {
  const { info, definition } = draft;
  const list = listInfo(draft, scheduler);
  const memo = {
    fields: {
      ...definition.memo?.fields,
      [LIST_INFO_MEMO]: encode(Payload, { metadata: { encoding: Buffer.from("binary/plain") }, data: encode(ScheduleListInfo, list) }),
    },
  };
  const searchAttributes: SearchAttributes = {
    indexedFields: {
      ...definition.searchAttributes?.indexedFields,
      [DIVISION]: attribute(SCHEDULE_DIVISION, "Keyword"),
      TemporalSchedulePaused: attribute(info.state?.paused === true, "Bool"),
    },
  };
  const own = (name: string, value: number): VisibilityRow["attributes"] => {
    const a = SCHEDULE_ATTRIBUTES.get(name);
    return a === undefined ? [] : [{ ...a, value }];
  };
  const next = list.futureActionTimes?.[0];
  return {
    key: draft.key,
    namespaceKey: namespace.key,
    workflowId: info.workflowId,
    runId: info.runId,
    workflowType: SCHEDULER_WORKFLOW_TYPE,
    taskQueue: SCHEDULER_TASK_QUEUE,
    status: WorkflowExecutionStatus.RUNNING,
    startTime: info.createTime,
    executionTime: info.createTime,
    closeTime: 0,
    historyLength: 0,
    historySizeBytes: 0,
    stateTransitionCount: 0,
    parentWorkflowId: "",
    parentRunId: "",
    rootWorkflowId: info.workflowId,
    rootRunId: info.runId,
    memo: encode(Memo, memo),
    searchAttributes: encode(SearchAttributes, searchAttributes),
    attributes: [
      ...indexedValues(searchAttributes, namespace),
      ...(next === undefined ? [] : own("ScheduleNextActionTime", (next.seconds ?? 0) * 1e6 + Math.floor((next.nanos ?? 0) / 1000))),
      ...(scheduler.idleCloseTime === 0 ? [] : own("ScheduleIdleCloseTime", scheduler.idleCloseTime)),
      ...own("ScheduleRunningWorkflowCount", info.starts.filter(isRunning).length),
      ...own("ScheduleBufferedStartsCount", info.starts.filter((s) => !hasStarted(s)).length),
    ],
  };
}
