/**
 * Random messages, as the JSON of protobuf, by descriptor. Ids come from tiny sets and tokens from what the server has answered, so that
 * requests meet one another; about half of the fields are not there.
 */
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import type { Chance } from "./chance.js";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const DEPTH_MAX = 5;
const QUERIES = [
  ...["", "WorkflowId = 'w1'", "ExecutionStatus = 'Running' AND WorkflowType = 'T'", "StartTime > '2020-01-01T00:00:00Z' ORDER BY StartTime"],
  ...["WorkflowId IN ('a','b') OR NOT (RunId = 'x')", "GROUP BY ExecutionStatus", "WorkflowId = ", "((((", "Nothing = 1", "'", "`x` BETWEEN 1 AND 2"],
];
const TEXTS = [
  "",
  "a",
  "T",
  "name",
  "ü\u0000\u{1f600}",
  "x".repeat(1001),
  "../..",
  "%00",
  "'; DROP TABLE executions; --",
  "__proto__",
  "constructor",
];
const DURATIONS = ["0s", "1s", "10s", "3600s", "-1s", "0.000000001s", "315576000000s"];
const TIMES = ["1970-01-01T00:00:00Z", "2027-01-15T08:00:01Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"];
const INTEGERS = [0, 1, 2, 3, 10, 100, -1, 2147483647, -2147483648];
const LONGS = ["0", "1", "2", "7", "-1", "9007199254740993", "9223372036854775807", "-9223372036854775808"];
const BASE64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const JSON_PLAIN = BASE64(Buffer.from("json/plain"));

export class Messages {
  /** Of answers: task tokens, page tokens, ids of runs. */
  readonly tokens: string[] = [];
  readonly pages: string[] = [];
  readonly runs: string[] = [""];
  /** Of answers of CloudService: ids and versions by the field of requests that takes them. */
  private readonly things = new Map<string, string[]>();

  /** @param elsewhere how many requests are about namespace "two" */
  constructor(
    private readonly chance: Chance,
    readonly elsewhere = 0.05,
  ) {}

  learn(kind: "tokens" | "pages" | "runs", value: string): void {
    const list = this[kind];
    if (list.length < 64) list.push(value);
    else list[this.chance.below(64)] = value;
  }

  learnThing(field: string, value: string): void {
    const list = this.things.get(field);
    if (list === undefined) this.things.set(field, [value]);
    else if (list.length < 16) list.push(value);
    else list[this.chance.below(16)] = value;
  }

  /** What a list of `resource_version`s has, or the version of what was never changed. */
  private thing(field: string): string | undefined {
    const { chance } = this;
    const known = this.things.get(field);
    if (field === "resource_version" && (known === undefined || chance.is(0.5))) return chance.of(["1", "2", "3"]);
    return known === undefined || chance.is(0.15) ? undefined : chance.of(known);
  }

  /** Of the input of an RPC: with what it needs at least, where that is known. */
  request(desc: DescMessage): { [key: string]: Json } {
    const json = this.message(desc, 0);
    const has = (name: string): boolean => desc.fields.some((f) => f.jsonName === name);
    // A request that lacks what every request needs shows nothing of what is behind.
    if (has("namespace") && this.chance.is(0.9)) json["namespace"] = this.chance.is(1 - this.elsewhere) ? "one" : "two";
    for (const [name, make] of Object.entries(NEEDED)) if (has(name) && this.chance.is(0.85)) json[name] = make(this, this.chance);
    const cloud = desc.file.proto.package === CLOUD;
    if (cloud && has("spec") && this.chance.is(0.9)) json["spec"] = this.cloudSpec(desc, json["spec"]);
    // An id of its own for each: one that is used again with another request is refused.
    if (cloud && has("asyncOperationId") && this.chance.is(0.8)) delete json["asyncOperationId"];
    if (cloud) for (const f of desc.fields) if (IDS.has(f.name) && this.chance.is(0.9)) json[f.jsonName] = this.text(f.name);
    // Whoever deletes the namespace that all are about ends the run.
    if (desc.name === "DeleteNamespaceRequest") json["namespace"] = "gone";
    if (desc.name === "DeleteNamespaceRequest") delete json["namespaceId"];
    if (desc.name === "RegisterNamespaceRequest") json["namespace"] = this.chance.of(["gone", "two", ""]);
    return json;
  }

  /** A specification that may be taken, with some of its fields as they come. */
  private cloudSpec(desc: DescMessage, random: Json | undefined): Json {
    const { chance } = this;
    const kind = /^(?:Create|Update|Validate)(\w+)Request$/.exec(desc.name)?.[1] ?? "";
    const make = SPECS[kind];
    const mixed = chance.is(0.3) && typeof random === "object" && random !== null && !Array.isArray(random) ? random : {};
    return make === undefined ? (random ?? {}) : { ...mixed, ...make(this, chance) };
  }

  private message(desc: DescMessage, depth: number): { [key: string]: Json } {
    const out: { [key: string]: Json } = {};
    const share = depth === 0 ? 0.35 : depth > DEPTH_MAX ? 0 : 0.45;
    const oneofs = new Set<string>();
    for (const field of desc.fields) {
      if (!this.chance.is(share)) continue;
      if (field.oneof !== undefined) {
        if (oneofs.has(field.oneof.name)) continue;
        oneofs.add(field.oneof.name);
      }
      out[field.jsonName] = this.field(field, depth);
    }
    return out;
  }

  private field(f: DescField, depth: number): Json {
    if (f.fieldKind === "list") return Array.from({ length: this.chance.below(3) }, () => this.one(f, f.listKind, depth));
    if (f.fieldKind === "map")
      return Object.fromEntries(
        Array.from({ length: this.chance.below(3) }, (_, i) => [
          f.mapKey === ScalarType.STRING ? this.chance.of(["a", "b", "CustomKeywordField", ""]) : String(i),
          this.one(f, f.mapKind, depth),
        ]),
      );
    return this.one(f, f.fieldKind, depth);
  }

  private one(f: DescField, kind: "message" | "enum" | "scalar", depth: number): Json {
    if (kind === "enum") return this.chance.is(0.95) ? this.chance.below((f.enum?.values.length ?? 1) + 1) : 99;
    if (kind === "message") return this.wellKnown(f.message as DescMessage, depth);
    return this.scalar(f, f.scalar as ScalarType);
  }

  private wellKnown(desc: DescMessage, depth: number): Json {
    const { chance } = this;
    switch (desc.typeName) {
      case "google.protobuf.Duration":
        return chance.of(DURATIONS);
      case "google.protobuf.Timestamp":
        return chance.of(TIMES);
      case "google.protobuf.FieldMask":
        return chance.of(["", "a", "taskQueue,retryPolicy.maximumAttempts", "versioningOverride"]);
      case "google.protobuf.Any":
        return {};
      case "google.protobuf.Empty":
        return {};
      case "google.protobuf.BoolValue":
        return true;
      case "google.protobuf.Struct":
      case "google.protobuf.Value":
        return { a: 1 };
      case "temporal.api.common.v1.Payload":
        return {
          metadata: { encoding: chance.is(0.8) ? JSON_PLAIN : BASE64(chance.bytes(6)) },
          data: BASE64(chance.is(0.8) ? Buffer.from("1") : chance.bytes(9)),
        };
    }
    if (/Int|Double|Float|String|Bytes/.test(desc.name) && desc.typeName.startsWith("google.protobuf.")) return chance.below(3) === 0 ? 0 : 1;
    return this.message(desc, depth + 1);
  }

  private scalar(f: DescField, type: ScalarType): Json {
    const { chance } = this;
    switch (type) {
      case ScalarType.STRING:
        return this.text(f.name);
      case ScalarType.BYTES:
        return this.token(f.name);
      case ScalarType.BOOL:
        return chance.is(0.5);
      case ScalarType.DOUBLE:
      case ScalarType.FLOAT:
        return chance.of([0, 1, 0.5, -1, 1e300, "NaN", "Infinity"] as Json[]);
      case ScalarType.INT64:
      case ScalarType.SINT64:
      case ScalarType.SFIXED64:
        return chance.of(LONGS);
      case ScalarType.UINT64:
      case ScalarType.FIXED64:
        return chance.of(LONGS.slice(0, 4));
      case ScalarType.UINT32:
      case ScalarType.FIXED32:
        return chance.of(INTEGERS.slice(0, 6));
      default:
        return chance.of(INTEGERS);
    }
  }

  text(name: string): string {
    const { chance } = this;
    if (chance.is(0.08)) return chance.of(TEXTS);
    const thing = IDS.has(name) ? this.thing(name) : undefined;
    if (thing !== undefined) return thing;
    if (name === "namespace") return this.elsewhere > 0.05 && chance.is(this.elsewhere) ? "two" : "one";
    if (name === "workflow_id") return `w${chance.below(6)}`;
    if (name.endsWith("run_id")) return chance.is(0.6) ? "" : chance.of(this.runs);
    if (name.includes("task_queue") || name === "name" || name === "queue") return `q${chance.below(3)}`;
    if (name === "query") return chance.of(QUERIES);
    if (name.endsWith("_id") || name === "id") return `i${chance.below(4)}`;
    if (name.includes("cron")) return chance.of(["", "* * * * *", "@every 1s", "x"]);
    return chance.of(TEXTS);
  }

  private token(name: string): string {
    const { chance } = this;
    const known = name.includes("page_token") ? this.pages : this.tokens;
    if (known.length > 0 && chance.is(0.7)) {
      const token = chance.of(known);
      return chance.is(0.8) ? token : BASE64(chance.mutated(Buffer.from(token, "base64")));
    }
    return chance.is(0.5) ? "" : BASE64(chance.bytes(chance.below(40)));
  }

  taskToken(): string {
    return this.token("task_token");
  }
}

/** Package of CloudService's requests. */
const CLOUD = "temporal.api.cloud.cloudservice.v1";
/** Fields with what the server has named. */
export const IDS: ReadonlySet<string> = new Set([
  ...["user_id", "group_id", "service_account_id", "key_id", "endpoint_id", "role_id", "connectivity_rule_id", "async_operation_id"],
  ...["owner_id", "resource_version"],
]);

type Make = (m: Messages, c: Chance) => Json;
type MakeSpec = (m: Messages, c: Chance) => { [key: string]: Json };
const named: Make = (m) => ({ name: m.text("task_queue") });
const execution: Make = (m) => ({ workflowId: m.text("workflow_id"), runId: m.text("run_id") });
/** Of a field of a request, by its name. */
const NEEDED: Readonly<Record<string, Make>> = {
  workflowId: (m) => m.text("workflow_id"),
  workflowType: () => ({ name: "T" }),
  taskQueue: named,
  workflowExecution: execution,
  execution,
  requestId: (_, c) => `r${c.below(1000)}`,
  identity: () => "i",
  signalName: () => "s",
  taskToken: (m) => m.taskToken(),
  scheduleId: (_, c) => `s${c.below(3)}`,
  activityId: (_, c) => `a${c.below(3)}`,
  jobId: (_, c) => `j${c.below(3)}`,
  commands: (m, c) => (m.elsewhere > 0.05 && c.is(0.5) ? [c.of([CHILD, SIGNAL, CANCEL])] : c.of<Json[]>(COMMANDS)),
};
const COMPLETE: Json = { commandType: "COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION", completeWorkflowExecutionCommandAttributes: {} };
const ACTIVITY: Json = {
  commandType: "COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK",
  scheduleActivityTaskCommandAttributes: { activityId: "a1", activityType: { name: "A" }, taskQueue: { name: "q1" }, scheduleToCloseTimeout: "60s" },
};
const TIMER: Json = { commandType: "COMMAND_TYPE_START_TIMER", startTimerCommandAttributes: { timerId: "t", startToFireTimeout: "60s" } };
const COMMANDS: readonly Json[][] = [[], [COMPLETE], [ACTIVITY], [ACTIVITY, TIMER], [{ commandType: 99 }], [COMPLETE, COMPLETE], [TIMER, TIMER]];
/** What goes on in another namespace. */
const CHILD: Json = {
  commandType: "COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION",
  startChildWorkflowExecutionCommandAttributes: {
    ...{ namespace: "two", workflowId: "child", workflowType: { name: "T" }, taskQueue: { name: "q1" } },
  },
};
const SIGNAL: Json = {
  commandType: "COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION",
  signalExternalWorkflowExecutionCommandAttributes: { namespace: "two", execution: { workflowId: "w1" }, signalName: "s" },
};
const CANCEL: Json = {
  commandType: "COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION",
  requestCancelExternalWorkflowExecutionCommandAttributes: { namespace: "two", workflowId: "w2" },
};

const access: Make = (_, c) => ({
  accountAccess: { role: 1 + c.below(6) },
  ...(c.is(0.5) ? { namespaceAccesses: { [c.of(["one", "two", "gone", "none"])]: { permission: c.below(5) } } } : {}),
});
/** Of CloudService, by what is made. */
const SPECS: Readonly<Record<string, MakeSpec>> = {
  User: (m, c) => ({ email: `u${c.below(30)}@example.com`, access: access(m, c) }),
  UserGroup: (m, c) => ({ displayName: `g${c.below(10)}`, access: access(m, c), cloudGroup: {} }),
  ServiceAccount: (m, c) => ({
    name: `s${c.below(10)}`,
    ...(c.is(0.7)
      ? { access: access(m, c) }
      : { namespaceScopedAccess: { namespace: c.of(["one", "two"]), access: { permission: 1 + c.below(3) } } }),
  }),
  ApiKey: (m, c) => ({
    ownerId: m.text("owner_id"),
    ownerType: 1 + c.below(2),
    displayName: "key",
    ...(c.is(0.3) ? { expiryTime: c.of(TIMES) } : {}),
  }),
  CustomRole: (_, c) => ({
    name: `r${c.below(6)}`,
    permissions: [
      {
        resources: { resourceType: c.of(["namespaces", "accounts", "x"]), allowAll: c.is(0.6), resourceIds: c.is(0.5) ? [] : ["one"] },
        actions: [c.of(["cloud.namespace.get", "cloud.user.list", "cloud.account.get", "x"])],
      },
    ],
  }),
  Namespace: (_, c) => ({
    name: c.of(["gone", "two", "two", "cloud"]),
    retentionDays: c.of([0, 1, 30]),
    ...(c.is(0.5) ? { searchAttributes: { [c.of(["A", "B"])]: c.below(8) } } : {}),
    ...(c.is(0.5) ? { apiKeyAuth: { enabled: c.is(0.5) } } : {}),
  }),
  NexusEndpoint: (_, c) => ({
    name: c.of(["e-1", "e-2", "e-3"]),
    targetSpec: { workerTargetSpec: { namespaceId: c.of(["one", "two", "gone"]), taskQueue: "q1" } },
  }),
  NamespaceExportSink: (_, c) => ({ name: c.of(["all", "b"]), enabled: c.is(0.5), s3: { bucketName: "exports", region: "eu-central-1" } }),
};
