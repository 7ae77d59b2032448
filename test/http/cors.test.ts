/** Pages of other origins, and the port of the HTTP API. */
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServerProcess, startServer } from "../harness/server-process.js";

const ORIGIN = "http://app.example";
const PREFLIGHT = { "access-control-request-method": "POST", "access-control-request-headers": "content-type,grpc-timeout" };
const DOORS = ["/api/v1/namespaces", "/temporal.api.workflowservice.v1.WorkflowService/ListNamespaces"];

let server: ServerProcess;
let closed: ServerProcess;
beforeAll(async () => {
  [server, closed] = await Promise.all([startServer(["--cors-origin", ORIGIN]), startServer()]);
});
afterAll(async () => {
  expect([await server.stop(), await closed.stop()]).toEqual([0, 0]);
});

const preflight = (at: ServerProcess, path: string, origin: string) =>
  fetch(`http://${at.address}${path}`, { method: "OPTIONS", headers: { origin, ...PREFLIGHT } });

describe.each(DOORS)("a page, at %s", (path) => {
  it("of an origin that was named may call and read the answer", async () => {
    const asked = await preflight(server, path, ORIGIN);
    expect([asked.status, asked.headers.get("access-control-allow-origin"), asked.headers.get("access-control-allow-headers")]).toEqual([
      204,
      ORIGIN,
      "content-type,grpc-timeout",
    ]);
    const answer = await fetch(`http://${server.address}${path}`, {
      method: path.startsWith("/api") ? "GET" : "POST",
      headers: { origin: ORIGIN, "content-type": "application/json" },
      ...(path.startsWith("/api") ? {} : { body: "{}" }),
    });
    expect([answer.status, answer.headers.get("access-control-allow-origin"), answer.headers.get("vary")]).toEqual([200, ORIGIN, "Origin"]);
    expect(answer.headers.get("access-control-expose-headers")).toMatch(/grpc-status/);
  });

  it("of another origin may not", async () => {
    const asked = await preflight(server, path, "http://evil.example");
    expect([asked.status, asked.headers.get("access-control-allow-origin")]).toEqual([403, null]);
  });

  it("may not at all where no origin was named", async () => {
    const asked = await preflight(closed, path, ORIGIN);
    expect([asked.status === 204, asked.headers.get("access-control-allow-origin")]).toEqual([false, null]);
  });
});

describe("the port of the HTTP API", () => {
  it("may be one more, of which the ready line tells", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as { port: number };
    await new Promise((resolve) => taken.close(resolve));
    const own = await startServer(["--http-port", String(port)]);
    expect((await fetch(`http://127.0.0.1:${port}/system-info`)).status).toBe(200);
    expect(await own.stop()).toBe(0);
  });
});
