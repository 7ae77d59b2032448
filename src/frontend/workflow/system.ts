/** What the server says of itself. SDKs branch on the capabilities: each is true once the thing works here. */
import type {
  GetClusterInfoRequest,
  GetClusterInfoResponse,
  GetSystemInfoRequest,
  GetSystemInfoResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { CLUSTER_NAME } from "../../namespace/registry.js";
import type { Services } from "../services.js";

export const SUPPORTED_CLIENTS = {
  "temporal-cli": "<2.0.0",
  "temporal-go": "<2.0.0",
  "temporal-java": "<2.0.0",
  "temporal-php": "<2.0.0",
  "temporal-server": "<2.0.0",
  "temporal-typescript": "<2.0.0",
  "temporal-ui": "<3.0.0",
  "Nexus-go-sdk": "<2.0.0",
};
export const FAILOVER_VERSION_INCREMENT = 10;
export const INITIAL_FAILOVER_VERSION = 1;

export const getSystemInfo =
  (s: Services): Handler<GetSystemInfoRequest, GetSystemInfoResponse> =>
  () => ({
    serverVersion: s.server.version,
    capabilities: {
      signalAndQueryHeader: true,
      internalErrorDifferentiation: true,
      activityFailureIncludeHeartbeat: true,
      supportsSchedules: true,
      encodedFailureAttributes: true,
      buildIdBasedVersioning: true,
      upsertMemo: true,
      eagerWorkflowStart: true,
      sdkMetadata: true,
      countGroupByExecutionStatus: true,
      nexus: true,
      // Compute configuration is kept and checked; COMPAT.md says who acts on it.
      serverScaledDeployments: true,
      serverScaledProviderCloudRun: false,
    },
  });

export const getClusterInfo =
  (s: Services): Handler<GetClusterInfoRequest, GetClusterInfoResponse> =>
  () => ({
    supportedClients: SUPPORTED_CLIENTS,
    serverVersion: s.server.version,
    clusterId: s.server.clusterId,
    clusterName: CLUSTER_NAME,
    historyShardCount: s.server.historyShardCount,
    persistenceStore: s.server.persistenceStore,
    visibilityStore: s.server.visibilityStore,
    initialFailoverVersion: INITIAL_FAILOVER_VERSION,
    failoverVersionIncrement: FAILOVER_VERSION_INCREMENT,
  });
