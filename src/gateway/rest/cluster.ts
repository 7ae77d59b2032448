/** The cluster of one process, its shards, and task queues as an administrator sees them. */
import type { Permission } from "../../api/call.js";
import { Code, ServiceError } from "../../api/service-error.js";
import type { JsonObject } from "../json/json-text.js";
import { runOwn } from "../own-method.js";
import type { GatewayContext } from "../route.js";
import { queueOf } from "./queue-names.js";
import { booleanOf, listOf, type RestCall, type RestRoute } from "./rest-call.js";
import { RestError } from "./rest-error.js";

const SHARD = "/shards/{shard_id}";
const QUEUE = "/namespaces/{namespace}/task-queues/{task_queue}";
const ROLES = ["FRONTEND", "HISTORY", "MATCHING", "WORKER"] as const;

export const CLUSTER_ROUTES: readonly RestRoute[] = [
  { method: "GET", template: "/cluster", handler: describeCluster },
  { method: "GET", template: "/cluster/members", handler: async (call) => ({ active_members: await members(call) }) },
  { method: "GET", template: SHARD, handler: (call) => own(call, "GetShard", "cluster.read", () => describeShard(call)) },
  { method: "POST", template: `${SHARD}/close`, handler: (call) => own(call, "CloseShard", "cluster.write", () => closeShard(call)) },
  { method: "GET", template: QUEUE, isShared: true, handler: describeTaskQueue },
  { method: "GET", template: `${QUEUE}/partitions`, handler: partitions },
];

/** What is no RPC passes the interceptors all the same. */
async function own(
  call: RestCall,
  name: string,
  permission: Permission,
  f: () => JsonObject | Promise<JsonObject>,
  message = {},
): Promise<JsonObject> {
  return runOwn(call.context, call.request, { service: "perdure.gateway.rest", name, permission, handler: f }, message);
}

async function describeCluster(call: RestCall): Promise<JsonObject> {
  return { cluster_info: await call.rpc("GetClusterInfo", {}), membership_info: await members(call) };
}

async function members(call: RestCall): Promise<JsonObject[]> {
  const found = await own(call, "ListClusterMembers", "cluster.read", () => ({ members: membersOf(call.context) }));
  return listOf(found["members"]) as JsonObject[];
}

/** One process is every member. */
function membersOf({ services, runtime }: GatewayContext): JsonObject[] {
  const { address, clusterId } = services.server;
  const at = address.lastIndexOf(":");
  const iso = (ms: number) => new Date(ms).toISOString();
  return ROLES.map((role) => ({
    role: `CLUSTER_MEMBER_ROLE_${role}`,
    host_id: clusterId,
    rpc_address: address.slice(0, at),
    rpc_port: Number(address.slice(at + 1)),
    session_start_time: iso(performance.timeOrigin),
    last_heartbit_time: iso(runtime.nowMicros() / 1000),
  }));
}

/** @throws ServiceError */
function shardId(call: RestCall): number {
  const text = call.parameters["shard_id"] ?? "";
  const { count } = call.context.services.shards;
  const field = (description: string) => ({ type: "BadRequest", field: "shard_id", description });
  if (!/^-?\d+$/.test(text))
    throw new RestError(
      { code: Code.INVALID_ARGUMENT, message: `Shard id ${JSON.stringify(text)} is not a number.`, details: [] },
      undefined,
      field("must be a number"),
    );
  const id = Number(text);
  if (id < 1 || id > count)
    throw new RestError(
      { code: Code.OUT_OF_RANGE, message: `Shard id ${text} is not between 1 and ${count}.`, details: [] },
      undefined,
      field(`must be between 1 and ${count}`),
    );
  return id;
}

function describeShard(call: RestCall): JsonObject {
  const { shards, server } = call.context.services;
  const id = shardId(call);
  const { executions, loads } = shards.describeShard(id);
  return { shard_info: { shard_id: id, range_id: String(loads), owner: server.address, executions_in_memory: executions } };
}

async function closeShard(call: RestCall): Promise<JsonObject> {
  await call.context.services.shards.closeShard(shardId(call));
  return {};
}

async function describeTaskQueue(call: RestCall): Promise<JsonObject> {
  const { fields } = call;
  await mustBeKnown(call);
  const reply = await call.rpc("DescribeTaskQueue", {
    namespace: call.namespace,
    task_queue: queueOf(call.parameters["task_queue"] ?? ""),
    task_queue_type: fields["task_queue_type"] ?? "WORKFLOW",
    include_task_queue_status: booleanOf("include_task_queue_status", fields["include_task_queue_status"] ?? true),
  });
  return { pollers: listOf(reply["pollers"]), task_queue_status: reply["task_queue_status"] ?? null };
}

async function partitions(call: RestCall): Promise<JsonObject> {
  await mustBeKnown(call);
  const reply = await call.rpc("ListTaskQueuePartitions", { namespace: call.namespace, task_queue: { name: call.parameters["task_queue"] ?? "" } });
  return {
    activity_task_queue_partitions: listOf(reply["activity_task_queue_partitions"]),
    workflow_task_queue_partitions: listOf(reply["workflow_task_queue_partitions"]),
  };
}

/** A queue that nobody has polled and no task was stored in does not exist for this API. @throws ServiceError */
async function mustBeKnown(call: RestCall): Promise<void> {
  const { namespaces, matching } = call.context.services;
  const name = call.parameters["task_queue"] ?? "";
  const find = (): JsonObject => {
    if (!matching.isKnown(namespaces.view(call.namespace), name))
      throw new RestError(new ServiceError(Code.NOT_FOUND, `Task queue ${JSON.stringify(name)} is not found.`), "TASK_QUEUE_NOT_FOUND");
    return {};
  };
  await own(call, "FindTaskQueue", "workflow.read", find, { namespace: call.namespace });
}
