import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { IndexedValueType as T } from "../../gen/wire/temporal/api/enums/v1/common.js";
import type { NamespaceView } from "../core/namespace-view.js";
import { PREDEFINED, SYSTEM } from "../core/visibility/attributes.js";
import { resolveQuery } from "../core/visibility/resolve.js";
import type { AttributeValue, VisibilityRow } from "../core/visibility/row.js";
import type { Batch } from "./batch.js";
import { MemoryVisibility } from "./memory/visibility.js";
import { chosen } from "./sqlite/choice.js";
import { SortTables } from "./sqlite/sort-tables.js";
import { SqliteVisibilityWriter, VISIBILITY_SCHEMA } from "./sqlite/visibility.js";
import { SqliteVisibilityReader } from "./sqlite/visibility-reader.js";
import type { VisibilityReader } from "./visibility.js";

const CUSTOM: readonly (readonly [string, number])[] = [
  ["Kw", T.KEYWORD],
  ["Txt", T.TEXT],
  ["Num", T.INT],
  ["Dbl", T.DOUBLE],
  ["Flag", T.BOOL],
  ["Day", T.DATETIME],
  ["Tags", T.KEYWORD_LIST],
];
const NAMESPACE: NamespaceView = {
  id: "ns-id",
  name: "ns",
  key: 1,
  retention: 0,
  state: 1,
  searchAttributes: new Map(CUSTOM.map(([name, type], i) => [name, { id: i + 1, type }])),
};
const DIVISION_ID = PREDEFINED.get("TemporalNamespaceDivision")?.id ?? 0;
const DAY = 86_400_000_000;
const NONE = new Uint8Array(0);

/** Mulberry32. */
function random(seed: number): (n: number) => number {
  let a = seed;
  return (n) => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * n);
  };
}

const WORDS = ["alpha", "Beta", "gamma-ray", "Café", "x", "", "\u{1f600}z", "\uffeez", "it's", "-"];
const day = (n: number): string => new Date(n * 86_400_000).toISOString();

function randomValue(type: number, r: (n: number) => number): AttributeValue {
  const word = (): string => WORDS[r(WORDS.length)] as string;
  switch (type) {
    case T.INT:
      return r(7) - 3;
    case T.DOUBLE:
      return (r(9) - 4) / 2;
    case T.BOOL:
      return r(2) === 1;
    case T.DATETIME:
      return r(6) * DAY;
    case T.KEYWORD_LIST:
      return Array.from({ length: 1 + r(3) }, word);
    case T.TEXT:
      return Array.from({ length: 1 + r(3) }, word).join(" ");
    default:
      return word();
  }
}

function randomRow(key: number, r: (n: number) => number): VisibilityRow {
  const attributes: { id: number; type: number; value: AttributeValue }[] = [];
  CUSTOM.forEach(([, type], i) => {
    if (r(2) === 0) attributes.push({ id: i + 1, type, value: randomValue(type, r) });
  });
  if (r(8) === 0) attributes.push({ id: DIVISION_ID, type: T.KEYWORD, value: "TemporalScheduler" });
  const isClosed = r(2) === 0;
  const startTime = DAY + r(5) * DAY;
  return {
    key,
    namespaceKey: r(10) === 0 ? 2 : 1,
    workflowId: `w${r(12)}`,
    runId: `run-${key}`,
    workflowType: `type${r(3)}`,
    taskQueue: `queue${r(2)}`,
    status: isClosed ? 2 + r(3) : 1,
    startTime,
    executionTime: startTime,
    closeTime: isClosed ? startTime + r(4) * DAY + 1 : 0,
    historyLength: isClosed ? r(5) : 0,
    historySizeBytes: isClosed ? r(500) : 0,
    stateTransitionCount: isClosed ? r(5) : 0,
    parentWorkflowId: r(3) === 0 ? `w${r(5)}` : "",
    parentRunId: "",
    rootWorkflowId: `w${r(5)}`,
    rootRunId: "root",
    memo: NONE,
    searchAttributes: NONE,
    attributes,
  };
}

function randomCondition(r: (n: number) => number, depth: number): string {
  if (depth > 0 && r(2) === 0) {
    const inner = (): string => randomCondition(r, depth - 1);
    return [`(${inner()} AND ${inner()})`, `(${inner()} OR ${inner()})`, `NOT (${inner()})`, `NOT ${inner()}`][r(4)] as string;
  }
  const quoted = (): string => `'${(WORDS[r(WORDS.length)] as string).replaceAll("'", "''")}'`;
  const operator = (): string => ["=", "!=", "<", "<=", ">", ">="][r(6)] as string;
  const equality = (): string => ["=", "!="][r(2)] as string;
  const not = (): string => (r(2) === 0 ? "NOT " : "");
  const names = [
    "Kw",
    "Txt",
    "Num",
    "Dbl",
    "Flag",
    "Day",
    "Tags",
    "ParentWorkflowId",
    "CloseTime",
    "HistoryLength",
    "TemporalNamespaceDivision",
    "ExecutionDuration",
  ];
  const forms = [
    () => `Kw ${operator()} ${quoted()}`,
    () => `Kw ${not()}IN (${quoted()}, ${quoted()})`,
    () => `Kw ${not()}BETWEEN ${quoted()} AND ${quoted()}`,
    () => `Kw ${not()}STARTS_WITH ${quoted()}`,
    () => `Txt ${equality()} 'z ${(WORDS[r(5)] as string).toUpperCase()}'`,
    () => `Num ${operator()} ${r(7) - 3}`,
    () => `Num ${not()}IN (${r(7) - 3}, ${r(7) - 3}.0)`,
    () => `Dbl ${operator()} ${(r(9) - 4) / 2}`,
    () => `Dbl ${not()}BETWEEN -1 AND 1.5`,
    () => `Flag ${equality()} ${r(2) === 0}`,
    () => `Day ${operator()} '${day(r(6))}'`,
    () => `Tags ${equality()} ${quoted()}`,
    () => `Tags ${not()}IN (${quoted()}, ${quoted()})`,
    () => `${names[r(names.length)]} IS ${not()}NULL`,
    () => `WorkflowId ${operator()} 'w${r(12)}'`,
    () => `WorkflowId ${not()}STARTS_WITH 'w1'`,
    () => `ParentWorkflowId ${operator()} 'w${r(5)}'`,
    () => `CloseTime ${operator()} '${day(r(9))}'`,
    () => `StartTime ${not()}BETWEEN '${day(2)}' AND '${day(4)}'`,
    () => `ExecutionStatus ${operator()} 'Completed'`,
    () => `ExecutionStatus ${not()}IN ('Running', 'Failed')`,
    () => `ExecutionDuration ${operator()} '${r(4)}d'`,
    () => `HistoryLength ${operator()} ${r(5)}`,
    () => `TemporalNamespaceDivision = 'TemporalScheduler'`,
  ];
  return (forms[r(forms.length)] as () => string)();
}

function randomQuery(r: (n: number) => number): string {
  const parts: string[] = [];
  if (r(6) !== 0) parts.push(randomCondition(r, 3));
  const keys = ["Kw", "Num", "Dbl", "Flag", "Day", ...SYSTEM.keys()];
  const count = r(3);
  if (count > 0) parts.push(`ORDER BY ${Array.from({ length: count }, () => `${keys[r(keys.length)]} ${["ASC", "DESC"][r(2)]}`).join(", ")}`);
  return parts.join(" ");
}

const put = (row: VisibilityRow, op: "insert" | "put"): Batch["visibility"] => new Map([[row.key, { op, row }]]);

/** `rowsMin`: from how many rows on a list's order gets an index. */
function stores(rowsMin = 1_000_000) {
  const db = new Database(":memory:");
  db.exec(`${VISIBILITY_SCHEMA} CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID`);
  const sqlite = new SqliteVisibilityWriter(db, false);
  const memory = new MemoryVisibility();
  const statements: string[] = [];
  const clock = { now: 0, later: undefined as (() => void) | undefined };
  const sorts = new SortTables({
    ...{ db, rowsMin, sliceRows: 20, wrote: async () => undefined, now: () => clock.now },
    logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    later: (_, f) => {
      clock.later = f;
    },
  });
  const reader = new SqliteVisibilityReader(
    (sql, params) => {
      statements.push(sql);
      return Promise.resolve(
        db
          .prepare(sql)
          .raw()
          .all(...params) as unknown[][],
      );
    },
    undefined,
    sorts,
  );
  /** Work on indexes, `turns` at most. */
  const work = async (turns = 1_000): Promise<void> => {
    for (; turns > 0 && clock.later !== undefined; turns--) {
      const { later } = clock;
      clock.later = undefined;
      later();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const write = (ops: Batch["visibility"]): void => {
    sqlite.write(ops);
    memory.write(ops);
  };
  return { db, write, sqlite: reader, memory: memory.reader, statements, sorts, work, clock };
}

async function pages(reader: VisibilityReader, text: string, size: number): Promise<number[][]> {
  const q = resolveQuery(text, NAMESPACE);
  const out: number[][] = [];
  let after: Uint8Array | undefined;
  do {
    const page = await reader.list({ namespaceKey: 1, filter: q.filter, orderBy: q.orderBy }, size, after);
    out.push(page.rows.map((r) => r.key));
    after = page.next;
  } while (after !== undefined);
  return out;
}

/** Every field that has a type to be grouped by. */
const GROUPABLE = [
  ...SYSTEM.values(),
  ...[...PREDEFINED].map(([name, { type }]) => ({ name, type })),
  ...CUSTOM.map(([name, type]) => ({ name, type })),
]
  .filter(({ type }) => type === T.KEYWORD || type === T.BOOL || type === T.INT)
  .map(({ name }) => name);

describe("SQLite against memory", () => {
  test.each([1, 2, 3, 4])("rows and queries of seed %i give the same pages, counts and groups", async (seed) => {
    const r = random(seed);
    const s = stores();
    for (let key = 1; key <= 120; key++) s.write(put(randomRow(key, r), "insert"));
    for (let i = 0; i < 40; i++) {
      const key = 1 + r(120);
      const namespaceKey = s.db.prepare("SELECT namespace FROM visibility WHERE key = ?").pluck().get(key) as number | undefined;
      if (namespaceKey === undefined) continue;
      if (r(3) === 0) {
        s.write(new Map([[key, { op: "delete", namespaceKey }]]));
        continue;
      }
      // A run keeps what it was started with.
      const old = await s.memory.list({ namespaceKey, filter: undefined, orderBy: [] }, 1000, undefined);
      const row = old.rows.find((x) => x.key === key) as VisibilityRow;
      const next = randomRow(key, r);
      s.write(
        put(
          {
            ...row,
            status: next.status,
            closeTime: next.closeTime === 0 ? 0 : row.startTime + r(4) * DAY,
            historyLength: next.historyLength,
            attributes: next.attributes,
          },
          "put",
        ),
      );
    }
    for (let i = 0; i < 300; i++) {
      const text = randomQuery(r);
      const size = 1 + r(40);
      expect(await pages(s.sqlite, text, size), text).toEqual(await pages(s.memory, text, size));
      const q = resolveQuery(text.replace(/ ?ORDER BY.*/, ""), NAMESPACE);
      const query = { namespaceKey: 1, filter: q.filter, orderBy: [] };
      expect(await s.sqlite.count(query), text).toBe(await s.memory.count(query));
      for (const name of i % 10 === 0 ? GROUPABLE : ["ExecutionStatus", "Kw", "Flag", "ParentWorkflowId"]) {
        const by = resolveQuery(`GROUP BY ${name}`, NAMESPACE).groupBy.map((g) => g.field);
        expect(await s.sqlite.countGroups(query, by), `${text} by ${name}`).toEqual(await s.memory.countGroups(query, by));
      }
    }
  });

  test("deleting every row leaves no value behind", () => {
    const r = random(9);
    const s = stores();
    for (let key = 1; key <= 50; key++) s.write(put(randomRow(key, r), "insert"));
    for (const { key, namespace } of s.db.prepare("SELECT key, namespace FROM visibility").all() as { key: number; namespace: number }[])
      s.write(new Map([[key, { op: "delete", namespaceKey: namespace }]]));
    const tables = s.db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'visibility%'").pluck().all() as string[];
    expect(tables.map((t) => s.db.prepare(`SELECT count(*) FROM ${t}`).pluck().get())).toEqual(tables.map(() => 0));
  });

  test("a put of a row that is not there writes it", async () => {
    const s = stores();
    s.write(put({ ...randomRow(1, random(1)), namespaceKey: 1, attributes: [] }, "put"));
    expect(await pages(s.sqlite, "", 10)).toEqual([[1]]);
  });

  test("thousands of alternatives are one query", async () => {
    const s = stores();
    s.write(put({ ...randomRow(1, random(1)), namespaceKey: 1, workflowId: "w5", attributes: [] }, "insert"));
    const text = Array.from({ length: 4_000 }, (_, i) => `WorkflowId = 'w${i}'`).join(" OR ");
    expect(await pages(s.sqlite, text, 10)).toEqual([[1]]);
  });
});

describe("pages", () => {
  test("a page is one statement, so that a run that closes meanwhile is seen once", async () => {
    const s = stores();
    for (let key = 1; key <= 5; key++) s.write(put({ ...randomRow(key, random(key)), namespaceKey: 1, attributes: [] }, "insert"));
    await s.sqlite.list({ namespaceKey: 1, filter: undefined, orderBy: [] }, 10, undefined);
    expect(s.statements).toHaveLength(1);
  });

  test.each(["sqlite", "memory"] as const)("%s: a token of another query and one that is none are refused", async (store) => {
    const s = stores();
    for (let key = 1; key <= 5; key++) s.write(put({ ...randomRow(key, random(key)), namespaceKey: 1, attributes: [] }, "insert"));
    const query = { namespaceKey: 1, filter: undefined, orderBy: [] };
    const { next } = await s[store].list(query, 2, undefined);
    await expect(s[store].list({ ...query, filter: resolveQuery("WorkflowId = 'a'", NAMESPACE).filter }, 2, next)).rejects.toThrow(
      "page token is of another query",
    );
    for (const bad of ["zzz", "null", "{}", '{"key":1,"values":[{},1],"part":0}'])
      await expect(s[store].list(query, 2, Buffer.from(bad))).rejects.toThrow("invalid page token");
  });
});

/** A run begins, closes as it was begun, or goes. */
function change(s: ReturnType<typeof stores>, runs: Map<number, VisibilityRow>, r: (n: number) => number): void {
  const key = 1 + r(400);
  const old = runs.get(key);
  const next = randomRow(key, r);
  if (old === undefined) s.write(put(next, "insert"));
  else if (r(3) === 0) {
    s.write(new Map([[key, { op: "delete", namespaceKey: old.namespaceKey }]]));
    runs.delete(key);
    return;
  } else {
    const closeTime = old.startTime + 1 + r(4) * DAY;
    const { status, historyLength, attributes, taskQueue } = next;
    s.write(put({ ...old, closeTime, status, historyLength, attributes, taskQueue }, "put"));
  }
  runs.set(key, old ?? next);
}

describe("ORDER BY a system field", () => {
  const FIELDS = [...SYSTEM.keys()];
  /** Those that the schema has an index of. */
  const OWN = ["StartTime", "CloseTime", "WorkflowId"];

  test("has an index once somebody sorts by it, made while rows come, change and go", async () => {
    const r = random(5);
    const s = stores(1);
    const runs = new Map<number, VisibilityRow>();
    for (let i = 0; i < 500; i++) change(s, runs, r);
    const compare = async (): Promise<void> => {
      for (const name of FIELDS)
        for (const text of [`ORDER BY ${name}`, `StartTime > '1970-01-03T00:00:00Z' ORDER BY ${name} DESC`])
          expect(await pages(s.sqlite, text, 90), text).toEqual(await pages(s.memory, text, 90));
    };
    await compare();
    for (let turn = 0; turn < 100; turn++) {
      await s.work(1);
      for (let i = 0; i < 5; i++) change(s, runs, r);
    }
    await s.work();
    for (let i = 0; i < 100; i++) change(s, runs, r);
    await compare();
    s.statements.length = 0;
    for (const name of FIELDS) for (const way of ["ASC", "DESC"]) await pages(s.sqlite, `ORDER BY ${name} ${way}`, 5_000);
    for (const sql of s.statements) {
      const lines = s.db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...new Array((sql.match(/\?/g) ?? []).length).fill(1)) as { detail: string }[];
      const plan = lines.map((l) => l.detail).join("\n");
      // Rows of one time are sorted by key.
      expect(plan.replace("USE TEMP B-TREE FOR LAST TERM OF ORDER BY", ""), sql).not.toContain("TEMP B-TREE");
    }
    expect(s.db.prepare("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'").pluck().get()).toBe((FIELDS.length - OWN.length) * 3);
  });

  test("has none where there are few rows", async () => {
    const s = stores(10);
    for (let key = 1; key <= 9; key++) s.write(put(randomRow(key, random(key)), "insert"));
    await pages(s.sqlite, "ORDER BY HistoryLength", 10);
    expect(s.clock.later).toBeUndefined();
  });

  test("is one sort of the rows that meet a condition which few do", async () => {
    const s = stores();
    const next = random(3);
    for (let key = 1; key <= 300; key++) s.write(put({ ...randomRow(key, next), key, namespaceKey: 1 }, "insert"));
    const all = (statement: { sql: string; params: readonly unknown[] }) =>
      s.db
        .prepare(statement.sql)
        .raw()
        .all(...statement.params) as unknown[][];
    let ways = 0;
    for (const [text, options] of [
      ["WorkflowType = 'type1' ORDER BY HistoryLength", 3],
      ["WorkflowType = 'type1' AND Kw = 'alpha' ORDER BY Num DESC", 5],
      ["Num > 0 ORDER BY ParentWorkflowId", 3],
      ["Num > 0 ORDER BY Flag DESC", 3],
      ["Kw = 'alpha' ORDER BY Dbl, Day DESC, RunId", 2],
      ["ExecutionStatus = 'Completed' ORDER BY Kw DESC, CloseTime", 2],
    ] as const) {
      const q = resolveQuery(text, NAMESPACE);
      const query = { namespaceKey: 1, filter: q.filter, orderBy: q.orderBy };
      const reader = new SqliteVisibilityReader(
        (sql, params) => Promise.resolve(all({ sql, params })),
        (choice) => {
          expect(choice.options, text).toHaveLength(options);
          const [first, ...others] = choice.options.map(all);
          for (const other of others) expect(other, text).toEqual(first);
          ways++;
          return Promise.resolve(first ?? []);
        },
      );
      for (let after: Uint8Array | undefined, n = 0; n === 0 || after !== undefined; n++) after = (await reader.list(query, 7, after)).next;
    }
    expect(ways).toBeGreaterThan(30);
  });

  test("keeps its index over a restart, and loses it when nobody has sorted by it for a day", async () => {
    const s = stores(1);
    for (let key = 1; key <= 50; key++) s.write(put(randomRow(key, random(key)), "insert"));
    await pages(s.sqlite, "ORDER BY RunId", 100);
    await pages(s.sqlite, "ORDER BY TaskQueue", 100);
    await s.work(10);
    const tables = () =>
      s.db.prepare("SELECT name FROM sqlite_schema WHERE type IN ('table', 'trigger') AND name LIKE 'visibility_by%'").pluck().all();
    expect(tables()).toHaveLength(8);
    const later: (() => void)[] = [];
    const again = new SortTables({
      ...{ db: s.db, rowsMin: 1, wrote: async () => undefined, now: () => s.clock.now },
      logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
      later: (_, f) => void later.push(f),
    });
    expect(again.tableFor("runId")).toBe("visibility_by_run_id");
    const hours = async (n: number): Promise<void> => {
      s.clock.now += n * 3_600_000;
      for (let i = 0; i < 5; i++) {
        later.shift()?.();
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await hours(20);
    expect(again.tableFor("taskQueue")).toBe("visibility_by_task_queue");
    await hours(5);
    expect(again.tableFor("runId")).toBeUndefined();
    expect(tables()).toHaveLength(5);
    await hours(1);
    expect(tables()).toHaveLength(4);
    expect(s.db.prepare("SELECT name FROM meta").pluck().all()).toEqual(["lists sorted by taskQueue"]);
    for (let key = 1; key <= 50; key++) s.write(new Map([[key, { op: "delete", namespaceKey: 1 }]]));
    expect(s.db.prepare("SELECT count(*) FROM visibility_by_task_queue").pluck().get()).toBe(0);
  });
});

describe("ORDER BY several keys", () => {
  const ORDERS = [
    "WorkflowType, HistoryLength",
    "ExecutionStatus DESC, StartTime",
    "Kw, Day DESC, RunId",
    "Num DESC, Flag, ParentWorkflowId DESC",
    "TaskQueue, CloseTime DESC, Dbl, WorkflowId DESC",
    "ExecutionDuration DESC, TemporalScheduledStartTime, Kw DESC",
  ];
  const all = (s: ReturnType<typeof stores>) => (statement: { sql: string; params: readonly unknown[] }) =>
    s.db
      .prepare(statement.sql)
      .raw()
      .all(...statement.params) as unknown[][];

  test("goes along a table of that order once it is made, as rows come, change and go; sorts nothing", async () => {
    const r = random(11);
    const s = stores(1);
    const runs = new Map<number, VisibilityRow>();
    for (let i = 0; i < 500; i++) change(s, runs, r);
    const compare = async (): Promise<void> => {
      for (const order of ORDERS)
        for (const filter of ["", "StartTime > '1970-01-03T00:00:00Z' AND WorkflowType != 'type0' ", "Kw IS NULL "]) {
          const text = `${filter}ORDER BY ${order}`;
          expect(await pages(s.sqlite, text, 23), text).toEqual(await pages(s.memory, text, 23));
        }
    };
    await compare();
    for (let turn = 0; turn < 60; turn++) {
      await s.work(1);
      for (let i = 0; i < 4; i++) change(s, runs, r);
    }
    await s.work();
    for (let i = 0; i < 100; i++) change(s, runs, r);
    await compare();
    s.statements.length = 0;
    for (const order of ORDERS) await pages(s.sqlite, `ORDER BY ${order}`, 23);
    for (const sql of s.statements) {
      const lines = s.db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...new Array((sql.match(/\?/g) ?? []).length).fill(1)) as { detail: string }[];
      expect(lines.map((l) => l.detail).join("\n"), sql).not.toContain("TEMP B-TREE");
    }
  });

  test("a page behind a position in one long run of equal first keys begins at the position", async () => {
    const s = stores(1);
    const one = { ...randomRow(1, random(1)), namespaceKey: 1, workflowType: "same", attributes: [] };
    for (let key = 1; key <= 3_000; key++)
      s.write(put({ ...one, key, runId: `run-${key}`, startTime: DAY + ((key * 7919) % 3_000), closeTime: 0, status: 1 }, "insert"));
    const q = resolveQuery("ORDER BY WorkflowType, StartTime DESC", NAMESPACE);
    const query = { namespaceKey: 1, filter: q.filter, orderBy: q.orderBy };
    await s.sqlite.list(query, 10, undefined);
    await s.work();
    s.statements.length = 0;
    let after: Uint8Array | undefined;
    for (let n = 0; n < 100; n++) after = (await s.sqlite.list(query, 20, after)).next;
    const plan = s.db
      .prepare(`EXPLAIN QUERY PLAN ${s.statements.at(-1)}`)
      .all(...new Array((s.statements.at(-1)?.match(/\?/g) ?? []).length).fill(1)) as { detail: string }[];
    const reads = plan.map((l) => l.detail).filter((d) => d.startsWith("SEARCH o"));
    expect(reads.map((d) => d.replace(/.*PRIMARY KEY /, ""))).toEqual([
      "(namespace=? AND none0=? AND value0=? AND none1=? AND value1=? AND key<?)",
      "(namespace=? AND none0=? AND value0=? AND none1=? AND value1<?)",
      "(namespace=? AND none0=? AND value0>?)",
    ]);
    expect(plan.map((l) => l.detail).join("\n")).not.toMatch(/TEMP B-TREE|SCAN o/);
  });

  test("every way to read a page gives the same page: sorted, led by a condition, along the table within one", async () => {
    const s = stores(1);
    const next = random(3);
    for (let key = 1; key <= 300; key++) s.write(put({ ...randomRow(key, next), key, namespaceKey: 1 }, "insert"));
    let ways = 0;
    for (const [text, options] of [
      ["Kw = 'alpha' ORDER BY Dbl, Day DESC, RunId", 3],
      ["ExecutionStatus = 'Completed' AND Num > 0 ORDER BY Kw DESC, CloseTime", 5],
    ] as const) {
      await pages(s.sqlite, text, 300);
      await s.work();
      const q = resolveQuery(text, NAMESPACE);
      const query = { namespaceKey: 1, filter: q.filter, orderBy: q.orderBy };
      const choose = (choice: { options: readonly { sql: string; params: readonly unknown[] }[] }) => {
        expect(choice.options, text).toHaveLength(options);
        const [first, ...others] = choice.options.map(all(s));
        for (const other of others) expect(other, text).toEqual(first);
        ways++;
        return Promise.resolve(first ?? []);
      };
      const reader = new SqliteVisibilityReader((sql, params) => Promise.resolve(all(s)({ sql, params })), choose, s.sorts);
      for (let after: Uint8Array | undefined, n = 0; n === 0 || after !== undefined; n++) after = (await reader.list(query, 2, after)).next;
    }
    expect(ways).toBeGreaterThan(9);
  });

  test("has a table each for eight orders of up to four keys at most; one in a ninth is sorted", async () => {
    const s = stores(1);
    for (let key = 1; key <= 60; key++) s.write(put({ ...randomRow(key, random(key)), key }, "insert"));
    const orders = ["Kw", "Num", "Dbl", "Flag", "Day", "RunId", "TaskQueue", "ExecutionStatus", "WorkflowType"].map((f) => `${f} DESC, StartTime`);
    for (const order of ["Kw, Num, Dbl, Flag, Day", ...orders]) await pages(s.sqlite, `ORDER BY ${order}`, 100);
    await s.work(200);
    expect(s.db.prepare("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name LIKE 'visibility_by%'").pluck().get()).toBe(8);
    for (const order of orders) expect(await pages(s.sqlite, `ORDER BY ${order}`, 9)).toEqual(await pages(s.memory, `ORDER BY ${order}`, 9));
  });

  test("keeps its table over a restart", async () => {
    const s = stores(1);
    for (let key = 1; key <= 40; key++) s.write(put({ ...randomRow(key, random(key)), key }, "insert"));
    await pages(s.sqlite, "ORDER BY Kw DESC, RunId", 100);
    await s.work();
    const again = new SortTables({
      ...{ db: s.db, rowsMin: 1, wrote: async () => undefined, now: () => 0, later: () => undefined },
      logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    });
    expect(again.tableFor("1 DESC, runId ASC")).toBe("visibility_by_attribute_1_desc_run_id_asc");
  });
});

describe("query plans", () => {
  /** `matching`: how many rows each condition is found to meet. */
  async function plan(text: string, count = false, matching = 3): Promise<string> {
    const s = stores();
    const q = resolveQuery(text, NAMESPACE);
    const query = { namespaceKey: 1, filter: q.filter, orderBy: q.orderBy };
    let lines: string[] = [];
    const reader = new SqliteVisibilityReader((sql, params) => {
      lines = (s.db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...params) as { detail: string }[]).map((x) => x.detail);
      return Promise.resolve([new Array(20).fill(matching)]);
    });
    if (!count) await reader.list(query, 10, undefined).catch(() => undefined);
    else if (q.groupBy.length > 0)
      await reader.countGroups(
        query,
        q.groupBy.map((g) => g.field),
      );
    else await reader.count(query);
    return lines.join("\n");
  }

  test("the default list reads two indexes in order and sorts nothing", async () => {
    const p = await plan("");
    expect(p).toContain("visibility_open");
    expect(p).toContain("visibility_closed");
    expect(p).not.toContain("TEMP B-TREE");
  });

  test("an attribute in ORDER BY is read from its index, either way", async () => {
    for (const direction of ["ASC", "DESC"]) {
      const p = await plan(`ORDER BY Kw ${direction}`);
      expect(p).toMatch(/SEARCH a USING PRIMARY KEY \(namespace=\? AND attribute=\?\)/);
      expect(p).not.toContain("TEMP B-TREE");
    }
  });

  test.each([
    ["WorkflowId = 'a'", "visibility_workflow_id"],
    ["WorkflowId STARTS_WITH 'a'", "visibility_workflow_id"],
    ["WorkflowType = 'a'", "visibility_status_type"],
    ["ExecutionStatus = 'Failed'", "visibility_status_type"],
    ["StartTime > '2024-01-01T00:00:00Z'", "visibility_start"],
    ["CloseTime BETWEEN '2024-01-01T00:00:00Z' AND '2024-01-02T00:00:00Z'", "visibility_closed"],
    ["Tags IN ('a', 'b')", "SEARCH a USING PRIMARY KEY (namespace=? AND attribute=? AND value=?)"],
    ["Num > 3", "SEARCH a USING PRIMARY KEY (namespace=? AND attribute=? AND value>?)"],
  ])("a list by %s reads the rows that meet it by its index when they are few, else a page of its order", async (text, index) => {
    const few = await plan(text);
    expect(few).toContain(index);
    expect(few).toContain("SEARCH v USING INTEGER PRIMARY KEY");
    const many = await plan(text, false, 10_001);
    expect(many.includes("SEARCH v USING INDEX visibility_open")).toBe(!/Failed|CloseTime/.test(text));
    expect(many).toContain("SEARCH v USING INDEX visibility_closed");
    expect(many).not.toContain("TEMP B-TREE");
  });

  test("a list by an attribute's value is the range of that value, in order", async () => {
    const p = await plan("Kw = 'a'");
    expect(p).toContain("SEARCH o USING PRIMARY KEY (namespace=? AND attribute=? AND value=? AND close_time=?)");
    expect(p).toContain("SEARCH o USING PRIMARY KEY (namespace=? AND attribute=? AND value=? AND close_time>?)");
    expect(p).not.toContain("TEMP B-TREE");
  });

  test("the condition that fewest rows meet leads, and an attribute's value of a row is looked up by the whole key", async () => {
    const s = stores();
    for (let key = 1; key <= 30; key++) {
      const row = { ...randomRow(key, random(key)), key, namespaceKey: 1, workflowType: "common" };
      s.write(put({ ...row, attributes: key > 2 ? [] : [{ id: 1, type: T.KEYWORD, value: "rare" }] }, "insert"));
    }
    let sql = "";
    const reader = new SqliteVisibilityReader((text, params) => {
      sql = text;
      return Promise.resolve(
        s.db
          .prepare(text)
          .raw()
          .all(...params) as unknown[][],
      );
    });
    const q = resolveQuery("WorkflowType = 'common' AND Kw = 'rare'", NAMESPACE);
    const page = await reader.list({ namespaceKey: 1, filter: q.filter, orderBy: [] }, 10, undefined);
    expect(page.rows.map((r) => r.key).sort()).toEqual([1, 2]);
    expect(sql).toContain("(SELECT DISTINCT a.key FROM visibility_keyword a");
    expect(await plan("Kw = 'a' AND WorkflowType = 'common'", false, 10_001)).toMatch(
      /SEARCH a .*USING PRIMARY KEY \(namespace=\? AND attribute=\? AND value=\? AND close_time=\? AND start_time=\? AND key=\?\)/,
    );
  });

  test("every way to read a page gives the same page, and the next one", async () => {
    const s = stores();
    const next = random(7);
    for (let key = 1; key <= 300; key++) s.write(put({ ...randomRow(key, next), key, namespaceKey: 1 }, "insert"));
    const all = (statement: { sql: string; params: readonly unknown[] }) =>
      s.db
        .prepare(statement.sql)
        .raw()
        .all(...statement.params) as unknown[][];
    let ways = 0;
    for (const text of [
      "Kw = 'a' AND WorkflowType != 'zzz' AND StartTime > '1970-01-01T00:00:00Z'",
      "Kw = 'a' AND Num > 0",
      "Kw = 'a' AND Tags = 'a'",
    ]) {
      const q = resolveQuery(text, NAMESPACE);
      const query = { namespaceKey: 1, filter: q.filter, orderBy: q.orderBy };
      const reader = new SqliteVisibilityReader(
        (sql, params) => Promise.resolve(all({ sql, params })),
        (choice) => {
          const [first, ...others] = choice.options.map(all);
          for (const other of others) expect(other).toEqual(first);
          ways += choice.options.length;
          return Promise.resolve(first ?? []);
        },
      );
      for (let after: Uint8Array | undefined, pages = 0; pages === 0 || after !== undefined; pages++) {
        const page = await reader.list(query, 7, after);
        expect(page.rows.length === 7 || page.next === undefined).toBe(true);
        after = page.next;
      }
    }
    expect(ways).toBeGreaterThan(9);
  });

  test("two common conditions are met along the values of one, in the list's order, within the keys of the other", async () => {
    const s = stores();
    let lines = "";
    const q = resolveQuery("Kw = 'a' AND WorkflowType = 'b'", NAMESPACE);
    const reader = new SqliteVisibilityReader(
      () => Promise.resolve([]),
      (choice) => {
        const { sql, params } = chosen(choice, [15_000, 50_000]);
        lines = (s.db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...params) as { detail: string }[]).map((x) => x.detail).join("\n");
        return Promise.resolve([]);
      },
    );
    await reader.list({ namespaceKey: 1, filter: q.filter, orderBy: [] }, 10, undefined);
    expect(lines).toMatch(/SEARCH o USING PRIMARY KEY \(namespace=\? AND attribute=\? AND value=\? AND close_time/);
    expect(lines).toContain("LIST SUBQUERY");
    expect(lines).toContain("visibility_status_type");
    expect(lines).not.toContain("TEMP B-TREE");
  });

  test("a list of running ones does not read closed ones", async () => {
    expect(await plan("ExecutionStatus = 'Running'")).not.toContain("visibility_closed");
    expect(await plan("ExecutionStatus IN ('Running', 'Completed')", false, 10_001)).toContain("visibility_closed");
  });

  test.each([
    ["ExecutionStatus = 'Failed'", "ExecutionStatus != 'Failed'"],
    ["ExecutionStatus IN ('Failed', 'TimedOut')", "ExecutionStatus IN ('Failed', 'Running')"],
    ["CloseTime > '2024-01-01T00:00:00Z'", "StartTime > '2024-01-01T00:00:00Z'"],
    ["HistoryLength > 3", "WorkflowType > '3'"],
  ])("a list by %s does not read open ones, one by %s does", async (closed, any) => {
    expect(await plan(closed, false, 10_001)).not.toContain("visibility_open");
    expect(await plan(any, false, 10_001)).toContain("visibility_open");
  });

  test("counts by status and type stay inside one index", async () => {
    for (const text of [
      "WorkflowType = 'a' AND ExecutionStatus = 'Running'",
      "ExecutionStatus = 'Running'",
      "WorkflowType = 'a'",
      "GROUP BY ExecutionStatus",
    ])
      expect(await plan(text, true)).toContain("USING COVERING INDEX visibility_status_type");
  });
});
