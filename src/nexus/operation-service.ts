/**
 * Requests of the Nexus protocol for workers of this server: a request becomes a task, the worker's answer the protocol's. Both the
 * HTTP endpoints and the server's own operations come this way. Texts and statuses: service/frontend/nexus_handler.go.
 */
import { NexusHandlerErrorRetryBehavior as Retry } from "../../gen/wire/temporal/api/enums/v1/nexus.js";
import type { Link, Request, Response, StartOperationResponse } from "../../gen/wire/temporal/api/nexus/v1/message.js";
import { MICROS_PER_SECOND, timestampOf } from "../api/time.js";
import { copyMap, type Init } from "../api/wire.js";
import type { NamespaceView } from "../core/namespace-view.js";
import type { Runtime } from "../lib/runtime.js";
import { type Content, payloadOf } from "./content.js";
import type { NexusTaskDispatcher, NexusTaskOutcome } from "./contract.js";
import { parseDuration } from "./durations.js";
import { HandlerError, OperationError } from "./errors.js";
import { fromProto, fromTemporal, type NexusFailure } from "./failure.js";
import type { NexusLink } from "./links.js";

export interface OperationTarget {
  readonly namespace: NamespaceView;
  readonly taskQueue: string;
  /** Name of the endpoint that was called; empty when the queue was named directly. */
  readonly endpoint: string;
}

export interface RequestCommon {
  readonly service: string;
  readonly operation: string;
  /** In lower case. */
  readonly header: Readonly<Record<string, string>>;
  /** Microseconds that the caller waits; undefined when it does not say. */
  readonly timeout: number | undefined;
  /** Whether the caller reads Temporal's failures. */
  readonly readsFailures: boolean;
}

export interface StartRequest extends RequestCommon {
  readonly requestId: string;
  readonly callbackUrl: string;
  readonly callbackHeader: Readonly<Record<string, string>>;
  readonly links: readonly NexusLink[];
  readonly content: Content;
}

export interface CancelRequest extends RequestCommon {
  readonly token: string;
}

export type StartResult =
  | { readonly kind: "sync"; readonly payload: Uint8Array | undefined; readonly links: readonly NexusLink[] }
  | { readonly kind: "async"; readonly token: string; readonly links: readonly NexusLink[] };

export interface OperationServiceOptions {
  readonly dispatcher: NexusTaskDispatcher;
  readonly runtime: Runtime;
  readonly payloadBytesMax: (namespaceId: string) => number;
}

/** Of what the caller sent, not for the worker's eyes. */
const HIDDEN_HEADERS: ReadonlySet<string> = new Set([
  "accept-encoding",
  "x-forwarded-for",
  "xdc-redirection",
  "xdc-redirection-api",
  "temporal-nexus-failure-support",
]);
const TIMEOUT_MICROS_MAX = 60 * MICROS_PER_SECOND;
/** Kept back of the caller's time so that the answer "timed out" reaches it. */
const ANSWER_MICROS = MICROS_PER_SECOND;

export class OperationService {
  constructor(private readonly o: OperationServiceOptions) {}

  /** @throws HandlerError, OperationError */
  async start(target: OperationTarget, request: StartRequest): Promise<StartResult> {
    let payload: Uint8Array;
    try {
      payload = payloadOf(request.content);
    } catch {
      throw new HandlerError("BAD_REQUEST", "invalid input");
    }
    if (payload.length > this.o.payloadBytesMax(target.namespace.id)) throw new HandlerError("BAD_REQUEST", "input exceeds size limit");
    const { service, operation, requestId, callbackUrl, callbackHeader } = request;
    const outcome = await this.dispatch(target, request, {
      case: "startOperation",
      value: {
        service,
        operation,
        requestId,
        callback: callbackUrl,
        callbackHeader: copyMap(callbackHeader),
        payload,
        links: request.links as Link[],
      },
    });
    return startResult(answered(outcome));
  }

  /** @throws HandlerError */
  async cancel(target: OperationTarget, request: CancelRequest): Promise<void> {
    const { service, operation, token } = request;
    answered(
      await this.dispatch(target, request, { case: "cancelOperation", value: { service, operation, operationToken: token, operationId: token } }),
    );
  }

  private dispatch(target: OperationTarget, request: RequestCommon, variant: Init<Request["variant"]>): Promise<NexusTaskOutcome> {
    const now = this.o.runtime.nowMicros();
    const header: Record<string, string> = {};
    for (const [k, v] of Object.entries(request.header)) if (!HIDDEN_HEADERS.has(k)) header[k] = v;
    const operationTimeout = parseDuration(header["operation-timeout"] ?? "");
    return this.o.dispatcher.dispatchNexusTask({
      namespace: target.namespace,
      taskQueue: target.taskQueue,
      deadline: now + Math.min(request.timeout ?? TIMEOUT_MICROS_MAX, TIMEOUT_MICROS_MAX) - ANSWER_MICROS,
      operationDeadline: operationTimeout === undefined ? undefined : now + operationTimeout,
      request: {
        header,
        scheduledTime: timestampOf(now),
        capabilities: { temporalFailureResponses: request.readsFailures },
        endpoint: target.endpoint,
        variant,
      },
    });
  }
}

/** The worker's fault is told as such by a header of HTTP: these come from it. */
export class WorkerError extends HandlerError {}

function answered(outcome: NexusTaskOutcome): Response | undefined {
  switch (outcome.kind) {
    case "response":
      return outcome.response;
    case "timeout":
      throw new WorkerError("UPSTREAM_TIMEOUT", "upstream timeout");
    case "failure":
      throw handlerErrorOf(fromTemporal(outcome.failure ?? {}));
    case "handlerError": {
      const { errorType, failure, retryBehavior } = outcome.error;
      const isRetryable = retryBehavior === Retry.UNSPECIFIED ? undefined : retryBehavior === Retry.RETRYABLE;
      throw new WorkerError(errorType, "", { isRetryable, cause: fromProto(failure) });
    }
  }
}

export function handlerErrorOf(failure: NexusFailure): HandlerError {
  const details = failure.details as { type?: unknown; retryableOverride?: unknown } | undefined;
  const isRetryable = typeof details?.retryableOverride === "boolean" ? details.retryableOverride : undefined;
  const type = typeof details?.type === "string" ? details.type : "";
  return new WorkerError(type, failure.message ?? "", { isRetryable, cause: failure.cause, original: failure });
}

function startResult(response: Response | undefined): StartResult {
  const variant =
    response?.variant.case === "startOperation" ? response.variant.value.variant : ({ case: undefined } as StartOperationResponse["variant"]);
  switch (variant.case) {
    case "syncSuccess":
      return { kind: "sync", payload: variant.value.payload, links: variant.value.links };
    case "asyncSuccess":
      return { kind: "async", token: variant.value.operationToken || variant.value.operationId, links: variant.value.links };
    case "operationError": {
      const { operationState, failure } = variant.value;
      if (operationState !== "failed" && operationState !== "canceled") throw new HandlerError("INTERNAL", "");
      throw OperationError.wrapping(operationState, "operation error", fromProto(failure));
    }
    case "failure": {
      const state = variant.value.failureInfo.case === "canceledFailureInfo" ? "canceled" : "failed";
      throw OperationError.wrapping(state, "operation error", fromTemporal(variant.value));
    }
    default:
      throw new WorkerError("INTERNAL", "empty outcome");
  }
}
