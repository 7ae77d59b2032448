/** Workers with `workerDeploymentOptions` of the official TypeScript SDK: two versions of one deployment side by side. */
import type { VersioningOverride } from "@temporalio/common";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually, type Suite, startSuite } from "./suite.js";

let s: Suite;
beforeAll(async () => {
  s = await startSuite("versioned-workflows.ts", false);
});
afterAll(async () => s?.end());

/** A deployment with a queue of its own. */
function deployment() {
  const deploymentName = s.id("deployment");
  const taskQueue = s.id("queue");
  const worker = async (buildId: string) => {
    const handle = await s.worker({
      taskQueue,
      activities: { whichBuild: async () => buildId },
      workerDeploymentOptions: { version: { deploymentName, buildId }, useWorkerVersioning: true, defaultVersioningBehavior: "PINNED" },
    });
    await eventually(async () => (await versions()).get(buildId)).toBeDefined();
    return handle;
  };
  const { workflowService } = s.client.connection as { workflowService: (typeof s.client)["connection"]["workflowService"] };
  const namespace = "default";
  const versions = async () => {
    const { workerDeploymentInfo } = await workflowService
      .describeWorkerDeployment({ namespace, deploymentName })
      .catch(() => ({ workerDeploymentInfo: null }));
    return new Map((workerDeploymentInfo?.versionSummaries ?? []).map((v) => [v.deploymentVersion?.buildId ?? "", v.status]));
  };
  return {
    worker,
    versions,
    current: (buildId: string) =>
      workflowService.setWorkerDeploymentCurrentVersion({ namespace, deploymentName, buildId, ignoreMissingTaskQueues: true }),
    ramping: (buildId: string, percentage: number) =>
      workflowService.setWorkerDeploymentRampingVersion({ namespace, deploymentName, buildId, percentage, ignoreMissingTaskQueues: true }),
    start: (name: string, options: Record<string, unknown> = {}) => s.start(name, [], { taskQueue, ...options }),
    pinnedTo: (buildId: string): VersioningOverride => ({ pinnedTo: { deploymentName, buildId } }),
  };
}

describe("two versions of a deployment", () => {
  it("share the work: pinned workflows stay, the others move, new ones begin on the current one", async () => {
    const d = deployment();
    await d.worker("1");
    await d.current("1");
    const pinned = await d.start("pinned");
    const upgrading = await d.start("upgrading");
    for (const h of [pinned, upgrading]) await eventually(() => h.query("seen")).toEqual(["1"]);
    await d.worker("2");
    await d.current("2");
    const late = await d.start("pinned");
    for (const h of [pinned, upgrading]) await h.signal("step");
    await eventually(() => pinned.query("seen")).toEqual(["1", "1"]);
    await eventually(() => upgrading.query("seen")).toEqual(["1", "2"]);
    for (const h of [pinned, upgrading, late]) await h.signal("finish");
    expect(await pinned.result()).toEqual(["1", "1"]);
    expect(await upgrading.result()).toEqual(["1", "2"]);
    expect(await late.result()).toEqual(["2"]);
  });

  it("share new work by the ramp, and an override goes before it", async () => {
    const d = deployment();
    await Promise.all([d.worker("1"), d.worker("2")]);
    await d.current("1");
    await d.ramping("2", 100);
    const ramped = await d.start("pinned");
    const held = await d.start("pinned", { versioningOverride: d.pinnedTo("1") });
    for (const h of [ramped, held]) await h.signal("finish");
    expect(await ramped.result()).toEqual(["2"]);
    expect(await held.result()).toEqual(["1"]);
    await d.ramping("", 0);
    const after = await d.start("pinned");
    await after.signal("finish");
    expect(await after.result()).toEqual(["1"]);
  });

  it("keep a family together: a pinned parent's child runs where the parent does", async () => {
    const d = deployment();
    await Promise.all([d.worker("1"), d.worker("2")]);
    await d.current("2");
    const parent = await d.start("pinnedParent", { versioningOverride: d.pinnedTo("1") });
    expect(await parent.result()).toEqual(["1"]);
  });

  it("wait for their own workers: what is stored goes to the version that is current when they come", async () => {
    const d = deployment();
    const first = await d.worker("1");
    await d.current("1");
    await first.stop();
    const waiting = await Promise.all([d.start("pinned"), d.start("pinned"), d.start("pinned")]);
    await d.worker("2");
    await d.current("2");
    for (const h of waiting) await h.signal("finish");
    expect(await Promise.all(waiting.map((h) => h.result()))).toEqual([["2"], ["2"], ["2"]]);
  });
});
