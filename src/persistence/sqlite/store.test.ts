/** What a file has beyond the contract: its settings, whose it is, what happens when it is full or damaged, and what commits cost. */
import { closeSync, copyFileSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import type { Batch } from "../batch.js";
import { bytes, visibilityRow, write } from "../contract.js";
import { StoreFailure } from "../store.js";
import { openConnection } from "./connection.js";
import { SCHEMA_VERSION } from "./schema.js";
import { SqliteStore, type SqliteStoreOptions } from "./store.js";

const directory = mkdtempSync(join(tmpdir(), "perdure-sqlite-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
let files = 0;
const newFile = (): string => join(directory, `${files++}.db`);

/** For a test that closes it itself. */
const opened = (file: string, change: Partial<SqliteStoreOptions> = {}): Promise<SqliteStore> =>
  SqliteStore.open({
    file,
    durability: "normal",
    commitThread: "engine",
    pragmas: [],
    logger: silent,
    onFatal: (e) => {
      throw e;
    },
    ...change,
  });

async function open(file: string, change: Partial<SqliteStoreOptions> = {}): Promise<SqliteStore> {
  const store = await opened(file, change);
  onTestFinished(() => store.close());
  return store;
}

/** Looks into a file that no store has open. */
function inspect<T>(file: string, f: (db: Database.Database) => T): T {
  const db = new Database(file);
  try {
    return f(db);
  } finally {
    db.close();
  }
}

const failureOf = async (p: Promise<unknown>): Promise<string> =>
  p.then(
    () => "done",
    (e: unknown) => (e instanceof StoreFailure ? e.kind : String(e)),
  );

const large = (b: Batch, branch: number, count: number): void => {
  for (let id = 1; id <= count; id++) b.appendHistory(branch, id, new Uint8Array(100_000));
};

describe("the file", () => {
  it("has pages of 4 KiB, gives pages back, keeps a write-ahead log, and says whose it is and which version", async () => {
    const file = newFile();
    await (await open(file)).close();
    const pragma = (name: string) => inspect(file, (db) => db.pragma(name, { simple: true }));
    expect(pragma("page_size")).toBe(4096);
    expect(pragma("auto_vacuum")).toBe(2);
    expect(pragma("journal_mode")).toBe("wal");
    expect(Buffer.from((pragma("application_id") as number).toString(16), "hex").toString()).toBe("Prdr");
    expect(pragma("user_version")).toBe(SCHEMA_VERSION);
  });

  it("has no index besides those of visibility", async () => {
    const file = newFile();
    await (await open(file)).close();
    const indexes = inspect(file, (db) => db.prepare("SELECT tbl_name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL").pluck().all());
    expect(new Set(indexes)).toEqual(new Set(["visibility"]));
  });

  it("of a newer schema is refused by that schema's name, and the file stays as it is", async () => {
    const file = newFile();
    await (await open(file)).close();
    inspect(file, (db) => {
      db.exec("UPDATE meta SET value = '99 the far future' WHERE name = 'schema'");
      db.pragma("user_version = 99");
    });
    await expect(open(file)).rejects.toThrow(/schema version 99 \(99 the far future\), which a newer server wrote/);
    expect(inspect(file, (db) => db.pragma("user_version", { simple: true }))).toBe(99);
  });

  it("of another program is refused", async () => {
    const file = newFile();
    inspect(file, (db) => db.exec("CREATE TABLE theirs (x)"));
    await expect(open(file)).rejects.toThrow("a SQLite file of another program");
    expect(inspect(file, (db) => db.prepare("SELECT name FROM sqlite_schema").pluck().all())).toEqual(["theirs"]);
  });

  it("that is no database is refused, and stays as it is", async () => {
    const file = newFile();
    writeFileSync(file, "a letter to a friend. ".repeat(100));
    await expect(open(file)).rejects.toThrow("not a database");
    expect(readFileSync(file, "utf8")).toContain("a letter to a friend");
  });

  it("is empty of its log after a close", async () => {
    const file = newFile();
    const store = await open(file);
    await write(store, (b) => large(b, 1, 10));
    await store.close();
    expect(statSync(file).size).toBeGreaterThan(1_000_000);
    expect(() => statSync(`${file}-wal`)).toThrow("ENOENT");
  });

  it("can be copied while the store is in use: the copy has every commit so far", async () => {
    const store = await open(newFile());
    await write(store, (b) => large(b, 1, 20));
    const copy = newFile();
    const copied = store.backup(copy);
    await write(store, (b) => b.putExecution(9, 0, bytes("meanwhile"), true));
    await copied;
    const other = await open(copy);
    expect(await other.readHistory(1, 1, 100, false, 1 << 30)).toHaveLength(20);
    await write(other, (b) => b.putExecution(1, 0, bytes("x"), true));
    expect(await store.loadExecution(1)).toBeUndefined();
  });
});

it.each(["engine", "writer"] as const)(
  "what a killed server left in the journal is in the tables and no longer there: the next on the %s's thread",
  async (next) => {
    const file = newFile();
    const store = await open(file);
    await write(store, (b) => b.putExecution(1, 0, bytes("deleted later"), true));
    const copy = newFile();
    for (const part of ["", "-wal"]) copyFileSync(file + part, copy + part);
    const other = await opened(copy, { commitThread: next });
    expect(Buffer.from((await other.loadExecution(1))?.record ?? []).toString()).toBe("deleted later");
    await other.close();
    expect(inspect(copy, (db) => db.prepare("SELECT count(*) FROM journal").pluck().get())).toBe(0);
  },
);

describe.each(["engine", "writer"] as const)("commits on the %s's thread", (commitThread) => {
  it("a full disk refuses what needs space and writes nothing of it; reads and deletes go on, and then there is space again", async () => {
    const store = await open(newFile(), { commitThread, pragmas: ["max_page_count = 400"] });
    await write(store, (b) => large(b, 1, 5));
    const refused = write(store, (b) => {
      b.putExecution(1, 0, bytes("x"), true);
      large(b, 2, 20);
    });
    expect(await failureOf(refused)).toBe("full");
    expect(await store.loadExecution(1)).toBeUndefined();
    expect(await store.readHistory(2, 1, 100, false, 1)).toEqual([]);
    expect(await store.readHistory(1, 1, 100, false, 1 << 30)).toHaveLength(5);
    await write(store, (b) => b.historyDeletes.push({ branch: 1, fromEventId: 1, endEventId: 100 }));
    await write(store, (b) => large(b, 2, 5));
    expect(await store.readHistory(2, 1, 100, false, 1 << 30)).toHaveLength(5);
  });

  it("a damaged file ends the store: when its tables are written the commit is lost, every later one too, and the process is told once", async () => {
    const file = newFile();
    const first = await open(file);
    await write(first, (b) => {
      for (let key = 1; key <= 1_000; key++) b.insertDue(1, key, key);
    });
    await first.close();
    const page = inspect(file, (db) => db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'due'").pluck().get() as number);
    const fd = openSync(file, "r+");
    writeSync(fd, Buffer.alloc(4096, 0xff), 0, 4096, (page - 1) * 4096);
    closeSync(fd);
    const fatal: Error[] = [];
    const store = await open(file, { commitThread, onFatal: (e) => fatal.push(e) });
    const written = await failureOf(write(store, (b) => b.insertDue(1, 5_000, 5_000)));
    const read = await failureOf(store.nextDue(2));
    expect([written, read]).toContain("lost");
    expect(await failureOf(write(store, (b) => b.putExecution(1, 0, bytes("x"), true)))).toBe("lost");
    expect(fatal).toHaveLength(1);
    expect(await store.loadExecution(1)).toBeUndefined();
    expect(await store.idle()).toBe(false);
  });

  it("a commit never checkpoints; idle work does, past 16 MiB, and the log is used again from its start", async () => {
    const store = await open(newFile(), { commitThread });
    for (let branch = 1; branch <= 9; branch++) await write(store, (b) => large(b, branch, 20));
    const grown = store.statistics();
    expect(grown.walBytes).toBeGreaterThan(17 * 1024 * 1024);
    expect(grown.fileBytes).toBeLessThan(1024 * 1024);
    await store.idle();
    expect(store.statistics().fileBytes).toBeGreaterThan(17 * 1024 * 1024);
    for (let branch = 11; branch <= 15; branch++) await write(store, (b) => large(b, branch, 20));
    expect(store.statistics().walBytes).toBe(grown.walBytes);
  });

  it("a log that the file has is not copied again, and one that grows past 16 MiB again is", async () => {
    const store = await open(newFile(), { commitThread });
    for (let branch = 1; branch <= 9; branch++) await write(store, (b) => large(b, branch, 20));
    await store.idle();
    const copied = store.statistics().fileBytes;
    await write(store, (b) => large(b, 20, 20));
    await store.idle();
    expect(store.statistics().fileBytes).toBe(copied);
    for (let branch = 21; branch <= 29; branch++) await write(store, (b) => large(b, branch, 20));
    await store.idle();
    expect(store.statistics().fileBytes).toBeGreaterThan(copied + 17 * 1024 * 1024);
  });

  it("a one-activity workflow is 4 commits of 14 rows and at most 120 KiB of log", async () => {
    const store = await open(newFile(), { commitThread });
    const workflows = 50;
    const before = store.statistics();
    // Interleaved, as many workflows at a time are: each commit finds its pages cold.
    for (let step = 0; step < 4; step++) for (let key = 1; key <= workflows; key++) await write(store, (b) => workflowStep(b, key, step));
    const after = store.statistics();
    expect((after.commits - before.commits) / workflows).toBe(4);
    expect((after.rows - before.rows) / workflows).toBe(14);
    expect((after.walBytes - before.walBytes) / workflows).toBeLessThan(120 * 1024);
  });
});

it("a log that is written to while it is copied is used again from its start", async () => {
  const store = await open(newFile(), { durability: "full" });
  let branch = 0;
  for (let round = 0; round < 8; round++) {
    for (let n = 0; n < 9; n++) await write(store, (b) => large(b, ++branch, 20));
    const copying = store.idle();
    // As many as leave the copying thread a chance, however slow it is.
    for (let n = 0; n < 100; n++) {
      await write(store, (b) => b.putExecution(++branch, 0, new Uint8Array(3_000), true));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await copying;
  }
  expect(store.statistics().walBytes).toBeLessThan(60 * 1024 * 1024);
});

it("what pragmas the user gives are set last", async () => {
  const store = await open(newFile(), { pragmas: ["max_page_count = 60"] });
  expect(await failureOf(write(store, (b) => large(b, 1, 20)))).toBe("full");
});

it("of the user's pragmas those that promises rest on are left alone, and it says so", async () => {
  const warned: string[] = [];
  const logger = { ...silent, warn: (fields: object) => void warned.push(String((fields as { pragma?: string }).pragma)) };
  const file = newFile();
  const store = await opened(file, { pragmas: ["journal_mode=DELETE", "Synchronous = OFF", "user_version=7", "max_page_count = 60"], logger });
  expect(await failureOf(write(store, (b) => large(b, 1, 20)))).toBe("full");
  await store.close();
  expect(warned).toEqual(["journal_mode=DELETE", "Synchronous = OFF", "user_version=7"]);
  expect(inspect(file, (db) => [db.pragma("journal_mode", { simple: true }), db.pragma("user_version", { simple: true })])).toEqual([
    "wal",
    SCHEMA_VERSION,
  ]);
  const db = openConnection({ file, durability: "full", pragmas: ["synchronous=OFF"] });
  expect(db.pragma("synchronous", { simple: true })).toBe(2);
  db.close();
});

it("list pages go on while commits are written, each seeing what was committed when it was asked for", async () => {
  const store = await open(newFile());
  const seen: Promise<number>[] = [];
  for (let key = 1; key <= 30; key++) {
    await write(store, (b) => b.putVisibility(visibilityRow(key), true));
    seen.push(store.visibility.count({ namespaceKey: 1, filter: undefined, orderBy: [] }));
  }
  for (const [i, count] of (await Promise.all(seen)).entries()) expect(count).toBeGreaterThan(i);
});

/** The rows of a one-activity workflow: started, workflow task done, activity done, closed. */
function workflowStep(b: Batch, key: number, step: number): void {
  const history = (size: number): void => b.appendHistory(key, 1 + step * 4, new Uint8Array(size).fill(key));
  b.putExecution(key, key % 1024, new Uint8Array(400 + 50 * step).fill(key), step === 0);
  if (step === 0) {
    b.insertRun({ namespaceKey: 1, workflowId: `workflow-${(key * 7919) % 10_007}`, runId: `0190-${String(key).padStart(28, "0")}`, key });
    b.insertDue(1, 1_700_000_000_000_000 + key, key);
    history(700);
    b.putVisibility(visibilityRow(key, { workflowId: `workflow-${(key * 7919) % 10_007}` }), true);
    return;
  }
  history(500);
  if (step === 1) b.writeComponent(key, 1, 5, { op: "insert", value: new Uint8Array(250).fill(key) });
  else if (step === 2) b.writeComponent(key, 1, 5, { op: "delete" });
  else b.putVisibility(visibilityRow(key, { workflowId: `workflow-${(key * 7919) % 10_007}`, status: 2, closeTime: 1_000_000 + key }), false);
}
