/**
 * THE table: one row per RPC of the services that SDKs call, and (admin-methods.ts, cloud-methods.ts) of AdminService and CloudService. The only place
 * that knows an RPC's handler, its permission, its quota priority and whether it waits. A row without a handler is an RPC of a later issue: it answers UNIMPLEMENTED.
 * grpc.health and reflection are not here: they are the listener's own (src/rpc).
 *
 * Permissions are the authorization tree's; priorities those of the official server (service/frontend/configs/quotas.go), 0 first.
 */
import { KeyService } from "../../gen/wire/perdure/security/v1/service.js";
import { CloudService } from "../../gen/wire/temporal/api/cloud/cloudservice/v1/service.js";
import { OperatorService } from "../../gen/wire/temporal/api/operatorservice/v1/service.js";
import { TestService } from "../../gen/wire/temporal/api/testservice/v1/service.js";
import { WorkflowService } from "../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { AdminService } from "../../gen/wire/temporal/server/api/adminservice/v1/service.js";
import type { Method, MethodTable } from "../api/call.js";
import { adminService } from "./admin-methods.js";
import { cloudService } from "./cloud-methods.js";
import { add, poll, type Rows, row } from "./method-row.js";
import { listClusters, removeRemoteCluster } from "./operator/clusters.js";
import { deleteNamespace } from "./operator/delete-namespace.js";
import { createNexusEndpoint, deleteNexusEndpoint, getNexusEndpoint, listNexusEndpoints, updateNexusEndpoint } from "./operator/nexus-endpoints.js";
import { addSearchAttributes, listSearchAttributes, removeSearchAttributes } from "./operator/search-attributes.js";
import { createKey, deleteKey, listKeys, setKeyDisabled } from "./security/keys.js";
import type { Services } from "./services.js";
import { getCurrentTime, lockTimeSkipping, sleep, sleepUntil, unlockTimeSkipping, unlockTimeSkippingWithSleep } from "./test/time-skipping.js";
import {
  countActivityExecutions,
  deleteActivityExecution,
  describeActivityExecution,
  listActivityExecutions,
  pauseActivityExecution,
  pollActivityExecution,
  requestCancelActivityExecution,
  resetActivityExecution,
  startActivityExecution,
  terminateActivityExecution,
  unpauseActivityExecution,
  updateActivityExecutionOptions,
} from "./workflow/activity-executions.js";
import { pauseActivity, resetActivity, unpauseActivity, updateActivityOptions } from "./workflow/activity-operations.js";
import {
  pollActivityTaskQueue,
  recordActivityTaskHeartbeat,
  recordActivityTaskHeartbeatById,
  respondActivityTaskCanceled,
  respondActivityTaskCanceledById,
  respondActivityTaskCompleted,
  respondActivityTaskCompletedById,
  respondActivityTaskFailed,
  respondActivityTaskFailedById,
} from "./workflow/activity-tasks.js";
import { describeBatchOperation, listBatchOperations, startBatchOperation, stopBatchOperation } from "./workflow/batch-operations.js";
import {
  getWorkerBuildIdCompatibility,
  getWorkerTaskReachability,
  getWorkerVersioningRules,
  updateWorkerBuildIdCompatibility,
  updateWorkerVersioningRules,
} from "./workflow/build-ids.js";
import {
  deleteWorkflowExecution,
  requestCancelWorkflowExecution,
  resetStickyTaskQueue,
  terminateWorkflowExecution,
} from "./workflow/cancel-terminate-delete.js";
import { refusedDeployment } from "./workflow/deployments.js";
import { describeWorkflowExecution } from "./workflow/describe.js";
import { getWorkflowExecutionHistory, getWorkflowExecutionHistoryReverse } from "./workflow/history.js";
import { executeMultiOperation } from "./workflow/multi-operation.js";
import { deprecateNamespace, describeNamespace, listNamespaces, registerNamespace, updateNamespace } from "./workflow/namespaces.js";
import { pollNexusTaskQueue, respondNexusTaskCompleted, respondNexusTaskFailed } from "./workflow/nexus.js";
import {
  countNexusOperationExecutions,
  deleteNexusOperationExecution,
  describeNexusOperationExecution,
  listNexusOperationExecutions,
  pollNexusOperationExecution,
  requestCancelNexusOperationExecution,
  startNexusOperationExecution,
  terminateNexusOperationExecution,
} from "./workflow/nexus-operations.js";
import { updateWorkflowExecutionOptions } from "./workflow/options.js";
import { pauseWorkflowExecution, unpauseWorkflowExecution } from "./workflow/pause.js";
import { queryWorkflow } from "./workflow/query.js";
import { resetWorkflowExecution } from "./workflow/reset.js";
import { createWorkflowRule, deleteWorkflowRule, describeWorkflowRule, listWorkflowRules, triggerWorkflowRule } from "./workflow/rules.js";
import {
  countSchedules,
  createSchedule,
  deleteSchedule,
  describeSchedule,
  listScheduleMatchingTimes,
  listSchedules,
  patchSchedule,
  updateSchedule,
} from "./workflow/schedules.js";
import { signalWorkflowExecution } from "./workflow/signal.js";
import { signalWithStartWorkflowExecution, startWorkflowExecution } from "./workflow/start.js";
import { getClusterInfo, getSystemInfo } from "./workflow/system.js";
import { describeTaskQueue, listTaskQueuePartitions, updateTaskQueueConfig } from "./workflow/task-queues.js";
import { pollWorkflowExecutionTimeSkipping } from "./workflow/time-skipping.js";
import { pollWorkflowExecutionUpdate, updateWorkflowExecution } from "./workflow/updates.js";
import {
  countWorkflowExecutions,
  getSearchAttributes,
  listArchivedWorkflowExecutions,
  listClosedWorkflowExecutions,
  listOpenWorkflowExecutions,
  listWorkflowExecutions,
  scanWorkflowExecutions,
} from "./workflow/visibility.js";
import {
  createWorkerDeployment,
  createWorkerDeploymentVersion,
  deleteWorkerDeployment,
  deleteWorkerDeploymentVersion,
  describeWorkerDeployment,
  describeWorkerDeploymentVersion,
  listWorkerDeployments,
  setWorkerDeploymentCurrentVersion,
  setWorkerDeploymentManager,
  setWorkerDeploymentRampingVersion,
  updateWorkerDeploymentVersionComputeConfig,
  updateWorkerDeploymentVersionMetadata,
  validateWorkerDeploymentVersionComputeConfig,
} from "./workflow/worker-deployments.js";
import {
  countWorkers,
  describeWorker,
  fetchWorkerConfig,
  listWorkers,
  recordWorkerHeartbeat,
  shutdownWorker,
  updateWorkerConfig,
} from "./workflow/workers.js";
import {
  pollWorkflowTaskQueue,
  respondQueryTaskCompleted,
  respondWorkflowTaskCompleted,
  respondWorkflowTaskFailed,
} from "./workflow/workflow-tasks.js";

const workflowService = (s: Services): Rows<typeof WorkflowService.methods> => ({
  RegisterNamespace: row("namespace.create", 0, registerNamespace(s)),
  DescribeNamespace: row("namespace.read", 0, describeNamespace(s)),
  // Shows what the caller may see.
  ListNamespaces: row("namespace.read", 0, listNamespaces(s)),
  UpdateNamespace: row("namespace.update", 0, updateNamespace(s)),
  DeprecateNamespace: row("namespace.update", 0, deprecateNamespace(s)),

  // Workflows
  StartWorkflowExecution: row("workflow.start", 1, startWorkflowExecution(s)),
  SignalWithStartWorkflowExecution: row("workflow.start", 1, signalWithStartWorkflowExecution(s)),
  ExecuteMultiOperation: poll("workflow.start", 1, executeMultiOperation(s)),
  SignalWorkflowExecution: row("workflow.signal", 1, signalWorkflowExecution(s)),
  UpdateWorkflowExecution: poll("workflow.signal", 1, updateWorkflowExecution(s)),
  PollWorkflowExecutionUpdate: poll("workflow.read", 4, pollWorkflowExecutionUpdate(s)),
  QueryWorkflow: poll("workflow.query", 3, queryWorkflow(s)),
  RequestCancelWorkflowExecution: row("workflow.cancel", 2, requestCancelWorkflowExecution(s)),
  TerminateWorkflowExecution: row("workflow.terminate", 2, terminateWorkflowExecution(s)),
  ResetWorkflowExecution: row("workflow.terminate", 2, resetWorkflowExecution(s)),
  DeleteWorkflowExecution: row("workflow.terminate", 2, deleteWorkflowExecution(s)),
  PauseWorkflowExecution: row("workflow.signal", 2, pauseWorkflowExecution(s)),
  UnpauseWorkflowExecution: row("workflow.signal", 2, unpauseWorkflowExecution(s)),
  UpdateWorkflowExecutionOptions: row("workflow.signal", 2, updateWorkflowExecutionOptions(s)),
  DescribeWorkflowExecution: row("workflow.read", 3, describeWorkflowExecution(s)),
  GetWorkflowExecutionHistory: poll("workflow.read", 2, getWorkflowExecutionHistory(s)),
  GetWorkflowExecutionHistoryReverse: row("workflow.read", 4, getWorkflowExecutionHistoryReverse(s)),
  PollWorkflowExecutionTimeSkipping: poll("workflow.read", 5, pollWorkflowExecutionTimeSkipping(s)),

  // Lists
  ListWorkflowExecutions: row("workflow.list", 1, listWorkflowExecutions(s)),
  ListOpenWorkflowExecutions: row("workflow.list", 1, listOpenWorkflowExecutions(s)),
  ListClosedWorkflowExecutions: row("workflow.list", 1, listClosedWorkflowExecutions(s)),
  ListArchivedWorkflowExecutions: row("workflow.list", 1, listArchivedWorkflowExecutions(s)),
  ScanWorkflowExecutions: row("workflow.list", 1, scanWorkflowExecutions(s)),
  CountWorkflowExecutions: row("workflow.list", 1, countWorkflowExecutions(s)),
  GetSearchAttributes: row("cluster.read", 0, getSearchAttributes(s)),

  // Workers: workflow, activity and Nexus tasks
  PollWorkflowTaskQueue: poll("worker.poll", 4, pollWorkflowTaskQueue(s)),
  RespondWorkflowTaskCompleted: row("worker.respond", 1, respondWorkflowTaskCompleted(s)),
  RespondWorkflowTaskFailed: row("worker.respond", 3, respondWorkflowTaskFailed(s)),
  RespondQueryTaskCompleted: row("worker.respond", 1, respondQueryTaskCompleted(s)),
  PollActivityTaskQueue: poll("worker.poll", 4, pollActivityTaskQueue(s)),
  RecordActivityTaskHeartbeat: row("worker.respond", 1, recordActivityTaskHeartbeat(s)),
  RecordActivityTaskHeartbeatById: row("worker.respond", 1, recordActivityTaskHeartbeatById(s)),
  RespondActivityTaskCompleted: row("worker.respond", 1, respondActivityTaskCompleted(s)),
  RespondActivityTaskCompletedById: row("worker.respond", 1, respondActivityTaskCompletedById(s)),
  RespondActivityTaskFailed: row("worker.respond", 3, respondActivityTaskFailed(s)),
  RespondActivityTaskFailedById: row("worker.respond", 3, respondActivityTaskFailedById(s)),
  RespondActivityTaskCanceled: row("worker.respond", 3, respondActivityTaskCanceled(s)),
  RespondActivityTaskCanceledById: row("worker.respond", 3, respondActivityTaskCanceledById(s)),
  PollNexusTaskQueue: poll("worker.poll", 4, pollNexusTaskQueue(s)),
  RespondNexusTaskCompleted: row("worker.respond", 1, respondNexusTaskCompleted(s)),
  RespondNexusTaskFailed: row("worker.respond", 3, respondNexusTaskFailed(s)),
  ResetStickyTaskQueue: row("worker.respond", 4, resetStickyTaskQueue(s)),
  ShutdownWorker: row("worker.poll", 4, shutdownWorker(s)),
  RecordWorkerHeartbeat: row("worker.poll", 4, recordWorkerHeartbeat(s)),
  ListWorkers: row("workflow.read", 3, listWorkers(s)),
  CountWorkers: row("workflow.read", 3, countWorkers(s)),
  DescribeWorker: row("workflow.read", 3, describeWorker(s)),
  FetchWorkerConfig: row("worker.poll", 4, fetchWorkerConfig(s)),
  UpdateWorkerConfig: row("namespace.update", 4, updateWorkerConfig(s)),

  // Task queues
  DescribeTaskQueue: row("workflow.read", 3, describeTaskQueue(s)),
  ListTaskQueuePartitions: row("workflow.read", 3, listTaskQueuePartitions(s)),
  UpdateTaskQueueConfig: row("namespace.update", 2, updateTaskQueueConfig(s)),

  // The server
  GetSystemInfo: row("none", 0, getSystemInfo(s)),
  GetClusterInfo: row("authenticated", 0, getClusterInfo(s)),

  // Schedules
  CreateSchedule: row("workflow.start", 1, createSchedule(s)),
  DescribeSchedule: row("workflow.read", 3, describeSchedule(s)),
  UpdateSchedule: row("workflow.start", 2, updateSchedule(s)),
  PatchSchedule: row("workflow.start", 2, patchSchedule(s)),
  ListScheduleMatchingTimes: row("workflow.read", 3, listScheduleMatchingTimes(s)),
  DeleteSchedule: row("workflow.terminate", 2, deleteSchedule(s)),
  ListSchedules: row("workflow.list", 1, listSchedules(s)),
  CountSchedules: row("workflow.list", 1, countSchedules(s)),

  // Versions of workers
  UpdateWorkerBuildIdCompatibility: row("namespace.update", 2, updateWorkerBuildIdCompatibility(s)),
  GetWorkerBuildIdCompatibility: row("workflow.read", 3, getWorkerBuildIdCompatibility(s)),
  UpdateWorkerVersioningRules: row("namespace.update", 2, updateWorkerVersioningRules(s)),
  GetWorkerVersioningRules: row("workflow.read", 3, getWorkerVersioningRules(s)),
  GetWorkerTaskReachability: row("workflow.read", 1, getWorkerTaskReachability(s)),
  DescribeDeployment: row("workflow.read", 3, refusedDeployment()),
  ListDeployments: row("workflow.list", 1, refusedDeployment()),
  GetDeploymentReachability: row("workflow.read", 1, refusedDeployment()),
  GetCurrentDeployment: row("workflow.read", 3, refusedDeployment()),
  SetCurrentDeployment: row("namespace.update", 2, refusedDeployment()),
  DescribeWorkerDeploymentVersion: row("workflow.read", 3, describeWorkerDeploymentVersion(s)),
  SetWorkerDeploymentCurrentVersion: row("namespace.update", 2, setWorkerDeploymentCurrentVersion(s)),
  SetWorkerDeploymentRampingVersion: row("namespace.update", 2, setWorkerDeploymentRampingVersion(s)),
  DescribeWorkerDeployment: row("workflow.read", 3, describeWorkerDeployment(s)),
  ListWorkerDeployments: row("workflow.list", 1, listWorkerDeployments(s)),
  CreateWorkerDeployment: row("namespace.update", 2, createWorkerDeployment(s)),
  CreateWorkerDeploymentVersion: row("namespace.update", 2, createWorkerDeploymentVersion(s)),
  DeleteWorkerDeployment: row("namespace.update", 2, deleteWorkerDeployment(s)),
  DeleteWorkerDeploymentVersion: row("namespace.update", 2, deleteWorkerDeploymentVersion(s)),
  UpdateWorkerDeploymentVersionComputeConfig: row("namespace.update", 2, updateWorkerDeploymentVersionComputeConfig(s)),
  ValidateWorkerDeploymentVersionComputeConfig: row("workflow.read", 3, validateWorkerDeploymentVersionComputeConfig(s)),
  UpdateWorkerDeploymentVersionMetadata: row("namespace.update", 2, updateWorkerDeploymentVersionMetadata(s)),
  SetWorkerDeploymentManager: row("namespace.update", 2, setWorkerDeploymentManager(s)),

  // Batches and rules
  CreateWorkflowRule: row("namespace.update", 2, createWorkflowRule(s)),
  DescribeWorkflowRule: row("workflow.read", 2, describeWorkflowRule(s)),
  DeleteWorkflowRule: row("namespace.update", 2, deleteWorkflowRule(s)),
  ListWorkflowRules: row("workflow.list", 2, listWorkflowRules(s)),
  TriggerWorkflowRule: row("workflow.signal", 2, triggerWorkflowRule(s)),
  StartBatchOperation: row("workflow.terminate", 1, startBatchOperation(s)),
  StopBatchOperation: row("workflow.terminate", 2, stopBatchOperation(s)),
  DescribeBatchOperation: row("workflow.read", 3, describeBatchOperation(s)),
  ListBatchOperations: row("workflow.list", 1, listBatchOperations(s)),

  // Activities of a workflow
  UpdateActivityOptions: row("workflow.signal", 2, updateActivityOptions(s)),
  PauseActivity: row("workflow.signal", 2, pauseActivity(s)),
  UnpauseActivity: row("workflow.signal", 2, unpauseActivity(s)),
  ResetActivity: row("workflow.signal", 2, resetActivity(s)),

  // Standalone activities
  StartActivityExecution: row("workflow.start", 1, startActivityExecution(s)),
  DescribeActivityExecution: poll("workflow.read", 3, describeActivityExecution(s)),
  PollActivityExecution: poll("workflow.read", 4, pollActivityExecution(s)),
  ListActivityExecutions: row("workflow.list", 1, listActivityExecutions(s)),
  CountActivityExecutions: row("workflow.list", 1, countActivityExecutions(s)),
  RequestCancelActivityExecution: row("workflow.cancel", 2, requestCancelActivityExecution(s)),
  TerminateActivityExecution: row("workflow.terminate", 2, terminateActivityExecution(s)),
  DeleteActivityExecution: row("workflow.terminate", 2, deleteActivityExecution(s)),
  PauseActivityExecution: row("workflow.signal", 2, pauseActivityExecution(s)),
  UnpauseActivityExecution: row("workflow.signal", 2, unpauseActivityExecution(s)),
  ResetActivityExecution: row("workflow.signal", 2, resetActivityExecution(s)),
  UpdateActivityExecutionOptions: row("workflow.signal", 2, updateActivityExecutionOptions(s)),

  // Standalone Nexus operations
  StartNexusOperationExecution: row("workflow.start", 1, startNexusOperationExecution(s)),
  DescribeNexusOperationExecution: poll("workflow.read", 3, describeNexusOperationExecution(s)),
  PollNexusOperationExecution: poll("workflow.read", 4, pollNexusOperationExecution(s)),
  ListNexusOperationExecutions: row("workflow.list", 1, listNexusOperationExecutions(s)),
  CountNexusOperationExecutions: row("workflow.list", 1, countNexusOperationExecutions(s)),
  RequestCancelNexusOperationExecution: row("workflow.cancel", 2, requestCancelNexusOperationExecution(s)),
  TerminateNexusOperationExecution: row("workflow.terminate", 2, terminateNexusOperationExecution(s)),
  DeleteNexusOperationExecution: row("workflow.terminate", 2, deleteNexusOperationExecution(s)),
});

const operatorService = (s: Services): Rows<typeof OperatorService.methods> => ({
  AddSearchAttributes: row("namespace.update", 2, addSearchAttributes(s)),
  RemoveSearchAttributes: row("namespace.update", 2, removeSearchAttributes(s)),
  ListSearchAttributes: row("namespace.read", 3, listSearchAttributes(s)),
  DeleteNamespace: row("namespace.delete", 2, deleteNamespace(s)),
  AddOrUpdateRemoteCluster: row("cluster.write", 2),
  RemoveRemoteCluster: row("cluster.write", 2, removeRemoteCluster(s)),
  ListClusters: row("cluster.read", 3, listClusters(s)),
  GetNexusEndpoint: row("cluster.read", 3, getNexusEndpoint(s)),
  CreateNexusEndpoint: row("cluster.write", 2, createNexusEndpoint(s)),
  UpdateNexusEndpoint: row("cluster.write", 2, updateNexusEndpoint(s)),
  DeleteNexusEndpoint: row("cluster.write", 2, deleteNexusEndpoint(s)),
  ListNexusEndpoints: row("cluster.read", 3, listNexusEndpoints(s)),
});

const testService = (s: Services): Rows<typeof TestService.methods> => ({
  LockTimeSkipping: row("cluster.write", 2, lockTimeSkipping(s)),
  UnlockTimeSkipping: row("cluster.write", 2, unlockTimeSkipping(s)),
  UnlockTimeSkippingWithSleep: poll("cluster.write", 2, unlockTimeSkippingWithSleep(s)),
  Sleep: poll("cluster.write", 2, sleep(s)),
  SleepUntil: poll("cluster.write", 2, sleepUntil(s)),
  GetCurrentTime: row("cluster.read", 2, getCurrentTime(s)),
});

const keyService = (s: Services): Rows<typeof KeyService.methods> => ({
  CreateKey: row("cluster.write", 2, createKey(s)),
  ListKeys: row("cluster.write", 3, listKeys(s)),
  SetKeyDisabled: row("cluster.write", 2, setKeyDisabled(s)),
  DeleteKey: row("cluster.write", 2, deleteKey(s)),
});

export function methodTable(s: Services): MethodTable {
  const table = new Map<string, Method>();
  add(table, WorkflowService, workflowService(s));
  add(table, OperatorService, operatorService(s));
  add(table, TestService, testService(s));
  add(table, KeyService, keyService(s));
  add(table, AdminService, adminService(s));
  add(table, CloudService, cloudService(s));
  return table;
}
