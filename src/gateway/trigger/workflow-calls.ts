/**
 * What the product APIs do with workflows, as RPCs of WorkflowService: every one runs through the interceptors like any client's.
 * Waiting for a result is a long poll for the run's last event, and goes on with the runs that continue it.
 */
import { UpdateWorkflowExecutionLifecycleStage } from "../../../gen/wire/temporal/api/enums/v1/update.js";
import {
  HistoryEventFilterType,
  WorkflowExecutionStatus,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
} from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import { History, type HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type { Outcome } from "../../../gen/wire/temporal/api/update/v1/message.js";
import type { WorkflowExecutionInfo } from "../../../gen/wire/temporal/api/workflow/v1/message.js";
import { WorkflowService } from "../../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { deadlineExceeded } from "../../api/service-error.js";
import { timestampMicros } from "../../api/time.js";
import { decode, EMPTY_BYTES } from "../../api/wire.js";
import { uuidV4 } from "../../lib/uuid.js";
import type { GatewayContext, HttpRequest } from "../route.js";
import { argument, resultValue } from "./json-values.js";

const M = WorkflowService.methods;
const IDENTITY = "http";
/** A wait asks again after this long, so that whoever has lost his permission is told. */
const WAIT_MS = 20_000;
/** Longest wait of an update or a query. */
const ANSWER_MS = 30_000;

export interface Execution {
  readonly namespace: string;
  readonly workflowId: string;
  /** Empty: the current run. */
  readonly runId: string;
}

export interface Description {
  readonly runId: string;
  /** WorkflowExecutionStatus */
  readonly status: number;
  /** Microseconds; 0 while open. */
  readonly startTime: number;
  readonly closeTime: number;
  readonly historyLength: number;
  readonly taskQueue: string;
  readonly workflowType: string;
}

export interface RunOutcome {
  readonly runId: string;
  /** completed, failed, canceled, terminated, timed_out */
  readonly status: string;
  readonly result: unknown;
  /** Undefined when the run completed. */
  readonly error: string | undefined;
  readonly failure: Failure | undefined;
}

/** "timed_out" */
export const statusName = (status: number): string => (WorkflowExecutionStatus[status] ?? "UNSPECIFIED").toLowerCase();

export class WorkflowCalls {
  constructor(private readonly context: GatewayContext) {}

  /** @throws ServiceError ALREADY_EXISTS when a run of the id is open. */
  async start(
    request: HttpRequest,
    w: { namespace: string; workflowId: string; workflowType: string; taskQueue: string; input: unknown },
  ): Promise<string> {
    const { runtime } = this.context;
    const { runId } = await this.context.call(request, M.StartWorkflowExecution, {
      namespace: w.namespace,
      workflowId: w.workflowId,
      workflowType: { name: w.workflowType },
      taskQueue: { name: w.taskQueue },
      input: argument(w.input),
      identity: IDENTITY,
      requestId: uuidV4(runtime.randomBytes16()),
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
    });
    return runId;
  }

  async describe(request: HttpRequest, e: Execution): Promise<Description> {
    const { workflowExecutionInfo: info } = await this.context.call(request, M.DescribeWorkflowExecution, {
      namespace: e.namespace,
      execution: { workflowId: e.workflowId, runId: e.runId },
    });
    return descriptionOf(info as WorkflowExecutionInfo);
  }

  /**
   * Waits for the end of the run and, if it `follows`, of those that continue it. Undefined: not within `timeoutMs`, or the caller has
   * gone.
   */
  async outcome(
    request: HttpRequest,
    e: Execution,
    { timeoutMs = Number.POSITIVE_INFINITY, follows = true }: { timeoutMs?: number; follows?: boolean } = {},
  ): Promise<RunOutcome | undefined> {
    const { runtime, draining } = this.context;
    const until = runtime.nowMicros() / 1000 + timeoutMs;
    let { runId } = e;
    let nextPageToken: Uint8Array = EMPTY_BYTES;
    while (!request.signal.aborted && !draining.aborted) {
      const left = until - runtime.nowMicros() / 1000;
      if (left <= 0) return undefined;
      const reply = await this.endOfRun(request, { ...e, runId }, nextPageToken, left);
      nextPageToken = reply?.nextPageToken ?? nextPageToken;
      const event = reply === undefined ? undefined : decode(History, reply.history ?? EMPTY_BYTES).events.at(-1);
      if (event === undefined) continue;
      const end = endOf(event);
      if (typeof end === "object") return { ...end, runId: runId === "" ? (await this.describe(request, e)).runId : runId };
      if (!follows) return await this.continued(request, { ...e, runId });
      runId = end;
      nextPageToken = EMPTY_BYTES;
    }
    return undefined;
  }

  private async continued(request: HttpRequest, e: Execution): Promise<RunOutcome> {
    const { runId, status } = await this.describe(request, e);
    return { runId, status: statusName(status), result: null, error: undefined, failure: undefined };
  }

  private async endOfRun(request: HttpRequest, e: Execution, nextPageToken: Uint8Array, leftMs: number) {
    const message = {
      namespace: e.namespace,
      execution: { workflowId: e.workflowId, runId: e.runId },
      waitNewEvent: true,
      historyEventFilterType: HistoryEventFilterType.CLOSE_EVENT,
      nextPageToken,
    };
    // A long poll ends a second before its deadline.
    return await this.context.call(request, M.GetWorkflowExecutionHistory, message, { timeoutMs: Math.min(WAIT_MS, leftMs) + 1000 });
  }

  /** Every event of a run. */
  async events(request: HttpRequest, e: Execution): Promise<HistoryEvent[]> {
    const events: HistoryEvent[] = [];
    let nextPageToken: Uint8Array = EMPTY_BYTES;
    do {
      const message = { namespace: e.namespace, execution: { workflowId: e.workflowId, runId: e.runId }, nextPageToken };
      const reply = await this.context.call(request, M.GetWorkflowExecutionHistory, message);
      for (const event of decode(History, reply.history ?? EMPTY_BYTES).events) events.push(event);
      nextPageToken = reply.nextPageToken;
    } while (nextPageToken.length > 0);
    return events;
  }

  /** The first event's input. */
  async input(request: HttpRequest, e: Execution): Promise<unknown> {
    const message = { namespace: e.namespace, execution: { workflowId: e.workflowId, runId: e.runId }, maximumPageSize: 1 };
    const { history } = await this.context.call(request, M.GetWorkflowExecutionHistory, message);
    const attributes = decode(History, history ?? EMPTY_BYTES).events[0]?.attributes;
    return attributes?.case === "workflowExecutionStartedEventAttributes" ? resultValue(attributes.value.input) : null;
  }

  async signal(request: HttpRequest, e: Execution, signalName: string, payload: unknown): Promise<void> {
    await this.context.call(request, M.SignalWorkflowExecution, {
      namespace: e.namespace,
      workflowExecution: { workflowId: e.workflowId, runId: e.runId },
      signalName,
      input: argument(payload),
      identity: IDENTITY,
      requestId: uuidV4(this.context.runtime.randomBytes16()),
    });
  }

  async query(request: HttpRequest, e: Execution, queryType: string, payload: unknown): Promise<unknown> {
    const message = {
      namespace: e.namespace,
      execution: { workflowId: e.workflowId, runId: e.runId },
      query: { queryType, queryArgs: argument(payload) },
    };
    const { queryResult } = await this.context.call(request, M.QueryWorkflow, message, { timeoutMs: ANSWER_MS });
    return resultValue(queryResult);
  }

  /** Waits until the update is completed. */
  async update(request: HttpRequest, e: Execution, name: string, payload: unknown): Promise<{ result: unknown } | { failure: Failure }> {
    const { runtime } = this.context;
    const until = runtime.nowMicros() / 1000 + ANSWER_MS;
    const waitPolicy = { lifecycleStage: UpdateWorkflowExecutionLifecycleStage.COMPLETED };
    const updateRequest = {
      meta: { updateId: uuidV4(runtime.randomBytes16()), identity: IDENTITY },
      input: { name, args: argument(payload) },
    };
    let workflowExecution: { workflowId: string; runId: string } = { workflowId: e.workflowId, runId: e.runId };
    let outcome: Outcome | undefined;
    // The same update is asked for again: to poll for it would take a permission more.
    for (let left = ANSWER_MS; outcome === undefined; left = until - runtime.nowMicros() / 1000) {
      if (left <= 0) throw deadlineExceeded("The update is not completed yet.");
      const message = { namespace: e.namespace, workflowExecution, waitPolicy, request: updateRequest };
      const reply = await this.context.call(request, M.UpdateWorkflowExecution, message, { timeoutMs: left });
      outcome = reply.outcome;
      workflowExecution = reply.updateRef?.workflowExecution ?? workflowExecution;
    }
    const { value } = outcome;
    return value.case === "failure" ? { failure: value.value } : { result: resultValue(value.value) };
  }

  /** Answers the run that was asked to stop. */
  async cancel(request: HttpRequest, e: Execution, reason: string): Promise<string> {
    const runId = e.runId === "" ? (await this.describe(request, e)).runId : e.runId;
    await this.context.call(request, M.RequestCancelWorkflowExecution, {
      namespace: e.namespace,
      workflowExecution: { workflowId: e.workflowId, runId },
      identity: IDENTITY,
      requestId: uuidV4(this.context.runtime.randomBytes16()),
      reason,
    });
    return runId;
  }

  async terminate(request: HttpRequest, e: Execution, reason: string): Promise<string> {
    const runId = e.runId === "" ? (await this.describe(request, e)).runId : e.runId;
    await this.context.call(request, M.TerminateWorkflowExecution, {
      namespace: e.namespace,
      workflowExecution: { workflowId: e.workflowId, runId },
      reason,
      identity: IDENTITY,
    });
    return runId;
  }
}

function descriptionOf(info: WorkflowExecutionInfo): Description {
  return {
    runId: info.execution?.runId ?? "",
    status: info.status,
    startTime: timestampMicros(info.startTime),
    closeTime: timestampMicros(info.closeTime),
    historyLength: info.historyLength,
    taskQueue: info.taskQueue,
    workflowType: info.type?.name ?? "",
  };
}

/** How a run ended; the id of the run that continues it, where one does. */
function endOf(event: HistoryEvent): Omit<RunOutcome, "runId"> | string {
  const { attributes } = event;
  const ended = (status: string, error: string, failure?: Failure) => ({ status, result: null, error, failure });
  switch (attributes.case) {
    case "workflowExecutionCompletedEventAttributes":
      return { status: "completed", result: resultValue(attributes.value.result), error: undefined, failure: undefined };
    case "workflowExecutionFailedEventAttributes":
      return ended("failed", failureText(attributes.value.failure), attributes.value.failure);
    case "workflowExecutionCanceledEventAttributes":
      return ended("canceled", "Workflow execution canceled");
    case "workflowExecutionTerminatedEventAttributes":
      return ended("terminated", `Workflow execution terminated${attributes.value.reason === "" ? "" : `: ${attributes.value.reason}`}`);
    case "workflowExecutionContinuedAsNewEventAttributes":
      return attributes.value.newExecutionRunId;
    default:
      return ended("timed_out", "Workflow execution timed out");
  }
}

/** What the workflow's own code said: the innermost message, where the ones around it only say that something failed. */
export function failureText(failure: Failure | undefined): string {
  let text = failure?.message ?? "";
  for (let f = failure; f !== undefined; f = f.cause) {
    if (f.message !== "") text = f.message;
    if (f.failureInfo.case === "applicationFailureInfo") break;
  }
  return text === "" ? "Workflow execution failed" : text;
}
