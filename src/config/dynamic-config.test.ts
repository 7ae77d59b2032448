import { describe, expect, test } from "vitest";
import { defaultConfig, keyState, parseDurationMs, withSettings } from "./dynamic-config.js";
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
