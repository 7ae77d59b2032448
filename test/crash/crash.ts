/**
 * The real binary under the official TypeScript SDK, killed with SIGKILL at random moments on one file. Afterwards everything that
 * was acknowledged must be there: each start, each signal once, each workflow finished, and lists that agree.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { BINARY, startServer, temporaryDirectory } from "../harness/server-process.js";

export interface CrashReport {
  kills: number;
  starts: number;
  signals: number;
  lostStarts: number;
  lostSignals: number;
  twice: number;
  invented: number;
  stuck: number;
  listWrong: number;
}

const until = async (what: () => Promise<boolean> | boolean, timeoutMs: number): Promise<boolean> => {
  const end = Date.now() + timeoutMs;
  for (;;) {
    if (await what()) return true;
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

export async function crashTest(kills: number, clients: number, meanMs: number): Promise<CrashReport> {
  Runtime.install({ logger: new DefaultLogger("ERROR", () => undefined), telemetryOptions: { logging: { forward: {}, filter: "OFF" } } });
  const db = join(temporaryDirectory(), "crash.db");
  const first = await startServer(["--db-filename", db]);
  const port = first.address.slice(first.address.lastIndexOf(":") + 1);
  let server: ChildProcess = first.child;
  const listening = async (): Promise<boolean> =>
    Connection.connect({ address: first.address, connectTimeout: 1000 }).then(
      async (c) => {
        await c.close();
        return true;
      },
      () => false,
    );
  const restart = async (): Promise<void> => {
    const exited = new Promise<void>((resolve) => server.once("exit", () => resolve()));
    server.kill("SIGKILL");
    await exited;
    server = spawn(BINARY, ["server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", port, "--db-filename", db], { stdio: "ignore" });
    if (!(await until(listening, 20_000))) throw new Error("the server did not come back");
  };
  const native = await NativeConnection.connect({ address: first.address });
  const worker = await Worker.create({
    connection: native,
    taskQueue: "crash",
    workflowsPath: join(import.meta.dirname, "workflows.ts"),
    activities: { echo: async (v: string) => v },
  });
  const running = worker.run().catch(() => undefined);
  const connection = await Connection.connect({ address: first.address });
  const client = new Client({ connection });

  const acked = new Map<string, string[]>();
  const maybe = new Map<string, Set<string>>();
  let stopping = false;
  const drive = async (n: number): Promise<void> => {
    for (let j = 0; !stopping; j++) {
      const workflowId = `crash-${n}-${j}`;
      const handle = await client
        .withDeadline(Date.now() + 10_000, () =>
          client.workflow.start("collect", { taskQueue: "crash", workflowId, workflowIdConflictPolicy: "USE_EXISTING" }),
        )
        .catch(() => undefined);
      if (handle === undefined) continue;
      const own: string[] = [];
      const tried = new Set<string>();
      acked.set(workflowId, own);
      maybe.set(workflowId, tried);
      for (let k = 0; k < 5 && !stopping; k++) {
        const value = `${workflowId}-${k}`;
        tried.add(value);
        await client
          .withDeadline(Date.now() + 5_000, () => handle.signal("s", value))
          .then(
            () => own.push(value),
            () => undefined,
          );
      }
    }
  };
  const drivers = Array.from({ length: clients }, (_, i) => drive(i));
  for (let i = 0; i < kills; i++) {
    await new Promise((resolve) => setTimeout(resolve, meanMs / 2 + Math.random() * meanMs));
    await restart();
  }
  stopping = true;
  await Promise.all(drivers);

  const report: CrashReport = { kills, starts: acked.size, signals: 0, lostStarts: 0, lostSignals: 0, twice: 0, invented: 0, stuck: 0, listWrong: 0 };
  await Promise.all(
    [...acked.keys()].map((id) =>
      client.workflow
        .getHandle(id)
        .signal("s", "end")
        .catch(() => void report.lostStarts++),
    ),
  );
  await Promise.all(
    [...acked].map(async ([id, sent]) => {
      const got = (await client.withDeadline(Date.now() + 60_000, () => client.workflow.getHandle(id).result()).catch(() => undefined)) as
        | string[]
        | undefined;
      if (got === undefined) {
        report.stuck++;
        return;
      }
      report.signals += sent.length;
      report.twice += got.length - new Set(got).size;
      for (const v of got) if (maybe.get(id)?.has(v) !== true) report.invented++;
      for (const v of sent) if (!got.includes(v)) report.lostSignals++;
    }),
  );
  const { count } = await client.workflow.count("WorkflowType = 'collect' AND ExecutionStatus = 'Completed'");
  if (count < acked.size - report.stuck) report.listWrong++;
  worker.shutdown();
  await running;
  await native.close();
  await connection.close();
  const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  server.kill("SIGTERM");
  await ended;
  return report;
}
