/**
 * The composition root: opens the store, has everything behind the port assembled, and only then opens the port. Stop is the way back: no new calls, polls answered empty, the last batch
 * finished, the file checkpointed.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Products } from "../gateway/products.js";
import { TraceStores } from "../gateway/trace/trace-store.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import { SqliteStore } from "../persistence/sqlite/store.js";
import { isFull } from "../persistence/sqlite/write-batch.js";
import type { Store } from "../persistence/store.js";
import { Health } from "../rpc/health.js";
import { openListener } from "../rpc/listener.js";
import { Origins } from "../rpc/origins.js";
import { assemble } from "./assemble.js";
import { type BugReport, describeBug } from "./bug-report.js";
import { LockFile } from "./lock-file.js";
import type { RunningServer, ServerOptions } from "./options.js";
import { systemRuntime } from "./runtime.js";
import { auditWriter, openAuth, openTls } from "./security.js";
import { Settings } from "./settings.js";

const DRAIN_MS = 1_500;

/** @throws Error with a text for the user when the server cannot start. */
export async function startServer(options: ServerOptions, log: Logger): Promise<RunningServer> {
  const runtime: Runtime = systemRuntime;
  const isFile = options.file !== ":memory:";
  let lock: LockFile | undefined;
  let store: SqliteStore | undefined;
  let settings: Settings | undefined;
  try {
    if (isFile) lock = LockFile.acquire(options.file);
    settings = await Settings.open(options, log);
    let onFatal = (error: Error): void => {
      throw error;
    };
    store = await SqliteStore.open({
      file: options.file,
      durability: options.durability,
      commitThread: options.commitThread,
      pragmas: options.pragmas,
      logger: log,
      onFatal: (e) => onFatal(e),
    });
    const server = await wire(options, settings, store, runtime, log, isFile ? dirname(options.file) : undefined, (f) => {
      onFatal = f;
    });
    lock?.setPort(Number(server.addresses.grpc.slice(server.addresses.grpc.lastIndexOf(":") + 1)));
    return {
      addresses: server.addresses,
      stop: async () => {
        await server.stop();
        settings?.close();
        lock?.release();
      },
    };
  } catch (e) {
    settings?.close();
    await store?.close();
    lock?.release();
    // The second: SQLite makes an index of the log beside the file when it opens it.
    const isNoRoom = isFull(e) || (e as { code?: string }).code === "SQLITE_IOERR_SHMSIZE";
    throw isNoRoom ? new Error(`${options.file} cannot be opened: the disk is full`, { cause: e }) : e;
  }
}

async function wire(
  options: ServerOptions,
  settings: Settings,
  store: Store,
  runtime: Runtime,
  log: Logger,
  directory: string | undefined,
  setFatal: (f: (e: Error) => void) => void,
): Promise<RunningServer> {
  const config = settings.current;
  const { limits } = config;
  const onFatal = (e: Error): void => {
    log.error({ err: e }, "the store cannot be trusted any more; the server ends");
    process.exit(70);
  };
  setFatal(onFatal);
  const tls = await openTls(options, directory, log);
  const auth = await openAuth(options, runtime, log);
  const api = await assemble({
    store,
    runtime,
    logger: log,
    config,
    namespaces: options.namespaces,
    searchAttributes: options.searchAttributes,
    address: `${options.ip}:${options.port}`,
    isTls: tls !== undefined,
    liveConfig: () => settings.current,
    auth,
    writeAudit: auditWriter(options.auditLog, log),
    testClocks: options.testClocks,
    onBug: (report) => writeBugReport(report, directory, log),
    onFatal,
  });
  const health = new Health(new Set([...api.methods.values()].map((m) => m.service)));
  const extra: { name: "http" | "ui" | "metrics" | "api"; host: string; port: number; isOptional?: boolean }[] = [];
  if (options.extraPorts.http !== undefined)
    extra.push({ name: "http", host: options.ip, port: options.extraPorts.http, isOptional: options.httpPortIsDefault });
  if (options.extraPorts.ui !== undefined) extra.push({ name: "ui", host: options.extraPorts.uiIp ?? options.ip, port: options.extraPorts.ui });
  if (options.extraPorts.metrics !== undefined) extra.push({ name: "metrics", host: options.ip, port: options.extraPorts.metrics });
  if (options.extraPorts.api !== undefined) extra.push({ name: "api", host: options.ip, port: options.extraPorts.api });
  const listener = await openListener({
    host: options.ip,
    port: options.port,
    extra,
    methods: api.methods,
    interceptors: api.interceptors,
    limits: {
      receiveBytesMax: limits.receiveBytesMax,
      errorMessageLengthMax: limits.errorMessageLengthMax,
      keepAliveMs: limits.keepAliveMs,
      keepAliveTimeoutMs: limits.keepAliveTimeoutMs,
    },
    runtime,
    logger: log,
    health,
    tls: tls?.endpoint,
    admit: api.admit,
    callers: api.callers,
    origins: new Origins({ hosts: [...options.allowedHosts, ...(tls?.names ?? [])], corsOrigins: options.corsOrigins }),
    observer: api.observer,
    gateway: { ...api.gateway, products: await productsOf(options.product) },
  });
  api.listening(`${listener.addresses[0]?.host}:${listener.addresses[0]?.port}`);
  health.setServing(true);
  const text = (a: { host: string; port: number } | undefined): string => (a === undefined || a.port === 0 ? "" : `${a.host}:${a.port}`);
  const grpc = text(listener.addresses[0]);
  const named = new Map(extra.map((e, i) => [e.name, text(listener.addresses[i + 1])]));
  const ui = named.get("ui");
  const product = named.get("api");
  const addresses: RunningServer["addresses"] = {
    grpc,
    http: named.get("http") || grpc,
    metrics: named.get("metrics") ?? grpc,
    ...(ui === undefined ? {} : { ui }),
    ...(tls === undefined ? {} : { tls: { ca: tls.ca } }),
    ...(product === undefined ? {} : { api: product }),
  };
  return {
    addresses,
    stop: async () => {
      health.setServing(false);
      const drained = api.drain();
      await listener.drain(DRAIN_MS);
      await drained;
      await listener.close();
      tls?.endpoint.close();
      auth?.close();
      await store.close();
    },
  };
}

/** @throws Error with a text for the user when a schema is none. */
async function productsOf(options: ServerOptions["product"]): Promise<Products> {
  const { namespace, workflows } = options;
  if (workflows.some((w) => w.inputSchema !== undefined || w.outputSchema !== undefined)) {
    const { compileSchema } = await import("../gateway/catalog/input-schema.js");
    for (const w of workflows)
      for (const [name, schema] of Object.entries({ inputSchema: w.inputSchema, outputSchema: w.outputSchema }))
        if (schema !== undefined)
          await compileSchema(schema).catch((e: unknown) => {
            throw new Error(`--workflow ${w.name}: ${name}: ${(e as Error).message}`);
          });
  }
  const traces = new TraceStores(options.traceStore, () => process.env);
  return { namespace, workflows, traces };
}

function writeBugReport(report: BugReport, directory: string | undefined, log: Logger): string {
  if (directory === undefined) return "";
  const file = join(directory, "repro", `${Date.now()}-${process.pid}.json`);
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, describeBug(report));
  } catch (e) {
    log.error({ err: e }, "the reproducer could not be written");
  }
  return file;
}
