import { command as c, type Script, type Session, seconds } from "../session.js";

/** Rules are of the namespace: each script has one of its own, which takes effect there only. */
async function ownNamespace(s: Session): Promise<string> {
  const namespace = `rules-${s.id}`;
  await s.call("RegisterNamespace", { namespace, workflowExecutionRetentionPeriod: seconds(86_400) });
  await s.until("the namespace is there", () =>
    s.call("ListWorkflowRules", { namespace }).then(
      () => true,
      () => false,
    ),
  );
  return namespace;
}

const pauses = (predicate: string, extra: object = {}) => ({
  trigger: { case: "activityStart", value: { predicate } },
  actions: [{ variant: { case: "activityPause", value: {} } }],
  ...extra,
});
const rule = (namespace: string, id: string, spec: object) =>
  ({ namespace, spec: { id, ...spec }, identity: "operator", description: "why", requestId: `create-${id}` }) as never;

export const scripts: Record<string, Script> = {
  "a rule is made, described, listed and deleted": async (s) => {
    const namespace = await ownNamespace(s);
    await s.shown("ListWorkflowRules", { namespace });
    const spec = pauses("ActivityType = 'A'", { visibilityQuery: "WorkflowType = 'T'", expirationTime: { seconds: 4_000_000_000, nanos: 0 } });
    await s.shown("CreateWorkflowRule", rule(namespace, "one", spec));
    await s.shown("DescribeWorkflowRule", { namespace, ruleId: "one" });
    await s.shown("ListWorkflowRules", { namespace });
    await s.call("DeleteWorkflowRule", { namespace, ruleId: "one" });
    await s.shown("ListWorkflowRules", { namespace });
    await s.refused("DescribeWorkflowRule", { namespace, ruleId: "one" });
  },
  "too many rules, and room made by one that has expired": async (s) => {
    const namespace = await ownNamespace(s);
    for (let i = 0; i < 9; i++) await s.call("CreateWorkflowRule", rule(namespace, `rule-${i}`, pauses("ActivityType = 'A'")));
    await s.call(
      "CreateWorkflowRule",
      rule(namespace, "old", pauses("ActivityType = 'A'", { expirationTime: { seconds: 1_000_000_001, nanos: 0 } })),
    );
    await s.call("CreateWorkflowRule", rule(namespace, "new", pauses("ActivityType = 'A'")));
    await s.refused("DescribeWorkflowRule", { namespace, ruleId: "old" });
    await s.refused("CreateWorkflowRule", rule(namespace, "another", pauses("ActivityType = 'A'")));
    await s.shown("ListWorkflowRules", { namespace }, (r) => r.rules.map((x) => x.spec?.id).sort());
  },
  "an activity that is about to start is paused": async (s) => {
    const namespace = await ownNamespace(s);
    await s.call(
      "CreateWorkflowRule",
      rule(namespace, "held", pauses("ActivityType = 'Held' AND Attempts < 5", { visibilityQuery: "WorkflowId != 'other'" })),
    );
    await s.sleep(4_000);
    const where = { namespace, workflowId: s.id };
    await s.call("StartWorkflowExecution", {
      ...where,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue },
      requestId: "start",
      workflowTaskTimeout: seconds(10),
    });
    const t = await s.call("PollWorkflowTaskQueue", { namespace, taskQueue: { name: s.queue }, identity: "worker" });
    await s.call("RespondWorkflowTaskCompleted", {
      namespace,
      taskToken: t.taskToken,
      identity: "worker",
      commands: [c.activity(s, "free"), c.activity(s, "held", { activityType: { name: "Held" } })],
    });
    const free = await s.call("PollActivityTaskQueue", { namespace, taskQueue: { name: s.queue }, identity: "worker" });
    s.note("the one that comes", free.activityId);
    await s.call("RespondActivityTaskCompleted", { namespace, taskToken: free.taskToken, identity: "worker" });
    const none = await s.call("PollActivityTaskQueue", { namespace, taskQueue: { name: s.queue }, identity: "worker" }, 4_000).catch(() => undefined);
    s.note("no other", none?.activityId ?? "");
    await s.shown("DescribeWorkflowExecution", { namespace, execution: { workflowId: s.id } }, (d) => d.pendingActivities);
  },
  "rules that are refused": async (s) => {
    const namespace = await ownNamespace(s);
    await s.call("CreateWorkflowRule", rule(namespace, "one", pauses("ActivityType = 'A'")));
    await s.refused("CreateWorkflowRule", rule(namespace, "one", pauses("ActivityType = 'B'")));
    await s.refused("CreateWorkflowRule", { namespace });
    await s.refused("CreateWorkflowRule", rule(namespace, "", {}));
    await s.refused("CreateWorkflowRule", rule(namespace, "x".repeat(1001), {}));
    await s.refused("CreateWorkflowRule", rule("no-such-namespace", "one", {}));
    for (const name of ["DescribeWorkflowRule", "DeleteWorkflowRule"] as const) {
      await s.refused(name, { namespace });
      await s.refused(name, { namespace, ruleId: "none" });
      await s.refused(name, { namespace: "no-such-namespace", ruleId: "one" });
    }
    await s.refused("ListWorkflowRules", { namespace: "no-such-namespace" });
  },
};
