import { describe, expect, test } from "vitest";
import { Payload, type SearchAttributes } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { IndexedValueType as T } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { invalidArgument } from "../../api/service-error.js";
import { decode, encode } from "../../api/wire.js";
import type { Limits } from "../../config/limits.js";
import type { NamespaceView } from "../namespace-view.js";
import { isReservedAttribute, PREDEFINED } from "./attributes.js";
import { checkSearchAttributeSizes, checkSearchAttributeValues, indexedValues, typed, withRegisteredTypes, withTypes } from "./search-attributes.js";

const NAMESPACE: NamespaceView = {
  id: "id",
  name: "default",
  key: 1,
  retention: 0,
  state: 1,
  searchAttributes: new Map(
    Object.entries({ KW: T.KEYWORD, TX: T.TEXT, IN: T.INT, DB: T.DOUBLE, BO: T.BOOL, DT: T.DATETIME, KL: T.KEYWORD_LIST }).map(([name, type], i) => [
      name,
      { id: i + 1, type },
    ]),
  ),
};
const LIMITS = { searchAttributeKeysMax: 3, searchAttributeValueBytesMax: 2048, searchAttributesBytesMax: 4096 } as Limits;

const payload = (data: string, encoding = "json/plain"): Uint8Array =>
  encode(Payload, { metadata: { encoding: Buffer.from(encoding) }, data: Buffer.from(data) });
const attributes = (values: Record<string, unknown>): SearchAttributes => ({
  indexedFields: Object.fromEntries(Object.entries(values).map(([name, v]) => [name, v instanceof Uint8Array ? v : payload(JSON.stringify(v))])),
});

describe("the official server's refusals", () => {
  test.each([
    [{ Nope: 1 }, "Namespace default has no mapping defined for search attribute Nope"],
    [{ WorkflowId: "x", Nope: 1 }, "Namespace default has no mapping defined for search attribute Nope"],
    [{ WorkflowId: "x" }, "WorkflowId attribute can't be set in SearchAttributes"],
    [{ TemporalWorkerDeployment: "x" }, "TemporalWorkerDeployment attribute can't be set in SearchAttributes"],
    [{ IN: "x" }, "invalid value for search attribute IN of type Int: x"],
    [{ IN: 1.5 }, "invalid value for search attribute IN of type Int: 1.5"],
    [{ KW: ["a", "b"] }, "invalid value for search attribute KW of type Keyword: [a b]"],
    [{ KL: [1, 2] }, "invalid value for search attribute KL of type KeywordList: [1 2]"],
    [{ KL: "solo" }, "invalid value for search attribute KL of type KeywordList: solo"],
    [{ DT: "yesterday" }, "invalid value for search attribute DT of type Datetime: yesterday"],
    [{ BO: "true" }, "invalid value for search attribute BO of type Bool: true"],
    [{ DB: { b: 1, a: [true, null] } }, "invalid value for search attribute DB of type Double: map[a:[true <nil>] b:1]"],
    [{ KW: payload("x", "binary/plain") }, "invalid value for search attribute KW of type Keyword: [120]"],
    [{ KW: "a", TX: "b", IN: 1, DB: 2 }, "number of search attributes 4 exceeds limit 3"],
  ])("%j", (values, message) => {
    expect(() => checkSearchAttributeValues(attributes(values), NAMESPACE, LIMITS)).toThrow(invalidArgument(message));
  });

  test("sizes of one value and of all", () => {
    expect(() => checkSearchAttributeSizes(attributes({ KW: "x".repeat(3000) }), NAMESPACE, LIMITS)).toThrow(
      "search attribute KW value size 3002 exceeds size limit 2048",
    );
    const many = attributes({ KW: "x".repeat(2000), TX: "x".repeat(2000), DT: "x".repeat(2000) });
    expect(() => checkSearchAttributeSizes(many, NAMESPACE, LIMITS)).toThrow(/^total size of search attributes \d+ exceeds size limit 4096$/);
  });
});

test("null, empty lists and lists of one are values", () => {
  for (const values of [{ IN: null }, { IN: [] }, { KW: ["a"] }, { KL: [null] }, { BuildIds: ["b"] }, { DT: "2020-01-01T00:00:00.123456789+02:00" }])
    expect(() => checkSearchAttributeValues(attributes(values), NAMESPACE, LIMITS)).not.toThrow();
});

test("what is indexed: values by id; nulls, unknown names and values of a wrong type are left out", () => {
  const given = attributes({
    KW: ["a"],
    IN: "x",
    BO: null,
    Gone: 1,
    DT: "1970-01-01T00:00:01Z",
    KL: ["p", "q"],
    BuildIds: ["b"],
    DB: payload("{", "json/plain"),
    TX: new Uint8Array([255]),
  });
  expect(indexedValues(given, NAMESPACE)).toEqual([
    { id: 1, type: T.KEYWORD, value: "a" },
    { id: 6, type: T.DATETIME, value: 1_000_000 },
    { id: 7, type: T.KEYWORD_LIST, value: ["p", "q"] },
    { id: PREDEFINED.get("BuildIds")?.id, type: T.KEYWORD_LIST, value: ["b"] },
  ]);
});

test("a type that the caller gave stays in events and descriptions, and lists name the attribute's", () => {
  const json = payload('["p"]', "json/plain");
  const { metadata, data } = decode(Payload, json);
  const given = { indexedFields: { KL: encode(Payload, { data, metadata: { ...metadata, type: Buffer.from("Keyword") } }) } };
  const typeOf = (a: SearchAttributes): string => Buffer.from(decode(Payload, a.indexedFields["KL"] as Uint8Array).metadata["type"] ?? []).toString();
  expect(typeOf(withTypes(given, NAMESPACE))).toBe("Keyword");
  expect(typeOf(typed(given, NAMESPACE) as SearchAttributes)).toBe("Keyword");
  expect(typeOf(withRegisteredTypes(given, NAMESPACE))).toBe("KeywordList");
});

test("attributes are served with the name of their type, those that are gone are not served", () => {
  const served = withTypes(attributes({ KL: ["p"], Gone: 1 }), NAMESPACE);
  expect(Object.keys(served.indexedFields)).toEqual(["KL"]);
  const { metadata, data } = decode(Payload, served.indexedFields["KL"] as Uint8Array);
  expect(Object.fromEntries(Object.entries(metadata).map(([k, v]) => [k, Buffer.from(v).toString()]))).toEqual({
    encoding: "json/plain",
    type: "KeywordList",
  });
  expect(Buffer.from(data).toString()).toBe('["p"]');
});

test("ids of predefined attributes are negative and differ; names with the prefix and of store fields are reserved", () => {
  const ids = [...PREDEFINED.values()].map((a) => a.id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.every((id) => id < 0)).toBe(true);
  expect(["WorkflowId", "BuildIds", "TemporalAnything", "Memo", "NamespaceId"].filter((n) => !isReservedAttribute(n))).toEqual([]);
  expect(isReservedAttribute("KW")).toBe(false);
});
