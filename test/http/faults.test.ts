/** Errors that only a store in trouble brings about, as the REST API tells them: the server in this process, its store in the test's hand. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Code, ServiceError } from "../../src/api/service-error.js";
import { defaultConfig } from "../../src/config/dynamic-config.js";
import { createGateway } from "../../src/gateway/gateway.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { StoreFailure } from "../../src/persistence/store.js";
import type { VisibilityReader } from "../../src/persistence/visibility.js";
import { Chain } from "../../src/rpc/interceptor/chain.js";
import { type Assembled, assemble } from "../../src/server/assemble.js";
import { systemRuntime } from "../../src/server/runtime.js";
import { type Ask, client } from "./http-client.js";

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const NS = "/api/v1/namespaces/default";

/** What the next reads or commits meet. */
let readFault: Error | undefined;
let commitFault: Error | undefined;

class FaultyStore extends MemoryStore {
  override commit(...a: Parameters<MemoryStore["commit"]>): ReturnType<MemoryStore["commit"]> {
    return commitFault === undefined ? super.commit(...a) : Promise.reject(commitFault);
  }
  /** Asked for once, by whoever lists. */
  override get visibility(): VisibilityReader {
    const get = (real: VisibilityReader, name: string | symbol): unknown => {
      const method: unknown = Reflect.get(real, name);
      if (typeof method !== "function") return method;
      return (...a: unknown[]): unknown => (readFault === undefined ? Reflect.apply(method, real, a) : Promise.reject(readFault));
    };
    return new Proxy(super.visibility, { get });
  }
}

let api: Assembled;
let http: Server;
let ask: Ask;
beforeAll(async () => {
  api = await assemble({
    store: new FaultyStore(),
    runtime: systemRuntime,
    logger: SILENT,
    config: defaultConfig(),
    namespaces: [],
    searchAttributes: {},
    address: "127.0.0.1:0",
    onBug: () => "",
    onFatal: () => undefined,
  });
  const chain = new Chain(api.interceptors, SILENT);
  const gateway = await createGateway({
    methods: api.methods,
    services: api.gateway,
    run: chain.run.bind(chain),
    runtime: systemRuntime,
    logger: SILENT,
    receiveBytesMax: 4 * 1024 * 1024,
    draining: new AbortController().signal,
  });
  http = createServer((request, response) => gateway(request, response, { peer: "127.0.0.1:1" }));
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  ask = client(`http://127.0.0.1:${(http.address() as AddressInfo).port}`);
});
afterAll(async () => {
  readFault = undefined;
  commitFault = undefined;
  http.closeAllConnections();
  http.close();
  await api.drain();
});

let ids = 0;
const start = () => ask(`POST ${NS}/workflows`, { workflow_id: `w-${++ids}`, workflow_type: "T", task_queue: "q" });

describe("a store in trouble", () => {
  it("that refuses what is written is INTERNAL, and nothing is there afterwards", async () => {
    commitFault = new StoreFailure("refused", "no");
    const answer = await start();
    commitFault = undefined;
    expect([answer.status, answer.body.error.code]).toEqual([500, "INTERNAL"]);
    expect((await ask(`GET ${NS}/workflows/w-${ids}/runs/7b7a4d2e-0000-4000-8000-000000000001`)).body.error.code).toBe(
      "WORKFLOW_EXECUTION_NOT_FOUND",
    );
    expect((await start()).status).toBe(200);
  });

  it("that is full is RESOURCE_EXHAUSTED", async () => {
    commitFault = new StoreFailure("full", "no");
    const answer = await start();
    commitFault = undefined;
    expect([answer.status, answer.body.error.code]).toEqual([429, "RESOURCE_EXHAUSTED"]);
    expect(answer.body.error.details).toMatchObject([{ type: "ResourceExhaustedFailure" }]);
  });

  it.each([
    [Code.DATA_LOSS, 500],
    [Code.ABORTED, 409],
    [Code.UNAVAILABLE, 503],
    [Code.UNIMPLEMENTED, 501],
  ])("that answers %i to a read is told so", async (code, status) => {
    readFault = new ServiceError(code, "the store says so");
    const answer = await ask(`POST ${NS}/workflows/scan`, {});
    readFault = undefined;
    expect([answer.status, answer.body]).toEqual([status, { error: { code: Code[code], message: "the store says so", details: [] } }]);
  });
});
