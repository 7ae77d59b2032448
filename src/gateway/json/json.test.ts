/** JSON as the HTTP doors read and write it. */
import { describe, expect, it } from "vitest";
import { StartWorkflowExecutionRequestSchema } from "../../../gen/es/temporal/api/workflowservice/v1/request_response_pb.js";
import { ServiceError } from "../../api/service-error.js";
import { relaxedForm } from "../rest/relaxed-forms.js";
import { formatJson, type Json, type JsonObject, parseJson } from "./json-text.js";
import { canonicalMessage, fromCanonical, readMessage, writeMessage } from "./message-json.js";
import { longPayload, shortPayload } from "./payload-shorthand.js";
import { TYPES } from "./types.js";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const textOf = (payload: Json): string => Buffer.from((payload as { data: string }).data, "base64").toString();

describe("JSON text", () => {
  it.each([
    '{"a":[1,-2.5,1e3,true,false,null,"x"],"b":{}}',
    '{"big":9007199254740993,"neg":-12345678901234567890,"exact":9007199254740991}',
    '"\\u0041\\n\\"\\\\/"',
    "[]",
  ])("%s comes back as it was", (text) => {
    const again = formatJson(parseJson(text));
    expect(JSON.parse(again)).toEqual(JSON.parse(text));
    expect(parseJson(again)).toEqual(parseJson(text));
  });

  it("keeps every digit of a large integer", () => {
    expect(formatJson(parseJson('[9007199254740993,{"n":123456789012345678901234567890}]'))).toBe(
      '[9007199254740993,{"n":123456789012345678901234567890}]',
    );
  });

  it("is indented like JSON.stringify's", () => {
    const value = { a: [1, { b: [] }], c: {} };
    expect(formatJson(value, 2)).toBe(JSON.stringify(value, null, 2));
  });

  it("does not confuse keys with what every object has", () => {
    const value = parseJson('{"__proto__":1,"constructor":2}') as object;
    expect([Object.getPrototypeOf(value) === Object.prototype, formatJson(value as Json)]).toEqual([true, '{"__proto__":1,"constructor":2}']);
  });

  it.each([
    ['{"a":1,"a":2}', 'duplicate field "a"'],
    ['{"a":', "unexpected EOF"],
    ["{a:1}", "looking for beginning of object key"],
    ["[1 2]", "after array element"],
    ["01", "after top-level value"],
    ["'x'", "looking for beginning of value"],
    ['"\u0001"', "in string literal"],
    ['"\\x"', "in string escape"],
    ["{} x", "after top-level value"],
    ["[".repeat(100_000), "max depth"],
  ])("refuses %s", (text, why) => {
    expect(() => parseJson(text)).toThrow(why);
  });
});

describe("payloads in short", () => {
  it.each([1, "text", true, [1, [2]], { a: { b: null } }, { data: "x", metadata: "not one" }] as Json[])("%j is its own short form", (value) => {
    const long = longPayload(value);
    expect(long).toEqual({ metadata: { encoding: base64("json/plain") }, data: base64(JSON.stringify(value)) });
    expect(shortPayload(long)).toEqual(value);
  });

  it("are null for no value, and an object with its type for a message", () => {
    expect(longPayload(null)).toEqual({ metadata: { encoding: base64("binary/null") } });
    const long = longPayload({ _protoMessageType: "a.B", x: 1 });
    expect(long).toEqual({ metadata: { encoding: base64("json/protobuf"), messageType: base64("a.B") }, data: base64('{"x":1}') });
    expect(shortPayload(long)).toEqual({ x: 1, _protoMessageType: "a.B" });
  });

  it.each([
    { metadata: { encoding: base64("binary/plain") }, data: base64("x") },
    { metadata: { encoding: base64("json/plain"), own: base64("1") }, data: base64("1") },
    { metadata: { encoding: base64("json/plain") }, data: base64("not json") },
  ] as JsonObject[])("are not for %j", (long) => {
    expect(longPayload(long)).toEqual(long);
    expect(shortPayload(long)).toBeUndefined();
  });
});

const READ = { payloadShorthand: true, registry: TYPES } as const;

describe("a message", () => {
  const canonical = (json: Json, relax = false) =>
    canonicalMessage(StartWorkflowExecutionRequestSchema, json, relax ? { ...READ, relax: relaxedForm } : READ);

  it("is read by either naming, with values of enums by any of their names", () => {
    const one = { workflow_id: "w", workflowIdReusePolicy: "ALLOW_DUPLICATE", workflow_id_conflict_policy: "UseExisting" };
    expect(canonical(one)).toEqual({
      workflowId: "w",
      workflowIdReusePolicy: "WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE",
      workflowIdConflictPolicy: "WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING",
    });
  });

  it.each([
    [{ nope: 1 }, 'unknown field "nope"'],
    [{ retryPolicy: { nope: 1 } }, 'unknown field "nope"'],
    [{ workflowId: "a", workflow_id: "b" }, 'duplicate field "workflow_id"'],
    [{ workflowIdReusePolicy: "Nope" }, "invalid value for enum"],
    [{ workflowType: "T" }, "WorkflowType is an object"],
    [{ input: "x" }, "Payloads is an object"],
  ] as [Json, string][])("%j is refused", (json, why) => {
    expect(() => canonical(json)).toThrow(why);
    expect(() => canonical(json)).toThrow(ServiceError);
  });

  it("comes back from its bytes' form with payloads in short, and in snake_case when asked", () => {
    const message = readMessage(StartWorkflowExecutionRequestSchema, { workflowId: "w", input: [1, "a"], memo: { fields: { k: { x: 1 } } } }, READ);
    const write = (o: object) => writeMessage(StartWorkflowExecutionRequestSchema, message, { ...READ, ...o });
    expect(write({})).toEqual({ workflowId: "w", input: [1, "a"], memo: { fields: { k: { x: 1 } } } });
    expect(write({ protoNames: true })).toEqual({ workflow_id: "w", input: [1, "a"], memo: { fields: { k: { x: 1 } } } });
    expect((write({ payloadShorthand: false }) as { input: { payloads: Json[] } }).input.payloads.map(textOf)).toEqual(["1", '"a"']);
  });

  it("refuses what is nested without end", () => {
    let failure: Json = {};
    for (let i = 0; i < 150; i++) failure = { cause: failure };
    expect(() => canonical({ continuedFailure: failure })).toThrow("max depth");
  });

  it("takes no more payloads than a request has room for", () => {
    const list = Array<Json>(150_001).fill(null);
    for (const isRelaxed of [false, true]) expect(() => canonical({ input: list }, isRelaxed)).toThrow("more than 150000 payloads");
    expect(() => canonical({ input: { payloads: list } })).toThrow("more than 150000 payloads");
  });

  it("takes relaxed forms where they are allowed", () => {
    const json = canonical(
      {
        task_queue: "q",
        workflow_type: "T",
        input: { order: 1 },
        workflow_run_timeout: "1m30s",
        workflow_task_timeout: 5,
        memo: { environment: { data: "production" } },
        search_attributes: { indexed_fields: { OrderId: { data: "12345" }, n: 7 } },
      },
      true,
    ) as Record<string, never>;
    expect(json).toMatchObject({ taskQueue: { name: "q" }, workflowType: { name: "T" }, workflowRunTimeout: "90s", workflowTaskTimeout: "5s" });
    const { input, memo, searchAttributes } = json as unknown as {
      input: { payloads: Json[] };
      memo: { fields: Record<string, Json> };
      searchAttributes: { indexedFields: Record<string, Json> };
    };
    expect(input.payloads.map(textOf)).toEqual(['{"order":1}']);
    expect(textOf(memo.fields["environment"] as Json)).toBe('"production"');
    expect(Object.values(searchAttributes.indexedFields).map(textOf)).toEqual(['"12345"', "7"]);
    expect(fromCanonical(StartWorkflowExecutionRequestSchema, json as Json, TYPES)).toMatchObject({ taskQueue: { name: "q" } });
  });

  it.each([
    [
      [1, 2],
      ["1", "2"],
    ],
    [{ payloads: [{ metadata: { encoding: base64("json/plain") }, data: base64("3") }] }, ["3"]],
    [{ data: [1] }, ["[1]"]],
    ["x", ['"x"']],
    [[], []],
  ] as [Json, string[]][])("reads %j as the arguments %j", (input, expected) => {
    expect((canonical({ input }, true) as unknown as { input: { payloads: Json[] } }).input.payloads.map(textOf)).toEqual(expected);
  });
});
