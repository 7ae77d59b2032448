/**
 * One poll call: it waits in its queue, is held for a task or a query, and is answered once. Its time ends a second before the
 * caller's deadline, so that an empty answer still arrives.
 */

import type { WorkerVersionStamp } from "../../gen/wire/temporal/api/common/v1/message.js";
import { WorkerVersioningMode } from "../../gen/wire/temporal/api/enums/v1/deployment.js";
import type { PollActivityTaskQueueRequest, PollWorkflowTaskQueueRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call } from "../api/call.js";
import { MICROS_PER_MS } from "../api/time.js";
import type { Poller } from "../core/input.js";
import type { WaitingPoller } from "../core/matching/task-queue.js";
import type { StartedActivity, StartedWorkflowTask } from "../core/transition.js";
import { versionOfWorker } from "../core/versioning/version.js";
import type { Runtime } from "../lib/runtime.js";
import { uuidV4 } from "../lib/uuid.js";
import type { PolledQuery } from "./contract.js";
import { pollEnd } from "./limits.js";

export type PollRequest = PollWorkflowTaskQueueRequest | PollActivityTaskQueueRequest;
export type PollAnswer = StartedWorkflowTask | StartedActivity | PolledQuery | undefined;

export class PollWaiter implements WaitingPoller {
  readonly expiresAt: number;
  readonly poller: Poller;
  readonly answer: Promise<PollAnswer>;
  readonly since: number;
  /** Advice that goes with the answer. */
  scaling = 0;
  /** Tasks that are left in the queue, told with it. */
  waiting = 0;
  private state: "waiting" | "held" | "answered" = "waiting";
  private hasExpired = false;
  private resolve!: (answer: PollAnswer) => void;
  private reject!: (error: unknown) => void;
  private stopTimer: () => void = () => undefined;
  private stopListening: () => void = () => undefined;

  constructor(
    readonly request: PollRequest,
    readonly call: Call,
    kind: number,
    longPollMs: number,
    private readonly runtime: Runtime,
    /** Takes the waiter out of its queue. */
    private readonly leave: (waiter: PollWaiter) => void,
    /** Version sets, and sticky queues, leave the build id out of history. */
    withoutStamp = false,
  ) {
    this.since = runtime.nowMicros();
    this.expiresAt = pollEnd(this.since, longPollMs, call.deadlineMs);
    this.poller = {
      requestId: uuidV4(runtime.randomBytes16()),
      identity: request.identity,
      versionStamp: versionStampOf(request, withoutStamp),
      taskQueue: request.taskQueue?.name ?? "",
      taskQueueKind: kind,
      workerInstanceKey: request.workerInstanceKey,
      controlTaskQueue: request.workerControlTaskQueue === "" ? undefined : request.workerControlTaskQueue,
      sdkName: call.metadata("client-name"),
      sdkVersion: call.metadata("client-version"),
      deployment: versionOfWorker(request),
    };
    this.answer = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** Begins to watch the clock and the stream; to be called once the waiter is in its queue. */
  watch(): void {
    if (this.state === "answered") return;
    const delayMs = Math.max(0, Math.ceil((this.expiresAt - this.runtime.nowMicros()) / MICROS_PER_MS));
    this.stopTimer = this.runtime.setDeadline(delayMs, () => this.end());
    this.stopListening = this.call.onCancel(() => this.end());
  }

  get isHeld(): boolean {
    return this.state === "held";
  }

  isGone(): boolean {
    return this.call.cancelled;
  }

  /** Takes it out of its queue for a task. */
  hold(): void {
    this.state = "held";
    this.leave(this);
  }

  /** The task came to nothing. False: its time has passed meanwhile, and it has been answered. */
  unhold(): boolean {
    if (this.state !== "held") return false;
    this.state = "waiting";
    if (this.hasExpired || this.isGone() || this.expiresAt <= this.runtime.nowMicros()) {
      this.give(undefined);
      return false;
    }
    return true;
  }

  /** No more tasks: answers empty, at once unless a task is on its way. */
  end(): void {
    this.hasExpired = true;
    if (this.state === "waiting") this.give(undefined);
  }

  give(answer: PollAnswer): void {
    if (this.finish()) this.resolve(answer);
  }

  fail(error: unknown): void {
    if (this.finish()) this.reject(error);
  }

  private finish(): boolean {
    if (this.state === "answered") return false;
    this.state = "answered";
    this.stopTimer();
    this.stopListening();
    this.leave(this);
    return true;
  }
}

/** What events record of the poller's version: nothing for workers of a deployment (official: StampFromCapabilities). */
function versionStampOf(request: PollRequest, withoutStamp: boolean): WorkerVersionStamp | undefined {
  const { workerVersionCapabilities: capabilities, deploymentOptions: options } = request;
  if (options?.workerVersioningMode === WorkerVersioningMode.VERSIONED && options.deploymentName !== "") return undefined;
  if (capabilities === undefined || capabilities.buildId === "") return undefined;
  if (capabilities.useVersioning && withoutStamp) return undefined;
  if (capabilities.useVersioning && capabilities.deploymentSeriesName !== "") return undefined;
  return { buildId: capabilities.buildId, useVersioning: capabilities.useVersioning };
}
