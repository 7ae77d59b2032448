import { describe, expect, test } from "vitest";
import { type Constraints, NO_CONSTRAINTS } from "./constraints.js";
import {
  defaultConfig,
  type GivenValue,
  keyState,
  madeOnce,
  ofDestination,
  ofNamespace,
  ofTaskQueue,
  parseDurationMs,
  withSettings,
  withValues,
} from "./dynamic-config.js";
import { RETRY_DEFAULTS } from "./limits.js";

function set(...pairs: string[]) {
  const unknown: string[] = [];
  const { limits, version } = withSettings(defaultConfig(), pairs, (key) => unknown.push(key));
  return { limits, version, unknown };
}

describe("dynamic config", () => {
  test("values are JSON, keys are found in any case, and the snapshot has a new version", () => {
    const { limits, version, unknown } = set("LIMIT.blobSize.ERROR=1024", "history.enableWorkflowTaskCompletionPagination=true");
    expect(limits.blobSizeBytesMax).toBe(1024);
    expect(limits.completionPagination).toBe(true);
    expect(version).toBe(defaultConfig().version + 1);
    expect(unknown).toEqual([]);
  });

  test("what was there before stays as it was", () => {
    const base = defaultConfig();
    withSettings(base, ["limit.maxIDLength=5"], () => {});
    expect(base).toEqual(defaultConfig());
  });

  test("a value may contain the equals sign, and the last of two wins", () => {
    expect(set("limit.maxIDLength=5", "limit.maxIDLength=6").limits.idLengthMax).toBe(6);
    expect(set("x.y=a=b").unknown).toEqual(["x.y"]);
  });

  test.each([
    ['"20s"', 20_000],
    ['"1m30s"', 90_000],
    ["1500ms", 1500],
    ["20", 20_000],
    ['"20"', 20_000],
    ['"1.5d"', 129_600_000],
    ['"1h"', 3_600_000],
  ])("a duration may be %s", (value, expected) => {
    expect(set(`matching.longPollExpirationInterval=${value}`).limits.matchingLongPollMs).toBe(expected);
  });

  test("a retry policy's defaults are given in parts, under names in any case; the rest stays as it is officially", () => {
    const key = "history.defaultActivityRetryPolicy";
    const { activityRetry, workflowRetry } = set(`${key}={"maximumattempts":3}`, `${key}={"InitialIntervalInSeconds":"250ms","X":1}`).limits;
    expect(activityRetry).toEqual({ ...RETRY_DEFAULTS, InitialIntervalInSeconds: 250 });
    expect(workflowRetry).toEqual(RETRY_DEFAULTS);
    expect(set(`${key}={"InitialIntervalInSeconds":2.5,"MaximumAttempts":3.9}`).limits.activityRetry).toEqual({
      ...RETRY_DEFAULTS,
      InitialIntervalInSeconds: 2_500,
      MaximumAttempts: 3,
    });
    for (const wrong of ["1", "[]", "null", '{"BackoffCoefficient":"2"}', '{"InitialIntervalInSeconds":"soon"}'])
      expect(() => set(`${key}=${wrong}`)).toThrow("does not fit history.defaultActivityRetryPolicy (retry)");
  });

  test("a value of another type is refused with key and type", () => {
    expect(() => set("limit.maxIDLength=true")).toThrow("does not fit limit.maxIDLength (count)");
    expect(() => set("matching.longPollExpirationInterval=soon")).toThrow("does not fit");
    expect(() => set("history.enableWorkflowTaskCompletionPagination=1")).toThrow("(bool)");
    expect(() => set("novalue")).toThrow("KEY=VALUE");
  });

  test("keys of the SDKs' test runners pass without a word, others are reported and ignored", () => {
    const accepted = ["frontend.enableServerVersionCheck=false", 'component.callbacks.allowedAddresses=[{"Pattern":"*","AllowInsecure":true}]'];
    expect(set(...accepted).unknown).toEqual([]);
    const { limits, unknown } = set("no.such.key=1");
    expect(unknown).toEqual(["no.such.key"]);
    expect(limits).toEqual(defaultConfig().limits);
    expect([keyState("frontend.RPS"), keyState("system.enableNexus"), keyState("no.such.key")]).toEqual(["known", "accepted", "unknown"]);
  });

  test.each(["", "5", "s", "1x", "1m 30s", "--1s"])("%j is no duration", (text) => {
    expect(parseDurationMs(text)).toBeUndefined();
  });
});

const BLOBS = "limit.blobSize.error";
const IDLE = "matching.maxTaskQueueIdleTime";
const CALLBACKS = "callback.request.timeout";

const value = (key: string, of: unknown, constraints: Partial<Constraints> = {}): GivenValue => ({
  ...{ key, value: of, where: "" },
  constraints: { ...NO_CONSTRAINTS, ...constraints },
});

function config(...values: GivenValue[]) {
  return withValues(defaultConfig(), values, () => undefined);
}

describe("constrained values", () => {
  test("hold in their namespace, with everything else as it is for all", () => {
    const all = config(value(BLOBS, 1000, { namespace: "small" }), value("limit.memoSize.error", 77));
    const small = ofNamespace(all, "small");
    expect([all.limits.blobSizeBytesMax, small.limits.blobSizeBytesMax]).toEqual([2 * 1024 * 1024, 1000]);
    expect([all.limits.memoSizeBytesMax, small.limits.memoSizeBytesMax]).toEqual([77, 77]);
    expect(small.version).toBe(all.version);
    expect(ofNamespace(all, "other")).toBe(all);
    expect(ofNamespace(all, "Small")).toBe(all);
    expect(ofNamespace(all, "small")).toBe(small);
  });

  test("without any there is one set of limits, whoever asks", () => {
    const all = config(value(BLOBS, 1000));
    expect(all.constrained).toBeUndefined();
    expect(ofNamespace(all, "a")).toBe(all);
    expect(ofTaskQueue(all, "a", "q", 1)).toBe(all.limits);
    expect(ofDestination(all, "a", "d")).toBe(all.limits);
  });

  test("of a task queue: namespace, queue and type before namespace and queue, queue, namespace", () => {
    const seconds = (limits: { taskQueueIdleMsMax: number }) => limits.taskQueueIdleMsMax / 1000;
    const values = [
      value(IDLE, 5),
      value(IDLE, 4, { namespace: "n" }),
      value(IDLE, 3, { taskQueue: "q" }),
      value(IDLE, 2, { namespace: "n", taskQueue: "q" }),
      value(IDLE, 1, { namespace: "n", taskQueue: "q", taskType: 2 }),
    ];
    for (const given of [values, values.toReversed()]) {
      const all = config(...given);
      const of = (...queue: [string, string, number]) => seconds(ofTaskQueue(all, ...queue));
      expect([of("n", "q", 2), of("n", "q", 1), of("m", "q", 2), of("n", "p", 2), of("m", "p", 2)]).toEqual([1, 2, 3, 4, 5]);
    }
  });

  test("of a queue leave alone what is constrained to its namespace only", () => {
    const all = config(value(BLOBS, 1000, { namespace: "n" }), value(IDLE, 1, { taskQueue: "q" }));
    expect(ofTaskQueue(all, "n", "q", 1).blobSizeBytesMax).toBe(1000);
    expect(ofTaskQueue(all, "n", "q", 1).taskQueueIdleMsMax).toBe(1000);
    expect(ofTaskQueue(all, "n", "q", 1)).toBe(ofTaskQueue(all, "n", "q", 1));
  });

  test("are put together once for all namespaces that no value names", () => {
    const all = config(value(IDLE, 1, { taskQueue: "q" }));
    expect(ofTaskQueue(all, "a", "q", 1)).toBe(ofTaskQueue(all, "b", "q", 1));
  });

  test("of a destination: namespace and destination before destination, namespace", () => {
    const all = config(
      value(CALLBACKS, 4),
      value(CALLBACKS, 3, { namespace: "n" }),
      value(CALLBACKS, 2, { destination: "d" }),
      value(CALLBACKS, 1, { namespace: "n", destination: "d" }),
    );
    const of = (...to: [string, string]) => ofDestination(all, ...to).callbackRequestTimeoutMs / 1000;
    expect([of("n", "d"), of("m", "d"), of("n", "e"), of("m", "e")]).toEqual([1, 2, 3, 4]);
  });

  test.each<[string, Partial<Constraints>]>([
    ["limit.maxIDLength", { namespace: "n" }],
    [BLOBS, { namespace: "n", taskQueue: "q" }],
    [BLOBS, { foreign: "namespaceID" }],
    [IDLE, { namespace: "n", taskType: 1 }],
    [IDLE, { taskQueue: "q", taskType: 1 }],
    [CALLBACKS, { taskQueue: "q" }],
  ])("%s is never looked up by %j", (key, constraints) => {
    const problems: string[] = [];
    const all = withValues(defaultConfig(), [value(key, 7, constraints)], (given, problem) => problems.push(`${given.key} ${problem}`));
    expect(problems).toEqual([`${key} constraints`]);
    expect(all).toEqual({ ...defaultConfig(), version: all.version });
  });

  test("that do not fit are refused like all others", () => {
    expect(() => config({ ...value(BLOBS, "big", { namespace: "n" }), where: "line 3" })).toThrow(
      "line 3: dynamic config value big does not fit limit.blobSize.error (bytes)",
    );
  });

  test("what is made of limits is made once for each set of them, and again of new ones", () => {
    let all = config(value(BLOBS, 1, { namespace: "a" }), value(BLOBS, 2, { namespace: "b" }));
    let count = 0;
    const made = madeOnce(
      () => all,
      (l) => {
        count++;
        return l.blobSizeBytesMax;
      },
    );
    const of = (namespace: string) => made(ofNamespace(all, namespace).limits);
    expect([of("a"), of("b"), of("c"), of("d"), of("a"), count]).toEqual([1, 2, 2 * 1024 * 1024, 2 * 1024 * 1024, 1, 3]);
    all = withSettings(all, [`${BLOBS}=5`], () => undefined);
    expect([of("a"), count]).toEqual([5, 4]);
  });
});

test.each([
  ['"true"', true],
  ['"F"', false],
  ["false", false],
])("a boolean may be %s", (given, expected) => {
  expect(set(`frontend.enableBatcher=${given}`).limits.batchEnabled).toBe(expected);
});
