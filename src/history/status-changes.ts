/**
 * The order in which workflows of a namespace changed status: what its live stream is read from, and what a cursor is a place in.
 *
 * Nothing that is stored otherwise is in that order: the times in visibility rows are those of the runs' clocks, and a pause has none. So
 * the changes of a namespace are written down, in the transaction that makes them, but only from the first time on that somebody asks to
 * follow it: without a follower there is no row and no work. They are a history of the namespace's own (branch: minus its key), numbered
 * from 1, and the newest `keepMax` are kept.
 * Invariants: numbers ascend in the order of the commits; whoever has read up to a number never finds a smaller one later; a number that
 * was given to a batch that the store refused is never seen and not used again.
 */
import { type StatusChangeRecord, StatusChangesRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { decode, encode } from "../api/wire.js";
import type { VisibilityRow } from "../core/visibility/row.js";
import type { Runtime } from "../lib/runtime.js";
import type { Batch } from "../persistence/batch.js";
import type { Store } from "../persistence/store.js";
import type { StatusChangePage } from "./contract.js";
import { EventsNotifier } from "./events-notifier.js";

/** A registry row under the namespace's id: its changes are kept. Its value is the namespace's key. */
export const STATUS_CHANGES_REGISTRY_KIND = "status-changes";

/** Rows never reach over a multiple of this, so that the oldest can go by whole rows. */
const SLICE = 512;
const READ_BYTES_MAX = 256 * 1024;

interface Journal {
  /** Number of the next change. */
  next: number;
  /** Newest that is durable. */
  durable: number;
}

export const branchOfNamespace = (namespaceKey: number): number => -namespaceKey;

export class StatusChanges {
  private readonly journals = new Map<number, Journal>();
  /** Namespaces whose changes are kept, with the wait for the row that says so. */
  private readonly kept = new Map<number, Promise<void>>();
  private readonly notifier: EventsNotifier;

  constructor(
    private readonly store: Pick<Store, "readHistory">,
    runtime: Runtime,
    private readonly keepMax: () => number,
  ) {
    this.notifier = new EventsNotifier(runtime);
  }

  /** Finds where the kept ones have come to. */
  async start(registry: readonly { kind: string; value: Uint8Array }[]): Promise<void> {
    for (const { kind, value } of registry)
      if (kind === STATUS_CHANGES_REGISTRY_KIND) {
        const namespaceKey = Number(Buffer.from(value).toString());
        this.kept.set(namespaceKey, Promise.resolve());
        this.journals.set(namespaceKey, await this.stored(namespaceKey));
      }
  }

  private async stored(namespaceKey: number): Promise<Journal> {
    const [last] = await this.store.readHistory(branchOfNamespace(namespaceKey), 0, Number.MAX_SAFE_INTEGER, true, 1);
    const newest = last === undefined ? 0 : last.firstEventId + decode(StatusChangesRecord, last.data).changes.length - 1;
    return { next: newest + 1, durable: newest };
  }

  /** True as long as anybody's changes are kept: asked before every visibility row. */
  get isKeeping(): boolean {
    return this.journals.size > 0;
  }

  isKept(namespaceKey: number): boolean {
    return this.kept.has(namespaceKey);
  }

  /** From now on the namespace's changes are kept, after a restart too: resolves when that is durable. */
  keep(namespaceId: string, namespaceKey: number, commit: (fill: (rows: Batch) => void) => Promise<void>): Promise<void> {
    let kept = this.kept.get(namespaceKey);
    if (kept === undefined) {
      kept = this.begin(namespaceId, namespaceKey, commit).catch((e: unknown) => {
        this.kept.delete(namespaceKey);
        throw e;
      });
      this.kept.set(namespaceKey, kept);
    }
    return kept;
  }

  private async begin(namespaceId: string, namespaceKey: number, commit: (fill: (rows: Batch) => void) => Promise<void>): Promise<void> {
    // There are rows where this was begun before and its registry row refused.
    const journal = this.journals.get(namespaceKey) ?? (await this.stored(namespaceKey));
    await commit((rows) => {
      rows.writeRegistry(STATUS_CHANGES_REGISTRY_KIND, namespaceId, 1, { op: "put", value: Buffer.from(String(namespaceKey)) });
      this.journals.set(namespaceKey, journal);
    });
  }

  /** Adds a change to the batch that makes it; the result is to run when the batch is durable. */
  add(rows: Batch, row: VisibilityRow): (() => void) | undefined {
    const journal = this.journals.get(row.namespaceKey);
    if (journal === undefined) return undefined;
    const number = journal.next++;
    const { workflowId, runId, workflowType, taskQueue, status, startTime, closeTime, historyLength } = row;
    const change = { workflowId, runId, workflowType, taskQueue, status, startTime, closeTime, historyLength };
    const branch = branchOfNamespace(row.namespaceKey);
    const begins = number % SLICE === 0;
    rows.appendHistory(branch, number, encode(StatusChangesRecord, { changes: [change] }), 1, begins);
    if (begins) {
      const floor = floorOf(number, this.keepMax());
      if (floor > 1) rows.historyDeletes.push({ branch, fromEventId: 0, endEventId: floor });
    }
    return () => {
      journal.durable = Math.max(journal.durable, number);
      this.notifier.notify(branch, number, false);
    };
  }

  newest(namespaceKey: number): number {
    return this.journals.get(namespaceKey)?.durable ?? 0;
  }

  /** Committed changes after a number. */
  async read(namespaceKey: number, after: number, max: number): Promise<StatusChangePage> {
    const branch = branchOfNamespace(namespaceKey);
    const from = after + 1;
    const batches = await this.store.readHistory(branch, from, Number.MAX_SAFE_INTEGER, false, READ_BYTES_MAX);
    const first = batches[0];
    // What follows the reader's place has gone: it cannot be told what it missed.
    const isGone = from < floorOf(this.journals.get(namespaceKey)?.next ?? 1, this.keepMax()) && (first === undefined || first.firstEventId > from);
    if (isGone) return { isGone, changes: [] };
    const changes: { number: number; change: StatusChangeRecord }[] = [];
    for (const { firstEventId, data } of batches)
      for (const [i, change] of decode(StatusChangesRecord, data).changes.entries())
        if (firstEventId + i > after && changes.length < max) changes.push({ number: firstEventId + i, change });
    // The store may show a batch a moment before its commit is reported.
    const journal = this.journals.get(namespaceKey);
    const last = changes.at(-1)?.number ?? 0;
    if (journal !== undefined) journal.durable = Math.max(journal.durable, last);
    return { isGone: false, changes };
  }

  /** Resolves when a change after the number is durable, at the time limit, or when cancelled. */
  async wait(namespaceKey: number, after: number, timeoutMs: number, onCancel: (f: () => void) => () => void): Promise<void> {
    if (this.newest(namespaceKey) > after) return;
    await this.notifier.wait(branchOfNamespace(namespaceKey), after, timeoutMs, onCancel).promise;
  }

  /** The namespace goes, with all that was kept. */
  forget(rows: Batch, namespaceKey: number): void {
    this.kept.delete(namespaceKey);
    this.journals.delete(namespaceKey);
    const branch = branchOfNamespace(namespaceKey);
    rows.historyDeletes.push({ branch, fromEventId: 0, endEventId: Number.MAX_SAFE_INTEGER });
    this.notifier.notify(branch, Number.MAX_SAFE_INTEGER, true);
  }

  wakeAll(): void {
    this.notifier.wakeAll();
  }
}

/** Oldest number that is kept. */
function floorOf(next: number, keepMax: number): number {
  return Math.max(1, Math.floor(next / SLICE) * SLICE - Math.ceil(keepMax / SLICE) * SLICE);
}
