import { beforeEach, expect, test } from "vitest";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld, tokenOf } from "../../../test/harness/core-world.js";
import { EMPTY_STATE_BYTES, fullStateSize } from "./state-size.js";

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
});

const size = () => {
  const state = world.run("w");
  // What transitions added up is what there is.
  expect(state.stateSizeBytes).toBe(fullStateSize(state));
  return state.stateSizeBytes;
};

test("the size follows what comes and goes, transition by transition", () => {
  world.start("w", { memo: { fields: { m: c.payload("x".repeat(500)) } } });
  const begun = size();
  expect(begun).toBeGreaterThan(EMPTY_STATE_BYTES + 500);
  world.answer([c.activity("a"), c.timer("t", 1), c.child("k"), c.signalExternal("o"), c.memo({ n: "y".repeat(300) })]);
  const busy = size();
  expect(busy).toBeGreaterThan(begun + 300);
  const activity = world.activityTask();
  const started = size();
  world.submit<"heartbeatActivity">(world.address("w"), {
    kind: "heartbeatActivity",
    activity: { by: "token", token: tokenOf(activity) },
    details: new Uint8Array(4000),
    identity: "worker",
  });
  expect(size()).toBeGreaterThanOrEqual(started + 4000);
  world.submit<"completeActivity">(world.address("w"), {
    kind: "completeActivity",
    activity: { by: "token", token: tokenOf(activity) },
    result: undefined,
    identity: "worker",
  });
  expect(size()).toBeLessThan(started);
  world.advance(2 * c.MICROS);
  world.answer();
  expect(size()).toBeLessThan(started);
});

test("events that wait for a workflow task are part of it, until they are written", () => {
  world.start();
  const before = size();
  const task = world.task();
  for (let i = 0; i < 3; i++) world.signal("s", "w", { input: new Uint8Array(1000) });
  expect(size()).toBeGreaterThan(before + 3000);
  world.failTask(task);
  expect(size()).toBeLessThan(before + 1000);
});
