/**
 * Every way in which a workflow execution can change or be asked. An input is data: the shell stamps it, loads what it
 * addresses, and hands it to `apply` (core/engine.ts). RPCs, timers, effects of other executions and matching use the same door.
 */

import type { InheritedVersionRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import type { Link, Priority, TimeSkippingStatePropagation, WorkerVersionStamp } from "../../gen/wire/temporal/api/common/v1/message.js";
import type { WorkerDeploymentVersion } from "../../gen/wire/temporal/api/deployment/v1/message.js";
import type {
  CancelExternalWorkflowExecutionFailedCause,
  SignalExternalWorkflowExecutionFailedCause,
  StartChildWorkflowExecutionFailedCause,
} from "../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import type { NexusOperationWaitStage } from "../../gen/wire/temporal/api/enums/v1/nexus.js";
import type { UpdateWorkflowExecutionLifecycleStage } from "../../gen/wire/temporal/api/enums/v1/update.js";
import type { Failure } from "../../gen/wire/temporal/api/failure/v1/message.js";
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import type { WorkflowRuleSpec } from "../../gen/wire/temporal/api/rules/v1/message.js";
import type { UserMetadata } from "../../gen/wire/temporal/api/sdk/v1/user_metadata.js";
import type { TaskQueueMetadata } from "../../gen/wire/temporal/api/taskqueue/v1/message.js";
import type {
  CreateScheduleRequest,
  DescribeActivityExecutionRequest,
  DescribeNexusOperationExecutionRequest,
  ListScheduleMatchingTimesRequest,
  PatchScheduleRequest,
  PauseActivityExecutionRequest,
  PauseActivityRequest,
  PauseWorkflowExecutionRequest,
  QueryWorkflowRequest,
  RequestCancelActivityExecutionRequest,
  RequestCancelNexusOperationExecutionRequest,
  RequestCancelWorkflowExecutionRequest,
  ResetActivityExecutionRequest,
  ResetActivityRequest,
  ResetWorkflowExecutionRequest,
  RespondWorkflowTaskCompletedRequest,
  RespondWorkflowTaskFailedRequest,
  SignalWithStartWorkflowExecutionRequest,
  SignalWorkflowExecutionRequest,
  StartActivityExecutionRequest,
  StartNexusOperationExecutionRequest,
  StartWorkflowExecutionRequest,
  TerminateNexusOperationExecutionRequest,
  TerminateWorkflowExecutionRequest,
  UnpauseActivityExecutionRequest,
  UnpauseActivityRequest,
  UnpauseWorkflowExecutionRequest,
  UpdateActivityExecutionOptionsRequest,
  UpdateActivityOptionsRequest,
  UpdateScheduleRequest,
  UpdateWorkflowExecutionOptionsRequest,
  UpdateWorkflowExecutionRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { TaskToken } from "../api/task-token.js";
import type { Init } from "../api/wire.js";
import type { Config } from "../config/dynamic-config.js";
import type { Archetype } from "./execution.js";
import type { NamespaceDirectory, NamespaceView } from "./namespace-view.js";
import type { CancelOutcome, OperationOutcome, StartOutcome } from "./nexus-operation/calls.js";
import type { NexusEndpointDirectory } from "./nexus-operation/endpoints.js";
import type { VersionDirectory } from "./versioning/routing.js";
import type { TransferKind } from "./workflow/transfer-kind.js";

/** What the shell knows at the moment of the input, frozen. */
export interface Env {
  /** Microseconds in the clock of the namespace, never below an earlier input's of the same shard. */
  readonly now: number;
  /** The clock that the namespace follows, when it is not real time: its number in table `due`, and how far it is ahead. */
  readonly clock?: { readonly id: number; readonly offset: number } | undefined;
  /** A fresh UUIDv7, greater than every earlier one of this server: a new run's id. */
  readonly newRunId: string;
  /** Integer below 2^48: seed of everything random in the transition (jitter, nonces). */
  readonly seed: number;
  /** Fresh execution key (and branch) for a new run. */
  readonly newKey: number;
  readonly config: Config;
  readonly namespace: NamespaceView;
  readonly namespaces: NamespaceDirectory;
  readonly nexusEndpoints: NexusEndpointDirectory;
  /** Which worker versions serve which queues. Unset: none serves any. */
  readonly versions?: VersionDirectory | undefined;
}

export interface ExecutionAddress {
  readonly namespaceId: string;
  readonly workflowId: string;
  /** Empty: the current run. */
  readonly runId: string;
  /** Unset: a workflow. */
  readonly archetype?: Archetype;
}

/** Who took a task: from the poll request. */
export interface Poller {
  /** Unique per poll: the same id again gets the same answer. */
  readonly requestId: string;
  readonly identity: string;
  readonly versionStamp: WorkerVersionStamp | undefined;
  readonly taskQueue: string;
  /** temporal.api.enums.v1.TaskQueueKind of the queue that was polled. */
  readonly taskQueueKind: number;
  readonly workerInstanceKey: string;
  /** Where its process takes commands; unset: it takes none. */
  readonly controlTaskQueue?: string | undefined;
  /** Of its SDK, as its calls say. */
  readonly sdkName?: string | undefined;
  readonly sdkVersion?: string | undefined;
  /** Version of the worker's deployment; unset for a worker of none. */
  readonly deployment?: WorkerDeploymentVersion | undefined;
}

/** The execution that starts a child, as the child's start event names it. */
export interface ParentStart {
  readonly namespace: string;
  readonly namespaceId: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly initiatedEventId: number;
  readonly rootWorkflowId: string;
  readonly rootRunId: string;
  /** Runs that the parent was reset from: a child that one of them started is the parent's own. */
  readonly baseRunIds?: readonly string[];
  /** Unset: true. Otherwise no child is begun, and one that was begun before is found. */
  readonly isAwaiting?: boolean;
  /** What the child inherits of its parent's versions. */
  readonly inheritedVersion?: InheritedVersionRecord | undefined;
  /** What the parent's own clock had skipped. */
  readonly timeSkipping?: TimeSkippingStatePropagation | undefined;
}

/** How an activity is named by a respond call: its task token, or workflow id, run id and activity id. */
export type ActivityReference = { by: "token"; token: TaskToken } | { by: "id"; activityId: string };

export type Input =
  | { kind: "start"; request: StartWorkflowExecutionRequest; parent: ParentStart | undefined }
  | { kind: "signalWithStart"; request: SignalWithStartWorkflowExecutionRequest }
  | {
      kind: "signal";
      request: SignalWorkflowExecutionRequest;
      /** Set when another workflow sends it. */
      external: { workflowId: string; runId: string; namespace: string; childWorkflowOnly: boolean } | undefined;
    }
  | {
      kind: "requestCancel";
      request: RequestCancelWorkflowExecutionRequest;
      external: { workflowId: string; runId: string; namespace: string; initiatedEventId: number; childWorkflowOnly: boolean } | undefined;
    }
  | {
      kind: "terminate";
      request: TerminateWorkflowExecutionRequest;
      childWorkflowOnly: boolean;
      parent: { workflowId: string; runId: string } | undefined;
    }
  /** Removes the run and everything of it; an open one is terminated first by the caller. */
  | { kind: "delete" }
  | { kind: "describe" }
  /** Position for history readers and long polls. */
  | { kind: "historyPosition" }
  | { kind: "query"; request: QueryWorkflowRequest; waiter: number }
  /** The caller of a buffered query has gone or its time is up. */
  | { kind: "dropQuery"; waiter: number }
  | { kind: "update"; request: UpdateWorkflowExecutionRequest; waiter: number }
  | { kind: "pollUpdate"; updateId: string; stage: UpdateWorkflowExecutionLifecycleStage; waiter: number }
  /** The caller waits no longer; it is told how far the update has come. */
  | { kind: "endUpdateWait"; updateId: string; waiter: number }
  | { kind: "updateWithStart"; start: StartWorkflowExecutionRequest; update: UpdateWorkflowExecutionRequest; waiter: number }
  | { kind: "resetSticky" }
  | { kind: "startWorkflowTask"; scheduledEventId: number; attempt: number; stamp: number; poller: Poller }
  /** `page`: not the whole of it. Only the task is looked at, or ended because its pages are too large. */
  | { kind: "completeWorkflowTask"; token: TaskToken; request: RespondWorkflowTaskCompletedRequest; page?: "look" | "too large" }
  | { kind: "failWorkflowTask"; token: TaskToken; request: RespondWorkflowTaskFailedRequest }
  | { kind: "startActivity"; scheduledEventId: number; attempt: number; stamp: number; poller: Poller; metadata: TaskQueueMetadata | undefined }
  | { kind: "heartbeatActivity"; activity: ActivityReference; details: Uint8Array | undefined; identity: string }
  | {
      kind: "completeActivity";
      activity: ActivityReference;
      result: Uint8Array | undefined;
      identity: string;
    }
  | {
      kind: "failActivity";
      activity: ActivityReference;
      failure: Failure | undefined;
      lastHeartbeatDetails: Uint8Array | undefined;
      identity: string;
    }
  | { kind: "cancelActivity"; activity: ActivityReference; details: Uint8Array | undefined; identity: string }
  /** The reply of a started task could not be delivered: its poller had gone. */
  | { kind: "undelivered"; task: "workflow" | "activity"; scheduledEventId: number; nonce: number }
  /** Some deadline of the run may have passed. */
  /** `settle`: only the due row is to be made exact. */
  | { kind: "due"; settle?: boolean }
  | { kind: "timeSkippingState" }

  /** Before a transfer task is carried: whether its source still waits for what it asks of its target. */
  | { kind: "isTransferAwaited"; transferKind: TransferKind; initiatedEventId: number }
  /** Results of transfer tasks, applied to their source. Each removes the transfer row `transferId`. */
  | { kind: "childStarted"; transferId: number; initiatedEventId: number; runId: string; clock: undefined }
  | { kind: "childStartFailed"; transferId: number; initiatedEventId: number; cause: StartChildWorkflowExecutionFailedCause }
  | { kind: "externalSignaled"; transferId: number; initiatedEventId: number; failure: SignalExternalWorkflowExecutionFailedCause | undefined }
  | { kind: "externalCancelRequested"; transferId: number; initiatedEventId: number; failure: CancelExternalWorkflowExecutionFailedCause | undefined }
  | { kind: "transferDone"; transferId: number }
  /** Effects of another execution's transfer task on this one. */
  | {
      kind: "childClosed";
      initiatedEventId: number;
      childWorkflowId: string;
      childRunId: string;
      childFirstRunId: string;
      /** The child's close event. */
      event: HistoryEvent;
    }
  /** The parent has recorded the start of this child: it may run. */
  | { kind: "scheduleFirstTask" }
  | { kind: "reset"; request: ResetWorkflowExecutionRequest }
  | { kind: "pauseWorkflow"; request: PauseWorkflowExecutionRequest }
  | { kind: "unpauseWorkflow"; request: UnpauseWorkflowExecutionRequest }
  | { kind: "updateOptions"; request: UpdateWorkflowExecutionOptionsRequest }
  | { kind: "pauseActivity"; request: PauseActivityRequest }
  | { kind: "unpauseActivity"; request: UnpauseActivityRequest }
  | { kind: "resetActivity"; request: ResetActivityRequest }
  | { kind: "updateActivityOptions"; request: UpdateActivityOptionsRequest }
  /** A workflow rule is applied to the run's activities now. */
  | { kind: "triggerRule"; spec: WorkflowRuleSpec }

  /** An operator's repairs (admin/repair.ts). */
  | { kind: "refreshTasks" }
  | { kind: "rebuild" }
  /** `due`: of the timer row that goes. */
  | { kind: "dropTimers"; due: number }
  | { kind: "importRun"; runId: string; batches: readonly (readonly HistoryEvent[])[] }

  /** Schedules. The spec of a request is canonical, its action valid. */
  | { kind: "createSchedule"; request: CreateScheduleRequest }
  | { kind: "describeSchedule" }
  | { kind: "updateSchedule"; request: UpdateScheduleRequest }
  | { kind: "patchSchedule"; request: PatchScheduleRequest }
  | { kind: "scheduleMatchingTimes"; request: ListScheduleMatchingTimesRequest }
  | { kind: "deleteSchedule" }
  /** Results of starting an action. */
  | { kind: "actionStarted"; transferId: number; requestId: string; runId: string }
  | { kind: "actionStartFailed"; transferId: number; requestId: string; reason: string }
  /** A workflow with an internal completion callback has ended; `event` is its close event. */
  | { kind: "actionClosed"; requestId: string; firstRunId: string; event: HistoryEvent }

  /** Standalone activities. Requests are checked, what they leave out is filled in. */
  | { kind: "startActivityExecution"; request: StartActivityExecutionRequest }
  /** `since`: how often the activity had changed when the caller last looked. */
  | { kind: "describeActivityExecution"; request: DescribeActivityExecutionRequest; since: number | undefined }
  | { kind: "activityOutcome" }
  | { kind: "requestCancelActivityExecution"; request: RequestCancelActivityExecutionRequest }
  | { kind: "terminateActivityExecution"; requestId: string; reason: string; identity: string }
  | { kind: "pauseActivityExecution"; request: PauseActivityExecutionRequest }
  | { kind: "unpauseActivityExecution"; request: UnpauseActivityExecutionRequest }
  | { kind: "resetActivityExecution"; request: ResetActivityExecutionRequest }
  | { kind: "updateActivityExecutionOptions"; request: UpdateActivityExecutionOptionsRequest }

  /** Standalone Nexus operations. Timeouts of a request are valid and within each other. */
  | { kind: "startNexusExecution"; request: StartNexusOperationExecutionRequest; endpointId: string }
  | { kind: "describeNexusExecution"; request: DescribeNexusOperationExecutionRequest }
  | { kind: "pollNexusExecution"; stage: NexusOperationWaitStage }
  | { kind: "cancelNexusExecution"; request: RequestCancelNexusOperationExecutionRequest }
  | { kind: "terminateNexusExecution"; request: TerminateNexusOperationExecutionRequest }

  /** Calls that leave the store, by their outbound rows: what to say (stale when the row no longer concerns anything), and what came of it. */
  | { kind: "nexusCall"; scheduledEventId: number; attempt: number; isCancel: boolean }
  | { kind: "nexusStarted"; outboundId: number; scheduledEventId: number; attempt: number; outcome: StartOutcome }
  | { kind: "nexusCancelRequested"; outboundId: number; scheduledEventId: number; attempt: number; outcome: CancelOutcome }
  | { kind: "callbackCall"; callbackId: number; attempt: number }
  | { kind: "workerCommands"; controlTaskQueue: string; completedEventId: number }
  | {
      kind: "callbackDelivered";
      outboundId: number;
      callbackId: number;
      attempt: number;
      outcome: { kind: "done" } | { kind: "failed" | "retry"; message: string };
    }
  /** A completion callback for an operation of this run. */
  | {
      kind: "nexusCompleted";
      scheduledEventId: number;
      requestId: string;
      operationToken: string;
      /** When the handler began, in case its start was not heard of; 0 is now. */
      startTime: number;
      links: readonly Init<Link>[];
      outcome: OperationOutcome;
    };

export type InputKind = Input["kind"];
/** What a workflow does not take. */
export type ScheduleInputKind =
  | "createSchedule"
  | "describeSchedule"
  | "updateSchedule"
  | "patchSchedule"
  | "scheduleMatchingTimes"
  | "deleteSchedule"
  | "actionStarted"
  | "actionStartFailed"
  | "actionClosed";
export type ActivityExecutionInputKind =
  | "startActivityExecution"
  | "describeActivityExecution"
  | "activityOutcome"
  | "requestCancelActivityExecution"
  | "terminateActivityExecution"
  | "pauseActivityExecution"
  | "unpauseActivityExecution"
  | "resetActivityExecution"
  | "updateActivityExecutionOptions";
export type NexusExecutionInputKind =
  | "startNexusExecution"
  | "describeNexusExecution"
  | "pollNexusExecution"
  | "cancelNexusExecution"
  | "terminateNexusExecution";
export type WorkflowInputKind = Exclude<InputKind, ScheduleInputKind | ActivityExecutionInputKind | NexusExecutionInputKind>;
export type InputOf<K extends InputKind> = Extract<Input, { kind: K }>;
export type { Priority, UserMetadata };
