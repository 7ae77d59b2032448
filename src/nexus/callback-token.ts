/** The token that a completion callback brings back. It names the operation; the request id in it, which nobody can guess, proves it. */
import { NexusCallbackToken } from "../../gen/wire/perdure/persistence/v1/token.js";
import { decode, encode, type Init } from "../api/wire.js";

/** Header of a callback, as the official server names it. */
export const CALLBACK_TOKEN_HEADER = "temporal-callback-token";

export function encodeCallbackToken(token: Init<NexusCallbackToken>): string {
  return Buffer.from(encode(NexusCallbackToken, token)).toString("base64url");
}

/** Undefined when the text is not a token of this server. */
export function decodeCallbackToken(text: string | undefined): NexusCallbackToken | undefined {
  if (text === undefined || !/^[\w-]+$/.test(text)) return undefined;
  try {
    const token = decode(NexusCallbackToken, Buffer.from(text, "base64url"));
    const { namespaceId, workflowId, runId, requestId, scheduledEventId, archetype } = token;
    const isWhole = namespaceId !== "" && workflowId !== "" && runId !== "" && requestId !== "" && (scheduledEventId > 0 || archetype > 0);
    return isWhole ? token : undefined;
  } catch {
    return undefined;
  }
}
