/** Checks on the size of what a request carries. Over the warn limit the log says so; over the error limit the request fails. */
import { invalidArgument } from "../../api/service-error.js";
import type { Logger } from "../../lib/runtime.js";
import type { RequestLimits } from "../request-limits.js";

export interface SizeContext {
  readonly logger: Logger;
  readonly limits: RequestLimits;
  readonly operation: string;
  readonly namespace: string;
  readonly workflowId: string;
  readonly runId: string;
}

/** Whether a blob is within the error limit. */
export function isBlobAllowed(sizeBytes: number, context: SizeContext): boolean {
  const { limits } = context;
  if (sizeBytes > limits.blobSizeWarn) warnOfSize(sizeBytes, context);
  return sizeBytes <= limits.blobSizeError;
}

export function validateBlob(blob: Uint8Array | undefined, context: SizeContext): void {
  if (blob !== undefined && !isBlobAllowed(blob.length, context)) throw invalidArgument("Blob data size exceeds limit.");
}

export function validateMemo(fields: Readonly<Record<string, Uint8Array>> | undefined, context: SizeContext): void {
  if (fields === undefined) return;
  const size = encodedMapSize(fields);
  if (size > context.limits.memoSizeWarn) warnOfSize(size, context);
  if (size > context.limits.memoSizeError) throw invalidArgument("Memo size exceeds limit.");
}

export function warnOfSize(sizeBytes: number, { logger, operation, namespace, workflowId, runId }: SizeContext): void {
  logger.warn({ namespace, workflowId, runId, sizeBytes, operation }, "Blob data size exceeds the warning limit.");
}

/** Encoded size of a message whose one field, number 1, is a map from strings to messages: Memo, SearchAttributes. */
export function encodedMapSize(fields: Readonly<Record<string, Uint8Array>>): number {
  let total = 0;
  for (const [key, value] of Object.entries(fields)) {
    const keySize = Buffer.byteLength(key);
    const entry = 1 + varintSize(keySize) + keySize + 1 + varintSize(value.length) + value.length;
    total += 1 + varintSize(entry) + entry;
  }
  return total;
}

function varintSize(n: number): number {
  return n < 1 << 7 ? 1 : n < 1 << 14 ? 2 : n < 1 << 21 ? 3 : n < 1 << 28 ? 4 : 5;
}
