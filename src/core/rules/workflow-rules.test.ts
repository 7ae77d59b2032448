import { beforeEach, describe, expect, it } from "vitest";
import { WorkflowRule, WorkflowRuleSpec } from "../../../gen/wire/temporal/api/rules/v1/message.js";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld, tokenOf } from "../../../test/harness/core-world.js";
import { timestampOf } from "../../api/time.js";
import type { Init } from "../../api/wire.js";
import { matches } from "./predicate.js";

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
});

const spec = (predicate: string, more: Init<WorkflowRuleSpec> = {}): WorkflowRuleSpec =>
  WorkflowRuleSpec.create({
    id: "rule",
    trigger: { case: "activityStart", value: { predicate } },
    actions: [{ variant: { case: "activityPause", value: {} } }],
    ...more,
  } as Init<WorkflowRuleSpec>);
const rules = (...specs: WorkflowRuleSpec[]) => {
  Object.assign(world.namespace, {
    workflowRules: specs.map((s) => WorkflowRule.create({ spec: s, description: "why", createdByIdentity: "operator" } as Init<WorkflowRule>)),
  });
};
const trigger = (s: WorkflowRuleSpec) => world.submit<"triggerRule">(world.address("w"), { kind: "triggerRule", spec: s });
const pending = () => world.submit<"describe">(world.address("w"), { kind: "describe" })?.pendingActivities;

describe("a rule of the namespace", () => {
  it("pauses the activities that fit it when they are about to start", () => {
    rules(spec("ActivityType = 'Held'"));
    world.running([c.activity("a", { activityType: { name: "Held" } }), c.activity("b")]);
    expect(world.activityTask().response.activityId).toBe("b");
    expect(world.takeActivity("w")).toBeUndefined();
    expect(pending()?.[0]).toMatchObject({
      activityId: "a",
      paused: true,
      pauseInfo: { pausedBy: { case: "rule", value: { ruleId: "rule", identity: "operator", reason: "why" } } },
    });
  });

  it("pauses an activity between two attempts", () => {
    rules(spec("ActivityType = 'A' AND Attempts >= 2"));
    world.running([c.activity("a", { retryPolicy: { initialInterval: c.seconds(1) } })]);
    for (const attempt of [1, 2]) {
      const task = world.activityTask();
      expect(task.response.attempt).toBe(attempt);
      const failure = c.applicationFailure("no");
      world.submit(world.address("w"), {
        kind: "failActivity",
        activity: { by: "token", token: tokenOf(task) },
        failure,
        lastHeartbeatDetails: undefined,
        identity: "",
      });
      world.advance(5 * c.MICROS);
    }
    expect(world.takeActivity("w")).toBeUndefined();
    expect(pending()?.[0]).toMatchObject({ paused: true, attempt: 3 });
  });

  it("does nothing when the workflow does not fit, when it has expired, or when it makes no sense", () => {
    rules(
      spec("ActivityType = 'A'", { visibilityQuery: "WorkflowType = 'Other'" }),
      spec("ActivityType = 'A'", { expirationTime: timestampOf(world.now - 1) }),
      spec("NoSuchField = 'A'"),
      spec("("),
      spec(""),
    );
    world.running([c.activity("a")]);
    expect(world.activityTask().response.activityId).toBe("a");
  });

  it("asks for the workflow by type, id, status and start", () => {
    const since = new Date(world.now / 1000 - 1000).toISOString();
    rules(
      spec("ActivityId = 'a'", {
        visibilityQuery: `WorkflowType = 'T' AND WorkflowId STARTS_WITH 'w' AND ExecutionStatus = 'Running' AND StartTime > '${since}'`,
      }),
    );
    world.running([c.activity("a")]);
    expect(world.takeActivity("w")).toBeUndefined();
  });
});

describe("a rule that is triggered", () => {
  it("pauses what is pending now, and says whether it did", () => {
    world.running([c.activity("a"), c.activity("b", { activityType: { name: "B" } })]);
    expect(trigger(spec("ActivityType = 'None'"))).toEqual({ applied: false });
    expect(trigger(spec("ActivityType = 'B'"))).toEqual({ applied: true });
    expect(world.activityTask().response.activityId).toBe("a");
    expect(world.takeActivity("w")).toBeUndefined();
  });

  it("is refused when it makes no sense, and changes nothing", () => {
    world.running([c.activity("a")]);
    const before = world.snapshot();
    expect(() => trigger(spec("NoSuchField = 'A'"))).toThrow("unknown or unsupported search field: NoSuchField");
    expect(world.snapshot()).toEqual(before);
  });
});

describe("a predicate", () => {
  const fields = {
    Name: { kind: "text", value: "abc" },
    Status: { kind: "word", value: "Running" },
    Count: { kind: "number", value: 5 },
    At: { kind: "time", value: 1_700_000_000_000_000 },
    Absent: { kind: "none" },
  } as const;

  it.each([
    ["Name = 'abc'", true],
    ["Name != 'abc'", false],
    ["Name STARTS_WITH 'ab'", true],
    ["Name NOT STARTS_WITH 'ab'", false],
    ["Name = 'x' OR (Count > 4 AND Count <= 5)", true],
    ["Count < 5", false],
    ["Count >= 5 AND Count != 6", true],
    ["At > '2023-01-01T00:00:00Z'", true],
    ["At BETWEEN '2023-01-01T00:00:00Z' AND '2024-01-01T00:00:00Z'", true],
    ["At NOT BETWEEN '2023-01-01T00:00:00Z' AND '2024-01-01T00:00:00Z'", false],
    ["Absent > 1", false],
  ])("%s is %s", (predicate, expected) => {
    expect(matches(predicate, fields)).toBe(expected);
  });

  it.each([
    "",
    "Name = 5",
    "Name = ''",
    "Name > 'a'",
    "Status STARTS_WITH 'R'",
    "Count = 'x'",
    "Count = 1.5",
    "At = 'today'",
    "Nothing = 'x'",
    "Name IS NULL",
    "NOT Name = 'a'",
    "Name IN ('a')",
    "Count",
    "Name BETWEEN 'a' AND 'b'",
  ])("%j is refused", (predicate) => {
    expect(() => matches(predicate, fields)).toThrow();
  });
});
