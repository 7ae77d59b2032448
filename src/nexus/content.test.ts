import { describe, expect, test } from "vitest";
import { Payload } from "../../gen/wire/temporal/api/common/v1/message.js";
import { decode, encode } from "../api/wire.js";
import { type Content, contentOf, isJson, payloadOf } from "./content.js";

const payload = (metadata: Record<string, string>, data = "data"): Uint8Array =>
  encode(Payload, { metadata: Object.fromEntries(Object.entries(metadata).map(([k, v]) => [k, Buffer.from(v)])), data: Buffer.from(data) });
const shown = (p: Uint8Array) => {
  const { metadata, data } = decode(Payload, p);
  return [Object.fromEntries(Object.entries(metadata).map(([k, v]) => [k, Buffer.from(v).toString()])), Buffer.from(data).toString()];
};
const content = (header: Record<string, string>, data = "data"): Content => ({ header, data: Buffer.from(data) });

describe("payloads as content", () => {
  test.each([
    [{ encoding: "json/plain" }, { type: "application/json" }],
    [{ encoding: "binary/plain" }, { type: "application/octet-stream" }],
    [{ encoding: "json/protobuf", messageType: 'a"b' }, { type: 'application/json; format=protobuf; message-type="a\\"b"' }],
    [{ encoding: "binary/protobuf", messageType: "m" }, { type: 'application/x-protobuf; message-type="m"' }],
    [
      { encoding: "unknown/nexus-content", type: "text/plain", language: "de" },
      { type: "text/plain", language: "de" },
    ],
  ])("%j has a type of its own, and comes back", (metadata, header) => {
    const made = contentOf(payload(metadata as never));
    expect(made.header).toEqual(header);
    expect(Buffer.from(made.data).toString()).toBe("data");
    expect(shown(payloadOf(made))).toEqual([metadata, "data"]);
  });

  test.each([[{}], [{ encoding: "binary/encrypted", key: "k" }], [{ encoding: "json/plain", more: "m" }], [{ encoding: "json/protobuf" }]])(
    "%j goes as it is, and comes back",
    (metadata) => {
      const made = contentOf(payload(metadata as never));
      expect(made.header).toEqual({ type: "application/x-temporal-payload" });
      expect(shown(payloadOf(made))).toEqual([metadata, "data"]);
    },
  );

  test("nothing becomes the payload that says so", () => {
    expect(shown(payloadOf(contentOf(undefined)))).toEqual([{ encoding: "binary/null" }, ""]);
    expect(shown(payloadOf(contentOf(payload({ encoding: "binary/null" }, ""))))).toEqual([{ encoding: "binary/null" }, ""]);
  });
});

describe("content as payloads", () => {
  test.each([
    [{ type: "application/json; charset=utf-8" }],
    [{ type: "text/html" }],
    [{ type: "no type" }],
    [{ type: "application/json", language: "de" }],
    [{ language: "de" }],
  ])("keeps what it does not know: %j", (header) => {
    expect(shown(payloadOf(content(header as never)))).toEqual([{ ...header, encoding: "unknown/nexus-content" }, "data"]);
  });

  test("does not keep length and encoding of the transport", () => {
    expect(shown(payloadOf(content({ type: "application/json", length: "4", encoding: "gzip" })))[0]).toEqual({ encoding: "json/plain" });
  });

  test("refuses a body that is no payload and says that it is", () => {
    expect(() => payloadOf(content({ type: "application/x-temporal-payload" }, "\xff\xff\xff"))).toThrow();
  });
});

test("JSON is known by its media type alone", () => {
  expect(["application/json", "Application/JSON; charset=utf-8", "text/json", undefined].map(isJson)).toEqual([true, true, false, false]);
});
