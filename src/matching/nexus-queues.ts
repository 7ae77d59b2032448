/**
 * Nexus task queues: a task meets a waiting poller, or waits for one, and its caller waits for the worker's answer. All of it is in
 * memory: the caller makes the request again when the server has gone in between. Polls of a task's version are served first come, first
 * served; which version it is is decided anew whenever something changes, for as long as the task waits.
 */

import type { RateLimitSource } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import type { Request } from "../../gen/wire/temporal/api/nexus/v1/message.js";
import type { PollerInfo } from "../../gen/wire/temporal/api/taskqueue/v1/message.js";
import type {
  PollNexusTaskQueueRequest,
  PollNexusTaskQueueResponse,
  RespondNexusTaskCompletedRequest,
  RespondNexusTaskFailedRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call } from "../api/call.js";
import { notFound } from "../api/service-error.js";
import { encodeTaskToken } from "../api/task-token.js";
import { MICROS_PER_MS, MICROS_PER_SECOND, timestampOf } from "../api/time.js";
import type { Init } from "../api/wire.js";
import { effectiveRate, type RateSources } from "../core/matching/dispatch-limits.js";
import { PollerHistory } from "../core/matching/poller-history.js";
import { RateLimiter } from "../core/matching/rate-limiter.js";
import type { NamespaceView } from "../core/namespace-view.js";
import type { QueueFacts } from "../core/versioning/deployment.js";
import { oldVersionText, sameVersion, type Version, versionOfWorker, versionText } from "../core/versioning/version.js";
import type { Runtime } from "../lib/runtime.js";
import { uuidV4 } from "../lib/uuid.js";
import type { NexusTask, NexusTaskDispatcher, NexusTaskOutcome } from "../nexus/contract.js";
import { QUEUE_TYPES } from "./deployments.js";
import { pollEnd } from "./limits.js";
import type { PollerVersion } from "./queue-state.js";
import { ShutDownWorkers } from "./shut-down-workers.js";
import type { VersionRouter } from "./version-router.js";

export interface NexusQueuesDependencies {
  readonly runtime: Runtime;
  readonly longPollExpirationMs: (namespaceId: string, taskQueue: string) => number;
  readonly pollerHistoryMsMax: (namespaceId: string) => number;
  /** Tasks a second that may leave a queue, by who says so. */
  readonly ratesOf: (namespaceId: string, taskQueue: string) => RateSources;
  /** Unset: no worker names a version. */
  readonly versions?: VersionRouter;
  /** Unset with it. */
  readonly facts?: (namespace: NamespaceView) => QueueFacts;
}

interface Poll {
  readonly request: PollNexusTaskQueueRequest;
  readonly call: Call;
  readonly expiresAt: number;
  readonly give: (answer: Init<PollNexusTaskQueueResponse>) => void;
}

interface Waiting {
  readonly id: string;
  readonly queueId: string;
  readonly task: NexusTask;
  readonly settle: (outcome: NexusTaskOutcome) => void;
}

interface Queue {
  readonly namespaceId: string;
  readonly taskQueue: string;
  /** Undefined: no task has come yet. */
  limiter: RateLimiter | undefined;
  stopWake: (() => void) | undefined;
  readonly polls: Set<Poll>;
  readonly tasks: Set<Waiting>;
  readonly pollers: PollerHistory<PollerVersion>;
}

export class NexusQueues implements NexusTaskDispatcher {
  private readonly queues = new Map<string, Queue>();
  /** Tasks that a worker has taken, by id. */
  private readonly taken = new Map<string, Waiting>();
  private readonly shutDown: ShutDownWorkers;
  private isDraining = false;

  constructor(private readonly o: NexusQueuesDependencies) {
    this.shutDown = new ShutDownWorkers(o.runtime);
    o.versions?.onNexusChange((namespaceId, taskQueue) => {
      const queue = this.queues.get(idOf(namespaceId, taskQueue));
      if (queue !== undefined) this.pump(queue);
    });
  }

  dispatchNexusTask(task: NexusTask): Promise<NexusTaskOutcome> {
    const { runtime } = this.o;
    const queueId = idOf(task.namespace.id, task.taskQueue);
    const left = task.deadline - runtime.nowMicros();
    if (this.isDraining || left <= 0) return Promise.resolve({ kind: "timeout" });
    return new Promise((resolve) => {
      const stop = runtime.setTimer(left / MICROS_PER_MS, () => waiting.settle({ kind: "timeout" }));
      const waiting: Waiting = {
        id: uuidV4(runtime.randomBytes16()),
        queueId,
        task,
        settle: (outcome) => {
          stop();
          this.taken.delete(waiting.id);
          this.queues.get(queueId)?.tasks.delete(waiting);
          resolve(outcome);
        },
      };
      const queue = this.queue(task.namespace.id, task.taskQueue);
      queue.tasks.add(waiting);
      this.pump(queue);
    });
  }

  pollNexusTask(namespace: NamespaceView, request: PollNexusTaskQueueRequest, call: Call): Promise<Init<PollNexusTaskQueueResponse>> {
    const { runtime } = this.o;
    const now = runtime.nowMicros();
    if (this.isDraining || this.shutDown.turnsAway(request.workerInstanceKey)) return Promise.resolve({});
    const registered = this.register(namespace, request);
    if (registered !== undefined) return registered.then(() => this.pollNexusTask(namespace, request, call));
    const queue = this.queue(namespace.id, request.taskQueue?.name ?? "");
    const version = { capabilities: request.workerVersionCapabilities, deploymentOptions: request.deploymentOptions };
    queue.pollers.record(request.identity, undefined, version, now);
    const expiresAt = pollEnd(now, this.o.longPollExpirationMs(namespace.id, request.taskQueue?.name ?? ""), call.deadlineMs);
    return new Promise((resolve) => {
      let stopTimer: () => void = () => undefined;
      let stopWatching: () => void = () => undefined;
      const poll: Poll = {
        request,
        call,
        expiresAt,
        give: (answer) => {
          stopTimer();
          stopWatching();
          queue.polls.delete(poll);
          queue.pollers.touch(runtime.nowMicros());
          resolve(answer);
        },
      };
      queue.polls.add(poll);
      stopTimer = runtime.setTimer(Math.max(0, (expiresAt - now) / MICROS_PER_MS), () => poll.give({}));
      stopWatching = call.onCancel(() => poll.give({}));
      this.pump(queue);
    });
  }

  /** The first poll of a worker version in a queue makes it known. Undefined: it is. */
  private register(namespace: NamespaceView, request: PollNexusTaskQueueRequest): Promise<void> | undefined {
    const { versions, facts } = this.o;
    if (versions === undefined || facts === undefined) return undefined;
    const version = versionOfWorker(request);
    if (version === undefined) return undefined;
    return versions.deployments.register(namespace.id, version, request.taskQueue?.name ?? "", QUEUE_TYPES.nexus, facts(namespace));
  }

  /** The rate of a queue has changed. */
  rateChanged(namespaceId: string, taskQueue: string): void {
    const queue = this.queues.get(idOf(namespaceId, taskQueue));
    if (queue === undefined) return;
    queue.stopWake?.();
    queue.stopWake = undefined;
    this.pump(queue);
  }

  private pump(queue: Queue): void {
    if (queue.tasks.size === 0 || queue.stopWake !== undefined) return;
    const now = this.o.runtime.nowMicros();
    const limiter = this.limiterOf(queue, now);
    for (const waiting of queue.tasks) {
      const poll = this.nextPoll(queue, waiting);
      if (poll === undefined) {
        if (this.o.versions?.isActive === true) continue;
        return;
      }
      if (!limiter.tryTake(now)) {
        this.wakeAt(queue, limiter.nextAt(now), now);
        return;
      }
      this.hand(queue, waiting, poll);
    }
  }

  private limiterOf(queue: Queue, now: number): RateLimiter {
    const { perSecond } = effectiveRate(this.o.ratesOf(queue.namespaceId, queue.taskQueue));
    if (queue.limiter === undefined) queue.limiter = new RateLimiter(perSecond, now);
    else queue.limiter.setRate(perSecond, now);
    return queue.limiter;
  }

  private wakeAt(queue: Queue, time: number | undefined, now: number): void {
    if (time === undefined) return;
    queue.stopWake = this.o.runtime.setTimer((time - now) / MICROS_PER_MS, () => {
      queue.stopWake = undefined;
      this.pump(queue);
    });
  }

  private nextPoll(queue: Queue, { id, task }: Waiting): Poll | undefined {
    if (queue.polls.size === 0) return undefined;
    const now = this.o.runtime.nowMicros();
    const { namespaceId, taskQueue } = queue;
    const versions = this.o.versions?.isActive === true && task.isForProcess !== true ? this.o.versions : undefined;
    const version = versions?.nexusTarget(namespaceId, taskQueue, id);
    const isFit = (p: Poll): boolean => versions === undefined || versions.polls(p.request, namespaceId, taskQueue) === version;
    for (const p of queue.polls) if (p.expiresAt > now && !p.call.cancelled && isFit(p)) return p;
    return undefined;
  }

  private hand(queue: Queue, waiting: Waiting, poll: Poll): void {
    queue.tasks.delete(waiting);
    this.taken.set(waiting.id, waiting);
    const { namespace, taskQueue, request, deadline, operationDeadline } = waiting.task;
    const now = this.o.runtime.nowMicros();
    const left = goDurationOf(deadline - now);
    const header: Record<string, string> = { ...(request.header as Record<string, string>), "request-timeout": left, "Request-Timeout": left };
    if (operationDeadline !== undefined) header["operation-timeout"] = `${Math.trunc(Math.max(0, operationDeadline - now) / MICROS_PER_MS)}ms`;
    poll.give({
      taskToken: encodeTaskToken({ namespaceId: namespace.id, taskQueue, nexusTaskId: waiting.id }),
      request: { ...request, header } as Init<Request>,
    });
  }

  respondCompleted(taskId: string, request: RespondNexusTaskCompletedRequest): void {
    this.takenTask(taskId).settle({ kind: "response", response: request.response });
  }

  respondFailed(taskId: string, request: RespondNexusTaskFailedRequest): void {
    const waiting = this.takenTask(taskId);
    waiting.settle(request.error === undefined ? { kind: "failure", failure: request.failure } : { kind: "handlerError", error: request.error });
  }

  private takenTask(id: string): Waiting {
    const waiting = this.taken.get(id);
    if (waiting === undefined) throw notFound("Nexus task not found or already expired");
    return waiting;
  }

  /** `buildId`: of workers that name it, "" of those that name none. */
  pollersOf(namespace: NamespaceView, taskQueue: string, buildId?: string): Init<PollerInfo>[] {
    const seen = this.queues.get(idOf(namespace.id, taskQueue))?.pollers.list(this.o.runtime.nowMicros()) ?? [];
    const isOf = ({ capabilities, deploymentOptions }: PollerVersion): boolean => {
      const version = versionOfWorker({ workerVersionCapabilities: capabilities, deploymentOptions });
      if (version !== undefined) return [version.buildId, versionText(version), oldVersionText(version)].includes(buildId as string);
      return buildId === (capabilities?.useVersioning === true ? capabilities.buildId : "");
    };
    const asked = buildId === undefined ? seen : seen.filter((p) => isOf(p.version));
    return asked.map((p) => ({
      identity: p.identity,
      lastAccessTime: timestampOf(p.lastAccess),
      ratePerSecond: RATE_WITHOUT_LIMIT,
      workerVersionCapabilities: p.version.capabilities,
      deploymentOptions: p.version.deploymentOptions,
    }));
  }

  hasPollersOf(namespaceId: string, taskQueue: string, version: Version): boolean {
    const seen = this.queues.get(idOf(namespaceId, taskQueue))?.pollers.list(this.o.runtime.nowMicros()) ?? [];
    return seen.some(({ version: { capabilities, deploymentOptions } }) =>
      sameVersion(versionOfWorker({ workerVersionCapabilities: capabilities, deploymentOptions }), version),
    );
  }

  /** How fast tasks may leave the queue, and who says so. */
  effectiveRateOf(namespace: NamespaceView, taskQueue: string): { requestsPerSecond: number; rateLimitSource: RateLimitSource } {
    const { perSecond, source } = effectiveRate(this.o.ratesOf(namespace.id, taskQueue));
    return { requestsPerSecond: perSecond, rateLimitSource: source };
  }

  shutdownWorker(namespaceId: string, instance: string): void {
    if (instance === "") return;
    this.shutDown.add(instance);
    for (const q of this.queues.values())
      if (q.namespaceId === namespaceId) for (const p of [...q.polls]) if (p.request.workerInstanceKey === instance) p.give({});
  }

  drain(): void {
    this.isDraining = true;
    for (const q of this.queues.values()) {
      q.stopWake?.();
      for (const p of [...q.polls]) p.give({});
      for (const w of [...q.tasks]) w.settle({ kind: "timeout" });
    }
  }

  private forgetIdle(): void {
    const now = this.o.runtime.nowMicros();
    for (const [id, q] of this.queues) if (q.polls.size === 0 && q.tasks.size === 0 && q.pollers.list(now).length === 0) this.queues.delete(id);
  }

  private queue(namespaceId: string, taskQueue: string): Queue {
    const id = idOf(namespaceId, taskQueue);
    let queue = this.queues.get(id);
    if (queue === undefined) {
      if (this.queues.size >= QUEUES_MAX) this.forgetIdle();
      this.queues.set(id, (queue = newQueue(namespaceId, taskQueue, this.o.pollerHistoryMsMax(namespaceId) * MICROS_PER_MS)));
    }
    return queue;
  }
}

/** What a poller without a limit shows on the official server. */
const RATE_WITHOUT_LIMIT = 100_000;
/** Beyond this, queues that nobody uses are forgotten. */
const QUEUES_MAX = 1_000;

const newQueue = (namespaceId: string, taskQueue: string, pollerWindow: number): Queue => ({
  ...{ namespaceId, taskQueue, limiter: undefined, stopWake: undefined },
  ...{ polls: new Set(), tasks: new Set(), pollers: new PollerHistory(pollerWindow) },
});

const idOf = (namespaceId: string, taskQueue: string): string => `${namespaceId}/${taskQueue}`;

/** As Go writes durations: what workers read. */
function goDurationOf(micros: number): string {
  return `${Math.max(0, micros) / MICROS_PER_SECOND}s`;
}
