/** The two errors of the Nexus protocol, and what gRPC errors become of them. */

import { Code, ServiceError } from "../api/service-error.js";
import type { NexusFailure } from "./failure.js";

export type HandlerErrorType =
  | "BAD_REQUEST"
  | "UNAUTHENTICATED"
  | "UNAUTHORIZED"
  | "NOT_FOUND"
  | "REQUEST_TIMEOUT"
  | "CONFLICT"
  | "RESOURCE_EXHAUSTED"
  | "INTERNAL"
  | "NOT_IMPLEMENTED"
  | "UNAVAILABLE"
  | "UPSTREAM_TIMEOUT";

/** HTTP status of each type: 520 is the protocol's own. */
export const STATUS_OF: Readonly<Record<HandlerErrorType, number>> = {
  BAD_REQUEST: 400,
  UNAUTHENTICATED: 401,
  UNAUTHORIZED: 403,
  NOT_FOUND: 404,
  REQUEST_TIMEOUT: 408,
  CONFLICT: 409,
  RESOURCE_EXHAUSTED: 429,
  INTERNAL: 500,
  NOT_IMPLEMENTED: 501,
  UNAVAILABLE: 503,
  UPSTREAM_TIMEOUT: 520,
};
export const TYPE_OF: ReadonlyMap<number, HandlerErrorType> = new Map(
  Object.entries(STATUS_OF).map(([type, status]) => [status, type as HandlerErrorType]),
);

const FINAL: ReadonlySet<string> = new Set(["BAD_REQUEST", "UNAUTHENTICATED", "UNAUTHORIZED", "NOT_FOUND", "NOT_IMPLEMENTED", "CONFLICT"]);

/** The request could not be served. Whether it may be made again, the type says, unless the error says so itself. */
export class HandlerError extends Error {
  constructor(
    readonly type: string,
    readonly detail: string,
    readonly options: {
      readonly isRetryable?: boolean | undefined;
      readonly cause?: NexusFailure | undefined;
      /** As it came; else it is made of the rest. */
      readonly original?: NexusFailure | undefined;
    } = {},
  ) {
    super(`handler error (${type || "INTERNAL"})${detail === "" ? "" : `: ${detail}`}`);
  }

  get isRetryable(): boolean {
    return this.options.isRetryable ?? !FINAL.has(this.type);
  }

  get failure(): NexusFailure {
    const { original, isRetryable, cause } = this.options;
    if (original !== undefined) return original;
    return {
      message: this.detail,
      metadata: { type: "nexus.HandlerError" },
      details: { type: this.type, ...(isRetryable === undefined ? {} : { retryableOverride: isRetryable }) },
      ...(cause === undefined ? {} : { cause }),
    };
  }
}

/** The operation was tried, and failed or was canceled. */
export class OperationError extends Error {
  constructor(
    readonly state: "failed" | "canceled",
    /** With type nexus.OperationError; marked as a wrapper when its cause is all it has to say. */
    readonly failure: NexusFailure,
  ) {
    super(`operation ${state}${failure.message ? `: ${failure.message}` : ""}`);
  }

  /** Between servers of this kind the failure itself goes as the cause of an error that says nothing. */
  static wrapping(state: "failed" | "canceled", message: string, cause: NexusFailure): OperationError {
    return new OperationError(state, { message, metadata: { type: "nexus.OperationError", "unwrap-error": "true" }, details: { state }, cause });
  }
}

const GRPC: Readonly<Partial<Record<Code, readonly [HandlerErrorType, string]>>> = {
  [Code.ALREADY_EXISTS]: ["BAD_REQUEST", "bad request"],
  [Code.INVALID_ARGUMENT]: ["BAD_REQUEST", "bad request"],
  [Code.FAILED_PRECONDITION]: ["BAD_REQUEST", "bad request"],
  [Code.OUT_OF_RANGE]: ["BAD_REQUEST", "bad request"],
  [Code.ABORTED]: ["UNAVAILABLE", "service unavailable"],
  [Code.UNAVAILABLE]: ["UNAVAILABLE", "service unavailable"],
  [Code.CANCELLED]: ["INTERNAL", "canceled"],
  [Code.UNAUTHENTICATED]: ["UNAUTHENTICATED", "authentication failed"],
  [Code.PERMISSION_DENIED]: ["UNAUTHORIZED", "permission denied"],
  [Code.NOT_FOUND]: ["NOT_FOUND", "not found"],
  [Code.RESOURCE_EXHAUSTED]: ["RESOURCE_EXHAUSTED", "resource exhausted"],
  [Code.UNIMPLEMENTED]: ["NOT_IMPLEMENTED", "not implemented"],
  [Code.DEADLINE_EXCEEDED]: ["UPSTREAM_TIMEOUT", "request timeout"],
};

/** Texts of this server are told only where they say nothing of its inside. */
export function fromServiceError(error: unknown, exposesText: boolean): Error {
  if (!(error instanceof ServiceError)) return new HandlerError("INTERNAL", "internal error");
  const [type, text] = GRPC[error.code] ?? ["INTERNAL", "internal error"];
  return new HandlerError(type, exposesText ? error.message : text);
}
