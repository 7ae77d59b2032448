/** Runs described in each state, with every moment and duration. */
import { command as c, seconds } from "../../conformance/session.js";
import type { MomentScript } from "../moment-session.js";
import { failure } from "../outcomes.js";

const { message = "", failureInfo } = failure();
const fails = c.fail(message, { failureInfo });

export const scripts: Record<string, MomentScript> = {
  "a start with a delay and every timeout": async (s) => {
    await s.start({
      workflowExecutionTimeout: seconds(100),
      workflowRunTimeout: seconds(50),
      workflowTaskTimeout: seconds(7),
      workflowStartDelay: seconds(2),
    });
    await s.describes("delayed");
    await s.goTo(3);
    await s.describes("scheduled");
    const t = await s.workflowTaskBy(5);
    s.leaves("task", t);
    await s.describes("started");
    await s.goTo(5);
    await s.complete(t, c.complete());
    await s.describes("completed");
  },
  "a cron workflow, its next run, and its end": async (s) => {
    await s.phase(5, 0.5);
    await s.start({ cronSchedule: "@every 5s", workflowExecutionTimeout: seconds(100) });
    await s.describes("first");
    await s.complete(await s.workflowTaskBy(12), fails);
    await s.describes("next");
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
    await s.describes("terminated");
  },
  "a run that is retried": async (s) => {
    await s.start({
      retryPolicy: { initialInterval: seconds(3), maximumAttempts: 3 },
      workflowExecutionTimeout: seconds(60),
      workflowRunTimeout: seconds(20),
    });
    await s.answer([fails]);
    await s.describes("second waits");
    const t = await s.workflowTaskBy(6);
    s.leaves("second task", t);
    await s.describes("second runs");
    await s.complete(t, fails);
    await s.describes("third waits");
  },
  "an update that waits, and a run that ends without it": async (s) => {
    await s.running();
    const asked = s.ends(
      "update",
      s.call("UpdateWorkflowExecution", {
        workflowExecution: { workflowId: s.id },
        waitPolicy: { lifecycleStage: 3 },
        request: { meta: { updateId: "u" }, input: { name: "u" } },
      } as never),
    );
    await s.goTo(1);
    await s.describes("waits");
    s.leaves("task", await s.workflowTaskBy(4));
    await s.goTo(2);
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
    await asked;
    await s.describes("closed");
  },
  "a workflow task that waits for a worker": async (s) => {
    await s.start();
    await s.goTo(1.5);
    await s.describes("waits");
    s.leaves("task", await s.workflowTaskBy(4));
    await s.describes("taken");
  },
  "a canceled run": async (s) => {
    await s.running();
    await s.goTo(1);
    await s.call("RequestCancelWorkflowExecution", { workflowExecution: { workflowId: s.id }, reason: "enough" });
    await s.describes("asked");
    await s.complete(await s.workflowTaskBy(4), c.cancel());
    await s.describes("canceled");
  },
};
