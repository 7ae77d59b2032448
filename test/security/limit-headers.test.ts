/**
 * How each of the nine rate limits of the API reference shows at the doors, crossed over HTTP on a clock that the test moves: 429, the
 * documents' error, headers that agree with it. The numbers are lowered; that they are the documented ones is in limits.test.ts.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Config, defaultConfig } from "../../src/config/dynamic-config.js";
import type { Limits } from "../../src/config/limits.js";
import { FakeRuntime } from "../../src/lib/fake-runtime.js";
import { openWholeServer, type WholeServer } from "../harness/whole-server.js";
import { type Ask, client, type JsonAnswer } from "../http/http-client.js";

let runtime: FakeRuntime;
let server: WholeServer;
let ask: Ask;
let config: Config;

beforeEach(async () => {
  runtime = new FakeRuntime("free");
  config = defaultConfig();
  const limited = { workflowType: "T", taskQueue: "q", requestsPerMinute: 2 };
  server = await openWholeServer({ runtime, liveConfig: () => config, workflows: { limited, plain: { workflowType: "T", taskQueue: "q" } } });
  ask = client(server.base);
});
afterEach(() => server.close());

const NS = "/api/v1/namespaces/one";
const V1 = { "temporal-api-version": "v1" };
/** With this one limit and no other. */
function only(name: keyof Limits, value: number): void {
  config = { version: config.version + 1, limits: { ...defaultConfig().limits, [name]: value } as Limits };
}
let ids = 0;
const start = () => ask(`POST ${NS}/workflows`, { workflow_id: `w${++ids}`, workflow_type: "T", task_queue: "q" });
const poll = (kind: "workflow" | "activity") => ask(`POST ${NS}/task-queues/q/${kind}-tasks/poll`, { identity: "i" });
/** Three activities wait on the queue. */
async function activities(): Promise<void> {
  await start();
  const task = await poll("workflow");
  const commands = ["a", "b", "c"].map((activity_id) => ({
    command_type: "SCHEDULE_ACTIVITY_TASK",
    schedule_activity_task_command_attributes: { activity_id, activity_type: "A", task_queue: "q", start_to_close_timeout: "600s" },
  }));
  const { status } = await ask(`POST ${NS}/workflow-tasks/complete`, { task_token: task.body.task_token, identity: "i", commands });
  expect(status).toBe(200);
}
const heartbeat = () => ask(`POST ${NS}/activities/heartbeat`, { task_token: "", identity: "i" });

const ofHeaders = ({ headers }: JsonAnswer): Record<string, string> =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith("x-ratelimit-") || name === "retry-after"));

interface Row {
  readonly name: string;
  readonly limit: readonly [keyof Limits, number];
  readonly before?: () => Promise<void>;
  readonly request: () => Promise<JsonAnswer>;
  readonly passing: number;
  readonly message: string;
  readonly detail: { readonly scope: string; readonly limit: number; readonly window: string; readonly retry_after: number };
}

const rows: readonly Row[] = [
  {
    name: "API requests of the cluster",
    limit: ["clusterCallsPerMinute", 4],
    request: () => ask("GET /api/v1/namespaces", undefined, V1),
    passing: 4,
    message: "Rate limit exceeded for the cluster",
    detail: { scope: "cluster", limit: 4, window: "1m", retry_after: 15 },
  },
  {
    name: "workflow starts of a namespace",
    limit: ["workflowStartsPerMinute", 2],
    request: start,
    passing: 2,
    message: "Rate limit exceeded for namespace 'one'",
    detail: { scope: "namespace:one", limit: 2, window: "1m", retry_after: 30 },
  },
  {
    name: "activity executions of a namespace",
    limit: ["activityExecutionsPerMinute", 2],
    before: activities,
    request: () => poll("activity"),
    passing: 2,
    message: "Rate limit exceeded for namespace 'one'",
    detail: { scope: "namespace:one", limit: 2, window: "1m", retry_after: 30 },
  },
  {
    name: "operations of a task queue",
    limit: ["taskQueueCallsPerMinute", 3],
    before: async () => void (await start()),
    request: () => ask(`GET ${NS}/task-queues/q/partitions`),
    passing: 3,
    message: "Rate limit exceeded for task queue 'q'",
    detail: { scope: "task-queue:one/q", limit: 3, window: "1m", retry_after: 20 },
  },
  {
    name: "history events of a namespace",
    limit: ["historyEventsPerMinute", 4],
    request: start,
    passing: 2,
    message: "Rate limit exceeded for namespace 'one'",
    detail: { scope: "namespace:one", limit: 4, window: "1m", retry_after: 15 },
  },
  {
    name: "API calls of a client",
    limit: ["clientCallsPerSecond", 2],
    request: () => ask(`GET ${NS}/workflows/count`),
    passing: 2,
    message: "Rate limit exceeded for client '127.0.0.1'",
    detail: { scope: "client:127.0.0.1", limit: 2, window: "1s", retry_after: 1 },
  },
  {
    name: "heartbeats of a client",
    limit: ["clientHeartbeatsPerMinute", 2],
    request: heartbeat,
    passing: 2,
    message: "Rate limit exceeded for client '127.0.0.1'",
    detail: { scope: "client:127.0.0.1", limit: 2, window: "1m", retry_after: 30 },
  },
];

describe("a documented rate limit over REST", () => {
  it.each(rows)("$name", async ({ limit, before, request, passing, message, detail }) => {
    await before?.();
    only(...limit);
    for (let i = 1; i <= passing; i++) {
      const answer = await request();
      expect(answer.status).not.toBe(429);
      expect(ofHeaders(answer)).toMatchObject({ "x-ratelimit-limit": String(detail.limit), "x-ratelimit-scope": detail.scope });
      expect(ofHeaders(answer)).not.toHaveProperty("retry-after");
    }
    const refused = await request();
    expect([refused.status, refused.body]).toEqual([
      429,
      { error: { code: "RESOURCE_EXHAUSTED", message, details: [{ type: "RateLimitExceeded", ...detail }] } },
    ]);
    const resetAt = runtime.now / 1_000_000 + (detail.window === "1m" ? 60 : 1);
    expect(ofHeaders(refused)).toEqual({
      "x-ratelimit-limit": String(detail.limit),
      "x-ratelimit-remaining": "0",
      "x-ratelimit-reset": String(resetAt),
      "x-ratelimit-scope": detail.scope,
      "retry-after": String(detail.retry_after),
    });
    // The caller who waits as long as it was told to passes.
    runtime.elapse(detail.retry_after * 1000);
    expect((await request()).status).not.toBe(429);
  });

  it("concurrent executions of a namespace", async () => {
    only("openExecutionsMax", 2);
    expect([(await start()).status, (await start()).status]).toEqual([200, 200]);
    const refused = await start();
    expect([refused.status, refused.body.error]).toEqual([
      429,
      {
        code: "RESOURCE_EXHAUSTED",
        message: "Too many concurrent executions in namespace 'one'",
        details: [{ type: "RateLimitExceeded", scope: "namespace:one", limit: 2, retry_after: 1 }],
      },
    ]);
    expect(ofHeaders(refused)).toMatchObject({ "x-ratelimit-limit": "2", "x-ratelimit-remaining": "0", "retry-after": "1" });
    const { body: left } = await ask(`GET ${NS}/workflows/count`);
    expect(left).toEqual({ count: "2" });
    await ask(`POST /api/v1/namespaces/one/workflows/w${ids - 1}/terminate`, {});
    expect((await start()).status).toBe(200);
  });

  it("concurrent long polls of a client", async () => {
    only("clientLongPollsMax", 1);
    const gone = new AbortController();
    const waiting = fetch(`${server.base}${NS}/task-queues/q/workflow-tasks/poll`, { method: "POST", body: "{}", signal: gone.signal });
    waiting.catch(() => undefined);
    const until = async (status: number): Promise<JsonAnswer> => {
      for (;;) {
        const answer = await ask(`POST ${NS}/task-queues/other/workflow-tasks/poll`, {}, { "grpc-timeout": "0m" });
        if (answer.status === status) return answer;
      }
    };
    const refused = await until(429);
    expect(refused.body.error).toEqual({
      code: "RESOURCE_EXHAUSTED",
      message: "Too many concurrent long polls of client '127.0.0.1'",
      details: [{ type: "RateLimitExceeded", scope: "client:127.0.0.1", limit: 1, retry_after: 1 }],
    });
    expect(ofHeaders(refused)).toMatchObject({ "x-ratelimit-limit": "1", "x-ratelimit-remaining": "0", "retry-after": "1" });
    gone.abort();
    await start();
    await ask(`POST ${NS}/workflows`, { workflow_id: "for-other", workflow_type: "T", task_queue: "other" });
    for (;;) {
      const answer = await ask(`POST ${NS}/task-queues/other/workflow-tasks/poll`, {});
      if (answer.status === 200) break;
    }
  });
});

describe("a limit shows at every door", () => {
  const STARTS = "/temporal.api.workflowservice.v1.WorkflowService/StartWorkflowExecution";
  const json = { "content-type": "application/json" };
  const message = () => ({ namespace: "one", workflowId: `w${++ids}`, requestId: "r", workflowType: { name: "T" }, taskQueue: { name: "q" } });
  const doors: readonly [name: string, request: () => Promise<JsonAnswer>, refusal: readonly [number, object]][] = [
    ["the official HTTP API", () => ask(`POST ${NS}/workflows/w${++ids}`, message(), json), [429, { code: 8 }]],
    ["Connect", () => ask(`POST ${STARTS}`, message(), json), [429, { code: "resource_exhausted" }]],
    ["the trigger API", () => ask("POST /workflows/plain/async", {}, json), [429, { detail: "Rate limit exceeded for namespace 'one'" }]],
    ["the workflow API", () => ask("POST /workflow/start", { workflowName: "plain" }, json), [429, { error: "RateLimitExceededError" }]],
  ];
  it.each(doors)("%s", async (_, request, [status, body]) => {
    only("workflowStartsPerMinute", 2);
    const reset = (seconds: number) => String(runtime.now / 1_000_000 + seconds);
    const common = { "x-ratelimit-limit": "2", "x-ratelimit-scope": "namespace:one" };
    const first = await request();
    expect([first.status, ofHeaders(first)]).toEqual([200, { ...common, "x-ratelimit-remaining": "1", "x-ratelimit-reset": reset(30) }]);
    await request();
    const refused = await request();
    expect(refused).toMatchObject({ status, body });
    expect(ofHeaders(refused)).toEqual({ ...common, "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset(60), "retry-after": "30" });
  });

  it("gRPC-Web, in its headers", async () => {
    only("workflowStartsPerMinute", 1);
    const request = async () => {
      const response = await fetch(server.base + STARTS, {
        method: "POST",
        headers: { "content-type": "application/grpc-web+json" },
        body: framed(JSON.stringify(message())),
      });
      const text = Buffer.from(await response.arrayBuffer()).toString("latin1");
      return { status: /grpc-status: ?(\d+)/.exec(text)?.[1] ?? response.headers.get("grpc-status"), headers: response.headers };
    };
    const passed = await request();
    expect([passed.status, passed.headers.get("x-ratelimit-remaining"), passed.headers.get("retry-after")]).toEqual(["0", "0", null]);
    const refused = await request();
    expect(refused.status).toBe("8");
    expect(ofHeaders({ ...refused, status: 200, body: undefined })).toMatchObject({ "x-ratelimit-scope": "namespace:one", "retry-after": "60" });
  });

  it("the trigger API's own limit, by workflow and address", async () => {
    const request = () => ask("POST /workflows/limited/async", {});
    const first = await request();
    expect([first.status, ofHeaders(first)]).toEqual([
      200,
      {
        "x-ratelimit-limit": "2",
        "x-ratelimit-remaining": "1",
        "x-ratelimit-reset": String(runtime.now / 1_000_000 + 60),
        "x-ratelimit-scope": "client:127.0.0.1",
      },
    ]);
    runtime.elapse(20_000);
    await request();
    const refused = await request();
    expect(refused).toMatchObject({ status: 429, body: { detail: "Rate limit exceeded: 2 per 1 minute" } });
    expect(ofHeaders(refused)).toMatchObject({ "x-ratelimit-remaining": "0", "retry-after": "40" });
    runtime.elapse(40_000);
    expect((await request()).status).toBe(200);
  });

  it("and no door speaks of limits where there are none", async () => {
    for (const [, request] of doors) expect(ofHeaders(await request())).toEqual({});
  });
});

function framed(text: string): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(Buffer.byteLength(text), 1);
  return Buffer.concat([prefix, Buffer.from(text)]);
}
