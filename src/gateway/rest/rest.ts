/**
 * The REST API under /api/v1, in snake_case and with errors of its own form. Each route is one RPC or a few, by JSON (rpc-json.ts); the
 * files beside this one say what differs from them. Where the official HTTP API has the same route, a request gets this form by
 * naming a version in the header Temporal-API-Version.
 */
import type { GatewayContext, Route, RouteModule } from "../route.js";
import { CLUSTER_ROUTES } from "./cluster.js";
import { NAMESPACE_ROUTES } from "./namespaces.js";
import { toRoute } from "./rest-call.js";
import { restErrorAnswer } from "./rest-error.js";
import { TASK_ROUTES } from "./tasks.js";
import { WORKFLOW_ROUTES } from "./workflows.js";

export const rest: RouteModule = {
  name: "rest",
  routes: (context: GatewayContext): Route[] =>
    [...WORKFLOW_ROUTES, ...TASK_ROUTES, ...NAMESPACE_ROUTES, ...CLUSTER_ROUTES].map((route) => toRoute(context, route)),
  fail: (error, request) => restErrorAnswer(error, "other", request.rateLimit),
};
