/** Worker deployments: what is set of them outlives the process; compute configurations, which the official server keeps for a cloud only; queues that a version lacks. */
import { afterEach, expect, it } from "vitest";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { CoreSubject } from "../conformance/core-subject.js";
import { payloads, Session } from "../conformance/session.js";
import { current, deployment, describeVersion, ramping, register, version } from "../conformance/worker-versions.js";

let core: CoreSubject | undefined;
afterEach(() => core?.close());
async function open(store = new MemoryStore(), names: Partial<Pick<Session, "id" | "queue">> = {}): Promise<Session> {
  core?.close();
  core = await CoreSubject.open(store, Object.keys(names).length + 1);
  return Object.assign(new Session(core), names);
}
const describeDeployment = async (s: Session) => (await s.call("DescribeWorkerDeployment", { deploymentName: deployment(s) })).workerDeploymentInfo;
const group = (scalingGroup: object, ...paths: string[]) => ({ scalingGroup, updateMask: { paths } });
const workflows = { taskQueueTypes: [1], provider: { type: "k8s" }, scaler: { type: "no-sync" } };
const configure = (s: Session, groups: object, extra: object = {}) => {
  const of = { deploymentVersion: version(s, "1"), identity: "operator" };
  return s.call("UpdateWorkerDeploymentVersionComputeConfig", { ...of, computeConfigScalingGroups: groups as never, ...extra });
};

it("routing, manager, metadata and a compute configuration are there after a restart, and the routing is followed", async () => {
  const store = new MemoryStore();
  let s = await open(store);
  for (const buildId of ["1", "2", "3"]) await register(s, buildId);
  await current(s, "1");
  await ramping(s, "2", 100);
  const upsertEntries = { team: payloads("blue").subarray(2) };
  await s.call("UpdateWorkerDeploymentVersionMetadata", { deploymentVersion: version(s, "1"), identity: "operator", upsertEntries });
  await configure(s, { w: group(workflows) });
  const newManagerIdentity = { case: "managerIdentity" as const, value: "manager" };
  await s.call("SetWorkerDeploymentManager", { deploymentName: deployment(s), identity: "operator", newManagerIdentity });
  const seen = async () => [await describeDeployment(s), ...(await Promise.all(["1", "2", "3"].map((buildId) => describeVersion(s, buildId))))];
  const before = await seen();

  s = await open(store, { id: s.id, queue: s.queue });
  expect(await seen()).toEqual(before);
  expect((await describeVersion(s, "1"))?.computeConfig?.scalingGroups).toMatchObject({ w: { provider: { type: "k8s" } } });
  const asStranger = { deploymentName: deployment(s), buildId: "3", identity: "stranger" };
  await expect(s.call("SetWorkerDeploymentCurrentVersion", asStranger)).rejects.toMatchObject({ code: 9 });
  await s.start();
  const deploymentOptions = { deploymentName: deployment(s), buildId: "2", workerVersioningMode: 2 };
  const task = await s.call("PollWorkflowTaskQueue", { taskQueue: { name: s.queue }, identity: "worker", deploymentOptions }, 20_000);
  expect(task.workflowExecution?.workflowId).toBe(s.id);
});

it("a compute configuration is changed by groups, shown with the version, and refused whole when it makes no sense", async () => {
  const s = await open();
  await s.call("CreateWorkerDeployment", { deploymentName: deployment(s), identity: "operator" });
  await s.call("CreateWorkerDeploymentVersion", { deploymentVersion: version(s, "1"), identity: "operator" });
  const shown = async () => (await describeVersion(s, "1"))?.computeConfig?.scalingGroups;
  await configure(s, { w: group(workflows) });
  await configure(s, { w: group({ provider: { type: "subprocess" } }, "provider.type"), a: group({ ...workflows, taskQueueTypes: [2] }) });
  expect(await shown()).toMatchObject({ w: { provider: { type: "subprocess" }, taskQueueTypes: [1] }, a: { taskQueueTypes: [2] } });
  const before = await shown();
  const bad = { b: group({ provider: { type: "no such thing" } }) };
  await expect(configure(s, bad)).rejects.toMatchObject({ code: 3 });
  const of = { deploymentVersion: version(s, "1"), identity: "operator" };
  await expect(s.call("ValidateWorkerDeploymentVersionComputeConfig", { ...of, computeConfigScalingGroups: bad as never })).rejects.toMatchObject({
    code: 3,
  });
  const good = { b: group({ ...workflows, taskQueueTypes: [3] }) };
  await s.call("ValidateWorkerDeploymentVersionComputeConfig", { ...of, computeConfigScalingGroups: good as never });
  expect(await shown()).toEqual(before);
  await configure(s, {}, { removeComputeConfigScalingGroups: ["w"] });
  expect(Object.keys((await shown()) ?? {})).toEqual(["a"]);
  expect((await describeDeployment(s))?.versionSummaries[0]?.computeConfig?.scalingGroups).toMatchObject({ a: { providerType: "k8s" } });
});

it("a version that lacks a queue where tasks arrive does not take over, unless it is told to", async () => {
  const s = await open();
  const other = `${s.queue}-other`;
  for (const buildId of ["1", "2"]) await register(s, buildId);
  await register(s, "1", other);
  await current(s, "1");
  await s.start({ taskQueue: { name: other } });
  const to = { deploymentName: deployment(s), buildId: "2", identity: "operator" };
  const lacks = { code: 9, message: expect.stringContaining("is missing active task queues from the current version") };
  await expect(s.call("SetWorkerDeploymentCurrentVersion", to)).rejects.toMatchObject(lacks);
  await expect(s.call("SetWorkerDeploymentRampingVersion", { ...to, percentage: 10 })).rejects.toMatchObject(lacks);
  expect((await describeDeployment(s))?.routingConfig).toMatchObject({ currentDeploymentVersion: { buildId: "1" }, rampingVersion: "" });
  await s.call("SetWorkerDeploymentCurrentVersion", { ...to, ignoreMissingTaskQueues: true });
  expect((await describeDeployment(s))?.routingConfig?.currentDeploymentVersion?.buildId).toBe("2");
});

it("a version that drains goes when it is told to, once its workers have gone", async () => {
  const s = await open();
  for (const buildId of ["1", "2"]) await register(s, buildId);
  await current(s, "1");
  await s.start();
  const deploymentOptions = { deploymentName: deployment(s), buildId: "1", workerVersioningMode: 2 };
  const { taskToken } = await s.call("PollWorkflowTaskQueue", { taskQueue: { name: s.queue }, identity: "worker", deploymentOptions }, 20_000);
  await s.call("RespondWorkflowTaskCompleted", { taskToken, identity: "worker", deploymentOptions, versioningBehavior: 1 });
  await current(s, "2");
  const of = { deploymentVersion: version(s, "1"), identity: "operator" };
  await expect(s.call("DeleteWorkerDeploymentVersion", { ...of, skipDrainage: true })).rejects.toMatchObject({ code: 9 });
  await s.sleep(3_600_000);
  await expect(s.call("DeleteWorkerDeploymentVersion", of)).rejects.toMatchObject({ code: 9 });
  await s.call("DeleteWorkerDeploymentVersion", { ...of, skipDrainage: true });
  await expect(describeVersion(s, "1")).rejects.toMatchObject({ code: 5 });
});

it("the parts of a queue that are active are told of, each with the types that it serves", async () => {
  const s = await open();
  await register(s, "1");
  await register(s, "2");
  await register(s, "2", s.queue, 2);
  const asked = { taskQueue: { name: s.queue }, apiMode: 1, versions: { allActive: true, buildIds: ["2"] }, reportPollers: true };
  const { versionsInfo } = await s.call("DescribeTaskQueue", asked);
  const types = Object.entries(versionsInfo).map(([name, info]) => [name, Object.keys(info?.typesInfo ?? {})]);
  expect(Object.fromEntries(types)).toEqual({ "2": ["1", "2"], [`${s.queue}:1`]: ["1"], [`${s.queue}:2`]: ["1", "2"] });
  expect(versionsInfo[`${s.queue}:1`]?.typesInfo?.["1"]?.pollers[0]?.deploymentOptions).toMatchObject({ buildId: "1" });
});
