/**
 * The whole server behind a port of this process: store, engine, interceptors, every protocol. Its clock and its store are in the
 * test's hand; nothing of it is a stand-in.
 */
import type { Method } from "../../src/api/call.js";
import { defaultConfig } from "../../src/config/dynamic-config.js";
import { parseWorkflow } from "../../src/config/workflows.js";
import { TraceStores } from "../../src/gateway/trace/trace-store.js";
import type { Logger, Runtime } from "../../src/lib/runtime.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import type { Store } from "../../src/persistence/store.js";
import { Health } from "../../src/rpc/health.js";
import { openListener } from "../../src/rpc/listener.js";
import { type Assembled, assemble, type Parts } from "../../src/server/assemble.js";

export interface WholeServerOptions extends Partial<Pick<Parts, "auth" | "namespaces" | "config" | "liveConfig" | "writeAudit" | "logger">> {
  readonly runtime: Runtime;
  readonly store?: Store;
  /** In place of the handlers of RPCs. */
  readonly handlers?: (method: Method) => NonNullable<Method["handler"]>;
  /** Of the product APIs: their JSON by name. */
  readonly workflows?: Readonly<Record<string, object>>;
}

export interface WholeServer {
  readonly api: Assembled;
  readonly host: string;
  readonly port: number;
  readonly base: string;
  close(): Promise<void>;
}

export const SILENT: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

export async function openWholeServer(o: WholeServerOptions): Promise<WholeServer> {
  const { runtime, logger = SILENT, namespaces = ["one", "two"], liveConfig } = o;
  const api = await assemble({
    ...{ store: o.store ?? new MemoryStore(), runtime, logger, namespaces, searchAttributes: {}, address: "127.0.0.1:7233" },
    config: o.config ?? defaultConfig(),
    ...(liveConfig === undefined ? {} : { liveConfig }),
    auth: o.auth,
    writeAudit: o.writeAudit,
    onBug: (report) => {
      throw report.error;
    },
    onFatal: (e) => {
      throw e;
    },
  });
  const workflows = Object.entries(o.workflows ?? {}).map(([name, entry]) => parseWorkflow(name, JSON.stringify(entry)));
  const products = { namespace: "one", workflows, traces: new TraceStores(undefined, () => ({})) };
  const { handlers } = o;
  const methods =
    handlers === undefined ? api.methods : new Map([...api.methods].map(([path, m]) => [path, { ...m, handler: handlers(m) }] as const));
  const listener = await openListener({
    ...{ host: "127.0.0.1", port: 0, extra: [], methods, runtime, logger },
    interceptors: api.interceptors,
    limits: { receiveBytesMax: 4 * 1024 * 1024 },
    health: new Health(new Set([...api.methods.values()].map((m) => m.service))),
    admit: api.admit,
    callers: api.callers,
    observer: api.observer,
    gateway: { ...api.gateway, products },
  });
  const { host, port } = listener.addresses[0] as { host: string; port: number };
  return {
    api,
    host,
    port,
    base: `http://${host}:${port}`,
    async close() {
      const drained = api.drain();
      await listener.close();
      await drained;
    },
  };
}
