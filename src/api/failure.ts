/** Failures that the server itself makes, and what it keeps of those that are too large. */
import type { Failure } from "../../gen/wire/temporal/api/failure/v1/message.js";

const TRUNCATE_DEPTH_MAX = 20;

export function serverFailure(message: string, cause?: Failure, nonRetryable = true): Failure {
  return {
    message,
    source: "",
    stackTrace: "",
    encodedAttributes: undefined,
    cause,
    failureInfo: { case: "serverFailureInfo", value: { nonRetryable } },
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

export function truncateUtf8(text: string, sizeMax: number): string {
  if (sizeMax <= 0) return "";
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= sizeMax) return text;
  let end = sizeMax;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", 0, end);
}
