/** Reads committed history as the bytes that responses carry: events are cut out by their frames, never decoded. */
import { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
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

/** Start offsets of the framed events, with the end of the last one behind them. */
export function frameOffsets(data: Uint8Array): number[] {
  const out: number[] = [];
  let p = 0;
  while (p < data.length) {
    out.push(p);
    assert(data[p] === 10, "history rows hold framed events");
    p++;
    let size = 0;
    let shift = 1;
    for (;;) {
      const c = data[p++] as number;
      size += (c & 127) * shift;
      if (c < 128) break;
      shift *= 128;
    }
    p += size;
  }
  out.push(p);
  return out;
}

export class HistoryReader {
  constructor(
    private readonly store: Store,
    private readonly cache: EventsCache,
  ) {}

  private async batches(branch: number, from: number, end: number, reverse: boolean, bytesMax: number): Promise<readonly HistoryBatch[]> {
    const cached = this.cache.read(branch, from);
    if (cached !== undefined) {
      const last = cached.at(-1);
      if (last !== undefined && last.firstEventId < end) {
        const within = cached.filter((b) => b.firstEventId < end);
        return reverse ? within.reverse() : within;
      }
    }
    return this.store.readHistory(branch, from, end, reverse, bytesMax);
  }

  async read(range: HistoryRange, page: PageLimits): Promise<{ data: Uint8Array; nextEventId: number | undefined }> {
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
        const batches = await this.batches(segment.branch, next, end, false, page.bytesMax);
        if (batches.length === 0) break;
        const before = next;
        for (const b of batches) {
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
        if (next === before) break;
      }
      if (next < end) break;
    }
    const only = parts.length === 1 ? parts[0] : undefined;
    return { data: only ?? Buffer.concat(parts), nextEventId: next < range.endEventId && count > 0 ? next : undefined };
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
        // A page at a time from the end: the store answers newest batches first.
        const batches = await this.store.readHistory(segment.branch, begin, Math.min(end, segment.endEventId), true, Math.min(page.bytesMax, 64 * 1024));
        if (batches.length === 0) break;
        const before = end;
        for (const b of batches) {
          const offsets = frameOffsets(b.data);
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
        if (end === before) break;
      }
      if (end > begin) break;
    }
    return { data: Buffer.concat(parts), nextEventId: end > range.fromEventId && count > 0 ? end - 1 : undefined };
  }

  async event(reference: EventReference): Promise<HistoryEvent | undefined> {
    const segment = reference.segments.find((s) => reference.eventId < s.endEventId);
    if (segment === undefined) return undefined;
    const batches = await this.batches(segment.branch, reference.eventId, reference.eventId + 1, false, 1);
    for (const b of batches) {
      const offsets = frameOffsets(b.data);
      const i = reference.eventId - b.firstEventId;
      if (i < 0 || i >= offsets.length - 1) continue;
      return decodeFramed(b.data.subarray(offsets[i], offsets[i + 1]));
    }
    return undefined;
  }
}

/** One framed event. */
export function decodeFramed(frame: Uint8Array): HistoryEvent {
  let p = 1;
  while ((frame[p] as number) > 127) p++;
  return decode(HistoryEvent, frame.subarray(p + 1));
}
