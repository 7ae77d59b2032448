import { describe, expect, it } from "vitest";
import { ComputeConfigScalingGroupUpdate } from "../../../gen/wire/temporal/api/compute/v1/config.js";
import { TaskQueueType } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { checkComputeConfig, computeSummary, updatedComputeConfig } from "./compute-config.js";

const update = (scalingGroup: object, paths: string[] = []) =>
  ComputeConfigScalingGroupUpdate.create({ scalingGroup, updateMask: { paths } } as never);
const base = updatedComputeConfig(
  undefined,
  { a: update({ taskQueueTypes: [TaskQueueType.WORKFLOW], provider: { type: "k8s" }, scaler: { type: "no-sync" } }) },
  [],
);

describe("a change of a compute configuration", () => {
  it("adds groups whole, and leaves one that is there alone without a mask", () => {
    expect(base.scalingGroups.a?.provider?.type).toBe("k8s");
    expect(updatedComputeConfig(base, { a: update({ provider: { type: "subprocess" } }) }, [])).toEqual(base);
  });

  it("takes over the masked fields of a group that is there", () => {
    const changed = updatedComputeConfig(
      base,
      { a: update({ provider: { type: "aws-ecs" }, scaler: { type: "rate-based" } }, ["provider.type", "scaler"]) },
      [],
    );
    expect(changed.scalingGroups.a).toMatchObject({
      taskQueueTypes: [TaskQueueType.WORKFLOW],
      provider: { type: "aws-ecs" },
      scaler: { type: "rate-based" },
    });
    expect(base.scalingGroups.a?.provider?.type).toBe("k8s");
  });

  it("removes groups", () => {
    expect(updatedComputeConfig(base, {}, ["a", "none"]).scalingGroups).toEqual({});
  });

  it("refuses a path that it does not know, and a scaler that is masked and missing", () => {
    expect(() => updatedComputeConfig(base, { a: update({}, ["nonsense"]) }, [])).toThrow('unsupported field mask path: "nonsense"');
    expect(() => updatedComputeConfig(base, { a: update({}, ["scaler.type"]) }, [])).toThrow("scaler.type set in field mask, but not provided");
  });
});

describe("a compute configuration", () => {
  const check = (groups: Record<string, object>) => () =>
    checkComputeConfig(updatedComputeConfig(undefined, Object.fromEntries(Object.entries(groups).map(([k, g]) => [k, update(g)])), []));
  const k8s = { provider: { type: "k8s" } };

  it("needs a group, each with a known provider and scaler", () => {
    expect(check({})).toThrow("spec must have at least one entry");
    expect(check({ a: {} })).toThrow("entry a: invalid compute provider type ''");
    expect(check({ a: { ...k8s, scaler: { type: "x" } } })).toThrow("entry a: invalid scaling algorithm type 'x'");
    expect(check({ "": k8s })).toThrow("scaling groups without an ID are not supported");
    expect(check({ a: k8s })).not.toThrow();
  });

  it("gives each type of task to one group", () => {
    const workflow = { ...k8s, taskQueueTypes: [TaskQueueType.WORKFLOW] };
    expect(check({ a: workflow, b: workflow })).toThrow("entry b: task type Workflow appears in more than one entry");
    expect(check({ a: k8s, b: k8s })).toThrow("entry b: only one scaling group can have no task types defined");
    expect(check({ a: { ...k8s, taskQueueTypes: [TaskQueueType.UNSPECIFIED] } })).toThrow("entry a: task type undefined not allowed in compute spec");
  });

  it("is summed up by types and provider", () => {
    expect(computeSummary(base)).toEqual({ scalingGroups: { a: { taskQueueTypes: [TaskQueueType.WORKFLOW], providerType: "k8s" } } });
    expect(computeSummary(undefined)).toBeUndefined();
  });
});
