/**
 * Makes the calls of outbound rows: operations of workers of this server by way of their task queues, those of external endpoints and
 * callbacks to other addresses over HTTP. What an outcome means for the operation: components/nexusoperations/executors.go.
 */
import type { NexusEndpointRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import type { Link } from "../../gen/wire/temporal/api/common/v1/message.js";
import { TimeoutType } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { Failure } from "../../gen/wire/temporal/api/failure/v1/message.js";
import { Code, PASSING_CODES, ServiceError } from "../api/service-error.js";
import { MICROS_PER_MS } from "../api/time.js";
import type { Init } from "../api/wire.js";
import type { CallbackCall } from "../core/callback/statemachine.js";
import type { NamespaceDirectory, NamespaceView } from "../core/namespace-view.js";
import type { CancelOutcome, NexusCall, StartOutcome } from "../core/nexus-operation/calls.js";
import { SYSTEM_ENDPOINT, type SystemOperation } from "../core/nexus-operation/endpoints.js";
import type { WorkerCommands } from "../core/transition.js";
import type { OutboundCaller } from "../history/contract.js";
import type { Logger } from "../lib/runtime.js";
import { CALLBACK_TOKEN_HEADER, encodeCallbackToken } from "./callback-token.js";
import type { CompletionService } from "./completion-service.js";
import { contentOf, payloadOf } from "./content.js";
import { formatDuration } from "./durations.js";
import type { NexusEndpointRegistry } from "./endpoint-registry.js";
import { HandlerError, OperationError, STATUS_OF, TYPE_OF } from "./errors.js";
import { causeOf, fromTemporal, toTemporal } from "./failure.js";
import { type NexusClient, TimedOut, Unusable, USER_AGENT } from "./http/client.js";
import { fromNexusLinks, linkHeader, parseLinkHeader, toNexusLink } from "./links.js";
import type { OperationService, OperationTarget, StartRequest, StartResult } from "./operation-service.js";
import { sendWorkerCommands, type WorkerCommandSender } from "./worker-commands.js";

/** Callbacks to it are this server's own. */
export const SYSTEM_CALLBACK_URL = "temporal://system";

export interface NexusCallerOptions {
  readonly endpoints: NexusEndpointRegistry;
  readonly operations: OperationService;
  readonly completions: CompletionService;
  readonly client: NexusClient;
  readonly namespaces: () => NamespaceDirectory;
  readonly logger: Logger;
  /** Where handlers outside reach this server's callbacks, for a namespace. */
  readonly callbackUrl: (namespace: { name: string; id: string }) => string;
  readonly tokenBytesMax: (namespaceId: string) => number;
  readonly payloadBytesMax: (namespaceId: string) => number;
  /** `destination`: scheme and host. */
  readonly callbackTimeoutMs: (namespaceId: string, destination: string) => number;
  readonly workerCommands: WorkerCommandSender;
  /** Does one of the server's own operations; rejects with a ServiceError. */
  readonly system: (operation: SystemOperation & { requestId: string; link: Init<Link> }) => Promise<{ result: Uint8Array; link: Init<Link> }>;
}

export class NexusCaller implements OutboundCaller {
  constructor(private readonly o: NexusCallerOptions) {}

  async startOperation(namespaceId: string, call: NexusCall): Promise<{ outcome: StartOutcome; isDown: boolean }> {
    try {
      const result = await this.start(namespaceId, call);
      const links = fromNexusLinks(result.links);
      if (result.kind === "async") {
        const length = Buffer.byteLength(result.token);
        const max = this.o.tokenBytesMax(namespaceId);
        if (length > max) throw new Unusable(`invalid operation token: length exceeds allowed limit (${length}/${max})`);
        return { outcome: { kind: "started", operationToken: result.token, links }, isDown: false };
      }
      if ((result.payload?.length ?? 0) > this.o.payloadBytesMax(namespaceId)) throw new Unusable("http: response body too large");
      return { outcome: { kind: "completed", result: result.payload, links }, isDown: false };
    } catch (e) {
      this.o.logger.debug({ err: e, endpoint: call.endpoint, operation: call.operation }, "a Nexus operation could not be started");
      return startError(e);
    }
  }

  private async start(namespaceId: string, call: NexusCall): Promise<StartResult> {
    if (call.endpoint === SYSTEM_ENDPOINT) return this.startHere(namespaceId, call);
    const { endpoint, namespace } = this.resolve(namespaceId, call);
    const header: Record<string, string> = { ...call.header };
    if (call.operationTimeout !== undefined) header["operation-timeout"] ??= formatDuration(call.operationTimeout);
    header["temporal-nexus-failure-support"] = "true";
    const link = toNexusLink(call.link);
    const links = link === undefined ? [] : [link];
    const isExternal = endpoint.url !== "";
    const { workflowId, runId, archetype, scheduledEventId, requestId, service, operation, timeout } = call;
    const request: StartRequest & { timeout: number } = {
      service,
      operation,
      requestId,
      timeout,
      header,
      links,
      readsFailures: true,
      callbackUrl: isExternal ? this.o.callbackUrl(namespace) : SYSTEM_CALLBACK_URL,
      callbackHeader: { [CALLBACK_TOKEN_HEADER]: encodeCallbackToken({ namespaceId, workflowId, runId, archetype, scheduledEventId, requestId }) },
      content: contentOf(call.input),
    };
    if (isExternal) return this.o.client.start(endpoint.url, request);
    const seen = { "user-agent": USER_AGENT, "nexus-request-id": requestId, ...(link === undefined ? {} : { "nexus-link": linkHeader(links) }) };
    const result = await this.o.operations.start(this.target(endpoint), { ...request, header: { ...seen, ...header } });
    // What goes over HTTP elsewhere has the form that content has.
    return result.kind === "sync" ? { ...result, payload: asSent(result.payload) } : result;
  }

  private async startHere(namespaceId: string, { service, operation, input, requestId, link }: NexusCall): Promise<StartResult> {
    const done = await this.o.system({ namespace: this.namespaceOfCaller(namespaceId).name, service, operation, input, requestId, link });
    const led = toNexusLink(done.link);
    return { kind: "sync", payload: done.result, links: led === undefined ? [] : [led] };
  }

  async cancelOperation(namespaceId: string, call: NexusCall): Promise<{ outcome: CancelOutcome; isDown: boolean }> {
    try {
      if (call.tooLate !== undefined)
        throw new Unusable(
          `not enough time to execute another request before ${
            TimeoutType[call.tooLate]
              ?.split("_")
              .map((w) => w.slice(0, 1) + w.slice(1).toLowerCase())
              .join("") ?? ""
          } timeout`,
        );
      const { endpoint } = this.resolve(namespaceId, call);
      const { service, operation, operationToken: token, timeout } = call;
      if (endpoint.url !== "") await this.o.client.cancel(endpoint.url, { service, operation, token, timeout, header: call.header });
      else {
        const header = { "content-length": "0", "user-agent": USER_AGENT, ...call.header };
        await this.o.operations.cancel(this.target(endpoint), { service, operation, token, timeout, header, readsFailures: false });
      }
      return { outcome: { kind: "done" }, isDown: false };
    } catch (thrown) {
      const e = thrown instanceof HandlerError ? withoutItsText(thrown) : thrown;
      this.o.logger.debug({ err: e, endpoint: call.endpoint, operation: call.operation }, "a Nexus operation could not be canceled");
      const isRetryable = !(e instanceof Unusable) && (!(e instanceof HandlerError) || e.isRetryable);
      const failure = failureOf(e, isRetryable);
      return { outcome: { kind: isRetryable ? "retry" : "failed", failure }, isDown: isRetryable };
    }
  }

  async deliverCallback(
    namespaceId: string,
    call: CallbackCall,
  ): Promise<{ outcome: { kind: "done" } | { kind: "failed" | "retry"; message: string }; isDown: boolean }> {
    try {
      if (call.url === SYSTEM_CALLBACK_URL) await this.completeHere(call);
      else await this.o.client.complete(call, this.o.callbackTimeoutMs(namespaceId, destinationOf(call.url)) * MICROS_PER_MS);
      return { outcome: { kind: "done" }, isDown: false };
    } catch (e) {
      const isRetryable = !(e instanceof HandlerError) || e.isRetryable;
      const message = e instanceof Error ? e.message : String(e);
      this.o.logger.debug({ err: e, url: call.url }, "a completion callback could not be delivered");
      return { outcome: { kind: isRetryable ? "retry" : "failed", message }, isDown: isRetryable };
    }
  }

  async sendWorkerCommands(namespaceId: string, controlTaskQueue: string, commands: WorkerCommands): Promise<boolean> {
    const namespace = this.o.namespaces().byId(namespaceId);
    return namespace === undefined || (await sendWorkerCommands(this.o.workerCommands, namespace, controlTaskQueue, commands));
  }

  private async completeHere(call: CallbackCall): Promise<void> {
    const { header, outcome, startTime } = call;
    const link = toNexusLink(call.link);
    const links = header["nexus-link"] === undefined ? (link === undefined ? [] : [link]) : parseLinkHeader(header["nexus-link"]);
    await this.o.completions.complete({
      header,
      namespace: undefined,
      operationToken: header["nexus-operation-token"] ?? "",
      startTime,
      links,
      outcome:
        outcome.kind === "completed"
          ? { content: contentOf(outcome.result) }
          : { error: OperationError.wrapping(outcome.kind, "nexus operation completed unsuccessfully", fromTemporal(outcome.cause)) },
    });
  }

  private resolve(namespaceId: string, call: NexusCall): { endpoint: NexusEndpointRecord; namespace: { name: string; id: string } } {
    // One that was deleted and made again goes on under its name.
    const endpoint = this.o.endpoints.byId(call.endpointId) ?? this.o.endpoints.byName(call.endpoint);
    if (endpoint === undefined) throw new HandlerError("NOT_FOUND", "endpoint not registered");
    const namespace = this.namespaceOfCaller(namespaceId);
    if (endpoint.isRestricted && !endpoint.allowedNamespaceIds.includes(namespaceId))
      throw new HandlerError("UNAUTHORIZED", `namespace ${namespace.name} may not call endpoint ${endpoint.name}`);
    return { endpoint, namespace };
  }

  private namespaceOfCaller(namespaceId: string): NamespaceView {
    const namespace = this.o.namespaces().byId(namespaceId);
    if (namespace === undefined) throw new HandlerError("INTERNAL", "internal error");
    return namespace;
  }

  private target(endpoint: NexusEndpointRecord): OperationTarget {
    const namespace = this.o.namespaces().byId(endpoint.namespaceId);
    if (namespace === undefined) throw new HandlerError("NOT_FOUND", "invalid endpoint target", { isRetryable: true });
    return { namespace, taskQueue: endpoint.taskQueue, endpoint: endpoint.name };
  }
}

/** A result as it is after it went as content: nothing at all becomes the payload that says so. */
function asSent(payload: Uint8Array | undefined): Uint8Array {
  return payloadOf(contentOf(payload));
}

function startError(e: unknown): { outcome: StartOutcome; isDown: boolean } {
  try {
    if (e instanceof ServiceError) {
      // Of the server's own operations (common.IsRetryableRPCError).
      const isRetryable = PASSING_CODES.has(e.code) || e.code === Code.CANCELLED;
      const failure = serverFailure(e, isRetryable);
      return { outcome: isRetryable ? { kind: "retry", failure } : { kind: "failed", cause: failure }, isDown: false };
    }
    if (e instanceof OperationError) return { outcome: { kind: e.state, cause: causeOf(e.failure) }, isDown: false };
    if (e instanceof Unusable || (e instanceof HandlerError && !e.isRetryable))
      return { outcome: { kind: "failed", cause: failureOf(e, false) }, isDown: false };
    return { outcome: { kind: "retry", failure: failureOf(e instanceof TimedOut ? new Error("request timed out") : e, true) }, isDown: true };
  } catch (malformed) {
    const text = malformed instanceof Error ? malformed.message : String(malformed);
    return { outcome: { kind: "retry", failure: failureOf(new Error(`Malformed failure: ${text}`), true) }, isDown: false };
  }
}

/** Named as its error is in the official server: by its detail where it has one, else by its code. */
function serverFailure({ code, details, message }: ServiceError, isRetryable: boolean): Init<Failure> {
  const [of] = details;
  const name =
    of?.typeName.slice(of.typeName.lastIndexOf(".") + 1).replace(/Failure$/, "") ??
    (Code[code] ?? "").replace(/([A-Z])([A-Z]*)_?/g, (_, first: string, rest: string) => first + rest.toLowerCase());
  return { message: `${name}: ${message}`, failureInfo: { case: "serverFailureInfo", value: { nonRetryable: !isRetryable } } };
}

function failureOf(e: unknown, isRetryable: boolean): Init<Failure> {
  if (e instanceof HandlerError) return toTemporal(e.failure);
  const message = e instanceof Error ? e.message : String(e);
  return { message, failureInfo: { case: "applicationFailureInfo", value: { type: "CallError", nonRetryable: !isRetryable } } };
}

/** The answer to a cancel request has the cause of its failure alone, where it has one: the rest is in its status. */
function withoutItsText(e: HandlerError): HandlerError {
  const { failure, options } = e;
  if (failure.cause === undefined) return e;
  const type = TYPE_OF.get(STATUS_OF[e.type as keyof typeof STATUS_OF] ?? 500) ?? "INTERNAL";
  return new HandlerError(type, "", { isRetryable: options.isRetryable, cause: failure.cause });
}

/** Scheme and host as they are written, port included: constraints of settings name them so. */
function destinationOf(url: string): string {
  const [, scheme, host] = /^([a-z][a-z0-9+.-]*):\/\/(?:[^/?#@]*@)?([^/?#]*)/i.exec(url) ?? [];
  return scheme === undefined ? "" : `${scheme.toLowerCase()}://${host}`;
}
