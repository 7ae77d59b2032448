/** Tasks that go by rules and sets of build ids: who gets them, and what a run keeps of its build. */
import type { Command } from "../../../gen/wire/temporal/api/command/v1/message.js";
import type { PollWorkflowTaskQueueResponse } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Init } from "../../../src/api/wire.js";
import { command as c, type Script, type Session } from "../session.js";

/** The official server takes a moment to bring rules to its queues. */
const SETTLE_MS = 1_000;
const NOBODY_MS = 3_000;

/** Build ids of a script are its own. */
const build = (s: Session, n: number) => `${s.queue}-${n}`;
const capabilities = (s: Session, n: number) => (n === 0 ? {} : { workerVersionCapabilities: { buildId: build(s, n), useVersioning: true } });
const poll = (s: Session, n: number, timeoutMs = 20_000) =>
  s.call("PollWorkflowTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, identity: `worker ${n}`, ...capabilities(s, n) }, timeoutMs);
const pollActivity = (s: Session, n: number, timeoutMs = 20_000) =>
  s.call("PollActivityTaskQueue", { taskQueue: { name: s.queue, kind: 1 }, identity: `worker ${n}`, ...capabilities(s, n) }, timeoutMs);
const respond = (s: Session, task: PollWorkflowTaskQueueResponse, n: number, commands: Init<Command>[] = []) =>
  s.call("RespondWorkflowTaskCompleted", {
    taskToken: task.taskToken,
    identity: `worker ${n}`,
    commands,
    ...(n === 0 ? {} : { workerVersionStamp: { buildId: build(s, n), useVersioning: true } }),
  });
async function answer(s: Session, n: number, commands: Init<Command>[] = []): Promise<void> {
  await respond(s, await poll(s, n), n, commands);
}
const nobody = async (s: Session, what: string, n: number) =>
  s.note(what, (await poll(s, n, NOBODY_MS)).taskToken.length === 0 ? "no task" : "a task");

async function rule(s: Session, name: string, value: object): Promise<void> {
  const { conflictToken } = await s.call("GetWorkerVersioningRules", { taskQueue: s.queue });
  await s.call("UpdateWorkerVersioningRules", { taskQueue: s.queue, conflictToken, operation: { case: name, value } as never });
  await s.sleep(SETTLE_MS);
}
const assigned = (s: Session, n: number) => rule(s, "insertAssignmentRule", { ruleIndex: 0, rule: { targetBuildId: build(s, n) } });
const redirected = (s: Session, from: number, to: number) =>
  rule(s, "addCompatibleRedirectRule", { rule: { sourceBuildId: build(s, from), targetBuildId: build(s, to) } });
async function sets(s: Session, name: string, value: unknown): Promise<void> {
  await s.call("UpdateWorkerBuildIdCompatibility", { taskQueue: s.queue, operation: { case: name, value } as never });
  await s.sleep(SETTLE_MS);
}
const shown = (s: Session) =>
  s.shown("DescribeWorkflowExecution", { execution: { workflowId: s.id } }, (r) => ({
    assignedBuildId: r.workflowExecutionInfo?.assignedBuildId,
    stamp: r.workflowExecutionInfo?.mostRecentWorkerVersionStamp,
    // The official server has no order.
    pendingActivities: r.pendingActivities.map((a) => [a.activityId, a.assignedBuildId] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
  }));

export const scripts: Record<string, Script> = {
  "a rule assigns new runs": async (s) => {
    await assigned(s, 1);
    await s.start();
    await nobody(s, "a worker without a build", 0);
    await nobody(s, "a worker of another build", 2);
    await answer(s, 1);
    await shown(s);
    await assigned(s, 2);
    await s.signal("go");
    await nobody(s, "the build of new runs", 2);
    await answer(s, 1, [c.complete()]);
    await s.history();
  },
  "a run before the rules stays": async (s) => {
    await s.start();
    await answer(s, 0);
    await assigned(s, 1);
    await s.signal("go");
    await nobody(s, "the build of new runs", 1);
    await answer(s, 0, [c.complete()]);
    await s.history();
    await shown(s);
  },
  "a redirect moves a run": async (s) => {
    await assigned(s, 1);
    await s.start();
    await answer(s, 1);
    await redirected(s, 1, 2);
    await s.signal("go");
    await answer(s, 2);
    await shown(s);
    await s.signal("end");
    await answer(s, 2, [c.complete()]);
    await s.history();
  },
  "activities of the run's build, and of their own": async (s) => {
    await assigned(s, 1);
    await s.start();
    await answer(s, 1, [c.activity(s, "own", { useWorkflowBuildId: true }), c.activity(s, "any")]);
    const first = await pollActivity(s, 1);
    const second = await pollActivity(s, 1);
    await shown(s);
    for (const a of [first, second].sort((x, y) => (x.activityId < y.activityId ? -1 : 1)))
      await s.call("RespondActivityTaskCompleted", {
        taskToken: a.taskToken,
        identity: "worker 1",
        workerVersion: { buildId: build(s, 1), useVersioning: true },
      });
    await answer(s, 1, [c.complete()]);
    await s.history();
  },
  "a set of compatible builds": async (s) => {
    await sets(s, "addNewBuildIdInNewDefaultSet", build(s, 1));
    await s.start();
    await nobody(s, "a worker without a build", 0);
    await answer(s, 1);
    await shown(s);
    await sets(s, "addNewCompatibleBuildId", { newBuildId: build(s, 2), existingCompatibleBuildId: build(s, 1) });
    await sets(s, "addNewBuildIdInNewDefaultSet", build(s, 3));
    await s.signal("go");
    await nobody(s, "the build of new runs", 3);
    await answer(s, 2, [c.complete()]);
    await s.history();
    await shown(s);
  },
  "a worker that gives its build up is refused": async (s) => {
    await assigned(s, 1);
    await s.start();
    const t = await poll(s, 1);
    await s.refused("RespondWorkflowTaskCompleted", {
      taskToken: t.taskToken,
      identity: "worker",
      workerVersionStamp: { buildId: build(s, 2), useVersioning: true },
    });
    await respond(s, t, 1);
    await s.signal("go");
    await answer(s, 1, [c.complete()]);
    await s.history();
  },
  "the next run goes on where it was asked to": async (s) => {
    await assigned(s, 1);
    await s.start();
    await s.sleep(1_100);
    await answer(s, 1, [c.continueAsNew({ inheritBuildId: true })]);
    await assigned(s, 2);
    await nobody(s, "the build of new runs", 2);
    await s.sleep(1_100);
    await answer(s, 1, [c.continueAsNew()]);
    await s.history();
    await answer(s, 2, [c.complete()]);
    await s.history();
  },
};
