/** The official Web UI against our server: every action of a person leads to what it should, without an error anywhere. */
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServerProcess, startServer } from "../harness/server-process.js";
import { ACTIONS } from "./actions.js";
import { findChromium, findUiServer, openUi, type UiSession } from "./ui-session.js";

const uiServer = findUiServer();
const chromium = findChromium();
if (uiServer === undefined || chromium === undefined)
  process.stdout.write(
    `The official Web UI is skipped: ${uiServer === undefined ? "its server (PERDURE_TEMPORAL_UI_SERVER, .setup/clients/ui-server or ui-server on the path)" : "Chromium (PERDURE_CHROMIUM, or chromium on the path)"} is not here\n`,
  );

describe.runIf(uiServer !== undefined && chromium !== undefined)("the official Web UI", () => {
  let server: ServerProcess;
  let ui: UiSession;
  let connection: Connection;
  let native: NativeConnection;
  let worker: Worker;
  let running: Promise<void>;

  beforeAll(async () => {
    Runtime.install({
      logger: new DefaultLogger("ERROR"),
      telemetryOptions: { logging: { filter: "OFF", forward: {} } },
      workerHeartbeatInterval: "1s",
    });
    server = await startServer();
    connection = await Connection.connect({ address: server.address });
    native = await NativeConnection.connect({ address: server.address });
    worker = await Worker.create({
      connection: native,
      taskQueue: "ui",
      workflowsPath: join(import.meta.dirname, "workflows.ts"),
      bundlerOptions: { logger: new DefaultLogger("ERROR") } as never,
    });
    running = worker.run();
    const client = new Client({ connection });
    await client.workflow.execute("greet", { taskQueue: "ui", workflowId: "ui-greet" });
    for (const id of ["ui-signal", "ui-cancel", "ui-pause"]) await client.workflow.start("collect", { taskQueue: "ui", workflowId: id });
    await client.workflow.start("talk", { taskQueue: "ui", workflowId: "ui-talk" });
    await client.schedule.create({
      scheduleId: "ui-schedule",
      spec: { intervals: [{ every: "1 hour" }] },
      action: { type: "startWorkflow", workflowType: "greet", taskQueue: "ui" },
    });
    ui = await openUi(uiServer as string, chromium as string, server.address);
  });
  afterAll(async () => {
    await ui?.close();
    worker?.shutdown();
    await running;
    await native?.close();
    await connection?.close();
    expect(await server?.stop()).toBe(0);
  });

  it("is asked for at least 20 actions", () => {
    expect(new Set(ACTIONS.map((a) => a.name)).size).toBeGreaterThanOrEqual(20);
  });

  for (const { name, perform } of ACTIONS)
    it(name, async () => {
      await perform(ui);
      expect(ui.faults()).toEqual([]);
    });
});
