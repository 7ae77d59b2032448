/**
 * Workers as such: the heartbeats that they send, and the configurations that operators keep for them. Heartbeats are in memory;
 * configurations are registry rows of kind "worker-config", which outlive the server as the worker does, and go with the worker.
 */
import { WorkerConfigRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import type { WorkerSelector } from "../../gen/wire/temporal/api/common/v1/message.js";
import { WorkerConfig } from "../../gen/wire/temporal/api/sdk/v1/worker_config.js";
import type { WorkerHeartbeat } from "../../gen/wire/temporal/api/worker/v1/message.js";
import type {
  CountWorkersRequest,
  DescribeWorkerRequest,
  DescribeWorkerResponse,
  FetchWorkerConfigRequest,
  ListWorkersRequest,
  ListWorkersResponse,
  UpdateWorkerConfigRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { invalidArgument, notFound } from "../api/service-error.js";
import { decode, encode, type Init } from "../api/wire.js";
import { updatedWorkerConfig } from "../core/worker/config.js";
import { workerPredicate } from "../core/worker/query.js";
import { byInstanceKey, listInfo, WorkerRegistry, type WorkerRegistryLimits, workerPage } from "../core/worker/registry.js";
import type { Runtime } from "../lib/runtime.js";
import { Batch } from "../persistence/batch.js";

/** How long a list may keep others waiting, and after how many workers the clock is looked at. */
const TURN_MICROS = 20_000;
const WORKERS_A_LOOK = 16;

export const WORKER_CONFIG_REGISTRY_KIND = "worker-config";

interface WorkersOptions {
  /** The registry's rows, of every kind. */
  readonly rows: Iterable<{ kind: string; id: string; version: number; value: Uint8Array }>;
  /** Makes the batch durable; rejects with a ServiceError when nothing was written. */
  readonly commit: (batch: Batch) => Promise<void>;
  readonly runtime: Runtime;
  readonly limits: () => WorkerRegistryLimits;
}

interface Kept {
  readonly namespaceId: string;
  readonly key: string;
  readonly config: WorkerConfig;
  readonly version: number;
}

export class Workers {
  private readonly registry: WorkerRegistry;
  private readonly configs = new Map<string, Kept>();
  private lastChange: Promise<unknown> = Promise.resolve();
  /** When this process began: until then every worker of a stored configuration may have been heard of. */
  private readonly since: number;

  constructor(private readonly options: WorkersOptions) {
    this.since = options.runtime.nowMicros();
    this.registry = new WorkerRegistry(options.limits, (namespaceId, key) => this.forget(idOf(namespaceId, key)));
    for (const { kind, id, version, value } of options.rows) {
      if (kind !== WORKER_CONFIG_REGISTRY_KIND) continue;
      const { namespaceId, workerInstanceKey: key, config } = decode(WorkerConfigRecord, value);
      this.configs.set(id, { namespaceId, key, config: WorkerConfig.create(config), version });
    }
  }

  record(namespaceId: string, heartbeats: readonly WorkerHeartbeat[]): void {
    this.registry.record(namespaceId, heartbeats, this.now());
    if (this.configs.size > 0) this.forgetUnheard();
  }

  async list(namespaceId: string, request: ListWorkersRequest): Promise<Init<ListWorkersResponse>> {
    const { pageSize, nextPageToken: token } = request;
    const found = (await this.matching(namespaceId, request)).sort(byInstanceKey);
    const { page, nextPageToken } = workerPage(found, pageSize, token);
    return { workersInfo: page.map((workerHeartbeat) => ({ workerHeartbeat })), workers: page.map(listInfo), nextPageToken };
  }

  async count(namespaceId: string, request: CountWorkersRequest): Promise<number> {
    return (await this.matching(namespaceId, request)).length;
  }

  /** Very many workers by very many conditions take seconds: others get their turn in between. */
  private async matching(
    namespaceId: string,
    { query, includeSystemWorkers }: Pick<ListWorkersRequest, "query" | "includeSystemWorkers">,
  ): Promise<WorkerHeartbeat[]> {
    const matches = workerPredicate(query);
    const found: WorkerHeartbeat[] = [];
    let since = this.now();
    let looked = 0;
    for (const heartbeat of this.registry.all(namespaceId, includeSystemWorkers, since)) {
      if (matches(heartbeat)) found.push(heartbeat);
      if (++looked % WORKERS_A_LOOK !== 0 || this.now() - since < TURN_MICROS) continue;
      await new Promise<void>((resolve) => this.options.runtime.defer(resolve));
      since = this.now();
    }
    return found;
  }

  describe(namespaceId: string, { workerInstanceKey }: DescribeWorkerRequest): Init<DescribeWorkerResponse> {
    const workerHeartbeat = this.registry.find(namespaceId, workerInstanceKey, this.now());
    if (workerHeartbeat === undefined) throw workerNotFound(workerInstanceKey);
    return { workerInfo: { workerHeartbeat } };
  }

  fetchConfig(namespaceId: string, { selector }: FetchWorkerConfigRequest): Init<WorkerConfig> {
    return this.configs.get(this.find(namespaceId, selector).id)?.config ?? {};
  }

  /** Resolves when the configuration is durable. */
  updateConfig(namespaceId: string, request: UpdateWorkerConfigRequest): Promise<WorkerConfig> {
    const change = this.lastChange.then(async () => {
      const { id, key } = this.find(namespaceId, request.selector);
      const old = this.configs.get(id);
      const config = updatedWorkerConfig(old?.config, WorkerConfig.create(request.workerConfig), request.updateMask?.paths ?? []);
      const version = (old?.version ?? 0) + 1;
      const batch = new Batch();
      const value = encode(WorkerConfigRecord, { namespaceId, workerInstanceKey: key, config, updateTime: this.now() });
      batch.writeRegistry(WORKER_CONFIG_REGISTRY_KIND, id, version, { op: "put", value });
      await this.options.commit(batch);
      this.configs.set(id, { namespaceId, key, config, version });
      // It may have gone meanwhile.
      if (this.registry.find(namespaceId, key, this.now()) === undefined && old === undefined) this.forget(id);
      return config;
    });
    this.lastChange = change.catch(() => undefined);
    return change;
  }

  /** A worker that is heard of, or one that an earlier process of the server has heard of. */
  private find(namespaceId: string, selector: WorkerSelector | undefined): { id: string; key: string } {
    if (selector?.selector.case !== "workerInstanceKey" || selector.selector.value === "")
      throw invalidArgument("WorkerSelector must name a worker instance key");
    const key = selector.selector.value;
    const id = idOf(namespaceId, key);
    this.forgetUnheard();
    if (this.registry.find(namespaceId, key, this.now()) === undefined && !this.configs.has(id)) throw workerNotFound(key);
    return { id, key };
  }

  private forgetUnheard(): void {
    const now = this.now();
    if (now - this.since < this.options.limits().entryTimeMax) return;
    for (const [id, { namespaceId, key }] of this.configs) if (this.registry.find(namespaceId, key, now) === undefined) this.forget(id);
  }

  private forget(id: string): void {
    const kept = this.configs.get(id);
    if (kept === undefined) return;
    this.configs.delete(id);
    const batch = new Batch();
    batch.writeRegistry(WORKER_CONFIG_REGISTRY_KIND, id, kept.version + 1, { op: "delete" });
    // A row that stays is found again, and forgotten, by the next process.
    this.options.commit(batch).catch(() => undefined);
  }

  private now(): number {
    return this.options.runtime.nowMicros();
  }
}

const idOf = (namespaceId: string, key: string): string => `${namespaceId}/${key}`;
const workerNotFound = (key: string) => notFound(`Worker ${key} not found`);
