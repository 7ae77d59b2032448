/** Batch operations that a crash interrupts: nobody is left out, nobody is served twice. */
import { expect, it } from "vitest";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { History } from "../../gen/wire/temporal/api/history/v1/message.js";
import { decode } from "../../src/api/wire.js";
import { readTables } from "../harness/file-tables.js";
import { ServerOnFile } from "../harness/server-on-file.js";

const WORKFLOWS = 400;

it("a batch operation goes on after a kill, and each execution is signaled once", async () => {
  const server = new ServerOnFile();
  let s = await server.start();
  const ids = Array.from({ length: WORKFLOWS }, (_, i) => `w-${i}`);
  await Promise.all(ids.map((workflowId) => s.start({ workflowId })));
  const operation = { case: "signalOperation" as const, value: { signal: "go", identity: "operator" } };
  await s.call("StartBatchOperation", { jobId: "job", reason: "r", visibilityQuery: "WorkflowType = 'T'", maxOperationsPerSecond: 200, operation });
  const describe = () => s.call("DescribeBatchOperation", { jobId: "job" });
  await s.until("a page is done", async () => (await describe()).completeOperationCount >= 100);
  await server.stop("SIGKILL");

  s = await server.start();
  expect((await describe()).state).toBe(1);
  await s.until("the job has ended", async () => (await describe()).state !== 1);
  expect(await describe()).toMatchObject({ state: 2, totalOperationCount: WORKFLOWS, completeOperationCount: WORKFLOWS, failureOperationCount: 0 });
  const signals = await Promise.all(
    ids.map(async (workflowId) => {
      const { history } = await s.call("GetWorkflowExecutionHistory", { execution: { workflowId } });
      return decode(History, history ?? new Uint8Array()).events.filter((e) => e.eventType === EventType.WORKFLOW_EXECUTION_SIGNALED).length;
    }),
  );
  expect(signals.filter((n) => n !== 1)).toEqual([]);
  // One attempt of one activity did it all: what was in progress went on, and was not begun anew.
  const { history } = await s.call("GetWorkflowExecutionHistory", { execution: { workflowId: "job" } });
  const { events } = decode(History, history ?? new Uint8Array());
  const started = events.find((e) => e.eventType === EventType.ACTIVITY_TASK_STARTED)?.attributes;
  expect(started).toMatchObject({ value: { attempt: 1 } });
  await server.stop();
  // The row that stood for the job has gone with it.
  expect(readTables(server.file).holding(["/job"])).toEqual([]);
});
