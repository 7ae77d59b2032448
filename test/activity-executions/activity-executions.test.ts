/** Standalone activities on a real server and file: over a kill, in batches, and with the namespace that goes. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { CallbackState } from "../../gen/wire/temporal/api/enums/v1/common.js";
import { payloads, type Session, seconds } from "../conformance/session.js";
import { readTables } from "../harness/file-tables.js";
import { ServerOnFile } from "../harness/server-on-file.js";

const start = (s: Session, activityId: string, extra: object = {}) =>
  s.call("StartActivityExecution", {
    activityId,
    activityType: { name: "A" },
    taskQueue: { name: "q" },
    startToCloseTimeout: seconds(60),
    requestId: `start-${activityId}`,
    input: payloads("in"),
    ...extra,
  } as never);
const statusOf = async (s: Session, activityId: string) => (await s.call("DescribeActivityExecution", { activityId })).info?.status;

it("what was acknowledged before a kill goes on after it: waiting, with a worker, in backoff, closed", async () => {
  const server = new ServerOnFile();
  let s = await server.start();
  await start(s, "with-worker", { taskQueue: { name: "w" } });
  const task = await s.activityTask("w");
  await start(s, "in-backoff", { taskQueue: { name: "b" }, retryPolicy: { initialInterval: seconds(2) } });
  const failed = await s.activityTask("b");
  await s.call("RespondActivityTaskFailed", { taskToken: failed.taskToken });
  await start(s, "closed");
  await s.call("RespondActivityTaskCompletedById", { activityId: "closed", result: payloads("out") });
  const { runId } = await start(s, "waiting");
  await server.stop("SIGKILL");

  s = await server.start();
  expect(await start(s, "waiting")).toMatchObject({ runId, started: false });
  const waiting = await s.activityTask("q");
  expect(waiting).toMatchObject({ activityId: "waiting", activityRunId: runId, attempt: 1 });
  expect(Buffer.from(waiting.input ?? []).toString()).toContain('"in"');
  await s.call("RespondActivityTaskCompleted", { taskToken: waiting.taskToken });
  await s.call("RespondActivityTaskCompleted", { taskToken: task.taskToken });
  const again = await s.activityTask("b");
  expect(again).toMatchObject({ activityId: "in-backoff", attempt: 2 });
  await s.call("RespondActivityTaskCompleted", { taskToken: again.taskToken });
  for (const id of ["waiting", "with-worker", "in-backoff", "closed"]) expect([id, await statusOf(s, id)]).toEqual([id, 2]);
  expect((await s.call("PollActivityExecution", { activityId: "closed" })).outcome?.value).toMatchObject({ case: "result" });
  expect(Number((await s.call("CountActivityExecutions", { query: "ExecutionStatus = 'Completed'" })).count)).toBe(4);
  expect(Number((await s.call("CountWorkflowExecutions", {})).count)).toBe(0);
});

it("a completion callback that nobody took before a kill comes after it, with what the activity has ended with", async () => {
  const listener = createServer();
  const heard: { operation: unknown; body: string; token: unknown; link: unknown }[] = [];
  listener.on("request", (request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (d: Buffer) => parts.push(d));
    request.on("end", () => {
      const { "nexus-operation-state": operation, "x-token": token, "nexus-link": link } = request.headers;
      heard.push({ operation, body: Buffer.concat(parts).toString(), token, link });
      response.end();
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  await new Promise<void>((resolve) => listener.close(() => resolve()));

  const server = new ServerOnFile();
  let s = await server.start();
  const completionCallbacks = [{ variant: { case: "nexus", value: { url: `http://127.0.0.1:${port}/done`, header: { "X-Token": "secret" } } } }];
  const { runId } = await start(s, "a", { completionCallbacks });
  await s.call("RespondActivityTaskCompletedById", { activityId: "a", result: payloads("out") });
  const callback = async () => (await s.call("DescribeActivityExecution", { activityId: "a" })).callbacks[0]?.info;
  await s.until("it was tried", async () => ((await callback())?.attempt ?? 0) > 0);
  await server.stop("SIGKILL");

  s = await server.start();
  await new Promise<void>((resolve) => listener.listen(port, "127.0.0.1", resolve));
  onTestFinished(() => void listener.close());
  await s.until("it has come", async () => (await callback())?.state === CallbackState.SUCCEEDED);
  expect(heard).toHaveLength(1);
  expect(heard[0]).toMatchObject({ operation: "succeeded", body: '"out"', token: "secret" });
  expect(heard[0]?.link).toContain(`/namespaces/default/activities/a/${runId}/details`);
});

it("batch operations terminate, cancel and delete the activities that a query finds", async () => {
  const s = await new ServerOnFile().start();
  const ids = Array.from({ length: 20 }, (_, i) => `a-${i}`);
  await Promise.all(ids.map((id) => start(s, id)));
  await start(s, "other", { activityType: { name: "B" } });
  const batch = async (jobId: string, operation: object) => {
    await s.call("StartBatchOperation", { jobId, reason: "r", visibilityQuery: "ActivityType = 'A'", operation } as never);
    await s.until(`${jobId} is done`, async () => (await s.call("DescribeBatchOperation", { jobId })).state === 2);
    const { completeOperationCount, failureOperationCount } = await s.call("DescribeBatchOperation", { jobId });
    return [completeOperationCount, failureOperationCount].map(Number);
  };
  expect(await batch("cancels", { case: "cancelActivitiesOperation", value: { reason: "why", identity: "operator" } })).toEqual([20, 0]);
  for (const id of ids) expect(await statusOf(s, id)).toBe(4);
  expect(await batch("deletes", { case: "deleteActivitiesOperation", value: {} })).toEqual([20, 0]);
  expect(Number((await s.call("CountActivityExecutions", { query: "ActivityType = 'A'" })).count)).toBe(0);
  await Promise.all(ids.map((id) => start(s, id, { requestId: `again-${id}` })));
  expect(await batch("terminates", { case: "terminateActivitiesOperation", value: { reason: "why", identity: "operator" } })).toEqual([20, 0]);
  for (const id of ids) expect(await statusOf(s, id)).toBe(5);
  expect(await statusOf(s, "other")).toBe(1);
});

it("a namespace that is deleted takes its activities with it, and a deleted activity its rows", async () => {
  const server = new ServerOnFile();
  const s = await server.start();
  await s.call("RegisterNamespace", { namespace: "passing", workflowExecutionRetentionPeriod: seconds(86_400) });
  const there = { namespace: "passing" };
  await start(s, "gone-open", there);
  await start(s, "gone-closed", there);
  await s.call("RespondActivityTaskCompletedById", { ...there, activityId: "gone-closed" });
  await start(s, "gone-alone", { taskQueue: { name: "alone" } });
  const { taskToken } = await s.activityTask("alone");
  await s.call("RespondActivityTaskCompleted", { taskToken });
  await s.call("DeleteActivityExecution", { activityId: "gone-alone" });
  const { deletedNamespace } = await s.call("DeleteNamespace", { namespace: "passing", namespaceDeleteDelay: seconds(0) });
  await s.until("the namespace has gone", async () => {
    const { namespaces } = await s.call("ListNamespaces", { namespaceFilter: { includeDeleted: true } });
    return namespaces.every((n) => n.namespaceInfo?.name !== deletedNamespace);
  });
  await server.stop();
  expect(readTables(server.file).holding(["gone-open", "gone-closed", "gone-alone"])).toEqual([]);
}, 30_000);
