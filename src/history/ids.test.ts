import { describe, expect, it } from "vitest";
import { FakeRuntime } from "../lib/fake-runtime.js";
import { Batch } from "../persistence/batch.js";
import { KEYS_REGISTRY_KIND, KeyAllocator, RunIds } from "./ids.js";

describe("run ids", () => {
  it("are UUIDs of version 7, each greater than the one before, whatever the clock does", () => {
    const runtime = new FakeRuntime();
    const ids = new RunIds(runtime, 0);
    let last = "";
    for (let i = 0; i < 300_000; i++) {
      if (i % 1_000 === 0) runtime.now += i % 3_000 === 0 ? -50_000 : 20_000;
      const id = ids.next();
      if (!(id > last)) expect(id > last).toBe(true);
      last = id;
    }
    expect(last).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("are greater than the newest run of the workflow id", () => {
    const runtime = new FakeRuntime();
    const ahead = new RunIds(runtime, 0);
    runtime.now += 3_600_000_000;
    const newest = ahead.next();
    runtime.now -= 7_200_000_000;
    const ids = new RunIds(runtime, 0);
    expect(ids.next() > newest).toBe(false);
    const next = ids.next(newest);
    expect(next > newest).toBe(true);
    expect(ids.next() > next).toBe(true);
  });
});

describe("execution keys", () => {
  const record = (batch: Batch): Uint8Array | undefined => {
    const row = batch.registry.get(KEYS_REGISTRY_KIND)?.get("execution")?.write;
    return row === undefined || row.op === "delete" ? undefined : row.value;
  };

  it("are never given out again by a later process", () => {
    const runtime = new FakeRuntime();
    const first = new KeyAllocator(undefined, runtime);
    const last = Array.from({ length: 25_000 }, () => first.next()).at(-1) as number;
    const batch = new Batch();
    first.writeTo(batch);
    expect(new KeyAllocator(record(batch), runtime).next()).toBeGreaterThan(last);
  });

  it("are written with every batch until one with the block is durable", () => {
    const keys = new KeyAllocator(undefined, new FakeRuntime());
    keys.next();
    const [a, b, c] = [new Batch(), new Batch(), new Batch()];
    keys.writeTo(a);
    keys.writeTo(b);
    expect([a, b].every((x) => record(x) !== undefined)).toBe(true);
    keys.durable(b);
    keys.writeTo(c);
    expect(record(c)).toBeUndefined();
  });

  it("are not taken as written because an older block is", () => {
    const keys = new KeyAllocator(undefined, new FakeRuntime());
    keys.next();
    const older = new Batch();
    keys.writeTo(older);
    for (let i = 0; i < 10_000; i++) keys.next();
    keys.durable(older);
    const newer = new Batch();
    keys.writeTo(newer);
    expect(record(newer)).toBeDefined();
  });
});
