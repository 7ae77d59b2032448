/** Runs of a workflow: when the next one begins, when timers fire, when a run is over. */
import { ParentClosePolicy } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { command as c, seconds } from "../../conformance/session.js";
import type { MomentScript, MomentSession } from "../moment-session.js";
import { failure } from "../outcomes.js";

const fails = (extra: object = {}) => {
  const { message = "", failureInfo } = failure(extra);
  return c.fail(message, { failureInfo });
};
/** Every task that comes by then is answered with these; then when the last run's events happened. */
const answerAll = async (s: MomentSession, until: number, ...commands: Parameters<MomentSession["answer"]>[0]): Promise<void> => {
  for await (const t of s.workflowTasks(until)) await s.complete(t, ...commands);
  await s.events("last run");
};
const pauseRequest = (s: MomentSession, requestId: string) => ({ workflowId: s.id, identity: "operator", reason: "r", requestId });

export const scripts: Record<string, MomentScript> = {
  "retries whose interval grows to its maximum": async (s) => {
    const retryPolicy = { initialInterval: seconds(1), backoffCoefficient: 2, maximumInterval: seconds(3), maximumAttempts: 5 };
    await s.start({ retryPolicy });
    await answerAll(s, 14, fails());
  },
  "a failure that says when to retry": async (s) => {
    await s.start({ retryPolicy: { initialInterval: seconds(1), maximumAttempts: 2 } });
    await answerAll(s, 6, fails({ nextRetryDelay: seconds(3) }));
  },
  "a run that times out and is retried": async (s) => {
    await s.start({ workflowRunTimeout: seconds(2), retryPolicy: { initialInterval: seconds(1), maximumAttempts: 2 } });
    await s.workflowTaskBy(2);
    const t = await s.workflowTaskBy(6);
    s.happens("second run");
    await s.goTo(6);
    await s.events("first run", t?.workflowExecution?.runId);
    await s.events("last run");
  },
  "retries that the execution's timeout ends": async (s) => {
    await s.start({ workflowExecutionTimeout: seconds(5), retryPolicy: { initialInterval: seconds(2), backoffCoefficient: 1 } });
    await answerAll(s, 9, fails());
  },
  "cron, one run after the other": async (s) => {
    await s.phase(3, 0.5);
    const begin = s.elapsed;
    await s.start({ cronSchedule: "@every 3s" });
    await answerAll(s, begin + 11, c.complete());
    await s.describes("waits");
  },
  "cron, a run that outlasts its interval": async (s) => {
    await s.phase(3, 0.5);
    const begin = s.elapsed;
    await s.start({ cronSchedule: "@every 3s" });
    const t = await s.workflowTaskBy(begin + 5);
    s.happens("first");
    await s.sleep(4500);
    await s.complete(t, c.complete());
    await answerAll(s, begin + 13, c.complete());
  },
  "cron, a run that fails and is retried": async (s) => {
    await s.phase(5, 0.5);
    const begin = s.elapsed;
    await s.start({ cronSchedule: "@every 5s", retryPolicy: { initialInterval: seconds(1), maximumAttempts: 2 } });
    await answerAll(s, begin + 14, fails());
  },
  "a start that is delayed": async (s) => {
    await s.start({ workflowStartDelay: seconds(3) });
    await s.signal("early");
    await s.describes("waits");
    await answerAll(s, 5, c.complete());
  },
  "signal with start, with a delay": async (s) => {
    const request = {
      workflowId: s.id,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue },
      requestId: s.id,
      signalName: "go",
      workflowStartDelay: seconds(4),
    };
    await s.call("SignalWithStartWorkflowExecution", request);
    await s.goTo(1);
    await s.call("SignalWithStartWorkflowExecution", { ...request, requestId: `${s.id}-2` });
    await answerAll(s, 6, c.complete());
  },
  "a start that is delayed and asked to cancel": async (s) => {
    await s.start({ workflowStartDelay: seconds(3) });
    await s.goTo(1);
    await s.call("RequestCancelWorkflowExecution", { workflowExecution: { workflowId: s.id } });
    await answerAll(s, 5, c.cancel());
  },
  "continued as new, with a backoff": async (s) => {
    await s.start({ workflowExecutionTimeout: seconds(40), workflowRunTimeout: seconds(30) });
    await s.answer([c.continueAsNew({ taskQueue: { name: s.queue }, backoffStartInterval: seconds(2), workflowRunTimeout: seconds(60) })]);
    await s.describes("waits");
    const t = await s.workflowTaskBy(5);
    s.happens("second run");
    await s.describes("runs");
    await s.complete(t, c.complete());
    await s.events("second run");
  },
  "continued as new over and over": async (s) => {
    await s.start();
    for (let i = 0; i < 4; i++) {
      const t = await s.workflowTaskBy(8);
      s.happens(`run ${i}`);
      await s.complete(t, c.continueAsNew({ taskQueue: { name: s.queue } }));
    }
  },
  "timers, one of them canceled": async (s) => {
    await s.running([c.timer("a", 1), c.timer("b", 2.5), c.timer("c", 2)]);
    await s.complete(await s.workflowTaskBy(4), c.cancelTimer("c"));
    await answerAll(s, 5, c.complete());
  },
  "a run's timeout": async (s) => {
    await s.start({ workflowRunTimeout: seconds(2) });
    await s.goTo(4);
    await s.events("run");
    await s.describes("timed out");
  },
  "an execution's timeout, of a chain of runs": async (s) => {
    await s.start({ workflowExecutionTimeout: seconds(5), workflowRunTimeout: seconds(3) });
    const t = await s.workflowTaskBy(2);
    await s.goTo(2);
    await s.complete(t, c.continueAsNew({ taskQueue: { name: s.queue } }));
    await s.workflowTaskBy(4);
    s.happens("second run");
    await s.goTo(7.5);
    await s.events("last run");
  },
  "a run with a timer, reset": async (s) => {
    await s.start({ workflowExecutionTimeout: seconds(40), workflowRunTimeout: seconds(30) });
    await s.answer([c.timer("t", 4)]);
    await s.goTo(2);
    await s.call("ResetWorkflowExecution", {
      workflowExecution: { workflowId: s.id },
      workflowTaskFinishEventId: 4,
      requestId: "r",
      reason: "again",
    });
    s.happens("reset");
    await s.describes("reset");
    const t = await s.workflowTaskBy(5);
    s.happens("task");
    await s.complete(t, c.timer("t", 3));
    await answerAll(s, 9, c.complete());
  },
  "a timer whose task has to wait for a paused workflow": async (s) => {
    await s.running([c.timer("t", 2)]);
    await s.call("PauseWorkflowExecution", pauseRequest(s, "p"));
    await s.goTo(1);
    await s.describes("paused");
    await s.goTo(4);
    await s.call("UnpauseWorkflowExecution", pauseRequest(s, "u"));
    await answerAll(s, 6, c.complete());
  },
  "children: one that times out, and one that waits": async (s) => {
    await s.start({ workflowExecutionTimeout: seconds(40) });
    const taskQueue = { name: `${s.queue}-children` };
    const child = (name: string, extra: object) =>
      c.child(`${s.id}-${name}`, { taskQueue, parentClosePolicy: ParentClosePolicy.TERMINATE, ...extra });
    await s.answer([
      child("a", { workflowRunTimeout: seconds(2) }),
      child("b", { workflowExecutionTimeout: seconds(90), workflowTaskTimeout: seconds(3) }),
    ]);
    await s.goTo(1);
    await s.describes("parent");
    await s.describes("child", "", `${s.id}-b`);
    for await (const t of s.workflowTasks(4.5)) await s.complete(t);
    await s.events("parent");
    await s.events("child", "", `${s.id}-a`);
  },
};
