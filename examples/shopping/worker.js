// @ts-check
// The worker service: processes the workflows that come in over HTTP.
import { NativeConnection, Worker } from "@temporalio/worker";
import * as activities from "./activities.js";

const address = globalThis.process.env.TEMPORAL_HOST ?? "localhost:7233";
const namespace = globalThis.process.env.TEMPORAL_NAMESPACE ?? "default";

const connection = await NativeConnection.connect({ address });
const worker = await Worker.create({
  connection,
  namespace,
  taskQueue: "shopping-task-queue",
  workflowsPath: new URL("./workflows.js", import.meta.url).pathname,
  activities,
});
console.log(`Worker polls shopping-task-queue at ${address}, namespace ${namespace}`);
await worker.run();
await connection.close();
