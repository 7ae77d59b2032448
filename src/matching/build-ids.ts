/**
 * Version sets and rules of task queues: in memory, written through to registry rows of kind "build-ids". A change counts once its
 * row is durable; changes apply one after the other.
 */
import { BuildIdsRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import type { UpdateWorkerVersioningRulesRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { failedPrecondition, newerBuildExists } from "../api/service-error.js";
import { decode, encode } from "../api/wire.js";
import { type RuleLimits, terminalBuildId, updatedRules } from "../core/versioning/rules.js";
import { findBuildId, updatedSets, type VersionSetLimits } from "../core/versioning/version-sets.js";
import { Batch } from "../persistence/batch.js";

export const BUILD_IDS_REGISTRY_KIND = "build-ids";

export interface BuildIdLimits extends RuleLimits, VersionSetLimits {
  readonly taskQueuesPerBuildIdMax: number;
}

interface BuildIdsOptions {
  /** The registry's rows, of every kind. */
  readonly rows: Iterable<{ kind: string; id: string; version: number; value: Uint8Array }>;
  /** Makes the batch durable; rejects with a ServiceError when nothing was written. */
  readonly commit: (batch: Batch) => Promise<void>;
  readonly now: () => number;
  readonly limits: (namespaceId: string) => BuildIdLimits;
}

const NONE = BuildIdsRecord.create({});

export class BuildIds {
  private readonly records = new Map<string, { record: BuildIdsRecord; version: number }>();
  private readonly listeners: ((namespaceId: string, taskQueue: string) => void)[] = [];
  private lastChange: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: BuildIdsOptions) {
    for (const { kind, id, version, value } of options.rows)
      if (kind === BUILD_IDS_REGISTRY_KIND) this.records.set(id, { record: decode(BuildIdsRecord, value), version });
  }

  get isEmpty(): boolean {
    return this.records.size === 0;
  }

  /** Rules or sets of the queue have changed. */
  onChange(f: (namespaceId: string, taskQueue: string) => void): void {
    this.listeners.push(f);
  }

  /** Empty where nothing was ever set. */
  get(namespaceId: string, taskQueue: string): BuildIdsRecord {
    return this.records.get(idOf(namespaceId, taskQueue))?.record ?? NONE;
  }

  /** Task queues whose sets have the build id. */
  taskQueuesOf(namespaceId: string, buildId: string): string[] {
    const found: string[] = [];
    for (const { record } of this.records.values())
      if (record.namespaceId === namespaceId && findBuildId(record.sets, buildId) !== undefined) found.push(record.taskQueue);
    return found.sort();
  }

  /** What the conflict token of the queue's rules is now. */
  token(namespaceId: string, taskQueue: string): Uint8Array {
    return tokenOf(this.get(namespaceId, taskQueue).clock);
  }

  updateSets(namespaceId: string, taskQueue: string, operation: Parameters<typeof updatedSets>[1]): Promise<BuildIdsRecord> {
    return this.change(namespaceId, taskQueue, (old, clock) => {
      const limits = this.options.limits(namespaceId);
      const sets = updatedSets(old.sets, operation, clock, limits);
      const added = sets.flatMap((s) => s.buildIds).filter(({ id }) => findBuildId(old.sets, id) === undefined);
      for (const { id } of added)
        if (this.taskQueuesOf(namespaceId, id).length >= limits.taskQueuesPerBuildIdMax)
          throw failedPrecondition(`Exceeded max task queues allowed to be mapped to a single build ID: ${limits.taskQueuesPerBuildIdMax}`);
      return { ...old, sets };
    });
  }

  /** `hasPoller`: whether a worker of the build id has polled the queue lately. */
  updateRules(
    namespaceId: string,
    { taskQueue, conflictToken, operation }: UpdateWorkerVersioningRulesRequest,
    hasPoller: (buildId: string) => boolean,
  ): Promise<BuildIdsRecord> {
    return this.change(namespaceId, taskQueue, (old, clock) => {
      const token = tokenOf(old.clock);
      if (Buffer.compare(conflictToken, token) !== 0)
        throw failedPrecondition(`provided conflict token '[${conflictToken.join(" ")}]' does not match existing one '[${token.join(" ")}]'`);
      return { ...old, ...updatedRules(old, operation, clock, this.options.limits(namespaceId), hasPoller) };
    });
  }

  /** A worker that asks for versioned tasks must be of the last build id of its set, or at the end of its redirects. */
  checkPoll(namespaceId: string, taskQueue: string, buildId: string): void {
    if (this.records.size === 0) return;
    const { sets, redirectRules } = this.get(namespaceId, taskQueue);
    const found = findBuildId(sets, buildId);
    const last = found === undefined ? terminalBuildId(redirectRules, buildId) : (sets[found.set]?.buildIds.at(-1)?.id ?? buildId);
    if (last !== buildId) throw newerBuildExists(`Task queue has a newer compatible build: "${last}"`, last);
  }

  private change(namespaceId: string, taskQueue: string, f: (old: BuildIdsRecord, clock: number) => BuildIdsRecord): Promise<BuildIdsRecord> {
    const change = this.lastChange.then(async () => {
      const id = idOf(namespaceId, taskQueue);
      const old = this.records.get(id);
      const before = old?.record ?? NONE;
      const clock = Math.max(this.options.now(), before.clock + 1);
      const record = BuildIdsRecord.create({ ...f(before, clock), namespaceId, taskQueue, clock });
      const version = (old?.version ?? 0) + 1;
      const batch = new Batch();
      batch.writeRegistry(BUILD_IDS_REGISTRY_KIND, id, version, { op: old === undefined ? "insert" : "put", value: encode(BuildIdsRecord, record) });
      await this.options.commit(batch);
      this.records.set(id, { record, version });
      for (const g of this.listeners) g(namespaceId, taskQueue);
      return record;
    });
    this.lastChange = change.catch(() => undefined);
    return change;
  }
}

const idOf = (namespaceId: string, taskQueue: string): string => `${namespaceId}/${taskQueue}`;

function tokenOf(clock: number): Uint8Array {
  const token = Buffer.alloc(8);
  token.writeDoubleBE(clock);
  return token;
}
