/**
 * The workflow API: running, asking, changing and stopping workflows by their type's name and their id, with a catalog of what there is.
 *   POST /workflow/run, /workflow/start                  {workflowName, input, workflowId?, catalog?|taskQueue?, timeout?}
 *   GET  /workflow/{id}/status, /result, /trace-log      also under /workflow/{id}/runs/{rid}/
 *   POST /workflow/{id}/signal|query|update/{name}       {payload}
 *   PATCH /workflow/{id}/stop, POST /workflow/{id}/terminate, also under runs/{rid}/
 *   GET  /workflow/catalog, /workflow/catalog/{catalog}
 * Errors are {"error": name, "message": text}. How a workflow ended is data: /run answers 200 for one that failed.
 */
import { _default, int, minimum, minLength, object, optional, safeParse, string, union, unknown } from "zod/mini";
import type { Permission } from "../../api/call.js";
import { Code, ServiceError } from "../../api/service-error.js";
import { parseDurationMs } from "../../config/dynamic-config.js";
import { WorkflowCatalog } from "../catalog/catalog.js";
import { issuesOf } from "../catalog/input-schema.js";
import { runOwn } from "../own-method.js";
import { namespaceOf, type Products } from "../products.js";
import type { GatewayContext, HttpAnswer, HttpRequest, PathParameters, Route, RouteModule } from "../route.js";
import { traceOf } from "../trace/trace.js";
import { badRequest, invalidInput, json, ProductError, productError } from "./product-error.js";
import { bodyOf, hex } from "./trigger-routes.js";
import { type Execution, failureText, statusName, WorkflowCalls } from "./workflow-calls.js";

const RUN_MS = 30_000;
const RUN_MS_MAX = 600_000;
/** Numbers are milliseconds, as in the documents, which allow none below this; smaller ones are taken for seconds. */
const MS_MIN = 250;

const text = string().check(minLength(1));
const START = object({
  workflowName: text,
  input: optional(unknown()),
  workflowId: optional(text),
  catalog: optional(text),
  taskQueue: optional(text),
  timeout: optional(union([int().check(minimum(1)), string()])),
});
const TERMINATE = _default(object({ reason: optional(string()) }), {});

export const workflowApi: RouteModule = {
  name: "workflow",
  routes(context) {
    const { products } = context.services;
    return products === undefined ? [] : new WorkflowApi(context, products).routes();
  },
  fail: (error) => failed(productError(error) as ProductError),
};

export const failed = (e: ProductError): HttpAnswer => json(e.status, { error: e.name, message: e.message, ...e.fields });

/** Errors of the product become its answers; those of RPCs become the module's. */
export const guarded = (handler: Route["handler"]): Route["handler"] => {
  return async (request, parameters) => {
    try {
      return await handler(request, parameters);
    } catch (e) {
      if (e instanceof ProductError) return failed(e);
      throw e;
    }
  };
};

class WorkflowApi {
  private readonly calls: WorkflowCalls;
  private readonly workflows: WorkflowCatalog;

  constructor(
    private readonly context: GatewayContext,
    private readonly products: Products,
  ) {
    this.calls = new WorkflowCalls(context);
    this.workflows = new WorkflowCatalog(products.workflows, products.namespace, (namespace) => {
      const view = context.services.namespaces.directory.byName(namespace);
      return view === undefined ? [] : context.registrations.list(view.id);
    });
  }

  routes(): Route[] {
    const route = (method: string, template: string, handler: Route["handler"]): Route => ({ method, template, handler: guarded(handler) });
    const ofRun = (method: string, last: string, handler: Route["handler"]): Route[] =>
      ["/workflow/{id}", "/workflow/{id}/runs/{rid}"].map((prefix) => route(method, `${prefix}/${last}`, handler));
    return [
      route("POST", "/workflow/run", (request) => this.run(request)),
      route("POST", "/workflow/start", (request) => this.start(request)),
      route("GET", "/workflow/catalog", (request) => this.catalog(request, undefined)),
      route("GET", "/workflow/catalog/{catalog}", (request, { catalog }) => this.catalog(request, catalog)),
      route("POST", "/workflow/{id}/signal/{name}", (request, p) => this.signal(request, p)),
      route("POST", "/workflow/{id}/query/{name}", (request, p) => this.query(request, p)),
      route("POST", "/workflow/{id}/update/{name}", (request, p) => this.update(request, p)),
      ...ofRun("GET", "status", (request, p) => this.status(request, p)),
      ...ofRun("GET", "result", (request, p) => this.result(request, p)),
      ...ofRun("GET", "trace-log", (request, p) => this.traceLog(request, p)),
      ...ofRun("PATCH", "stop", (request, p) => this.stop(request, p)),
      ...ofRun("POST", "terminate", (request, p) => this.terminate(request, p)),
    ];
  }

  /** @param permissions what the answer takes, too: whoever may not see how it ends starts nothing, and is not told what there is. */
  private async begin(
    request: HttpRequest,
    permissions: readonly Permission[],
  ): Promise<{ execution: Execution; input: unknown; timeoutMs: number }> {
    const namespace = namespaceOf(request, this.products.namespace);
    await this.context.demand(request, permissions, namespace);
    const parsed = safeParse(START, (await bodyOf(request)) ?? {});
    if (!parsed.success) throw invalidInput(parsed.error.issues.map((i) => ({ path: pointer(i.path), message: i.message })));
    const { workflowName, input, timeout, taskQueue } = parsed.data;
    const catalog = parsed.data.catalog ?? taskQueue;
    const timeoutMs = timeout === undefined ? RUN_MS : timeoutOf(timeout);
    const entry = this.workflows.find(namespace, workflowName, catalog);
    const queue = entry?.taskQueue ?? catalog;
    if (queue === undefined)
      throw new ProductError(
        404,
        "WorkflowNotFoundError",
        `Workflow ${JSON.stringify(workflowName)} is not in the catalog; name its catalog or taskQueue`,
      );
    if (entry?.inputSchema !== undefined) {
      const issues = await issuesOf(entry.inputSchema, input ?? null);
      if (issues.length > 0) throw invalidInput(issues.map((i) => ({ ...i, path: `/input${i.path}` })));
    }
    const workflowId = parsed.data.workflowId ?? `${workflowName}-${hex(this.context)}`;
    const runId = await this.calls.start(request, {
      namespace,
      workflowId,
      workflowType: entry?.workflowType ?? workflowName,
      taskQueue: queue,
      input,
    });
    return { execution: { namespace, workflowId, runId }, input, timeoutMs };
  }

  private async start(request: HttpRequest): Promise<HttpAnswer> {
    const { workflowId, runId } = (await this.begin(request, ["workflow.start"])).execution;
    return json(200, { workflowId, runId });
  }

  private async run(request: HttpRequest): Promise<HttpAnswer> {
    const { execution, input, timeoutMs } = await this.begin(request, ["workflow.start", "workflow.read"]);
    const { workflowId, runId } = execution;
    const outcome = await this.calls.outcome(request, execution, { timeoutMs });
    if (outcome === undefined) {
      const message = "Workflow execution exceeded timeout for synchronous execution.";
      throw new ProductError(408, "WorkflowExecutionTimedOutError", message, { workflowId, runId });
    }
    const { status, result, error } = outcome;
    return json(200, { workflowId, runId: outcome.runId, input: input ?? null, output: result, status, error: error ?? null });
  }

  private async status(request: HttpRequest, parameters: PathParameters): Promise<HttpAnswer> {
    const e = this.addressed(request, parameters);
    const { runId, status, startTime, closeTime } = await this.calls.describe(request, e);
    const completedAt = closeTime === 0 ? null : Math.floor(closeTime / 1000);
    return json(200, { workflowId: e.workflowId, runId, status: statusName(status), startedAt: Math.floor(startTime / 1000), completedAt });
  }

  private async result(request: HttpRequest, parameters: PathParameters): Promise<HttpAnswer> {
    const e = await this.closed(request, parameters);
    const input = await this.calls.input(request, e);
    const outcome = await this.calls.outcome(request, e, { follows: false });
    if (outcome === undefined) throw new ProductError(503, "ServiceUnavailableError", "The server is shutting down.");
    const { runId, status, result, error } = outcome;
    return json(200, { workflowId: e.workflowId, runId, input, output: result, status, error: error ?? null });
  }

  /** The run, which must have ended. */
  private async closed(request: HttpRequest, parameters: PathParameters): Promise<Execution> {
    const e = this.addressed(request, parameters);
    const { runId, closeTime } = await this.calls.describe(request, e);
    if (closeTime === 0)
      throw new ProductError(424, "WorkflowNotCompletedError", "Workflow execution is not complete.", { workflowId: e.workflowId });
    return { ...e, runId };
  }

  private async traceLog(request: HttpRequest, parameters: PathParameters): Promise<HttpAnswer> {
    const { traces } = this.products;
    let e = this.addressed(request, parameters);
    try {
      e = await this.closed(request, parameters);
    } catch (error) {
      // The run has been deleted; its trace may still be there. Whoever may not see it was refused otherwise.
      const kept = error instanceof ServiceError && error.code === Code.NOT_FOUND && e.runId !== "" ? await traces.read(e) : undefined;
      if (kept === undefined) throw error;
      return json(200, { ...kept, runId: e.runId });
    }
    const { runId } = e;
    const stored = await traces.read(e);
    if (stored !== undefined) return json(200, { ...stored, runId });
    const events = await this.calls.events(request, e);
    const named = await traces.named(events);
    if (named !== undefined) return json(200, { ...named, runId });
    const data = traceOf(e, events);
    return json(200, { ...(await traces.keep(e, data)), runId, data });
  }

  private async signal(request: HttpRequest, parameters: PathParameters): Promise<HttpAnswer> {
    const e = this.addressed(request, parameters);
    await this.calls.signal(request, e, parameters["name"] ?? "", await payloadOf(request));
    return json(200, { workflowId: e.workflowId, signaled: true });
  }

  private async query(request: HttpRequest, parameters: PathParameters): Promise<HttpAnswer> {
    return json(200, await this.calls.query(request, this.addressed(request, parameters), parameters["name"] ?? "", await payloadOf(request)));
  }

  private async update(request: HttpRequest, parameters: PathParameters): Promise<HttpAnswer> {
    const e = this.addressed(request, parameters);
    const outcome = await this.calls.update(request, e, parameters["name"] ?? "", await payloadOf(request));
    if ("result" in outcome) return json(200, outcome.result);
    throw new ProductError(400, "WorkflowUpdateFailedError", failureText(outcome.failure), { workflowId: e.workflowId });
  }

  private async stop(request: HttpRequest, parameters: PathParameters): Promise<HttpAnswer> {
    const e = this.addressed(request, parameters);
    await this.context.demand(request, ["workflow.cancel"], e.namespace);
    return json(200, { workflowId: e.workflowId, runId: await this.calls.cancel(request, e, "stopped over HTTP") });
  }

  private async terminate(request: HttpRequest, parameters: PathParameters): Promise<HttpAnswer> {
    const e = this.addressed(request, parameters);
    await this.context.demand(request, ["workflow.terminate"], e.namespace);
    const parsed = safeParse(TERMINATE, await bodyOf(request));
    if (!parsed.success) throw invalidInput(parsed.error.issues.map((i) => ({ path: pointer(i.path), message: i.message })));
    return json(200, { terminated: true, workflowId: e.workflowId, runId: await this.calls.terminate(request, e, parsed.data.reason ?? "") });
  }

  private async catalog(request: HttpRequest, catalog: string | undefined): Promise<HttpAnswer> {
    const namespace = namespaceOf(request, this.products.namespace);
    const handler = () => this.workflows.list(namespace, catalog);
    const method = { service: "perdure.gateway.workflows", name: "ListCatalog", permission: "workflow.read", handler } as const;
    const entries = await runOwn(this.context, request, method, { namespace });
    if (catalog !== undefined && entries.length === 0)
      throw new ProductError(404, "CatalogNotFoundError", `Catalog ${JSON.stringify(catalog)} is not known.`);
    const workflows = entries.map(({ name, workflowType, description, aliases, taskQueue, inputSchema, outputSchema }) => ({
      name,
      workflowType,
      description: description ?? "",
      catalog: taskQueue,
      aliases,
      inputSchema: inputSchema ?? {},
      outputSchema: outputSchema ?? {},
    }));
    return json(200, { workflows });
  }

  private addressed(request: HttpRequest, { id = "", rid = "" }: PathParameters): Execution {
    return { namespace: namespaceOf(request, this.products.namespace), workflowId: id, runId: rid };
  }
}

const pointer = (path: readonly PropertyKey[]): string => path.map((p) => `/${String(p)}`).join("");

function timeoutOf(value: number | string): number {
  const ms = typeof value === "string" ? parseDurationMs(value) : value < MS_MIN ? value * 1000 : value;
  if (ms === undefined || ms <= 0 || ms > RUN_MS_MAX)
    throw badRequest("timeout must be milliseconds, or a duration such as 30s, of at most 10m", "/timeout");
  return ms;
}

/** A body {"payload": value} is that value, any other is itself. */
async function payloadOf(request: HttpRequest): Promise<unknown> {
  const body = await bodyOf(request);
  return typeof body === "object" && body !== null && Object.hasOwn(body, "payload") ? (body as { payload: unknown }).payload : body;
}
