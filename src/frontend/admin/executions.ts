/** AdminService: one execution, looked at and repaired by hand (core/admin/repair.ts). */
import type {
  DeleteWorkflowExecutionRequest,
  DeleteWorkflowExecutionResponse,
  DescribeMutableStateRequest,
  DescribeMutableStateResponse,
  RebuildMutableStateRequest,
  RebuildMutableStateResponse,
  RefreshWorkflowTasksRequest,
  RefreshWorkflowTasksResponse,
} from "../../../gen/wire/temporal/server/api/adminservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { Code, notFound, ServiceError } from "../../api/service-error.js";
import { RunState } from "../../core/workflow/mutable-state.js";
import { shardOf } from "../../history/shard.js";
import type { Services } from "../services.js";
import { validateExecution } from "../validation/execution.js";
import { addressOf, requireWorkflow } from "./address.js";
import { mutableState } from "./mutable-state.js";

const REQUEST_IDS_MAX = 1_000;

export const describeMutableState =
  (s: Services): Handler<DescribeMutableStateRequest, DescribeMutableStateResponse> =>
  async (request) => {
    const address = addressOf(s, request.namespace, request.execution);
    requireWorkflow(request);
    const found = await s.admin.history.state(address);
    if (found === undefined || !(found.stored instanceof RunState)) throw notFound(`workflow not found for ID: ${address.workflowId}`);
    const { stored, cached } = found;
    const requestIds = await s.admin.history.requestIds(stored, REQUEST_IDS_MAX);
    return {
      shardId: String(shardOf(address)),
      historyAddr: s.server.address,
      cacheMutableState: cached instanceof RunState ? mutableState(cached, requestIds) : undefined,
      databaseMutableState: mutableState(stored, requestIds),
    };
  };

export const refreshWorkflowTasks =
  (s: Services): Handler<RefreshWorkflowTasksRequest, RefreshWorkflowTasksResponse> =>
  async (request) => {
    const { workflowId, runId } = validateExecution(request.execution);
    const namespaceId = s.namespaces.viewById(request.namespaceId).id;
    requireWorkflow(request);
    await s.history.submit({ namespaceId, workflowId, runId }, { kind: "refreshTasks" });
    return {};
  };

export const rebuildMutableState =
  (s: Services): Handler<RebuildMutableStateRequest, RebuildMutableStateResponse> =>
  async (request) => {
    await s.history.submit(addressOf(s, request.namespace, request.execution), { kind: "rebuild" });
    return {};
  };

/** The run goes as it is, without an end in its history. */
export const deleteWorkflowExecution =
  (s: Services): Handler<DeleteWorkflowExecutionRequest, DeleteWorkflowExecutionResponse> =>
  async (request) => {
    const address = addressOf(s, request.namespace, request.execution);
    requireWorkflow(request);
    try {
      await s.history.submit(address, { kind: "delete" });
    } catch (e) {
      if (!(e instanceof ServiceError) || e.code !== Code.NOT_FOUND || address.runId === "") throw e;
      const reason = `workflow execution not found for workflow ID "${address.workflowId}" and run ID "${address.runId}"`;
      return { warnings: [`Unable to load mutable state. Skipping workflow history deletion.. Error: ${reason}`] };
    }
    return {};
  };
