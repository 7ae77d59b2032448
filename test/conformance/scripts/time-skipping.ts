/** Time skipping of one execution: what is skipped and what is waited for, fast-forwards and their polls, sessions, what chains and children inherit. */
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { decode } from "../../../src/api/wire.js";
import { command as c, type Script, type Session, seconds } from "../session.js";

const HOUR = 3600;
const skipping = (extra: object = {}) => ({ timeSkippingConfig: { enabled: true, ...extra } });
const forward = (id: string, secs: number, extra: object = {}) => skipping({ fastForwardConfig: { id, duration: seconds(secs) }, ...extra });
const FAILURE = { message: "again", failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } } as never;
const OTHER = (s: Session) => ({ taskQueue: { name: `${s.queue}-c` } });
const execution = (s: Session) => ({ workflowId: s.id, runId: "" });

const effective = (s: Session, workflowId = s.id) =>
  s.shown(
    "DescribeWorkflowExecution",
    { execution: { workflowId, runId: "" } },
    (d) => d.workflowExtendedInfo?.timeSkippingInfo ?? "no time skipping",
  );

const poll = (s: Session, fastForwardId: string, workflowId = s.id) =>
  s.shown("PollWorkflowExecutionTimeSkipping", { workflowExecution: { workflowId, runId: "" }, fastForwardId });

/** What the first event of a run has inherited; durations to the second, as how long the run before lived is no part of it. */
async function inherited(s: Session, workflowId: string, runId = ""): Promise<void> {
  const page = await s.call("GetWorkflowExecutionHistory", { execution: { workflowId, runId } });
  const [first] = page.history === undefined ? [] : decode(History, page.history).events;
  const a = first?.attributes;
  if (a?.case !== "workflowExecutionStartedEventAttributes") throw new Error("a history begins with its start");
  const { timeSkippingConfig, timeSkippingStatePropagation: p } = a.value;
  s.note("inherited", {
    timeSkippingConfig,
    skippedSeconds: Math.round((p?.initialSkippedDuration?.seconds ?? 0) + (p?.initialSkippedDuration?.nanos ?? 0) / 1e9),
    hasTarget: p?.fastForwardTargetTime !== undefined,
    skipCount: p?.initialSkipCount,
  });
}

const types = async (s: Session, workflowId: string, runId = ""): Promise<void> => {
  const page = await s.call("GetWorkflowExecutionHistory", { execution: { workflowId, runId } });
  s.note("types", page.history === undefined ? [] : decode(History, page.history).events.map((e) => EventType[e.eventType]));
};

const childAnswers = async (s: Session, commands: object[]) => {
  const t = await s.workflowTask(`${s.queue}-c`);
  await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands });
};

export const scripts: Record<string, Script> = {
  "timers are skipped one after the other": async (s) => {
    await s.running([c.timer("b", 2 * HOUR), c.timer("a", HOUR)], skipping());
    await s.answer([]);
    await s.answer([c.complete()]);
    await s.history();
    await effective(s);
  },
  "a delayed start is skipped": async (s) => {
    await s.start({ ...skipping(), workflowStartDelay: seconds(HOUR) });
    await s.answer([c.complete()]);
    await s.history();
  },
  "the time of a run is skipped to its end": async (s) => {
    await s.running([], { ...skipping(), workflowRunTimeout: seconds(HOUR) });
    await s.until("it has closed", async () => {
      const d = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
      return d.workflowExecutionInfo?.status !== 1;
    });
    await s.history();
  },
  "an activity is waited for, its backoff is not": async (s) => {
    await s.running([c.activity(s, "a", { retryPolicy: { initialInterval: seconds(HOUR) } }), c.timer("t", 5 * HOUR)], skipping());
    const first = await s.activityTask();
    await types(s, s.id);
    await s.call("RespondActivityTaskFailed", { taskToken: first.taskToken, identity: "worker", failure: FAILURE });
    const second = await s.activityTask();
    s.note("attempt", second.attempt);
    await s.call("RespondActivityTaskCompleted", { taskToken: second.taskToken, identity: "worker" });
    await s.answer([]);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a session ends with its cap": async (s) => {
    await s.running([c.timer("a", HOUR), c.timer("b", 2 * HOUR), c.timer("c", 3 * HOUR)], skipping({ maxSessionSkipCount: 2 }));
    await s.answer([]);
    await s.answer([]);
    await effective(s);
    await s.signal("end");
    await s.answer([c.complete()]);
    await s.history();
  },
  "a config that is off skips nothing": async (s) => {
    await s.running([c.timer("t", 1)], { timeSkippingConfig: { enabled: false } });
    await effective(s);
    await s.answer([c.complete()]);
    await s.history();
    await s.start({ workflowId: `${s.id}-2` });
    await effective(s, `${s.id}-2`);
  },
  "a fast-forward ends before what comes later": async (s) => {
    await s.running([c.timer("t", 2 * HOUR)], forward("f", HOUR));
    await poll(s, "f");
    await effective(s);
    await s.signal("end");
    await s.answer([c.complete()]);
    await s.history();
  },
  "a fast-forward goes through what comes before its end": async (s) => {
    await s.running([c.timer("t", HOUR)], forward("f", 3 * HOUR));
    await s.answer([]);
    await poll(s, "f");
    await s.history();
  },
  "a fast-forward ends by itself while work is in flight": async (s) => {
    await s.running([c.activity(s, "a")], forward("f", 2));
    const t = await s.activityTask();
    await poll(s, "f");
    await s.call("RespondActivityTaskCompleted", { taskToken: t.taskToken, identity: "worker" });
    await s.answer([c.complete()]);
    await s.history();
  },
  "a fast-forward of a workflow that runs a task ends with an event that waits": async (s) => {
    await s.start(forward("f", 1));
    const t = await s.workflowTask();
    await poll(s, "f");
    await types(s, s.id);
    await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [c.timer("t", HOUR)] });
    await s.history();
  },
  "a poll waits for the end of the fast-forward": async (s) => {
    await s.start(forward("f", HOUR));
    const t = await s.workflowTask();
    const waiting = poll(s, "f");
    await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [c.timer("t", 2 * HOUR)] });
    await waiting;
  },
  "a poll learns that the execution has ended": async (s) => {
    await s.start(forward("f", HOUR));
    const waiting = poll(s, "f");
    await s.answer([c.complete()]);
    await waiting;
    await poll(s, "f");
  },
  "a poll learns that the session has ended": async (s) => {
    await s.running([c.timer("t", HOUR)], forward("f", 3 * HOUR, { maxSessionSkipCount: 1 }));
    await s.answer([]);
    await poll(s, "f");
  },
  "polls that are refused, and that ask for another fast-forward": async (s) => {
    await s.start(forward("f", HOUR));
    await poll(s, "g");
    await s.refused("PollWorkflowExecutionTimeSkipping", { workflowExecution: execution(s), fastForwardId: " " });
    await s.refused("PollWorkflowExecutionTimeSkipping", { fastForwardId: "f" });
    await s.refused("PollWorkflowExecutionTimeSkipping", { workflowExecution: { workflowId: `${s.id}-nobody` }, fastForwardId: "f" });
    await s.start({ workflowId: `${s.id}-2` });
    await poll(s, "f", `${s.id}-2`);
  },
  "configs that are refused": async (s) => {
    const base = { workflowId: s.id, workflowType: { name: "T" }, taskQueue: { name: s.queue } };
    await s.refused("StartWorkflowExecution", { ...base, ...forward("f", 0) });
    await s.refused("StartWorkflowExecution", { ...base, ...forward("", 1) });
    await s.refused("StartWorkflowExecution", { ...base, ...forward("f", 1, { enabled: false }) });
    await s.refused("SignalWithStartWorkflowExecution", { ...base, signalName: "s", ...forward("f", -1) });
  },
  "a signal that starts brings its config": async (s) => {
    await s.call("SignalWithStartWorkflowExecution", {
      workflowId: s.id,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue, kind: 1 },
      requestId: "r",
      identity: "client",
      signalName: "s",
      workflowTaskTimeout: seconds(10),
      ...skipping({ maxSessionSkipCount: 7 }),
    });
    await s.answer([c.timer("t", HOUR)]);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a chain goes on with its time, its session and its fast-forward": async (s) => {
    await s.running([c.timer("t", HOUR)], forward("f", 10 * HOUR));
    await s.answer([c.continueAsNew({ backoffStartInterval: seconds(2 * HOUR) })]);
    await inherited(s, s.id);
    await s.answer([c.timer("u", 20 * HOUR)]);
    await poll(s, "f");
    await types(s, s.id);
    await effective(s);
  },
  "a chain whose session has ended goes on with its time alone": async (s) => {
    await s.running([c.timer("t", HOUR)], skipping({ maxSessionSkipCount: 1 }));
    await s.answer([c.continueAsNew()]);
    await inherited(s, s.id);
    await s.answer([c.complete()]);
    await types(s, s.id);
  },
  "a failed run is tried again without a wait": async (s) => {
    await s.start({ ...skipping(), retryPolicy: { initialInterval: seconds(HOUR), maximumAttempts: 2 } });
    await s.answer([c.fail("again", { failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } })]);
    await s.answer([c.complete()]);
    await inherited(s, s.id);
    await types(s, s.id);
  },
  "a child goes on from its parent's time, with a session of its own": async (s) => {
    const id = `${s.id}-child`;
    await s.running([c.timer("t", HOUR)], forward("f", 50 * HOUR, { maxSessionSkipCount: 9 }));
    await s.answer([c.child(id, OTHER(s))]);
    await childAnswers(s, [c.timer("u", 5 * HOUR)]);
    await childAnswers(s, [c.complete()]);
    await inherited(s, id);
    await types(s, id);
    await s.until("the parent has a task", async () => {
      const d = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
      return d.pendingChildren.length === 0;
    });
    await s.answer([c.complete()]);
  },
  "a child of a parent that passes nothing on goes on from its time": async (s) => {
    const id = `${s.id}-child`;
    await s.running([c.timer("t", HOUR)], skipping({ disablePropagation: true }));
    await s.answer([c.child(id, OTHER(s))]);
    await childAnswers(s, [c.complete()]);
    await inherited(s, id);
    await effective(s, id);
  },
  "an update of the options begins, forwards and ends skipping": async (s) => {
    const update = (timeSkippingConfig: object | undefined) =>
      s.shown(
        "UpdateWorkflowExecutionOptions",
        {
          workflowExecution: execution(s),
          updateMask: { paths: ["time_skipping_config"] },
          workflowExecutionOptions: { timeSkippingConfig } as never,
        },
        (r) => r.workflowExecutionOptions?.timeSkippingConfig ?? "none",
      );
    await s.running([c.timer("a", HOUR), c.timer("b", 5 * HOUR), c.timer("c", 20 * HOUR)]);
    await effective(s);
    await update({ enabled: true, fastForwardConfig: { id: "f", duration: seconds(2 * HOUR) } });
    await s.answer([]);
    await poll(s, "f");
    // A task in flight: what the update makes possible comes with the next transition.
    await s.signal("wake");
    await update({ enabled: true, fastForwardConfig: { id: "f", duration: seconds(2 * HOUR) } });
    await s.answer([]);
    await poll(s, "f");
    await poll(s, "g");
    await s.signal("wake");
    await update({ enabled: true, maxSessionSkipCount: 1 });
    await s.answer([]);
    await s.answer([]);
    await effective(s);
    await update(undefined);
    await effective(s);
    await s.refused("UpdateWorkflowExecutionOptions", {
      workflowExecution: execution(s),
      updateMask: { paths: ["time_skipping_config.enabled"] },
      workflowExecutionOptions: { timeSkippingConfig: { enabled: true } },
    });
    await s.signal("end");
    await s.answer([c.complete()]);
    await s.history();
  },
  "a parent waits for its child, however far its own timer": async (s) => {
    const id = `${s.id}-child`;
    await s.running([c.child(id, OTHER(s)), c.timer("t", HOUR)], skipping());
    await s.until("the child has started", async () => {
      const d = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
      return d.pendingWorkflowTask !== undefined && (d.pendingChildren[0]?.runId ?? "") !== "";
    });
    await s.answer([]);
    await types(s, s.id);
    await childAnswers(s, [c.complete()]);
    await s.answer([]);
    await s.answer([c.complete()]);
    await types(s, s.id);
  },
};
