/**
 * Live streams as server-sent events:
 *   GET /workflow/{id}/history/stream, /workflow/{id}/runs/{rid}/history/stream    the history of a run
 *   GET /workflow/stream                                                          changes of status in a namespace
 * What is wrong with a request is answered before the stream opens; after that it is the event `server_error`.
 */
import { namespaceOf, type Products } from "../products.js";
import type { GatewayContext, HttpAnswer, HttpRequest, PathParameters, Route, RouteModule } from "../route.js";
import { badRequest, type ProductError, productError } from "../trigger/product-error.js";
import { WorkflowCalls } from "../trigger/workflow-calls.js";
import { failed, guarded } from "../trigger/workflow-routes.js";
import { historyStream, resumptionOf } from "./history-stream.js";
import { EVENT_STREAM_HEADERS } from "./server-sent-events.js";
import { statusStream } from "./status-stream.js";

export const streamApi: RouteModule = {
  name: "stream",
  routes(context) {
    const { products } = context.services;
    if (products === undefined) return [];
    const calls = new WorkflowCalls(context);
    const route = (template: string, handler: Route["handler"]): Route => ({ method: "GET", template, handler: guarded(handler) });
    const history: Route["handler"] = (request, parameters) => openHistory(context, products, calls, request, parameters);
    return [
      route("/workflow/{id}/history/stream", history),
      route("/workflow/{id}/runs/{rid}/history/stream", history),
      route("/workflow/stream", (request) => openStatus(context, products, request)),
    ];
  },
  fail: (error) => failed(productError(error) as ProductError),
};

async function openHistory(
  context: GatewayContext,
  products: Products,
  calls: WorkflowCalls,
  request: HttpRequest,
  { id: workflowId = "", rid = "" }: PathParameters,
): Promise<HttpAnswer> {
  const resumption = resumptionOf(request);
  const includePayloads = switchOf(request, "includePayloads");
  if (rid !== "" && resumption !== undefined && resumption.runId !== "" && resumption.runId !== rid)
    throw badRequest("Last-Event-ID is that of another run", "/lastEventId");
  const namespace = namespaceOf(request, products.namespace);
  const description = await calls.describe(request, { namespace, workflowId, runId: rid === "" ? (resumption?.runId ?? "") : rid });
  const afterEventId = resumption?.eventId ?? 0;
  if (afterEventId > description.historyLength) throw badRequest(`The run has no event ${afterEventId} yet`, "/lastEventId");
  const execution = { namespace, workflowId, runId: description.runId };
  const stream = { execution, description, afterEventId, isPinned: rid !== "", includePayloads };
  return { headers: EVENT_STREAM_HEADERS, body: historyStream(context, request, stream) };
}

async function openStatus(context: GatewayContext, products: Products, request: HttpRequest): Promise<HttpAnswer> {
  const resumption = resumptionOf(request);
  const body = await statusStream(context, request, namespaceOf(request, products.namespace), resumption?.eventId);
  return { headers: EVENT_STREAM_HEADERS, body };
}

function switchOf(request: HttpRequest, name: string): boolean {
  const value = request.query.get(name) ?? "false";
  if (value !== "true" && value !== "false") throw badRequest(`${name} must be true or false`, `/${name}`);
  return value === "true";
}
