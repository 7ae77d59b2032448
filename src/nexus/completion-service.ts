/** Completion callbacks that come back to this server: the token says which operation of which workflow has ended. */
import type { NexusCallbackToken } from "../../gen/wire/perdure/persistence/v1/token.js";
import { Code, ServiceError } from "../api/service-error.js";
import type { ExecutionAddress, InputOf } from "../core/input.js";
import type { NamespaceDirectory, NamespaceView } from "../core/namespace-view.js";
import type { OperationOutcome } from "../core/nexus-operation/calls.js";
import type { Logger } from "../lib/runtime.js";
import { CALLBACK_TOKEN_HEADER, decodeCallbackToken } from "./callback-token.js";
import { type Content, payloadOf } from "./content.js";
import { fromServiceError, HandlerError, type OperationError } from "./errors.js";
import { causeOf } from "./failure.js";
import { fromNexusLinks, type NexusLink } from "./links.js";

export interface CompletionRequest {
  /** In lower case. */
  readonly header: Readonly<Record<string, string | undefined>>;
  /** Namespace of the URL; undefined when it names none. */
  readonly namespace: string | undefined;
  readonly operationToken: string;
  /** Microseconds; 0 when not given. */
  readonly startTime: number;
  readonly links: readonly NexusLink[];
  readonly outcome: { readonly content: Content } | { readonly error: OperationError };
}

export interface CompletionServiceOptions {
  readonly submit: (address: ExecutionAddress, input: InputOf<"nexusCompleted">) => Promise<unknown>;
  readonly namespaces: () => NamespaceDirectory;
  readonly logger: Logger;
  readonly payloadBytesMax: (namespaceId: string) => number;
  readonly tokenBytesMax: (namespaceId: string) => number;
}

const INVALID_TOKEN = "invalid callback token";

export class CompletionService {
  constructor(private readonly o: CompletionServiceOptions) {}

  /** Where the operation is, by the token; `named` is the namespace of the URL. @throws HandlerError */
  namespaceOf(header: CompletionRequest["header"], named: string | undefined): NamespaceView {
    return this.addressed(header, named).namespace;
  }

  private addressed(header: CompletionRequest["header"], named: string | undefined): { token: NexusCallbackToken; namespace: NamespaceView } {
    const token = decodeCallbackToken(header[CALLBACK_TOKEN_HEADER]);
    if (token === undefined) throw new HandlerError("BAD_REQUEST", INVALID_TOKEN);
    const namespace = this.o.namespaces().byId(token.namespaceId);
    if (namespace === undefined) throw new HandlerError("NOT_FOUND", `namespace ${JSON.stringify(token.namespaceId)} not found`);
    if (named !== undefined && named !== namespace.name) throw new HandlerError("BAD_REQUEST", INVALID_TOKEN);
    return { token, namespace };
  }

  /** @throws HandlerError */
  async complete(request: CompletionRequest): Promise<void> {
    const { token, namespace } = this.addressed(request.header, request.namespace);
    const { operationToken } = request;
    const length = Buffer.byteLength(operationToken);
    const max = this.o.tokenBytesMax(namespace.id);
    if (length > max) throw new HandlerError("BAD_REQUEST", `operation token length exceeds allowed limit (${length}/${max})`);
    const input: InputOf<"nexusCompleted"> = {
      kind: "nexusCompleted",
      scheduledEventId: token.scheduledEventId,
      requestId: token.requestId,
      operationToken,
      startTime: request.startTime,
      links: fromNexusLinks(request.links),
      outcome: this.outcome(request, namespace.id),
    };
    const address: ExecutionAddress = {
      ...{ namespaceId: token.namespaceId, workflowId: token.workflowId, runId: token.runId },
      archetype: token.archetype,
    };
    try {
      try {
        await this.o.submit(address, input);
      } catch (e) {
        if (!(e instanceof ServiceError) || e.code !== Code.NOT_FOUND || token.archetype !== 0) throw e;
        // The run may have been reset: its successor waits for the same operation.
        await this.o.submit({ ...address, runId: "" }, input).catch(() => {
          throw e;
        });
      }
    } catch (e) {
      this.o.logger.debug({ err: e, namespace: namespace.name, workflowId: token.workflowId }, "a Nexus completion is refused");
      throw fromServiceError(e, e instanceof ServiceError && e.code === Code.NOT_FOUND);
    }
  }

  private outcome({ outcome }: CompletionRequest, namespaceId: string): OperationOutcome {
    if ("error" in outcome) {
      try {
        return { kind: outcome.error.state, cause: causeOf(outcome.error.failure) };
      } catch {
        throw new HandlerError("BAD_REQUEST", "bad request");
      }
    }
    let result: Uint8Array;
    try {
      result = payloadOf(outcome.content);
    } catch {
      throw new HandlerError("BAD_REQUEST", "invalid result content");
    }
    if (result.length > this.o.payloadBytesMax(namespaceId)) throw new HandlerError("BAD_REQUEST", "result exceeds size limit");
    return { kind: "completed", result, links: [] };
  }
}
