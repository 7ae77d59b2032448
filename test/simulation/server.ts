/** The real core, engine and matching over a store and a simulated runtime: one life of a server process. */
import { IndexedValueType } from "../../gen/wire/temporal/api/enums/v1/common.js";
import { defaultConfig } from "../../src/config/dynamic-config.js";
import { apply as realApply } from "../../src/core/engine.js";
import type { NamespaceDirectory, NamespaceView } from "../../src/core/namespace-view.js";
import type { OutboundCaller } from "../../src/history/contract.js";
import { HistoryEngine } from "../../src/history/history-engine.js";
import { KEYS_REGISTRY_KIND } from "../../src/history/ids.js";
import { EngineTaskStarter } from "../../src/history/task-starter.js";
import type { Logger } from "../../src/lib/runtime.js";
import { DEFAULT_MATCHING_LIMITS } from "../../src/matching/limits.js";
import { MatchingEngine } from "../../src/matching/matching-engine.js";
import { QUEUE_REGISTRY_KIND, QueueKeys } from "../../src/matching/queue-keys.js";
import { TaskQueueConfigs } from "../../src/matching/task-queue-configs.js";
import type { Store } from "../../src/persistence/store.js";
import { ENDPOINTS } from "./nexus.js";
import type { SimRuntime } from "./sim-runtime.js";

export const NAMESPACE: NamespaceView = {
  id: "00000000-0000-4000-8000-000000000001",
  name: "default",
  key: 1,
  retention: 86_400_000_000,
  state: 1,
  searchAttributes: new Map([["Word", { id: 1, type: IndexedValueType.KEYWORD }]]),
};

const DIRECTORY: NamespaceDirectory = {
  byName: (name) => (name === NAMESPACE.name ? NAMESPACE : undefined),
  byId: (id) => (id === NAMESPACE.id ? NAMESPACE : undefined),
};

export interface SimServer {
  readonly engine: HistoryEngine;
  readonly matching: MatchingEngine;
}

export interface SimServerOptions {
  /** Asked for each transfer task. */
  readonly sameBatchTransfers: () => boolean;
  readonly apply?: typeof realApply;
  /** Default: `NAMESPACE` alone. */
  readonly namespaces?: NamespaceDirectory;
  /** Default: nothing leaves the store. */
  readonly outbound?: OutboundCaller;
  readonly onBug: (error: unknown, input: unknown) => void;
  readonly onFatal: () => void;
}

export async function startSimServer(store: Store, runtime: SimRuntime, logger: Logger, options: SimServerOptions): Promise<SimServer> {
  const config = defaultConfig();
  const registry = await store.loadRegistry();
  const matching = new MatchingEngine({
    store,
    runtime,
    logger,
    limits: () => DEFAULT_MATCHING_LIMITS,
    queueKeys: new QueueKeys(registry.filter((r) => r.kind === QUEUE_REGISTRY_KIND)),
    configs: new TaskQueueConfigs({
      rows: registry,
      commit: (batch) => store.commit(batch),
      now: () => runtime.nowMicros(),
      weightOverridesMax: () => config.limits.fairnessWeightOverridesMax,
    }),
  });
  const engine = new HistoryEngine({
    store,
    runtime,
    logger,
    config: () => config,
    namespaces: () => options.namespaces ?? DIRECTORY,
    dispatcher: matching,
    nexusEndpoints: () => ENDPOINTS,
    ...(options.outbound === undefined ? {} : { outbound: options.outbound }),
    apply: options.apply ?? realApply,
    keysRecord: registry.find((r) => r.kind === KEYS_REGISTRY_KIND)?.value,
    get sameBatchTransfers() {
      return options.sameBatchTransfers();
    },
    onBug: (report) => {
      options.onBug(report.error, report.input);
      return "";
    },
    onFatal: options.onFatal,
  });
  matching.setStarter(new EngineTaskStarter(engine));
  await engine.start(registry);
  return { engine, matching };
}
