/** Values of JSON as payloads and back, for APIs whose users know no payloads. */
import { Payload, Payloads } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { jsonPayload } from "../../api/json-payload.js";
import { parseShallowJson } from "../../api/shallow-json.js";
import { decode, EMPTY_BYTES, encode } from "../../api/wire.js";

/** One argument; none when the value is undefined. */
export function argument(value: unknown): Uint8Array {
  return value === undefined ? EMPTY_BYTES : encode(Payloads, { payloads: [jsonPayload(value)] });
}

/** What is not JSON shows as its encoding and its bytes. */
export function payloadValue(bytes: Uint8Array): unknown {
  const { metadata, data } = decode(Payload, bytes);
  const encoding = Buffer.from(metadata["encoding"] ?? EMPTY_BYTES).toString();
  if (encoding === "binary/null") return null;
  if (encoding === "json/plain" || encoding === "json/protobuf") {
    try {
      return parseShallowJson(Buffer.from(data).toString());
    } catch {
      // Not what it says it is: shown as bytes.
    }
  }
  return { encoding, data: Buffer.from(data).toString("base64") };
}

export function payloadsValues(bytes: Uint8Array | undefined): unknown[] {
  return bytes === undefined || bytes.length === 0 ? [] : decode(Payloads, bytes).payloads.map(payloadValue);
}

/** A result: null for none, a list for several. */
export function resultValue(bytes: Uint8Array | undefined): unknown {
  const values = payloadsValues(bytes);
  return values.length > 1 ? values : (values[0] ?? null);
}
