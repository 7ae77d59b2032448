/** grpc.health.v1: Check on the fast path, Watch as a stream. */
import { Code as ConnectCode, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Health as HealthDesc, HealthCheckResponse_ServingStatus as ServingStatus } from "../../gen/es/grpc/health/v1/health_pb.js";
import { type ListenerUnderTest, openListenerUnderTest, TEST_SERVICE } from "./listener-under-test.js";

describe("health", () => {
  let server: ListenerUnderTest;
  beforeEach(async () => {
    server = await openListenerUnderTest();
  });
  afterEach(async () => {
    await server.listener.close();
    await server.listener.drain(0);
  });
  const client = () => createClient(HealthDesc, createGrpcTransport({ baseUrl: `http://127.0.0.1:${server.port}` }));
  const check = async (service: string) => (await client().check({ service })).status;

  it("knows the server, each service that it serves, and no other", async () => {
    for (const service of ["", TEST_SERVICE, "grpc.health.v1.Health"]) expect(await check(service)).toBe(ServingStatus.SERVING);
    const e = ConnectError.from(await check("unknown.Service").catch((x: unknown) => x));
    expect([e.code, e.rawMessage]).toEqual([ConnectCode.NotFound, "unknown service"]);
    server.health.setServing(false);
    expect(await check("")).toBe(ServingStatus.NOT_SERVING);
  });

  it("tells a watcher the status and each change, once", async () => {
    const leaving = new AbortController();
    const watch = client().watch({ service: TEST_SERVICE }, { signal: leaving.signal })[Symbol.asyncIterator]();
    const next = async (): Promise<ServingStatus | undefined> => (await watch.next()).value?.status;
    expect(await next()).toBe(ServingStatus.SERVING);
    server.health.setServing(false);
    expect(await next()).toBe(ServingStatus.NOT_SERVING);
    server.health.setServing(false);
    server.health.setServing(true);
    expect(await next()).toBe(ServingStatus.SERVING);
    leaving.abort();
    await expect(watch.next()).rejects.toMatchObject({ code: ConnectCode.Canceled });
  });

  it("tells a watcher that a service is unknown instead of refusing it", async () => {
    for await (const { status } of client().watch({ service: "unknown.Service" })) {
      expect(status).toBe(ServingStatus.SERVICE_UNKNOWN);
      break;
    }
  });

  it("ends the watches when the server stops, which waits for none of them", async () => {
    const watch = client().watch({})[Symbol.asyncIterator]();
    expect((await watch.next()).value?.status).toBe(ServingStatus.SERVING);
    const last = watch.next();
    const end = last.then(() => watch.next());
    server.health.setServing(false);
    const drained = server.listener.drain(60_000);
    expect((await last).value?.status).toBe(ServingStatus.NOT_SERVING);
    await expect(end).rejects.toMatchObject({ code: ConnectCode.Unavailable });
    await drained;
  });
});
