/** What the rest of the server knows of matching, and what it needs of history. */

import type { TaskQueueConfig, TaskQueueStats } from "../../gen/wire/temporal/api/taskqueue/v1/message.js";
import type {
  DescribeTaskQueueRequest,
  DescribeTaskQueueResponse,
  PollActivityTaskQueueRequest,
  PollWorkflowTaskQueueRequest,
  QueryWorkflowRequest,
  QueryWorkflowResponse,
  RespondQueryTaskCompletedRequest,
  ShutdownWorkerRequest,
  UpdateTaskQueueConfigRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call } from "../api/call.js";
import type { Init } from "../api/wire.js";
import type { Poller } from "../core/input.js";
import type { NamespaceView } from "../core/namespace-view.js";
import type { DispatchTask, QueryReply, StartedActivity, StartedWorkflowTask } from "../core/transition.js";
import type { QueueFacts, VersionTaskQueue } from "../core/versioning/deployment.js";
import type { Version } from "../core/versioning/version.js";
import type { BacklogKey } from "../persistence/batch.js";

/**
 * History, as matching needs it: a stored task is started for a poller; resolves once that and the deletion of its row are durable.
 * Rejects with NOT_FOUND or ALREADY_EXISTS when stale: matching then calls `drop`, and gives the poller the next task. Any other
 * error: the row stays and the task is offered again after a second. `consumed` may lie in another queue's backlog (a sticky one's).
 */
export interface TaskStarter {
  startWorkflowTask(task: DispatchTask, poller: Poller, consumed: BacklogKey | undefined, isGone: () => boolean): Promise<StartedWorkflowTask>;
  startActivity(
    task: DispatchTask,
    poller: Poller,
    request: PollActivityTaskQueueRequest,
    consumed: BacklogKey | undefined,
    isGone: () => boolean,
  ): Promise<StartedActivity>;
  /** Deletes the backlog row of a task that no longer concerns anything (expired, stale); the row may have gone already. */
  drop(task: DispatchTask, consumed: BacklogKey): Promise<void>;
}

/** A query that a worker of the queue is asked now; its task has no history event. */
export interface DirectQuery {
  readonly reply: Extract<QueryReply, { kind: "direct" }>;
  readonly request: QueryWorkflowRequest;
  /** The sticky worker is gone, or has not answered in time: the run should be sticky no more. */
  onStickyUnanswered(): void;
}

/** A query; `isSticky`: asked of the worker that has the workflow, and needs no history. */
export interface PolledQuery {
  readonly query: DirectQuery;
  readonly queryId: string;
  readonly isSticky: boolean;
}

/** `scaling`: polls that the worker should open in addition; 0 is no advice. `waiting`: tasks in memory that still wait in the queue, of sticky ones always 0. */
export type PolledWorkflowTask = ({ task: StartedWorkflowTask } | PolledQuery) & { scaling: number; waiting: number };
export type PolledActivityTask = { task: StartedActivity; scaling: number };

/** What waits for a version in one of its queues. */
export interface VersionStats {
  readonly stats: Init<TaskQueueStats>;
  readonly statsByPriorityKey: Record<string, Init<TaskQueueStats>>;
}

export interface MatchingService {
  /** Undefined: the long poll ended without a task; the caller answers empty. */
  pollWorkflowTask(namespace: NamespaceView, request: PollWorkflowTaskQueueRequest, call: Call): Promise<PolledWorkflowTask | undefined>;
  pollActivityTask(namespace: NamespaceView, request: PollActivityTaskQueueRequest, call: Call): Promise<PolledActivityTask | undefined>;
  /**
   * Rejects with ServiceError when no worker takes or answers the query in time; FAILED_PRECONDITION when nobody has polled the
   * queue within matching.queryPollerUnavailableWindow.
   */
  query(namespace: NamespaceView, query: DirectQuery, call: Call): Promise<Init<QueryWorkflowResponse>>;
  respondQuery(namespace: NamespaceView, queryId: string, request: RespondQueryTaskCompletedRequest): void;
  describeTaskQueue(namespace: NamespaceView, request: DescribeTaskQueueRequest): Promise<Init<DescribeTaskQueueResponse>>;
  /** Whether a worker of the build id polled the workflow queue within this time; an empty one is any that is not versioned. */
  hasPollerOf(namespace: NamespaceView, taskQueue: string, buildId: string, withinMs: number): boolean;
  /** One of each queue, in the same order. */
  versionStats(namespace: NamespaceView, version: Version, queues: readonly VersionTaskQueue[]): Promise<VersionStats[]>;
  /** What changes of deployments must know of the namespace's queues. */
  queueFacts(namespace: NamespaceView): QueueFacts;
  /** Resolves when the change is durable and in force. */
  updateTaskQueueConfig(namespace: NamespaceView, request: UpdateTaskQueueConfigRequest): Promise<TaskQueueConfig>;
  /** Ends the polls of a worker at once and forgets it (sticky tasks fall back). */
  shutdownWorker(namespace: NamespaceView, request: ShutdownWorkerRequest): void;
  /** Milliseconds since somebody polled the queue; undefined when never. */
  sinceLastPoll(namespace: NamespaceView, taskQueue: string, type: "workflow" | "activity"): number | undefined;
  /** Whether anybody polls the queue or has lately, or a task was ever stored in it. */
  isKnown(namespace: NamespaceView, taskQueue: string): boolean;
  /** Workflow tasks a second of a queue, as its poller asks for; workflow task polls have no field for it. Undefined: no limit. */
  limitWorkflowTasks(namespace: NamespaceView, taskQueue: string, perSecond: number | undefined): void;
  /**
   * Nothing will be asked of the queues of the namespace any more: they leave memory. Answers their numbers in table `backlog` and
   * the ids of their registry rows of kind "queue": the rows are the caller's to delete.
   */
  forgetNamespace(namespaceId: string): { registryId: string; key: number }[];
  /** Numbers of the queues that have had rows in table `backlog`. */
  storedQueues(): number[];
  /** Somebody else has deleted rows of the queue, of runs that are gone. */
  backlogChanged(queue: number): void;
  /** Empty answers to all polls. */
  drain(): void;
}
