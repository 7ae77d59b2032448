/** AdminService: the cluster and its members. One process has all the roles that the official server gives to services. */

import { DescribeNamespaceRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type {
  DeepHealthCheckRequest,
  DeepHealthCheckResponse,
  DescribeClusterRequest,
  DescribeClusterResponse,
  DescribeHistoryHostRequest,
  DescribeHistoryHostResponse,
  GetNamespaceRequest,
  GetNamespaceResponse,
  ListClusterMembersRequest,
  ListClusterMembersResponse,
  ListClustersRequest,
  ListClustersResponse,
  RemoveRemoteClusterRequest,
  RemoveRemoteClusterResponse,
} from "../../../gen/wire/temporal/server/api/adminservice/v1/request_response.js";
import type { ClusterMember } from "../../../gen/wire/temporal/server/api/cluster/v1/message.js";
import { ClusterMemberRole, HealthState } from "../../../gen/wire/temporal/server/api/enums/v1/cluster.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument, notFound } from "../../api/service-error.js";
import { timestampMicros, timestampOf } from "../../api/time.js";
import { EMPTY_BYTES, type Init } from "../../api/wire.js";
import { isUuid, uuidV4 } from "../../lib/uuid.js";
import { CLUSTER_NAME } from "../../namespace/registry.js";
import type { Services } from "../services.js";
import { validateExecution } from "../validation/execution.js";
import { describeNamespace } from "../workflow/namespaces.js";
import { FAILOVER_VERSION_INCREMENT, INITIAL_FAILOVER_VERSION, SUPPORTED_CLIENTS } from "../workflow/system.js";
import { checkShardId } from "./address.js";

const ROLES = ["frontend", "history", "matching", "worker"] as const;
/** How long a record of a member is valid without a sign of life. This one is alive whenever it is asked. */
const RECORD_MICROS = 48 * 3_600_000_000;
const SLOW_READ_MS = 500;

export const describeCluster =
  (s: Services): Handler<DescribeClusterRequest, DescribeClusterResponse> =>
  ({ clusterName }) => {
    if (clusterName !== "" && clusterName !== CLUSTER_NAME) throw notFound(`cluster ${clusterName} is not known`);
    const host = { identity: s.server.address };
    return {
      supportedClients: SUPPORTED_CLIENTS,
      serverVersion: s.server.version,
      membershipInfo: {
        currentHost: host,
        reachableMembers: [s.server.address],
        rings: ROLES.map((role) => ({ role, memberCount: 1, members: [host] })),
      },
      clusterId: s.server.clusterId,
      clusterName: CLUSTER_NAME,
      historyShardCount: s.server.historyShardCount,
      persistenceStore: s.server.persistenceStore,
      visibilityStore: s.server.visibilityStore,
      failoverVersionIncrement: FAILOVER_VERSION_INCREMENT,
      initialFailoverVersion: INITIAL_FAILOVER_VERSION,
    };
  };

export const listClusters =
  (s: Services): Handler<ListClustersRequest, ListClustersResponse> =>
  () => ({
    clusters: [
      {
        clusterName: CLUSTER_NAME,
        historyShardCount: s.server.historyShardCount,
        clusterId: s.server.clusterId,
        clusterAddress: s.server.address,
        failoverVersionIncrement: FAILOVER_VERSION_INCREMENT,
        initialFailoverVersion: INITIAL_FAILOVER_VERSION,
        isConnectionEnabled: true,
        useClusterIdMembership: true,
      },
    ],
  });

export const listClusterMembers = (s: Services): Handler<ListClusterMembersRequest, ListClusterMembersResponse> => {
  let hostIds: readonly string[] | undefined;
  return (request) => {
    const { hostId, role, rpcAddress, pageSize, nextPageToken } = request;
    if (hostId !== "" && !isUuid(hostId)) throw invalidArgument(`host ID "${hostId}" is not a valid UUID: invalid UUID length: ${hostId.length}`);
    hostIds ??= ROLES.map(() => uuidV4(s.runtime.randomBytes16()));
    const { startedAt } = s.admin.history;
    const now = s.runtime.nowMicros();
    const [ip, port] = split(s.server.address);
    const all = ROLES.map(
      (name, i): Init<ClusterMember> => ({
        role: ClusterMemberRole[name.toUpperCase() as "FRONTEND"],
        hostId: hostIds?.[i] ?? "",
        rpcAddress: ip,
        rpcPort: port,
        sessionStartTime: timestampOf(startedAt),
        lastHeartbitTime: timestampOf(now),
        recordExpiryTime: timestampOf(now + RECORD_MICROS),
      }),
    );
    const wanted = all.filter(
      (m) =>
        (role === ClusterMemberRole.UNSPECIFIED || m.role === role) &&
        (hostId === "" || m.hostId === hostId.toLowerCase()) &&
        (rpcAddress === "" || m.rpcAddress === rpcAddress) &&
        (request.sessionStartedAfterTime === undefined || startedAt > timestampMicros(request.sessionStartedAfterTime)),
    );
    const from = nextPageToken.length === 0 ? 0 : Number(Buffer.from(nextPageToken).toString());
    if (!Number.isInteger(from) || from < 0) throw invalidArgument("invalid next page token");
    const end = pageSize > 0 ? from + pageSize : wanted.length;
    return { activeMembers: wanted.slice(from, end), nextPageToken: end < wanted.length ? Buffer.from(String(end)) : EMPTY_BYTES };
  };
};

function split(address: string): [string, number] {
  const at = address.lastIndexOf(":");
  return [address.slice(0, at).replace(/^\[|\]$/g, ""), Number(address.slice(at + 1))];
}

export const describeHistoryHost =
  (s: Services): Handler<DescribeHistoryHostRequest, DescribeHistoryHostResponse> =>
  (request) => {
    const { shardId, namespace, workflowExecution, hostAddress } = request;
    const ways = [shardId !== 0, namespace !== "" && workflowExecution !== undefined, hostAddress !== ""];
    if (ways.filter(Boolean).length !== 1)
      throw invalidArgument("must provide one and only one: shard id or namespace & workflow id or host address");
    if (workflowExecution !== undefined) {
      s.namespaces.view(namespace);
      validateExecution(workflowExecution);
    }
    if (shardId !== 0) checkShardId(s, shardId);
    if (hostAddress !== "" && hostAddress !== s.server.address) throw notFound(`no history host at ${hostAddress}`);
    const count = [...s.namespaces.directory.entries()].length;
    return {
      shardsNumber: s.server.historyShardCount,
      shardIds: Array.from({ length: s.server.historyShardCount }, (_, i) => i + 1),
      namespaceCache: { itemsInCacheByIdCount: count, itemsInCacheByNameCount: count },
      address: s.server.address,
    };
  };

export const getNamespace =
  (s: Services): Handler<GetNamespaceRequest, GetNamespaceResponse> =>
  async ({ attributes }, call) => {
    const { case: by, value } = attributes;
    if (by === undefined || value === "") throw invalidArgument("Namespace not set on request.");
    const request = DescribeNamespaceRequest.create(by === "id" ? { id: value } : { namespace: value });
    const { namespaceInfo, config, replicationConfig, failoverVersion, isGlobalNamespace } = await describeNamespace(s)(request, call);
    const { name, state, description, ownerEmail, data, id } = namespaceInfo ?? {};
    return { info: { name, state, description, ownerEmail, data, id }, config, replicationConfig, failoverVersion, isGlobalNamespace };
  };

/** There is never another cluster than this one. */
export const removeRemoteCluster =
  (_s: Services): Handler<RemoveRemoteClusterRequest, RemoveRemoteClusterResponse> =>
  ({ clusterName }) => {
    if (clusterName === CLUSTER_NAME) throw invalidArgument("Cannot delete current cluster metadata");
    return {};
  };

/** Answers only if the store does. */
export const deepHealthCheck =
  (s: Services): Handler<DeepHealthCheckRequest, DeepHealthCheckResponse> =>
  async () => {
    const serving = HealthState.SERVING;
    const value = await s.admin.history.readMs();
    const checks = [
      { checkType: "grpc_health", state: serving, message: "historyservice gRPC health check: SERVING" },
      { checkType: "persistence_latency", state: serving, value, threshold: SLOW_READ_MS, message: "persistenceservice latency" },
    ];
    return { state: serving, services: [{ service: "history", state: serving, hosts: [{ address: s.server.address, state: serving, checks }] }] };
  };
