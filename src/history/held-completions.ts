/**
 * Answers to completions of workflow tasks that are held for a moment. A completion that starts a timer of a millisecond or two is
 * followed by the next workflow task before its worker could poll for it: the answer waits, and brings the task
 * (`return_new_workflow_task` allows that). A poll, an answer and, under load, the wait for a poller are spared.
 *
 * In: what the core says of the next timer, once the completion is durable. Out: a Reservation, as matching makes them of pollers.
 * Invariants: every held answer is given, at the latest HELD_MICROS_MAX after its timer's time; nothing is lost with one that is
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
  readonly answer: (newTask: Reply["newTask"]) => void;
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
    let isAnswered = false;
    const held: Held = {
      poller: this.pollerOf(request, stickyTaskQueue),
      isGone: completion.isGone,
      answer: (newTask) => {
        if (isAnswered) return;
        isAnswered = true;
        stopTimer();
        completion.resolve(newTask === undefined ? reply : { ...reply, newTask });
      },
    };
    const stopTimer = this.runtime.setTimer(Math.ceil((within + LATE_MICROS_MAX) / MICROS_PER_MS), () => {
      if (this.byRun.get(runKey) === held) this.byRun.delete(runKey);
      held.answer(undefined);
    });
    this.byRun.get(runKey)?.answer(undefined);
    this.byRun.set(runKey, held);
  }

  /** The answer that is held for the run takes the place of a poller of its sticky queue. */
  reserve(task: DispatchTask): Reservation | undefined {
    if (this.byRun.size === 0 || task.type !== "workflow") return undefined;
    const held = this.byRun.get(task.executionKey);
    if (held === undefined) return undefined;
    const isFit = task.normalTaskQueue !== undefined && task.taskQueue === held.poller.taskQueue;
    this.byRun.delete(task.executionKey);
    if (!isFit || held.isGone()) {
      held.answer(undefined);
      return undefined;
    }
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
    const all = [...this.byRun.values()];
    this.byRun.clear();
    for (const held of all) held.answer(undefined);
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
