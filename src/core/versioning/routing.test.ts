/** Where tasks go: what several deployments say of one queue, and what it means for one workflow. */
import { describe, expect, it } from "vitest";
import { WorkerDeploymentRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { RoutingConfig } from "../../../gen/wire/temporal/api/deployment/v1/message.js";
import { TaskQueueType } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { timestampOf } from "../../api/time.js";
import type { Init } from "../../api/wire.js";
import { dispatchTarget, queueVersions, servesQueue, targetOf } from "./routing.js";
import type { Version } from "./version.js";

const QUEUE = "q";
const SECOND = 1_000_000;
const version = (deploymentName: string, buildId: string): Version => ({ deploymentName, buildId });

/** A deployment whose `builds` have polled the queue. */
function deployment(name: string, builds: readonly string[], routingConfig: Init<RoutingConfig> = {}): WorkerDeploymentRecord {
  return WorkerDeploymentRecord.create({
    name,
    routingConfig,
    versions: builds.map((buildId) => ({ buildId, taskQueues: [{ name: QUEUE, type: TaskQueueType.WORKFLOW }] })),
  } as Init<WorkerDeploymentRecord>);
}
const current = (v: Version | undefined, seconds: number, revisionNumber = seconds): Init<RoutingConfig> => ({
  currentDeploymentVersion: v,
  currentVersionChangedTime: timestampOf(seconds * SECOND),
  revisionNumber,
});
const ramping = (v: Version | undefined, percentage: number, seconds: number): Init<RoutingConfig> => ({
  rampingDeploymentVersion: v,
  rampingVersionPercentage: percentage,
  rampingVersionPercentageChangedTime: timestampOf(seconds * SECOND),
});
const of = (...deployments: WorkerDeploymentRecord[]) => queueVersions(deployments, QUEUE, TaskQueueType.WORKFLOW);
const ids = Array.from({ length: 2_000 }, (_, i) => `workflow-${i}`);
const buildOf = (versions: ReturnType<typeof of>, workflowId: string): string | undefined => targetOf(versions, workflowId, false).version?.buildId;

describe("versions of a queue", () => {
  it("are those that have polled it, of that type", () => {
    const d = deployment("d", ["1", "2"]);
    expect(servesQueue(of(d), version("d", "1"))).toBe(true);
    expect(servesQueue(of(d), version("d", "3"))).toBe(false);
    expect(servesQueue(queueVersions([d], QUEUE, TaskQueueType.ACTIVITY), version("d", "1"))).toBe(false);
    expect(servesQueue(queueVersions([d], "other", TaskQueueType.WORKFLOW), version("d", "1"))).toBe(false);
    expect(servesQueue(undefined, version("d", "1"))).toBe(false);
  });
});

describe("a workflow of no version", () => {
  it("goes to workers of none while nothing is current", () => {
    expect(targetOf(undefined, "w", false)).toEqual({ version: undefined, revision: 0 });
    expect(targetOf(of(deployment("d", ["1"])), "w", false).version).toBeUndefined();
  });

  it("goes to the current version of the deployment that was set last, whatever the order of the deployments", () => {
    const older = deployment("older", ["1"], current(version("older", "1"), 10));
    const newer = deployment("newer", ["2"], current(version("newer", "2"), 20));
    for (const all of [of(older, newer), of(newer, older)])
      expect(targetOf(all, "w", false)).toEqual({ version: version("newer", "2"), revision: 20 });
  });

  it("goes to a version that serves the queue before no version, however new that is", () => {
    const serving = deployment("a", ["1"], current(version("a", "1"), 10));
    const none = deployment("b", ["2"], current(undefined, 20));
    expect(buildOf(of(serving, none), "w")).toBe("1");
  });

  it("does not go to a current version that has never polled the queue", () => {
    expect(targetOf(of(deployment("d", ["1"], current(version("d", "9"), 10))), "w", false).version).toBeUndefined();
  });

  it.each([0, 1, 30, 99, 100])("is in a ramp of %i per cent by its id", (percentage) => {
    const versions = of(deployment("d", ["1", "2"], { ...current(version("d", "1"), 10), ...ramping(version("d", "2"), percentage, 20) }));
    const inRamp = ids.filter((id) => buildOf(versions, id) === "2");
    expect(Math.abs(inRamp.length / ids.length - percentage / 100)).toBeLessThan(percentage % 100 === 0 ? 1e-9 : 0.03);
    expect(ids.filter((id) => buildOf(versions, id) === "2")).toEqual(inRamp);
  });

  it("stays in a ramp that grows", () => {
    const at = (percentage: number) =>
      of(deployment("d", ["1", "2"], { ...current(version("d", "1"), 10), ...ramping(version("d", "2"), percentage, 20) }));
    const few = ids.filter((id) => buildOf(at(20), id) === "2");
    const more = new Set(ids.filter((id) => buildOf(at(60), id) === "2"));
    expect(few.every((id) => more.has(id))).toBe(true);
  });

  it("is ramped to workers of no version", () => {
    const versions = of(deployment("d", ["1"], { ...current(version("d", "1"), 10), ...ramping(undefined, 100, 20) }));
    expect(versions.isRamping).toBe(true);
    expect(targetOf(versions, "w", false).version).toBeUndefined();
  });

  it("that asked for the ramping version gets it whatever the percentage", () => {
    const versions = of(deployment("d", ["1", "2"], { ...current(version("d", "1"), 10), ...ramping(version("d", "2"), 0, 20) }));
    expect(targetOf(versions, "w", true).version).toEqual(version("d", "2"));
    expect(targetOf(versions, "w", false).version).toEqual(version("d", "1"));
  });
});

describe("a task of a workflow that runs on a version", () => {
  const versions = of(deployment("d", ["1", "2"], current(version("d", "1"), 10, 5)));
  const task = (v: Version | undefined, revision: number) => dispatchTarget(versions, "w", { version: v, revision, usesRamping: false }).version;

  it("does not go back behind a newer revision of its deployment", () => {
    expect(task(version("d", "2"), 6)).toEqual(version("d", "2"));
    expect(task(version("d", "2"), 5)).toEqual(version("d", "1"));
    expect(task(version("d", "2"), 4)).toEqual(version("d", "1"));
  });

  it("follows the queue to another deployment, whose revisions are numbers of their own", () => {
    expect(task(version("other", "9"), 1_000)).toEqual(version("d", "1"));
  });
});
