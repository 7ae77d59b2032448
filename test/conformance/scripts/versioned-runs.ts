/** Versions of a run over its life: what overrides name, what resets know, and what further runs, children and attempts inherit. */
import { randomUUID } from "node:crypto";
import type { Command } from "../../../gen/wire/temporal/api/command/v1/message.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type { PollWorkflowTaskQueueResponse } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { decode, type Init } from "../../../src/api/wire.js";
import { command as c, type Script, type Session, seconds } from "../session.js";
import { current, isThere, options, poll, pollActivity, register, version } from "../worker-versions.js";

const PINNED = 1;
const AUTO_UPGRADE = 2;
const ACTIVITY = 2;

const respond = (s: Session, t: PollWorkflowTaskQueueResponse, buildId: string, behavior: number, commands: Init<Command>[] = []) =>
  s.call("RespondWorkflowTaskCompleted", {
    taskToken: t.taskToken,
    identity: `worker ${buildId}`,
    commands,
    ...(buildId === "" ? {} : { deploymentOptions: options(s, buildId), versioningBehavior: behavior }),
  });
const answer = async (s: Session, buildId: string, behavior: number, commands: Init<Command>[] = []) =>
  respond(s, await poll(s, buildId), buildId, behavior, commands);
const shown = (s: Session, workflowId = s.id) =>
  s.shown("DescribeWorkflowExecution", { execution: { workflowId } }, ({ workflowExecutionInfo: w }) => ({
    versioningInfo: w?.versioningInfo,
    deployment: w?.workerDeploymentName,
    attributes: w?.searchAttributes,
    status: w?.status,
  }));
const pinnedTo = (s: Session, buildId: string) => ({
  versioningOverride: { override: { case: "pinned" as const, value: { behavior: 1, version: version(s, buildId) } } },
});
const setOverride = (s: Session, workflowExecutionOptions: object) =>
  s.call("UpdateWorkflowExecutionOptions", {
    workflowExecution: { workflowId: s.id },
    workflowExecutionOptions,
    updateMask: { paths: ["versioning_override"] },
    identity: "operator",
  });
async function taskEnds(s: Session): Promise<number[]> {
  const page = await s.call("GetWorkflowExecutionHistory", { execution: { workflowId: s.id } });
  const events = page.history === undefined ? [] : decode(History, page.history).events;
  return events.filter((e) => e.eventType === EventType.WORKFLOW_TASK_COMPLETED).map((e) => e.eventId);
}
const reset = (s: Session, workflowTaskFinishEventId = 0, extra: object = {}) =>
  s.call("ResetWorkflowExecution", {
    workflowExecution: { workflowId: s.id },
    workflowTaskFinishEventId,
    requestId: randomUUID(),
    reason: "again",
    ...extra,
  });
const terminate = (s: Session) => s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
/** Two versions, of which the first is current. */
async function two(s: Session): Promise<void> {
  await register(s, "1");
  await register(s, "2");
  await current(s, "1");
}

export const scripts: Record<string, Script> = {
  "a workflow of no version is named after its override": async (s) => {
    await register(s, "1");
    await s.start();
    await answer(s, "", 0);
    for (const override of [
      pinnedTo(s, "1"),
      { versioningOverride: { override: { case: "autoUpgrade", value: true } } },
      {},
      { versioningOverride: { override: { case: "oneTime", value: { targetDeploymentVersion: version(s, "1") } } } },
      {},
    ]) {
      await setOverride(s, override);
      await shown(s);
    }
    await s.history();
  },
  "pinned elsewhere while its worker has a task": async (s) => {
    await register(s, "1");
    await s.start();
    const workerTaskQueue = { name: `${s.queue}-sticky`, kind: 2, normalName: s.queue };
    const stickyAttributes = { workerTaskQueue, scheduleToStartTimeout: seconds(2) };
    const task = await poll(s, "");
    await setOverride(s, pinnedTo(s, "1"));
    const waiting = s.call("PollWorkflowTaskQueue", { taskQueue: workerTaskQueue, identity: "worker " }, 6_000);
    const complete = async (taskToken: Uint8Array) => {
      const done = await s.call("RespondWorkflowTaskCompleted", { taskToken, identity: "worker ", stickyAttributes, returnNewWorkflowTask: true });
      s.note("a task with the answer", done.workflowTask !== undefined);
      return done.workflowTask?.taskToken ?? new Uint8Array();
    };
    await complete(await complete(task.taskToken));
    await shown(s);
    await s.signal("more");
    await answer(s, "1", PINNED, [c.complete()]);
    s.note("a task by the sticky queue", (await waiting).taskToken.length > 0);
    await s.history();
  },
  "a reset knows the versions that were used": async (s) => {
    await two(s);
    await s.start();
    await answer(s, "1", AUTO_UPGRADE);
    await s.signal("one");
    await answer(s, "1", AUTO_UPGRADE);
    await current(s, "2");
    await s.signal("two");
    await answer(s, "2", AUTO_UPGRADE);
    await s.signal("three");
    await answer(s, "2", AUTO_UPGRADE);
    const ends = await taskEnds(s);
    for (const task of [3, 1, 0]) {
      await reset(s, ends[task]);
      await shown(s);
    }
    await s.history();
  },
  "a pinned run that is reset goes on where it was": async (s) => {
    await two(s);
    await s.start();
    await answer(s, "1", PINNED);
    await s.signal("go");
    await answer(s, "1", PINNED);
    await current(s, "2");
    await reset(s, (await taskEnds(s))[1]);
    await shown(s);
    await answer(s, "1", PINNED, [c.complete()]);
    await s.history();
  },
  "a reset to another version": async (s) => {
    await two(s);
    await s.start();
    await answer(s, "1", PINNED);
    await reset(s, 4, {
      postResetOperations: [
        {
          variant: {
            case: "updateWorkflowOptions",
            value: { workflowExecutionOptions: pinnedTo(s, "2"), updateMask: { paths: ["versioning_override"] } },
          },
        },
      ],
    });
    await shown(s);
    await answer(s, "2", PINNED, [c.complete()]);
    await s.history();
    await shown(s);
  },
  "a pinned cron workflow begins each run anew": async (s) => {
    await two(s);
    await s.start({ cronSchedule: "@every 1s" });
    await answer(s, "1", PINNED, [c.complete()]);
    await current(s, "2");
    await poll(s, "2");
    await s.history();
    await shown(s);
    await terminate(s);
  },
  "a cron workflow keeps its override": async (s) => {
    await two(s);
    await s.start({ cronSchedule: "@every 1s", ...pinnedTo(s, "2") });
    await answer(s, "2", PINNED, [c.complete()]);
    await poll(s, "2");
    await s.history();
    await shown(s);
    await terminate(s);
  },
  "a pinned child that is tried again stays": async (s) => {
    await two(s);
    await s.start();
    const child = `${s.id}-child`;
    await answer(s, "1", PINNED, [
      c.child(child, { taskQueue: { name: s.queue }, retryPolicy: { initialInterval: seconds(1), maximumAttempts: 2 } }),
    ]);
    await current(s, "2");
    for (let n = 0; n < 2; n++) {
      const t = await poll(s, "1");
      await respond(s, t, "1", PINNED, t.workflowExecution?.workflowId === child ? [c.fail("once")] : []);
    }
    const again = await poll(s, "1");
    s.note("who comes again", again.workflowExecution?.workflowId);
    await respond(s, again, "1", PINNED, [c.complete()]);
    await s.history(child);
    await shown(s, child);
  },
  "an attempt of an activity stays with its pinned run": async (s) => {
    await two(s);
    for (const buildId of ["1", "2"]) await register(s, buildId, s.queue, ACTIVITY);
    await s.start();
    await answer(s, "1", PINNED, [c.activity(s, "a", { retryPolicy: { initialInterval: seconds(0.5) } })]);
    const first = await pollActivity(s, "1");
    await current(s, "2");
    const failure = { message: "no", failureInfo: { case: "applicationFailureInfo" as const, value: {} } };
    await s.call("RespondActivityTaskFailed", { taskToken: first.taskToken, identity: "worker 1", failure });
    const second = await pollActivity(s, "1");
    s.note("attempt", second.attempt);
    await s.call("RespondActivityTaskCompleted", { taskToken: second.taskToken, identity: "worker 1" });
    await answer(s, "1", PINNED, [c.complete()]);
    await s.history();
  },
  "a standalone activity goes to the current version": async (s) => {
    const activities = [{ name: s.queue, type: ACTIVITY }];
    for (const buildId of ["1", "2"]) await register(s, buildId, s.queue, ACTIVITY);
    await current(s, "1", {}, activities);
    const of = { activityId: s.id };
    await s.call("StartActivityExecution", {
      ...of,
      activityType: { name: "A" },
      taskQueue: { name: s.queue },
      startToCloseTimeout: seconds(60),
      requestId: "start",
    });
    const other = await pollActivity(s, "2", s.queue, 2500).catch(isThere);
    s.note("the other version", other?.activityId ?? "");
    const task = await pollActivity(s, "1");
    await s.shown("DescribeActivityExecution", of, ({ info }) => info?.lastDeploymentVersion);
    await s.call("RespondActivityTaskCompleted", { taskToken: task.taskToken, identity: "worker 1", deploymentOptions: options(s, "1") });
    await s.shown("DescribeActivityExecution", of, ({ info }) => [info?.lastDeploymentVersion, info?.status]);
  },
  "an eager start with a version": async (s) => {
    await register(s, "1");
    await current(s, "1");
    const { eagerWorkflowTask } = await s.call("StartWorkflowExecution", {
      workflowId: s.id,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue, kind: 1 },
      requestId: randomUUID(),
      identity: "client",
      workflowTaskTimeout: seconds(10),
      requestEagerExecution: true,
      eagerWorkerDeploymentOptions: options(s, "1"),
    });
    if (eagerWorkflowTask !== undefined) await respond(s, eagerWorkflowTask, "1", PINNED, [c.complete()]);
    await s.history();
    await shown(s);
  },
  "a paused run moves when it goes on": async (s) => {
    await two(s);
    await s.start();
    await answer(s, "1", AUTO_UPGRADE);
    await s.call("PauseWorkflowExecution", { workflowId: s.id, identity: "operator", requestId: "p" });
    await current(s, "2");
    await s.signal("while it is paused");
    await s.call("UnpauseWorkflowExecution", { workflowId: s.id, identity: "operator", requestId: "u" });
    await answer(s, "2", AUTO_UPGRADE, [c.complete()]);
    await s.history();
    await shown(s);
  },
};
