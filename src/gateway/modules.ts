/** Every HTTP door. Of two that serve the same method and path, the earlier one is asked first whether it accepts the request. */
import type { RouteModule } from "./route.js";

export const ROUTE_MODULES: readonly RouteModule[] = [];
