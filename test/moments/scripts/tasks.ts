/** Workflow tasks: when the next one comes after a failure, a timeout, a sticky queue without a worker. */
import { TaskQueueKind } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { done, requestOf } from "../../conformance/scripts/updates.js";
import { command as c, seconds } from "../../conformance/session.js";
import type { MomentScript, MomentSession } from "../moment-session.js";
import { failTask } from "../outcomes.js";

const sticky = (s: MomentSession, scheduleToStart: number) => ({
  stickyAttributes: {
    workerTaskQueue: { name: s.stickyQueue, kind: TaskQueueKind.STICKY, normalName: s.queue },
    scheduleToStartTimeout: seconds(scheduleToStart),
  },
});

export const scripts: Record<string, MomentScript> = {
  "a task that fails again and again": async (s) => {
    await s.start();
    for (let i = 0; i < 6; i++) {
      const t = await s.workflowTaskBy(12);
      s.happens(`attempt ${t?.attempt}`);
      await failTask(s, t);
    }
    await s.events("history");
  },
  "a task that nobody answers": async (s) => {
    await s.start({ workflowTaskTimeout: seconds(1) });
    for await (const _ of s.workflowTasks(9));
    await s.events("history");
  },
  "a task that fails, times out, and is answered": async (s) => {
    await s.start({ workflowTaskTimeout: seconds(2) });
    await failTask(s, await s.workflowTaskBy(4));
    await s.workflowTaskBy(4);
    const third = await s.workflowTaskBy(9);
    s.happens(`attempt ${third?.attempt}`);
    await s.complete(third, c.timer("t", 1));
    const next = await s.workflowTaskBy(12);
    s.happens(`after the timer, attempt ${next?.attempt}`);
    await s.complete(next, c.complete());
    await s.events("history");
  },
  "the sticky queue of a worker that is gone": async (s) => {
    await s.start();
    await s.completeWith(await s.workflowTaskBy(5), sticky(s, 2));
    await s.workflowTaskBy(1.5, s.stickyQueue);
    await s.goTo(2);
    await s.signal("go");
    s.happens("signal");
    for await (const t of s.workflowTasks(7)) await s.complete(t, c.complete());
    await s.events("history");
  },
  "a task of a sticky queue that is taken and not answered": async (s) => {
    await s.start({ workflowTaskTimeout: seconds(2) });
    await s.completeWith(await s.workflowTaskBy(5), sticky(s, 5));
    const waiting = s.workflowTaskBy(5, s.stickyQueue);
    await s.goTo(1);
    await s.signal("go");
    await waiting;
    s.happens("taken");
    for await (const t of s.workflowTasks(7)) await s.complete(t, c.complete());
    await s.events("history");
  },
  "a heartbeat of a task": async (s) => {
    await s.start({ workflowTaskTimeout: seconds(3) });
    const t = await s.workflowTaskBy(5);
    await s.goTo(2);
    await s.completeWith(t, { forceCreateNewWorkflowTask: true });
    s.happens("heartbeat");
    await s.workflowTaskBy(5);
    for await (const u of s.workflowTasks(9)) await s.complete(u, c.complete());
    await s.events("history");
  },
  "the speculative task of an update that nobody answers": async (s) => {
    await s.running([], { workflowTaskTimeout: seconds(2) });
    const asked = s.ends(
      "update",
      s.call("UpdateWorkflowExecution", {
        workflowExecution: { workflowId: s.id },
        waitPolicy: { lifecycleStage: 3 },
        request: requestOf("u"),
      } as never),
    );
    await s.workflowTaskBy(5);
    s.happens("taken");
    const next = await s.workflowTaskBy(8);
    s.happens(`again, attempt ${next?.attempt}`);
    await s.completeWith(next, done("u", 4));
    await asked;
  },
  "a timer that fires while a task is with its worker": async (s) => {
    await s.running([c.timer("t", 1)]);
    await s.signal("go");
    const t = await s.workflowTaskBy(5);
    await s.goTo(3);
    await s.complete(t);
    s.happens("answered");
    const next = await s.workflowTaskBy(6);
    s.happens("next task");
    await s.complete(next, c.complete());
    await s.events("history");
  },
  "a task described in each state": async (s) => {
    await s.start({ workflowTaskTimeout: seconds(2) });
    for (const n of ["first", "second", "third"]) {
      const t = await s.workflowTaskBy(10);
      s.leaves(`${n} task`, t);
      await s.describes(`${n}, started`);
      await failTask(s, t);
      await s.describes(`${n}, failed`);
    }
  },
};
