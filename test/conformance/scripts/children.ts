/** Children and other workflows: each way a child ends, close policies, signals and cancels across. */
import { command as c, payloads, type Script, type Session, seconds } from "../session.js";

const childId = (s: Session) => `${s.id}-child`;
const OTHER = (s: Session) => ({ taskQueue: { name: `${s.queue}-c` } });

const describe = (s: Session, workflowId: string) => s.call("DescribeWorkflowExecution", { execution: { workflowId } });
const childStarted = (s: Session) => s.until("the child has started", async () => ((await describe(s, s.id)).pendingChildren[0]?.runId ?? "") !== "");
const closed = (s: Session, workflowId: string) =>
  s.until("it has closed", async () => (await describe(s, workflowId)).workflowExecutionInfo?.status !== 1);

/** The parent waits for the child, which does `end`; both histories are recorded. */
const family =
  (end: (s: Session) => Promise<void>, extra: object = {}): Script =>
  async (s) => {
    await s.running([c.child(childId(s), { ...OTHER(s), ...extra })]);
    await childStarted(s);
    await s.answer([]);
    await end(s);
    await s.answer([c.complete()]);
    await s.history(childId(s));
    await s.history();
  };

const childAnswers = async (s: Session, commands: object[]) => {
  const t = await s.workflowTask(`${s.queue}-c`);
  await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands });
};

/** What becomes of a child whose parent ends. */
const orphan =
  (parentClosePolicy: number, end: (s: Session) => Promise<void>): Script =>
  async (s) => {
    await s.running([c.child(childId(s), { ...OTHER(s), parentClosePolicy })]);
    await childStarted(s);
    await s.answer([]);
    await end(s);
    if (parentClosePolicy === 1) await closed(s, childId(s));
    if (parentClosePolicy === 3)
      await s.until("the cancel arrives", async () => (await describe(s, childId(s))).workflowExtendedInfo?.cancelRequested === true);
    await s.history(childId(s));
    if (parentClosePolicy !== 1) await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: childId(s) } });
  };

const completes = async (s: Session) => {
  await s.signal("end");
  await s.answer([c.complete()]);
};

export const scripts: Record<string, Script> = {
  "a child that completes": family((s) => childAnswers(s, [c.complete(payloads("result"))]), { input: payloads("in"), control: "ctl" }),
  "a child that fails": family((s) => childAnswers(s, [c.fail("no", { failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } })])),
  "a child that cancels itself": family((s) => childAnswers(s, [c.cancel()])),
  "a child that is terminated": family(async (s) => {
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: childId(s) }, reason: "r", identity: "client" });
  }),
  "a child that times out": family(async () => undefined, { workflowRunTimeout: seconds(1) }),
  "a child that continues as new": family(async (s) => {
    await s.sleep(1100);
    await childAnswers(s, [c.continueAsNew()]);
    await childAnswers(s, [c.complete()]);
  }),
  "a child that is retried": family(
    async (s) => {
      await childAnswers(s, [c.fail("one", { failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } })]);
      await childAnswers(s, [c.fail("two", { failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } })]);
    },
    { retryPolicy: { initialInterval: seconds(1), maximumAttempts: 2 } },
  ),
  "a child with everything": family((s) => childAnswers(s, [c.complete()]), {
    memo: { fields: { m: payloads("memo").subarray(2) } },
    searchAttributes: { indexedFields: { ConformanceKeyword: payloads("kw").subarray(2) } },
    workflowExecutionTimeout: seconds(1000),
    workflowRunTimeout: seconds(100),
    workflowTaskTimeout: seconds(7),
    priority: { priorityKey: 2 },
    retryPolicy: { maximumAttempts: 2 },
  }),
  "a child canceled by its parent": async (s) => {
    await s.running([c.child(childId(s), OTHER(s))]);
    await childStarted(s);
    await s.answer([c.cancelExternal(childId(s), { childWorkflowOnly: true, reason: "why" })]);
    await s.until("the cancel arrives", async () => (await describe(s, childId(s))).workflowExtendedInfo?.cancelRequested === true);
    await childAnswers(s, [c.cancel()]);
    await s.until("the parent has heard", async () => (await describe(s, s.id)).pendingChildren.length === 0);
    await s.answer([c.complete()]);
    await s.history(childId(s));
  },
  "a child signaled by its parent": async (s) => {
    await s.running([c.child(childId(s), OTHER(s))]);
    await childStarted(s);
    await s.answer([c.signalExternal(childId(s), { childWorkflowOnly: true, input: payloads("x") })]);
    await s.answer([]);
    await s.history();
    await s.history(childId(s));
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
  },
  "another's child is not one's own": async (s) => {
    await s.start({ workflowId: childId(s), ...OTHER(s) });
    await s.running([c.signalExternal(childId(s), { childWorkflowOnly: true })]);
    await s.answer([c.cancelExternal(childId(s), { childWorkflowOnly: true })]);
    await s.answer([c.complete()]);
    await s.history();
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: childId(s) } });
  },
  "a workflow signaled by another": async (s) => {
    await s.start({ workflowId: childId(s), ...OTHER(s) });
    await s.running([c.signalExternal(childId(s), { input: payloads("x"), control: "ctl" })]);
    await s.answer([c.complete()]);
    await s.history();
    await s.history(childId(s));
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: childId(s) } });
  },
  "a workflow canceled by another": async (s) => {
    await s.start({ workflowId: childId(s), ...OTHER(s) });
    await s.running([c.cancelExternal(childId(s), { control: "ctl", reason: "why" })]);
    await s.answer([c.complete()]);
    await s.history();
    await s.history(childId(s));
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: childId(s) } });
  },
  "a closed workflow signaled and canceled by another": async (s) => {
    await s.start({ workflowId: childId(s), ...OTHER(s) });
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: childId(s) } });
    await s.running([c.signalExternal(childId(s))]);
    await s.answer([c.cancelExternal(childId(s))]);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a child that may not use the id again": async (s) => {
    await s.start({ workflowId: childId(s), ...OTHER(s) });
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: childId(s) } });
    await s.running([c.child(childId(s), { ...OTHER(s), workflowIdReusePolicy: 3, control: "ctl" })]);
    await s.answer([c.complete()]);
    await s.history();
  },
  "terminated with its parent that completes": orphan(1, completes),
  "terminated with its parent that is terminated": orphan(1, async (s) => {
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
  }),
  "abandoned by its parent": orphan(2, completes),
  "canceled when its parent ends": orphan(3, completes),
  ...Object.fromEntries(
    Object.entries({ terminated: 1, abandoned: 2, canceled: 3 }).map(([policy, parentClosePolicy]) => [
      `not begun by the task that ends its parent, to be ${policy} with it`,
      async (s: Session) => {
        await s.running([c.child(childId(s), { ...OTHER(s), parentClosePolicy }), c.complete()]);
        await s.sleep(1100);
        await s.refused("DescribeWorkflowExecution", { execution: { workflowId: childId(s) } });
        await s.history();
      },
    ]),
  ),
  "another neither signaled nor canceled by the task that ends the workflow": async (s) => {
    await s.start({ workflowId: childId(s), ...OTHER(s) });
    await s.running([c.signalExternal(childId(s), { input: payloads("x") }), c.cancelExternal(childId(s)), c.complete()]);
    await s.sleep(1100);
    await s.history();
    await s.history(childId(s));
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: childId(s) } });
  },
  "kept when its parent continues as new": async (s) => {
    const first = await s.running([c.child(childId(s), { ...OTHER(s), parentClosePolicy: 2 })]);
    await childStarted(s);
    await s.sleep(1100);
    await s.answer([c.continueAsNew()]);
    await s.history(s.id, first);
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: childId(s) } });
  },
};
