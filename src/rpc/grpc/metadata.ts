/** Metadata whose key ends in "-bin" is bytes: base64 on the wire, sent without padding, accepted with and without. */
import type { IncomingHttpHeaders } from "node:http2";

const isBinary = (key: string): boolean => key.endsWith("-bin");

export const encodeBinary = (value: Buffer): string => value.toString("base64").replace(/=+$/, "");

/** The first value of a key, lower case. That of a "-bin" key is its bytes, one character a byte, as in every gRPC library. */
export function metadataValue(headers: IncomingHttpHeaders, key: string): string | undefined {
  const values = headers[key];
  const value = Array.isArray(values) ? values[0] : values;
  if (value === undefined || !isBinary(key)) return value;
  // Repeated keys come joined by commas, which base64 does not have.
  return Buffer.from(value.split(",", 1)[0] as string, "base64").toString("latin1");
}
