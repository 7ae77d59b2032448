/** Long polls of what has no history, and how long pollers are remembered. */
import { type Session, seconds } from "../../conformance/session.js";
import { type Group, refusal } from "../row.js";

/** Longer than the test has. */
const FAR_MS = 300_000;
const SHORT_MS = 20_000;
/** A poll that gives up; the official server takes none with less. */
const POLL_MS = 2_500;

const activity = (s: Session) =>
  s.call("StartActivityExecution", {
    activityId: s.id,
    activityType: { name: "A" },
    taskQueue: { name: s.queue },
    startToCloseTimeout: seconds(60),
  } as never);
async function operation(s: Session): Promise<void> {
  const endpoint = `e-${s.id}`;
  const target = { variant: { case: "worker" as const, value: { namespace: "default", taskQueue: s.queue } } };
  await s.call("CreateNexusEndpoint", { spec: { name: endpoint, target } } as never);
  await s.call("StartNexusOperationExecution", { operationId: s.id, endpoint, service: "s", operation: "o" } as never);
}
/** Empty, or what else came. */
async function waitsForActivity(s: Session, timeoutMs: number): Promise<unknown> {
  const outcome = await s.call("PollActivityExecution", { activityId: s.id }, timeoutMs);
  const { longPollToken, runId } = await s.call("DescribeActivityExecution", { activityId: s.id });
  const change = await s.call("DescribeActivityExecution", { activityId: s.id, runId, longPollToken }, timeoutMs);
  return [outcome.runId, change.runId];
}
async function waitsForOperation(s: Session, timeoutMs: number): Promise<unknown> {
  const outcome = await s.call("PollNexusOperationExecution", { operationId: s.id }, timeoutMs);
  const { longPollToken, runId } = await s.call("DescribeNexusOperationExecution", { operationId: s.id });
  const change = await s.call("DescribeNexusOperationExecution", { operationId: s.id, runId, longPollToken }, timeoutMs);
  return [outcome.runId, change.runId];
}

export const waits: Group = {
  name: "waits",
  settings: [
    'activity.longPollBuffer="1h"',
    'nexusoperation.longPollBuffer="1h"',
    "nexusoperation.enableStandalone=true",
    "system.forceNexusEndpointRefreshOnRead=true",
  ],
  rows: [
    {
      keys: ["activity.longPollBuffer"],
      breach: "waits by a caller who has less time than is kept back for the answer: nothing is waited for",
      play: async (s) => {
        await activity(s);
        return waitsForActivity(s, SHORT_MS);
      },
      answer: ["", ""],
    },
    {
      keys: ["activity.longPollBuffer"],
      breach: "what has happened already is told",
      play: async (s) => {
        await activity(s);
        await s.call("TerminateActivityExecution", { activityId: s.id });
        const { runId } = await s.call("PollActivityExecution", { activityId: s.id }, SHORT_MS);
        return runId === "";
      },
      answer: true,
      ours: false,
      differs: "ours tells what it knows",
    },
    {
      keys: ["nexusoperation.longPollBuffer"],
      breach: "waits by a caller who has less time than is kept back for the answer: nothing is waited for",
      play: async (s) => {
        await operation(s);
        return waitsForOperation(s, SHORT_MS);
      },
      answer: ["", ""],
    },
    {
      keys: ["nexusoperation.longPollBuffer"],
      breach: "what has happened already is told",
      play: async (s) => {
        await operation(s);
        await s.call("TerminateNexusOperationExecution", { operationId: s.id } as never);
        const { runId } = await s.call("PollNexusOperationExecution", { operationId: s.id }, SHORT_MS);
        return runId === "";
      },
      answer: true,
      ours: false,
      differs: "ours tells what it knows",
    },
  ],
};

export const shortWaits: Group = {
  name: "short waits",
  settings: [
    'nexusoperation.longPollTimeout="300ms"',
    "nexusoperation.enableStandalone=true",
    "system.forceNexusEndpointRefreshOnRead=true",
    'matching.PollerHistoryTTL="1s"',
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
  ],
  rows: [
    {
      keys: ["nexusoperation.longPollTimeout"],
      breach: "a wait for the outcome, by a caller with much more time",
      play: async (s) => {
        await operation(s);
        return (await s.call("PollNexusOperationExecution", { operationId: s.id }, FAR_MS)).runId;
      },
      answer: "",
    },
    {
      keys: ["matching.PollerHistoryTTL"],
      breach: "pollers of an activity queue, a workflow queue and a Nexus queue that have gone",
      play: async (s) => {
        const taskQueue = { name: s.queue, kind: 1 };
        const poll = { taskQueue, identity: "w" } as never;
        const polls = [
          refusal(s, "PollWorkflowTaskQueue", poll, POLL_MS),
          refusal(s, "PollActivityTaskQueue", poll, POLL_MS),
          refusal(s, "PollNexusTaskQueue", poll, POLL_MS),
        ];
        const counts = () =>
          Promise.all([1, 2, 3].map(async (type) => (await s.call("DescribeTaskQueue", { taskQueue, taskQueueType: type } as never)).pollers.length));
        let most = [0, 0, 0];
        await s.until("each queue has had one", async () => {
          most = (await counts()).map((n, i) => Math.max(n, most[i] ?? 0));
          return most.every((n) => n > 0);
        });
        await Promise.all(polls);
        await s.until("nobody is remembered", async () => (await counts()).every((n) => n === 0));
        return most;
      },
      answer: [1, 1, 1],
    },
  ],
};
