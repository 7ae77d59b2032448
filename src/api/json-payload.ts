/** Payloads of JSON (encoding json/plain), as the official server's own workflows carry their values. */
import { Payload, Payloads } from "../../gen/wire/temporal/api/common/v1/message.js";
import { decode, encode } from "./wire.js";

export const jsonPayload = (value: unknown): Buffer =>
  encode(Payload, { metadata: { encoding: Buffer.from("json/plain") }, data: Buffer.from(JSON.stringify(value)) });

export const jsonPayloads = (value: unknown): Buffer => encode(Payloads, { payloads: [jsonPayload(value)] });

/** Undefined when there is none, or it is not JSON. */
export function jsonOf(payload: Uint8Array | undefined): unknown {
  if (payload === undefined) return undefined;
  try {
    return JSON.parse(Buffer.from(decode(Payload, payload).data).toString());
  } catch {
    return undefined;
  }
}

export function firstJsonOf(payloads: Uint8Array | undefined): unknown {
  return payloads === undefined ? undefined : jsonOf(decode(Payloads, payloads).payloads[0]);
}
