/** The live history of a run over HTTP, by the real server: each event once, in order, whatever ends the connection or the server. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { command as c, payloads, type Session } from "../conformance/session.js";
import { ServerOnFile } from "../harness/server-on-file.js";
import { EventReader } from "./event-source.js";

let server: ServerOnFile;
let s: Session;
const readers: EventReader[] = [];

beforeEach(async () => {
  server = new ServerOnFile();
  s = await server.start();
});
afterEach(async () => {
  for (const r of readers.splice(0)) await r.close();
});

const reader = (): EventReader => {
  const r = new EventReader();
  readers.push(r);
  return r;
};
const url = (path: string): string => `http://${server.address}${path}`;
const streamOf = (query = ""): string => url(`/workflow/${s.id}/history/stream${query}`);

interface Event {
  readonly eventId: string;
  readonly eventTypeName: string;
}
const eventsOf = (r: EventReader): Event[] => r.of("history").flat() as Event[];
const idsOf = (r: EventReader): number[] => eventsOf(r).map((e) => Number(e.eventId));
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

it("tells a run from its first event to its end", async () => {
  const runId = await s.start({ input: payloads("in") });
  const r = reader();
  const response = await r.connect(streamOf());
  expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  await r.until((events) => events.some((e) => e.event === "history"));
  expect(r.events[0]).toMatchObject({
    event: "workflow",
    data: { workflowId: s.id, runId, status: "running", closeTime: null, historyLength: 2, taskQueue: s.queue },
  });
  // Each comes with the commit that makes it: nothing is asked for between.
  await s.signal("one", { input: payloads("secret") });
  await r.until(() => eventsOf(r).some((e) => e.eventTypeName === "WORKFLOW_EXECUTION_SIGNALED"));
  await s.answer([c.complete(payloads("out"))]);
  await r.ended;
  expect(eventsOf(r).map((e) => e.eventTypeName)).toEqual([
    "WORKFLOW_EXECUTION_STARTED",
    "WORKFLOW_TASK_SCHEDULED",
    "WORKFLOW_EXECUTION_SIGNALED",
    "WORKFLOW_TASK_STARTED",
    "WORKFLOW_TASK_COMPLETED",
    "WORKFLOW_EXECUTION_COMPLETED",
  ]);
  expect(idsOf(r)).toEqual(upTo(6));
  expect(r.events.at(-1)).toMatchObject({ event: "done", data: { reason: "WORKFLOW_EXECUTION_COMPLETED" } });
  expect(JSON.stringify(r.events)).not.toMatch(/payloads|"data":"|secret/);
});

it("shows what payloads carry when it is asked to", async () => {
  await s.running([], { input: payloads("in") });
  await s.signal("one", { input: payloads("news") });
  await s.answer([c.complete(payloads("out"))]);
  const r = reader();
  await r.connect(streamOf("?includePayloads=true"));
  await r.ended;
  expect(eventsOf(r)).toMatchObject([
    { workflowExecutionStartedEventAttributes: { input: ["in"] } },
    ...Array(3).fill({}),
    { workflowExecutionSignaledEventAttributes: { input: ["news"] } },
    ...Array(3).fill({}),
    { workflowExecutionCompletedEventAttributes: { result: ["out"] } },
  ]);
});

it("gives each event once when the server is killed in the middle and the reader comes back with its last id", async () => {
  await s.running();
  const r = reader();
  await r.connect(streamOf());
  for (let round = 0; round < 3; round++) {
    // Signals go on while the server dies: some are acknowledged, some lost, none twice.
    const signals = Promise.allSettled(Array.from({ length: 40 }, (_, i) => s.signal(`${round}-${i}`)));
    await r.until(() => idsOf(r).length >= 4 + round * 10);
    await server.stop("SIGKILL");
    await signals;
    await r.ended;
    s = Object.assign(await server.start(), { id: s.id, queue: s.queue });
    expect((await r.connect(streamOf())).status).toBe(200);
  }
  await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
  await r.ended;
  const { workflowExecutionInfo } = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
  expect(idsOf(r)).toEqual(upTo(workflowExecutionInfo?.historyLength ?? 0));
  expect(r.of("done")).toEqual([{ reason: "WORKFLOW_EXECUTION_TERMINATED" }]);
});

it("stays with the run that the reader was in, and names the next one", async () => {
  const runId = await s.running();
  const r = reader();
  await r.connect(streamOf());
  await r.until(() => idsOf(r).length === 4);
  await r.close();
  await s.signal("go");
  await s.answer([c.continueAsNew({ taskQueue: { name: s.queue, kind: 1 } })]);
  await r.connect(streamOf());
  await r.ended;
  expect(idsOf(r)).toEqual(upTo(9));
  const done = r.of("done") as { reason: string; newRunId: string }[];
  expect(done).toEqual([{ reason: "WORKFLOW_EXECUTION_CONTINUED_AS_NEW", newRunId: expect.stringMatching(/^[0-9a-f-]{36}$/) }]);
  // Whoever has all of it and missed the end only is told the end.
  await r.connect(streamOf());
  await r.ended;
  expect(idsOf(r)).toEqual(upTo(9));
  expect(r.of("done")).toEqual([done[0], done[0]]);
  // Without an id the address means the newest run.
  const fresh = reader();
  await fresh.connect(streamOf());
  await fresh.until(() => idsOf(fresh).length > 0);
  expect(fresh.of("workflow")).toMatchObject([{ runId: done[0]?.newRunId }]);
  const pinned = reader();
  await pinned.connect(url(`/workflow/${s.id}/runs/${runId}/history/stream`));
  await pinned.ended;
  expect(pinned.events.find((e) => e.event === "history")?.id).toMatch(/^\d+$/);
  expect(idsOf(pinned)).toEqual(upTo(9));
});

it("answers a request that is wrong before the stream opens", async () => {
  const runId = await s.running();
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(url(path), { headers });
    return [response.status, ((await response.json()) as { error: string }).error];
  };
  const stream = `/workflow/${s.id}/history/stream`;
  expect(await ask("/workflow/nobody/history/stream")).toEqual([404, "WorkflowNotFoundError"]);
  expect(await ask(`/workflow/${s.id}/runs/01890000-0000-7000-8000-000000000000/history/stream`)).toEqual([404, "WorkflowNotFoundError"]);
  expect(await ask(`${stream}?includePayloads=maybe`)).toEqual([400, "ValidationError"]);
  expect(await ask(stream, { "last-event-id": "x" })).toEqual([400, "ValidationError"]);
  expect(await ask(stream, { "last-event-id": "99" })).toEqual([400, "ValidationError"]);
  expect(await ask(`/workflow/${s.id}/runs/${runId}/history/stream`, { "last-event-id": "1:01890000-0000-7000-8000-000000000000" })).toEqual([
    400,
    "ValidationError",
  ]);
});

it("tells what goes wrong behind an open stream", async () => {
  await s.running();
  const r = reader();
  await r.connect(streamOf());
  await r.until(() => idsOf(r).length === 4);
  await s.call("DeleteWorkflowExecution", { workflowExecution: { workflowId: s.id } });
  await r.ended;
  const last = r.events.at(-1);
  // The reader sees the end of the run, or, where the deletion was faster, that it has gone.
  if (last?.event !== "done") expect(last).toMatchObject({ event: "server_error", data: { error: "WorkflowNotFoundError", workflowId: s.id } });
});
