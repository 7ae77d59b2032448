/** Every HTTP door. Of two that serve the same method and path, the earlier one is asked first whether it accepts the request. */
import { httpApi } from "./http-api/http-api.js";
import { METRICS } from "./metrics/metrics.js";
import { nexusModule } from "./nexus/nexus-routes.js";
import { openApi } from "./open-api/open-api.js";
import { rest } from "./rest/rest.js";
import type { RouteModule } from "./route.js";
import { streamApi } from "./stream/stream-routes.js";
import { triggerApi } from "./trigger/trigger-routes.js";
import { workflowApi } from "./trigger/workflow-routes.js";

export const ROUTE_MODULES: readonly RouteModule[] = [METRICS, nexusModule, rest, httpApi, openApi, triggerApi, workflowApi, streamApi];
