/** What scripts are played on: the core alone, our server, the official server. */

export interface MethodOf {
  /** "/package.Service/Method" */
  readonly path: string;
}

export interface Subject {
  /** Microseconds, on the subject's own clock. */
  readonly now: number;
  /** One unary call. Rejects with CallError. */
  unary(method: MethodOf, request: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
  /** On the subject's own clock. */
  sleep(ms: number): Promise<void>;
  close(): void;
}

/** What a call ended with: the gRPC code, the text, and the full names of the details' messages. */
export class CallError extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly details: string[],
    /** The encoded details, in the same order. */
    readonly values: readonly Uint8Array[] = [],
  ) {
    super(message);
  }
}
