/**
 * Answers to completions of workflow tasks that are held for a moment. A completion that starts a timer of a millisecond or two is
 * followed by the next workflow task before its worker could poll for it: the answer waits, and brings the task
 * (`return_new_workflow_task` allows that). A poll, an answer and, under load, the wait for a poller are spared.
 *
 * In: what the core says of the next timer, once the completion is durable. Out: a Reservation, as matching makes them of pollers.
 * Invariants: every held answer is given, at the latest LATE_MICROS_MAX after its timer's time; nothing is lost with one that is
 * not, since the task that it has not taken goes the way of all others.
 */
import { WorkerVersioningMode } from "../../gen/wire/temporal/api/enums/v1/deployment.js";
import { TaskQueueKind } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import type { RespondWorkflowTaskCompletedRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { MICROS_PER_MS } from "../api/time.js";
import type { Poller } from "../core/input.js";
import type { DispatchTask, NextTimer, Replies } from "../core/transition.js";
import { versionOfWorker } from "../core/versioning/version.js";
import type { Runtime } from "../lib/runtime.js";
import { uuidV4 } from "../lib/uuid.js";
import type { Reservation } from "./contract.js";

type Reply = Replies["completeWorkflowTask"];

/** Later timers are left to polls: a worker has only so many slots for workflow tasks, and one is taken meanwhile. */
const TIMER_MICROS_MAX = 5_000;
/** So long after its time the timer may come, of a server that is busy. */
const LATE_MICROS_MAX = 10_000;

interface Held {
  readonly poller: Poller;
  readonly isGone: () => boolean;
  /** Once. */
  readonly answer: (newTask: Reply["newTask"]) => void;
  /** It has a task on its way: no time limit applies any more. */
  readonly stopTimer: () => void;
}

export interface HeldCompletion {
  readonly request: RespondWorkflowTaskCompletedRequest;
  readonly reply: Reply;
  readonly isGone: () => boolean;
  readonly resolve: (reply: Reply) => void;
}

export class HeldCompletions {
  private readonly byRun = new Map<number, Held>();

  constructor(private readonly runtime: Runtime) {}

  /** Whether the answer is one to be held. */
  static concerns({ nextTimer }: Reply): boolean {
    return nextTimer !== undefined && nextTimer.within <= TIMER_MICROS_MAX;
  }

  /** The completion is durable, and the run has no other task yet. */
  hold(completion: HeldCompletion): void {
    const { reply, request } = completion;
    const { runKey, within, stickyTaskQueue } = reply.nextTimer as NextTimer;
    this.release(runKey);
    this.byRun.set(runKey, {
      poller: this.pollerOf(request, stickyTaskQueue),
      isGone: completion.isGone,
      answer: (newTask) => completion.resolve(newTask === undefined ? reply : { ...reply, newTask }),
      stopTimer: this.runtime.setTimer(Math.ceil((within + LATE_MICROS_MAX) / MICROS_PER_MS), () => this.release(runKey)),
    });
  }

  /** The answer that is held for the run takes the place of a poller of its sticky queue. */
  reserve(task: DispatchTask): Reservation | undefined {
    if (this.byRun.size === 0 || task.type !== "workflow") return undefined;
    const held = this.byRun.get(task.executionKey);
    if (held === undefined) return undefined;
    if (task.normalTaskQueue === undefined || task.taskQueue !== held.poller.taskQueue || held.isGone()) {
      this.release(task.executionKey);
      return undefined;
    }
    this.take(task.executionKey);
    const { scheduledEventId, attempt, stamp } = task;
    return {
      input: { kind: "startWorkflowTask", scheduledEventId, attempt, stamp, poller: held.poller },
      isGone: held.isGone,
      confirm: (reply) => held.answer(reply as Replies["startWorkflowTask"]),
      release: () => held.answer(undefined),
    };
  }

  /** Gives every answer as it is. */
  releaseAll(): void {
    for (const runKey of [...this.byRun.keys()]) this.release(runKey);
  }

  private release(runKey: number): void {
    this.take(runKey)?.answer(undefined);
  }

  private take(runKey: number): Held | undefined {
    const held = this.byRun.get(runKey);
    if (held === undefined) return undefined;
    this.byRun.delete(runKey);
    held.stopTimer();
    return held;
  }

  private pollerOf(request: RespondWorkflowTaskCompletedRequest, stickyTaskQueue: string): Poller {
    const stamp = request.workerVersionStamp;
    const isOfDeployment = request.deploymentOptions?.workerVersioningMode === WorkerVersioningMode.VERSIONED;
    return {
      requestId: uuidV4(this.runtime.randomBytes16()),
      identity: request.identity,
      // As a poll would have said it.
      versionStamp: isOfDeployment || stamp === undefined || stamp.buildId === "" ? undefined : stamp,
      taskQueue: stickyTaskQueue,
      taskQueueKind: TaskQueueKind.STICKY,
      workerInstanceKey: request.workerInstanceKey,
      controlTaskQueue: request.workerControlTaskQueue === "" ? undefined : request.workerControlTaskQueue,
      deployment: versionOfWorker(request),
    };
  }
}
