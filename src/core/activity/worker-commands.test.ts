import { expect, it } from "vitest";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld, tokenOf } from "../../../test/harness/core-world.js";
import type { Poller } from "../input.js";
import { OutboundKind } from "../outbound.js";

class World extends CoreWorld {
  control: string | undefined = "control";

  override poller(taskQueue: string): Poller {
    return { ...super.poller(taskQueue), controlTaskQueue: this.control };
  }
}

const rows = (w: World) => [...w.outbound.values()].filter((r) => r.kind === OutboundKind.WORKER_COMMANDS);
/** What is told, if the one row is asked now. */
const told = (w: World) => {
  const [r] = rows(w);
  const input = { kind: "workerCommands" as const, controlTaskQueue: r?.destination ?? "", completedEventId: r?.componentId ?? 0 };
  return w.submit<"workerCommands">(w.address("w", r?.runId), input)?.cancel.map((t) => Buffer.from(t).toString("hex"));
};
const hex = (b: Uint8Array | undefined) => Buffer.from(b ?? []).toString("hex");

const cancel = (w: World, ...ids: number[]) => {
  w.signal("cancel");
  w.complete(w.task(), ids.map(c.cancelActivity));
};

it("names the task that runs, until it has ended", () => {
  const w = new World();
  w.running([c.activity("a")]);
  const task = w.activityTask();
  cancel(w, 5);
  expect(told(w)).toEqual([hex(task.response.taskToken)]);
  w.submit(w.address("w"), { kind: "completeActivity", activity: { by: "token", token: tokenOf(task) }, result: undefined, identity: "worker" });
  expect(told(w)).toBeUndefined();
});

it("is nothing when the setting is off, or the worker takes no commands", () => {
  const off = new World();
  off.limit({ activityCancelCommands: false });
  off.running([c.activity("a")]);
  off.activityTask();
  cancel(off, 5);
  const without = new World();
  without.control = undefined;
  without.running([c.activity("a")]);
  without.activityTask();
  cancel(without, 5);
  expect([rows(off), rows(without)]).toEqual([[], []]);
});

it("goes to the worker that has the task, not to one that it did not reach", () => {
  const w = new World();
  w.running([c.activity("a")]);
  const lost = w.activityTask();
  w.submit(w.address("w"), { kind: "undelivered", task: "activity", scheduledEventId: 5, nonce: lost.nonce });
  w.control = undefined;
  w.activityTask();
  cancel(w, 5);
  expect(rows(w)).toEqual([]);
});

it("is of the activities that are asked to end, no others", () => {
  const w = new World();
  w.running([c.activity("a"), c.activity("b"), c.activity("d")]);
  const tasks = [w.activityTask(), w.activityTask(), w.activityTask()];
  cancel(w, 5, 7);
  expect(rows(w).length).toBe(1);
  expect(told(w)).toEqual([hex(tasks[0]?.response.taskToken), hex(tasks[2]?.response.taskToken)]);
});
