/** A workflow task's completion that is too large for one message: the SDK sends it in pages when the namespace says that it may. */
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { NativeConnection, Worker } from "@temporalio/worker";
import { expect, it } from "vitest";
import { startServer } from "../../harness/server-process.js";
import { sizeOf } from "./activities.js";

const taskQueue = "pages";
const ACTIVITIES = 10;
const BYTES = 500_000;

it("five megabytes of commands are one workflow task", async () => {
  const server = await startServer(["--dynamic-config-value", "system.transactionSizeLimit=67108864"]);
  // Events of one transition are read in one piece.
  const channelArgs = { "grpc.max_receive_message_length": 1 << 25 };
  const connection = await Connection.connect({ address: server.address, channelArgs });
  const native = await NativeConnection.connect({ address: server.address });
  const worker = await Worker.create({
    connection: native,
    taskQueue,
    workflowsPath: join(import.meta.dirname, "run-workflows.ts"),
    activities: { sizeOf },
  });
  const handle = await new Client({ connection }).workflow.start("sendsMuch", { taskQueue, workflowId: "w", args: [ACTIVITIES, BYTES] });
  expect(await worker.runUntil(handle.result())).toBe(ACTIVITIES * BYTES);
  const scheduled = ((await handle.fetchHistory()).events ?? []).flatMap((e) => e.activityTaskScheduledEventAttributes ?? []);
  expect(scheduled.map((a) => a.activityId)).toEqual(Array.from({ length: ACTIVITIES }, (_, i) => String(i + 1)));
  expect(new Set(scheduled.map((a) => String(a.workflowTaskCompletedEventId))).size).toBe(1);
  await native.close();
  await connection.close();
  expect(await server.stop()).toBe(0);
});
