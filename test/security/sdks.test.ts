/** The official SDKs with an API key over --tls-dev: a worker and a client in one namespace, as each SDK documents it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServerProcess, startServer, temporaryDirectory } from "../harness/server-process.js";
import { goIsHere, goProgram, javaClasses, javaIsHere, pythonFile, pythonIsHere, pythonWithSdk, run } from "../sdk/languages.js";
import { keyOn } from "./command.js";

const folder = temporaryDirectory();
const ca = join(folder, "tls-dev/ca.crt");
/** Of the documents: an SDK may name either in its metadata. */
const VERSIONS = ["v1", "v1beta1"];
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
});

const hasGo = goIsHere("the Go SDK over TLS with an API key");
const hasPython = pythonIsHere("the Python SDK over TLS with an API key");
const hasJava = javaIsHere("the Java SDK over TLS with an API key");

describe("with an API key over TLS", () => {
  it.each(VERSIONS)("TypeScript, with the version %s", { timeout: 60_000 }, async (version) => {
    const options = { address: server.address, apiKey: key, tls: { serverRootCACertificate: readFileSync(ca) } };
    const native = await NativeConnection.connect({ ...options, metadata: { "temporal-api-version": version } });
    const connection = await Connection.connect({ ...options, metadata: { "temporal-api-version": version } });
    const queue = `typescript-${version}`;
    try {
      const worker = await Worker.create({
        connection: native,
        namespace: "orders",
        taskQueue: queue,
        workflowsPath: join(import.meta.dirname, "workflows.ts"),
        activities: { greet: async (name: string) => `hello ${name}` },
      });
      const client = new Client({ connection, namespace: "orders" });
      const answer = worker.runUntil(client.workflow.execute("greeting", { workflowId: queue, taskQueue: queue, args: ["TypeScript"] }));
      expect(await answer).toBe("hello TypeScript");
    } finally {
      await connection.close();
      await native.close();
    }
  });

  const says = async (name: string, command: string, args: readonly string[]) => {
    const { stdout, stderr } = await run(command, args, 60_000);
    expect([stdout.trim(), stdout === "" ? stderr : ""]).toEqual([`hello ${name}`, ""]);
  };
  const common = (version: string): string[] => [server.address, ca, "orders", version];

  it.runIf(hasGo).each(VERSIONS)("Go, with the version %s", { timeout: 300_000 }, (version) =>
    says("Go", goProgram("./secure", "go-secure"), common(version)),
  );

  it.runIf(hasPython).each(VERSIONS)("Python, with the version %s", { timeout: 300_000 }, (version) =>
    says("Python", pythonWithSdk(), ["-B", pythonFile("secure.py"), ...common(version)]),
  );

  it.runIf(hasJava).each(VERSIONS)("Java, with the version %s", { timeout: 300_000 }, (version) =>
    says("Java", "java", ["-cp", javaClasses(), "secure.Secure", ...common(version)]),
  );
});
