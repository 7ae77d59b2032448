/** Recent history in memory: of each branch an unbroken run of its newest batches, bounded in bytes, the least used branch first out. */
import type { HistoryBatch } from "../persistence/store.js";

interface Entry {
  batches: HistoryBatch[];
  bytes: number;
}

/** Of a batch and its place in the list, besides its events. */
const OVERHEAD_BYTES = 250;
/** Small batches lie side by side: as encoded they share pieces of memory with what has long been sent, which they would keep alive. */
const SLAB_BYTES = 64 * 1024;
const SLAB_BATCH_BYTES_MAX = 4 * 1024;

export class EventsCache {
  private readonly branches = new Map<number, Entry>();
  private bytes = 0;
  private slab: Buffer = Buffer.alloc(0);
  private slabUsed = 0;

  constructor(private readonly bytesMax: () => number) {}

  get sizeBytes(): number {
    return this.bytes;
  }

  /** A batch that has become durable. A branch that is not known from its start has a beginning that only the store has. */
  append(batch: HistoryBatch): void {
    let entry = this.branches.get(batch.branch);
    if (entry === undefined) this.branches.set(batch.branch, (entry = { batches: [], bytes: 0 }));
    const size = batch.data.length + OVERHEAD_BYTES;
    // Only the bytes: the events, and the requests that their payloads are views of, may go.
    entry.batches.push({ branch: batch.branch, firstEventId: batch.firstEventId, data: this.kept(batch.data) });
    entry.bytes += size;
    this.bytes += size;
    this.shrink();
  }

  /** Batches that hold events in [fromEventId, endEventId), if all of them are here. The first may begin before fromEventId. */
  read(branch: number, fromEventId: number, endEventId: number): readonly HistoryBatch[] | undefined {
    const entry = this.branches.get(branch);
    if (entry === undefined) return undefined;
    const { batches } = entry;
    const first = batches[0];
    if (first === undefined || first.firstEventId > fromEventId) return undefined;
    this.branches.delete(branch);
    this.branches.set(branch, entry);
    const begin = countBefore(batches, fromEventId + 1) - 1;
    const end = countBefore(batches, endEventId);
    return begin === 0 && end === batches.length ? batches : batches.slice(begin, end);
  }

  drop(branch: number): void {
    const entry = this.branches.get(branch);
    if (entry === undefined) return;
    this.bytes -= entry.bytes;
    this.branches.delete(branch);
  }

  private kept(data: Uint8Array): Uint8Array {
    if (data.length > SLAB_BATCH_BYTES_MAX) return data;
    if (this.slabUsed + data.length > this.slab.length) {
      this.slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.slabUsed = 0;
    }
    const at = this.slabUsed;
    this.slabUsed += data.length;
    this.slab.set(data, at);
    return this.slab.subarray(at, this.slabUsed);
  }

  private shrink(): void {
    const max = this.bytesMax();
    if (this.bytes <= max) return;
    // Many at a time: a map is slow to find its first entry when many before it have gone.
    const enough = max - max / 16;
    for (const branch of this.branches.keys()) {
      if (this.bytes <= enough) return;
      this.drop(branch);
    }
  }
}

/** Number of batches that begin before an event. */
function countBefore(batches: readonly HistoryBatch[], eventId: number): number {
  let lo = 0;
  let hi = batches.length;
  while (lo < hi) {
    const mid = (lo + hi) >>> 1;
    if ((batches[mid] as HistoryBatch).firstEventId < eventId) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}
