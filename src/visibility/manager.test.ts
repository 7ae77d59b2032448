import { expect, test } from "vitest";
import { Memo, Payload, SearchAttributes } from "../../gen/wire/temporal/api/common/v1/message.js";
import { decode, encode } from "../api/wire.js";
import type { Limits } from "../config/limits.js";
import type { NamespaceView } from "../core/namespace-view.js";
import type { VisibilityRow } from "../core/visibility/row.js";
import { MemoryVisibility } from "../persistence/memory/visibility.js";
import { VisibilityManager } from "./manager.js";

const NAMESPACE: NamespaceView = {
  id: "id",
  name: "ns",
  key: 1,
  retention: 0,
  state: 1,
  searchAttributes: new Map([["KW", { id: 1, type: 2 }]]),
};
const keyword = encode(Payload, { metadata: { encoding: Buffer.from("json/plain") }, data: Buffer.from('"a"') });

function row(key: number, closeTime: number): VisibilityRow {
  return {
    key,
    namespaceKey: 1,
    workflowId: `w${key}`,
    runId: `r${key}`,
    workflowType: "T",
    taskQueue: "q",
    status: closeTime === 0 ? 1 : 2,
    startTime: 1_000_000,
    executionTime: 1_000_000,
    closeTime,
    historyLength: closeTime === 0 ? 0 : 11,
    historySizeBytes: closeTime === 0 ? 0 : 900,
    stateTransitionCount: closeTime === 0 ? 0 : 5,
    parentWorkflowId: key === 1 ? "p" : "",
    parentRunId: key === 1 ? "pr" : "",
    rootWorkflowId: "root",
    rootRunId: "rr",
    memo: key === 1 ? encode(Memo, { fields: { m: keyword } }) : new Uint8Array(0),
    searchAttributes: key === 1 ? encode(SearchAttributes, { indexedFields: { KW: keyword } }) : new Uint8Array(0),
    attributes: key === 1 ? [{ id: 1, type: 2, value: "a" }] : [],
  };
}

function manager(...rows: VisibilityRow[]): VisibilityManager {
  const memory = new MemoryVisibility();
  memory.write(new Map(rows.map((r) => [r.key, { op: "insert", row: r }])));
  return new VisibilityManager(memory.reader, () => ({ visibilityPageRowsMax: 2 }) as Limits);
}

test("a closed run shows what the official server's list shows", async () => {
  const { executions } = await manager(row(1, 4_500_000)).list(NAMESPACE, "", 10, new Uint8Array(0));
  expect(executions[0]).toMatchObject({
    execution: { workflowId: "w1", runId: "r1" },
    type: { name: "T" },
    startTime: { seconds: 1, nanos: 0 },
    executionTime: { seconds: 1, nanos: 0 },
    closeTime: { seconds: 4, nanos: 500_000_000 },
    executionDuration: { seconds: 3, nanos: 500_000_000 },
    status: 2,
    historyLength: 11,
    historySizeBytes: 900,
    stateTransitionCount: 5,
    parentExecution: { workflowId: "p", runId: "pr" },
    rootExecution: { workflowId: "root", runId: "rr" },
    taskQueue: "q",
    memo: { fields: { m: keyword } },
  });
  const served = decode(Payload, executions[0]?.searchAttributes?.indexedFields?.["KW"] as Uint8Array);
  expect(Buffer.from(served.metadata["type"] ?? []).toString()).toBe("Keyword");
});

test("an open run has no close time, duration, parent; memo and attributes are there though empty", async () => {
  const { executions } = await manager(row(2, 0)).list(NAMESPACE, "", 10, new Uint8Array(0));
  expect(executions[0]).toMatchObject({
    closeTime: undefined,
    executionDuration: undefined,
    parentExecution: undefined,
    memo: {},
    searchAttributes: {},
    historyLength: 0,
  });
});

test("pages are cut to the limit and continue behind the last row", async () => {
  const m = manager(row(1, 0), row(2, 0), row(3, 0));
  const first = await m.list(NAMESPACE, "", 0, new Uint8Array(0));
  const second = await m.list(NAMESPACE, "", 1000, first.nextPageToken);
  expect([first, second].map((p) => p.executions.map((e) => e.execution?.workflowId))).toEqual([["w3", "w2"], ["w1"]]);
  expect(second.nextPageToken).toHaveLength(0);
});

test("groups are payloads with their type, in the order of their values; their sum is the count", async () => {
  const m = manager(row(1, 0), row(2, 5), row(3, 5));
  const read = async (query: string) => {
    const { count, groups } = await m.count(NAMESPACE, query);
    return { count, groups: groups?.map((g) => [Buffer.from(decode(Payload, g.groupValues?.[0] as Uint8Array).data).toString(), g.count]) };
  };
  expect(await read("GROUP BY ExecutionStatus")).toEqual({
    count: 3,
    groups: [
      ['"Running"', 1],
      ['"Completed"', 2],
    ],
  });
  // As the official UI counts what it lists in an order.
  expect(await read("ORDER BY StartTime DESC GROUP BY ExecutionStatus")).toEqual(await read("GROUP BY ExecutionStatus"));
  expect(await read("GROUP BY KW")).toEqual({
    count: 3,
    groups: [
      ['""', 2],
      ['"a"', 1],
    ],
  });
  expect(await m.count(NAMESPACE, "KW = 'a'")).toEqual({ count: 1 });
});
