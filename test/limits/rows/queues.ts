/** Task queues: how many weights, sets, rules and build ids they may have. */
import type { Session } from "../../conformance/session.js";
import { type Group, refusal } from "../row.js";

const sets = (s: Session, value: string, taskQueue = s.queue) =>
  refusal(s, "UpdateWorkerBuildIdCompatibility", { taskQueue, operation: { case: "addNewBuildIdInNewDefaultSet", value } });
const beside = (s: Session, newBuildId: string, existingCompatibleBuildId: string) =>
  refusal(s, "UpdateWorkerBuildIdCompatibility", {
    taskQueue: s.queue,
    operation: { case: "addNewCompatibleBuildId", value: { newBuildId, existingCompatibleBuildId } } as never,
  });
const rule = async (s: Session, operation: { case: string; value: object }) => {
  const { conflictToken } = await s.call("GetWorkerVersioningRules", { taskQueue: s.queue });
  return refusal(s, "UpdateWorkerVersioningRules", { taskQueue: s.queue, conflictToken, operation: operation as never });
};
const assign = (s: Session, targetBuildId: string) => rule(s, { case: "insertAssignmentRule", value: { ruleIndex: 0, rule: { targetBuildId } } });
const redirect = (s: Session, sourceBuildId: string, targetBuildId: string) =>
  rule(s, { case: "addCompatibleRedirectRule", value: { rule: { sourceBuildId, targetBuildId } } });
const weights = (s: Session, setFairnessWeightOverrides: Record<string, number>) =>
  refusal(s, "UpdateTaskQueueConfig", { taskQueue: s.queue, taskQueueType: 2, setFairnessWeightOverrides });

export const queues: Group = {
  name: "queues",
  settings: [
    "matching.maxFairnessKeyWeightOverrides=2",
    "frontend.workerVersioningDataAPIs=true",
    "frontend.workerVersioningRuleAPIs=true",
    "limit.versionCompatibleSetLimitPerQueue=2",
    "limit.versionBuildIdLimitPerQueue=3",
    "limit.taskQueuesPerBuildId=1",
    "limit.wv.AssignmentRuleLimitPerQueue=1",
    "limit.wv.RedirectRuleLimitPerQueue=3",
    "limit.wv.RedirectRuleMaxUpstreamBuildIDsPerQueue=2",
    "limit.reachabilityQueryBuildIds=2",
    "limit.reachabilityTaskQueueScan=1",
  ],
  rows: [
    {
      keys: ["matching.maxFairnessKeyWeightOverrides"],
      breach: "three weights in one request, and a third one in another",
      play: async (s) => [await weights(s, { a: 1, b: 1, c: 1 }), await weights(s, { a: 1, b: 1 }), await weights(s, { c: 1 })],
      answer: [
        ["INVALID_ARGUMENT", "too many fairness weight overrides in request: got 3, maximum 2"],
        "OK",
        ["INVALID_ARGUMENT", "fairness weight overrides update rejected: exceeding maximum key size"],
      ],
    },
    {
      keys: ["limit.versionCompatibleSetLimitPerQueue"],
      breach: "a third version set",
      play: async (s) => [await sets(s, `${s.id}1`), await sets(s, `${s.id}2`), await sets(s, `${s.id}3`)],
      answer: [
        "OK",
        "OK",
        ["FAILED_PRECONDITION", "update would exceed number of compatible version sets permitted in namespace dynamic config (3/2)"],
      ],
    },
    {
      keys: ["limit.versionBuildIdLimitPerQueue"],
      breach: "a fourth build id",
      play: async (s) => [
        await sets(s, `${s.id}1`),
        await beside(s, `${s.id}2`, `${s.id}1`),
        await beside(s, `${s.id}3`, `${s.id}1`),
        await beside(s, `${s.id}4`, `${s.id}1`),
      ],
      answer: ["OK", "OK", "OK", ["FAILED_PRECONDITION", "update would exceed number of build IDs permitted in namespace dynamic config (4/3)"]],
    },
    {
      keys: ["limit.taskQueuesPerBuildId"],
      breach: "a build id on a second task queue",
      play: async (s) => [await sets(s, s.id), await sets(s, s.id, `${s.queue}-2`)],
      answer: ["OK", ["FAILED_PRECONDITION", "Exceeded max task queues allowed to be mapped to a single build ID: 1"]],
    },
    {
      keys: ["limit.wv.AssignmentRuleLimitPerQueue"],
      breach: "a second assignment rule",
      play: async (s) => [await assign(s, "1"), await assign(s, "2")],
      answer: ["OK", ["FAILED_PRECONDITION", "update exceeds number of assignment rules permitted in namespace (2/1)"]],
    },
    {
      keys: ["limit.wv.RedirectRuleLimitPerQueue"],
      breach: "a fourth redirect rule",
      play: async (s) => [await redirect(s, "1", "2"), await redirect(s, "3", "4"), await redirect(s, "5", "6"), await redirect(s, "7", "8")],
      answer: ["OK", "OK", "OK", ["FAILED_PRECONDITION", "update exceeds number of redirect rules permitted in namespace (4/3)"]],
    },
    {
      keys: ["limit.wv.RedirectRuleMaxUpstreamBuildIDsPerQueue"],
      breach: "three build ids that lead to one",
      play: async (s) => [await redirect(s, "1", "2"), await redirect(s, "2", "3"), await redirect(s, "3", "4")],
      answer: ["OK", "OK", ["FAILED_PRECONDITION", "update exceeds number of upstream build ids permitted in namespace (3/2)"]],
    },
    {
      keys: ["limit.reachabilityQueryBuildIds"],
      breach: "three build ids asked for",
      play: async (s) => [
        await refusal(s, "GetWorkerTaskReachability", { buildIds: ["1", "2", "3"] }),
        await refusal(s, "DescribeTaskQueue", {
          taskQueue: { name: s.queue },
          apiMode: 1,
          reportTaskReachability: true,
          versions: { buildIds: ["1", "2", "3"] },
        }),
      ],
      answer: [
        ["INVALID_ARGUMENT", "Too many build ids queried at once, limit: 2"],
        ["INVALID_ARGUMENT", "Too many build ids queried at once with ReportTaskReachability==true, limit: 2"],
      ],
    },
    {
      keys: ["limit.reachabilityTaskQueueScan"],
      breach: "two task queues asked for",
      play: async (s) => {
        const r = await s.call("GetWorkerTaskReachability", { buildIds: ["1"], taskQueues: [s.queue, `${s.queue}-2`] });
        return r.buildIdReachability.map((b) => b.taskQueueReachability.map((t) => t.reachability));
      },
      answer: [[[], [0]]],
    },
  ],
};
