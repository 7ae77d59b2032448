import { command as c, type Script, type Session } from "../session.js";

const request = (s: Session, options: object, paths: string[], extra: object = {}) =>
  ({
    workflowExecution: { workflowId: s.id },
    workflowExecutionOptions: options,
    updateMask: { paths },
    identity: "operator",
    ...extra,
  }) as never;
const update = (s: Session, options: object, paths: string[]) => s.shown("UpdateWorkflowExecutionOptions", request(s, options, paths));
const refused = (s: Session, options: object, paths: string[], extra: object = {}) =>
  s.refused("UpdateWorkflowExecutionOptions", request(s, options, paths, extra));
const describe = (s: Session) => s.shown("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
const override = (value: object) => ({ versioningOverride: value });
const version = { deploymentName: "d", buildId: "b" };

export const scripts: Record<string, Script> = {
  "a priority, whole and in parts": async (s) => {
    await s.running([], { priority: { priorityKey: 3, fairnessKey: "a" } });
    await update(s, { priority: { priorityKey: 1 } }, ["priority.priority_key"]);
    await update(s, { priority: { fairnessKey: "b", fairnessWeight: 2 } }, ["priority.fairness_key", "priority.fairness_weight"]);
    await update(s, { priority: { priorityKey: 5 } }, ["priority"]);
    await update(s, { priority: { priorityKey: 5 } }, ["priority"]);
    await update(s, {}, ["priority"]);
    await s.history();
    await describe(s);
  },
  "a task that waits for a worker is offered anew": async (s) => {
    await s.start();
    await update(s, { priority: { priorityKey: 1 } }, ["priority"]);
    await s.answer([c.complete()]);
    await s.history();
  },
  "where it runs, and no more": async (s) => {
    await s.running();
    await update(s, override({ override: { case: "autoUpgrade", value: true } }), ["versioning_override"]);
    await describe(s);
    await update(s, override({ override: { case: "autoUpgrade", value: true } }), ["versioning_override"]);
    await update(s, {}, ["versioning_override"]);
    await s.history();
    await describe(s);
  },
  "where it runs, in the older form": async (s) => {
    await s.running();
    await update(s, override({ behavior: 2 }), ["versioning_override.behavior", "versioning_override.deployment"]);
    await update(s, override({ behavior: 2 }), ["versioning_override"]);
    await s.history();
    await describe(s);
  },
  nothing: async (s) => {
    await s.running();
    await update(s, {}, []);
    await s.history();
  },
  "while a workflow task runs": async (s) => {
    await s.start();
    const t = await s.workflowTask();
    await update(s, { priority: { priorityKey: 2 } }, ["priority"]);
    await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker" });
    await s.answer([c.complete()]);
    await s.history();
  },
  "options that are refused": async (s) => {
    await refused(s, {}, ["priority"]);
    await refused(s, {}, ["priority"], { workflowExecution: undefined });
    await refused(s, {}, ["priority"], { workflowExecution: { workflowId: s.id, runId: "11111111-2222-4333-8444-555555555555" } });
    await refused(s, {}, ["priority"], { workflowExecution: { workflowId: s.id, runId: "no run" } });
    await refused(s, {}, ["priority"], { namespace: "no-such-namespace" });
    await s.running();
    await refused(s, {}, [], { updateMask: undefined });
    await refused(s, {}, ["priority"], { workflowExecutionOptions: undefined });
    for (const path of ["nonsense", "priority.nonsense", "priorityKey"])
      await s.call("UpdateWorkflowExecutionOptions", request(s, {}, [path])).then(
        () => s.note("an unknown path", "is taken"),
        // The official server puts one of two kinds of space there, by its build.
        (e: Error) => s.note("an unknown path", e.message.replace(/\s/g, " ")),
      );
    await refused(s, { priority: { priorityKey: -1 } }, ["priority"]);
    await refused(s, { priority: { fairnessKey: "x".repeat(65) } }, ["priority"]);
    await refused(s, { priority: { fairnessWeight: -1 } }, ["priority"]);
    await refused(s, override({ behavior: 2 }), ["versioning_override.behavior"]);
    await refused(s, override({ behavior: 2 }), ["versioning_override.deployment"]);
    await refused(s, override({ override: { case: "autoUpgrade", value: true } }), ["versioning_override.auto_upgrade"]);
    await refused(s, override({}), ["versioning_override"]);
    await refused(s, override({ behavior: 1 }), ["versioning_override"]);
    await refused(s, override({ behavior: 1, pinnedVersion: "nodot" }), ["versioning_override"]);
    await refused(s, override({ behavior: 1, pinnedVersion: "d.b" }), ["versioning_override"]);
    await refused(s, override({ behavior: 1, deployment: { seriesName: "" } }), ["versioning_override"]);
    await refused(s, override({ behavior: 1, deployment: { seriesName: "a.b" } }), ["versioning_override"]);
    await refused(s, override({ behavior: 1, deployment: { seriesName: "a" } }), ["versioning_override"]);
    await refused(s, override({ behavior: 2, pinnedVersion: "d.b" }), ["versioning_override"]);
    await refused(s, override({ behavior: 2, deployment: { seriesName: "a", buildId: "b" } }), ["versioning_override"]);
    await refused(s, override({ override: { case: "autoUpgrade", value: false } }), ["versioning_override"]);
    await refused(s, override({ override: { case: "pinned", value: { behavior: 1, version } } }), ["versioning_override"]);
    await refused(s, override({ override: { case: "pinned", value: { version } } }), ["versioning_override"]);
    await refused(s, override({ override: { case: "pinned", value: { behavior: 1 } } }), ["versioning_override"]);
    await refused(s, override({ override: { case: "oneTime", value: {} } }), ["versioning_override"]);
    await refused(s, override({ override: { case: "oneTime", value: { targetDeploymentVersion: version } } }), ["versioning_override"]);
    await s.signal("go");
    await s.answer([c.complete()]);
    await refused(s, {}, ["priority"]);
  },
};
