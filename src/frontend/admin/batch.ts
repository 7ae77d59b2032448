/**
 * AdminService: a batch operation for operators. It is a job like those of WorkflowService, of a division of its own; its one operation
 * refreshes the tasks of workflows, open or closed. Rules and texts: service/frontend/admin_handler.go of the official server.
 */
import { ResourceExhaustedCause, ResourceExhaustedScope } from "../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import type {
  StartAdminBatchOperationRequest,
  StartAdminBatchOperationResponse,
} from "../../../gen/wire/temporal/server/api/adminservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument, resourceExhausted } from "../../api/service-error.js";
import { REFRESH_TASKS, targetsOf } from "../../core/batch/admin-job.js";
import { ADMIN_BATCH_DIVISION } from "../../core/batch/job-memo.js";
import type { Services } from "../services.js";
import { checkSyntax } from "../workflow/batch-operations.js";

export const startAdminBatchOperation =
  (s: Services): Handler<StartAdminBatchOperationRequest, StartAdminBatchOperationResponse> =>
  async (request) => {
    validate(request);
    checkSyntax(request.visibilityQuery);
    const namespace = s.namespaces.view(request.namespace);
    const { count } = await s.visibility.count(namespace, `TemporalNamespaceDivision = '${ADMIN_BATCH_DIVISION}' AND ExecutionStatus = 'Running'`);
    if ((count ?? 0) >= s.limits(request.namespace).adminBatchOperationsMax)
      throw resourceExhausted(
        "Max concurrent admin batch operations is reached",
        ResourceExhaustedCause.CONCURRENT_LIMIT,
        ResourceExhaustedScope.NAMESPACE,
      );
    const { identity, visibilityQuery: query } = request;
    await s.batches.start(namespace, { request: targetsOf(request), admin: request, query, type: REFRESH_TASKS, identity });
    return {};
  };

function validate({ operation, reason, namespace, visibilityQuery, executions, jobId }: StartAdminBatchOperationRequest): void {
  if (operation.case === undefined || reason === "" || namespace === "" || (visibilityQuery === "" && executions.length === 0))
    throw invalidArgument("must provide required parameters: Operation, Reason, Namespace, AND one of (Query OR Executions)");
  if (jobId === "") throw invalidArgument("JobId is not set on request.");
  if (visibilityQuery !== "" && executions.length > 0) throw invalidArgument("batch query and executions are mutually exclusive");
}
