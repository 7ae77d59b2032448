/** What the core says of a Nexus request that is to be made, and what it learns of its outcome. */
import type { Link } from "../../../gen/wire/temporal/api/common/v1/message.js";
import type { TimeoutType } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import type { Init } from "../../api/wire.js";
import type { Archetype } from "../execution.js";

/** One start or cancel request to a handler. */
export interface NexusCall {
  readonly endpoint: string;
  readonly endpointId: string;
  readonly service: string;
  readonly operation: string;
  readonly requestId: string;
  /** Of a cancel request. */
  readonly operationToken: string;
  /** Encoded Payload. */
  readonly input: Uint8Array | undefined;
  readonly header: Readonly<Record<string, string>>;
  /** The event that asked for the operation. */
  readonly link: Init<Link>;
  /** Microseconds that the request may take. */
  readonly timeout: number;
  /** Less than the least time of a request is left before this timeout of the operation: it is not made at all. */
  readonly tooLate: TimeoutType | undefined;
  /** Microseconds that are left for the operation; undefined when it has no end. */
  readonly operationTimeout: number | undefined;
  readonly scheduledEventId: number;
  readonly workflowId: string;
  readonly runId: string;
  readonly archetype: Archetype;
}

/** How an operation ended, as its handler tells it. `cause` is what the workflow gets to see. */
export type OperationOutcome =
  | { readonly kind: "completed"; readonly result: Uint8Array | undefined; readonly links: readonly Init<Link>[] }
  | { readonly kind: "failed"; readonly cause: Init<Failure> }
  | { readonly kind: "canceled"; readonly cause: Init<Failure> };

export type StartOutcome =
  | OperationOutcome
  | { readonly kind: "started"; readonly operationToken: string; readonly links: readonly Init<Link>[] }
  | { readonly kind: "timedOut"; readonly timeoutType: TimeoutType }
  | { readonly kind: "retry"; readonly failure: Init<Failure> };

export type CancelOutcome =
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly failure: Init<Failure> }
  | { readonly kind: "retry"; readonly failure: Init<Failure> };
