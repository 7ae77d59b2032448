/**
 * What stands between the wire and a handler: interceptors in order, then the handler, then one place where whatever was thrown
 * becomes a service error. The text of a bug stays in the log.
 */
import type { Call, Interceptor, Method } from "../../api/call.js";
import { truncateUtf8 } from "../../api/failure.js";
import { type Code, fromUnknown, ServiceError, unimplemented } from "../../api/service-error.js";
import type { Logger } from "../../lib/runtime.js";

const CUT = "... <truncated>";

/** Is told of each call that has its answer. */
export interface CallObserver {
  nowMicros(): number;
  /** `code`: 0 for success. */
  record(method: Method, request: unknown, micros: number, code: Code | 0): void;
}

export class Chain {
  constructor(
    /** Those of now: limits come and go while the server runs. */
    private readonly interceptors: () => readonly Interceptor[],
    private readonly logger: Logger,
    /** system.maxServiceErrorMessageLength: bytes. */
    private readonly messageLengthMax = 4000,
    private readonly observer?: CallObserver,
  ) {}

  /** Rejects with ServiceError only. */
  async run(method: Method, request: unknown, call: Call): Promise<unknown> {
    const begun = this.observer?.nowMicros() ?? 0;
    try {
      const reply = await this.step(this.interceptors(), 0, method, request, call);
      this.observer?.record(method, request, this.observer.nowMicros() - begun, 0);
      return reply;
    } catch (e) {
      const error = this.mask(method, e);
      this.observer?.record(method, request, this.observer.nowMicros() - begun, error.code);
      throw error;
    }
  }

  private step(all: readonly Interceptor[], i: number, method: Method, request: unknown, call: Call): unknown {
    const interceptor = all[i];
    if (interceptor !== undefined) return interceptor(method, request, call, () => this.step(all, i + 1, method, request, call));
    const { handler } = method;
    if (handler === undefined) throw unimplemented(`method ${method.name} is not implemented`);
    return handler(request, call);
  }

  private mask(method: Method, thrown: unknown): ServiceError {
    if (!(thrown instanceof ServiceError)) this.logger.error({ err: thrown, method: method.path }, "handler failed");
    const error = fromUnknown(thrown);
    const max = this.messageLengthMax;
    if (error.message.length * 3 <= max || Buffer.byteLength(error.message) <= max) return error;
    return new ServiceError(error.code, truncateUtf8(error.message, max - CUT.length) + CUT, error.details);
  }
}
