/**
 * The real binary under the official TypeScript SDK, killed with SIGKILL at random moments on one file. Afterwards everything that
 * was acknowledged must be there: each start, each signal once, each workflow finished, and lists that agree. Histories tell what
 * each kill cut through. Other kills hit a server that is still making its file.
 */
import { spawn } from "node:child_process";
import { rmSync, watch } from "node:fs";
import { dirname, join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { BINARY, type ServerProcess, startServer, temporaryDirectory } from "../harness/server-process.js";

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
  /** Servers that did not start on what a kill had left of a file in the making. */
  unusable: number;
  /** Kills that cut through one of these. */
  during: { activity: number; timer: number; child: number; continueAsNew: number; schema: number };
}

export interface CrashOptions {
  readonly kills: number;
  /** Of a server that makes its file. */
  readonly schemaKills: number;
  readonly clients: number;
  readonly meanMs: number;
}

const until = async (what: () => Promise<boolean> | boolean, timeoutMs: number): Promise<boolean> => {
  const end = Date.now() + timeoutMs;
  for (;;) {
    if (await what()) return true;
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

export async function crashTest({ kills, schemaKills, clients, meanMs }: CrashOptions): Promise<CrashReport> {
  Runtime.install({ logger: new DefaultLogger("ERROR", () => undefined), telemetryOptions: { logging: { forward: {}, filter: "OFF" } } });
  const db = join(temporaryDirectory(), "crash.db");
  const first = await startServer(["--db-filename", db]);
  const port = first.address.slice(first.address.lastIndexOf(":") + 1);
  let server: ServerProcess = first;
  const killed: number[] = [];
  const restart = async (): Promise<void> => {
    killed.push(Date.now());
    await server.stop("SIGKILL");
    server = await startServer(["--port", port, "--db-filename", db]);
  };
  let done = 0;
  const native = await NativeConnection.connect({ address: first.address });
  const worker = await Worker.create({
    connection: native,
    taskQueue: "crash",
    workflowsPath: join(import.meta.dirname, "workflows.ts"),
    activities: {
      echo: async (v: string) => {
        await new Promise((resolve) => setTimeout(resolve, ACTIVITY_MS));
        done++;
        return v;
      },
    },
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
      // The others stay open until the end of all kills. To wait keeps clients from running ahead of the one worker.
      if (j % 8 === 0) continue;
      await client.withDeadline(Date.now() + 5_000, () => handle.signal("s", "end")).catch(() => undefined);
      await client.withDeadline(Date.now() + 20_000, () => handle.result()).catch(() => undefined);
    }
  };
  const drivers = Array.from({ length: clients }, (_, i) => drive(i));
  const killSome = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      // A kill should cut through work: the worker must have found the new server first.
      const before = done;
      await until(() => done > before, 30_000);
      await new Promise((resolve) => setTimeout(resolve, meanMs / 2 + Math.random() * meanMs));
      await restart();
    }
  };
  await killSome(kills);
  // What a kill cuts through is chance: more of them, until each kind was cut.
  for (let more = 0; more < KILLS_MORE_MAX && Object.values(await cuts(client, acked.keys(), killed)).includes(0); more += KILLS_MORE)
    await killSome(KILLS_MORE);
  stopping = true;
  await Promise.all(drivers);

  const report: CrashReport = {
    kills: killed.length,
    starts: acked.size,
    signals: 0,
    lostStarts: 0,
    lostSignals: 0,
    twice: 0,
    invented: 0,
    stuck: 0,
    listWrong: 0,
    unusable: 0,
    during: { activity: 0, timer: 0, child: 0, continueAsNew: 0, schema: 0 },
  };
  await someAtATime([...acked], async ([id, sent]) => {
    const handle = client.workflow.getHandle(id);
    // Many have been told to end before; those that have ended are still known.
    await handle.signal("s", "end").catch(() => handle.describe().catch(() => void report.lostStarts++));
    const got = (await client.withDeadline(Date.now() + 60_000, () => handle.result()).catch(() => undefined)) as string[] | undefined;
    if (got === undefined) {
      report.stuck++;
      return;
    }
    report.signals += sent.length;
    report.twice += got.length - new Set(got).size;
    for (const v of got) if (maybe.get(id)?.has(v) !== true) report.invented++;
    for (const v of sent) if (!got.includes(v)) report.lostSignals++;
  });
  const { count } = await client.workflow.count("WorkflowType = 'collect' AND ExecutionStatus = 'Completed'");
  if (count < acked.size - report.stuck) report.listWrong++;
  Object.assign(report.during, await cuts(client, acked.keys(), killed));
  worker.shutdown();
  await running;
  await native.close();
  await connection.close();
  await server.stop();
  rmSync(dirname(db), { recursive: true, force: true });
  for (let i = 0; report.during.schema < schemaKills && i < schemaKills * ATTEMPTS_A_SCHEMA_KILL; i++) await killWhileMaking(report);
  return report;
}

/** Long enough for every second kill or so to cut through an activity. */
const ACTIVITY_MS = 60;

const KILLS_MORE = 5;
const KILLS_MORE_MAX = 40;

const AT_A_TIME = 200;

/** A file is made in some 20 ms: a kill may well come too late, is then a kill of an idle server, and another one is tried. */
const ATTEMPTS_A_SCHEMA_KILL = 25;

/** Thousands of calls at once would be a test of something else. */
async function someAtATime<T>(items: Iterable<T>, f: (item: T) => Promise<unknown>): Promise<void> {
  const left = [...items];
  const take = async (): Promise<void> => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await f(item);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, take));
}

type Span = keyof Omit<CrashReport["during"], "schema">;

/** How many kills cut through each kind of thing that was under way, from the histories of every run. */
async function cuts(client: Client, workflowIds: Iterable<string>, killed: readonly number[]): Promise<Record<Span, number>> {
  const cut: Record<Span, Set<number>> = { activity: new Set(), timer: new Set(), child: new Set(), continueAsNew: new Set() };
  const span = (kind: Span, from: number, to: number): void => {
    for (const at of killed) if (from <= at && at < to) cut[kind].add(at);
  };
  const read = async (workflowId: string): Promise<void> => {
    let continuedAt: number | undefined;
    for (let runId: string | undefined = await firstRun(client, workflowId); runId !== undefined; ) {
      const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      runId = undefined;
      const begun = new Map<number, number>();
      for (const e of history.events ?? []) {
        const at = Number(e.eventTime?.seconds ?? 0) * 1000 + (e.eventTime?.nanos ?? 0) / 1e6;
        const begins =
          e.activityTaskScheduledEventAttributes ?? e.timerStartedEventAttributes ?? e.startChildWorkflowExecutionInitiatedEventAttributes;
        if (begins) begun.set(Number(e.eventId), at);
        const activity = e.activityTaskCompletedEventAttributes?.scheduledEventId;
        const timer = e.timerFiredEventAttributes?.startedEventId;
        const child = e.childWorkflowExecutionCompletedEventAttributes?.initiatedEventId;
        if (activity) span("activity", begun.get(Number(activity)) ?? at, at);
        if (timer) span("timer", begun.get(Number(timer)) ?? at, at);
        if (child) span("child", begun.get(Number(child)) ?? at, at);
        if (e.workflowTaskCompletedEventAttributes && continuedAt !== undefined) {
          span("continueAsNew", continuedAt, at);
          continuedAt = undefined;
        }
        const next = e.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
        if (next) {
          runId = next;
          continuedAt = at;
        }
      }
    }
  };
  await someAtATime(workflowIds, read);
  return { activity: cut.activity.size, timer: cut.timer.size, child: cut.child.size, continueAsNew: cut.continueAsNew.size };
}

async function firstRun(client: Client, workflowId: string): Promise<string | undefined> {
  const { raw } = await client.workflow.getHandle(workflowId).describe();
  return raw.workflowExtendedInfo ? (raw.workflowExecutionInfo?.firstRunId ?? undefined) : undefined;
}

/** A server that is making its file is killed; the next one on that file must be usable. */
async function killWhileMaking(report: CrashReport): Promise<void> {
  const directory = temporaryDirectory();
  const db = join(directory, "making.db");
  const watcher = watch(directory);
  const made = new Promise<void>((resolve) => watcher.once("change", () => resolve()));
  const child = spawn(BINARY, ["server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", "0", "--db-filename", db], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let isReady = false;
  child.stdout.on("data", (d: Buffer) => {
    if (d.includes("{")) isReady = true;
  });
  await made;
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 15));
  if (!isReady) report.during.schema++;
  report.kills++;
  child.kill("SIGKILL");
  await exited;
  try {
    const server = await startServer(["--db-filename", db]);
    const connection = await Connection.connect({ address: server.address });
    const client = new Client({ connection });
    const handle = await client.workflow.start("collect", { taskQueue: "crash", workflowId: "after" });
    if ((await handle.describe()).status.name !== "RUNNING") report.unusable++;
    await connection.close();
    if ((await server.stop()) !== 0) report.unusable++;
  } catch {
    report.unusable++;
  } finally {
    watcher.close();
    rmSync(directory, { recursive: true, force: true });
  }
}
