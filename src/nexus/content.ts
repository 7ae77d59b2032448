/** Payloads as the content of Nexus requests, headers and body, and back (common/nexus/payload_serializer.go). */
import { Payload } from "../../gen/wire/temporal/api/common/v1/message.js";
import { decode, encode, setEntry } from "../api/wire.js";

/** Header names without "content-", in lower case. */
export interface Content {
  readonly header: Readonly<Record<string, string>>;
  readonly data: Uint8Array;
}

const EMPTY = Buffer.alloc(0);
const text = (b: Uint8Array | undefined): string => (b === undefined ? "" : Buffer.from(b).toString());

/** `payload`: encoded. */
export function contentOf(payload: Uint8Array | undefined): Content {
  if (payload === undefined) return { header: {}, data: EMPTY };
  const { metadata, data } = decode(Payload, payload);
  const count = Object.keys(metadata).length;
  const asIs: Content = { header: { type: "application/x-temporal-payload" }, data: payload };
  const messageType = text(metadata["messageType"]);
  const typed = (type: string): Content => (count === 2 && messageType !== "" ? { header: { type }, data } : asIs);
  switch (count === 0 ? undefined : text(metadata["encoding"])) {
    case "unknown/nexus-content": {
      const header: Record<string, string> = {};
      for (const [k, v] of Object.entries(metadata)) if (k !== "encoding") setEntry(header, k, text(v));
      return { header, data };
    }
    case "json/protobuf":
      return typed(`application/json; format=protobuf; message-type=${JSON.stringify(messageType)}`);
    case "binary/protobuf":
      return typed(`application/x-protobuf; message-type=${JSON.stringify(messageType)}`);
    case "json/plain":
      return count === 1 ? { header: { type: "application/json" }, data } : asIs;
    case "binary/null":
      return count === 1 ? { header: {}, data } : asIs;
    case "binary/plain":
      return count === 1 ? { header: { type: "application/octet-stream" }, data } : asIs;
    default:
      return asIs;
  }
}

/** @throws Error when the body is not what its type says. */
export function payloadOf(content: Content): Uint8Array {
  const { encoding: _encoding, length: _length, ...header } = content.header;
  const { data } = content;
  const made = (metadata: Record<string, string>): Uint8Array =>
    encode(Payload, { metadata: Object.fromEntries(Object.entries(metadata).map(([k, v]) => [k, Buffer.from(v)])), data });
  const unknown = (): Uint8Array => made({ ...header, encoding: "unknown/nexus-content" });
  const type = header["type"] ?? "";
  const others = Object.keys(header).length - (header["type"] === undefined ? 0 : 1);
  if (others > 0) return unknown();
  if (type === "") return data.length === 0 ? made({ encoding: "binary/null" }) : unknown();
  const media = parseMediaType(type);
  if (media === undefined) return unknown();
  const { parameters } = media;
  const count = Object.keys(parameters).length;
  const messageType = parameters["message-type"] ?? "";
  switch (media.type) {
    case "application/x-temporal-payload":
      decode(Payload, data);
      return Buffer.from(data);
    case "application/json":
      if (count === 0) return made({ encoding: "json/plain" });
      if (count === 2 && parameters["format"] === "protobuf" && messageType !== "") return made({ encoding: "json/protobuf", messageType });
      return unknown();
    case "application/x-protobuf":
      return count === 1 && messageType !== "" ? made({ encoding: "binary/protobuf", messageType }) : unknown();
    case "application/octet-stream":
      return count === 0 ? made({ encoding: "binary/plain" }) : unknown();
    default:
      return unknown();
  }
}

export function parseMediaType(value: string): { type: string; parameters: Record<string, string> } | undefined {
  const [first = "", ...rest] = value.split(";");
  const type = first.trim().toLowerCase();
  if (!/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(type)) return undefined;
  const parameters: Record<string, string> = {};
  for (const part of rest) {
    if (part.trim() === "") continue;
    const m = /^\s*([\w!#$&^.+-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";]+))\s*$/.exec(part);
    if (m === null) return undefined;
    parameters[(m[1] as string).toLowerCase()] = m[3] ?? (m[2] ?? "").replace(/\\(.)/g, "$1");
  }
  return { type, parameters };
}

export function isJson(contentType: string | undefined): boolean {
  return parseMediaType(contentType ?? "")?.type === "application/json";
}
