/** Metadata whose key ends in "-bin" is bytes: base64 on the wire, sent without padding, accepted with and without. */

const isBinary = (key: string): boolean => key.endsWith("-bin");

export const encodeBinary = (value: Buffer): string => value.toString("base64").replace(/=+$/, "");

/** A value of a key, lower case. That of a "-bin" key is its bytes, one character a byte, as in every gRPC library. */
export function metadataValue(value: string | undefined, key: string): string | undefined {
  if (value === undefined || !isBinary(key)) return value;
  // Repeated keys may come joined by commas, which base64 does not have.
  return Buffer.from(value.split(",", 1)[0] as string, "base64").toString("latin1");
}
