/** `npm run bench:lists`: a page of a list over 1,000,000 runs, by each condition that has an index, rare and common values alike. */
import { IndexedValueType } from "../gen/wire/temporal/api/enums/v1/common.js";
import { WorkflowExecutionStatus as Status } from "../gen/wire/temporal/api/enums/v1/workflow.js";
import type { NamespaceView } from "../src/core/namespace-view.js";
import { resolveQuery } from "../src/core/visibility/resolve.js";
import { Random } from "../src/lib/random.js";
import { Batch } from "../src/persistence/batch.js";
import { SqliteStore } from "../src/persistence/sqlite/store.js";
import { temporaryDirectory } from "../test/harness/server-process.js";
import { done, figure, heading, note } from "./figures.js";
import { median } from "./process-usage.js";

const ROWS = 1_000_000;
const OPEN_ROWS = 50_000;
const PAGE = 100;
const BEGIN = Date.UTC(2026, 0, 1) * 1000;
const SECOND = 1_000_000;
const KEYWORD = { id: 1, type: IndexedValueType.KEYWORD };
const namespace: NamespaceView = { id: "n", name: "n", key: 1, retention: 0, state: 1, searchAttributes: new Map([["Customer", KEYWORD]]) };
/** What is to be done when an index that a list asked for is whole. */
let onWhole: () => void = () => undefined;
const silent = {
  ...{ debug: () => undefined, warn: () => undefined, error: () => undefined },
  info: (_: object, message: string) => (message.endsWith("is whole") ? onWhole() : undefined),
};

const store = await SqliteStore.open({
  file: `${temporaryDirectory()}/lists.db`,
  durability: "memory",
  commitThread: "engine",
  pragmas: [],
  logger: silent,
  onFatal: (e) => {
    throw e;
  },
});
const random = new Random(1);
const oneIn = (n: number): boolean => random.uint32() % n === 0;
const NONE = new Uint8Array(0);
for (let key = 1; key <= ROWS; ) {
  const batch = new Batch();
  for (let i = 0; i < 1_000; i++, key++) {
    const startTime = BEGIN + key * SECOND;
    const isOpen = key > ROWS - OPEN_ROWS;
    batch.putVisibility(
      {
        key,
        namespaceKey: 1,
        workflowId: `order-${random.uint32() % 1000}-${key}`,
        runId: `run-${key}`,
        workflowType: oneIn(100_000) ? "Rare" : oneIn(200) ? "Sometimes" : "Common",
        taskQueue: "q",
        status: isOpen ? Status.RUNNING : oneIn(100_000) ? Status.TIMED_OUT : oneIn(100) ? Status.FAILED : Status.COMPLETED,
        startTime,
        executionTime: startTime,
        closeTime: isOpen ? 0 : startTime + (random.uint32() % 100) * SECOND,
        historyLength: 11,
        historySizeBytes: 1500,
        stateTransitionCount: 7,
        parentWorkflowId: "",
        parentRunId: "",
        rootWorkflowId: `order-${key}`,
        rootRunId: `run-${key}`,
        memo: NONE,
        searchAttributes: NONE,
        attributes: [{ ...KEYWORD, value: oneIn(100_000) ? "rare" : oneIn(200) ? "sometimes" : `c${random.uint32() % 10}` }],
      },
      true,
    );
  }
  await store.commit(batch);
  await store.idle();
}

const at = (row: number): string => `'${new Date((BEGIN + row * SECOND) / 1000).toISOString()}'`;
const QUERIES = [
  "",
  "WorkflowType = 'Common'",
  "WorkflowType = 'Sometimes'",
  "WorkflowType = 'Rare'",
  "ExecutionStatus = 'Running'",
  "ExecutionStatus = 'Completed'",
  "ExecutionStatus = 'Failed'",
  "ExecutionStatus = 'TimedOut'",
  "WorkflowType = 'Rare' AND ExecutionStatus = 'Failed'",
  `StartTime > ${at(ROWS - 500)}`,
  `StartTime > ${at(500_000)}`,
  `StartTime BETWEEN ${at(500_000)} AND ${at(505_000)}`,
  `StartTime < ${at(5_000)}`,
  `CloseTime > ${at(500_000)}`,
  "Customer = 'c3'",
  "Customer = 'sometimes'",
  "Customer = 'rare'",
  "Customer = 'c3' AND WorkflowType = 'Sometimes'",
  "WorkflowId = 'order-1-nobody'",
  "WorkflowId STARTS_WITH 'order-77-'",
  "WorkflowId STARTS_WITH 'order-7'",
  "WorkflowId STARTS_WITH 'order-'",
  "ORDER BY Customer",
  "WorkflowType = 'Sometimes' ORDER BY Customer",
  "ORDER BY HistoryLength DESC",
  "WorkflowType = 'Rare' ORDER BY HistoryLength",
  "ORDER BY RunId",
];
heading("npm run bench:lists");
// The store's own work keeps no process.
const awake = setInterval(() => undefined, 1_000);
const SORTED_SINCE_ASKED = ["ORDER BY HistoryLength DESC", "ORDER BY RunId"];
for (const text of SORTED_SINCE_ASKED) {
  const q = resolveQuery(text, namespace);
  const isWhole = new Promise<void>((resolve) => {
    onWhole = resolve;
  });
  const begin = process.hrtime.bigint();
  await store.visibility.list({ namespaceKey: 1, filter: q.filter, orderBy: q.orderBy }, PAGE, undefined);
  note(`the first page ever of \`${text}\`, sorted: ${Math.round(Number(process.hrtime.bigint() - begin) / 1e6)} ms`);
  await isWhole;
  note(`its index is whole after ${(Number(process.hrtime.bigint() - begin) / 1e9).toFixed(1)} s, beside other work`);
}
clearInterval(awake);
for (const text of QUERIES) {
  const q = resolveQuery(text, namespace);
  const query = { namespaceKey: 1, filter: q.filter, orderBy: q.orderBy };
  const first: number[] = [];
  const second: number[] = [];
  for (let i = 0; i < 15; i++) {
    let begin = process.hrtime.bigint();
    const page = await store.visibility.list(query, PAGE, undefined);
    first.push(Number(process.hrtime.bigint() - begin) / 1e6);
    if (page.next === undefined) continue;
    begin = process.hrtime.bigint();
    await store.visibility.list(query, PAGE, page.next);
    second.push(Number(process.hrtime.bigint() - begin) / 1e6);
  }
  figure(`first page of \`${text === "" ? "(all)" : text}\``, median(first), "ms", 10);
  if (second.length > 0) figure("its next page", median(second), "ms", 10);
}
await store.close();
done();
