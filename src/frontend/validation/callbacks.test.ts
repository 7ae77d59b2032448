import { describe, expect, test } from "vitest";
import { Callback } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { defaultConfig } from "../../config/dynamic-config.js";
import { type RequestLimits, requestLimits } from "../request-limits.js";
import { addressRules, validateCallbacks } from "./callbacks.js";

const limits = requestLimits(defaultConfig().limits);
const callback = (url: string, header: Record<string, string> = {}) => Callback.create({ variant: { case: "nexus", value: { url, header } } });
const allowed = (rules: string, url: string): string => {
  try {
    validateCallbacks([callback(url)], { ...limits, callbackAddressRules: addressRules(rules) } as RequestLimits);
    return "allowed";
  } catch (e) {
    return (e as Error).message;
  }
};

describe("addresses of callbacks", () => {
  test("may be any, unless said otherwise", () => {
    expect(["http://localhost:1/a", "https://example.org", "temporal://system"].map((url) => allowed("", url))).toEqual(Array(3).fill("allowed"));
  });

  test("are held to the list of patterns", () => {
    const rules = '[{"Pattern":"*.example.org:443"},{"Pattern":"localhost:*","AllowInsecure":true},{"AllowInsecure":true}]';
    expect(allowed(rules, "https://a.b.example.org:443/x")).toBe("allowed");
    expect(allowed(rules, "http://localhost:80")).toBe("allowed");
    expect(allowed(rules, "temporal://system")).toBe("allowed");
    expect(allowed(rules, "http://a.example.org:443")).toBe(
      "invalid url: callback address does not allow insecure connections: http://a.example.org:443",
    );
    expect(allowed(rules, "https://a-example-org:443")).toBe(
      "invalid url: url does not match any configured callback address: https://a-example-org:443",
    );
  });

  test("are all refused by a list that cannot be read", () => {
    expect(allowed("{", "https://example.org")).toContain("does not match any");
  });
});

test("names in headers are made lower case", () => {
  const one = callback("http://x", { Upper: "V" });
  validateCallbacks([one], limits);
  expect(one.variant.value).toMatchObject({ header: { upper: "V" } });
});

test("there may be so many and no more", () => {
  const many = (n: number) => Array.from({ length: n }, () => callback("http://x"));
  validateCallbacks(many(limits.callbacksPerExecutionMax), limits);
  expect(() => validateCallbacks(many(limits.callbacksPerExecutionMax + 1), limits)).toThrow(
    "cannot attach more than 2000 callbacks to an execution",
  );
});

test("callbacks of the server's own are not for clients", () => {
  expect(() => validateCallbacks([Callback.create({ variant: { case: "internal", value: {} } })], limits)).toThrow("unsupported callback variant");
  expect(() => validateCallbacks([Callback.create({})], limits)).toThrow("unknown callback variant");
});
