/** The program around the document's functions. Arguments: the document's program, the file with the workflows. Its certificates are in ./certs. */
import { readFileSync } from "node:fs";
import { NativeConnection, Runtime, Worker } from "@temporalio/worker";
import * as activities from "./activities.js";
import type { OrderStatus } from "./workflows.js";

interface Document {
  startWorkflow(): Promise<{ result(): Promise<OrderStatus> }>;
  signalWorkflow(): Promise<void>;
  queryWorkflow(): Promise<OrderStatus>;
}

const [, , documentFile = "", workflowsPath = ""] = process.argv;
const { startWorkflow, signalWorkflow, queryWorkflow } = (await import(documentFile)) as Document;
Runtime.install({ logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} } });
const certificate = (name: string): Buffer => readFileSync(`certs/${name}`);
const connection = await NativeConnection.connect({
  address: process.env["ADDRESS"] ?? "",
  apiKey: process.env["API_KEY"] ?? "",
  tls: {
    serverRootCACertificate: certificate("ca.crt"),
    clientCertPair: { crt: certificate("client.crt"), key: certificate("client.key") },
  },
});
const worker = await Worker.create({ connection, taskQueue: "order-processing-queue", workflowsPath, activities });
const said = await worker.runUntil(async () => {
  const handle = await startWorkflow();
  const before = await queryWorkflow();
  await signalWorkflow();
  const { receipt } = await handle.result();
  return [before.state, (await queryWorkflow()).state, receipt];
});
process.stdout.write(`${JSON.stringify(said)}\n`);
process.exit(0);
