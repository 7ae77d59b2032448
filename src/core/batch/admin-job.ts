/** A batch operation of AdminService: a job like the others, whose one operation refreshes the tasks of workflows. */
import { StartBatchOperationRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { StartAdminBatchOperationRequest } from "../../../gen/wire/temporal/server/api/adminservice/v1/request_response.js";

/** Beside the types of the API. */
export const REFRESH_TASKS = -1;

/** Its targets in the form of the other jobs', without an operation. */
export const targetsOf = ({ namespace, jobId, reason, visibilityQuery, executions }: StartAdminBatchOperationRequest): StartBatchOperationRequest =>
  StartBatchOperationRequest.create({ namespace, jobId, reason, visibilityQuery, executions });
