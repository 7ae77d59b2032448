import { expect, it } from "vitest";
import { UpdateWorkflowExecutionOptionsRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld } from "../../../test/harness/core-world.js";

it("a timer that is late fires before time is skipped to what comes after it", () => {
  const world = new CoreWorld();
  const enable = (enabled: boolean) =>
    world.submit<"updateOptions">(world.address("w"), {
      kind: "updateOptions",
      request: UpdateWorkflowExecutionOptionsRequest.create({
        updateMask: { paths: ["time_skipping_config"] },
        workflowExecutionOptions: { timeSkippingConfig: { enabled } },
      }),
    });
  world.start("w", { workflowRunTimeout: c.seconds(60), timeSkippingConfig: { enabled: false } });
  world.answer([c.timer("t", 5)]);
  // The server was away, or its store took nothing: what is due has not been looked at.
  world.now += 20 * c.MICROS;
  enable(true);
  expect(world.types("w").filter((type) => type.includes("TIME_SKIPPING"))).toEqual([]);
  world.advance(0);
  expect(world.types("w").at(-2)).toBe("TIMER_FIRED");
  world.answer([]);
  expect(world.types("w")).toContain("WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED");
});

it("waits for another row than the one that has fired when time is skipped to what comes next", () => {
  const world = new CoreWorld();
  world.start("w", { timeSkippingConfig: { enabled: true, maxSessionSkipCount: 10 } });
  world.answer([c.activity("a", { heartbeatTimeout: c.seconds(5), retryPolicy: { initialInterval: c.seconds(1) } })]);
  world.activityTask();
  const { due } = world.run("w").info;
  world.now = due;
  world.submit(world.address("w"), { kind: "due" });
  expect(world.types("w").at(-1)).toBe("WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED");
  // In real time the next attempt is due at the moment at which the attempt before it was.
  expect(world.run("w").info.due).toBe(due + 1);
  world.advance(1);
  expect(world.activityTask().response.attempt).toBe(2);
});

it.each([
  ["a timer", (world: CoreWorld) => void world.answer([c.timer("t", 5)]), {}],
  ["its first workflow task", () => undefined, { workflowStartDelay: c.seconds(5) }],
] as const)("skips nothing to %s that is due, whatever else is written at that moment", (_, begin, start) => {
  const world = new CoreWorld();
  world.start("w", { ...start, timeSkippingConfig: { enabled: true, maxSessionSkipCount: 10 } });
  begin(world);
  const before = world.types("w");
  expect(before.at(-1)).toBe("WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED");
  // The row of what is due has not fired yet.
  world.submit(world.address("w"), { kind: "refreshTasks" });
  expect(world.types("w")).toEqual(before);
  expect(world.run("w").timeSkipping?.skipCount).toBe(1);
  world.advance(0);
  expect(world.types("w").length).toBeGreaterThan(before.length);
});
