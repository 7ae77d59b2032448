import { describe, expect, it } from "vitest";
import { TransferRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import { Code, internal, unavailable } from "../api/service-error.js";
import { decode } from "../api/wire.js";
import { Kind } from "../core/workflow/mutable-state.js";
import { at, FakeEngine, watch } from "./fake-engine.js";

describe("effects on other executions", () => {
  const startChild = {
    commands: [
      {
        commandType: CommandType.START_CHILD_WORKFLOW_EXECUTION,
        attributes: {
          case: "startChildWorkflowExecutionCommandAttributes",
          value: {
            namespace: "default",
            workflowId: "child",
            workflowType: { name: "c" },
            taskQueue: { name: "q" },
            workflowTaskTimeout: { seconds: 10 },
            parentClosePolicy: 1,
          },
        },
      },
    ],
  } as never;
  const transferRows = (f: FakeEngine) => f.store.listComponents(0, Kind.TRANSFER, undefined, 100);

  it("carries them in the batch that causes them, without a row, when both sides are in memory", async () => {
    const f = new FakeEngine();
    const task = await f.startTask("parent");
    f.describe("child");
    await f.settle();
    f.committed.length = 0;
    f.complete(task, startChild);
    await f.settle();
    expect(f.committed.length).toBe(1);
    expect(f.committed[0]?.components.get(0)?.get(Kind.TRANSFER)?.size ?? 0).toBe(0);
    expect(await f.eventTypes("parent")).toContain("CHILD_WORKFLOW_EXECUTION_STARTED");
    expect(await f.eventTypes("child")).toEqual(["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED"]);
  });

  it.each([true, false])("ends with the same histories and no row left (same batch: %s)", async (sameBatch) => {
    const f = new FakeEngine(sameBatch);
    const task = await f.startTask("parent");
    f.complete(task, startChild);
    await f.settle();
    expect(await f.eventTypes("parent")).toContain("CHILD_WORKFLOW_EXECUTION_STARTED");
    expect(await f.eventTypes("child")).toEqual(["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED"]);
    expect(await transferRows(f)).toEqual([]);
  });

  it.each([true, false])("begins no child for a parent that ends with the same task (same batch: %s)", async (sameBatch) => {
    const f = new FakeEngine(sameBatch);
    const task = await f.startTask("parent");
    f.describe("child");
    await f.settle();
    const { commands } = startChild as { commands: object[] };
    const complete = {
      commandType: CommandType.COMPLETE_WORKFLOW_EXECUTION,
      attributes: { case: "completeWorkflowExecutionCommandAttributes", value: {} },
    };
    f.complete(task, { commands: [...commands, complete] } as never);
    await f.settle();
    expect((await f.eventTypes("parent")).slice(-2)).toEqual(["START_CHILD_WORKFLOW_EXECUTION_INITIATED", "WORKFLOW_EXECUTION_COMPLETED"]);
    const child = f.describe("child");
    await f.settle();
    expect(child.error?.code).toBe(Code.NOT_FOUND);
    expect(await transferRows(f)).toEqual([]);
  });

  it("goes on with them after a crash at any commit", async () => {
    for (let crashAfter = 1; crashAfter <= 5; crashAfter++) {
      const f = new FakeEngine(false);
      const task = await f.startTask("parent");
      f.isHolding = true;
      f.complete(task, startChild);
      await f.settle();
      for (let i = 0; i < crashAfter; i++) await f.letGo();
      f.isHolding = false;
      await f.restart();
      await f.settle();
      expect((await f.eventTypes("parent")).filter((t) => t === "CHILD_WORKFLOW_EXECUTION_STARTED")).toHaveLength(1);
      expect(await f.eventTypes("child")).toEqual(["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED"]);
      expect(await transferRows(f)).toEqual([]);
    }
  });

  it.each([
    ["terminates it", 1, ["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_EXECUTION_TERMINATED"]],
    ["lets it go on", 2, ["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED"]],
    ["asks it to cancel", 3, ["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_EXECUTION_CANCEL_REQUESTED"]],
  ])("a child whose parent is deleted before it knows of it: the policy %s", async (_, parentClosePolicy, expected) => {
    const f = new FakeEngine(false);
    const task = await f.startTask("parent");
    f.hook = (input) => {
      if (input.kind !== "start" || input.parent === undefined) return undefined;
      f.terminate("parent");
      watch(f.engine.submit(at("parent"), { kind: "delete" }));
      return undefined;
    };
    const request = structuredClone(startChild) as { commands: { attributes: { value: { parentClosePolicy: number } } }[] };
    for (const command of request.commands) command.attributes.value.parentClosePolicy = parentClosePolicy;
    f.complete(task, request as never);
    await f.settle();
    expect(await f.eventTypes("child")).toEqual(expected);
    expect(await transferRows(f)).toEqual([]);
  });

  it("tries again later with a growing pause, and keeps attempt and error in the row", async () => {
    const f = new FakeEngine(false);
    const task = await f.startTask("parent");
    f.hook = (input) => {
      if (input.kind === "start") throw new Error("bug");
      return undefined;
    };
    f.complete(task, startChild);
    await f.settle();
    const row = (await transferRows(f))[0];
    const record = decode(TransferRecord, row?.value ?? new Uint8Array());
    expect([record.attempt, record.lastError]).toEqual([1, "internal error"]);
    await f.runtime.advance(1_001);
    expect(f.bugs.length).toBe(2);
    await f.runtime.advance(1_001);
    expect(f.bugs.length).toBe(2);
    f.hook = undefined;
    await f.restart();
    expect((await transferRows(f)).length).toBe(1);
    await f.runtime.advance(2_000);
    expect(await transferRows(f)).toEqual([]);
  });
});

describe("the result of an effect", () => {
  const signalOther = {
    commands: [
      {
        commandType: CommandType.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION,
        attributes: {
          case: "signalExternalWorkflowExecutionCommandAttributes",
          value: { namespace: "default", execution: { workflowId: "other" }, signalName: "from-source" },
        },
      },
    ],
  } as never;
  const transferRows = (f: FakeEngine) => f.store.listComponents(0, Kind.TRANSFER, undefined, 100);

  it("is told until the source has taken it, and the effect happens once", async () => {
    const f = new FakeEngine(false);
    f.start("other");
    await f.settle();
    const task = await f.startTask("source");
    f.hook = (input) => (input.kind === "externalSignaled" ? { outcome: "error", error: internal("not now") } : undefined);
    f.complete(task, signalOther);
    await f.settle();
    expect((await transferRows(f)).length).toBe(1);
    f.hook = undefined;
    await f.runtime.advance(1_001);
    expect(await transferRows(f)).toEqual([]);
    expect(await f.signalNames("other")).toEqual(["from-source"]);
    expect(await f.eventTypes("source")).toContain("EXTERNAL_WORKFLOW_EXECUTION_SIGNALED");
  });

  it("ends with the row when the source has gone", async () => {
    const f = new FakeEngine(false);
    f.start("other");
    await f.settle();
    const task = await f.startTask("source");
    f.hook = (input) => (input.kind === "signal" ? { outcome: "error", error: unavailable("not now") } : undefined);
    f.complete(task, signalOther);
    await f.settle();
    watch(f.engine.submit(at("source"), { kind: "delete" }));
    await f.settle();
    f.hook = undefined;
    await f.runtime.advance(1_001);
    expect(await transferRows(f)).toEqual([]);
  });
});
