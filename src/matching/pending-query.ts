/** A query on its way to a worker: it waits in a queue, then with a worker, and is settled once. */
import type { QueryWorkflowResponse } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { ServiceError } from "../api/service-error.js";
import type { Init } from "../api/wire.js";
import type { DirectQuery } from "./contract.js";

export type QueryOutcome =
  | { kind: "answered"; response: Init<QueryWorkflowResponse> }
  | { kind: "failed"; error: ServiceError }
  /** Time is up, or the worker has said goodbye before it took the query. */
  | { kind: "unanswered" };

export class PendingQuery {
  readonly outcome: Promise<QueryOutcome>;
  /** A worker has it. */
  isSent = false;
  isSettled = false;
  private resolve!: (outcome: QueryOutcome) => void;

  constructor(
    readonly id: string,
    readonly namespaceId: string,
    readonly query: DirectQuery,
    private readonly onSettled: (query: PendingQuery) => void,
  ) {
    this.outcome = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  settle(outcome: QueryOutcome): void {
    if (this.isSettled) return;
    this.isSettled = true;
    this.onSettled(this);
    this.resolve(outcome);
  }
}
