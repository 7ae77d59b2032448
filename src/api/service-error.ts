/**
 * The one error that a handler answers. `code` is the gRPC code; `details` are Temporal's typed failures, encoded, which the
 * official SDKs decode to tell errors apart (temporal/api/errordetails/v1). Anything else that is thrown is a bug and leaves the
 * server as INTERNAL.
 */

import type { ResourceExhaustedCause, ResourceExhaustedScope } from "../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import {
  CancellationAlreadyRequestedFailure,
  MultiOperationExecutionFailure,
  NamespaceAlreadyExistsFailure,
  NamespaceInvalidStateFailure,
  NamespaceNotFoundFailure,
  NamespaceUnavailableFailure,
  NewerBuildExistsFailure,
  NotFoundFailure,
  PermissionDeniedFailure,
  QueryFailedFailure,
  ResourceExhaustedFailure,
  SystemWorkflowFailure,
  WorkflowExecutionAlreadyStartedFailure,
  WorkflowNotReadyFailure,
  WorkflowTaskCompletionBufferLostFailure,
} from "../../gen/wire/temporal/api/errordetails/v1/message.js";
import { encode, type Init, type MessageType, WireError } from "./wire.js";

/** google.rpc.Code, the numbers of gRPC status. */
export enum Code {
  OK = 0,
  CANCELLED = 1,
  UNKNOWN = 2,
  INVALID_ARGUMENT = 3,
  DEADLINE_EXCEEDED = 4,
  NOT_FOUND = 5,
  ALREADY_EXISTS = 6,
  PERMISSION_DENIED = 7,
  RESOURCE_EXHAUSTED = 8,
  FAILED_PRECONDITION = 9,
  ABORTED = 10,
  OUT_OF_RANGE = 11,
  UNIMPLEMENTED = 12,
  INTERNAL = 13,
  UNAVAILABLE = 14,
  DATA_LOSS = 15,
  UNAUTHENTICATED = 16,
}

/** What fails so may come off when it is asked again. */
export const PASSING_CODES: ReadonlySet<Code> = new Set([
  Code.UNAVAILABLE,
  Code.RESOURCE_EXHAUSTED,
  Code.INTERNAL,
  Code.DEADLINE_EXCEEDED,
  Code.ABORTED,
  Code.UNKNOWN,
]);

export interface ErrorDetail {
  /** Full name of the message, without the type.googleapis.com prefix. */
  readonly typeName: string;
  readonly value: Uint8Array;
}

export class ServiceError extends Error {
  override readonly name = "ServiceError";
  constructor(
    readonly code: Code,
    message: string,
    readonly details: readonly ErrorDetail[] = [],
  ) {
    super(message);
  }
}

export function detail<T>(type: MessageType<T>, value: Init<T>): ErrorDetail {
  return { typeName: type.typeName, value: encode(type, value) };
}

export const invalidArgument = (message: string) => new ServiceError(Code.INVALID_ARGUMENT, message);
export const failedPrecondition = (message: string) => new ServiceError(Code.FAILED_PRECONDITION, message);
export const internal = (message: string) => new ServiceError(Code.INTERNAL, message);
export const unavailable = (message: string) => new ServiceError(Code.UNAVAILABLE, message);
export const unimplemented = (message: string) => new ServiceError(Code.UNIMPLEMENTED, message);
export const deadlineExceeded = (message: string) => new ServiceError(Code.DEADLINE_EXCEEDED, message);
export const canceled = (message: string) => new ServiceError(Code.CANCELLED, message);
export const alreadyExists = (message: string) => new ServiceError(Code.ALREADY_EXISTS, message);
export const aborted = (message: string) => new ServiceError(Code.ABORTED, message);

export const completionBufferLost = (message: string) =>
  new ServiceError(Code.ABORTED, message, [detail(WorkflowTaskCompletionBufferLostFailure, {})]);

export const notFound = (message: string) => new ServiceError(Code.NOT_FOUND, message, [detail(NotFoundFailure, {})]);
export const namespaceNotFound = (namespace: string) =>
  new ServiceError(Code.NOT_FOUND, `Namespace ${namespace} is not found.`, [detail(NamespaceNotFoundFailure, { namespace })]);
export const namespaceAlreadyExists = (message: string) =>
  new ServiceError(Code.ALREADY_EXISTS, message, [detail(NamespaceAlreadyExistsFailure, {})]);
export const namespaceInvalidState = (message: string, value: Init<NamespaceInvalidStateFailure>) =>
  new ServiceError(Code.FAILED_PRECONDITION, message, [detail(NamespaceInvalidStateFailure, value)]);
export const namespaceUnavailable = (namespace: string) =>
  new ServiceError(Code.UNAVAILABLE, `Namespace unavailable: "${namespace}".`, [detail(NamespaceUnavailableFailure, { namespace })]);
export const workflowAlreadyStarted = (message: string, startRequestId: string, runId: string) =>
  new ServiceError(Code.ALREADY_EXISTS, message, [detail(WorkflowExecutionAlreadyStartedFailure, { startRequestId, runId })]);
export const cancellationAlreadyRequested = (message: string) =>
  new ServiceError(Code.ALREADY_EXISTS, message, [detail(CancellationAlreadyRequestedFailure, {})]);
export const queryFailed = (message: string, value: Init<QueryFailedFailure> = {}) =>
  new ServiceError(Code.INVALID_ARGUMENT, message, [detail(QueryFailedFailure, value)]);
export const workflowNotReady = (message: string) => new ServiceError(Code.FAILED_PRECONDITION, message, [detail(WorkflowNotReadyFailure, {})]);
export const permissionDenied = (message: string, reason: string) =>
  new ServiceError(Code.PERMISSION_DENIED, message, [detail(PermissionDeniedFailure, { reason })]);
export const newerBuildExists = (message: string, defaultBuildId: string) =>
  new ServiceError(Code.OUT_OF_RANGE, message, [detail(NewerBuildExistsFailure, { defaultBuildId })]);
export const systemWorkflow = (message: string, value: Init<SystemWorkflowFailure>) =>
  new ServiceError(Code.INVALID_ARGUMENT, message, [detail(SystemWorkflowFailure, value)]);
export const multiOperationFailure = (message: string, value: Init<MultiOperationExecutionFailure>) =>
  new ServiceError(Code.INVALID_ARGUMENT, message, [detail(MultiOperationExecutionFailure, value)]);
export const resourceExhausted = (message: string, cause: ResourceExhaustedCause, scope: ResourceExhaustedScope) =>
  new ServiceError(Code.RESOURCE_EXHAUSTED, message, [detail(ResourceExhaustedFailure, { cause, scope })]);

/** What leaves the server for anything that was thrown. The text of a bug stays in the log. */
export function fromUnknown(thrown: unknown): ServiceError {
  if (thrown instanceof ServiceError) return thrown;
  if (thrown instanceof WireError) return new ServiceError(Code.INTERNAL, `grpc: error unmarshalling request: ${thrown.message}`);
  return internal("internal error");
}
