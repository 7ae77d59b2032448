/** Every HTTP door. Of two that serve the same method and path, the earlier one is asked first whether it accepts the request. */
import { httpApi } from "./http-api/http-api.js";
import { rest } from "./rest/rest.js";
import type { RouteModule } from "./route.js";

export const ROUTE_MODULES: readonly RouteModule[] = [rest, httpApi];
