/** A page with @connectrpc/connect-web in a browser, over HTTP/1.1 and over TLS with HTTP/2: who may call, and every kind of call. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServerProcess, startServer, temporaryDirectory } from "../harness/server-process.js";
import { keyOn } from "../security/command.js";
import { openTab, type Tab } from "../ui/chromium.js";
import { findChromium } from "../ui/ui-session.js";
import type { Protocol, Visit } from "./page.js";

const chromium = findChromium();
if (chromium === undefined) process.stdout.write("Chromium (PERDURE_CHROMIUM, or chromium on the path) is not here: the browser page is skipped\n");

const PROTOCOLS: readonly Protocol[] = ["Connect in JSON", "Connect in binary", "gRPC-Web"];
const DONE = {
  isStarted: true,
  again: "AlreadyExists",
  isSameRun: true,
  end: "the page goes",
  left: "Canceled: signal is aborted without reason",
  statuses: [1],
  elsewhere: "PermissionDenied: Request unauthorized.",
  stranger: "Unauthenticated: Request unauthenticated: no credentials.",
  deadline: "FailedPrecondition: Context timeout is too short.",
};

/** Serves the page; an origin of its own. */
async function pageServer(script: string): Promise<Server> {
  const server = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html; charset=utf-8");
    response.end(isScript ? script : '<!doctype html><title>page</title><script type="module" src="/page.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}
const originOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const TRANSPORTS = [
  { name: "HTTP/1.1", flags: [], scheme: "http", protocol: "http/1.1" },
  { name: "HTTP/2", flags: ["--tls-dev"], scheme: "https", protocol: "h2" },
];

interface Door {
  readonly server: ServerProcess;
  readonly key: string;
  readonly base: string;
}

describe.runIf(chromium !== undefined)("a page", () => {
  let tab: Tab;
  let named: Server;
  let other: Server;
  const doors = new Map<string, Door>();
  /** Statuses of answers to what the browser asks before it calls, and the protocols of the calls. */
  const preflights: number[] = [];
  const protocols = new Set<string>();

  beforeAll(async () => {
    const { outputFiles } = await build({
      ...{ entryPoints: [join(import.meta.dirname, "page.ts")], bundle: true, write: false, platform: "browser", format: "esm", target: "es2022" },
    });
    const script = outputFiles[0]?.text ?? "";
    [named, other] = await Promise.all([pageServer(script), pageServer(script)]);
    for (const { name, flags, scheme } of TRANSPORTS) {
      const file = join(temporaryDirectory(), "p.db");
      const key = await keyOn(file, "--role", "write", "-n", "default");
      const server = await startServer(["-f", file, "-n", "other", "--auth", "--cors-origin", originOf(named), ...flags]);
      doors.set(name, { server, key, base: `${scheme}://${server.address}` });
    }
    tab = await openTab(chromium as string);
    tab.on("Network.responseReceived", ({ type, response }) => {
      if (!response.url.includes("/temporal.api.")) return;
      if (type === "Preflight") preflights.push(response.status);
      else protocols.add(response.protocol);
    });
    for (const domain of ["Page", "Runtime", "Network", "Security"]) await tab.send(`${domain}.enable`);
    await tab.send("Security.setIgnoreCertificateErrors", { ignore: true });
  }, 60_000);

  afterAll(async () => {
    await tab?.close();
    for (const { server } of doors.values()) expect(await server.stop()).toBe(0);
    for (const page of [named, other]) page?.close();
  });

  const evaluate = async (expression: string): Promise<unknown> => {
    const { result, exceptionDetails } = await tab.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  async function open(page: Server): Promise<void> {
    await tab.send("Page.navigate", { url: originOf(page) });
    await expect.poll(() => evaluate("typeof visit").catch(() => ""), { timeout: 20_000 }).toBe("function");
    protocols.clear();
  }
  const call = (name: "visit" | "attempt", v: Visit): Promise<unknown> => evaluate(`${name}(${JSON.stringify(v)})`);

  describe.each(TRANSPORTS)("over $name", ({ name, protocol: version }) => {
    const visitOf = (protocol: Protocol): Visit => {
      const { base, key } = doors.get(name) as Door;
      return { base, key, protocol, workflowId: `page in ${protocol}` };
    };

    it.each(PROTOCOLS)("of an origin that was named calls, waits and follows: %s", async (protocol) => {
      await open(named);
      expect(await call("visit", visitOf(protocol))).toEqual(DONE);
      // A key is a header that a browser asks about first, unless it knows the answer from before.
      expect(preflights).toContain(204);
      expect([...protocols]).toEqual([version]);
    });

    it.each(PROTOCOLS)("of another origin does not get as far as a call: %s", async (protocol) => {
      await open(other);
      const before = preflights.length;
      const v = { ...visitOf(protocol), workflowId: `not ${protocol}` };
      expect(await call("attempt", v)).toMatch(/Failed to fetch/);
      expect(preflights.slice(before).filter((s) => s !== 403)).toEqual([]);
      await open(named);
      expect(await call("attempt", v)).toBe("OK");
    });
  });
});
