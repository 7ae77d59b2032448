/** What is told of task queues, of their workers and of what waits in them. */
import type { DescribeTaskQueueRequest, DescribeTaskQueueResponse } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { MICROS_PER_MS } from "../api/time.js";
import type { Init } from "../api/wire.js";
import type { NamespaceView } from "../core/namespace-view.js";
import type { QueueFacts, VersionTaskQueue } from "../core/versioning/deployment.js";
import { sameVersion, type Version } from "../core/versioning/version.js";
import type { VersionStats } from "./contract.js";
import { QUEUE_TYPES } from "./deployments.js";
import { describeTaskQueue, NO_TASKS, versionStats } from "./describe-task-queue.js";
import { type QueueKeys, type QueueName, queueId } from "./queue-keys.js";
import type { Queues } from "./queues.js";
import type { TaskQueueConfigs } from "./task-queue-configs.js";
import { deploymentKey, type VersionRouter } from "./version-router.js";

export interface QueueReportsOptions {
  readonly queues: Queues;
  readonly queueKeys: QueueKeys;
  readonly configs: TaskQueueConfigs;
  /** Unset: no worker names a version. */
  readonly versions: VersionRouter | undefined;
  readonly nexusPollers?: (namespaceId: string, taskQueue: string, version: Version) => boolean;
  /** Microseconds. */
  readonly now: () => number;
}

export interface TaskQueueLoad {
  readonly namespaceId: string;
  readonly name: string;
  readonly type: QueueName["type"];
  /** Of the line that is looked at; empty for workers without one. */
  readonly version: string;
  readonly backlog: number;
  /** When the oldest task that waits was made, microseconds. */
  readonly oldest: number | undefined;
  readonly pollers: number;
}

export class QueueReports {
  constructor(private readonly o: QueueReportsOptions) {}

  describeTaskQueue(namespace: NamespaceView, request: DescribeTaskQueueRequest): Promise<Init<DescribeTaskQueueResponse>> {
    return describeTaskQueue(request, {
      now: () => this.o.now(),
      queueKeys: this.o.queueKeys,
      config: (name, type) => this.o.configs.get(namespace.id, name, type),
      versions: (name, type) => this.o.versions?.deployments.directory.queue(namespace.id, name, type),
      open: (name, type, isSticky) => {
        const q = this.o.queues.open({ namespaceId: namespace.id, namespaceKey: namespace.key, name, type, isSticky });
        q.lastUsed = this.o.now();
        return q;
      },
    });
  }

  hasPollerOf(namespace: NamespaceView, taskQueue: string, buildId: string, withinMs: number): boolean {
    const now = this.o.now();
    const q = this.o.queues.find(
      queueId({ namespaceId: namespace.id, namespaceKey: namespace.key, name: taskQueue, type: "workflow", isSticky: false }),
    );
    const seen = q === undefined ? [] : [...q.family()].flatMap((each) => each.pollers.list(now));
    return seen.some(({ lastAccess, version: { capabilities } }) => {
      const own = capabilities?.useVersioning ? capabilities.buildId : "";
      return own === buildId && lastAccess >= now - withinMs * MICROS_PER_MS;
    });
  }

  queueFacts(namespace: NamespaceView): QueueFacts {
    const find = (version: Version, { name, type }: VersionTaskQueue) => {
      const base: QueueName = {
        namespaceId: namespace.id,
        namespaceKey: namespace.key,
        name,
        type: type === QUEUE_TYPES.activity ? "activity" : "workflow",
        isSticky: false,
      };
      return { base, own: this.o.queues.find(queueId({ ...base, version: deploymentKey(version) })), common: this.o.queues.find(queueId(base)) };
    };
    return {
      hasPollers: (version, queues) =>
        queues.some((q) => {
          if (q.type === QUEUE_TYPES.nexus) return this.o.nexusPollers?.(namespace.id, q.name, version) === true;
          return (find(version, q).own?.pollers.list(this.o.now()).length ?? 0) > 0;
        }),
      isInUse: (version, queue) => {
        // Nexus tasks are not stored, nor counted.
        if (queue.type === QUEUE_TYPES.nexus) return false;
        const { base, own, common } = find(version, queue);
        const now = this.o.now();
        const current = this.o.versions?.versionsOf(namespace.id, base.name, base.type)?.current;
        if (!sameVersion(current, version)) return false;
        return [own, common].some((q) => q !== undefined && (q.addRate(now) > 0 || q.waitingCount > 0 || q.backlog.isBusy));
      },
    };
  }

  async versionStats(namespace: NamespaceView, version: Version, queues: readonly VersionTaskQueue[]): Promise<VersionStats[]> {
    const out: VersionStats[] = [];
    for (const { name, type: number } of queues) {
      if (number === QUEUE_TYPES.nexus) {
        out.push(NO_TASKS);
        continue;
      }
      const type = number === QUEUE_TYPES.activity ? "activity" : "workflow";
      const q = this.o.queues.open({ namespaceId: namespace.id, namespaceKey: namespace.key, name, type, isSticky: false });
      out.push(await versionStats(q, version, this.o.versions?.versionsOf(namespace.id, name, type), this.o.now()));
    }
    return out;
  }

  sinceLastPoll(namespace: NamespaceView, taskQueue: string, type: "workflow" | "activity"): number | undefined {
    const id = queueId({ namespaceId: namespace.id, namespaceKey: namespace.key, name: taskQueue, type, isSticky: false });
    return this.o.queues.sinceLastPoll(id);
  }

  isKnown(namespace: NamespaceView, taskQueue: string): boolean {
    return (["workflow", "activity", "sticky"] as const).some((kind) => {
      const isSticky = kind === "sticky";
      const type = isSticky ? "workflow" : kind;
      const id = queueId({ namespaceId: namespace.id, namespaceKey: namespace.key, name: taskQueue, type, isSticky });
      return this.o.queues.sinceLastPoll(id) !== undefined || this.o.queueKeys.find(id) !== undefined;
    });
  }

  /** Of each ordinary queue in memory: what waits in it. */
  async loads(): Promise<TaskQueueLoad[]> {
    const out: TaskQueueLoad[] = [];
    for (const q of [...this.o.queues]) {
      const { namespaceId, name, type, isSticky, version = "" } = q.name;
      if (isSticky) continue;
      out.push({ namespaceId, name, type, version, backlog: await q.backlog.count(), oldest: q.oldest(), pollers: q.line.pollerCount });
    }
    return out;
  }
}
