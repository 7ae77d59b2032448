/** Versions of workers before deployments: sets of build ids, rules, reachability; and the pre-release deployments, which are refused. */
import { command as c, type Script, type Session } from "../session.js";

interface SetOperation {
  readonly case: string;
  readonly value: unknown;
}

const updateSets = (s: Session, operation: SetOperation) =>
  s.call("UpdateWorkerBuildIdCompatibility", { taskQueue: s.queue, operation: operation as never });
const refusedSets = (s: Session, operation: SetOperation | undefined, more: object = {}) =>
  s.refused("UpdateWorkerBuildIdCompatibility", { taskQueue: s.queue, operation: operation as never, ...more });
const inNewSet = (id: string) => ({ case: "addNewBuildIdInNewDefaultSet", value: id });
const beside = (newBuildId: string, existingCompatibleBuildId: string, makeSetDefault = false) => ({
  case: "addNewCompatibleBuildId",
  value: { newBuildId, existingCompatibleBuildId, makeSetDefault },
});
const promoteSet = (id: string) => ({ case: "promoteSetByBuildId", value: id });
const promote = (id: string) => ({ case: "promoteBuildIdWithinSet", value: id });
const merge = (primarySetBuildId: string, secondarySetBuildId: string) => ({ case: "mergeSets", value: { primarySetBuildId, secondarySetBuildId } });
const shownSets = (s: Session, maxSets = 0) =>
  s.shown("GetWorkerBuildIdCompatibility", { taskQueue: s.queue, maxSets }, (r) => r.majorVersionSets.map((v) => v.buildIds));

const token = async (s: Session) => (await s.call("GetWorkerVersioningRules", { taskQueue: s.queue })).conflictToken;
const part = (r: { assignmentRules: { rule?: unknown }[]; compatibleRedirectRules: { rule?: unknown }[] }) => [
  r.assignmentRules.map((a) => a.rule),
  r.compatibleRedirectRules.map((a) => a.rule),
];
const rule = async (s: Session, name: string, value: object) =>
  s.shown("UpdateWorkerVersioningRules", { taskQueue: s.queue, conflictToken: await token(s), operation: { case: name, value } as never }, part);
const refusedRule = async (s: Session, name: string, value: object) =>
  s.refused("UpdateWorkerVersioningRules", { taskQueue: s.queue, conflictToken: await token(s), operation: { case: name, value } as never });
const assigned = (targetBuildId: string, rampPercentage?: number) => ({
  targetBuildId,
  ramp: rampPercentage === undefined ? undefined : { case: "percentageRamp", value: { rampPercentage } },
});
const redirected = (sourceBuildId: string, targetBuildId: string) => ({ rule: { sourceBuildId, targetBuildId } });

export const scripts: Record<string, Script> = {
  "version sets grow and change their defaults": async (s) => {
    await shownSets(s);
    await updateSets(s, inNewSet("1.0"));
    await updateSets(s, inNewSet("1.0"));
    await updateSets(s, beside("1.1", "1.0"));
    await updateSets(s, inNewSet("2.0"));
    await updateSets(s, beside("1.2", "1.0"));
    await shownSets(s);
    await updateSets(s, beside("1.3", "1.1", true));
    await shownSets(s, 1);
    await updateSets(s, promote("1.0"));
    await updateSets(s, promoteSet("2.0"));
    await updateSets(s, promoteSet("2.0"));
    await shownSets(s);
    await updateSets(s, inNewSet("3.0"));
    await updateSets(s, merge("1.2", "2.0"));
    await updateSets(s, merge("1.2", "2.0"));
    await shownSets(s);
  },
  "changes of version sets refused": async (s) => {
    await updateSets(s, inNewSet("1.0"));
    await updateSets(s, beside("1.1", "1.0"));
    await updateSets(s, inNewSet("2.0"));
    await refusedSets(s, inNewSet("1.0"));
    await refusedSets(s, beside("1.2", "nobody"));
    await refusedSets(s, beside("1.1", "2.0"));
    await refusedSets(s, beside("1.0", "1.1"));
    await refusedSets(s, beside("1.1", "1.0", true));
    await refusedSets(s, promoteSet("nobody"));
    await refusedSets(s, promote("nobody"));
    await refusedSets(s, merge("nobody", "1.0"));
    await refusedSets(s, merge("1.0", "nobody"));
    await refusedSets(s, undefined);
    await refusedSets(s, inNewSet(""), { taskQueue: "" });
    await refusedSets(s, inNewSet("x".repeat(256)));
    await refusedSets(s, beside("", ""));
    await refusedSets(s, promoteSet(""));
    await refusedSets(s, promote(""));
    await refusedSets(s, inNewSet("3.0"), { namespace: "there-is-no-such-namespace" });
    await s.refused("GetWorkerBuildIdCompatibility", { taskQueue: "" });
    await s.refused("GetWorkerBuildIdCompatibility", { taskQueue: s.queue, namespace: "there-is-no-such-namespace" });
    for (let i = 3; i <= 10; i++) await updateSets(s, inNewSet(`${i}.0`));
    await refusedSets(s, inNewSet("11.0"));
    for (let i = 1; i <= 89; i++) await updateSets(s, beside(`10.${i}`, "10.0"));
    await refusedSets(s, beside("10.90", "10.0"));
  },
  "a worker that is not of the last build id of its set": async (s) => {
    await updateSets(s, inNewSet(`${s.queue}-1`));
    await updateSets(s, beside(`${s.queue}-2`, `${s.queue}-1`));
    const workerVersionCapabilities = { buildId: `${s.queue}-1`, useVersioning: true };
    await s.refused("PollWorkflowTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, identity: "worker", workerVersionCapabilities });
    await s.refused("PollActivityTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, identity: "worker", workerVersionCapabilities });
  },
  "assignment rules come and go": async (s) => {
    await rule(s, "insertAssignmentRule", { ruleIndex: 0, rule: assigned("1") });
    await rule(s, "insertAssignmentRule", { ruleIndex: 0, rule: assigned("2", 25) });
    await rule(s, "insertAssignmentRule", { ruleIndex: 99, rule: assigned("3", 0) });
    await rule(s, "replaceAssignmentRule", { ruleIndex: 0, rule: assigned("2", 50) });
    await rule(s, "deleteAssignmentRule", { ruleIndex: 2 });
    await refusedRule(s, "deleteAssignmentRule", { ruleIndex: 1 });
    await rule(s, "deleteAssignmentRule", { ruleIndex: 1, force: true });
    await refusedRule(s, "commitBuildId", { targetBuildId: "4" });
    await rule(s, "commitBuildId", { targetBuildId: "4", force: true });
    await rule(s, "commitBuildId", { targetBuildId: "2", force: true });
    await s.shown("GetWorkerVersioningRules", { taskQueue: s.queue }, (r) => [part(r), r.conflictToken.length > 0]);
  },
  "assignment rules refused": async (s) => {
    await refusedRule(s, "insertAssignmentRule", { ruleIndex: -1, rule: assigned("1") });
    await refusedRule(s, "insertAssignmentRule", { ruleIndex: 0, rule: assigned("1", 101) });
    await refusedRule(s, "insertAssignmentRule", { ruleIndex: 0, rule: assigned("1", -1) });
    await refusedRule(s, "insertAssignmentRule", { ruleIndex: 0, rule: assigned("x".repeat(256)) });
    await refusedRule(s, "replaceAssignmentRule", { ruleIndex: 0, rule: assigned("1") });
    await refusedRule(s, "deleteAssignmentRule", { ruleIndex: 5 });
    await rule(s, "insertAssignmentRule", { ruleIndex: 0, rule: assigned("1") });
    await refusedRule(s, "replaceAssignmentRule", { ruleIndex: 0, rule: assigned("2", 10) });
    await rule(s, "addCompatibleRedirectRule", redirected("5", "6"));
    await refusedRule(s, "insertAssignmentRule", { ruleIndex: 0, rule: assigned("5", 50) });
    await updateSets(s, inNewSet("member"));
    await refusedRule(s, "insertAssignmentRule", { ruleIndex: 0, rule: assigned("member") });
    await refusedRule(s, "commitBuildId", { targetBuildId: "member", force: true });
    await s
      .call("UpdateWorkerVersioningRules", { taskQueue: s.queue, conflictToken: Buffer.from("old") })
      .catch((e: { code: number }) => s.note("an old token", e.code));
    await s.refused("UpdateWorkerVersioningRules", { taskQueue: "", conflictToken: Buffer.from("old") });
    await s.refused("GetWorkerVersioningRules", { taskQueue: "" });
    await s.refused("GetWorkerVersioningRules", { taskQueue: s.queue, namespace: "there-is-no-such-namespace" });
    await s.refused("UpdateWorkerVersioningRules", { taskQueue: s.queue, namespace: "there-is-no-such-namespace" });
  },
  "redirect rules": async (s) => {
    await rule(s, "addCompatibleRedirectRule", redirected("1", "2"));
    await rule(s, "addCompatibleRedirectRule", redirected("2", "3"));
    await refusedRule(s, "addCompatibleRedirectRule", redirected("1", "4"));
    await refusedRule(s, "addCompatibleRedirectRule", redirected("3", "1"));
    await refusedRule(s, "addCompatibleRedirectRule", redirected("7", "7"));
    await refusedRule(s, "addCompatibleRedirectRule", redirected("3", ""));
    await rule(s, "replaceCompatibleRedirectRule", redirected("2", "4"));
    await refusedRule(s, "replaceCompatibleRedirectRule", redirected("4", "5"));
    await rule(s, "deleteCompatibleRedirectRule", { sourceBuildId: "1" });
    await refusedRule(s, "deleteCompatibleRedirectRule", { sourceBuildId: "1" });
    await rule(s, "insertAssignmentRule", { ruleIndex: 0, rule: assigned("8", 10) });
    await refusedRule(s, "addCompatibleRedirectRule", redirected("8", "9"));
    await updateSets(s, inNewSet("member"));
    await refusedRule(s, "addCompatibleRedirectRule", redirected("member", "9"));
    await refusedRule(s, "addCompatibleRedirectRule", redirected("9", "member"));
    const workerVersionCapabilities = { buildId: "2", useVersioning: true };
    await s.refused("PollWorkflowTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, identity: "worker", workerVersionCapabilities });
  },
  "a task queue's reachability by rules": async (s) => {
    await rule(s, "insertAssignmentRule", { ruleIndex: 0, rule: assigned("1") });
    await rule(s, "addCompatibleRedirectRule", redirected("0", "1"));
    const described = (buildIds: string[]) =>
      s.shown("DescribeTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, apiMode: 1, versions: { buildIds }, reportTaskReachability: true }, (d) =>
        Object.entries(d.versionsInfo)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([id, v]) => [id, v?.taskReachability]),
      );
    await described(["", "0", "1", "2"]);
    await s.shown("DescribeTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, apiMode: 1 }, (d) => Object.keys(d.versionsInfo));
  },
  "reachability of workers": async (s) => {
    const reach = (buildIds: string[], taskQueues: string[], reachability = 0) =>
      s.shown("GetWorkerTaskReachability", { buildIds, taskQueues, reachability }, (r) =>
        r.buildIdReachability.map((b) => [b.buildId, b.taskQueueReachability.map((t) => t.reachability.join(" ") || "none")]),
      );
    await reach(["", "nobody"], [s.queue]);
    await s.start();
    await s.until("it is listed", async () => (await s.call("CountWorkflowExecutions", { query: `TaskQueue = '${s.queue}'` })).count === 1);
    for (const type of [0, 1, 2, 3, 4]) await reach([""], [s.queue], type);
    await s.answer([c.complete()]);
    const versioned = `${s.queue}-versioned`;
    await s.call("UpdateWorkerBuildIdCompatibility", { taskQueue: versioned, operation: inNewSet(`${s.queue}-1`) as never });
    await s.call("UpdateWorkerBuildIdCompatibility", { taskQueue: versioned, operation: beside(`${s.queue}-2`, `${s.queue}-1`) as never });
    await reach([`${s.queue}-1`, `${s.queue}-2`, "nobody"], []);
    await reach([""], [versioned]);
    await s.refused("GetWorkerTaskReachability", {});
    await s.refused("GetWorkerTaskReachability", { buildIds: ["1", "2", "3", "4", "5", "6"] });
    await s.refused("GetWorkerTaskReachability", { buildIds: [""] });
    await s.refused("GetWorkerTaskReachability", { buildIds: ["x".repeat(256)] });
    await s.refused("GetWorkerTaskReachability", { buildIds: ["1"], taskQueues: [""] });
    await s.refused("GetWorkerTaskReachability", { buildIds: [""], taskQueues: [s.queue], reachability: 9 as never });
    await s.refused("GetWorkerTaskReachability", { buildIds: ["1"], namespace: "there-is-no-such-namespace" });
  },
  "deployments before they were worker deployments": async (s) => {
    await s.refused("DescribeDeployment", {});
    await s.refused("ListDeployments", {});
    await s.refused("GetDeploymentReachability", {});
    await s.refused("GetCurrentDeployment", {});
    await s.refused("SetCurrentDeployment", {});
  },
};
