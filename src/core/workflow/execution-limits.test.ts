import { beforeEach, describe, expect, it } from "vitest";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld, tokenOf } from "../../../test/harness/core-world.js";

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
});

const COUNT = "Workflow history count exceeds limit.";
const last = () => world.types().at(-1);

describe("a run that passes a limit", () => {
  it("leaves nothing of the completion that passed it", () => {
    world.start();
    const task = world.task();
    world.limit({ historyEventsMax: 6 });
    world.tasks.length = 0;
    expect(() => world.complete(task, [c.activity("a"), c.child("k"), c.timer("t", 1), c.memo({ m: 1 })])).toThrow(COUNT);
    expect(world.types().slice(3)).toEqual(["WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_TERMINATED"]);
    const state = world.run("w");
    expect([state.activities.base.size, state.children.base.size, state.timers.base.size, state.memo]).toEqual([0, 0, 0, undefined]);
    expect([world.tasks, world.transfers]).toEqual([[], []]);
  });

  it("ends when a timer fires, too", () => {
    world.running([c.timer("t", 1)]);
    world.limit({ historyEventsMax: world.types().length });
    expect(() => world.advance(2 * c.MICROS)).toThrow(COUNT);
    expect(last()).toBe("WORKFLOW_EXECUTION_TERMINATED");
    world.advance(10 * c.MICROS);
    expect(last()).toBe("WORKFLOW_EXECUTION_TERMINATED");
  });

  it("tells its parent", () => {
    world.running([c.child("k", { parentClosePolicy: 1 })]);
    world.settle();
    world.task("k");
    world.limit({ historyEventsMax: 3 });
    expect(() => world.signal("s", "k")).not.toThrow();
    expect(() => world.signal("s", "k")).not.toThrow();
    world.limit({ historyEventsMax: 2 });
    expect(() => world.signal("s", "k")).toThrow(COUNT);
    world.limit({ historyEventsMax: 1000 });
    world.settle();
    expect(world.types()).toContain("CHILD_WORKFLOW_EXECUTION_TERMINATED");
  });

  it("may still be described, queried, terminated and started anew", () => {
    world.running();
    world.limit({ historyEventsMax: 2 });
    expect(() => world.submit(world.address("w"), { kind: "describe" })).not.toThrow();
    expect(() => world.submit(world.address("w"), { kind: "historyPosition" })).not.toThrow();
    expect(() => world.start("w", { workflowIdConflictPolicy: 3 })).not.toThrow();
    expect(world.runs()).toHaveLength(2);
  });

  it("may end by continuing as new", () => {
    world.running();
    world.signal("s");
    const task = world.task();
    world.limit({ historyEventsMax: 5 });
    world.complete(task, [c.continueAsNew()]);
    expect(world.runs()).toHaveLength(2);
  });
});

describe("events that are too large for one transaction", () => {
  it("of a completion end the run, and commands behind those that are too many are not looked at", () => {
    world.start();
    const task = world.task();
    world.limit({ transactionSizeBytesMax: 2000 });
    const refused = c.activity("");
    expect(() => world.complete(task, [...new Array(101).fill(c.marker("m")), refused])).toThrow(/^transaction size of \d+ bytes exceeds limit/);
    expect(last()).toBe("WORKFLOW_EXECUTION_TERMINATED");
  });

  it("of an activity's result are refused, and the activity stays", () => {
    world.running([c.activity("a")]);
    const task = world.activityTask();
    const complete = (bytes: number) =>
      world.submit<"completeActivity">(world.address("w"), {
        kind: "completeActivity",
        activity: { by: "token", token: tokenOf(task) },
        result: new Uint8Array(bytes),
        identity: "worker",
      });
    world.limit({ transactionSizeBytesMax: 2000 });
    const before = world.types();
    expect(() => complete(3000)).toThrow(/^transaction size of \d+ bytes exceeds limit of 2000 bytes$/);
    expect(world.types()).toEqual(before);
    complete(100);
    expect(world.types()).toContain("ACTIVITY_TASK_COMPLETED");
  });

  it("are written when a workflow task that they waited for fails", () => {
    world.start();
    const task = world.task();
    for (let i = 0; i < 3; i++) world.signal("s", "w", { input: new Uint8Array(1000) });
    world.limit({ transactionSizeBytesMax: 2000 });
    world.failTask(task);
    expect(world.types().filter((t) => t === "WORKFLOW_EXECUTION_SIGNALED")).toHaveLength(3);
  });
});
