import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { explainStartError } from "./run-server.js";

/** The real program around a server that only listens: its signals, lines and exit codes are those of a process. */
const PROGRAM = `
import { createServer } from "node:net";
import { parseCommandLine } from "./command-line.js";
import { runServer } from "./run-server.js";
import { defaultConfig, withSettings } from "../config/dynamic-config.js";
import { LockFile } from "../server/lock-file.js";
async function startServer(options, logger) {
  withSettings(defaultConfig(), options.dynamicConfig, () => {});
  const lock = options.file === ":memory:" ? undefined : LockFile.acquire(options.file);
  const listener = createServer().listen(options.port, options.ip);
  await new Promise((resolve, reject) => listener.once("listening", resolve).once("error", reject));
  lock?.setPort(listener.address().port);
  const address = options.ip + ":" + listener.address().port;
  const { ui } = options.extraPorts;
  const second = ui === undefined ? undefined : createServer().listen(ui, options.ip);
  await new Promise((resolve, reject) => second?.once("listening", resolve).once("error", reject) ?? resolve());
  return {
    addresses: { grpc: address, ...(ui === undefined ? {} : { ui: options.ip + ":" + ui }) },
    async stop() {
      second?.close();
      if (process.env.HANG) await new Promise(() => {});
      listener.close();
      lock?.release();
    },
  };
}
const line = parseCommandLine(process.argv.slice(2), {}, "1.2.3");
await runServer(line.command, line.options, { version: "1.2.3", loadServer: async () => ({ startServer }) });
`;

const root = new URL("../..", import.meta.url).pathname;
let folder: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  mkdirSync(join(root, ".setup"), { recursive: true });
  folder = mkdtempSync(join(root, ".setup/cli-"));
  await build({
    stdin: { contents: PROGRAM, resolveDir: join(root, "src/cli"), loader: "ts" },
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    outfile: join(folder, "program.mjs"),
    logLevel: "error",
  });
});
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

function start(args: string[], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, [join(folder, "program.mjs"), ...args], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  const ended = Promise.all([once(child, "exit"), text(child.stderr)]).then(([[code], errors]) => ({ code, errors }));
  const ready = readyLine(child.stdout);
  return { child, ended, ready };
}

/** The banner comes first. */
async function readyLine(stream: NodeJS.ReadableStream) {
  for await (const line of createInterface({ input: stream })) if (line.startsWith("{")) return JSON.parse(line);
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  let all = "";
  for await (const chunk of stream) all += chunk;
  return all;
}

describe("a server process", () => {
  test("says where it listens, in one line and in the port file, and ends with 0 on SIGTERM", async () => {
    const portFile = join(folder, "ports", "p.json");
    const { child, ended, ready } = start(["serve", "--port", "0", "--db-filename", join(folder, "a.db"), "--port-file", portFile]);
    const line = await ready;
    expect(line).toMatchObject({ ready: true, pid: child.pid, grpc: expect.stringMatching(/^127\.0\.0\.1:\d+$/), ui: null });
    expect(JSON.parse(readFileSync(portFile, "utf8"))).toEqual(line);
    expect(readdirSync(join(folder, "ports"))).toEqual(["p.json"]);
    child.kill("SIGTERM");
    const { code, errors } = await ended;
    expect(code).toBe(0);
    expect(errors).toBe("");
  });

  test("a second signal ends a drain that hangs at once", async () => {
    const { child, ended, ready } = start(["server", "start-dev", "--headless", "--port", "0"], { HANG: "1" });
    await ready;
    child.kill("SIGINT");
    child.kill("SIGTERM");
    expect((await ended).code).toBeGreaterThan(128);
  });

  test("a drain that hangs is cut off with 0", async () => {
    const { child, ended, ready } = start(["server", "start-dev", "--headless", "--port", "0"], { HANG: "1" });
    await ready;
    child.kill("SIGTERM");
    expect((await ended).code).toBe(0);
  });

  test("a second server on the same file names the first one's pid and port", async () => {
    const db = join(folder, "b.db");
    const first = start(["serve", "--port", "0", "--db-filename", db]);
    const { grpc, pid } = await first.ready;
    const second = await start(["serve", "--port", "0", "--db-filename", db]).ended;
    expect(second.code).toBe(1);
    expect(second.errors).toContain(`process ${pid}, which listens on port ${grpc.split(":")[1]}`);
    first.child.kill("SIGKILL");
    await first.ended;
    const third = start(["serve", "--port", "0", "--db-filename", db]);
    await third.ready;
    third.child.kill("SIGTERM");
    expect((await third.ended).code).toBe(0);
  });

  test("a port in use is one line that names the address", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as { port: number };
    const { code, errors } = await start(["server", "start-dev", "--headless", "--port", String(port)]).ended;
    expect({ code, errors }).toEqual({ code: 1, errors: `perdure: cannot listen on 127.0.0.1:${port}: the port is in use\n` });
    taken.close();
  });

  test("does without the default UI port when that is taken, and fails when it was asked for", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const ui = (taken.address() as { port: number }).port;
    const args = ["server", "start-dev", "--port", String(ui - 1000)];
    const refused = await start([...args, "--ui-port", String(ui)]).ended;
    expect(refused).toEqual({ code: 1, errors: `perdure: cannot listen on 127.0.0.1:${ui}: the port is in use\n` });
    const first = start(args);
    expect(await first.ready).toMatchObject({ ui: null });
    first.child.kill("SIGTERM");
    expect(await first.ended).toEqual({ code: 0, errors: "" });
    taken.close();
    await once(taken, "close");
    const second = start(args);
    expect(await second.ready).toMatchObject({ ui: `http://127.0.0.1:${ui}` });
    second.child.kill("SIGTERM");
    await second.ended;
  });

  test("a setting that does not fit its key is one line", async () => {
    const { code, errors } = await start(["serve", "--dynamic-config-value", "limit.maxIDLength=x"]).ended;
    expect({ code, errors }).toEqual({ code: 1, errors: "perdure: dynamic config value x does not fit limit.maxIDLength (count)\n" });
  });
});

test("a programming error at start is not passed off as the user's", () => {
  expect(explainStartError(new TypeError("x is undefined"))).toBeUndefined();
  expect(explainStartError(new Error("schema 9 is newer\nstack"))).toBe("schema 9 is newer");
});
