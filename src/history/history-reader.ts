/** Reads committed history as the bytes that responses carry: events are cut out by their frames, never decoded. */
import { History, HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { notFound } from "../api/service-error.js";
import { decode } from "../api/wire.js";
import type { EventReference, HistoryRange } from "../core/transition.js";
import { assert } from "../lib/assert.js";
import type { HistoryBatch, Store } from "../persistence/store.js";
import type { EventsCache } from "./events-cache.js";

export interface PageLimits {
  fromEventId: number;
  eventCountMax: number;
  bytesMax: number;
  reverse: boolean;
}

/** End of the framed event that begins at an offset. */
function frameEnd(data: Uint8Array, offset: number): number {
  assert(data[offset] === 10, "history rows hold framed events");
  let p = offset + 1;
  let size = 0;
  let shift = 1;
  for (;;) {
    const c = data[p++] as number;
    size += (c & 127) * shift;
    if (c < 128) return p + size;
    shift *= 128;
  }
}

/** Start offsets of the framed events, with the end of the last one behind them. */
export function frameOffsets(data: Uint8Array): number[] {
  const out: number[] = [];
  let p = 0;
  for (; p < data.length; p = frameEnd(data, p)) out.push(p);
  out.push(p);
  return out;
}

export class HistoryReader {
  constructor(
    private readonly store: Store,
    private readonly cache: EventsCache,
  ) {}

  /** The same, newest first. */
  private async newestBatches(branch: number, from: number, end: number, bytesMax: number): Promise<readonly HistoryBatch[]> {
    const cached = this.cache.read(branch, from, end);
    if (cached !== undefined) return cached.toReversed();
    return this.store.readHistory(branch, from, end, true, bytesMax);
  }

  /** The rows of a range are missing: its run has been deleted meanwhile, or the store has lost events. */
  private async missing(range: HistoryRange): Promise<never> {
    assert((await this.store.loadExecution(range.runKey)) === undefined, "the history of a run has no gaps");
    throw notFound("Workflow execution history not found.");
  }

  read(range: HistoryRange, page: PageLimits): Promise<{ data: Uint8Array; nextEventId: number | undefined }> {
    return page.reverse ? this.backward(range, page) : this.forward(range, page);
  }

  private async forward(range: HistoryRange, page: PageLimits): Promise<{ data: Uint8Array; nextEventId: number | undefined }> {
    const parts: Uint8Array[] = [];
    let next = Math.max(range.fromEventId, page.fromEventId);
    let count = 0;
    let bytes = 0;
    for (const segment of range.segments) {
      const end = Math.min(segment.endEventId, range.endEventId);
      while (next < end && count < page.eventCountMax && bytes < page.bytesMax) {
        const before = next;
        const { branch } = segment;
        for (const b of this.cache.read(branch, next, end) ?? (await this.store.readHistory(branch, next, end, false, page.bytesMax))) {
          if (b.firstEventId > next) break;
          const offsets = frameOffsets(b.data);
          const events = offsets.length - 1;
          const skip = Math.max(0, next - b.firstEventId);
          // A batch is never cut by the page size: readers count on seeing a transition whole.
          const take = Math.min(events, end - b.firstEventId);
          if (take <= skip) continue;
          const part = b.data.subarray(offsets[skip], offsets[take]);
          parts.push(part);
          bytes += part.length;
          count += take - skip;
          next = b.firstEventId + take;
          if (count >= page.eventCountMax || bytes >= page.bytesMax) break;
        }
        if (next === before) await this.missing(range);
      }
      if (next < end) break;
    }
    const only = parts.length === 1 ? parts[0] : undefined;
    return { data: only ?? Buffer.concat(parts), nextEventId: next < range.endEventId ? next : undefined };
  }

  /** Every event of a range, decoded. */
  async all(range: HistoryRange): Promise<HistoryEvent[]> {
    const out: HistoryEvent[] = [];
    for (let next: number | undefined = range.fromEventId; next !== undefined && next < range.endEventId; ) {
      const page = await this.forward(range, { fromEventId: next, eventCountMax: 5_000, bytesMax: 1 << 22, reverse: false });
      for (const event of decode(History, page.data).events) out.push(event);
      next = page.nextEventId;
    }
    return out;
  }

  /** Newest first; `fromEventId` of the page is the newest event wanted (0: the newest of the range). */
  private async backward(range: HistoryRange, page: PageLimits): Promise<{ data: Uint8Array; nextEventId: number | undefined }> {
    const parts: Uint8Array[] = [];
    let end = page.fromEventId > 0 ? Math.min(page.fromEventId + 1, range.endEventId) : range.endEventId;
    let count = 0;
    let bytes = 0;
    for (let s = range.segments.length - 1; s >= 0; s--) {
      const segment = range.segments[s] as { branch: number; endEventId: number };
      const begin = Math.max(range.fromEventId, s === 0 ? 1 : (range.segments[s - 1]?.endEventId ?? 1));
      while (end > begin && count < page.eventCountMax && bytes < page.bytesMax) {
        // Only what the page can still show: a long history's page costs what a short one's does.
        const from = Math.max(begin, Math.min(end, segment.endEventId) - (page.eventCountMax - count));
        const batches = await this.newestBatches(segment.branch, from, Math.min(end, segment.endEventId), page.bytesMax - bytes);
        const before = end;
        for (const b of batches) {
          const offsets = frameOffsets(b.data);
          if (b.firstEventId + offsets.length - 1 < Math.min(end, segment.endEventId)) break;
          let i = Math.min(offsets.length - 1, end - b.firstEventId) - 1;
          for (; i >= 0 && count < page.eventCountMax && bytes < page.bytesMax && b.firstEventId + i >= begin; i--) {
            const part = b.data.subarray(offsets[i], offsets[i + 1]);
            parts.push(part);
            bytes += part.length;
            count++;
            end = b.firstEventId + i;
          }
          if (i >= 0) break;
        }
        if (end === before) await this.missing(range);
      }
      if (end > begin) break;
    }
    return { data: Buffer.concat(parts), nextEventId: end > range.fromEventId && end > 1 ? end - 1 : undefined };
  }

  async event(reference: EventReference): Promise<HistoryEvent | undefined> {
    const branch = branchOf(reference);
    if (branch === undefined) return undefined;
    const { eventId } = reference;
    return find(this.cache.read(branch, eventId, eventId + 1) ?? (await this.store.readHistory(branch, eventId, eventId + 1, false, 1)), eventId);
  }

  /** The event, if it is in memory. */
  cachedEvent(reference: EventReference): HistoryEvent | undefined {
    const branch = branchOf(reference);
    const batches = branch === undefined ? undefined : this.cache.read(branch, reference.eventId, reference.eventId + 1);
    return batches === undefined ? undefined : find(batches, reference.eventId);
  }
}

/** Branch whose rows hold the event. */
export function branchOf(r: EventReference): number | undefined {
  for (const s of r.segments) if (r.eventId < s.endEventId) return s.branch;
  return undefined;
}

function find(batches: readonly HistoryBatch[], eventId: number): HistoryEvent | undefined {
  for (const b of batches) {
    if (b.firstEventId > eventId) continue;
    let begin = 0;
    for (let id = b.firstEventId; id < eventId && begin < b.data.length; id++) begin = frameEnd(b.data, begin);
    if (begin < b.data.length) return decodeFramed(b.data.subarray(begin, frameEnd(b.data, begin)));
  }
  return undefined;
}

/** One framed event. */
export function decodeFramed(frame: Uint8Array): HistoryEvent {
  let p = 1;
  while ((frame[p] as number) > 127) p++;
  return decode(HistoryEvent, frame.subarray(p + 1));
}
