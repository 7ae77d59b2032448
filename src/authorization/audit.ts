/**
 * The audit log: one record for each administrative call and each one that was refused for who its caller is. Records name who, what
 * and where from, never a token or a payload. With a file of its own every record is there, a line of JSON each; without, they go to
 * the server's log, refusals at most a few a second, so that a flood of bad calls does not become a flood of lines.
 */
import type { Call } from "../api/call.js";
import type { Logger, Runtime } from "../lib/runtime.js";

export interface AuditRecord {
  readonly time: string;
  readonly event: "administrative" | "denied";
  readonly method: string;
  readonly namespace?: string;
  /** Name of the gRPC code that was answered. */
  readonly code: string;
  readonly principal?: { readonly kind: string; readonly id: string; readonly subject: string; readonly key?: string };
  readonly peer: string;
}

const DENIED_A_SECOND_MAX = 10;

export class AuditLog {
  private second = 0;
  private deniedThen = 0;

  /** @param write takes a record; undefined: to the log. */
  constructor(
    private readonly runtime: Pick<Runtime, "nowMicros">,
    private readonly logger: Logger,
    private readonly write?: (record: AuditRecord) => void,
  ) {}

  administrative(call: Call, namespace: string | undefined, code: string): void {
    const record = this.record("administrative", call, namespace, code);
    if (this.write !== undefined) this.write(record);
    else this.logger.info(record, "audit");
  }

  denied(call: Call, namespace: string | undefined, code: string): void {
    if (this.write !== undefined) this.write(this.record("denied", call, namespace, code));
    else if (this.mayLogDenied()) this.logger.warn(this.record("denied", call, namespace, code), "audit");
  }

  private mayLogDenied(): boolean {
    const second = Math.floor(this.runtime.nowMicros() / 1_000_000);
    if (second !== this.second) {
      const left = this.deniedThen - DENIED_A_SECOND_MAX;
      if (left > 0) this.logger.warn({ count: left }, "audit: further refused calls");
      this.second = second;
      this.deniedThen = 0;
    }
    return ++this.deniedThen <= DENIED_A_SECOND_MAX;
  }

  private record(event: AuditRecord["event"], call: Call, namespace: string | undefined, code: string): AuditRecord {
    const { identity } = call;
    return {
      time: new Date(this.runtime.nowMicros() / 1000).toISOString(),
      event,
      method: call.path,
      ...(namespace === undefined ? {} : { namespace }),
      code,
      ...(identity === undefined
        ? {}
        : {
            principal: {
              kind: identity.kind,
              id: identity.id,
              subject: identity.subject,
              ...(identity.keyId === undefined ? {} : { key: identity.keyId }),
            },
          }),
      peer: call.peer,
    };
  }
}
