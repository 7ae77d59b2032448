/** Batch operations that a crash interrupts: nobody is left out, nobody is served twice. */
import { expect, it } from "vitest";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { History } from "../../gen/wire/temporal/api/history/v1/message.js";
import { decode } from "../../src/api/wire.js";
import { CoreSubject } from "../conformance/core-subject.js";
import { command as c, Session, seconds } from "../conformance/session.js";
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

// The official server ends with a panic where this is asked of it, so that no script can show it.
it("a batch operation gives activities their first options again", async () => {
  const core = await CoreSubject.open();
  const s = new Session(core);
  await s.running([c.activity(s, "a", { startToCloseTimeout: seconds(600) })]);
  const job = async (jobId: string, value: object) => {
    const operation = {
      case: "updateActivityOptionsOperation" as const,
      value: { identity: "me", activity: { case: "matchAll", value: true }, ...value },
    };
    await s.call("StartBatchOperation", { jobId, reason: "r", visibilityQuery: "WorkflowType = 'T'", operation: operation as never });
    await s.until("the job has ended", async () => (await s.call("DescribeBatchOperation", { jobId })).state === 2);
    const { pendingActivities } = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
    return pendingActivities[0]?.activityOptions?.startToCloseTimeout?.seconds;
  };
  const other = { activityOptions: { startToCloseTimeout: seconds(77) }, updateMask: { paths: ["start_to_close_timeout"] } };
  expect(await job("other", other)).toBe(77);
  expect(await job("first", { restoreOriginal: true })).toBe(600);
  core.close();
});
