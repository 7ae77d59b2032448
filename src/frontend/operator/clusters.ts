/** OperatorService: clusters. This server is one, alone. */
import type { ListClustersRequest, ListClustersResponse } from "../../../gen/wire/temporal/api/operatorservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
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
