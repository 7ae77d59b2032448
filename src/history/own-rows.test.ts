import { describe, expect, it } from "vitest";
import { Code } from "../api/service-error.js";
import { FakeEngine, watch } from "./fake-engine.js";

describe("rows that no input makes", () => {
  it("tells registries that the disk is full, or that the store did not take their rows", async () => {
    const f = new FakeEngine();
    for (const [verdict, code, message] of [
      ["full", Code.RESOURCE_EXHAUSTED, "the disk is full"],
      ["refused", Code.UNAVAILABLE, "the store did not take the change"],
    ] as const) {
      f.verdict = () => verdict;
      const written = watch(f.engine.rows.commit((rows) => rows.writeRegistry("kind", "id", 1, { op: "put", value: new Uint8Array(1) })));
      await f.settle();
      expect(written.error).toMatchObject({ code, message });
    }
  });

  it("writes rows of the shell that came while two batches were in flight", async () => {
    const f = new FakeEngine();
    f.isHolding = true;
    f.start("a");
    await f.settle();
    f.start("b");
    await f.settle();
    const written = watch(f.engine.rows.commitSurely((rows) => rows.writeRegistry("k", "id", 1, { op: "put", value: new Uint8Array(1) })));
    await f.settle();
    f.isHolding = false;
    await f.letGo();
    await f.letGo();
    expect(written.isSettled).toBe(true);
  });
});
