import { describe, expect, test } from "vitest";
import { isConstrained, NO_CONSTRAINTS } from "./constraints.js";
import { defaultConfig, ofNamespace, ofTaskQueue, withValues } from "./dynamic-config.js";
import { parseDynamicConfig } from "./dynamic-config-file.js";

/** Key, value, constraints that are there, place. */
async function parsed(text: string) {
  const twice: string[] = [];
  const values = await parseDynamicConfig("c", text, ({ where }) => twice.push(where));
  const rows = values.map(({ key, value, constraints: c, where }) => {
    const set = Object.entries(c).filter(([name, v]) => v !== NO_CONSTRAINTS[name as keyof typeof c]);
    return [key, value, Object.fromEntries(set), where];
  });
  return { rows, twice };
}

const refused = (text: string) =>
  parseDynamicConfig("c", text, () => undefined).then(
    () => "taken",
    (e: Error) => e.message,
  );

const at = (line: number) => `--dynamic-config-file c, line ${line}`;

const OFFICIAL = `# Limits of the teams.
limit.blobSize.error:
  - value: 1000
    constraints:
      namespace: "small"
  - value: 2_000_000
    constraints: {}

matching.maxTaskQueueIdleTime:
- value: 10s
  constraints: {Namespace: n, taskQueueName: q, taskType: Activity}
- value: 1d
callback.allowedAddresses:
  - value:
      - Pattern: "*"
        AllowInsecure: true
system.secondaryVisibilityWritingMode:
  - value: off
#nothing.here:
empty.key:
`;

describe("a file of the official form", () => {
  test("is read with its constraints, and each value knows its line", async () => {
    const { rows, twice } = await parsed(OFFICIAL);
    expect(rows).toEqual([
      ["limit.blobSize.error", 1000, { namespace: "small" }, at(3)],
      ["limit.blobSize.error", 2_000_000, {}, at(6)],
      ["matching.maxTaskQueueIdleTime", "10s", { namespace: "n", taskQueue: "q", taskType: 2 }, at(10)],
      ["matching.maxTaskQueueIdleTime", "1d", {}, at(12)],
      ["callback.allowedAddresses", [{ Pattern: "*", AllowInsecure: true }], {}, at(14)],
      ["system.secondaryVisibilityWritingMode", "off", {}, at(18)],
    ]);
    expect(twice).toEqual([]);
  });

  test("may be JSON, key by key beside bare values", async () => {
    const { rows } = await parsed('{\n "limit.maxIDLength": 7,\n "limit.blobSize.error": [{"value": 8, "constraints": {"namespace": "n"}}]}');
    expect(rows).toEqual([
      ["limit.maxIDLength", 7, {}, at(2)],
      ["limit.blobSize.error", 8, { namespace: "n" }, at(3)],
    ]);
  });

  test("a list in a JSON object whose elements are no values is the value itself", async () => {
    const { rows } = await parsed('{"callback.allowedAddresses": [{"Pattern": "*"}], "worker.protectedNamespaces": [], "x": ["a"]}');
    expect(rows.map((r) => r[1])).toEqual([[{ Pattern: "*" }], [], ["a"]]);
  });

  test("of values with the same constraints the first counts", async () => {
    const { rows, twice } = await parsed("a.b:\n- value: 1\n- value: 2\n  constraints: {namespace: ''}\n- value: 3\n  constraints: {namespace: x}\n");
    expect(rows.map((r) => r[1])).toEqual([1, 3]);
    expect(twice).toEqual([at(3)]);
  });

  test.each(["", "# nothing\n", "---\n", "null"])("%j holds nothing", async (text) => {
    expect((await parsed(text)).rows).toEqual([]);
  });

  test("values may be shared by anchors", async () => {
    const { rows } = await parsed("a.b: &all\n- value: 1\nc.d: *all\n");
    expect(rows.map(([key, value]) => [key, value])).toEqual([
      ["a.b", 1],
      ["c.d", 1],
    ]);
  });

  test.each([
    ["a.b: 5\n", `${at(1)}: a.b must be a list of values: - value: ...`],
    ["a.b:\n- 5\n", `${at(2)}: a.b must be a list of values: - value: ...`],
    ["a.b:\n- vlaue: 5\n", `${at(2)}: a.b must be a list of values: - value: ...`],
    ["- a\n", `${at(1)}: must be keys, each with a list of values`],
    ["a.b:\n- value: 5\n  constraints: {hostName: x}\n", `${at(2)}: a.b: unknown constraint "hostName"`],
    ["a.b:\n- value: 5\n  constraints: [x]\n", `${at(2)}: a.b: constraints must be names with values`],
    ["a.b:\n- value: 5\n  constraints: {namespace: 7}\n", `${at(2)}: a.b: constraint namespace must be a text`],
    ["a.b:\n- value: 5\n  constraints: {taskType: Both}\n", `${at(2)}: a.b: constraint taskType must be one of Workflow, Activity, Nexus`],
    ["a.b:\n- value: 5\n  constraints: {taskType: 0}\n", `${at(2)}: a.b: constraint taskType must be one of Workflow, Activity, Nexus`],
    ["a.b:\n- value: 5\n  constraints: {shardID: x}\n", `${at(2)}: a.b: constraint shardID must be a whole number`],
    ["x.y:\n- value: 1\nX.Y:\n- value: 2\n", `${at(3)}: X.Y: stands there before, as x.y`],
    ["[5]", "--dynamic-config-file c: not an object of keys"],
  ])("%j is refused with line and key", async (text, expected) => {
    expect(await refused(text)).toBe(expected);
  });

  test("what is no YAML and no JSON is refused with its line, as far as the parser knows it", async () => {
    expect(await refused("a.b:\n- value: 1\n  constraints: {namespace: x\nc.d:\n")).toMatch(/^--dynamic-config-file c, line \d: /);
    expect(await refused("a.b:\n- value: 1\na.b:\n- value: 2\n")).toContain(`${at(3)}: Map keys must be unique`);
    expect(await refused('{"a.b": 5,}')).toMatch(/^--dynamic-config-file c: .*JSON/);
  });

  test.each([
    [{ taskType: "Workflow" }, 1],
    [{ taskType: "TASK_QUEUE_TYPE_NEXUS" }, 3],
    [{ tasktype: 2 }, 2],
  ])("%j is the type %d", async (constraints, expected) => {
    const [value] = await parseDynamicConfig("c", JSON.stringify({ k: [{ value: 1, constraints }] }), () => undefined);
    expect(value?.constraints.taskType).toBe(expected);
  });

  test.each([{ namespaceID: "i" }, { shardID: 3 }, { historyTaskType: "TransferCloseExecution" }, { chasmTaskType: "t" }])(
    "%j is known, and of no setting here",
    async (constraints) => {
      const [value] = await parseDynamicConfig("c", JSON.stringify({ k: [{ value: 1, constraints }] }), () => undefined);
      expect(value !== undefined && isConstrained(value.constraints)).toBe(true);
      expect(value?.constraints.foreign).not.toBe("");
    },
  );
});

const SAMPLE = `limit.blobSize.error:
- value: 1_000
  constraints: {Namespace: n}
- value: 2000
  constraints: {namespace: n}
- value: 3000
- value: 4000
  constraints: {namespace: m, shardID: 3}
frontend.enableBatcher:
- value: "F"
  constraints: {namespace: n}
history.workflowTaskHeartbeatTimeout:
- value: 1.5d
  constraints: {namespace: n}
- value: "20"
matching.maxTaskQueueIdleTime:
- value: 50
- value: 40s
  constraints: {namespace: n}
- value: 30s
  constraints: {taskQueueName: q}
- value: 20s
  constraints: {namespace: n, taskQueueName: q}
- value: 10s
  constraints: {namespace: n, taskQueueName: q, taskType: Activity}
- value: 1s
  constraints: {taskQueueName: p, taskType: TASK_QUEUE_TYPE_WORKFLOW}
limit.maxIDLength:
- value: 7
  constraints: {namespace: n}
empty.key:
`;

test("means what the official server 1.32.1 takes it for", async () => {
  const ignored: string[] = [];
  const values = await parseDynamicConfig("c", SAMPLE, () => undefined);
  const config = withValues(defaultConfig(), values, ({ key, constraints }) => ignored.push(`${key} ${constraints.namespace}`));
  const of = (namespace: string) => {
    const { blobSizeBytesMax, batchEnabled, workflowTaskHeartbeatTimeoutMs } = ofNamespace(config, namespace).limits;
    const idle = ["p", "q"].map((q) => [1, 2, 3].map((type) => ofTaskQueue(config, namespace, q, type).taskQueueIdleMsMax / 1000));
    return [blobSizeBytesMax, batchEnabled, workflowTaskHeartbeatTimeoutMs / 1000, ...idle];
  };
  // Answers of its own loader and look-up for this file, and the keys that it warned of.
  expect(of("n")).toEqual([1000, false, 129_600, [40, 40, 40], [20, 10, 20]]);
  expect(of("m")).toEqual([3000, true, 20, [50, 50, 50], [30, 30, 30]]);
  expect(config.limits.idLengthMax).toBe(1000);
  expect(ignored).toEqual(expect.arrayContaining(["limit.maxIDLength n", "limit.blobSize.error m"]));
});
