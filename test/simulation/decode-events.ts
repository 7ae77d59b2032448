/** Framed events as history rows hold them. */
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { decodeFramed, frameOffsets } from "../../src/history/history-reader.js";

export function decodeEvents(data: Uint8Array): HistoryEvent[] {
  const offsets = frameOffsets(data);
  return offsets.slice(0, -1).map((at, i) => decodeFramed(data.subarray(at, offsets[i + 1])));
}

/** Microseconds. */
export const timeOf = (e: HistoryEvent): number => (e.eventTime?.seconds ?? 0) * 1e6 + Math.floor((e.eventTime?.nanos ?? 0) / 1000);
