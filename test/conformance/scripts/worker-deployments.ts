/** Worker deployments: versions come into being, become current, ramp, drain and go; who gets which task; what others inherit. */
import { randomUUID } from "node:crypto";
import type { Command } from "../../../gen/wire/temporal/api/command/v1/message.js";
import type { WorkerDeploymentVersionInfo } from "../../../gen/wire/temporal/api/deployment/v1/message.js";
import type { PollWorkflowTaskQueueResponse } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Init } from "../../../src/api/wire.js";
import { command as c, payloads, type Script, type Session, seconds } from "../session.js";
import {
  current,
  deployment,
  describeVersion,
  isThere,
  options,
  PATIENCE_MS,
  poll,
  pollActivity,
  ramping,
  register,
  VERSIONED,
  version,
} from "../worker-versions.js";

const PINNED = 1;
const AUTO_UPGRADE = 2;
const QUEUE_TYPE_ACTIVITY = 2;

const respond = (
  s: Session,
  task: PollWorkflowTaskQueueResponse,
  buildId: string,
  behavior: number,
  commands: Init<Command>[] = [],
  extra: object = {},
) =>
  s.call("RespondWorkflowTaskCompleted", {
    taskToken: task.taskToken,
    identity: `worker ${buildId}`,
    commands,
    ...(buildId === "" ? {} : { deploymentOptions: options(s, buildId), versioningBehavior: behavior }),
    ...extra,
  });
/** A worker of the version takes the next task and answers it. */
async function answer(
  s: Session,
  buildId: string,
  behavior: number,
  commands: Init<Command>[] = [],
  queue = s.queue,
): Promise<PollWorkflowTaskQueueResponse> {
  const task = await poll(s, buildId, queue);
  await respond(s, task, buildId, behavior, commands);
  return task;
}

/** Without whether the change has reached all queues, which takes the official server a moment. */
const shownDeployment = (s: Session) =>
  s.shown("DescribeWorkerDeployment", { deploymentName: deployment(s) }, (r) => {
    const info = r.workerDeploymentInfo;
    return {
      ...info,
      routingConfigUpdateState: 0,
      versionSummaries: [...(info?.versionSummaries ?? [])].sort((a, b) => (a.version < b.version ? -1 : 1)),
    };
  });
const byName = (info: WorkerDeploymentVersionInfo | undefined) =>
  info === undefined
    ? undefined
    : { ...info, taskQueueInfos: [...info.taskQueueInfos].sort((a, b) => (`${a.name}${a.type}` < `${b.name}${b.type}` ? -1 : 1)) };
const shownVersion = (s: Session, buildId: string) =>
  s.shown("DescribeWorkerDeploymentVersion", { deploymentVersion: version(s, buildId) }, (r) => byName(r.workerDeploymentVersionInfo));
const shownWorkflow = (s: Session, workflowId = s.id) =>
  s.shown("DescribeWorkflowExecution", { execution: { workflowId } }, (r) => ({
    versioningInfo: r.workflowExecutionInfo?.versioningInfo,
    workerDeploymentName: r.workflowExecutionInfo?.workerDeploymentName,
    searchAttributes: r.workflowExecutionInfo?.searchAttributes,
    pendingActivities: r.pendingActivities.map((a) => ({
      id: a.activityId,
      state: a.state,
      lastDeploymentVersion: a.lastDeploymentVersion,
      last: a.lastWorkerDeploymentVersion,
    })),
  }));
const override = (value: object) => ({ versioningOverride: { override: value } as never });
const pinnedTo = (s: Session, buildId: string) => override({ case: "pinned", value: { behavior: 1, version: version(s, buildId) } });
const updateOverride = (s: Session, value: object, extra: object = {}) =>
  s.call("UpdateWorkflowExecutionOptions", {
    workflowExecution: { workflowId: s.id },
    workflowExecutionOptions: value,
    updateMask: { paths: ["versioning_override"] },
    identity: "operator",
    ...extra,
  } as never);
const nobody = async (what: string, s: Session, task: Promise<{ taskToken: Uint8Array }>) => {
  const got = await task.catch(isThere);
  s.note(what, got === undefined || got.taskToken.length === 0 ? "no task" : "a task");
};

export const scripts: Record<string, Script> = {
  "a version comes into being by a poll": async (s) => {
    await s.refused("DescribeWorkerDeployment", { deploymentName: deployment(s) });
    await s.refused("DescribeWorkerDeploymentVersion", { deploymentVersion: version(s, "1") });
    await register(s, "1");
    await register(s, "1", s.queue, QUEUE_TYPE_ACTIVITY);
    await register(s, "2");
    await shownDeployment(s);
    await shownVersion(s, "1");
    await shownVersion(s, "2");
    await s.shown("DescribeWorkerDeploymentVersion", { version: `${deployment(s)}.1` }, (r) => byName(r.workerDeploymentVersionInfo));
    await s.shown("DescribeTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, taskQueueType: 1 }, (r) => r.versioningInfo);
    await s.refused("CreateWorkerDeployment", { deploymentName: deployment(s), identity: "operator" });
    await s.refused("DescribeWorkerDeployment", { deploymentName: "" });
    await s.refused("DescribeWorkerDeployment", { deploymentName: "a.b" });
    await s.refused("DescribeWorkerDeployment", { deploymentName: "a:b" });
    await s.refused("DescribeWorkerDeployment", { deploymentName: "__a" });
    await s.refused("DescribeWorkerDeployment", { deploymentName: "x".repeat(481) });
    await s.refused("DescribeWorkerDeployment", { deploymentName: "a", namespace: "there-is-no-such-namespace" });
    await s.refused("DescribeWorkerDeploymentVersion", {});
    await s.refused("DescribeWorkerDeploymentVersion", { version: "none" });
    await s.refused("DescribeWorkerDeploymentVersion", { version: ".none" });
    await s.refused("DescribeWorkerDeploymentVersion", { deploymentVersion: { deploymentName: deployment(s), buildId: "__b" } });
    await s.refused("DescribeWorkerDeploymentVersion", { deploymentVersion: version(s, "3") });
    await s.refused("PollWorkflowTaskQueue", {
      taskQueue: { name: s.queue, kind: 1 },
      deploymentOptions: { deploymentName: "a", workerVersioningMode: VERSIONED },
    });
  },
  "deployments and versions made by hand": async (s) => {
    const requestId = randomUUID();
    const made = { deploymentName: deployment(s), identity: "operator", requestId };
    await s.refused("CreateWorkerDeploymentVersion", { deploymentVersion: version(s, "1"), identity: "operator" });
    const { conflictToken } = await s.call("CreateWorkerDeployment", made);
    s.note("the same again has the same token", Buffer.compare((await s.call("CreateWorkerDeployment", made)).conflictToken, conflictToken) === 0);
    await s.refused("CreateWorkerDeployment", { ...made, requestId: randomUUID() });
    await s.refused("CreateWorkerDeployment", { ...made, deploymentName: "" });
    await s.refused("CreateWorkerDeployment", { ...made, deploymentName: "a.b" });
    await s.refused("CreateWorkerDeployment", { ...made, namespace: "there-is-no-such-namespace" });
    await shownDeployment(s);
    const one = { deploymentVersion: version(s, "1"), identity: "operator", requestId };
    await s.call("CreateWorkerDeploymentVersion", one);
    await s.call("CreateWorkerDeploymentVersion", one);
    await s.refused("CreateWorkerDeploymentVersion", { ...one, requestId: randomUUID() });
    await s.refused("CreateWorkerDeploymentVersion", { ...one, deploymentVersion: version(s, "") });
    await s.refused("CreateWorkerDeploymentVersion", { ...one, deploymentVersion: { deploymentName: "", buildId: "1" } });
    await s.refused("CreateWorkerDeploymentVersion", { ...one, deploymentVersion: version(s, "__b") });
    await s.refused("CreateWorkerDeploymentVersion", { ...one, namespace: "there-is-no-such-namespace" });
    await shownDeployment(s);
    await shownVersion(s, "1");
    await s.refused("DeleteWorkerDeployment", { deploymentName: deployment(s), identity: "operator" });
    await register(s, "1");
    await shownVersion(s, "1");
    await s.refused("DeleteWorkerDeploymentVersion", { deploymentVersion: version(s, "1"), identity: "operator" });
    await s.call("CreateWorkerDeploymentVersion", { deploymentVersion: version(s, "2"), identity: "operator" });
    await s.call("DeleteWorkerDeploymentVersion", { deploymentVersion: version(s, "2"), identity: "operator" });
    await s.call("DeleteWorkerDeploymentVersion", { version: `${deployment(s)}.2`, identity: "operator" });
    await s.refused("DeleteWorkerDeploymentVersion", {});
    await s.refused("DeleteWorkerDeploymentVersion", { version: "none" });
    await s.refused("DeleteWorkerDeploymentVersion", { deploymentVersion: version(s, "1"), namespace: "there-is-no-such-namespace" });
    await shownDeployment(s);
  },
  "a deployment without versions goes": async (s) => {
    await s.call("DeleteWorkerDeployment", { deploymentName: deployment(s), identity: "operator" });
    await s.call("CreateWorkerDeployment", { deploymentName: deployment(s), identity: "operator" });
    await s.call("DeleteWorkerDeployment", { deploymentName: deployment(s), identity: "operator" });
    await s.refused("DescribeWorkerDeployment", { deploymentName: deployment(s) });
    await s.refused("DeleteWorkerDeployment", { deploymentName: "a.b" });
    await s.refused("DeleteWorkerDeployment", { deploymentName: "a", namespace: "there-is-no-such-namespace" });
    await s.call("CreateWorkerDeployment", { deploymentName: deployment(s), identity: "operator" });
    await s.until("the list has it", async () => (await s.call("ListWorkerDeployments", {})).workerDeployments.some((d) => d.name === deployment(s)));
    await s.shown("ListWorkerDeployments", {}, (r) => r.workerDeployments.filter((d) => d.name === deployment(s)));
    await s.refused("ListWorkerDeployments", { namespace: "there-is-no-such-namespace" });
  },
  "the current version": async (s) => {
    const set = (buildId: string, extra: object = {}) => ({ deploymentName: deployment(s), buildId, identity: "operator", ...extra });
    const part = (r: { previousVersion: string; previousDeploymentVersion: unknown }) => [r.previousVersion, r.previousDeploymentVersion];
    await s.refused("SetWorkerDeploymentCurrentVersion", set("1"));
    await register(s, "1");
    await register(s, "2");
    await s.refused("SetWorkerDeploymentCurrentVersion", set("3"));
    await s.refused("SetWorkerDeploymentCurrentVersion", set("1", { conflictToken: Buffer.from("nonsense") }));
    await s.refused("SetWorkerDeploymentCurrentVersion", set("1", { deploymentName: "" }));
    await s.refused("SetWorkerDeploymentCurrentVersion", set("1", { version: "nodot" }));
    await s.refused("SetWorkerDeploymentCurrentVersion", set("1", { version: "another.1" }));
    await s.refused("SetWorkerDeploymentCurrentVersion", set("1", { namespace: "there-is-no-such-namespace" }));
    await s.shown("SetWorkerDeploymentCurrentVersion", set("1"), part);
    await shownDeployment(s);
    await shownVersion(s, "1");
    const again = await s.shown("SetWorkerDeploymentCurrentVersion", set("1"), part);
    await s.shown("SetWorkerDeploymentCurrentVersion", set("2", { conflictToken: again.conflictToken }), part);
    await s.refused("SetWorkerDeploymentCurrentVersion", set("1", { conflictToken: again.conflictToken }));
    await shownDeployment(s);
    await shownVersion(s, "1");
    await s.shown("DescribeTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, taskQueueType: 1 }, (r) => r.versioningInfo);
    await s.shown("SetWorkerDeploymentCurrentVersion", set("2", { identity: "another" }), part);
    await s.refused("DeleteWorkerDeploymentVersion", { deploymentVersion: version(s, "2"), identity: "operator" });
    await s.refused("DeleteWorkerDeploymentVersion", { deploymentVersion: version(s, "1"), identity: "operator" });
    await s.shown("SetWorkerDeploymentCurrentVersion", set(""), part);
    await shownDeployment(s);
    await s.shown("DescribeTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, taskQueueType: 1 }, (r) => r.versioningInfo);
  },
  "a version is current before its workers come": async (s) => {
    const set = { deploymentName: deployment(s), buildId: "1", identity: "operator", allowNoPollers: true };
    await s.shown("SetWorkerDeploymentCurrentVersion", set, (r) => r.previousVersion);
    await shownDeployment(s);
    await shownVersion(s, "1");
    await s.shown("SetWorkerDeploymentRampingVersion", { ...set, buildId: "2", percentage: 5 }, (r) => r.previousVersion);
    await shownVersion(s, "2");
    await s.start();
    await answer(s, "1", PINNED, [c.complete()]);
    await s.history();
  },
  "the ramping version": async (s) => {
    const set = (buildId: string, percentage: number, extra: object = {}) => ({
      deploymentName: deployment(s),
      buildId,
      percentage,
      identity: "operator",
      ...extra,
    });
    const part = (r: { previousVersion: string; previousDeploymentVersion: unknown; previousPercentage: number }) => [
      r.previousVersion,
      r.previousDeploymentVersion,
      r.previousPercentage,
    ];
    await s.refused("SetWorkerDeploymentRampingVersion", set("1", 10));
    await register(s, "1");
    await register(s, "2");
    await s.refused("SetWorkerDeploymentRampingVersion", set("3", 10));
    await s.refused("SetWorkerDeploymentRampingVersion", set("1", 101));
    await s.refused("SetWorkerDeploymentRampingVersion", set("1", -1));
    await s.refused("SetWorkerDeploymentRampingVersion", set("", 10));
    await s.refused("SetWorkerDeploymentRampingVersion", set("1", 10, { conflictToken: Buffer.from("nonsense") }));
    await s.refused("SetWorkerDeploymentRampingVersion", set("1", 10, { version: "nodot" }));
    await s.refused("SetWorkerDeploymentRampingVersion", set("1", 10, { namespace: "there-is-no-such-namespace" }));
    await s.shown("SetWorkerDeploymentRampingVersion", set("1", 10), part);
    await shownDeployment(s);
    await shownVersion(s, "1");
    await s.shown("DescribeTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, taskQueueType: 1 }, (r) => r.versioningInfo);
    await s.shown("SetWorkerDeploymentRampingVersion", set("1", 10), part);
    await s.shown("SetWorkerDeploymentRampingVersion", set("1", 20), part);
    await current(s, "2");
    await s.refused("SetWorkerDeploymentRampingVersion", set("2", 20));
    await s.shown("SetWorkerDeploymentRampingVersion", set("", 30), part);
    await shownDeployment(s);
    await s.shown("DescribeTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, taskQueueType: 1 }, (r) => r.versioningInfo);
    await s.shown("SetWorkerDeploymentRampingVersion", set("", 0), part);
    await shownDeployment(s);
    await ramping(s, "1", 50);
    await current(s, "1");
    await shownDeployment(s);
  },
  "who manages a deployment": async (s) => {
    const set = (value: object, extra: object = {}) => ({
      deploymentName: deployment(s),
      identity: "operator",
      newManagerIdentity: value as never,
      ...extra,
    });
    const manager = (managerIdentity: string) => ({ case: "managerIdentity", value: managerIdentity });
    await s.call("CreateWorkerDeployment", { deploymentName: deployment(s), identity: "operator" });
    await s.call("CreateWorkerDeploymentVersion", { deploymentVersion: version(s, "1"), identity: "operator" });
    await s.refused("SetWorkerDeploymentManager", set(manager("m"), { identity: "" }));
    await s.refused("SetWorkerDeploymentManager", set(manager("m"), { deploymentName: "a.b" }));
    await s.refused("SetWorkerDeploymentManager", set(manager("m"), { conflictToken: Buffer.from("nonsense") }));
    await s.refused("SetWorkerDeploymentManager", set(manager("m"), { namespace: "there-is-no-such-namespace" }));
    await s.shown("SetWorkerDeploymentManager", set(manager("m")), (r) => r.previousManagerIdentity);
    await s.shown("SetWorkerDeploymentManager", set(manager("m")), (r) => r.previousManagerIdentity);
    await shownDeployment(s);
    await s.refused("SetWorkerDeploymentCurrentVersion", { deploymentName: deployment(s), buildId: "1", identity: "operator" });
    await s.refused("SetWorkerDeploymentRampingVersion", { deploymentName: deployment(s), buildId: "1", percentage: 5, identity: "operator" });
    await s.refused("DeleteWorkerDeploymentVersion", { deploymentVersion: version(s, "1"), identity: "operator" });
    await s.shown("SetWorkerDeploymentManager", set({ case: "self", value: true }), (r) => r.previousManagerIdentity);
    await s.call("SetWorkerDeploymentRampingVersion", { deploymentName: deployment(s), buildId: "1", percentage: 5, identity: "operator" });
    await s.shown("SetWorkerDeploymentManager", set(manager("")), (r) => r.previousManagerIdentity);
    await shownDeployment(s);
  },
  "metadata of a version": async (s) => {
    const entry = (text: string) => payloads(text).subarray(2);
    const update = (extra: object) => ({ deploymentVersion: version(s, "1"), identity: "operator", ...extra });
    await s.call("CreateWorkerDeployment", { deploymentName: deployment(s), identity: "operator" });
    await s.call("CreateWorkerDeploymentVersion", { deploymentVersion: version(s, "1"), identity: "operator" });
    await s.refused("UpdateWorkerDeploymentVersionMetadata", update({}));
    await s.refused("UpdateWorkerDeploymentVersionMetadata", update({ removeEntries: ["a"], namespace: "there-is-no-such-namespace" }));
    await s.shown("UpdateWorkerDeploymentVersionMetadata", update({ upsertEntries: { a: entry("1"), b: entry("2") }, identity: "writer" }));
    await s.shown("UpdateWorkerDeploymentVersionMetadata", update({ upsertEntries: { c: entry("3") }, removeEntries: ["a", "none"] }));
    await s.shown("UpdateWorkerDeploymentVersionMetadata", { version: `${deployment(s)}.1`, removeEntries: ["b"], identity: "operator" });
    await shownVersion(s, "1");
  },
  "a pinned workflow stays where it began": async (s) => {
    await register(s, "1");
    await register(s, "2");
    await current(s, "1");
    await s.start();
    const first = await answer(s, "1", PINNED);
    s.note("its first task", first.attempt);
    await shownWorkflow(s);
    await current(s, "2");
    await s.signal("go");
    await nobody("the new version", s, poll(s, "2", s.queue, 2500));
    await answer(s, "1", PINNED, [c.activity(s, "a")]);
    await register(s, "1", s.queue, QUEUE_TYPE_ACTIVITY);
    const a = await pollActivity(s, "1");
    await shownWorkflow(s);
    await s.call("RespondActivityTaskCompleted", { taskToken: a.taskToken, identity: "worker 1" });
    await answer(s, "1", PINNED, [c.complete()]);
    await s.history();
    await shownWorkflow(s);
  },
  "a workflow that upgrades by itself": async (s) => {
    await register(s, "1");
    await register(s, "2");
    await current(s, "1");
    await s.start();
    await answer(s, "1", AUTO_UPGRADE);
    await shownWorkflow(s);
    await current(s, "2");
    await s.signal("go");
    await nobody("the old version", s, poll(s, "1", s.queue, 2500));
    const t = await poll(s, "2");
    await shownWorkflow(s);
    await respond(s, t, "2", AUTO_UPGRADE);
    await shownWorkflow(s);
    await current(s, "");
    await s.signal("back");
    const u = await poll(s, "");
    await shownWorkflow(s);
    await respond(s, u, "", 0, [c.complete()]);
    await s.history();
    await shownWorkflow(s);
  },
  "a move that fails goes on": async (s) => {
    await register(s, "1");
    await register(s, "2");
    await current(s, "1");
    await s.start();
    await answer(s, "1", AUTO_UPGRADE);
    await current(s, "2");
    await s.signal("go");
    const t = await poll(s, "2");
    await s.call("RespondWorkflowTaskFailed", { taskToken: t.taskToken, cause: 25, identity: "worker 2" });
    await shownWorkflow(s);
    await current(s, "1");
    await answer(s, "1", AUTO_UPGRADE);
    await shownWorkflow(s);
    await s.history();
  },
  "an unversioned workflow comes to a deployment": async (s) => {
    await s.start();
    await answer(s, "", 0);
    await register(s, "1");
    await current(s, "1");
    await s.signal("go");
    await answer(s, "1", PINNED, [c.complete()]);
    await s.history();
    await shownWorkflow(s);
  },
  "overrides at the start and after it": async (s) => {
    await register(s, "1");
    await register(s, "2");
    await current(s, "1");
    await s.refused("StartWorkflowExecution", {
      workflowId: s.id,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue },
      requestId: randomUUID(),
      ...pinnedTo(s, "3"),
    });
    await s.start(pinnedTo(s, "2"));
    await shownWorkflow(s);
    await answer(s, "2", AUTO_UPGRADE);
    await shownWorkflow(s);
    await updateOverride(s, pinnedTo(s, "1"));
    await shownWorkflow(s);
    await s.signal("go");
    await answer(s, "1", AUTO_UPGRADE);
    await updateOverride(s, override({ case: "autoUpgrade", value: true }));
    await s.signal("upgrade");
    await answer(s, "1", PINNED);
    await shownWorkflow(s);
    await updateOverride(s, {});
    await shownWorkflow(s);
    await updateOverride(s, override({ case: "pinned", value: { behavior: 1 } }));
    await shownWorkflow(s);
    await s.signal("end");
    await answer(s, "1", PINNED, [c.complete()]);
    await s.history();
  },
  "an override for once": async (s) => {
    await register(s, "1");
    await register(s, "2");
    await current(s, "1");
    await s.start();
    await answer(s, "1", PINNED);
    await updateOverride(s, override({ case: "oneTime", value: { targetDeploymentVersion: version(s, "2") } }));
    await shownWorkflow(s);
    await s.signal("go");
    await answer(s, "2", PINNED);
    await shownWorkflow(s);
    await s.signal("end");
    await answer(s, "2", PINNED, [c.complete()]);
    await s.history();
  },
  "a task that waits is pinned elsewhere": async (s) => {
    await register(s, "1");
    await register(s, "2");
    await current(s, "1");
    await s.start();
    await updateOverride(s, pinnedTo(s, "2"));
    await nobody("the current version", s, poll(s, "1", s.queue, 2500));
    await answer(s, "2", PINNED, [c.complete()]);
    await s.history();
  },
  "children inherit": async (s) => {
    await register(s, "1");
    await register(s, "2");
    await current(s, "1");
    const there = { taskQueue: { name: s.queue } };
    await s.start();
    await answer(s, "1", PINNED, [c.child(`${s.id}-pinned`, there), c.child(`${s.id}-elsewhere`, { taskQueue: { name: `${s.queue}-other` } })]);
    await current(s, "2");
    await s.until("the first task of the child", async () => {
      const t = await poll(s, "1");
      await respond(s, t, "1", PINNED, t.workflowExecution?.workflowId === `${s.id}-pinned` ? [c.complete()] : []);
      return t.workflowExecution?.workflowId === `${s.id}-pinned`;
    });
    await s.history(`${s.id}-pinned`);
    await s.history(`${s.id}-elsewhere`);
    await shownWorkflow(s, `${s.id}-pinned`);
  },
  "children of a workflow that upgrades": async (s) => {
    await register(s, "1");
    await current(s, "1");
    await s.start();
    await answer(s, "1", AUTO_UPGRADE, [c.child(`${s.id}-c`, { taskQueue: { name: s.queue } })]);
    await s.until("the first task of the child", async () => {
      const t = await poll(s, "1");
      await respond(s, t, "1", AUTO_UPGRADE, t.workflowExecution?.workflowId === `${s.id}-c` ? [c.complete()] : []);
      return t.workflowExecution?.workflowId === `${s.id}-c`;
    });
    await s.history(`${s.id}-c`);
  },
  "a child with an override of its own": async (s) => {
    await register(s, "1");
    await register(s, "2");
    await current(s, "1");
    await s.start();
    await answer(s, "1", PINNED, [c.child(`${s.id}-c`, { taskQueue: { name: s.queue }, ...pinnedTo(s, "2") })]);
    await answer(s, "2", PINNED, [c.complete()]);
    await s.history(`${s.id}-c`);
    await s.until("the parent knows", async () => {
      const { pendingChildren } = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
      return pendingChildren.length === 0;
    });
    await answer(s, "1", PINNED, [c.child(`${s.id}-bad`, { taskQueue: { name: s.queue }, ...pinnedTo(s, "3") })]);
    await answer(s, "1", PINNED, [c.complete()]);
    await s.history();
  },
  "continued as new where it was": async (s) => {
    await register(s, "1");
    await register(s, "2");
    await current(s, "1");
    await s.start();
    await answer(s, "1", PINNED);
    await current(s, "2");
    await s.signal("go");
    // A run that has lived for a moment only would wait before the next one.
    await s.sleep(1100);
    await answer(s, "1", PINNED, [c.continueAsNew({ taskQueue: { name: s.queue } })]);
    await s.history();
    await shownWorkflow(s);
    await s.sleep(1100);
    await answer(s, "1", PINNED, [c.continueAsNew({ taskQueue: { name: s.queue }, initialVersioningBehavior: 1 })]);
    await s.history();
    await answer(s, "2", PINNED, [c.complete()]);
    await s.history();
    await shownWorkflow(s);
  },
  "continued as new on an upgrade": async (s) => {
    await register(s, "1");
    await current(s, "1");
    await s.start();
    await s.sleep(1100);
    await answer(s, "1", AUTO_UPGRADE, [c.continueAsNew({ taskQueue: { name: s.queue } })]);
    await s.history();
    await s.sleep(1100);
    await answer(s, "1", AUTO_UPGRADE, [c.continueAsNew({ taskQueue: { name: `${s.queue}-other` } })]);
    await s.history();
  },
  "a retry goes on where the run was": async (s) => {
    await register(s, "1");
    await register(s, "2");
    await current(s, "1");
    await s.start({ retryPolicy: { initialInterval: seconds(1), maximumAttempts: 3 } });
    await answer(s, "1", AUTO_UPGRADE, [c.fail("once")]);
    await s.until(
      "the retry has begun",
      async () => (await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } })).workflowExecutionInfo?.status === 1,
    );
    await s.history();
    await answer(s, "1", PINNED, [c.fail("twice")]);
    await s.until(
      "the second has begun",
      async () => (await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } })).workflowExecutionInfo?.status === 1,
    );
    await s.history();
    await answer(s, "1", PINNED, [c.complete()]);
  },
  "an activity of another deployment is independent": async (s) => {
    const other = `${s.queue}-activities`;
    await register(s, "1");
    await current(s, "1");
    await s.start();
    await answer(s, "1", PINNED, [c.activity(s, "a", { taskQueue: { name: other } })]);
    const a = await s.call("PollActivityTaskQueue", { taskQueue: { name: other, kind: 1 }, identity: "worker" }, 20_000);
    await shownWorkflow(s);
    await s.call("RespondActivityTaskCompleted", { taskToken: a.taskToken, identity: "worker" });
    await answer(s, "1", PINNED, [c.complete()]);
    await s.history();
  },
  "an activity draws its workflow along": async (s) => {
    await register(s, "1");
    await register(s, "2");
    await register(s, "1", s.queue, QUEUE_TYPE_ACTIVITY);
    await register(s, "2", s.queue, QUEUE_TYPE_ACTIVITY);
    await current(s, "1");
    await s.start();
    await answer(s, "1", AUTO_UPGRADE, [c.activity(s, "a")]);
    await current(s, "2");
    const arrived = pollActivity(s, "2");
    await answer(s, "2", AUTO_UPGRADE);
    const a = await arrived;
    await shownWorkflow(s);
    await s.call("RespondActivityTaskCompleted", { taskToken: a.taskToken, identity: "worker 2" });
    await answer(s, "2", AUTO_UPGRADE, [c.complete()]);
    await s.history();
  },
  "all new work ramps": async (s) => {
    await register(s, "1");
    await register(s, "2");
    await current(s, "1");
    await ramping(s, "2", 100);
    await s.start();
    await answer(s, "2", PINNED, [c.complete()]);
    await s.history();
    await shownWorkflow(s);
  },
  "a version drains": async (s) => {
    await register(s, "1");
    await register(s, "2");
    await current(s, "1");
    await s.start();
    await answer(s, "1", PINNED);
    await current(s, "2");
    await shownVersion(s, "1");
    await s.signal("end");
    await answer(s, "1", PINNED, [c.complete()]);
    await s.until("the version has drained", async () => (await describeVersion(s, "1"))?.status === 5);
    await shownVersion(s, "1");
    await s.until("its summary follows", async () => {
      const { workerDeploymentInfo } = await s.call("DescribeWorkerDeployment", { deploymentName: deployment(s) });
      return workerDeploymentInfo?.versionSummaries.some((v) => v.status === 5) === true;
    });
    await shownDeployment(s);
    await s.call("StartWorkflowExecution", {
      workflowId: `${s.id}-late`,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue },
      requestId: randomUUID(),
      ...pinnedTo(s, "1"),
    });
    await s.until("it is in use again", async () => (await describeVersion(s, "1"))?.status === 4);
    await shownVersion(s, "1");
    await current(s, "1");
    await shownVersion(s, "1");
  },
  "behaviour without a deployment": async (s) => {
    await s.start();
    const t = await poll(s, "");
    await s.refused("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", versioningBehavior: PINNED });
    await s.call("RespondWorkflowTaskCompleted", {
      taskToken: t.taskToken,
      identity: "worker",
      deploymentOptions: { deploymentName: "named", buildId: "b", workerVersioningMode: 1 },
    });
    await s.history();
    await shownWorkflow(s);
  },
  "a query is asked of the workers of the version": async (s) => {
    await register(s, "1");
    await register(s, "2");
    await current(s, "1");
    await s.start();
    await answer(s, "1", PINNED);
    await current(s, "2");
    const asked = s.call("QueryWorkflow", { execution: { workflowId: s.id }, query: { queryType: "q" } }, PATIENCE_MS);
    const t = await poll(s, "1");
    s.note("the query", t.query?.queryType);
    await s.call("RespondQueryTaskCompleted", { taskToken: t.taskToken, completedType: 1, queryResult: payloads("answer") });
    s.note("its answer", (await asked).queryResult);
  },
};
