/**
 * QueryWorkflow. The core decides how a query is answered: at once, by a worker that is asked directly, or with the workflow task
 * in progress. In the last case the answer comes with another input, so the caller's patience is kept here.
 */
import { QueryRejectCondition } from "../../../gen/wire/temporal/api/enums/v1/query.js";
import type { QueryWorkflowRequest, QueryWorkflowResponse } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call, Handler } from "../../api/call.js";
import { deadlineExceeded, invalidArgument } from "../../api/service-error.js";
import type { ExecutionAddress } from "../../core/input.js";
import type { QueryReply } from "../../core/transition.js";
import { remainingMs, type Services } from "../services.js";
import { validateExecution } from "../validation/execution.js";
import { validateBlob } from "../validation/size.js";

export const queryWorkflow =
  (s: Services): Handler<QueryWorkflowRequest, QueryWorkflowResponse> =>
  async (request, call) => {
    const { workflowId, runId } = validateExecution(request.execution);
    const { query, namespace } = request;
    if (query === undefined) throw invalidArgument("WorkflowQuery is not set on request.");
    if (query.queryType === "") throw invalidArgument("QueryType is not set on request.");
    if (request.queryRejectCondition === QueryRejectCondition.UNSPECIFIED) request.queryRejectCondition = QueryRejectCondition.NONE;
    const view = s.namespaces.view(namespace);
    const limits = s.limits(namespace);
    validateBlob(query.queryArgs, { logger: s.logger, limits, operation: "QueryWorkflow", namespace, workflowId, runId });
    const patient = withDeadline(s, call, limits.queryWithoutDeadlineMs);
    // A query is asked of a worker outside of any task: the clock of a test waits for it.
    const release = s.clocks.hold(view.id);
    try {
      const reply = await ask(s, { namespaceId: view.id, workflowId, runId }, request, patient);
      if (reply.kind === "answered") return reply.response;
      const execution = { workflowId, runId: reply.runId };
      const run = { namespaceId: view.id, ...execution };
      // If it has closed meanwhile, nothing more will be asked of its sticky worker.
      const onStickyUnanswered = () => void s.history.submit(run, { kind: "resetSticky" }).catch(() => undefined);
      return await s.matching.query(view, { reply, request: { ...request, execution }, onStickyUnanswered }, patient);
    } finally {
      release();
    }
  };

/** The call, with a deadline if it has none. */
function withDeadline(s: Services, call: Call, timeoutMs: number): Call {
  if (call.deadlineMs !== undefined) return call;
  const deadlineMs = s.runtime.nowMicros() / 1000 + timeoutMs;
  return {
    path: call.path,
    peer: call.peer,
    deadlineMs,
    metadata: (key) => call.metadata(key),
    onCancel: (f) => call.onCancel(f),
    get cancelled() {
      return call.cancelled;
    },
  };
}

async function ask(s: Services, address: ExecutionAddress, request: QueryWorkflowRequest, call: Call): Promise<QueryReply> {
  const waiter = s.history.newWaiter();
  const answer = s.history.submit(address, { kind: "query", request, waiter });
  return new Promise((resolve, reject) => {
    const end = () => {
      stopTimer();
      stopWatching();
    };
    const giveUp = () => {
      end();
      reject(deadlineExceeded("query timed out before a worker could process it"));
      // The core forgets the query; if it was answered or its run has gone, there is nothing left to forget.
      s.history.submit(address, { kind: "dropQuery", waiter }).catch(() => undefined);
    };
    const stopTimer = s.runtime.setTimer(Math.max(0, remainingMs(call.deadlineMs, s.runtime) ?? 0), giveUp);
    let stopWatching: () => void = () => undefined;
    stopWatching = call.onCancel(giveUp);
    answer.then(
      (reply) => {
        end();
        resolve(reply);
      },
      (error: unknown) => {
        end();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
