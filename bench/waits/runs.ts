/** Long histories, large payloads, and very many runs: of a namespace, in a list, in a batch operation, of a deletion. */
import { IndexedValueType } from "../../gen/wire/temporal/api/enums/v1/common.js";
import { jsonPayload, jsonPayloads } from "../../src/api/json-payload.js";
import { duration } from "../../src/api/time.js";
import { concurrently } from "../rpc.js";
import { begin, complete, long, marker, nobody, signal, start } from "./commands.js";
import { type Loads, times } from "./loads.js";

const HISTORY_EVENTS = 50_000;
/** Of the last workflow task of `long`. */
const LAST_TASK_COMPLETED = 40_004;
const SIGNALS = 9_999;
const RUNS = 20_000;
/** A little below limit.blobSize.error. */
const LARGE = jsonPayloads("x".repeat(2 * 1024 * 1024 - 100));
export const MANY = "many";

export async function histories(loads: Loads): Promise<void> {
  const { rpc } = loads;
  const execution = { workflowId: "long" };
  await loads.play(`a history of ${HISTORY_EVENTS} events, written`, () => long(rpc, "long", HISTORY_EVENTS));
  for (const method of ["GetWorkflowExecutionHistory", "GetWorkflowExecutionHistoryReverse"] as const)
    await loads.play(`  read with ${method}`, async () => {
      let nextPageToken: Uint8Array = new Uint8Array(0);
      do ({ nextPageToken } = await rpc.call(method, { execution, nextPageToken }));
      while (nextPageToken.length > 0);
    });
  await loads.play("  reset to its last workflow task", () =>
    rpc.call("ResetWorkflowExecution", { workflowExecution: execution, workflowTaskFinishEventId: LAST_TASK_COMPLETED, requestId: "r" }),
  );
  await loads.play("  reset to its first workflow task", async () => {
    const { executions } = await rpc.call("ListWorkflowExecutions", { query: "WorkflowId = 'long' ORDER BY StartTime" });
    const runId = executions.at(-1)?.execution?.runId ?? "";
    await rpc.call("ResetWorkflowExecution", { workflowExecution: { workflowId: "long", runId }, workflowTaskFinishEventId: 4, requestId: "first" });
  });
  await loads.play("  deleted, both runs and more", () => rpc.call("DeleteWorkflowExecution", { workflowExecution: execution }));

  await complete(rpc, await begin(rpc, "signaled"), [marker]);
  await loads.play(`${SIGNALS} signals to one workflow, fifty at once`, () =>
    concurrently(SIGNALS, 50, async (i) => void (await signal(rpc, "signaled", `${i}`))),
  );
  await loads.play("  reset to before them, which applies them again", () =>
    rpc.call("ResetWorkflowExecution", { workflowExecution: { workflowId: "signaled" }, workflowTaskFinishEventId: 4, requestId: "again" }),
  );

  await loads.play("1,000 long polls for one history, woken by a signal", async () => {
    await start(rpc, "watched");
    const watching = times(1_000, async () => {
      const first = await rpc.call("GetWorkflowExecutionHistory", { execution: { workflowId: "watched" }, waitNewEvent: true });
      await rpc.call("GetWorkflowExecutionHistory", {
        execution: { workflowId: "watched" },
        waitNewEvent: true,
        nextPageToken: first.nextPageToken,
      });
    });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await signal(rpc, "watched", "wake");
    await Promise.all(watching);
  });
}

export async function payloads(loads: Loads, httpAddress: string): Promise<void> {
  const { rpc } = loads;
  await loads.play("10 starts with a payload of 2 MiB", () =>
    concurrently(10, 10, async (i) => {
      const workflowId = `large-${i}`;
      const taskQueue = { name: "large" };
      await rpc.call("StartWorkflowExecution", { workflowId, requestId: workflowId, workflowType: { name: "w" }, taskQueue, input: LARGE });
    }),
  );
  await loads.play("10 signals with one", () => concurrently(10, 10, async (i) => void (await signal(rpc, `large-${i}`, "s", LARGE))));
  await loads.play("10 completions with one", () =>
    concurrently(10, 10, async () => {
      const { taskToken } = await rpc.call("PollWorkflowTaskQueue", { taskQueue: { name: "large" } });
      const value = { markerName: "m", details: { large: LARGE } };
      const commands = [{ ...marker, attributes: { case: "recordMarkerCommandAttributes", value } } as const];
      await complete(rpc, taskToken, commands);
    }),
  );
  await loads.play("10 histories with three of them", () =>
    concurrently(10, 10, async (i) => {
      let nextPageToken: Uint8Array = new Uint8Array(0);
      do ({ nextPageToken } = await rpc.call("GetWorkflowExecutionHistory", { execution: { workflowId: `large-${i}` }, nextPageToken }));
      while (nextPageToken.length > 0);
    }),
  );
  await loads.play("  the first call over REST", async () => {
    await (await fetch(`http://${httpAddress}/api/v1/namespaces/default/workflows/large-0`)).text();
  });
  await loads.play("  one of the histories over REST", async () => {
    await (await fetch(`http://${httpAddress}/api/v1/namespaces/default/workflows/large-0/history`)).text();
  });
  await loads.play("  a start over REST with 4 MiB of JSON", async () => {
    const body = { workflowType: { name: "w" }, taskQueue: nobody, input: times(150_000, (i) => ({ i })) };
    await (await fetch(`http://${httpAddress}/api/v1/namespaces/default/workflows/json`, { method: "POST", body: JSON.stringify(body) })).text();
  });
  await loads.play("a start with a memo of 30,000 fields, described and listed", async () => {
    await rpc.call("StartWorkflowExecution", {
      workflowId: "memo",
      requestId: "memo",
      workflowType: { name: "w" },
      taskQueue: nobody,
      memo: { fields: Object.fromEntries(times(30_000, (i) => [`field-${i}`, jsonPayload(i)])) },
    });
    await rpc.call("DescribeWorkflowExecution", { execution: { workflowId: "memo" } });
    await rpc.call("ListWorkflowExecutions", { query: "WorkflowId = 'memo'" });
  });
}

export async function manyRuns(loads: Loads): Promise<void> {
  const { rpc } = loads;
  await rpc.call("RegisterNamespace", { namespace: MANY, workflowExecutionRetentionPeriod: duration(86_400_000_000) });
  await rpc.call("AddSearchAttributes", { namespace: MANY, searchAttributes: { WaitsKeyword: IndexedValueType.KEYWORD } });
  await loads.play(`${RUNS} starts, a hundred at once, half of them with a task queue of their own`, () =>
    concurrently(RUNS, 100, async (i) => {
      const workflowId = `run-${i}`;
      const taskQueue = { name: i % 2 === 0 ? "deep" : `queue-${i}` };
      const searchAttributes = { indexedFields: { WaitsKeyword: jsonPayload(`k${i}`) } };
      await rpc.call("StartWorkflowExecution", {
        ...{ namespace: MANY, workflowId, requestId: workflowId, workflowType: { name: `type-${i % 100}` }, taskQueue, searchAttributes },
      });
    }),
  );
  const or = times(5_000, (i) => `WorkflowType = 'type-${i}'`).join(" OR ");
  const QUERIES: Readonly<Record<string, string>> = {
    "10,000 values": `WorkflowId IN (${times(10_000, (i) => `'run-${i}'`).join(",")})`,
    "10,000 values of an attribute": `WaitsKeyword IN (${times(10_000, (i) => `'k${i}'`).join(",")})`,
    "10,000 values that are not to be": `WorkflowId NOT IN (${times(10_000, (i) => `'run-${i}'`).join(",")})`,
    "5,000 conditions": or,
    "5,000 conditions of an attribute": times(5_000, (i) => `WaitsKeyword = 'n${i}'`).join(" OR "),
    "5,000 conditions with AND": times(5_000, (i) => `WorkflowType != 'type-${i}'`).join(" AND "),
    "20,000 parentheses": `${"(".repeat(20_000)}WorkflowType = 'a'${")".repeat(20_000)}`,
    "a value of 2 MiB": `WorkflowType = '${"x".repeat(2 * 1024 * 1024)}'`,
    "4 MiB of conditions": times(260_000, () => "RunId='a'")
      .join(" OR ")
      .slice(0, 4_000_000),
    "4 MiB of conditions without a value": times(200_000, () => "RunId IS NULL")
      .join(" OR ")
      .slice(0, 3_999_993),
    "no index": "HistoryLength > 1000 AND StateTransitionCount < 0",
  };
  for (const [name, query] of Object.entries(QUERIES)) {
    await loads.play(`a list by ${name}`, () => rpc.call("ListWorkflowExecutions", { namespace: MANY, query }).catch(() => undefined));
    await loads.play("  a count", () => rpc.call("CountWorkflowExecutions", { namespace: MANY, query }).catch(() => undefined));
  }
  await loads.play("a count by type", () =>
    rpc.call("CountWorkflowExecutions", { namespace: MANY, query: "GROUP BY WorkflowType" }).catch(() => undefined),
  );
  await loads.play("the first list ever by HistoryLength", () =>
    rpc.call("ListWorkflowExecutions", { namespace: MANY, query: "ORDER BY HistoryLength DESC" }).catch(() => undefined),
  );
  await loads.play("all runs, in pages of 1,000", async () => {
    let nextPageToken: Uint8Array = new Uint8Array(0);
    do ({ nextPageToken } = await rpc.call("ListWorkflowExecutions", { namespace: MANY, pageSize: 1_000, nextPageToken }));
    while (nextPageToken.length > 0);
  });
}

export async function batches(loads: Loads): Promise<void> {
  const { rpc } = loads;
  const isOver = async (namespace: string, jobId: string): Promise<void> => {
    while ((await rpc.call("DescribeBatchOperation", { namespace, jobId })).state === 1) await new Promise((resolve) => setTimeout(resolve, 100));
  };
  const operation = { case: "terminationOperation", value: {} } as const;
  await loads.play("a batch operation over 50,000 names of runs", async () => {
    const executions = times(50_000, (i) => ({ workflowId: `none-${i}` }));
    await rpc.call("StartBatchOperation", { namespace: MANY, jobId: "named", reason: "r", executions, operation });
    await rpc.call("DescribeBatchOperation", { namespace: MANY, jobId: "named" });
    await rpc.call("ListBatchOperations", { namespace: MANY });
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await rpc.call("StopBatchOperation", { namespace: MANY, jobId: "named", reason: "enough" });
    await isOver(MANY, "named");
  });
  await loads.play(`a batch operation that terminates half of ${RUNS} runs`, async () => {
    const visibilityQuery = "TaskQueue = 'deep'";
    await rpc.call("StartBatchOperation", { namespace: MANY, jobId: "asked", reason: "r", visibilityQuery, operation });
    await isOver(MANY, "asked");
  });
}

export async function deletion(loads: Loads): Promise<void> {
  const { rpc } = loads;
  await loads.play("a search attribute removed that they have", () =>
    rpc.call("RemoveSearchAttributes", { namespace: MANY, searchAttributes: ["WaitsKeyword"] }),
  );
  await loads.play(`a namespace of ${RUNS} runs deleted`, async () => {
    const { deletedNamespace } = await rpc.call("DeleteNamespace", { namespace: MANY });
    for (;;) {
      const gone = await rpc.call("DescribeNamespace", { namespace: deletedNamespace }).then(
        () => false,
        () => true,
      );
      if (gone) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
}
