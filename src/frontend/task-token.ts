/** The task token of a request, with the official errors for one that is missing or not ours. */
import { invalidArgument } from "../api/service-error.js";
import { decodeTaskToken, type TaskToken } from "../api/task-token.js";

export function taskToken(bytes: Uint8Array): TaskToken {
  if (bytes.length === 0) throw invalidArgument("Task token not set on request.");
  const token = decodeTaskToken(bytes);
  if (token === undefined) throw invalidArgument("Error deserializing task token.");
  return token;
}
