/**
 * The composition root: opens the store, wires history, matching, namespaces and visibility by plain constructors, makes what the
 * flags ask for durable, and only then opens the port. Stop is the way back: no new calls, polls answered empty, the last batch
 * finished, the file checkpointed.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Config, defaultConfig, withSettings } from "../config/dynamic-config.js";
import { apply } from "../core/engine.js";
import { methodTable } from "../frontend/methods.js";
import { namespaceNameValidator, namespaceStateValidator } from "../frontend/namespace-validator.js";
import { requestLimits } from "../frontend/request-limits.js";
import type { Services } from "../frontend/services.js";
import { HistoryEngine } from "../history/history-engine.js";
import { KEYS_REGISTRY_KIND } from "../history/ids.js";
import { EngineTaskStarter } from "../history/task-starter.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import { uuidV4 } from "../lib/uuid.js";
import { MatchingEngine } from "../matching/matching-engine.js";
import { QUEUE_REGISTRY_KIND, QueueKeys } from "../matching/queue-keys.js";
import { namespaceLimits } from "../namespace/limits.js";
import { DEFAULT_NAMESPACE, NamespaceRegistry } from "../namespace/registry.js";
import { Batch } from "../persistence/batch.js";
import { SqliteStore } from "../persistence/sqlite/store.js";
import type { Store } from "../persistence/store.js";
import { Health } from "../rpc/health.js";
import { openListener } from "../rpc/listener.js";
import { searchAttributeRules, VisibilityManager } from "../visibility/manager.js";
import { describeBug } from "./bug-report.js";
import { LockFile } from "./lock-file.js";
import type { RunningServer, ServerOptions } from "./options.js";
import { systemRuntime } from "./runtime.js";
import { VERSION } from "./version.js";

const DRAIN_MS = 1_500;
const CLUSTER_REGISTRY_KIND = "cluster";

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
  const registry = await store.loadRegistry();
  const { limits } = config;
  const rules = searchAttributeRules(() => limits);
  let engine: HistoryEngine | undefined;
  const namespaces = new NamespaceRegistry({
    rows: registry,
    // Before the engine runs nothing else writes.
    commit: (batch) => (engine === undefined ? store.commit(batch) : engine.commitRows((rows) => copyRegistry(batch, rows))),
    runtime,
    limits: () => namespaceLimits(limits),
    isReservedAttribute: rules.isReserved,
  });
  const matching = new MatchingEngine({
    store,
    runtime,
    logger: log,
    limits: () => ({
      longPollExpirationMs: limits.matchingLongPollMs,
      taskQueueIdleMsMax: limits.taskQueueIdleMsMax,
      queryPollerUnavailableMs: limits.queryPollerUnavailableMs,
      backlogWindowTasksMax: limits.backlogWindowTasksMax,
      taskQueueDispatchPerSecondMax: limits.taskQueueToPartitionDispatchRate * limits.taskQueueReadPartitions,
      queryWithoutDeadlineMs: limits.queryWithoutDeadlineMs,
    }),
    queueKeys: new QueueKeys(registry.filter((r) => r.kind === QUEUE_REGISTRY_KIND)),
  });
  engine = new HistoryEngine({
    store,
    runtime,
    logger: log,
    config: () => config,
    namespaces: () => namespaces.directory,
    dispatcher: matching,
    apply,
    keysRecord: registry.find((r) => r.kind === KEYS_REGISTRY_KIND)?.value,
    sameBatchTransfers: true,
    onBug: (report) => {
      if (directory === undefined) return "";
      const file = join(directory, "repro", `${Date.now()}-${process.pid}.json`);
      try {
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, describeBug(report));
      } catch (e) {
        log.error({ err: e }, "the reproducer could not be written");
      }
      return file;
    },
    onFatal: (e) => {
      log.error({ err: e }, "the store cannot be trusted any more; the server ends");
      process.exit(70);
    },
  });
  setFatal((e) => {
    log.error({ err: e }, "the store cannot be trusted any more; the server ends");
    process.exit(70);
  });
  matching.setStarter(new EngineTaskStarter(engine));
  await namespaces.ensure([DEFAULT_NAMESPACE, ...options.namespaces], options.searchAttributes);
  const clusterId = await clusterIdOf(store, registry, runtime);
  await engine.start(registry);
  const visibility = new VisibilityManager(store.visibility, () => limits);
  const requestLimitsNow = requestLimits(limits);
  const identity = { version: VERSION, clusterId, address: `${options.ip}:${options.port}`, persistenceStore: "sqlite", historyShardCount: 1024 };
  const services: Services = {
    history: engine,
    matching,
    namespaces,
    visibility,
    searchAttributes: rules,
    limits: () => requestLimitsNow,
    runtime,
    logger: log,
    server: identity,
  };
  const methods = methodTable(services);
  const health = new Health();
  const extra: { name: "http" | "ui" | "metrics"; host: string; port: number }[] = [];
  if (options.extraPorts.http !== undefined) extra.push({ name: "http", host: options.ip, port: options.extraPorts.http });
  if (options.extraPorts.ui !== undefined) extra.push({ name: "ui", host: options.extraPorts.uiIp ?? options.ip, port: options.extraPorts.ui });
  if (options.extraPorts.metrics !== undefined) extra.push({ name: "metrics", host: options.ip, port: options.extraPorts.metrics });
  const listener = await openListener({
    host: options.ip,
    port: options.port,
    extra: extra.map(({ host, port }) => ({ host, port })),
    methods,
    interceptors: [namespaceNameValidator(namespaces, () => limits.idLengthMax), namespaceStateValidator(namespaces)],
    limits: { receiveBytesMax: limits.receiveBytesMax },
    runtime,
    logger: log,
    health,
  });
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
  const running = engine;
  return {
    addresses,
    stop: async () => {
      health.setServing(false);
      matching.drain();
      const drained = running.drain();
      await listener.drain(DRAIN_MS);
      await drained;
      await listener.close();
      await store.close();
    },
  };
}

function copyRegistry(from: Batch, to: Batch): void {
  for (const [kind, ids] of from.registry) for (const [id, { version, write }] of ids) to.writeRegistry(kind, id, version, write);
}

/** Made once for a file. */
async function clusterIdOf(store: Store, registry: readonly { kind: string; id: string; value: Uint8Array }[], runtime: Runtime): Promise<string> {
  const known = registry.find((r) => r.kind === CLUSTER_REGISTRY_KIND);
  if (known !== undefined) return Buffer.from(known.value).toString();
  const id = uuidV4(runtime.randomBytes16());
  const batch = new Batch();
  batch.writeRegistry(CLUSTER_REGISTRY_KIND, "id", 1, { op: "insert", value: Buffer.from(id) });
  await store.commit(batch);
  return id;
}
