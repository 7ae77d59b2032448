import { describe, expect, it } from "vitest";
import { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { Code, type ServiceError } from "../api/service-error.js";
import { encode } from "../api/wire.js";
import type { HistoryRange } from "../core/transition.js";
import { Batch } from "../persistence/batch.js";
import { MemoryStore } from "../persistence/memory/store.js";
import { EventsCache } from "./events-cache.js";
import { decodeFramed, frameOffsets, HistoryReader } from "./history-reader.js";

const END = Number.MAX_SAFE_INTEGER;

/** `sizes`: events per batch. */
function batchesOf(branch: number, firstEventId: number, sizes: readonly number[]) {
  let id = firstEventId;
  return sizes.map((n) => {
    const first = id;
    const framed = Array.from({ length: n }, () => frame(id++));
    return { branch, firstEventId: first, data: Buffer.concat(framed) };
  });
}
function frame(eventId: number): Uint8Array {
  // Some are longer than one length byte can say.
  const bytes = encode(HistoryEvent, {
    eventId,
    attributes: { case: "markerRecordedEventAttributes", value: { markerName: "m".repeat(eventId % 3 === 0 ? 300 : 1) } },
  } as never);
  return Buffer.concat([Buffer.from([10]), varint(bytes.length), bytes]);
}
const varint = (n: number): Buffer => (n < 128 ? Buffer.from([n]) : Buffer.from([(n & 127) | 128, n >> 7]));

/** A run that shares events 1 to 5 with branch 1 and goes on in branch 2 up to 12. */
async function reader(cached: boolean, lost?: number): Promise<{ read: HistoryReader; store: MemoryStore; range: HistoryRange }> {
  const store = new MemoryStore();
  const cache = new EventsCache(() => (cached ? 1 << 20 : 0));
  const batch = new Batch();
  for (const b of [...batchesOf(1, 1, [2, 3, 4]), ...batchesOf(2, 6, [1, 3, 2, 1])]) {
    if (b.firstEventId === lost) continue;
    batch.appendHistory(b.branch, b.firstEventId, b.data);
    cache.append(b);
  }
  batch.putExecution(2, 1, new Uint8Array(1), true);
  await store.commit(batch);
  return {
    read: new HistoryReader(store, cache),
    store,
    range: {
      runKey: 2,
      segments: [
        { branch: 1, endEventId: 6 },
        { branch: 2, endEventId: END },
      ],
      fromEventId: 1,
      endEventId: 13,
    },
  };
}
const ids = (data: Uint8Array): number[] => {
  const offsets = frameOffsets(data);
  return offsets.slice(0, -1).map((o, i) => decodeFramed(data.subarray(o, offsets[i + 1])).eventId);
};
const upTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe.each([true, false])("history (in memory: %s)", (cached) => {
  it.each([1, 2, 3, 5, 100])("is read whole over pages of %i events", async (eventCountMax) => {
    const { read, range } = await reader(cached);
    const out: number[] = [];
    for (let from: number | undefined = 1; from !== undefined; ) {
      const page = await read.read(range, { fromEventId: from, eventCountMax, bytesMax: 1 << 20, reverse: false });
      out.push(...ids(page.data));
      from = page.nextEventId;
    }
    expect(out).toEqual(upTo(1, 12));
  });

  it.each([1, 2, 5, 100])("is read backward over pages of %i events", async (eventCountMax) => {
    const { read, range } = await reader(cached);
    const out: number[] = [];
    for (let from: number | undefined = 0; from !== undefined; ) {
      const page = await read.read(range, { fromEventId: from, eventCountMax, bytesMax: 1 << 20, reverse: true });
      expect(ids(page.data).length).toBeLessThanOrEqual(eventCountMax);
      out.push(...ids(page.data));
      from = page.nextEventId;
    }
    expect(out).toEqual(upTo(1, 12).reverse());
  });

  it("ends with the range, also in the middle of a batch", async () => {
    const { read, range } = await reader(cached);
    const page = { eventCountMax: 100, bytesMax: 1 << 20 };
    expect(ids((await read.read({ ...range, endEventId: 9 }, { ...page, fromEventId: 1, reverse: false })).data)).toEqual(upTo(1, 8));
    expect(ids((await read.read({ ...range, endEventId: 9 }, { ...page, fromEventId: 0, reverse: true })).data)).toEqual(upTo(1, 8).reverse());
    expect(ids((await read.read({ ...range, fromEventId: 4 }, { ...page, fromEventId: 1, reverse: false })).data)).toEqual(upTo(4, 12));
  });

  it("is cut by bytes", async () => {
    const { read, range } = await reader(cached);
    const page = await read.read(range, { fromEventId: 1, eventCountMax: 100, bytesMax: 1, reverse: false });
    expect(ids(page.data)).toEqual([1, 2]);
    expect(page.nextEventId).toBe(3);
  });

  it("gives single events of either branch", async () => {
    const { read, range } = await reader(cached);
    for (const eventId of upTo(1, 12)) expect((await read.event({ segments: range.segments, eventId }))?.eventId).toBe(eventId);
    expect(await read.event({ segments: range.segments, eventId: 13 })).toBeUndefined();
  });
});

it("is the bytes that were stored", async () => {
  const { read, range } = await reader(false);
  const { data } = await read.read(range, { fromEventId: 1, eventCountMax: 100, bytesMax: 1 << 20, reverse: false });
  expect(Buffer.compare(Buffer.from(data), Buffer.concat(upTo(1, 12).map(frame)))).toBe(0);
});

it("reads for a page backward the rows that it shows, however many are before them", async () => {
  const { read, store, range } = await reader(false);
  const rows: number[] = [];
  const readHistory = store.readHistory.bind(store);
  store.readHistory = async (...arguments_) => {
    const found = await readHistory(...arguments_);
    rows.push(...found.map((b) => b.firstEventId));
    return found;
  };
  const page = await read.read(range, { fromEventId: 0, eventCountMax: 3, bytesMax: 1 << 20, reverse: true });
  expect(ids(page.data)).toEqual([12, 11, 10]);
  expect(rows).toEqual([12, 10]);
});

it.each([false, true])("never passes over a gap (reverse: %s)", async (reverse) => {
  const { read, range } = await reader(false, 7);
  const page = { fromEventId: reverse ? 0 : 1, eventCountMax: 100, bytesMax: 1 << 20, reverse };
  await expect(read.read(range, page)).rejects.toThrow("gaps");
});

it("answers NotFound for a run that was deleted meanwhile", async () => {
  const { read, store, range } = await reader(false, 7);
  const batch = new Batch();
  batch.deleteExecution(2, 1);
  await store.commit(batch);
  const error = (await read
    .read(range, { fromEventId: 1, eventCountMax: 100, bytesMax: 1 << 20, reverse: false })
    .catch((e: unknown) => e)) as ServiceError;
  expect(error.code).toBe(Code.NOT_FOUND);
});

describe("the events cache", () => {
  it("forgets the least used branch first, and stays within its bytes", () => {
    const cache = new EventsCache(() => 2_500);
    for (let branch = 1; branch <= 3; branch++) cache.append({ branch, firstEventId: 1, data: new Uint8Array(500) });
    cache.read(1, 1, 2);
    cache.append({ branch: 4, firstEventId: 1, data: new Uint8Array(500) });
    expect(cache.read(2, 1, 2)).toBeUndefined();
    expect(cache.read(1, 1, 2)).toHaveLength(1);
  });

  it("keeps bytes of its own, whatever they were encoded beside", () => {
    const cache = new EventsCache(() => 1 << 20);
    const beside = new Uint8Array(100_000);
    const batches = [10, 5_000, 20].map((size, i) => ({ branch: 1, firstEventId: 1 + i, data: beside.subarray(i, i + size).fill(i + 1) }));
    for (const b of batches) cache.append({ ...b, data: Uint8Array.from(b.data) });
    for (const b of batches) cache.append({ ...b, branch: 2 });
    const [small, , last] = cache.read(2, 1, 4) ?? [];
    expect(small?.data.buffer).not.toBe(beside.buffer);
    expect(last?.data.buffer).toBe(small?.data.buffer);
    expect(cache.read(2, 1, 4)?.map((b) => Buffer.from(b.data))).toEqual(batches.map((b) => Buffer.from(b.data)));
  });

  it("does not answer for events before the first batch that it knows", () => {
    const cache = new EventsCache(() => 10_000);
    for (const b of batchesOf(1, 5, [2, 2, 2])) cache.append(b);
    expect(cache.read(1, 4, 9)).toBeUndefined();
    expect(cache.read(1, 6, 8)?.map((b) => b.firstEventId)).toEqual([5, 7]);
    expect(cache.read(1, 10, 11)?.map((b) => b.firstEventId)).toEqual([9]);
  });
});
