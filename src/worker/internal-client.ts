/**
 * The server as a client of itself: the methods of the running server, called without a wire. What a worker asks for goes through
 * the handlers that everybody's requests go through; the interceptors (authorization, limits on callers) are not its concern.
 */
import type { Call, MethodTable } from "../api/call.js";
import { canceled, unimplemented } from "../api/service-error.js";
import { decode, encode, type Init, type MessageType } from "../api/wire.js";
import type { Runtime } from "../lib/runtime.js";

export interface MethodDescriptor<I, O> {
  readonly path: string;
  readonly input: MessageType<I>;
  readonly output: MessageType<O>;
}

const TIMEOUT_MS = 30_000;

export class InternalClient {
  constructor(
    private readonly methods: () => MethodTable,
    private readonly runtime: Runtime,
  ) {}

  /** @throws ServiceError. `scope` ends the call early. */
  async call<I, O>(method: MethodDescriptor<I, O>, request: Init<I>, scope?: CallScope, timeoutMs = TIMEOUT_MS): Promise<O> {
    const handler = this.methods().get(method.path)?.handler;
    if (handler === undefined) throw unimplemented(`unknown method ${method.path.slice(method.path.lastIndexOf("/") + 1)}`);
    if (scope?.isCancelled === true) throw canceled("context canceled");
    const call = new InternalCall(method.path, this.runtime.nowMicros() / 1000 + timeoutMs, scope);
    // Through the encoding and back: the handler gets, and the caller receives, whole messages.
    return decode(method.output, encode(method.output, (await handler(decode(method.input, encode(method.input, request)), call)) as Init<O>));
  }
}

/** Calls that end together. */
export class CallScope {
  private readonly listeners = new Set<() => void>();
  isCancelled = false;

  cancel(): void {
    this.isCancelled = true;
    for (const f of [...this.listeners]) f();
    this.listeners.clear();
  }

  onCancel(f: () => void): () => void {
    if (this.isCancelled) f();
    else this.listeners.add(f);
    return () => this.listeners.delete(f);
  }
}

class InternalCall implements Call {
  constructor(
    readonly path: string,
    readonly deadlineMs: number,
    private readonly scope: CallScope | undefined,
  ) {}
  readonly peer = "internal";

  get cancelled(): boolean {
    return this.scope?.isCancelled ?? false;
  }
  metadata(): undefined {
    return undefined;
  }
  onCancel(f: () => void): () => void {
    return this.scope?.onCancel(f) ?? (() => undefined);
  }
}
