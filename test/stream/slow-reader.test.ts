/** Streams to readers who take nothing, or to whom there is nothing to tell, on a clock that the test moves. */
import { existsSync, readFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { afterEach, beforeEach, expect, it } from "vitest";
import { FakeRuntime } from "../../src/lib/fake-runtime.js";
import { openWholeServer, type WholeServer } from "../harness/whole-server.js";
import { type Ask, client } from "../http/http-client.js";
import { EventReader } from "./event-source.js";

let runtime: FakeRuntime;
let server: WholeServer;
let ask: Ask;
/** Pages of history that were asked for. */
let pages: number;

beforeEach(async () => {
  runtime = new FakeRuntime("free");
  pages = 0;
  server = await openWholeServer({
    runtime,
    handlers: (m) => (request, call) => {
      if (m.name === "GetWorkflowExecutionHistory") pages++;
      return (m.handler as NonNullable<typeof m.handler>)(request, call);
    },
  });
  ask = client(server.base);
  expect((await ask("POST /workflow/start", { workflowName: "T", workflowId: "w", taskQueue: "q" })).status).toBe(200);
});
afterEach(() => server.close());

/** Bytes of a connection that the kernel keeps at most: what it may write ahead and what the other side has not read. */
function onTheWayMax(): number {
  const largest = (name: string): number => {
    const file = `/proc/sys/net/ipv4/${name}`;
    return existsSync(file) ? Number(readFileSync(file, "utf8").trim().split(/\s+/).at(-1)) : 16 * 1024 * 1024;
  };
  return largest("tcp_wmem") + largest("tcp_rmem");
}

it.each(["/workflow/w/history/stream", "/workflow/stream"])("a stream without news sends heartbeats: %s", async (path) => {
  const reader = new EventReader();
  await reader.connect(server.base + path);
  await reader.until((events) => events.length > 0);
  const beats = async (n: number) => {
    for (; reader.comments < n; await new Promise((resolve) => setImmediate(resolve))) runtime.elapse(1_000);
  };
  const begun = runtime.now;
  await beats(3);
  // Not so often that they are a load, and more often than proxies give up.
  expect((runtime.now - begun) / 3_000_000).toBeGreaterThan(5);
  const events = reader.events.length;
  await ask("POST /workflow/w/signal/s", {});
  await ask("POST /workflow/w/terminate", {});
  await reader.until((e) => e.length > events);
  await reader.close();
});

it("a reader who takes nothing costs a page, and gets everything once when it reads on", { timeout: 60_000 }, async () => {
  const SIGNALS = 300;
  const payload = "x".repeat(50_000);
  for (let i = 0; i < SIGNALS; i += 10) await Promise.all(Array.from({ length: 10 }, () => ask("POST /workflow/w/signal/s", { payload })));
  await ask("POST /workflow/w/terminate", {});
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${server.base}/workflow/w/history/stream?includePayloads=true`, { highWaterMark: 1024 } as never, resolve).on("error", reject);
  });
  // Nothing is read. What fits on the way is on its way once the server asks for no further page for as long as thirty requests take.
  for (let before = -1; before !== pages; ) {
    before = pages;
    for (let i = 0; i < 30; i++) await ask("GET /workflow/w/status");
  }
  const before = pages;
  let text = "";
  for await (const chunk of response) text += chunk;
  expect(pages).toBeGreaterThan(5);
  // One waits to be sent, one is being sent, the others are what the machine holds of a connection.
  expect(before).toBeLessThanOrEqual(2 + Math.ceil(onTheWayMax() / (text.length / pages)));
  const ids = [...text.matchAll(/"eventId":"(\d+)"/g)].map((m) => Number(m[1]));
  expect(ids).toEqual(Array.from({ length: SIGNALS + 3 }, (_, i) => i + 1));
  expect(text).toContain("event: done");
});

it("a reader who goes is not read for any longer", async () => {
  const reader = new EventReader();
  await reader.connect(`${server.base}/workflow/w/history/stream`);
  await reader.until((events) => events.some((e) => e.event === "history"));
  await reader.close();
  // Its poll ends with it, whatever the clock says.
  for (let before = -1; before !== runtime.timers.size; ) {
    before = runtime.timers.size;
    await ask("GET /workflow/w/status");
  }
  const asked = pages;
  for (let i = 0; i < 10; i++) await ask("POST /workflow/w/signal/s", {});
  expect(pages).toBe(asked);
});
