/**
 * The composition root: opens the store, has everything behind the port assembled, and only then opens the port. Stop is the way back: no new calls, polls answered empty, the last batch
 * finished, the file checkpointed.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Config, defaultConfig, withSettings } from "../config/dynamic-config.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import { SqliteStore } from "../persistence/sqlite/store.js";
import type { Store } from "../persistence/store.js";
import { Health } from "../rpc/health.js";
import { openListener } from "../rpc/listener.js";
import { assemble } from "./assemble.js";
import { type BugReport, describeBug } from "./bug-report.js";
import { LockFile } from "./lock-file.js";
import type { RunningServer, ServerOptions } from "./options.js";
import { systemRuntime } from "./runtime.js";

const DRAIN_MS = 1_500;

/** @throws Error with a text for the user when the server cannot start. */
export async function startServer(options: ServerOptions, log: Logger): Promise<RunningServer> {
  const runtime: Runtime = systemRuntime;
  const isFile = options.file !== ":memory:";
  const lock = isFile ? LockFile.acquire(options.file) : undefined;
  let store: SqliteStore | undefined;
  try {
    const config = withSettings(defaultConfig(), options.dynamicConfig, (key) => log.warn({ key }, "dynamic config key is not known; it is ignored"));
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
    const server = await wire(options, config, store, runtime, log, isFile ? dirname(options.file) : undefined, (f) => {
      onFatal = f;
    });
    lock?.setPort(Number(server.addresses.grpc.slice(server.addresses.grpc.lastIndexOf(":") + 1)));
    return {
      addresses: server.addresses,
      stop: async () => {
        await server.stop();
        lock?.release();
      },
    };
  } catch (e) {
    await store?.close();
    lock?.release();
    throw e;
  }
}

async function wire(
  options: ServerOptions,
  config: Config,
  store: Store,
  runtime: Runtime,
  log: Logger,
  directory: string | undefined,
  setFatal: (f: (e: Error) => void) => void,
): Promise<RunningServer> {
  const { limits } = config;
  const onFatal = (e: Error): void => {
    log.error({ err: e }, "the store cannot be trusted any more; the server ends");
    process.exit(70);
  };
  setFatal(onFatal);
  const api = await assemble({
    store,
    runtime,
    logger: log,
    config,
    namespaces: options.namespaces,
    searchAttributes: options.searchAttributes,
    address: `${options.ip}:${options.port}`,
    testClocks: options.testClocks,
    onBug: (report) => writeBugReport(report, directory, log),
    onFatal,
  });
  const health = new Health(new Set([...api.methods.values()].map((m) => m.service)));
  const extra: { name: "http" | "ui" | "metrics"; host: string; port: number }[] = [];
  if (options.extraPorts.http !== undefined) extra.push({ name: "http", host: options.ip, port: options.extraPorts.http });
  if (options.extraPorts.ui !== undefined) extra.push({ name: "ui", host: options.extraPorts.uiIp ?? options.ip, port: options.extraPorts.ui });
  if (options.extraPorts.metrics !== undefined) extra.push({ name: "metrics", host: options.ip, port: options.extraPorts.metrics });
  const listener = await openListener({
    host: options.ip,
    port: options.port,
    extra: extra.map(({ host, port }) => ({ host, port })),
    methods: api.methods,
    interceptors: api.interceptors,
    routes: api.routes,
    limits: {
      receiveBytesMax: limits.receiveBytesMax,
      errorMessageLengthMax: limits.errorMessageLengthMax,
      keepAliveMs: limits.keepAliveMs,
      keepAliveTimeoutMs: limits.keepAliveTimeoutMs,
    },
    runtime,
    logger: log,
    health,
    gateway: api.gateway,
  });
  api.listening(`${listener.addresses[0]?.host}:${listener.addresses[0]?.port}`);
  health.setServing(true);
  const text = (a: { host: string; port: number } | undefined): string => (a === undefined ? "" : `${a.host}:${a.port}`);
  const grpc = text(listener.addresses[0]);
  const named = new Map(extra.map((e, i) => [e.name, text(listener.addresses[i + 1])]));
  const ui = named.get("ui");
  const addresses: RunningServer["addresses"] = {
    grpc,
    http: named.get("http") ?? grpc,
    metrics: named.get("metrics") ?? grpc,
    ...(ui === undefined ? {} : { ui }),
  };
  return {
    addresses,
    stop: async () => {
      health.setServing(false);
      const drained = api.drain();
      await listener.drain(DRAIN_MS);
      await drained;
      await listener.close();
      await store.close();
    },
  };
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
