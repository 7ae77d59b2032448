/** Runs at the official limits, unlowered: whatever a run has become, it can be ended and removed. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import { SETTINGS } from "../../src/config/limits.js";
import { GrpcSubject } from "../conformance/grpc-subject.js";
import { Session } from "../conformance/session.js";
import { type ServerProcess, startServer } from "../harness/server-process.js";
import { blob, effect, refusal } from "./row.js";

const EVENTS_MAX = SETTINGS.historyEventsMax.value;
const MARKERS_A_TASK = 10_000;

let server: ServerProcess;
let subject: GrpcSubject;
beforeAll(async () => {
  // What waits for a workflow task may be larger than a transaction: then its flush is.
  const settings = ["history.maximumBufferedEventsSizeInBytes=67108864"];
  server = await startServer(["--log-level", "warn", "--log-format", "json", ...settings.flatMap((s) => ["--dynamic-config-value", s])]);
  subject = new GrpcSubject(server.address);
});
afterAll(async () => {
  subject.close();
  expect(await server.stop()).toBe(0);
});

const target = (s: Session) => ({ workflowExecution: { workflowId: s.id } });
const length = async (s: Session) =>
  (await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } })).workflowExecutionInfo?.historyLength;
const marker = { commandType: CommandType.RECORD_MARKER, attributes: { case: "recordMarkerCommandAttributes", value: { markerName: "m" } } } as const;

/** A run of exactly as many events as may be, with no workflow task pending. */
async function fullRun(): Promise<Session> {
  const s = new Session(subject);
  await s.start();
  let count = 2;
  let { taskToken } = await s.workflowTask();
  for (;;) {
    // Started, completed, the markers; and the scheduled event of the next task unless this is the last.
    const room = EVENTS_MAX - count - 2;
    const isLast = room <= MARKERS_A_TASK;
    const markers = isLast ? room : MARKERS_A_TASK;
    const commands = Array.from({ length: markers }, () => marker);
    const reply = await s.call("RespondWorkflowTaskCompleted", {
      taskToken,
      identity: "worker",
      commands: commands as never,
      forceCreateNewWorkflowTask: !isLast,
      returnNewWorkflowTask: true,
    });
    if (isLast) break;
    count += 2 + markers + 1;
    taskToken = reply.workflowTask?.taskToken ?? taskToken;
  }
  expect(await length(s)).toBe(EVENTS_MAX);
  return s;
}

async function isGone(s: Session): Promise<boolean> {
  return ((await refusal(s, "DescribeWorkflowExecution", { execution: { workflowId: s.id } })) as unknown[])[0] === "NOT_FOUND";
}

test("a workflow of 51,200 events is terminated, then deleted", async () => {
  const s = await fullRun();
  await s.call("TerminateWorkflowExecution", { ...target(s), reason: "enough" });
  expect(await effect(s)).toEqual(["TERMINATED", "WORKFLOW_EXECUTION_TERMINATED", "enough (frontend-service)"]);
  expect(await length(s)).toBe(EVENTS_MAX + 1);
  await s.call("DeleteWorkflowExecution", target(s));
  await s.until("it is gone", () => isGone(s));
});

test("a workflow of 51,200 events is deleted while it runs", async () => {
  const s = await fullRun();
  await s.call("DeleteWorkflowExecution", target(s));
  await s.until("it is gone", () => isGone(s));
});

test("the event after the 51,200th ends the workflow, and the log has said so long before", async () => {
  const s = await fullRun();
  expect(await refusal(s, "SignalWorkflowExecution", { ...target(s), signalName: "s" })).toEqual([
    "INVALID_ARGUMENT",
    "Workflow history count exceeds limit.",
  ]);
  expect(await effect(s)).toEqual(["TERMINATED", "WORKFLOW_EXECUTION_TERMINATED", "Workflow history count exceeds limit. (history-service)"]);
  expect(await length(s)).toBe(EVENTS_MAX + 1);
  await s.until("the log has it", async () =>
    server
      .log()
      .split("\n")
      .some((line) => line.includes("history count exceeds warn limit.") && line.includes(s.id)),
  );
});

/** Its workflow task runs, and 6 MB wait for the end of it. */
async function waitingRun(): Promise<Session> {
  const s = new Session(subject);
  await s.start();
  await s.workflowTask();
  for (let i = 0; i < 3; i++) await s.call("SignalWorkflowExecution", { ...target(s), signalName: "s", requestId: `${i}`, input: blob(2_000_000) });
  return s;
}

test("a workflow whose waiting events are larger than a transaction is terminated, then deleted", async () => {
  const s = await waitingRun();
  await s.call("TerminateWorkflowExecution", { ...target(s), reason: "enough" });
  expect(await effect(s)).toEqual(["TERMINATED", "WORKFLOW_EXECUTION_TERMINATED", "enough (frontend-service)"]);
  // Nothing of what was acknowledged is missing.
  expect(await length(s)).toBe(8);
  await s.call("DeleteWorkflowExecution", target(s));
  await s.until("it is gone", () => isGone(s));
});

test("a workflow whose waiting events are larger than a transaction is deleted while it runs", async () => {
  const s = await waitingRun();
  await s.call("DeleteWorkflowExecution", target(s));
  await s.until("it is gone", () => isGone(s));
});
