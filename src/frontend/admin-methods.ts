/**
 * AdminService: the rows of an operator's RPCs in the table of methods (methods.ts). What an operator does here may break what a
 * workflow relies on: every row that changes something needs the permission to change the cluster.
 */
import type { AdminService } from "../../gen/wire/temporal/server/api/adminservice/v1/service.js";
import type { Handler } from "../api/call.js";
import { unimplemented } from "../api/service-error.js";
import { startAdminBatchOperation } from "./admin/batch.js";
import {
  deepHealthCheck,
  describeCluster,
  describeHistoryHost,
  getNamespace,
  listClusterMembers,
  listClusters,
  removeRemoteCluster,
} from "./admin/cluster.js";
import {
  cancelDLQJob,
  describeDLQJob,
  getDLQMessages,
  getDLQTasks,
  listQueues,
  mergeDLQMessages,
  mergeDLQTasks,
  purgeDLQMessages,
  purgeDLQTasks,
} from "./admin/dlq.js";
import { deleteWorkflowExecution, describeMutableState, rebuildMutableState, refreshWorkflowTasks } from "./admin/executions.js";
import { importWorkflowExecution } from "./admin/import.js";
import { getWorkflowExecutionRawHistory, getWorkflowExecutionRawHistoryV2 } from "./admin/raw-history.js";
import { addSearchAttributes, getSearchAttributes, removeSearchAttributes } from "./admin/search-attributes.js";
import { closeShard, getShard, listHistoryTasks, removeTask } from "./admin/shards.js";
import { describeTaskQueuePartition, forceUnloadTaskQueuePartition, getTaskQueueTasks, getTaskQueueUserData } from "./admin/task-queues.js";
import { type Rows, row } from "./method-row.js";
import type { Services } from "./services.js";

/** Of RPCs that only several clusters, or the official server's own storage, need. */
const refuse =
  <I, O>(reason: string): Handler<I, O> =>
  () => {
    throw unimplemented(reason);
  };
const ALONE = "not implemented: this server is a cluster of its own and replicates nothing";

/** All of it is for administrators of the server, reads too, as on the official server (common/api/metadata.go): they see every namespace. */
export const adminService = (s: Services): Rows<typeof AdminService.methods> => ({
  // Executions
  DescribeMutableState: row("cluster.write", 3, describeMutableState(s)),
  RebuildMutableState: row("cluster.write", 2, rebuildMutableState(s)),
  RefreshWorkflowTasks: row("cluster.write", 2, refreshWorkflowTasks(s)),
  ImportWorkflowExecution: row("cluster.write", 2, importWorkflowExecution(s)),
  DeleteWorkflowExecution: row("cluster.write", 2, deleteWorkflowExecution(s)),
  GetWorkflowExecutionRawHistory: row("cluster.write", 3, getWorkflowExecutionRawHistory(s)),
  GetWorkflowExecutionRawHistoryV2: row("cluster.write", 3, getWorkflowExecutionRawHistoryV2(s)),
  StartAdminBatchOperation: row("cluster.write", 2, startAdminBatchOperation(s)),
  MigrateSchedule: row("cluster.write", 2, refuse("not implemented: there is one scheduler")),

  // Shards and tasks of history
  DescribeHistoryHost: row("cluster.write", 3, describeHistoryHost(s)),
  GetShard: row("cluster.write", 3, getShard(s)),
  CloseShard: row("cluster.write", 2, closeShard(s)),
  ListHistoryTasks: row("cluster.write", 3, listHistoryTasks(s)),
  RemoveTask: row("cluster.write", 2, removeTask(s)),
  AddTasks: row("cluster.write", 2, refuse("not implemented: tasks of history are in a form of this server's own")),

  // Task queues
  GetTaskQueueTasks: row("cluster.write", 3, getTaskQueueTasks(s)),
  DescribeTaskQueuePartition: row("cluster.write", 3, describeTaskQueuePartition(s)),
  ForceUnloadTaskQueuePartition: row("cluster.write", 2, forceUnloadTaskQueuePartition(s)),
  GetTaskQueueUserData: row("cluster.write", 3, getTaskQueueUserData(s)),

  // The cluster, namespaces, search attributes
  DescribeCluster: row("cluster.write", 3, describeCluster(s)),
  ListClusters: row("cluster.write", 3, listClusters(s)),
  ListClusterMembers: row("cluster.write", 3, listClusterMembers(s)),
  DeepHealthCheck: row("cluster.write", 0, deepHealthCheck(s)),
  GetNamespace: row("cluster.write", 3, getNamespace(s)),
  AddSearchAttributes: row("cluster.write", 2, addSearchAttributes(s)),
  RemoveSearchAttributes: row("cluster.write", 2, removeSearchAttributes(s)),
  GetSearchAttributes: row("cluster.write", 3, getSearchAttributes(s)),
  AddOrUpdateRemoteCluster: row("cluster.write", 2, refuse(ALONE)),
  RemoveRemoteCluster: row("cluster.write", 2, removeRemoteCluster(s)),

  // Dead letters
  GetDLQTasks: row("cluster.write", 3, getDLQTasks(s)),
  PurgeDLQTasks: row("cluster.write", 2, purgeDLQTasks(s)),
  MergeDLQTasks: row("cluster.write", 2, mergeDLQTasks(s)),
  DescribeDLQJob: row("cluster.write", 3, describeDLQJob(s)),
  CancelDLQJob: row("cluster.write", 2, cancelDLQJob(s)),
  ListQueues: row("cluster.write", 3, listQueues(s)),
  GetDLQMessages: row("cluster.write", 3, getDLQMessages(s)),
  PurgeDLQMessages: row("cluster.write", 2, purgeDLQMessages(s)),
  MergeDLQMessages: row("cluster.write", 2, mergeDLQMessages(s)),

  // Between clusters
  GetReplicationMessages: row("cluster.write", 3, refuse(ALONE)),
  GetNamespaceReplicationMessages: row("cluster.write", 3, refuse(ALONE)),
  GetDLQReplicationMessages: row("cluster.write", 3, refuse(ALONE)),
  StreamWorkflowReplicationMessages: row("cluster.write", 3, refuse(ALONE)),
  SyncWorkflowState: row("cluster.write", 3, refuse(ALONE)),
  ReapplyEvents: row("cluster.write", 2, refuse(ALONE)),
  ResendReplicationTasks: row("cluster.write", 2, refuse("ResendReplicationTasks is not implemented in AdminHandler")),
  GenerateLastHistoryReplicationTasks: row("cluster.write", 2, refuse(ALONE)),
});
