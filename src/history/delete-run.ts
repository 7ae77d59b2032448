/** Deletes a run, open or closed, for DeleteWorkflowExecution and for whoever deletes many. */
import { TerminateWorkflowExecutionRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { Code, ServiceError } from "../api/service-error.js";
import type { ExecutionAddress } from "../core/input.js";
import type { HistoryService } from "./contract.js";

/**
 * An open run is terminated first: whoever waits for it learns how it ended.
 * @throws ServiceError NOT_FOUND when there is no such run.
 */
export async function deleteRun(history: HistoryService, namespace: { id: string; name: string }, workflowId: string, runId: string): Promise<void> {
  const position = await history.submit({ namespaceId: namespace.id, workflowId, runId }, { kind: "historyPosition" });
  const run: ExecutionAddress = { namespaceId: namespace.id, workflowId, runId: position.runId };
  if (position.isOpen) {
    const termination = TerminateWorkflowExecutionRequest.create({
      namespace: namespace.name,
      workflowExecution: { workflowId, runId: run.runId },
      reason: "Delete workflow execution",
      identity: "history-service",
    });
    try {
      await history.submit(run, { kind: "terminate", request: termination, childWorkflowOnly: false, parent: undefined });
    } catch (e) {
      // It has ended by itself in the meantime.
      if (!(e instanceof ServiceError && e.code === Code.NOT_FOUND)) throw e;
    }
  }
  await history.submit(run, { kind: "delete" });
}
