/**
 * What goes wrong in the product APIs, with its HTTP status: the trigger API answers {"detail"}, the workflow API
 * {"error", "message"} with the error's name.
 */
import { Code, ServiceError } from "../../api/service-error.js";
import { httpStatusOf } from "../http-status.js";
import type { HttpAnswer } from "../route.js";

/** Where an input breaks its schema. */
export interface Issue {
  /** JSON pointer into the input; empty is the input itself. */
  readonly path: string;
  readonly message: string;
}

export class ProductError extends Error {
  constructor(
    readonly status: number,
    override readonly name: string,
    message: string,
    /** Further fields of the body. */
    readonly fields: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }
}

export const invalidInput = (issues: readonly Issue[]): ProductError =>
  new ProductError(400, "ValidationError", `Invalid input: ${issues.map((i) => `${i.path === "" ? "/" : i.path} ${i.message}`).join("; ")}`, {
    issues,
  });

export const badRequest = (message: string, path?: string): ProductError =>
  new ProductError(400, "ValidationError", message, path === undefined ? {} : { issues: [{ path, message }] });

export const json = (status: number, body: unknown): HttpAnswer => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

const NAMES: Readonly<Partial<Record<Code, { status?: number; name: string }>>> = {
  [Code.INVALID_ARGUMENT]: { name: "ValidationError" },
  [Code.NOT_FOUND]: { name: "WorkflowNotFoundError" },
  [Code.ALREADY_EXISTS]: { name: "WorkflowExecutionAlreadyStartedError" },
  [Code.FAILED_PRECONDITION]: { status: 409, name: "FailedPreconditionError" },
  [Code.DEADLINE_EXCEEDED]: { status: 408, name: "WorkflowExecutionTimedOutError" },
  [Code.RESOURCE_EXHAUSTED]: { name: "RateLimitExceededError" },
  [Code.PERMISSION_DENIED]: { name: "PermissionDeniedError" },
  [Code.UNAUTHENTICATED]: { name: "UnauthenticatedError" },
  [Code.UNAVAILABLE]: { name: "ServiceUnavailableError" },
};

/** The same for errors of RPCs. */
export function productError(e: unknown): ProductError | undefined {
  if (e instanceof ProductError) return e;
  if (!(e instanceof ServiceError)) return undefined;
  const known = NAMES[e.code];
  return new ProductError(known?.status ?? httpStatusOf(e.code), known?.name ?? "InternalServerError", e.message);
}
