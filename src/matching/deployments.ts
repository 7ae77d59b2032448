/**
 * Worker deployments: in memory, written through to registry rows of kind "worker-deployment". A change counts once its row is
 * durable; changes apply one after the other. What they mean for task queues is kept beside them, as a directory that is replaced
 * whole with every change, so that whoever decides by it holds one moment of it.
 */
import { WorkerDeploymentRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { TaskQueueType } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { decode, encode } from "../api/wire.js";
import {
  AUTO_CREATED,
  type DeploymentLimits,
  deploymentNotFound,
  drainageChecked,
  exhausted,
  newDeployment,
  type QueueFacts,
  reactivated,
  registerQueue,
} from "../core/versioning/deployment.js";
import { NO_VERSIONS, type QueueVersions, queueVersions, servesQueue, type VersionDirectory } from "../core/versioning/routing.js";
import type { Version } from "../core/versioning/version.js";
import { Batch } from "../persistence/batch.js";

export const DEPLOYMENT_REGISTRY_KIND = "worker-deployment";

export interface DeploymentRegistryLimits extends DeploymentLimits {
  readonly versionsInTaskQueueMax: number;
}

interface DeploymentsOptions {
  /** The registry's rows, of every kind. */
  readonly rows: Iterable<{ kind: string; id: string; version: number; value: Uint8Array }>;
  /** Makes the batch durable; rejects with a ServiceError when nothing was written. */
  readonly commit: (batch: Batch) => Promise<void>;
  readonly now: () => number;
  readonly limits: (namespaceId: string) => DeploymentRegistryLimits;
}

type Listener = (namespaceId: string, taskQueue: string, type: TaskQueueType) => void;

/** What a change makes of a record; undefined: nothing changes. "deleted": it goes. */
export type DeploymentChange = WorkerDeploymentRecord | "deleted" | undefined;

class Directory implements VersionDirectory {
  constructor(readonly queues: ReadonlyMap<string, QueueVersions>) {}

  queue(namespaceId: string, taskQueue: string, type: TaskQueueType): QueueVersions | undefined {
    return this.queues.get(queueKey(namespaceId, taskQueue, type));
  }
}

export class Deployments {
  private readonly records = new Map<string, { record: WorkerDeploymentRecord; version: number }>();
  private readonly listeners: Listener[] = [];
  private readonly drainageListeners: (() => void)[] = [];
  private lastChange: Promise<unknown> = Promise.resolve();
  private present: Directory | undefined;

  constructor(private readonly options: DeploymentsOptions) {
    for (const { kind, id, version, value } of options.rows)
      if (kind === DEPLOYMENT_REGISTRY_KIND) this.records.set(id, { record: decode(WorkerDeploymentRecord, value), version });
    const queues = [...this.records.values()].flatMap(({ record }) => queuesOf(record));
    if (queues.length > 0) this.recompute(queues);
  }

  /** Undefined queues throughout while no version has ever polled: that costs nothing. */
  get directory(): VersionDirectory {
    return this.present ?? NO_VERSIONS;
  }

  limits(namespaceId: string): DeploymentLimits {
    return this.options.limits(namespaceId);
  }

  get isEmpty(): boolean {
    return this.present === undefined;
  }

  get(namespaceId: string, name: string): WorkerDeploymentRecord | undefined {
    return this.records.get(idOf(namespaceId, name))?.record;
  }

  /** Latest first. */
  list(namespaceId: string): WorkerDeploymentRecord[] {
    const found = [...this.records.values()].map((r) => r.record).filter((r) => r.namespaceId === namespaceId);
    return found.sort((a, b) => b.createTime - a.createTime || (a.name < b.name ? -1 : 1));
  }

  all(): Iterable<WorkerDeploymentRecord> {
    return [...this.records.values()].map((r) => r.record);
  }

  /** What is said of a queue has changed. */
  onChange(f: Listener): void {
    this.listeners.push(f);
  }

  onDrainage(f: () => void): void {
    this.drainageListeners.push(f);
  }

  forgetNamespace(namespaceId: string): void {
    const gone = this.list(namespaceId);
    for (const record of gone) this.records.delete(idOf(namespaceId, record.name));
    this.recompute(gone.flatMap(queuesOf));
  }

  /** Resolves when the version is known to serve the queue. Undefined at once when it has long been. */
  register(namespaceId: string, version: Version, taskQueue: string, type: TaskQueueType, facts: QueueFacts): Promise<void> | undefined {
    if (servesQueue(this.directory.queue(namespaceId, taskQueue, type), version)) return undefined;
    return this.change(
      namespaceId,
      version.deploymentName,
      (d, now) => {
        const served = this.directory.queue(namespaceId, taskQueue, type);
        let count = 0;
        for (const builds of served?.members.values() ?? []) count += builds.size;
        const max = this.options.limits(namespaceId).versionsInTaskQueueMax;
        if (count > max) throw exhausted(`exceeding maximum number of Deployment Versions in this task queue (limit = ${max})`);
        const base = d ?? this.created(namespaceId, version.deploymentName, `${AUTO_CREATED}${version.buildId}/${taskQueue}/${type}`, "", now);
        return registerQueue(base, version.buildId, { name: taskQueue, type }, this.options.limits(namespaceId), facts, now);
      },
      true,
    );
  }

  /** A record that did not exist, within the limit. */
  created(namespaceId: string, name: string, requestId: string, identity: string, now: number): WorkerDeploymentRecord {
    const max = this.options.limits(namespaceId).deploymentsMax;
    if (this.list(namespaceId).length >= max) throw exhausted(`reached maximum deployments in namespace (${max})`);
    return newDeployment(namespaceId, name, requestId, identity, now);
  }

  /** A workflow was pinned to the version. */
  reactivate(namespaceId: string, version: Version): Promise<void> {
    return this.change(namespaceId, version.deploymentName, (d, now) => (d === undefined ? undefined : reactivated(d, version.buildId, now)), true);
  }

  noteDrainage(namespaceId: string, version: Version, hasWorkflows: boolean): Promise<void> {
    return this.change(
      namespaceId,
      version.deploymentName,
      (d, now) => (d === undefined ? undefined : drainageChecked(d, version.buildId, hasWorkflows, now)),
      true,
    );
  }

  /** `mayCreate` false: NOT_FOUND when there is no such deployment. `f` throws ServiceErrors, which change nothing. */
  change(
    namespaceId: string,
    name: string,
    f: (record: WorkerDeploymentRecord | undefined, now: number) => DeploymentChange,
    mayCreate = false,
  ): Promise<void> {
    const change = this.lastChange.then(async () => {
      const id = idOf(namespaceId, name);
      const old = this.records.get(id);
      if (old === undefined && !mayCreate) throw deploymentNotFound(name);
      const next = f(old?.record, this.options.now());
      if (next === undefined) return;
      const version = (old?.version ?? 0) + 1;
      const batch = new Batch();
      if (next === "deleted") batch.writeRegistry(DEPLOYMENT_REGISTRY_KIND, id, version, { op: "delete" });
      else
        batch.writeRegistry(DEPLOYMENT_REGISTRY_KIND, id, version, {
          op: old === undefined ? "insert" : "put",
          value: encode(WorkerDeploymentRecord, next),
        });
      await this.options.commit(batch);
      if (next === "deleted") this.records.delete(id);
      else this.records.set(id, { record: next, version });
      this.recompute([...(old === undefined ? [] : queuesOf(old.record)), ...(next === "deleted" ? [] : queuesOf(next))]);
      for (const g of this.drainageListeners) g();
    });
    this.lastChange = change.catch(() => undefined);
    return change;
  }

  private recompute(queues: readonly { namespaceId: string; name: string; type: TaskQueueType }[]): void {
    if (queues.length === 0) return;
    const next = new Map(this.present?.queues);
    const seen = new Set<string>();
    const changed: (typeof queues)[number][] = [];
    for (const queue of queues) {
      const { namespaceId, name, type } = queue;
      const key = queueKey(namespaceId, name, type);
      if (seen.has(key)) continue;
      seen.add(key);
      const serving = [...this.records.values()].map((r) => r.record).filter((r) => r.namespaceId === namespaceId && serves(r, name, type));
      if (serving.length === 0) next.delete(key);
      else next.set(key, queueVersions(serving, name, type));
      changed.push(queue);
    }
    this.present = new Directory(next);
    for (const { namespaceId, name, type } of changed) for (const f of this.listeners) f(namespaceId, name, type);
  }
}

function serves(record: WorkerDeploymentRecord, name: string, type: TaskQueueType): boolean {
  return record.versions.some((v) => v.taskQueues.some((q) => q.type === type && q.name === name));
}

function queuesOf(record: WorkerDeploymentRecord): { namespaceId: string; name: string; type: TaskQueueType }[] {
  return record.versions.flatMap((v) => v.taskQueues.map(({ name, type }) => ({ namespaceId: record.namespaceId, name, type })));
}

const idOf = (namespaceId: string, name: string): string => `${namespaceId}/${name}`;
const queueKey = (namespaceId: string, name: string, type: TaskQueueType): string => `${namespaceId}/${type}/${name}`;

export const QUEUE_TYPES = { workflow: TaskQueueType.WORKFLOW, activity: TaskQueueType.ACTIVITY, nexus: TaskQueueType.NEXUS } as const;
