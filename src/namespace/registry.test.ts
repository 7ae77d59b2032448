import { expect, test } from "vitest";
import { NamespaceRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { IndexedValueType } from "../../gen/wire/temporal/api/enums/v1/common.js";
import { NamespaceState } from "../../gen/wire/temporal/api/enums/v1/namespace.js";
import { unavailable } from "../api/service-error.js";
import { decode } from "../api/wire.js";
import type { Runtime } from "../lib/runtime.js";
import type { Batch } from "../persistence/batch.js";
import { NamespaceRegistry, SYSTEM_NAMESPACE_ID } from "./registry.js";

const DAY = { seconds: 86_400 };

/** The registry rows of a store. */
class Rows {
  readonly rows = new Map<string, { kind: string; id: string; version: number; value: Uint8Array }>();
  failing = false;

  commit = async (batch: Batch): Promise<void> => {
    if (this.failing) throw unavailable("store");
    for (const [kind, ids] of batch.registry)
      for (const [id, { version, write }] of ids) {
        if (write.op === "delete") this.rows.delete(id);
        else this.rows.set(id, { kind, id, version, value: write.value });
      }
  };
}

function open(store: Rows): NamespaceRegistry {
  let seed = 0;
  const runtime: Runtime = {
    nowMicros: () => 1_700_000_000_000_000,
    setTimer: () => () => undefined,
    setDeadline: () => () => undefined,
    defer: () => undefined,
    afterTurn: () => undefined,
    rest: () => undefined,
    randomBytes16: () => new Uint8Array(16).fill(++seed),
    randomSeed: () => 1,
  };
  return new NamespaceRegistry({
    rows: [...store.rows.values()],
    commit: store.commit,
    runtime,
    limits: () => ({
      retentionMin: 3_600_000_000,
      badBinariesMax: 2,
      searchAttributesPerTypeMax: 2,
      searchAttributesPerTypeSetting: "perdure.searchAttributesPerTypeMax",
    }),
    isReservedAttribute: (name) => name.startsWith("Temporal") || name === "WorkflowId",
  });
}

test("ensure makes the system namespace and the flags' once, and the store gives them back", async () => {
  const store = new Rows();
  const first = open(store);
  await first.ensure(["default", "other"], { Color: IndexedValueType.KEYWORD });
  await first.ensure(["default"], { Color: IndexedValueType.KEYWORD });
  expect(first.view("temporal-system").id).toBe(SYSTEM_NAMESPACE_ID);
  const again = open(store);
  expect(again.view("default")).toEqual(first.view("default"));
  expect(again.view("default").retention).toBe(86_400_000_000);
  expect(again.view("other").searchAttributes.get("Color")?.type).toBe(IndexedValueType.KEYWORD);
  expect(new Set(again.directory.entries().map((e) => e.view.key)).size).toBe(3);
});

test("an unknown namespace is NotFound by its name, an empty one InvalidArgument", () => {
  const r = open(new Rows());
  expect(() => r.view("nope")).toThrow("Namespace nope is not found.");
  expect(() => r.view("")).toThrow("Namespace is empty.");
});

test("register refuses what the official server refuses, with its texts", async () => {
  const r = open(new Rows());
  await expect(r.register({ namespace: "a" })).rejects.toThrow("A valid retention period is not set on request.");
  await expect(r.register({ namespace: "a", workflowExecutionRetentionPeriod: DAY, isGlobalNamespace: true })).rejects.toThrow(
    "Cannot register global namespace when not enabled",
  );
  await expect(r.register({ namespace: "a", workflowExecutionRetentionPeriod: DAY, activeClusterName: "x" })).rejects.toThrow(
    "Invalid cluster name: x",
  );
  await r.register({ namespace: "a", workflowExecutionRetentionPeriod: DAY });
  await expect(r.register({ namespace: "a", workflowExecutionRetentionPeriod: DAY })).rejects.toThrow('Namespace "a" already exists');
});

test("two registrations of one name at once make one namespace", async () => {
  const r = open(new Rows());
  const both = await Promise.allSettled([1, 2].map(() => r.register({ namespace: "a", workflowExecutionRetentionPeriod: DAY })));
  expect(both.map((b) => b.status)).toEqual(["fulfilled", "rejected"]);
});

test("a change is seen when it is durable; a failed one leaves everything as it was", async () => {
  const store = new Rows();
  const r = open(store);
  await r.ensure(["a"]);
  const before = r.directory;
  store.failing = true;
  await expect(r.deprecate("a")).rejects.toThrow("store");
  expect(r.directory).toBe(before);
  store.failing = false;
  await r.deprecate("a");
  expect(r.view("a").state).toBe(NamespaceState.DEPRECATED);
  expect(before.byName("a")?.state).toBe(NamespaceState.REGISTERED);
});

test("a namespace's state only moves towards its end", async () => {
  const r = open(new Rows());
  await r.ensure(["a"]);
  await r.update({ namespace: "a", updateInfo: { state: NamespaceState.DEPRECATED } });
  await expect(r.update({ namespace: "a", updateInfo: { state: NamespaceState.REGISTERED } })).rejects.toThrow("Invalid namespace state update.");
  await r.update({ namespace: "a", updateInfo: { state: NamespaceState.DELETED } });
  expect(r.list(0, "", false).entries.map((e) => e.view.name)).toEqual(["temporal-system"]);
  expect(r.list(0, "", true).entries).toHaveLength(2);
});

test("update merges data and bad binaries, and keeps what it does not name", async () => {
  const store = new Rows();
  const r = open(store);
  await r.ensure(["a"]);
  await r.update({
    namespace: "a",
    updateInfo: { description: "d", data: { x: "1" } },
    config: { badBinaries: { binaries: { b1: { reason: "r" } } } },
  });
  await r.update({ namespace: "a", updateInfo: { data: { y: "2" } }, config: { workflowExecutionRetentionTtl: { seconds: 7200 } } });
  const { record, version } = r.entry("a");
  expect([record.info?.description, record.info?.data, Object.keys(record.config?.badBinaries?.binaries ?? {})]).toEqual([
    "d",
    { x: "1", y: "2" },
    ["b1"],
  ]);
  expect(r.view("a").retention).toBe(7_200_000_000);
  expect(version).toBe(3);
  const row = store.rows.get(r.view("a").id);
  expect(decode(NamespaceRecord, row?.value ?? new Uint8Array()).info?.description).toBe("d");
  await expect(r.update({ namespace: "a", config: { badBinaries: { binaries: { b2: {}, b3: {} } } } })).rejects.toThrow(
    "cannot exceed the max limit: 2",
  );
  await expect(r.update({ namespace: "a", deleteBadBinary: "zz" })).rejects.toThrow("Bad binary checksum zz doesn't exists.");
  await expect(r.update({ namespace: "a", promoteNamespace: true })).rejects.toThrow("global namespace is not enabled on this cluster");
  await expect(r.update({ namespace: "a", config: { workflowExecutionRetentionTtl: { seconds: 1 } } })).rejects.toThrow("A valid retention period");
});

test("the id of a removed search attribute is not given to another one, across a restart too", async () => {
  const store = new Rows();
  const r = open(store);
  await r.ensure(["a"]);
  await r.addSearchAttributes("a", { One: IndexedValueType.INT, Two: IndexedValueType.INT });
  const id = r.view("a").searchAttributes.get("Two")?.id;
  await r.removeSearchAttributes("a", ["Two", "Nope"]);
  const again = open(store);
  expect([...again.view("a").searchAttributes.keys()]).toEqual(["One"]);
  await again.addSearchAttributes("a", { Three: IndexedValueType.INT });
  expect(again.view("a").searchAttributes.get("Three")?.id).toBeGreaterThan(id ?? 0);
});

test("too many search attributes of a type are refused together, naming the limit and its setting", async () => {
  const r = open(new Rows());
  await r.ensure(["a"]);
  await expect(r.addSearchAttributes("a", { A: 3, B: 3, C: 3 })).rejects.toThrow(
    "Unable to create search attributes: cannot have more than 2 search attribute of type Int. The limit is set by perdure.searchAttributesPerTypeMax.",
  );
  expect(r.view("a").searchAttributes.size).toBe(0);
  await expect(r.addSearchAttributes("a", { A: 0 })).rejects.toThrow("cannot have more than 0 search attribute of type Unspecified.");
  await r.addSearchAttributes("a", { A: 3 });
  await r.addSearchAttributes("a", { A: 2 });
  expect(r.view("a").searchAttributes.get("A")?.type).toBe(3);
});

test("aliases of UpdateNamespace add and remove attributes", async () => {
  const r = open(new Rows());
  await r.ensure(["a"]);
  await r.update({ namespace: "a", config: { customSearchAttributeAliases: { Keyword01: "Foo" } } });
  expect(r.view("a").searchAttributes.get("Foo")?.type).toBe(IndexedValueType.KEYWORD);
  await r.update({ namespace: "a", config: { customSearchAttributeAliases: { Keyword01: "" } } });
  expect(r.view("a").searchAttributes.size).toBe(0);
});

test("pages of namespaces follow each other in id order", async () => {
  const r = open(new Rows());
  await r.ensure(["a", "b", "c"]);
  const seen: string[] = [];
  let after = "";
  do {
    const page = r.list(2, after, false);
    seen.push(...page.entries.map((e) => e.view.id));
    after = page.next;
  } while (after !== "");
  expect(seen).toEqual([...seen].sort());
  expect(seen).toHaveLength(4);
});
