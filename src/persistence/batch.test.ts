import { describe, expect, it } from "vitest";
import { Batch, type RowWrite } from "./batch.js";

const value = (n: number): Uint8Array => Uint8Array.of(n);
const insert = (n: number): RowWrite => ({ op: "insert", value: value(n) });
const put = (n: number): RowWrite => ({ op: "put", value: value(n) });
const remove: RowWrite = { op: "delete" };

/** Writes of one row, in order, and what the batch says in the end; undefined when it says nothing. */
const MERGES: readonly [title: string, writes: RowWrite[], left: RowWrite | undefined][] = [
  ["the last put wins", [put(1), put(2)], put(2)],
  ["a put over an insert is an insert", [insert(1), put(2)], insert(2)],
  ["an insert that is deleted never happened", [insert(1), remove], undefined],
  ["an insert that is written over and deleted never happened", [insert(1), put(2), remove], undefined],
  ["a put that is deleted is a delete", [put(1), remove], remove],
  ["a delete that is written again is a put, as the row may be there", [remove, insert(1)], put(1)],
  ["a delete, an insert and a delete is a delete", [remove, insert(1), remove], remove],
  ["an insert after one that never happened is an insert", [insert(1), remove, insert(2)], insert(2)],
];

describe("writes of one row become one", () => {
  const at = { queue: 1, priority: 2, pass: 3, id: 4 };
  it.each(MERGES)("%s", (_, writes, left) => {
    const b = new Batch();
    for (const w of writes) {
      b.writeComponent(1, 2, 3, w);
      b.writeBacklog(at, w);
      b.writeRegistry("kind", "id", 1, w);
    }
    expect(b.components.get(1)?.get(2)?.get(3)).toEqual(left);
    expect([...b.backlog.values()].map((r) => r.write)).toEqual(left === undefined ? [] : [left]);
    expect(b.registry.get("kind")?.get("id")?.write).toEqual(left);
    expect(b.rowCount).toBe(left === undefined ? 0 : 3);
    expect(b.isEmpty).toBe(left === undefined);
  });

  it("executions, runs, due and visibility rows that begin and end in the batch never happened", () => {
    const b = new Batch();
    const run = { namespaceKey: 1, workflowId: "w", runId: "r", key: 1 };
    b.putExecution(1, 0, value(1), true);
    b.putExecution(1, 0, value(2), false);
    expect(b.executions.get(1)).toEqual({ op: "insert", value: value(2), shard: 0 });
    b.deleteExecution(1, 0);
    b.insertRun(run);
    b.deleteRun(run);
    b.insertDue(1, 2, 3);
    b.deleteDue(1, 2, 3);
    const row = { key: 1 } as Parameters<Batch["putVisibility"]>[0];
    b.putVisibility(row, true);
    b.putVisibility(row, false);
    expect(b.visibility.get(1)?.op).toBe("insert");
    b.deleteVisibility(1, 1);
    expect(b.isEmpty).toBe(true);
  });

  it("a due row that is taken away and put back is left alone", () => {
    const b = new Batch();
    b.deleteDue(1, 2, 3);
    b.insertDue(1, 2, 3);
    expect(b.isEmpty).toBe(true);
  });

  it("rows that differ in any part of their key are different rows", () => {
    const b = new Batch();
    for (const id of [1, "1"]) b.writeComponent(1, 2, id, put(1));
    for (const n of [1, 2]) {
      b.insertDue(n, 2, 3);
      b.writeBacklog({ queue: 1, priority: 2, pass: 3, id: n }, put(1));
      b.writeRegistry("kind", `${n}`, 1, put(1));
      b.insertRun({ namespaceKey: n, workflowId: "w", runId: "r", key: 1 });
    }
    expect(b.rowCount).toBe(10);
  });
});

describe("history rows of one batch", () => {
  it("are joined when the events follow one another, and not where a row must begin", () => {
    const b = new Batch();
    b.appendHistory(1, 1, value(1), 2, true);
    b.appendHistory(1, 3, value(3), 1, false);
    b.appendHistory(1, 4, value(4), 1, true);
    b.appendHistory(1, 6, value(6), 1, false);
    b.appendHistory(2, 7, value(7), 1, false);
    expect(b.history.map((h) => [h.branch, h.firstEventId, [...h.data]])).toEqual([
      [1, 1, [...value(1), ...value(3)]],
      [1, 4, [...value(4)]],
      [1, 6, [...value(6)]],
      [2, 7, [...value(7)]],
    ]);
  });

  it("are not joined beyond 64 KiB", () => {
    const b = new Batch();
    for (let id = 1; id <= 3; id++) b.appendHistory(1, id, new Uint8Array(40 * 1024), 1, false);
    expect(b.history.map((h) => h.data.length)).toEqual([80 * 1024, 40 * 1024]);
  });
});

it("every kind of change counts as a row", () => {
  const b = new Batch();
  b.appendHistory(1, 1, value(1));
  b.historyDeletes.push({ branch: 1, fromEventId: 1, endEventId: 2 });
  b.forks.push({ parentBranch: 1, childBranch: 2, endEventId: 3 });
  b.forkDeletes.push({ parentBranch: 1, childBranch: 2 });
  b.componentPurges.push(1);
  expect(b.rowCount).toBe(5);
});

it("components that go with their execution are no rows, nor are those that come and go", () => {
  const b = new Batch();
  for (const id of [1, 2]) for (const kind of [1, 2]) b.writeComponent(7, kind, id, { op: "insert", value: value(1) });
  b.writeComponent(8, 1, 1, { op: "insert", value: value(1) });
  expect(b.rowCount).toBe(5);
  b.writeComponent(7, 1, 1, { op: "delete" });
  expect(b.rowCount).toBe(4);
  b.purgeComponents(7);
  expect(b.rowCount).toBe(2);
});
