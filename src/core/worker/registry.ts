/**
 * The workers that have sent heartbeats, each with its last one. In memory only, as on the official server
 * (service/matching/workers/registry_impl.go): a worker that lives tells so again. Times are microseconds.
 *
 * Invariants: a worker that says that it has shut down is gone at once; one that has not been heard of for long goes with the next
 * call; when there are too many, the one heard of longest ago goes first, if that is not too recent.
 */
import { WorkerStatus } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import type { WorkerHeartbeat, WorkerListInfo } from "../../../gen/wire/temporal/api/worker/v1/message.js";
import { invalidArgument } from "../../api/service-error.js";
import { EMPTY_BYTES, type Init } from "../../api/wire.js";

const SYSTEM_QUEUE_PREFIX = "temporal-sys-";

export interface WorkerRegistryLimits {
  /** Microseconds without a heartbeat. */
  readonly entryTimeMax: number;
  readonly evictionAgeMin: number;
  readonly entriesMax: number;
}

interface Entry {
  readonly namespaceId: string;
  readonly heartbeat: WorkerHeartbeat;
  readonly seen: number;
}

export class WorkerRegistry {
  /** By namespace and worker instance key; the one heard of longest ago first. */
  private readonly entries = new Map<string, Entry>();
  private readonly byNamespace = new Map<string, Map<string, WorkerHeartbeat>>();

  constructor(
    private readonly limits: () => WorkerRegistryLimits,
    private readonly onGone: (namespaceId: string, workerInstanceKey: string) => void,
  ) {}

  record(namespaceId: string, heartbeats: readonly WorkerHeartbeat[], now: number): void {
    for (const heartbeat of heartbeats) {
      const key = heartbeat.workerInstanceKey;
      if (heartbeat.status === WorkerStatus.SHUTDOWN) {
        this.remove(namespaceId, key);
        continue;
      }
      const id = idOf(namespaceId, key);
      this.entries.delete(id);
      this.entries.set(id, { namespaceId, heartbeat, seen: now });
      let workers = this.byNamespace.get(namespaceId);
      if (workers === undefined) this.byNamespace.set(namespaceId, (workers = new Map()));
      workers.set(key, heartbeat);
    }
    this.evict(now);
  }

  all(namespaceId: string, includesSystem: boolean, now: number): WorkerHeartbeat[] {
    this.evict(now);
    const found: WorkerHeartbeat[] = [];
    for (const h of this.byNamespace.get(namespaceId)?.values() ?? [])
      if (includesSystem || !h.taskQueue.startsWith(SYSTEM_QUEUE_PREFIX)) found.push(h);
    return found;
  }

  find(namespaceId: string, workerInstanceKey: string, now: number): WorkerHeartbeat | undefined {
    this.evict(now);
    return this.byNamespace.get(namespaceId)?.get(workerInstanceKey);
  }

  private evict(now: number): void {
    const { entryTimeMax, evictionAgeMin, entriesMax } = this.limits();
    for (const { namespaceId, heartbeat, seen } of this.entries.values()) {
      const isTooMany = this.entries.size > entriesMax && seen < now - evictionAgeMin;
      if (seen >= now - entryTimeMax && !isTooMany) return;
      this.remove(namespaceId, heartbeat.workerInstanceKey);
    }
  }

  private remove(namespaceId: string, key: string): void {
    if (!this.entries.delete(idOf(namespaceId, key))) return;
    const workers = this.byNamespace.get(namespaceId);
    workers?.delete(key);
    if (workers?.size === 0) this.byNamespace.delete(namespaceId);
    this.onGone(namespaceId, key);
  }
}

const idOf = (namespaceId: string, key: string): string => `${namespaceId}/${key}`;

/** The order of lists. */
export const byInstanceKey = (a: WorkerHeartbeat, b: WorkerHeartbeat): number => (a.workerInstanceKey < b.workerInstanceKey ? -1 : 1);

/** A page of workers that are in the order of their keys. The token is the last key of the page before (the official JSON). */
export function workerPage<T extends { workerInstanceKey: string }>(
  workers: readonly T[],
  pageSize: number,
  token: Uint8Array,
): { page: readonly T[]; nextPageToken: Uint8Array } {
  const after = token.length === 0 ? "" : tokenKey(token);
  const from = after === "" ? 0 : workers.findIndex((w) => w.workerInstanceKey > after);
  if (from < 0) return { page: [], nextPageToken: EMPTY_BYTES };
  const page = workers.slice(from, pageSize > 0 ? from + pageSize : undefined);
  const last = page[page.length - 1];
  const hasMore = from + page.length < workers.length && last !== undefined;
  return { page, nextPageToken: hasMore ? Buffer.from(JSON.stringify({ l: last.workerInstanceKey })) : EMPTY_BYTES };
}

function tokenKey(token: Uint8Array): string {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(token).toString());
    if (typeof parsed === "object" && parsed !== null) {
      const { l = "" } = parsed as { l?: unknown };
      if (typeof l === "string") return l;
    }
  } catch {
    // Not one of ours.
  }
  throw invalidArgument("invalid next_page_token");
}

/** What lists show of a worker. */
export function listInfo(h: WorkerHeartbeat): Init<WorkerListInfo> {
  const { workerInstanceKey, workerIdentity, taskQueue, deploymentVersion, sdkName, sdkVersion, status, startTime, plugins, drivers } = h;
  return {
    workerInstanceKey,
    workerIdentity,
    taskQueue,
    deploymentVersion,
    sdkName,
    sdkVersion,
    status,
    startTime,
    hostName: h.hostInfo?.hostName ?? "",
    workerGroupingKey: h.hostInfo?.workerGroupingKey ?? "",
    processId: h.hostInfo?.processId ?? "",
    plugins,
    drivers,
  };
}
