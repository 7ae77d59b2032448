/**
 * The nine rate limits of the API reference, each by its number, on a clock that the test moves: the last that is allowed passes, the
 * next is refused, after the window it passes again. The server behind the port is whole; where a thousand calls would only cost time,
 * the handler alone is a stand-in.
 */
import { beforeEach, describe, expect, it } from "vitest";
import { ResourceExhaustedFailure } from "../../gen/wire/temporal/api/errordetails/v1/message.js";
import { WorkflowService } from "../../gen/wire/temporal/api/workflowservice/v1/service.js";
import type { Call, Handler } from "../../src/api/call.js";
import { Code, ServiceError } from "../../src/api/service-error.js";
import { decode, type Init, type MessageType } from "../../src/api/wire.js";
import { NO_CONSTRAINTS } from "../../src/config/constraints.js";
import { type Config, defaultConfig, withValues } from "../../src/config/dynamic-config.js";
import { DOCUMENTED_LIMITS, type Limits } from "../../src/config/limits.js";
import { FakeRuntime } from "../../src/lib/fake-runtime.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { rateLimitDetail, rateLimitHeaders } from "../../src/quotas/headers.js";
import { Quotas } from "../../src/quotas/quotas.js";
import { Chain } from "../../src/rpc/interceptor/chain.js";
import { type Assembled, assemble } from "../../src/server/assemble.js";

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const M = WorkflowService.methods;
type Rpc<I, O> = { readonly path: string; readonly input: MessageType<I>; readonly output: MessageType<O> };

class TestCall implements Call {
  readonly deadlineMs = undefined;
  identity: Call["identity"];
  rateLimit: Call["rateLimit"];
  cancelled = false;
  private readonly listeners = new Set<() => void>();
  constructor(
    readonly path: string,
    readonly peer: string,
  ) {}
  metadata(): undefined {
    return undefined;
  }
  onCancel(f: () => void): () => void {
    this.listeners.add(f);
    return () => this.listeners.delete(f);
  }
  cancel(): void {
    this.cancelled = true;
    for (const f of this.listeners) f();
  }
}

let runtime: FakeRuntime;
let api: Assembled;
let chain: Chain;
let config: Config;

/** The documented number of one limit, and no other. */
function only(name: keyof Limits, value = DOCUMENTED_LIMITS[name as keyof typeof DOCUMENTED_LIMITS]): void {
  const base = defaultConfig();
  config = { version: config.version + 1, limits: { ...base.limits, [name]: value } as Limits };
}

interface How<I, O> {
  readonly peer?: string;
  /** In the handler's place. */
  readonly handler?: Handler<I, O>;
  readonly call?: TestCall;
}

function run<I, O>(
  rpc: Rpc<I, O>,
  request: Init<I>,
  { peer = "10.0.0.1:1", handler, call = new TestCall(rpc.path, peer) }: How<I, O> = {},
): Promise<unknown> {
  const method = api.methods.get(rpc.path);
  if (method === undefined) throw new Error(rpc.path);
  return chain.run(handler === undefined ? method : { ...method, handler: handler as Handler<unknown, unknown> }, rpc.input.create(request), call);
}

/** "OK", or the text of the refusal. */
async function outcome(answer: Promise<unknown>): Promise<string> {
  try {
    await answer;
    return "OK";
  } catch (e) {
    if (e instanceof ServiceError && e.code === Code.RESOURCE_EXHAUSTED) return e.message;
    return e instanceof ServiceError ? (Code[e.code] as string) : String(e);
  }
}

/** How many of the calls pass, one after the other. */
async function passing(calls: number, f: (i: number) => Promise<unknown>): Promise<number> {
  let passed = 0;
  for (let i = 0; i < calls; i++) if ((await outcome(f(i))) === "OK") passed++;
  return passed;
}

const start = (workflowId: string, namespace = "one", peer?: string) =>
  run(
    M.StartWorkflowExecution,
    { namespace, workflowId, requestId: workflowId, workflowType: { name: "w" }, taskQueue: { name: "q" }, identity: "i" },
    peer === undefined ? {} : { peer },
  );
const describeRun = (workflowId: string) => run(M.DescribeWorkflowExecution, { namespace: "one", execution: { workflowId } });
const info = (peer?: string) => run(M.GetSystemInfo, {}, { handler: () => ({}), ...(peer === undefined ? {} : { peer }) });
const countOf = async (): Promise<number> => ((await run(M.CountWorkflowExecutions, { namespace: "one" })) as { count: number }).count;

beforeEach(async () => {
  runtime = new FakeRuntime("free");
  config = defaultConfig();
  api = await assemble({
    store: new MemoryStore(),
    runtime,
    logger: quiet,
    config,
    liveConfig: () => config,
    ...{ namespaces: ["one", "two"], searchAttributes: {}, address: "" },
    onBug: (report) => {
      throw report.error;
    },
    onFatal: (e) => {
      throw e;
    },
  });
  chain = new Chain(api.interceptors, quiet);
});

describe("the documented limits", () => {
  it("10,000 API requests a minute and cluster", async () => {
    only("clusterCallsPerMinute");
    expect(await passing(10_000, (i) => info(`10.0.${i % 200}.1:1`))).toBe(10_000);
    expect(await outcome(info("10.1.1.1:1"))).toBe("Rate limit exceeded for the cluster");
    runtime.elapse(60_000);
    expect(await outcome(info())).toBe("OK");
  });

  it("1,000 workflow starts a minute and namespace, and one that is refused leaves nothing", async () => {
    only("workflowStartsPerMinute");
    expect(await passing(1_000, (i) => start(`w${i}`))).toBe(1_000);
    expect(await outcome(start("over"))).toBe("Rate limit exceeded for namespace 'one'");
    expect(await outcome(describeRun("over"))).toBe("NOT_FOUND");
    expect(await countOf()).toBe(1_000);
    expect(await outcome(start("elsewhere", "two"))).toBe("OK");
    runtime.elapse(60_000);
    expect(await outcome(start("over"))).toBe("OK");
  });

  it("10,000 activity executions a minute and namespace: polls that bring none do not count", async () => {
    only("activityExecutionsPerMinute");
    const poll = (token: number) =>
      run(M.PollActivityTaskQueue, { namespace: "one", taskQueue: { name: "q" } }, { handler: () => ({ taskToken: new Uint8Array(token) }) });
    expect(await passing(10_000, () => poll(8))).toBe(10_000);
    expect(await outcome(poll(8))).toBe("Rate limit exceeded for namespace 'one'");
    runtime.elapse(60_000);
    expect(await passing(20_000, () => poll(0))).toBe(20_000);
    expect(await outcome(poll(8))).toBe("OK");
  });

  it("100 concurrent executions a namespace, however they come", async () => {
    only("openExecutionsMax");
    const all = await Promise.all(Array.from({ length: 130 }, (_, i) => outcome(start(`w${i}`))));
    expect(all.filter((o) => o === "OK").length).toBeLessThanOrEqual(100);
    await passing(100, (i) => start(`later${i}`));
    expect(await countOf()).toBe(100);
    expect(await outcome(start("over"))).toBe("Too many concurrent executions in namespace 'one'");
    expect(await outcome(describeRun("over"))).toBe("NOT_FOUND");
    expect(await outcome(start("elsewhere", "two"))).toBe("OK");
    await run(M.TerminateWorkflowExecution, { namespace: "one", workflowExecution: { workflowId: "w0" } });
    expect(await outcome(start("over"))).toBe("OK");
  });

  it("1,000 task queue operations a minute and task queue", async () => {
    only("taskQueueCallsPerMinute");
    const look = (name: string, namespace = "one") => run(M.DescribeTaskQueue, { namespace, taskQueue: { name } }, { handler: () => ({}) });
    expect(await passing(1_000, () => look("q"))).toBe(1_000);
    expect(await outcome(look("q"))).toBe("Rate limit exceeded for task queue 'q'");
    expect(await outcome(look("other"))).toBe("OK");
    expect(await outcome(look("q", "two"))).toBe("OK");
    expect(await outcome(start("not-an-operation-of-the-queue"))).toBe("OK");
    runtime.elapse(60_000);
    expect(await outcome(look("q"))).toBe("OK");
  });

  it("100,000 history events a minute and namespace", async () => {
    config = { version: 7, limits: { ...config.limits, ...DOCUMENTED_LIMITS, openExecutionsMax: 0 } as Limits };
    const quotas = new Quotas({ config: () => config, runtime, openExecutions: async () => 0 });
    const startMethod = api.methods.get(M.StartWorkflowExecution.path) as never;
    const begin = async () => quotas.intercept(startMethod, { namespace: "one" }, new TestCall("", "a:1"), async () => "started");
    quotas.charge("one", 99_999);
    expect(await outcome(begin())).toBe("OK");
    quotas.charge("one", 1);
    expect(await outcome(begin())).toBe("Rate limit exceeded for namespace 'one'");
    runtime.elapse(60_000);
    expect(await outcome(begin())).toBe("OK");
  });

  it("counts the events that are written: two for a start", async () => {
    only("historyEventsPerMinute", 10);
    expect(await passing(9, (i) => start(`w${i}`))).toBe(5);
    expect(await outcome(start("elsewhere", "two"))).toBe("OK");
    expect(await outcome(describeRun("w0"))).toBe("OK");
    runtime.elapse(60_000);
    expect(await outcome(start("over"))).toBe("OK");
  });

  it("100 API requests a second and client", async () => {
    only("clientCallsPerSecond");
    expect(await passing(100, (i) => info(`10.0.0.7:${i}`))).toBe(100);
    expect(await outcome(info("10.0.0.7:999"))).toBe("Rate limit exceeded for client '10.0.0.7'");
    expect(await outcome(info("10.0.0.8:1"))).toBe("OK");
    runtime.elapse(1_000);
    expect(await outcome(info("10.0.0.7:1"))).toBe("OK");
  });

  it("10 concurrent long polls a client", async () => {
    only("clientLongPollsMax");
    const calls = Array.from({ length: 10 }, () => new TestCall(M.PollWorkflowTaskQueue.path, "10.0.0.7:1"));
    const poll = (call: TestCall) =>
      run(M.PollWorkflowTaskQueue, { namespace: "one", taskQueue: { name: "q" }, identity: "i" }, { call, handler: held });
    const held = (_: unknown, call: Call) => new Promise<object>((resolve) => call.onCancel(() => resolve({})));
    const waiting = calls.map((c) => outcome(poll(c)));
    await runtime.settle();
    expect(await outcome(poll(new TestCall("", "10.0.0.7:2")))).toBe("Too many concurrent long polls of client '10.0.0.7'");
    calls[0]?.cancel();
    expect(await waiting[0]).toBe("OK");
    const next = new TestCall("", "10.0.0.7:3");
    const again = outcome(poll(next));
    await runtime.settle();
    for (const c of [...calls, next]) c.cancel();
    expect(await Promise.all([...waiting, again])).toEqual(Array(11).fill("OK"));
  });

  it("1,000 heartbeats a minute and client", async () => {
    only("clientHeartbeatsPerMinute");
    const beat = (peer: string) =>
      run(
        M.RecordActivityTaskHeartbeatById,
        { namespace: "one", workflowId: "w", activityId: "a" },
        { peer, handler: () => ({ cancelRequested: false }) },
      );
    expect(await passing(1_000, () => beat("10.0.0.7:1"))).toBe(1_000);
    expect(await outcome(beat("10.0.0.7:1"))).toBe("Rate limit exceeded for client '10.0.0.7'");
    expect(await outcome(beat("10.0.0.8:1"))).toBe("OK");
    runtime.elapse(60_000);
    expect(await outcome(beat("10.0.0.7:1"))).toBe("OK");
  });
});

describe("a limit", () => {
  it("that is shared refuses lists before starts, and starts before answers of workers", async () => {
    only("namespaceRps", 5);
    config = { version: config.version + 1, limits: { ...config.limits, namespaceBurstRatio: 1 } as Limits };
    const list = () => run(M.DescribeWorkflowExecution, { namespace: "one" }, { handler: () => ({}) });
    const begin = () => run(M.StartWorkflowExecution, { namespace: "one" }, { handler: () => ({}) });
    const complete = () => run(M.RespondActivityTaskCompletedById, { namespace: "one" }, { handler: () => ({}) });
    expect(await passing(9, list)).toBe(5);
    expect(await passing(9, begin)).toBe(5);
    expect(await passing(9, complete)).toBe(5);
    runtime.elapse(1_000);
    expect(await passing(3, complete)).toBe(3);
    expect(await passing(9, begin)).toBe(2);
    expect(await passing(9, list)).toBe(0);
  });

  it("of the official server has its text, cause and scope", async () => {
    for (const [name, text] of [
      ["namespaceRps", "namespace rate limit exceeded"],
      ["frontendRps", "service rate limit exceeded"],
    ] as const) {
      only(name, 1);
      config = { version: config.version + 1, limits: { ...config.limits, namespaceBurstRatio: 1 } as Limits };
      await start(name);
      const error = (await start("over").catch((e: unknown) => e)) as ServiceError;
      expect(error.message).toBe(text);
      const failure = decode(ResourceExhaustedFailure, error.details[0]?.value ?? new Uint8Array());
      expect(failure).toEqual({ cause: 1, scope: name === "frontendRps" ? 2 : 1 });
    }
  });

  it("that is refused takes nothing from the others", async () => {
    only("workflowStartsPerMinute", 1);
    config = { version: config.version + 1, limits: { ...config.limits, clientCallsPerSecond: 3 } as Limits };
    expect(await outcome(start("first"))).toBe("OK");
    expect(await passing(9, () => start("refused"))).toBe(0);
    expect(await passing(9, () => info())).toBe(2);
  });

  it("changes while the server runs, and what was used stays used", async () => {
    expect(await passing(20, () => info())).toBe(20);
    only("clientCallsPerSecond", 5);
    expect(await passing(9, () => info())).toBe(5);
    only("clientCallsPerSecond", 7);
    expect(await passing(9, () => info())).toBe(2);
    config = { ...defaultConfig(), version: config.version + 1 };
    expect(await passing(20, () => info())).toBe(20);
  });

  it("are each namespace's and each task queue's own, and follow when they change", async () => {
    const constrained = (starts: number) => {
      const all = { where: "", constraints: NO_CONSTRAINTS };
      config = withValues(
        config,
        [
          { ...all, key: "frontend.namespaceStartsPerMinute", value: 8 },
          { ...all, key: "frontend.namespaceStartsPerMinute", value: starts, constraints: { ...NO_CONSTRAINTS, namespace: "one" } },
          { ...all, key: "frontend.taskQueueCallsPerMinute", value: 3, constraints: { ...NO_CONSTRAINTS, taskQueue: "narrow" } },
          { ...all, key: "frontend.namespaceOpenExecutions", value: 9, constraints: { ...NO_CONSTRAINTS, namespace: "two" } },
        ],
        () => undefined,
      );
    };
    constrained(2);
    expect(await passing(20, (i) => start(`a${i}`, "one"))).toBe(2);
    expect(await passing(20, (i) => start(`a${i}`, "two"))).toBe(8);
    const describeQueue = (name: string) => run(M.DescribeTaskQueue, { namespace: "one", taskQueue: { name } }, { handler: () => ({}) });
    expect(await passing(9, () => describeQueue("narrow"))).toBe(3);
    expect(await passing(9, () => describeQueue("wide"))).toBe(9);
    constrained(5);
    expect(await passing(20, (i) => start(`b${i}`, "one"))).toBe(3);
    expect(await passing(9, (i) => start(`b${i}`, "two"))).toBe(0);
    runtime.elapse(60_000);
    expect(await passing(9, (i) => start(`c${i}`, "two"))).toBe(1);
  });

  it("says in headers and details how the caller stands", async () => {
    only("workflowStartsPerMinute", 2);
    const startWith = async (workflowId: string) => {
      const call = new TestCall(M.StartWorkflowExecution.path, "10.0.0.7:1");
      await outcome(
        run(
          M.StartWorkflowExecution,
          { namespace: "one", workflowId, requestId: workflowId, workflowType: { name: "w" }, taskQueue: { name: "q" } },
          { call },
        ),
      );
      return call.rateLimit;
    };
    const reset = (inSeconds: number) => String(runtime.now / 1_000_000 + inSeconds);
    const scope = { "x-ratelimit-limit": "2", "x-ratelimit-scope": "namespace:one" };
    expect(rateLimitHeaders(await startWith("a"))).toEqual({ ...scope, "x-ratelimit-remaining": "1", "x-ratelimit-reset": reset(30) });
    expect(rateLimitHeaders(await startWith("b"))).toEqual({ ...scope, "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset(60) });
    const over = await startWith("c");
    expect(rateLimitHeaders(over)).toEqual({ ...scope, "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset(60), "retry-after": "30" });
    expect(rateLimitDetail(over as never)).toEqual({ type: "RateLimitExceeded", scope: "namespace:one", limit: 2, window: "1m", retry_after: 30 });
    expect(rateLimitHeaders(undefined)).toEqual({});
  });
});
