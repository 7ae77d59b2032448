import { describe, expect, it } from "vitest";
import { Code } from "../api/service-error.js";
import type { Batch } from "../persistence/batch.js";
import { FakeEngine } from "./fake-engine.js";

describe("dispatch", () => {
  it("starts a task for a waiting poller in the batch that makes it, and confirms when durable", async () => {
    const f = new FakeEngine();
    f.dispatcher.isPolled = true;
    f.isHolding = true;
    const started = f.start("w");
    await f.settle();
    expect(f.committed.length).toBe(1);
    expect(f.dispatcher.confirmed.length).toBe(0);
    await f.letGo();
    expect(started.value?.started).toBe(true);
    expect(f.dispatcher.confirmed.length).toBe(1);
    expect(f.dispatcher.stored.length).toBe(0);
    expect(await f.eventTypes("w")).toEqual(["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED"]);
  });

  it("writes five rows and two history batches at most for a start with a poller", async () => {
    const f = new FakeEngine();
    await f.startTask("first");
    f.committed.length = 0;
    await f.startTask("w");
    const rows = f.committed[0] as Batch;
    expect([rows.executions.size, rows.runs.size, rows.dues.size, rows.visibility.size, rows.components.size, rows.registry.size]).toEqual([
      1, 1, 1, 1, 0, 0,
    ]);
  });

  it("stores a task that no poller waits for, and tells matching when that is durable", async () => {
    const f = new FakeEngine();
    f.start("w");
    await f.settle();
    expect(f.dispatcher.stored.length).toBe(1);
    expect(f.dispatcher.settledBatches).toEqual([true]);
  });

  it("releases the poller when the batch is refused", async () => {
    const f = new FakeEngine();
    f.dispatcher.isPolled = true;
    f.verdict = () => "refused";
    const started = f.start("w");
    await f.settle();
    expect(started.error?.code).toBe(Code.INTERNAL);
    expect(f.dispatcher.confirmed.length).toBe(0);
    expect(f.dispatcher.released).toBe(2);
  });

  it("takes a task back whose poller has gone, and offers it again", async () => {
    const f = new FakeEngine();
    f.dispatcher.isPolled = true;
    f.dispatcher.isGone = true;
    f.isHolding = true;
    f.start("w");
    await f.settle();
    f.dispatcher.isPolled = false;
    f.isHolding = false;
    await f.letGo();
    expect(f.dispatcher.confirmed.length).toBe(0);
    expect(f.dispatcher.released).toBe(1);
    expect(f.dispatcher.stored.length).toBe(1);
  });
});
