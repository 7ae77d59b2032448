/** What Nexus needs of its peers. */
import type { Failure } from "../../gen/wire/temporal/api/failure/v1/message.js";
import type { HandlerError, Request, Response } from "../../gen/wire/temporal/api/nexus/v1/message.js";
import type { Init } from "../api/wire.js";
import type { NamespaceView } from "../core/namespace-view.js";

/** What a worker answered. */
export type NexusTaskOutcome =
  | { readonly kind: "response"; readonly response: Response | undefined }
  | { readonly kind: "failure"; readonly failure: Failure | undefined }
  /** Of workers that do not speak in Temporal's failures. */
  | { readonly kind: "handlerError"; readonly error: HandlerError }
  /** No worker took the task, or the one that did said nothing in time. */
  | { readonly kind: "timeout" };

export interface NexusTask {
  readonly namespace: NamespaceView;
  readonly taskQueue: string;
  /** Of a queue in which the process of a worker takes commands: whatever version it is of. */
  readonly isForProcess?: boolean;
  readonly request: Init<Request>;
  /** Microseconds: by then an answer is of no more use. */
  readonly deadline: number;
  /** Microseconds: by then the whole operation has to be over. Undefined: the caller did not say. */
  readonly operationDeadline?: number | undefined;
}

/** Matching, as Nexus needs it: a task waits for a poller and for the worker's answer, in memory only. */
export interface NexusTaskDispatcher {
  dispatchNexusTask(task: NexusTask): Promise<NexusTaskOutcome>;
}
