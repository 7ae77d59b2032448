/**
 * Pages of a run's history and the tokens that name the next one.
 *
 * A token is a position in a snapshot: the run, the next event to read and the first one that the snapshot does not hold. Events of
 * a transient workflow task are in no history row: the token carries them to the last page. Pages are bounded in bytes as well as
 * in events, so that a reply stays below what clients receive by default.
 */
import { HistoryToken } from "../../../gen/wire/perdure/persistence/v1/token.js";
import { invalidArgument } from "../../api/service-error.js";
import { decode, EMPTY_BYTES, encode, Reader } from "../../api/wire.js";
import type { HistoryRange } from "../../core/transition.js";
import type { HistoryService } from "../../history/contract.js";

export const HISTORY_PAGE_BYTES_MAX = 3 << 20;
/** Tag of field 1, length-delimited: what precedes each event in an encoded History. */
const EVENT_TAG = 10;

export interface HistoryPage {
  /** temporal.api.history.v1.History */
  readonly data: Uint8Array;
  /** First event of the next page; undefined when this one is the last. */
  readonly next: number | undefined;
}

export async function readPage(history: HistoryService, range: HistoryRange, fromEventId: number, eventCountMax: number): Promise<HistoryPage> {
  if (fromEventId >= range.endEventId) return { data: EMPTY_BYTES, next: undefined };
  const page = { fromEventId, eventCountMax, bytesMax: HISTORY_PAGE_BYTES_MAX, reverse: false };
  const { data, nextEventId } = await history.readHistory(range, page);
  return { data, next: nextEventId !== undefined && nextEventId < range.endEventId ? nextEventId : undefined };
}

export function append(data: Uint8Array, trailing: Uint8Array | undefined): Uint8Array {
  return trailing === undefined || trailing.length === 0 ? data : Buffer.concat([data, trailing]);
}

export function encodeHistoryToken(token: HistoryToken): Uint8Array {
  return encode(HistoryToken, token);
}

/** @throws ServiceError when the bytes are no token, or one of another run. */
export function decodeHistoryToken(bytes: Uint8Array, runId: string): HistoryToken {
  let token: HistoryToken;
  try {
    token = decode(HistoryToken, bytes);
  } catch {
    throw invalidArgument("Invalid NextPageToken.");
  }
  if (token.runId === "" || token.nextEventId < 0 || token.firstEventId < 0) throw invalidArgument("Invalid NextPageToken.");
  if (runId !== "" && runId !== token.runId) throw invalidArgument("RunId in the request does not match the NextPageToken.");
  return token;
}

/** The last event of an encoded History, still as a History. */
export function lastEvent(data: Uint8Array): Uint8Array {
  const buffer = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const reader = new Reader(buffer);
  let start = 0;
  while (reader.pos < buffer.length) {
    start = reader.pos;
    const tag = reader.tag();
    if (tag === EVENT_TAG) reader.bytes();
    else reader.skip(tag);
  }
  return data.subarray(start);
}
