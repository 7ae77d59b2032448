/** Task tokens: the encoded record that names a started task. */
import { TaskToken } from "../../gen/wire/perdure/persistence/v1/token.js";
import { decode, encode, type Init } from "./wire.js";

export type { TaskToken };

export function encodeTaskToken(token: Init<TaskToken>): Uint8Array {
  return encode(TaskToken, token);
}

/** Undefined when the bytes are not a token of this server. */
export function decodeTaskToken(bytes: Uint8Array): TaskToken | undefined {
  if (bytes.length === 0) return undefined;
  try {
    const token = decode(TaskToken, bytes);
    return token.namespaceId === "" ? undefined : token;
  } catch {
    return undefined;
  }
}
