import { describe, expect, it } from "vitest";
import { UpdateWorkerVersioningRulesRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { Code, unavailable } from "../api/service-error.js";
import type { Batch } from "../persistence/batch.js";
import { BUILD_IDS_REGISTRY_KIND, BuildIds } from "./build-ids.js";

const LIMITS = {
  versionSetsMax: 10,
  versionSetBuildIdsMax: 100,
  assignmentRulesMax: 2,
  redirectRulesMax: 3,
  redirectRuleUpstreamMax: 2,
  taskQueuesPerBuildIdMax: 2,
  deletedRuleRetentionMs: 60_000,
};

function setup(rows = new Map<string, Uint8Array>()) {
  // A clock that stands still: changes must not depend on it.
  const state = { isRefusing: false, micros: 1_800_000_000_000_000 };
  const buildIds = new BuildIds({
    rows: [...rows].map(([id, value]) => ({ kind: BUILD_IDS_REGISTRY_KIND, id, version: 1, value })),
    commit: async (batch: Batch) => {
      if (state.isRefusing) throw unavailable("the store did not take the change");
      for (const [id, { write }] of batch.registry.get(BUILD_IDS_REGISTRY_KIND) ?? []) if (write.op !== "delete") rows.set(id, write.value);
    },
    now: () => state.micros,
    limits: () => LIMITS,
  });
  const add = (id: string, queue = "q") => buildIds.updateSets("n", queue, { case: "addNewBuildIdInNewDefaultSet", value: id });
  const rule = (operation: UpdateWorkerVersioningRulesRequest["operation"], conflictToken = buildIds.token("n", "q"), polled: string[] = []) =>
    buildIds.updateRules("n", UpdateWorkerVersioningRulesRequest.create({ taskQueue: "q", conflictToken, operation }), (id) => polled.includes(id));
  const sets = (of = buildIds) => of.get("n", "q").sets.map((s) => s.buildIds.map((b) => b.id));
  return { buildIds, rows, state, add, rule, sets };
}

const insert = (targetBuildId: string) =>
  ({ case: "insertAssignmentRule", value: { ruleIndex: 0, rule: { targetBuildId, ramp: { case: undefined } } } }) as never;
const redirect = (sourceBuildId: string, targetBuildId: string) =>
  ({ case: "addCompatibleRedirectRule", value: { rule: { sourceBuildId, targetBuildId } } }) as never;

describe("build ids of a task queue", () => {
  it("outlive the process, with the token of their rules", async () => {
    const { buildIds, rows, add, rule } = setup();
    await add("1");
    await rule(insert("2"));
    const next = setup(rows);
    expect(next.sets()).toEqual([["1"]]);
    expect(next.buildIds.get("n", "q").assignmentRules[0]?.rule?.targetBuildId).toBe("2");
    expect(next.buildIds.token("n", "q")).toEqual(buildIds.token("n", "q"));
  });

  it("are changed one after the other, each against what the one before made durable", async () => {
    const { add, sets } = setup();
    const results = await Promise.allSettled(["1", "2", "1", "3"].map((id) => add(id)));
    expect(results.map((r) => r.status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"]);
    expect(sets()).toEqual([["1"], ["2"], ["3"]]);
  });

  it("stay as they were when the store refuses", async () => {
    const { buildIds, state, add, sets } = setup();
    await add("1");
    const token = buildIds.token("n", "q");
    state.isRefusing = true;
    await expect(add("2")).rejects.toMatchObject({ code: Code.UNAVAILABLE });
    expect([sets(), buildIds.token("n", "q")]).toEqual([[["1"]], token]);
  });

  it("take no change of rules against an old token", async () => {
    const { buildIds, rule } = setup();
    const token = buildIds.token("n", "q");
    await rule(insert("1"), token);
    await expect(rule(insert("2"), token)).rejects.toMatchObject({ code: Code.FAILED_PRECONDITION });
    await expect(rule(insert("2"), new Uint8Array())).rejects.toMatchObject({ code: Code.FAILED_PRECONDITION });
  });

  it("belong to so many task queues and no more", async () => {
    const { buildIds, add } = setup();
    await add("1", "a");
    await add("1", "b");
    await expect(add("1", "c")).rejects.toThrow("Exceeded max task queues allowed to be mapped to a single build ID: 2");
    expect(buildIds.taskQueuesOf("n", "1")).toEqual(["a", "b"]);
    expect(buildIds.taskQueuesOf("other", "1")).toEqual([]);
  });

  it("have so many rules and no more", async () => {
    const { rule } = setup();
    await rule(insert("1"));
    await rule(insert("2"));
    await expect(rule(insert("3"))).rejects.toThrow("update exceeds number of assignment rules permitted in namespace (3/2)");
    await rule(redirect("a", "b"));
    await rule(redirect("b", "c"));
    await expect(rule(redirect("c", "d"))).rejects.toThrow("update exceeds number of upstream build ids permitted in namespace (3/2)");
    await rule(redirect("x", "y"));
    await expect(rule(redirect("p", "q"))).rejects.toThrow("update exceeds number of redirect rules permitted in namespace (4/3)");
  });

  it("keep a rule for all that no other takes, until long after one was taken away by force", async () => {
    const { state, rule } = setup();
    const ramp = { case: "percentageRamp", value: { rampPercentage: 45 } };
    const replace = (force: boolean) =>
      rule({ case: "replaceAssignmentRule", value: { ruleIndex: 0, rule: { targetBuildId: "2", ramp }, force } } as never);
    const remove = (force: boolean) => rule({ case: "deleteAssignmentRule", value: { ruleIndex: 0, force } } as never);
    await rule(insert("1"));
    await expect(replace(false)).rejects.toThrow("at least one fully-ramped assignment rule must exist");
    await replace(true);
    // The queue has had one, as the official server sees it while it keeps what was deleted.
    await expect(remove(false)).rejects.toThrow("at least one fully-ramped assignment rule must exist");
    state.micros += 61_000_000;
    // What is too old is forgotten by the next change, after which it is no more asked for.
    await expect(remove(false)).rejects.toThrow("at least one fully-ramped assignment rule must exist");
    await rule(redirect("a", "b"));
    await remove(false);
  });

  it("are committed when a worker of theirs has polled", async () => {
    const { buildIds, rule } = setup();
    const commit = { case: "commitBuildId", value: { targetBuildId: "2", force: false } } as never;
    await expect(rule(commit, undefined, ["1"])).rejects.toMatchObject({ code: Code.FAILED_PRECONDITION });
    await rule(commit, undefined, ["2"]);
    expect(buildIds.get("n", "q").assignmentRules.map((r) => r.rule?.targetBuildId)).toEqual(["2"]);
  });

  it("tell a worker that a newer one has taken over", async () => {
    const { buildIds, add, rule } = setup();
    buildIds.checkPoll("n", "q", "1");
    await add("1");
    buildIds.checkPoll("n", "q", "1");
    await buildIds.updateSets("n", "q", {
      case: "addNewCompatibleBuildId",
      value: { newBuildId: "2", existingCompatibleBuildId: "1", makeSetDefault: false },
    });
    expect(() => buildIds.checkPoll("n", "q", "1")).toThrow('Task queue has a newer compatible build: "2"');
    buildIds.checkPoll("n", "q", "2");
    await rule(redirect("a", "b"));
    await rule(redirect("b", "c"));
    expect(() => buildIds.checkPoll("n", "q", "a")).toThrow('"c"');
    buildIds.checkPoll("n", "other", "a");
  });
});
