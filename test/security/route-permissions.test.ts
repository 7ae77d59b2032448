/**
 * Every route of the HTTP doors by every role: what route-permissions.json expects of those that are no RPC's own, and what
 * permissions.json expects of the RPC behind each route of the official HTTP API. The server is whole; only the handlers of RPCs are
 * stand-ins that answer whoever reaches them.
 */
import { readFileSync } from "node:fs";
import { request as http1 } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { History } from "../../gen/wire/temporal/api/history/v1/message.js";
import { WorkflowService } from "../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { encodeTaskToken } from "../../src/api/task-token.js";
import { encode } from "../../src/api/wire.js";
import { ApiKeys, keyWithRole } from "../../src/authorization/api-keys.js";
import { ClientCertificates } from "../../src/authorization/authenticator.js";
import { BOUND_SERVICES, bindingsOf } from "../../src/gateway/http-api/bindings.js";
import { ROUTE_MODULES } from "../../src/gateway/modules.js";
import type { GatewayContext } from "../../src/gateway/route.js";
import { FakeRuntime } from "../../src/lib/fake-runtime.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { openWholeServer, type WholeServer } from "../harness/whole-server.js";

const read = (name: string) => JSON.parse(readFileSync(join(import.meta.dirname, name), "utf8"));
const { about: _, ...routes } = read("route-permissions.json") as Record<string, Record<string, string>>;
const { rpcs } = read("permissions.json") as { rpcs: Record<string, string> };
/** In the order of the matrix; nobody has no key. */
const KEYS = [
  ...[undefined, ["read", "one"], ["worker", "one"], ["write", "one"], ["admin", "one"], ["admin", "two"]],
  ...[["read"], ["worker"], ["write"], ["admin"]],
] as const;

/** A caller that has gone already. */
const onCancel = (f: () => void): (() => void) => {
  f();
  return () => undefined;
};
let server: WholeServer;
/** Of a task in the namespace. */
let token: string;
const tokens: (string | undefined)[] = [];

/** A run that has ended. */
const history = encode(History, {
  events: [{ eventId: 1, attributes: { case: "workflowExecutionCompletedEventAttributes", value: {} } }],
});
const ANSWERS: Readonly<Record<string, object>> = {
  GetWorkflowExecutionHistory: { history },
  DescribeWorkflowExecution: { workflowExecutionInfo: { execution: { workflowId: "w", runId: "r" }, closeTime: { seconds: 1 }, historyLength: 1 } },
  UpdateWorkflowExecution: { outcome: { value: { case: "success", value: new Uint8Array() } }, stage: 4 },
};

beforeAll(async () => {
  const runtime = new FakeRuntime("free");
  const store = new MemoryStore();
  const keys = new ApiKeys({ rows: [], commit: (batch) => store.commit(batch), runtime });
  for (const k of KEYS) tokens.push(k === undefined ? undefined : (await keys.create(keyWithRole("", k[0] as string, k.slice(1), 0))).token);
  const auth = {
    jwt: undefined,
    certificates: new ClientCertificates([]),
    publicSubjects: ["health", "system-info"],
    close: () => undefined,
  } as const;
  server = await openWholeServer({
    ...{ runtime, store, auth },
    workflows: { known: { workflowType: "T", taskQueue: "q", inputSchema: { type: "object" } } },
    handlers: (m) => (m.name === "ListNamespaces" ? (m.handler as NonNullable<typeof m.handler>) : () => ANSWERS[m.name] ?? {}),
  });
  // The queue of the routes is one that the server has seen.
  const call = { path: "", deadlineMs: runtime.now / 1000 + 60_000, peer: "a:1", cancelled: true, metadata: () => undefined, onCancel };
  const poll = { namespace: "one", taskQueue: { name: "q" }, identity: "i" };
  const { PollWorkflowTaskQueue: m } = WorkflowService.methods;
  await server.api.methods.get(m.path)?.handler?.(m.input.create(poll), call);
  const namespaceId = server.api.gateway.namespaces.view("one").id;
  token = Buffer.from(encodeTaskToken({ namespaceId, workflowId: "w", runId: "r" })).toString("base64");
});
afterAll(() => server.close());

/** Values of what is in braces. */
const IN_PATH: Readonly<Record<string, string>> = {
  namespace: "one",
  task_queue: "q",
  shard_id: "1",
  catalog: "q",
  "POST /workflows/{name}": "known",
};
const BODIES: Readonly<Record<string, object>> = {
  "POST /api/v1/namespaces/{namespace}/workflows": { workflow_id: "w", workflow_type: "T", task_queue: "q" },
  "POST /api/v1/namespaces/{namespace}/workflows/{workflow_id}/runs/{run_id}/signal": { signal_name: "s" },
  "POST /api/v1/namespaces/{namespace}/workers": { task_queue: "q", identity: "i" },
  "POST /api/v1/namespaces": { namespace: "one" },
  "POST /workflow/run": { workflowName: "known", input: {} },
  "POST /workflow/start": { workflowName: "known", input: {} },
};

/** Answers of workers, by the token of their task. */
const TASKS = /\/(workflow-tasks\/(complete|fail)|activities\/(heartbeat|complete|fail)|activity-[a-z-]+)$/;

const filled = (route: string, template: string): string =>
  template.replace(/\{([^}=]+)(?:=([^}]*))?\}/g, (_, name: string) =>
    name === "name" && template.startsWith("/workflows/") ? "known" : (IN_PATH[name] ?? "x"),
  );

/** "x" for 200, "-" for a refusal, else the status. */
function ask(method: string, path: string, body: object | undefined, token: string | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      // The form of the REST API, where the official one has the same route.
      ...(path.startsWith("/api/v1/") && !isOfficial ? { "temporal-api-version": "v1" } : {}),
    };
    const request = http1({ host: server.host, port: server.port, path, method, headers }, (answer) => {
      const status = answer.statusCode ?? 0;
      resolve(status === 200 ? "x" : status === 401 || status === 403 ? "-" : String(status));
      answer.destroy();
    });
    request.on("error", reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
let isOfficial = false;

async function row(route: string, body?: object): Promise<string> {
  const [method = "", template = ""] = route.split(" ");
  const path = filled(route, template);
  return (
    await Promise.all(
      tokens.map((t) =>
        ask(
          method,
          path,
          method === "GET" || method === "DELETE" ? undefined : { ...(body ?? BODIES[route]), ...(TASKS.test(path) ? { task_token: token } : {}) },
          t,
        ),
      ),
    )
  ).join("");
}

/** Names of namespaces that a role is shown, over pages of one. */
async function namespacesShown(token: string | undefined, version: Record<string, string>): Promise<string[]> {
  const names: string[] = [];
  let page = "";
  do {
    const url = `${server.base}/api/v1/namespaces?pageSize=1&page_size=1&nextPageToken=${encodeURIComponent(page)}&next_page_token=${encodeURIComponent(page)}`;
    const query = version["temporal-api-version"] === undefined ? url.replace(/(page_size|next_page_token)=[^&]*&?/g, "") : url;
    const response = await fetch(query, { headers: { ...version, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) } });
    const body = (await response.json()) as Record<string, never> & { namespaces?: Record<string, { name: string }>[] };
    if (response.status !== 200) return [String(response.status)];
    for (const n of body.namespaces ?? []) names.push((n["namespaceInfo"] ?? n["namespace_info"])?.name ?? "");
    page = body["nextPageToken"] ?? body["next_page_token"] ?? "";
  } while (page !== "");
  return names.sort();
}

const contextOf = (): GatewayContext =>
  ({ services: { ...server.api.gateway, products: { namespace: "one", workflows: [] } }, methods: server.api.methods }) as unknown as GatewayContext;

describe("permissions of the HTTP doors", () => {
  it("has a row for each route", async () => {
    for (const m of ROUTE_MODULES) {
      if (m.name === "http-api" || m.name === "nexus") continue;
      const names = (await m.routes(contextOf())).map((r) => `${r.method} ${r.template}`);
      expect([m.name, names.sort()]).toEqual([m.name, Object.keys(routes[m.name] ?? {}).sort()]);
    }
  });

  it.each(Object.keys(routes))("are as expected: %s", async (name) => {
    const found: Record<string, string> = {};
    for (const route of Object.keys(routes[name] ?? {})) found[route] = await row(route);
    expect(found).toEqual(routes[name]);
  });

  it("of the Nexus routes are to start, and to answer, in the namespace", async () => {
    // Whoever may is answered by a worker, and there is none.
    const refused = async (path: string, allowed: string) => {
      for (const [i, token] of tokens.entries())
        if (allowed[i] === "-") expect([path, i, await ask("POST", path, {}, token)]).toEqual([path, i, "-"]);
    };
    await refused("/namespaces/one/task-queues/q/nexus-services/s/o", "---xx---xx");
    await refused("/namespaces/one/task-queues/q/nexus-services/s/o/t/cancel", "---xx---xx");
    for (const path of ["/nexus/endpoints/e/services/s/o", "/nexus/callback", "/namespaces/one/nexus/callback"]) await refused(path, "-xxxxxxxxx");
  });

  it("are told in the form of the door", async () => {
    const told = async (path: string, token: string | undefined, init: RequestInit = {}) => {
      const headers = { ...init.headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
      const answer = await fetch(server.base + path, { ...init, headers });
      return [answer.status, await answer.json()];
    };
    const [denied, unknown] = ["Request unauthorized.", "Request unauthenticated: no credentials."];
    const [, , , , , stranger] = tokens;
    const rest = "/api/v1/namespaces/one/workflows/count";
    const details = expect.anything();
    expect(await told(rest, undefined)).toEqual([401, { error: { code: "UNAUTHENTICATED", message: unknown, details: [] } }]);
    expect(await told(rest, stranger)).toEqual([403, { error: { code: "PERMISSION_DENIED", message: denied, details } }]);
    const official = "/namespaces/one/workflow-count";
    expect(await told(official, undefined)).toMatchObject([401, { code: 16, message: unknown }]);
    expect(await told(official, stranger)).toMatchObject([403, { code: 7, message: denied }]);
    const post = { method: "POST", body: "{}" };
    expect(await told("/workflows/known", undefined, post)).toEqual([401, { detail: unknown }]);
    expect(await told("/workflows/known", stranger, post)).toEqual([403, { detail: denied }]);
    expect(await told("/workflow/x/status", undefined)).toEqual([401, { error: "UnauthenticatedError", message: unknown }]);
    expect(await told("/workflow/x/status", stranger)).toEqual([403, { error: "PermissionDeniedError", message: denied }]);
    // Whoever is not known learns nothing of what there is.
    expect(await told("/workflows/none", undefined, post)).toEqual([401, { detail: unknown }]);
    expect(await told("/workflow/start", undefined, { method: "POST", body: "{" })).toEqual([
      401,
      { error: "UnauthenticatedError", message: unknown },
    ]);
  });

  it("leave out of lists what the caller may not see", async () => {
    const all = ["default", "one", "temporal-system", "two"];
    const expected = [["401"], ["one"], ["one"], ["one"], ["one"], ["two"], all, all, all, all];
    for (const version of [{}, { "temporal-api-version": "v1" }] as Record<string, string>[])
      for (const [i, token] of tokens.entries()) expect([i, await namespacesShown(token, version)]).toEqual([i, expected[i]]);
  });

  it("are those of the RPC behind each route of the official HTTP API", async () => {
    isOfficial = true;
    const found: Record<string, string> = {};
    const expected: Record<string, string> = {};
    for (const b of bindingsOf(BOUND_SERVICES)) {
      const route = `${b.method} ${b.template}`;
      const query =
        b.hasBody || b.template.includes("{namespace}") || !b.rpc.input.fields.some((f) => f.name === "namespace") ? "" : "?namespace=one";
      const body = b.rpc.input.fields.some((f) => f.name === "namespace") ? { namespace: "one" } : {};
      found[route] = await row(route + query, body);
      expected[route] = rpcs[`${b.service.typeName.slice(b.service.typeName.lastIndexOf(".") + 1)}.${b.rpc.name}`] ?? "";
    }
    expect(found).toEqual(expected);
    isOfficial = false;
  });
});
