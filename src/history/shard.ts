/** The shard of an execution, as the official server computes it: fixed at creation, a column here and the leading key on databases with many nodes. */
import { fingerprint32 } from "../lib/fingerprint32.js";

export const SHARD_COUNT = 1024;

export function shardOf(info: { readonly namespaceId: string; readonly workflowId: string }): number {
  return (fingerprint32(Buffer.from(`${info.namespaceId}_${info.workflowId}`)) % SHARD_COUNT) + 1;
}
