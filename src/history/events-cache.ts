/** Recent history in memory: of each branch an unbroken run of its newest batches, bounded in bytes, the least used branch first out. */
import type { HistoryBatch } from "../persistence/store.js";

interface Entry {
  batches: HistoryBatch[];
  bytes: number;
}

export class EventsCache {
  private readonly branches = new Map<number, Entry>();
  private bytes = 0;

  constructor(private readonly bytesMax: () => number) {}

  /** A batch that has become durable. */
  append(batch: HistoryBatch): void {
    let entry = this.branches.get(batch.branch);
    if (entry === undefined) {
      // A branch that is not known from its start has a beginning that only the store has.
      this.branches.set(batch.branch, (entry = { batches: [], bytes: 0 }));
    }
    entry.batches.push(batch);
    entry.bytes += batch.data.length;
    this.bytes += batch.data.length;
    this.shrink();
  }

  /** Batches from the one that holds `fromEventId` on, if all of them are here. */
  read(branch: number, fromEventId: number): readonly HistoryBatch[] | undefined {
    const entry = this.branches.get(branch);
    const first = entry?.batches[0];
    if (entry === undefined || first === undefined || first.firstEventId > fromEventId) return undefined;
    this.branches.delete(branch);
    this.branches.set(branch, entry);
    let i = entry.batches.length - 1;
    while (i > 0 && (entry.batches[i]?.firstEventId ?? 0) > fromEventId) i--;
    return i === 0 ? entry.batches : entry.batches.slice(i);
  }

  drop(branch: number): void {
    const entry = this.branches.get(branch);
    if (entry === undefined) return;
    this.bytes -= entry.bytes;
    this.branches.delete(branch);
  }

  private shrink(): void {
    const max = this.bytesMax();
    for (const [branch, entry] of this.branches) {
      if (this.bytes <= max) return;
      this.bytes -= entry.bytes;
      this.branches.delete(branch);
    }
  }
}
