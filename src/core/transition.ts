/**
 * What `apply` answers. The shell knows nothing of workflows beyond this closed set: rows to write, tasks to dispatch, transfer
 * tasks to run, replies to release once the rows are durable.
 */

import type { TransferRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import type { ActivityExecutionOutcome } from "../../gen/wire/temporal/api/activity/v1/message.js";
import type { TimeSkippingFastForwardInfo } from "../../gen/wire/temporal/api/common/v1/message.js";
import type { UpdateWorkflowExecutionLifecycleStage } from "../../gen/wire/temporal/api/enums/v1/update.js";
import type { WorkflowExecutionStatus } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import type { Outcome as UpdateOutcome } from "../../gen/wire/temporal/api/update/v1/message.js";
import type {
  DescribeActivityExecutionResponse,
  DescribeNexusOperationExecutionResponse,
  DescribeScheduleResponse,
  DescribeWorkflowExecutionResponse,
  PollActivityTaskQueueResponse,
  PollNexusOperationExecutionResponse,
  PollWorkflowTaskQueueResponse,
  QueryWorkflowResponse,
  RespondActivityTaskCompletedResponse,
  UpdateActivityExecutionOptionsResponse,
  UpdateActivityOptionsResponse,
  UpdateWorkflowExecutionOptionsResponse,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { ServiceError } from "../api/service-error.js";
import type { Init } from "../api/wire.js";
import type { CallbackCall } from "./callback/statemachine.js";
import type { Archetype, ExecutionDraft } from "./execution.js";
import type { InputKind } from "./input.js";
import type { NexusCall } from "./nexus-operation/calls.js";
import type { TaskVersion } from "./versioning/task-version.js";

/** Part of a run's history that the shell reads from its rows when the reply is released. */
export interface HistoryRange {
  readonly runKey: number;
  readonly segments: readonly { branch: number; endEventId: number }[];
  readonly fromEventId: number;
  /** First event id that is not part of it. */
  readonly endEventId: number;
}

/** One event of a run, to be read by the shell. */
export interface EventReference {
  readonly segments: readonly { branch: number; endEventId: number }[];
  readonly eventId: number;
}

/** A workflow task as a poller gets it. `response.history` and `nextPageToken` are the shell's. */
export interface StartedWorkflowTask {
  readonly response: Init<PollWorkflowTaskQueueResponse>;
  readonly history: HistoryRange;
  /** Field-1-framed events behind the range that history does not hold: those of a transient workflow task. */
  readonly trailing: Uint8Array | undefined;
  readonly scheduledEventId: number;
  readonly nonce: number;
}

/** An activity task as a poller gets it. Input, header and type come from `scheduled`, the ActivityTaskScheduled event, if there is one. */
export interface StartedActivity {
  readonly response: Init<PollActivityTaskQueueResponse>;
  readonly scheduled: EventReference | undefined;
  readonly scheduledEventId: number;
  readonly nonce: number;
}

/** What is shown of a standalone Nexus operation, and where long polls for its next change begin. */
export interface NexusExecutionView<T> {
  readonly response: T;
  readonly key: number;
  readonly changes: number;
}

/** What is shown of a schedule, and which starts it does not show yet. */
export interface ScheduleView {
  readonly response: Init<DescribeScheduleResponse>;
  readonly key: number;
  /** Request ids of starts that are asked for and not answered. */
  readonly starting: readonly string[];
}

/** A timer that the completion of a workflow task has started, the first to fire. */
export interface NextTimer {
  readonly runKey: number;
  /** Microseconds until it fires. */
  readonly within: number;
  /** Sticky queue of the worker that has completed the task. */
  readonly stickyTaskQueue: string;
}

/** The answer to each kind of input. */
export interface Replies {
  start: {
    runId: string;
    started: boolean;
    status: WorkflowExecutionStatus;
    eagerTask: StartedWorkflowTask | undefined;
    startedEventLink: { eventId: number } | undefined;
    firstRunId: string;
  };
  signalWithStart: { runId: string; firstRunId: string; started: boolean; eventId: number };
  signal: { runId: string; eventId: number };
  requestCancel: { runId: string };
  terminate: { runId: string };
  delete: { runId: string };
  describe: Init<DescribeWorkflowExecutionResponse>;
  historyPosition: HistoryPosition;
  /** Direct: to be asked of a worker of that queue now. Deferred queries are answered through `answers`. */
  query: QueryReply;
  update: UpdateReply;
  pollUpdate: UpdateReply;
  endUpdateWait: UpdateReply | undefined;
  updateWithStart: UpdateReply;
  timeSkippingState: {
    runId: string;
    /** The run that continues this one; empty when none. */
    newRunId: string;
    isOpen: boolean;
    runKey: number;
    transitions: number;
    isEnabled: boolean;
    fastForward: Init<TimeSkippingFastForwardInfo> | undefined;
  };
  dropQuery: undefined;
  resetSticky: undefined;
  startWorkflowTask: StartedWorkflowTask;
  /** `refused`: the task was failed, which is committed, and the caller is told why. */
  completeWorkflowTask: {
    refused: ServiceError | undefined;
    newTask: StartedWorkflowTask | undefined;
    activityTasks: StartedActivity[];
    resetHistoryEventId: number;
    /** Microseconds that are left of the task, when it was only looked at. */
    timeLeft?: number;
    /** What brings the next task, when nothing does at once and the worker would take that task with the answer. */
    nextTimer?: NextTimer | undefined;
  };
  failWorkflowTask: undefined;
  startActivity: StartedActivity;
  heartbeatActivity: { cancelRequested: boolean; activityPaused: boolean; activityReset: boolean };
  completeActivity: Init<RespondActivityTaskCompletedResponse>;
  failActivity: undefined;
  cancelActivity: undefined;
  undelivered: undefined;
  due: undefined;
  isTransferAwaited: boolean;
  childStarted: undefined;
  childStartFailed: undefined;
  externalSignaled: undefined;
  externalCancelRequested: undefined;
  transferDone: undefined;
  childClosed: undefined;
  scheduleFirstTask: undefined;
  reset: { runId: string };
  pauseWorkflow: undefined;
  unpauseWorkflow: undefined;
  updateOptions: Init<UpdateWorkflowExecutionOptionsResponse>;
  pauseActivity: undefined;
  unpauseActivity: undefined;
  resetActivity: undefined;
  updateActivityOptions: Init<UpdateActivityOptionsResponse>;
  triggerRule: { applied: boolean };
  refreshTasks: undefined;
  rebuild: undefined;
  dropTimers: undefined;
  importRun: { runId: string };
  createSchedule: { conflictToken: Uint8Array };
  describeSchedule: ScheduleView;
  updateSchedule: undefined;
  patchSchedule: undefined;
  /** Microseconds. */
  scheduleMatchingTimes: readonly number[];
  deleteSchedule: undefined;
  actionStarted: undefined;
  actionStartFailed: undefined;
  actionClosed: undefined;
  startActivityExecution: { runId: string; started: boolean };
  describeActivityExecution: ActivityDescription;
  activityOutcome: ActivityOutcome;
  requestCancelActivityExecution: undefined;
  terminateActivityExecution: { runId: string };
  pauseActivityExecution: undefined;
  unpauseActivityExecution: undefined;
  resetActivityExecution: undefined;
  updateActivityExecutionOptions: Init<UpdateActivityExecutionOptionsResponse>;
  startNexusExecution: { runId: string; started: boolean };
  describeNexusExecution: NexusExecutionView<Init<DescribeNexusOperationExecutionResponse>>;
  /** Without a response the stage is not reached. */
  pollNexusExecution: NexusExecutionView<Init<PollNexusOperationExecutionResponse> | undefined>;
  cancelNexusExecution: undefined;
  terminateNexusExecution: undefined;
  nexusCall: NexusCall;
  nexusStarted: undefined;
  nexusCancelRequested: undefined;
  callbackCall: CallbackCall;
  workerCommands: WorkerCommands;
  callbackDelivered: undefined;
  nexusCompleted: undefined;
}

/** What a worker is told: task tokens of running activities that are to be canceled. */
export interface WorkerCommands {
  readonly cancel: readonly Uint8Array[];
}

/** A standalone activity at one moment; `key` and `changes` are for those who wait for the next one. */
export interface ActivityDescription {
  readonly key: number;
  readonly changes: number;
  readonly isOpen: boolean;
  readonly runId: string;
  /** Undefined when nothing has changed since the moment that the caller knows. */
  readonly response: Init<DescribeActivityExecutionResponse> | undefined;
}

export interface ActivityOutcome {
  readonly key: number;
  readonly changes: number;
  readonly isOpen: boolean;
  readonly runId: string;
  readonly outcome: Init<ActivityExecutionOutcome> | undefined;
}

/** What has become of an update. */
export interface UpdateReply {
  readonly runId: string;
  readonly updateId: string;
  /** The most advanced stage that it is known to have reached. */
  readonly stage: UpdateWorkflowExecutionLifecycleStage;
  readonly outcome: Init<UpdateOutcome> | undefined;
  /** Of an update with start: what became of the start. */
  readonly start: UpdateStart | undefined;
}

export interface UpdateStart {
  readonly runId: string;
  readonly firstRunId: string;
  readonly started: boolean;
  readonly status: WorkflowExecutionStatus;
  /** The update had its result already: nothing was done. */
  readonly isRepeated: boolean;
}

/** To a deferred input. */
export type Answer = QueryReply | UpdateReply | ServiceError;

export interface HistoryPosition {
  readonly runId: string;
  readonly range: HistoryRange;
  readonly isOpen: boolean;
  readonly isPaused: boolean;
  /** First event of the batch that holds the close event; 0 while open. */
  readonly closeEventId: number;
  /** Events of a transient workflow task, framed; served to readers behind the last page. */
  readonly trailing: Uint8Array | undefined;
}

export type QueryReply =
  | { kind: "answered"; response: Init<QueryWorkflowResponse> }
  | {
      kind: "direct";
      runId: string;
      /** Empty when there is no sticky worker. */
      stickyTaskQueue: string;
      stickyScheduleToStartMs: number;
      taskQueue: string;
      workflowType: string;
      priority: number;
      /** Which workers are to answer, as of a workflow task. */
      workflowId?: string;
      version?: TaskVersion | undefined;
      previousStartedEventId: number;
      /** Whole history for a normal queue; none of it for a sticky one. */
      history: HistoryRange;
    };

/** A workflow or activity task that waits for a poller: what matching works with. */
export interface DispatchTask {
  readonly type: "workflow" | "activity";
  readonly namespaceId: string;
  readonly namespaceKey: number;
  readonly taskQueue: string;
  /** Set when `taskQueue` is a sticky one: where the task goes when its worker has gone. */
  readonly normalTaskQueue: string | undefined;
  readonly workflowId: string;
  readonly runId: string;
  /** What the execution is; unset: a workflow. */
  readonly archetype?: Archetype;
  readonly executionKey: number;
  readonly scheduledEventId: number;
  readonly attempt: number;
  readonly stamp: number;
  /** 1 (first) to 5; 3 unless asked otherwise. */
  readonly priority: number;
  readonly fairnessKey: string;
  readonly fairnessWeight: number;
  readonly createTime: number;
  /** Microseconds; 0 never expires. */
  readonly expireTime: number;
  /** Nothing is written for it. */
  readonly isSpeculative?: boolean;
  /** Which workers it is for; undefined: the queue's rules say. */
  readonly version?: TaskVersion | undefined;
}

/** An effect on another execution. The row is durable with the transition; the shell runs it after (or with) the commit. */
export interface TransferTask {
  readonly id: number;
  readonly record: TransferRecord;
}

export interface Transition<K extends InputKind = InputKind> {
  readonly outcome: "accepted";
  /** Changed runs of the one id. Empty for an input that only reads. */
  readonly runs: readonly ExecutionDraft[];
  readonly reply: Replies[K] | undefined;
  /** The run passed a limit and has ended instead of doing what the input asked for: the caller is told this. */
  readonly refused?: ServiceError | undefined;
  /** True: the reply comes later, in the `answers` of another input. */
  readonly deferred: boolean;
  /** Replies to earlier deferred inputs. */
  readonly answers: readonly { waiter: number; result: Answer }[];
  readonly dispatch: readonly DispatchTask[];
  readonly transfers: readonly TransferTask[];
  /** What the log is told. */
  readonly notices?: readonly Notice[] | undefined;
}

export interface Notice {
  readonly level: "info" | "warn";
  readonly fields: object;
  readonly text: string;
}

/** What `apply` may answer besides a transition. */
export type Outcome<K extends InputKind = InputKind> =
  | Transition<K>
  | { readonly outcome: "error"; readonly error: ServiceError }
  /** The input no longer concerns anything: nothing changes, nobody waits. */
  | { readonly outcome: "stale" }
  /** The decision needs rows that are not loaded: load them and apply again. */
  | {
      readonly outcome: "need";
      readonly events: readonly EventReference[];
      readonly requestIds: readonly string[];
      /** Run ids of the same workflow id; empty is the current run. */
      readonly runs?: readonly string[];
      readonly histories?: readonly HistoryRange[];
      /** Updates that may have been completed. */
      readonly updateIds?: readonly string[] | undefined;
    };

/** Rows that an earlier `need` asked for. */
export interface Loaded {
  event(reference: EventReference): HistoryEvent | undefined;
  /** Event id of the applied request, `null` when not applied, undefined when not loaded. */
  requestId(id: string): { eventType: number; eventId: number } | null | undefined;
  /** Every event of the range. */
  history?(range: HistoryRange): readonly HistoryEvent[] | undefined;
  /** Event that completed the update, `null` when none has, undefined when not loaded. */
  update?(id: string): number | null | undefined;
}
