/**
 * The universal form of a call. Every protocol (gRPC, Connect, gRPC-Web, REST) turns its request into this, and the interceptors
 * and handlers know nothing else of the wire.
 */
import type { Identity } from "./identity.js";
import type { RateLimit } from "./rate-limit.js";
import type { ServiceError } from "./service-error.js";
import type { Init, MessageType } from "./wire.js";

export interface Call {
  /** "/package.Service/Method" */
  readonly path: string;
  /** Epoch milliseconds at which the caller gives up; undefined when it set no deadline. */
  readonly deadlineMs: number | undefined;
  /** First value of a metadata key, lower case. */
  metadata(key: string): string | undefined;
  /** True once the caller has gone or the deadline has passed. */
  readonly cancelled: boolean;
  /** Runs `f` once when the call is cancelled (at once if it is already); the result removes it. */
  onCancel(f: () => void): () => void;
  /** "ip:port" of the caller. */
  readonly peer: string;
  /** Subject of the certificate by which the caller's end of TLS is known, such as "O=Example,CN=worker"; undefined without one. */
  readonly clientSubject?: string | undefined;
  /** Set by the interceptor that finds out; undefined: nobody is asked who they are, or the method is public. */
  identity?: Identity | undefined;
  /** Set by the interceptor that counts; undefined: no limit applies to the call. */
  rateLimit?: RateLimit | undefined;
  /** Answers with the error, whatever the handler is doing, and has it told that the call is cancelled. */
  abort?(error: ServiceError): void;
}

/** Serves one method. Throws ServiceError; anything else is a bug. */
export type Handler<I, O> = (request: I, call: Call) => Promise<Init<O>> | Init<O>;

/** Who may call, in the terms of the permission tree; `none` may be public, `authenticated` is for everybody who is known. */
export type Permission =
  | "none"
  | "authenticated"
  | "cluster.read"
  | "cluster.write"
  | "namespace.create"
  | "namespace.read"
  | "namespace.update"
  | "namespace.delete"
  | "workflow.start"
  | "workflow.signal"
  | "workflow.query"
  | "workflow.read"
  | "workflow.list"
  | "workflow.terminate"
  | "workflow.cancel"
  | "worker.poll"
  | "worker.respond";

/** 0 is served first. The official server's request priorities: completions before starts before reads before polls. */
export type QuotaPriority = 0 | 1 | 2 | 3 | 4 | 5;

export interface Method<I = unknown, O = unknown> {
  readonly service: string;
  readonly name: string;
  readonly path: string;
  readonly input: MessageType<I>;
  readonly output: MessageType<O>;
  /** Undefined: not built yet; the call answers UNIMPLEMENTED. */
  readonly handler: Handler<I, O> | undefined;
  readonly permission: Permission;
  readonly priority: QuotaPriority;
  readonly longPoll: boolean;
  /** Of CloudService: what a custom role calls it. */
  readonly action?: MethodAction | undefined;
}

/** Roles that somebody has made of actions on resources allow a call beside what its permission says. */
export interface MethodAction {
  /** Such as "cloud.user.get"; empty: in no role. */
  readonly name: string;
  /** Id of the resource that a request is about; empty: the account. */
  readonly resourceOf: (request: never) => string;
}

/** The methods of a running server by path: what `rpc` serves. */
export type MethodTable = ReadonlyMap<string, Method>;

/**
 * Wraps the rest of the chain. `next` decodes nothing: the request is already a message. Both may throw at once or answer with what is no
 * promise: one that only looks at the request costs no promise of its own.
 */
export type Interceptor = (method: Method, request: unknown, call: Call, next: () => unknown) => unknown;
