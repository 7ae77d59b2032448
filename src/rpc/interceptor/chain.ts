/**
 * What stands between the wire and a handler: interceptors in order, then the handler, then one place where whatever was thrown
 * becomes a service error. The text of a bug stays in the log.
 */
import type { Call, Interceptor, Method } from "../../api/call.js";
import { truncateUtf8 } from "../../api/failure.js";
import { fromUnknown, ServiceError, unimplemented } from "../../api/service-error.js";
import type { Logger } from "../../lib/runtime.js";

const CUT = "... <truncated>";

export class Chain {
  constructor(
    /** Those of now: limits come and go while the server runs. */
    private readonly interceptors: () => readonly Interceptor[],
    private readonly logger: Logger,
    /** system.maxServiceErrorMessageLength: bytes. */
    private readonly messageLengthMax = 4000,
  ) {}

  /** Rejects with ServiceError only. */
  async run(method: Method, request: unknown, call: Call): Promise<unknown> {
    try {
      return await this.step(this.interceptors(), 0, method, request, call);
    } catch (e) {
      throw this.mask(method, e);
    }
  }

  private step(all: readonly Interceptor[], i: number, method: Method, request: unknown, call: Call): Promise<unknown> {
    const interceptor = all[i];
    if (interceptor !== undefined) return interceptor(method, request, call, () => this.step(all, i + 1, method, request, call));
    const { handler } = method;
    if (handler === undefined) return Promise.reject(unimplemented(`method ${method.name} is not implemented`));
    // Inside an async function: a handler may throw at once.
    return (async () => handler(request, call))();
  }

  private mask(method: Method, thrown: unknown): ServiceError {
    if (!(thrown instanceof ServiceError)) this.logger.error({ err: thrown, method: method.path }, "handler failed");
    const error = fromUnknown(thrown);
    const max = this.messageLengthMax;
    if (error.message.length * 3 <= max || Buffer.byteLength(error.message) <= max) return error;
    return new ServiceError(error.code, truncateUtf8(error.message, max - CUT.length) + CUT, error.details);
  }
}
