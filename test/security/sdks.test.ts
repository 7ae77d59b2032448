/** The official SDKs with an API key over --tls-dev: a worker and a client in one namespace, as each SDK documents it. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServerProcess, startServer, temporaryDirectory } from "../harness/server-process.js";
import { goIsHere, goProgram, pythonFile, pythonIsHere, pythonWithSdk, run } from "../sdk/languages.js";
import { keyOn } from "./command.js";

const folder = temporaryDirectory();
const ca = join(folder, "tls-dev/ca.crt");
let server: ServerProcess;
let key: string;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger("ERROR") });
  key = await keyOn(join(folder, "p.db"), "--role", "write", "-n", "orders");
  server = await startServer(["-f", join(folder, "p.db"), "-n", "orders", "--auth", "--tls-dev"]);
  process.env["API_KEY"] = key;
}, 30_000);

afterAll(async () => {
  delete process.env["API_KEY"];
  expect(await server?.stop()).toBe(0);
  rmSync(folder, { recursive: true, force: true });
});

const hasGo = goIsHere("the Go SDK over TLS with an API key");
const hasPython = pythonIsHere("the Python SDK over TLS with an API key");

describe("with an API key over TLS", () => {
  it("TypeScript", { timeout: 60_000 }, async () => {
    const options = { address: server.address, apiKey: key, tls: { serverRootCACertificate: readFileSync(ca) } };
    const native = await NativeConnection.connect(options);
    const connection = await Connection.connect(options);
    try {
      const worker = await Worker.create({
        connection: native,
        namespace: "orders",
        taskQueue: "typescript",
        workflowsPath: join(import.meta.dirname, "workflows.ts"),
        activities: { greet: async (name: string) => `hello ${name}` },
      });
      const client = new Client({ connection, namespace: "orders" });
      const answer = worker.runUntil(
        client.workflow.execute("greeting", { workflowId: "typescript", taskQueue: "typescript", args: ["TypeScript"] }),
      );
      expect(await answer).toBe("hello TypeScript");
    } finally {
      await connection.close();
      await native.close();
    }
  });

  it.runIf(hasGo)("Go", { timeout: 300_000 }, async () => {
    const { stdout, stderr } = await run(goProgram("./secure", "go-secure"), [server.address, ca, "orders"], 60_000);
    expect([stdout.trim(), stdout === "" ? stderr : ""]).toEqual(["hello Go", ""]);
  });

  it.runIf(hasPython)("Python", { timeout: 300_000 }, async () => {
    const { stdout, stderr } = await run(pythonWithSdk(), ["-B", pythonFile("secure.py"), server.address, ca, "orders"], 60_000);
    expect([stdout.trim(), stdout === "" ? stderr : ""]).toEqual(["hello Python", ""]);
  });
});
