/**
 * Random requests of every protocol: an RPC with a random message by gRPC, gRPC-Web, Connect or the official HTTP API, a route of the
 * REST, trigger and workflow APIs, or bytes that are no request at all. Every one but the last kind is well-formed or nearly so.
 */
import { create, type DescMessage, type DescMethod, type DescService, fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import { KeyService } from "../../gen/es/perdure/security/v1/service_pb.js";
import { CloudService } from "../../gen/es/temporal/api/cloud/cloudservice/v1/service_pb.js";
import { OperatorService } from "../../gen/es/temporal/api/operatorservice/v1/service_pb.js";
import { TestService } from "../../gen/es/temporal/api/testservice/v1/service_pb.js";
import { WorkflowService } from "../../gen/es/temporal/api/workflowservice/v1/service_pb.js";
import { AdminService } from "../../gen/es/temporal/server/api/adminservice/v1/service_pb.js";
import { type Binding, bindingsOf } from "../../src/gateway/http-api/bindings.js";
import { TYPES } from "../../src/gateway/json/types.js";
import { type About, parameterless } from "./callers.js";
import type { Chance } from "./chance.js";
import type { Answer, Wire } from "./doors.js";
import { IDS, type Json, Messages } from "./messages.js";

export interface FuzzRequest {
  readonly protocol: Protocol;
  /** What it is about, for people: an RPC, a route. */
  readonly subject: string;
  readonly wire: Wire | Buffer;
  /** The RPC that it names, as a path: UNIMPLEMENTED is no answer where that is there. Empty for a route. */
  readonly rpc?: string;
  /** Its bytes are not what they should be: gRPC answers INTERNAL to a message that cannot be read, as the official server does. */
  readonly isBroken?: boolean;
  /** It is answered when a workflow ends, which may be never. */
  readonly waits?: boolean;
  /** Undefined: bytes. */
  readonly about?: About;
  /** Takes what later requests may use from the answer. */
  readonly learn?: (answer: Answer) => void;
}

export const PROTOCOLS = ["grpc", "grpc-web", "connect", "http-api", "rest", "trigger", "workflow", "raw-http1", "raw-http2"] as const;
export type Protocol = (typeof PROTOCOLS)[number];

interface Rpc {
  readonly service: DescService;
  readonly method: DescMethod;
}
const rpcsOf = (service: DescService): Rpc[] => service.methods.filter((m) => m.methodKind === "unary").map((method) => ({ service, method }));
const USUAL: readonly Rpc[] = rpcsOf(WorkflowService);
const RARE: readonly Rpc[] = [OperatorService, TestService, KeyService, AdminService].flatMap(rpcsOf);
const CLOUD: readonly Rpc[] = rpcsOf(CloudService);
const BINDINGS: readonly Binding[] = bindingsOf([WorkflowService, OperatorService]);
const CLOUD_BINDINGS: readonly Binding[] = bindingsOf([CloudService]);
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Of the REST API: route, and the RPC whose fields its body has. */
const NS = "/api/v1/namespaces/{namespace}";
const RUN = `${NS}/workflows/{workflow_id}/runs/{run_id}`;
const QUEUE = `${NS}/task-queues/{task_queue}`;
export const REST: readonly (readonly [route: string, rpc?: string])[] = [
  [`POST ${NS}/workflows`, "StartWorkflowExecution"],
  [`GET ${RUN}`],
  [`POST ${RUN}/terminate`, "TerminateWorkflowExecution"],
  [`POST ${RUN}/signal`, "SignalWorkflowExecution"],
  [`POST ${RUN}/query`, "QueryWorkflow"],
  [`GET ${RUN}/history`, "GetWorkflowExecutionHistory"],
  [`GET ${NS}/workflows`, "ListWorkflowExecutions"],
  [`POST ${NS}/workflows/scan`, "ScanWorkflowExecutions"],
  [`GET ${NS}/workflows/count`, "CountWorkflowExecutions"],
  [`POST ${QUEUE}/workflow-tasks/poll`, "PollWorkflowTaskQueue"],
  [`POST ${QUEUE}/activity-tasks/poll`, "PollActivityTaskQueue"],
  [`POST ${NS}/workflow-tasks/complete`, "RespondWorkflowTaskCompleted"],
  [`POST ${NS}/workflow-tasks/fail`, "RespondWorkflowTaskFailed"],
  [`POST ${NS}/activities/heartbeat`, "RecordActivityTaskHeartbeat"],
  [`POST ${NS}/activities/complete`, "RespondActivityTaskCompleted"],
  [`POST ${NS}/activities/fail`, "RespondActivityTaskFailed"],
  [`POST ${NS}/workers`, "RecordWorkerHeartbeat"],
  ["POST /api/v1/namespaces", "RegisterNamespace"],
  ["GET /api/v1/namespaces", "ListNamespaces"],
  [`GET ${NS}`],
  ["GET /api/v1/cluster"],
  ["GET /api/v1/cluster/members"],
  ["GET /api/v1/shards/{shard_id}"],
  ["POST /api/v1/shards/{shard_id}/close"],
  [`GET ${QUEUE}`, "DescribeTaskQueue"],
  [`GET ${QUEUE}/partitions`],
];
export const TRIGGER: readonly string[] = [
  ...["GET /", "GET /docs", "GET /openapi.json", "POST /workflows/{configured}", "POST /workflows/{configured}/async"],
  ...["GET /workflows/{workflow_id}/status", "GET /workflows/{workflow_id}/result"],
];
export const WORKFLOW: readonly string[] = [
  ...["POST /workflow/run", "POST /workflow/start", "GET /workflow/catalog", "GET /workflow/catalog/{task_queue}", "GET /workflow/stream"],
  ...["signal", "query", "update"].map((verb) => `POST /workflow/{workflow_id}/${verb}/{name}`),
  ...["", "/runs/{run_id}"].flatMap((run) => [
    ...["status", "result", "trace-log", "history/stream"].map((last) => `GET /workflow/{workflow_id}${run}/${last}`),
    ...[`PATCH /workflow/{workflow_id}${run}/stop`, `POST /workflow/{workflow_id}${run}/terminate`],
  ]),
];

const JSON_TYPE = { "content-type": "application/json" };
const ODD_HEADERS: readonly Readonly<Record<string, string>>[] = [
  { "grpc-timeout": "x" },
  { "grpc-timeout": "99999999999999999999H" },
  { "connect-timeout-ms": "-1" },
  { "grpc-encoding": "snappy" },
  { "content-encoding": "gzip" },
  { "content-type": "text/plain" },
  { "content-type": "" },
  { accept: "text/html" },
  { "temporal-namespace": "two" },
  { "temporal-api-version": "v9" },
  { "temporal-cloud-api-version": "v99" },
  { "temporal-api-version": "v1beta1" },
  { authorization: "Bearer x" },
  { "last-event-id": "99999999999999" },
  { "x-http-method-override": "DELETE" },
  { cookie: "a=b; ".repeat(500) },
];

export class Requests {
  readonly messages: Messages;
  /** @param elsewhere how many requests are about another namespace than the first */
  constructor(
    private readonly chance: Chance,
    private readonly elsewhere?: number,
  ) {
    this.messages = new Messages(chance, elsewhere);
  }

  next(): FuzzRequest {
    const protocol = this.chance.of(PROTOCOLS);
    switch (protocol) {
      case "grpc":
      case "grpc-web":
      case "connect":
        return this.rpc(protocol);
      case "http-api":
        return this.bound();
      case "raw-http1":
      case "raw-http2":
        return this.raw(protocol);
      default:
        return this.route(protocol);
    }
  }

  private rpc(protocol: "grpc" | "grpc-web" | "connect"): FuzzRequest {
    const { chance, messages } = this;
    const { service, method } = chance.of(chance.is(0.25) ? CLOUD : chance.is(0.8) ? USUAL : RARE);
    const { json, bytes } = this.binary(method.input, messages.request(method.input));
    const isJson = protocol !== "grpc" && chance.is(0.4);
    const clean = isJson ? Buffer.from(JSON.stringify(json)) : bytes;
    const change = chance.is(0.6) ? "none" : chance.of(["bytes", "frame", "headers", "path", "method"] as const);
    let body = change === "bytes" ? chance.mutated(clean) : clean;
    const isFramed = protocol !== "connect";
    if (isFramed) body = change === "frame" ? chance.mutated(framed(body)) : framed(body);
    const codec = isJson ? "json" : "proto";
    const type = { grpc: "application/grpc", "grpc-web": `application/grpc-web+${codec}`, connect: `application/${codec}` }[protocol];
    const path = `/${service.typeName}/${method.name}`;
    const wire: Wire = {
      version: protocol === "grpc" || chance.is(0.5) ? 2 : 1,
      method: change === "method" ? chance.of(["GET", "PUT", "OPTIONS"]) : "POST",
      path: change === "path" ? chance.of([`${path}s`, path.toLowerCase(), `${path}/`, "/x.Y/Z", `${path}?a=b`]) : path,
      headers: { "content-type": type, ...(protocol === "grpc" ? { te: "trailers" } : {}), ...(change === "headers" ? chance.of(ODD_HEADERS) : {}) },
      body,
    };
    const learn = (answer: Answer): void => {
      if (answer.status !== 200 || isJson) return;
      const out = isFramed ? answer.body.subarray(5, 5 + (answer.body.length > 4 ? answer.body.readUInt32BE(1) : 0)) : answer.body;
      this.learn(toJson(method.output, fromBinary(method.output, out), { registry: TYPES }) as Json);
    };
    const isBroken = change !== "none";
    const subject = `${service.name}.${method.name}`;
    const about = aboutOf(subject, json, !isBroken);
    return { protocol, subject, wire, learn, isBroken, about, ...(change === "path" ? {} : { rpc: path }) };
  }

  private bound(): FuzzRequest {
    const { chance, messages } = this;
    const binding = chance.of(chance.is(0.25) ? CLOUD_BINDINGS : BINDINGS);
    const json = messages.request(binding.rpc.input);
    const { path, namespace } = this.filled(binding.template);
    const query = binding.hasBody ? "" : queryOf(json);
    const { isIntact, ...wire } = this.jsonWire(binding.method, path + query, binding.hasBody ? json : undefined);
    const row = `${binding.service.name}.${binding.rpc.name}`;
    const about = aboutOf(row, namespace === undefined ? json : { ...json, namespace }, isIntact);
    const learn = (answer: Answer): void => {
      if (answer.status === 200) this.learn(JSON.parse(answer.body.toString()) as Json);
    };
    return { protocol: "http-api", subject: `${binding.method} ${binding.template}`, wire, rpc: binding.path, about, learn };
  }

  private route(protocol: "rest" | "trigger" | "workflow"): FuzzRequest {
    const { chance, messages } = this;
    const [route, rpc] = protocol === "rest" ? chance.of(REST) : [chance.of(protocol === "trigger" ? TRIGGER : WORKFLOW), undefined];
    const [method = "", template = ""] = route.split(" ");
    const desc = rpc === undefined ? undefined : (WorkflowService.methods.find((m) => m.name === rpc) as DescMethod).input;
    const isCamel = desc === undefined || chance.is(0.5);
    const message = desc === undefined ? this.productBody() : messages.request(desc);
    const fields = isCamel ? message : snakeCase(message);
    const { path, namespace } = this.filled(template);
    const { isIntact, ...wire } = this.jsonWire(method, method === "GET" ? path + queryOf(fields) : path, method === "GET" ? undefined : fields);
    // The product APIs are of the first namespace where nobody says another.
    const isElsewhere = protocol !== "rest" && this.elsewhere !== undefined && chance.is(this.elsewhere);
    const own = protocol === "rest" ? namespace : isElsewhere ? "two" : "one";
    const { namespace: _, ...unplaced } = typeof message === "object" && !Array.isArray(message) ? (message ?? {}) : {};
    const about = aboutOf(parameterless(route), own === undefined ? unplaced : { ...unplaced, namespace: own }, isIntact);
    const isRest = (chance.is(0.5) || this.elsewhere !== undefined) && protocol === "rest";
    const version: Record<string, string> = isRest ? { "temporal-api-version": "v1" } : isElsewhere ? { "temporal-namespace": "two" } : {};
    const learn = (answer: Answer): void => {
      if (answer.status === 200 && answer.contentType.startsWith("application/json")) this.learn(JSON.parse(answer.body.toString()) as Json);
    };
    const waits = /configured}$|result$|run$|stream$/.test(route);
    return { protocol, subject: route, wire: { ...wire, headers: { ...version, ...wire.headers } }, rpc: "", waits, about, learn };
  }

  private productBody(): Json {
    const { chance } = this;
    return chance.of<Json>([
      {},
      { workflowName: "plain", input: { a: 1 } },
      {
        workflowName: "T",
        taskQueue: "q1",
        workflowId: `w${chance.below(6)}`,
        input: [1, 2],
        timeout: chance.of<Json>([1, 300, "1s", -1, "x", 1e12]),
      },
      { workflowName: 7 },
      { payload: null },
      { reason: 5 },
      [1, 2, 3],
      "text",
      null,
    ]);
  }

  private jsonWire(method: string, path: string, json: Json | undefined): Wire & { readonly isIntact: boolean } {
    const { chance } = this;
    let body: Buffer | undefined = json === undefined ? undefined : Buffer.from(JSON.stringify(json));
    const change = chance.is(0.6) ? "none" : chance.of(["bytes", "headers", "path", "body", "deep"] as const);
    if (body !== undefined && change === "bytes") body = chance.mutated(body);
    if (body !== undefined && change === "deep")
      body = Buffer.from(chance.is(0.5) ? "[".repeat(5000) : `${'{"a":'.repeat(3000)}1${"}".repeat(3000)}`);
    if (change === "body")
      body = chance.of([undefined, Buffer.from(""), Buffer.from("null"), Buffer.from('"x"'), Buffer.from("\ufeff{}"), chance.bytes(20)]);
    const target =
      change === "path"
        ? chance.of([`${path}/`, path.replace("/", "//"), `${path}%`, `${path}%ff`, `${path}?${"a=b&".repeat(50)}`, `${path}?=&&=x`])
        : path;
    const headers = { ...JSON_TYPE, ...(change === "headers" ? chance.of(ODD_HEADERS) : {}) };
    const isIntact = change === "none";
    return { version: chance.is(0.5) ? 1 : 2, method, path: target, headers, body: method === "GET" ? undefined : body, isIntact };
  }

  private raw(protocol: "raw-http1" | "raw-http2"): FuzzRequest {
    const { chance } = this;
    const whole = protocol === "raw-http1" ? this.http1Bytes() : this.http2Bytes();
    const wire = chance.is(0.2) ? chance.bytes(chance.below(200)) : chance.mutated(whole);
    return { protocol, subject: "bytes", wire };
  }

  private http1Bytes(): Buffer {
    const { chance } = this;
    const body = JSON.stringify(this.productBody());
    const lines = [
      chance.of([
        "GET / HTTP/1.1",
        "POST /workflow/start HTTP/1.1",
        "POST /api/v1/namespaces/one/workflows HTTP/1.0",
        "OPTIONS * HTTP/1.1",
        "CONNECT a:1 HTTP/1.1",
      ]),
      "Host: localhost",
      chance.of([
        `Content-Length: ${body.length}`,
        "Transfer-Encoding: chunked",
        "Expect: 100-continue",
        "Upgrade: websocket\r\nConnection: upgrade",
        "Connection: close",
      ]),
      chance.of(["Content-Type: application/json", "Content-Type: application/grpc", "Range: bytes=0-1", "Trailer: x"]),
    ];
    return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`.repeat(1 + chance.below(3)));
  }

  /** The preface, settings, and frames of whatever kind with few bytes. */
  private http2Bytes(): Buffer {
    const { chance } = this;
    const frames = Array.from({ length: 1 + chance.below(6) }, () => {
      const payload = chance.bytes(chance.below(24));
      const head = Buffer.alloc(9);
      head.writeUIntBE(payload.length, 0, 3);
      head[3] = chance.below(11);
      head[4] = chance.below(64);
      head.writeUInt32BE(chance.below(6), 5);
      return Buffer.concat([head, payload]);
    });
    return Buffer.concat([PREFACE, Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]), ...frames]);
  }

  private filled(template: string): { readonly path: string; readonly namespace: string | undefined } {
    const { chance, messages } = this;
    let namespace: string | undefined;
    const path = template.replace(/\{([^}=]+)(?:=[^}]*)?\}/g, (_, name: string) => {
      if (name === "configured") return chance.of(["plain", "schema", "none"]);
      if (name === "shard_id") return chance.of(["1", "1024", "0", "1025", "x", "-1", "1e3"]);
      const value = messages.text(name.slice(name.lastIndexOf(".") + 1));
      const shown = value === "" ? "x" : value.slice(0, 200);
      if (name === "namespace") namespace = shown;
      return encodeURIComponent(shown);
    });
    return { path, namespace };
  }

  /** As bytes; fields of the JSON that cannot be are left out, one after the other. */
  private binary(desc: DescMessage, json: { [key: string]: Json }): { json: { [key: string]: Json }; bytes: Buffer } {
    const kept = { ...json };
    for (;;) {
      try {
        return { json: kept, bytes: Buffer.from(toBinary(desc, fromJson(desc, kept, { registry: TYPES, ignoreUnknownFields: true }))) };
      } catch {
        const name = Object.keys(kept).at(-1);
        if (name === undefined) return { json: kept, bytes: Buffer.from(toBinary(desc, create(desc))) };
        delete kept[name];
      }
    }
  }

  private learn(value: Json): void {
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value)) {
      for (const v of value.slice(0, 3)) this.learn(v);
      return;
    }
    for (const [name, v] of Object.entries(value)) {
      if (typeof v !== "string") this.learn(v);
      else if (v === "") continue;
      else if (name === "taskToken" || name === "task_token") this.messages.learn("tokens", v);
      else if (name === "nextPageToken" || name === "next_page_token") this.messages.learn("pages", v);
      else if (name === "runId" || name === "run_id") this.messages.learn("runs", v);
      else if (IDS.has(snake(name))) this.messages.learnThing(snake(name), v);
      if (OWNERS.has(name)) this.messages.learnThing("owner_id", v as string);
    }
  }
}

/** What commands do elsewhere, and the RPC that would do it. */
const CROSSINGS: Readonly<Record<string, string>> = {
  startChildWorkflowExecutionCommandAttributes: "WorkflowService.StartWorkflowExecution",
  signalExternalWorkflowExecutionCommandAttributes: "WorkflowService.SignalWorkflowExecution",
  requestCancelExternalWorkflowExecutionCommandAttributes: "WorkflowService.RequestCancelWorkflowExecution",
};

/** @param json fields of the request, those of its path among them */
function aboutOf(row: string, json: Readonly<Record<string, Json>>, isIntact: boolean): About {
  const text = (name: string): string[] => (typeof json[name] === "string" && json[name] !== "" ? [json[name]] : []);
  const namespaces = [...text("namespace"), ...text("namespaceId").map((id) => `id:${id}`)];
  if (row === "WorkflowService.DescribeNamespace") namespaces.push(...text("id").map((id) => `id:${id}`));
  const commands = Array.isArray(json["commands"]) ? json["commands"] : [];
  const also = commands.flatMap((c) =>
    Object.entries(c ?? {}).flatMap(([name, attributes]) => {
      const target = (attributes as { namespace?: string } | null)?.namespace ?? "";
      const crossing = CROSSINGS[name];
      return crossing === undefined || target === "" || namespaces.includes(target) ? [] : [[crossing, target] as const];
    }),
  );
  // Without one it is about the namespace of its task.
  const isTold = namespaces.length > 0 || !/Respond|Heartbeat/.test(row);
  return { row, namespaces, also, isIntact: isIntact && isTold };
}

function framed(body: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.length, 1);
  return Buffer.concat([prefix, body]);
}

function queryOf(json: Json): string {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return "";
  const parts = Object.entries(json).map(
    ([k, v]) => `${encodeURIComponent(k)}=${encodeURIComponent(typeof v === "string" ? wellFormed(v) : JSON.stringify(v))}`,
  );
  return parts.length === 0 ? "" : `?${parts.join("&").slice(0, 4000)}`;
}
const wellFormed = (text: string): string => Buffer.from(text).toString();

const snake = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
/** Whom keys are made for. */
const OWNERS: ReadonlySet<string> = new Set(["userId", "serviceAccountId"]);

function snakeCase(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(snakeCase);
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [snake(k), snakeCase(v)]));
}
