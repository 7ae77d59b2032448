/** The Go, Java, Python and TypeScript of the API reference as programs, over TLS with an API key: an order from its start to its result. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { authority, issued, type Pair } from "../harness/certificates.js";
import { type ServerProcess, startServer, temporaryDirectory } from "../harness/server-process.js";
import { goIsHere, goProgram, javaClasses, javaIsHere, pythonIsHere, pythonWithSdk, run } from "../sdk/languages.js";
import { keyOn } from "../security/command.js";
import { documented, type Language } from "./programs.js";

const folder = temporaryDirectory();
const at = (...names: string[]): string => join(folder, ...names);
const here = import.meta.dirname;
/** In the tree, so that packages resolve. */
const bundles = join(here, `../../.setup/run/documents-${process.pid}`);
const PASSWORD = "password";
const ATTRIBUTES = ["OrderId", "CustomerId", "Environment"].flatMap((name) => ["--search-attribute", `${name}=Keyword`]);
const ORDER = "order-processing-12345";

let ca: Pair;
let client: Pair;
let server: ServerProcess;
let key: string;

beforeAll(async () => {
  mkdirSync(at("certs"));
  ca = await authority("authority");
  client = await issued("client", ca);
  const forServer = await issued("server", ca, "temporal.company.com");
  const write = (name: string, text: string): void => writeFileSync(at("certs", name), text);
  for (const [name, text] of [
    ["ca.crt", ca.cert],
    ["client.crt", client.cert],
    ["client.key", client.private],
  ] as const)
    write(name, text);
  for (const [name, text] of [
    ["server.crt", forServer.cert],
    ["server.key", forServer.private],
  ] as const)
    write(name, text);
});

afterAll(() => {
  rmSync(bundles, { recursive: true, force: true });
});

/** A server under the name of the document; with `asksForCertificate` whoever has none is not let in. */
async function start(name: string, asksForCertificate: boolean): Promise<void> {
  const file = at(`${name}.db`);
  key = await keyOn(file, "--role", "write", "-n", "default");
  const tls = ["--tls-cert", at("certs/server.crt"), "--tls-key", at("certs/server.key")];
  server = await startServer(["-f", file, "--auth", ...tls, ...(asksForCertificate ? ["--tls-client-ca", at("certs/ca.crt")] : []), ...ATTRIBUTES]);
}

async function ended(): Promise<void> {
  expect(await server.stop()).toBe(0);
}

/** The document's files in a folder of their own, with ours around them. */
function laidOut(language: Language, files: Readonly<Record<string, string>>): string {
  const to = at(language);
  mkdirSync(to);
  for (const f of readdirSync(join(here, language))) copyFileSync(join(here, language, f), join(to, f));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(to, name), text);
  return to;
}

async function says(command: string, args: readonly string[], also: NodeJS.ProcessEnv = {}, cwd = folder): Promise<unknown> {
  const env = { ...process.env, ADDRESS: server.address, API_KEY: key, SSL_CERT_FILE: at("certs/ca.crt"), ...also };
  const { stdout, stderr } = await run(command, args, 120_000, { env, cwd });
  expect([stdout === "" ? stderr : ""]).toEqual([""]);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}

/** What the server knows of the order is what the document asked for. */
async function isOrdered(expected: Readonly<Record<string, unknown>>): Promise<void> {
  const connection = await Connection.connect({
    address: server.address,
    apiKey: key,
    tls: { serverRootCACertificate: Buffer.from(ca.cert), clientCertPair: { crt: Buffer.from(client.cert), key: Buffer.from(client.private) } },
  });
  try {
    const { workflow } = new Client({ connection });
    const query = "OrderId = '12345' AND CustomerId = 'customer-67890' AND Environment = 'production' AND ExecutionStatus = 'Completed'";
    const found: string[] = [];
    for await (const w of workflow.list({ query })) found.push(w.workflowId);
    expect(found).toEqual([ORDER]);
    const { memo, taskQueue } = await workflow.getHandle(ORDER).describe();
    expect([memo, taskQueue]).toEqual([{ environment: "production", version: "v1.2.3" }, "order-processing-queue"]);
    const { events } = await workflow.getHandle(ORDER).fetchHistory();
    const started = events?.[0]?.workflowExecutionStartedEventAttributes;
    const seconds = (d: { seconds?: unknown } | null | undefined): number => Number(d?.seconds ?? 0);
    expect({
      run: seconds(started?.workflowRunTimeout) / 3600,
      task: seconds(started?.workflowTaskTimeout),
      first: seconds(started?.retryPolicy?.initialInterval),
      last: seconds(started?.retryPolicy?.maximumInterval),
      coefficient: started?.retryPolicy?.backoffCoefficient,
      attempts: started?.retryPolicy?.maximumAttempts,
    }).toEqual({ run: 24, task: 10, first: 1, last: 100, coefficient: 2, attempts: 3 });
    const signal = events?.find((e) => e.workflowExecutionSignaledEventAttributes)?.workflowExecutionSignaledEventAttributes;
    expect(JSON.parse(Buffer.from(signal?.input?.payloads?.[0]?.data ?? []).toString())).toEqual(expected);
  } finally {
    await connection.close();
  }
}

const PAID = { paymentId: "payment-98765", amount: 59.98, currency: "USD", method: "credit_card" };
const RECEIPT = "customer-67890: 59.98 USD by credit_card";
const ORDERED_TWO = ["awaiting payment", "paid", `${RECEIPT} for 2`];

const hasGo = goIsHere("the reference's Go");
const hasJava = javaIsHere("the reference's Java");
const hasPython = pythonIsHere("the reference's Python");

describe("the API reference's", () => {
  it.runIf(hasGo)("Go", { timeout: 300_000 }, async () => {
    const language = "go";
    const module = laidOut(language, { "document.go": documented(language).join("\n") });
    for (const f of ["go.mod", "go.sum"]) copyFileSync(join(here, "../sdk/go", f), join(module, f));
    const program = goProgram(".", "go-document", module);
    await start(language, false);
    expect(await says(program, [])).toEqual(ORDERED_TWO);
    await isOrdered({ PaymentID: PAID.paymentId, Amount: PAID.amount, Currency: PAID.currency, Method: PAID.method });
    await ended();
  });

  it.runIf(hasJava)("Java", { timeout: 300_000 }, async () => {
    const language = "java";
    const [connecting = "", operating = ""] = documented(language);
    const sources = laidOut(language, { "TemporalClient.java": connecting, "WorkflowOperations.java": operating });
    const classPath = javaClasses();
    const files = readdirSync(sources).map((f) => join(sources, f));
    execFileSync("javac", ["-nowarn", "-cp", classPath, "-d", sources, ...files], { stdio: "pipe" });
    const store = at("trust.p12");
    const keep = ["-keystore", store, "-storetype", "PKCS12", "-storepass", PASSWORD];
    execFileSync("keytool", ["-importcert", "-noprompt", "-alias", "ca", "-file", at("certs/ca.crt"), ...keep], { stdio: "pipe" });
    await start(language, false);
    const trust = [`-Djavax.net.ssl.trustStore=${store}`, `-Djavax.net.ssl.trustStorePassword=${PASSWORD}`];
    expect(await says("java", [...trust, "-cp", `${sources}:${classPath}`, "Main"])).toEqual(["awaiting payment", "paid", RECEIPT]);
    await isOrdered(PAID);
    await ended();
  });

  it.runIf(hasPython)("Python", { timeout: 300_000 }, async () => {
    const language = "python";
    const program = laidOut(language, { "document.py": documented(language).join("\n") });
    await start(language, false);
    expect(await says(pythonWithSdk(), ["-B", join(program, "main.py")])).toEqual(ORDERED_TWO);
    await isOrdered({ payment_id: PAID.paymentId, amount: PAID.amount, currency: PAID.currency, method: PAID.method });
    await ended();
  });

  it("TypeScript, which has a client certificate as well", { timeout: 120_000 }, async () => {
    const language = "typescript";
    const program = laidOut(language, { "document.ts": documented(language).join("\n") });
    const built = await build({
      ...{ entryPoints: [join(program, "main.ts"), join(program, "document.ts")], outdir: bundles, outExtension: { ".js": ".mjs" } },
      ...{ bundle: true, packages: "external", platform: "node", format: "esm", target: "node20" },
    });
    expect(built.errors).toEqual([]);
    await start(language, true);
    const files = [join(bundles, "document.mjs"), join(here, language, "workflows.ts")];
    expect(await says(process.execPath, [join(bundles, "main.mjs"), ...files])).toEqual(ORDERED_TWO);
    await isOrdered(PAID);
    await ended();
  });
});
