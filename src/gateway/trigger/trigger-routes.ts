/**
 * The trigger API: workflows as plain HTTP endpoints, by a name of their own that the configuration gives them.
 *   POST /workflows/{name}              starts one and answers its result
 *   POST /workflows/{name}/async        starts one and answers its id
 *   GET  /workflows/{workflow_id}/status, /result
 *   GET  /, /docs, /openapi.json        health or start page, a page to try it on, its description
 * The body is the workflow's one argument. Times are UTC without a zone, in whole seconds; errors are {"detail": text}.
 */

import type { Permission } from "../../api/call.js";
import { Code, ServiceError } from "../../api/service-error.js";
import { parseShallowJson } from "../../api/shallow-json.js";
import type { ProductWorkflow } from "../../config/workflows.js";
import { isRefusal } from "../../quotas/headers.js";
import { issuesOf } from "../catalog/input-schema.js";
import { namespaceOf, type Products } from "../products.js";
import type { GatewayContext, HttpAnswer, HttpRequest, PathParameters, Route, RouteModule } from "../route.js";
import { docsPage, openApi, startPage } from "./docs-page.js";
import { badRequest, invalidInput, json, ProductError, productError } from "./product-error.js";
import { RequestsPerMinute } from "./rate-limit.js";
import { type Execution, statusName, WorkflowCalls } from "./workflow-calls.js";

const HTML = { "content-type": "text/html; charset=utf-8" };

export const triggerApi: RouteModule = {
  name: "trigger",
  routes(context) {
    const { products } = context.services;
    return products === undefined ? [] : new TriggerApi(context, products).routes();
  },
  fail: (error) => detail(productError(error) as ProductError),
};

function detail(e: ProductError): HttpAnswer {
  return json(e.status, { detail: e.message, ...("issues" in e.fields ? { issues: e.fields["issues"] } : {}) });
}

class TriggerApi {
  private readonly calls: WorkflowCalls;
  private readonly rates: RequestsPerMinute;
  private readonly byName = new Map<string, ProductWorkflow>();

  constructor(
    private readonly context: GatewayContext,
    private readonly products: Products,
  ) {
    this.calls = new WorkflowCalls(context);
    this.rates = new RequestsPerMinute(() => context.runtime.nowMicros());
    for (const w of products.workflows) for (const name of [w.name, ...w.aliases]) this.byName.set(name, w);
  }

  routes(): Route[] {
    const route = (method: string, template: string, handler: Route["handler"], shows?: Route["shows"]): Route => ({
      method,
      template,
      shows,
      handler: async (request, parameters) => {
        try {
          return await handler(request, parameters);
        } catch (e) {
          if (e instanceof ProductError) return detail(e);
          throw e;
        }
      },
    });
    return [
      route("GET", "/", (request) => this.root(request), "health"),
      route("GET", "/docs", () => ({ headers: HTML, body: docsPage(this.products) }), "reflection"),
      route("GET", "/openapi.json", () => json(200, openApi(this.products, this.context.services.server.version)), "reflection"),
      route("POST", "/workflows/{name}", (request, p) => this.run(request, p)),
      route("POST", "/workflows/{name}/async", (request, p) => this.start(request, p)),
      route("GET", "/workflows/{workflow_id}/status", (request, p) => this.status(request, p)),
      route("GET", "/workflows/{workflow_id}/result", (request, p) => this.result(request, p)),
    ];
  }

  private root(request: HttpRequest): HttpAnswer {
    if ((request.headers.accept ?? "").includes("text/html")) return { headers: HTML, body: startPage(this.context.services.server.version) };
    const isServing = !this.context.draining.aborted;
    return json(200, { service: "Temporal Workflow API", status: "running", temporal_connected: isServing });
  }

  private async run(request: HttpRequest, parameters: PathParameters): Promise<HttpAnswer> {
    return this.outcome(request, await this.begin(request, parameters, ["workflow.start", "workflow.read"]));
  }

  private async start(request: HttpRequest, parameters: PathParameters): Promise<HttpAnswer> {
    const { workflowId } = await this.begin(request, parameters, ["workflow.start"]);
    return json(200, { workflow_id: workflowId, status: "started", result: null });
  }

  /** @param permissions what the answer takes, too: whoever may not see how it ends starts nothing, and is not told what there is. */
  private async begin(request: HttpRequest, { name = "" }: PathParameters, permissions: readonly Permission[]): Promise<Execution> {
    const workflow = this.byName.get(name);
    const namespace = namespaceOf(request, workflow?.namespace ?? this.products.namespace);
    await this.context.demand(request, permissions, namespace);
    if (workflow === undefined) throw new ProductError(404, "NotFound", `No workflow is configured as ${JSON.stringify(name)}`);
    if (workflow.requestsPerMinute !== undefined) this.checkRate(request, workflow, workflow.requestsPerMinute);
    const input = await bodyOf(request);
    if (workflow.inputSchema !== undefined) {
      const issues = await issuesOf(workflow.inputSchema, input ?? null);
      if (issues.length > 0) throw invalidInput(issues);
    }
    const given = request.query.get("workflow_id");
    const workflowId = given === null || given === "" ? `${workflow.idPrefix}-${hex(this.context)}` : given;
    const { workflowType, taskQueue } = workflow;
    try {
      const runId = await this.calls.start(request, { namespace, workflowId, workflowType, taskQueue, input });
      return { namespace, workflowId, runId };
    } catch (e) {
      if (e instanceof ServiceError && e.code === Code.ALREADY_EXISTS) throw new ProductError(409, "Conflict", "Workflow already running");
      throw e;
    }
  }

  private checkRate(request: HttpRequest, workflow: ProductWorkflow, max: number): void {
    const address = request.peer.slice(0, request.peer.lastIndexOf(":"));
    const stand = this.rates.take(workflow.name, address, max);
    request.rateLimit = stand;
    if (isRefusal(stand)) throw new ProductError(429, "RateLimitExceeded", `Rate limit exceeded: ${max} per 1 minute`);
  }

  private async status(request: HttpRequest, parameters: PathParameters): Promise<HttpAnswer> {
    const e = this.addressed(request, parameters);
    const { status, startTime, closeTime } = await this.calls.describe(request, e);
    return json(200, {
      workflow_id: e.workflowId,
      status: statusName(status).toUpperCase(),
      start_time: zoneless(startTime),
      close_time: closeTime === 0 ? null : zoneless(closeTime),
    });
  }

  private result(request: HttpRequest, parameters: PathParameters): Promise<HttpAnswer> {
    return this.outcome(request, this.addressed(request, parameters));
  }

  private addressed(request: HttpRequest, { workflow_id: workflowId = "" }: PathParameters): Execution {
    return { namespace: namespaceOf(request, this.products.namespace), workflowId, runId: request.query.get("run_id") ?? "" };
  }

  private async outcome(request: HttpRequest, e: Execution): Promise<HttpAnswer> {
    const outcome = await this.calls.outcome(request, e);
    if (outcome === undefined) throw new ProductError(503, "Unavailable", "The server is shutting down; the workflow runs on");
    if (outcome.error !== undefined) throw new ProductError(500, "WorkflowFailed", `Workflow failed: ${outcome.error}`);
    return json(200, { workflow_id: e.workflowId, status: outcome.status, result: outcome.result });
  }
}

/** Undefined when there is none. */
export async function bodyOf(request: HttpRequest): Promise<unknown> {
  const bytes = await request.body();
  if (bytes.length === 0) return undefined;
  try {
    return parseShallowJson(bytes.toString());
  } catch (e) {
    throw badRequest(`The body is not JSON: ${(e as Error).message}`, "");
  }
}

export const hex = (context: GatewayContext): string => Buffer.from(context.runtime.randomBytes16()).toString("hex").slice(0, 12);

const zoneless = (micros: number): string => new Date(micros / 1000).toISOString().slice(0, 19);
