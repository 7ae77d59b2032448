import { describe, expect, it } from "vitest";
import { Code } from "../api/service-error.js";
import { FakeEngine } from "./fake-engine.js";

describe("a bug of the core", () => {
  it("answers INTERNAL, reports the input, and leaves the workflow as it was", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    f.hook = (input) => {
      if (input.kind === "signal" && input.request.signalName === "boom") throw new Error("bug");
      return undefined;
    };
    const before = f.signal("w", "before");
    const boom = f.signal("w", "boom");
    const after = f.signal("w", "after");
    await f.settle();
    expect(boom.error?.code).toBe(Code.INTERNAL);
    expect(boom.error?.message).toBe("internal error");
    expect(f.bugs.map((b) => b.kind)).toEqual(["signal"]);
    expect(before.value).toBeDefined();
    expect(after.value).toBeDefined();
    expect(await f.signalNames("w")).toEqual(["before", "after"]);
  });

  it("takes no input for the workflow until the batch before it has settled", async () => {
    const f = new FakeEngine();
    f.isHolding = true;
    f.hook = (input) => {
      if (input.kind === "signal" && input.request.signalName === "boom") throw new Error("bug");
      return undefined;
    };
    f.start("w");
    const boom = f.signal("w", "boom");
    f.signal("w", "after");
    await f.settle();
    expect(boom.isSettled).toBe(false);
    expect(f.committed.length).toBe(1);
    await f.letGo();
    expect(boom.error?.code).toBe(Code.INTERNAL);
    expect(f.committed.length).toBe(2);
  });

  it("does not hold the workflow for ever when that batch is refused", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    let refusals = 1;
    f.verdict = () => (refusals-- > 0 ? "refused" : "ok");
    f.hook = (input) => {
      if (input.kind === "signal" && input.request.signalName === "boom") throw new Error("bug");
      return undefined;
    };
    f.signal("w", "before");
    const boom = f.signal("w", "boom");
    const after = f.signal("w", "after");
    await f.settle();
    expect(boom.error?.code).toBe(Code.INTERNAL);
    expect(after.value).toBeDefined();
    expect((await f.signalNames("w")).sort()).toEqual(["after", "before"]);
  });
});

describe("the present", () => {
  it("never lets time go back", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    f.runtime.now -= 3_600_000_000;
    f.signal("w", "s");
    await f.settle();
    const times = (await f.events("w")).map((e) => e.eventTime?.seconds ?? 0);
    expect([...times].sort((a, b) => a - b)).toEqual(times);
  });
});
