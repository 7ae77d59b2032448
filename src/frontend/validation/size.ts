/** Checks on the size of what a request carries. Over the warn limit the log says so; over the error limit the request fails. */
import type { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
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
  if (sizeBytes > limits.blobSizeWarn) warn("Blob data size exceeds the warning limit.", sizeBytes, context);
  return sizeBytes <= limits.blobSizeError;
}

export function validateBlob(blob: Uint8Array | undefined, context: SizeContext): void {
  if (blob !== undefined && !isBlobAllowed(blob.length, context)) throw invalidArgument("Blob data size exceeds limit.");
}

export function validateMemo(fields: Readonly<Record<string, Uint8Array>> | undefined, context: SizeContext): void {
  if (fields === undefined) return;
  const size = encodedMapSize(fields);
  if (size > context.limits.memoSizeWarn) warn("Blob data size exceeds the warning limit.", size, context);
  if (size > context.limits.memoSizeError) throw invalidArgument("Memo size exceeds limit.");
}

function warn(message: string, sizeBytes: number, { logger, operation, namespace, workflowId, runId }: SizeContext): void {
  logger.warn({ namespace, workflowId, runId, sizeBytes, operation }, message);
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

const TRUNCATE_DEPTH_MAX = 20;

/** A failure of the server itself, which no retry policy retries. */
export function serverFailure(message: string, cause?: Failure): Failure {
  return {
    message,
    source: "",
    stackTrace: "",
    encodedAttributes: undefined,
    cause,
    failureInfo: { case: "serverFailureInfo", value: { nonRetryable: true } },
  };
}

/** What is kept of a failure in about `sizeMax` bytes: the most telling fields first (common/failure/failure.go). */
export function truncateFailure(failure: Failure | undefined, sizeMax: number, depth = TRUNCATE_DEPTH_MAX): Failure | undefined {
  if (failure === undefined) return undefined;
  let left = sizeMax;
  const cut = (text: string): string => {
    const kept = truncateUtf8(text, left);
    left -= Buffer.byteLength(kept) + (kept === "" ? 0 : 4);
    return kept;
  };
  const kept = serverFailure("");
  const info = failure.failureInfo;
  kept.failureInfo = { case: undefined };
  if (info.case === "applicationFailureInfo") {
    kept.failureInfo = {
      case: "applicationFailureInfo",
      value: { type: cut(info.value.type), nonRetryable: info.value.nonRetryable, details: undefined, nextRetryDelay: undefined, category: 0 },
    };
    left -= 8;
  } else if (info.case === "serverFailureInfo") {
    kept.failureInfo = { case: "serverFailureInfo", value: { nonRetryable: info.value.nonRetryable } };
    left -= 4;
  }
  kept.source = cut(failure.source);
  kept.message = cut(failure.message);
  kept.stackTrace = cut(failure.stackTrace);
  if (failure.cause !== undefined && left > 4 && depth > 0) kept.cause = truncateFailure(failure.cause, left - 4, depth - 1);
  return kept;
}

function truncateUtf8(text: string, sizeMax: number): string {
  if (sizeMax <= 0) return "";
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= sizeMax) return text;
  let end = sizeMax;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", 0, end);
}
