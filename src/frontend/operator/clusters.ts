/** OperatorService: clusters. This server is one, alone. */
import type {
  ListClustersRequest,
  ListClustersResponse,
  RemoveRemoteClusterRequest,
  RemoveRemoteClusterResponse,
} from "../../../gen/wire/temporal/api/operatorservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { internal, notFound } from "../../api/service-error.js";
import { CLUSTER_NAME } from "../../namespace/registry.js";
import type { Services } from "../services.js";
import { INITIAL_FAILOVER_VERSION } from "../workflow/system.js";

export const listClusters =
  (s: Services): Handler<ListClustersRequest, ListClustersResponse> =>
  () => ({
    clusters: [
      {
        clusterName: CLUSTER_NAME,
        clusterId: s.server.clusterId,
        address: s.server.address,
        initialFailoverVersion: INITIAL_FAILOVER_VERSION,
        historyShardCount: s.server.historyShardCount,
        isConnectionEnabled: true,
      },
    ],
  });

/** There is never another cluster than this one. */
export const removeRemoteCluster =
  (_s: Services): Handler<RemoveRemoteClusterRequest, RemoveRemoteClusterResponse> =>
  ({ clusterName }) => {
    if (clusterName !== CLUSTER_NAME) throw notFound("The cluster to be deleted cannot be found in clusters cache.");
    throw internal("Unable to delete cluster info with error: Cannot delete current cluster metadata.");
  };
