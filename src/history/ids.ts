/**
 * Run ids and execution keys. A run id is a UUIDv7 greater than every earlier one of this server, because the greatest run id of a
 * workflow id is its current run. Keys are numbers from one counter, taken from the store in blocks.
 */
import { assert } from "../lib/assert.js";
import type { Runtime } from "../lib/runtime.js";
import type { Batch } from "../persistence/batch.js";

export const KEYS_REGISTRY_KIND = "keys";
const BLOCK = 10_000;

export class RunIds {
  private lastMs: number;
  private counter = 0;

  /** `floorMs`: no id may be older, whatever the clock says. */
  constructor(
    private readonly runtime: Runtime,
    floorMs: number,
  ) {
    this.lastMs = floorMs;
  }

  /** `after`: the newest run of the workflow id. An earlier process may have made it by a clock that was ahead of ours. */
  next(after = ""): string {
    const id = this.make();
    if (id > after) return id;
    const ms = Number.parseInt(after.slice(0, 8) + after.slice(9, 13), 16);
    assert(Number.isSafeInteger(ms), "run ids begin with their time");
    this.lastMs = Math.max(this.lastMs, ms) + 1;
    this.counter = 0;
    return this.format();
  }

  private make(): string {
    const ms = Math.floor(this.runtime.nowMicros() / 1000);
    if (ms > this.lastMs) {
      this.lastMs = ms;
      this.counter = 0;
    } else if (++this.counter > 0x3ffff) {
      this.lastMs++;
      this.counter = 0;
    }
    return this.format();
  }

  private format(): string {
    // 48 bits of time, 4 of version, 12 of counter, 2 of variant, 6 more of counter, 56 of chance.
    const time = this.lastMs.toString(16).padStart(12, "0");
    const random = Buffer.from(this.runtime.randomBytes16()).toString("hex");
    const high = (this.counter >>> 6).toString(16).padStart(3, "0");
    const low = (0x80 | (this.counter & 0x3f)).toString(16);
    return `${time.slice(0, 8)}-${time.slice(8)}-7${high}-${low}${random.slice(0, 2)}-${random.slice(2, 14)}`;
  }
}

export class KeyAllocator {
  /** First key that this process gives out: every key in the store is below it. */
  readonly first: number;
  private nextKey: number;
  private end: number;
  /** End of the newest block that is durable. */
  private durableEnd: number;
  private readonly written = new WeakMap<Batch, number>();

  /** `record`: the registry's record of kind "keys", as loaded. */
  constructor(
    record: Uint8Array | undefined,
    private readonly runtime: Runtime,
  ) {
    const stored = record === undefined ? undefined : (JSON.parse(Buffer.from(record).toString()) as { end: number });
    this.first = stored?.end ?? 1;
    this.nextKey = this.first;
    this.end = this.first;
    this.durableEnd = this.first;
  }

  /** Time of the last block that an earlier process took: its ids are not newer by much. */
  static floorMs(record: Uint8Array | undefined): number {
    return record === undefined ? 0 : ((JSON.parse(Buffer.from(record).toString()) as { ms: number }).ms ?? 0);
  }

  next(): number {
    if (this.nextKey >= this.end) this.end = this.nextKey + BLOCK;
    assert(this.nextKey < Number.MAX_SAFE_INTEGER, "keys do not run out");
    return this.nextKey++;
  }

  /** The block in use must be durable with the first row that uses it: repeated until a batch with it is. */
  writeTo(batch: Batch): void {
    if (this.durableEnd >= this.end) return;
    const value = Buffer.from(JSON.stringify({ end: this.end, ms: Math.floor(this.runtime.nowMicros() / 1000) }));
    batch.writeRegistry(KEYS_REGISTRY_KIND, "execution", 1, { op: "put", value });
    this.written.set(batch, this.end);
  }

  durable(batch: Batch): void {
    this.durableEnd = Math.max(this.durableEnd, this.written.get(batch) ?? 0);
  }
}
