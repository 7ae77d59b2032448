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
import { BuildIds } from "../../src/matching/build-ids.js";
import { Deployments } from "../../src/matching/deployments.js";
import { DEFAULT_MATCHING_LIMITS } from "../../src/matching/limits.js";
import { MatchingEngine } from "../../src/matching/matching-engine.js";
import { NexusQueues } from "../../src/matching/nexus-queues.js";
import { QUEUE_REGISTRY_KIND, QueueKeys } from "../../src/matching/queue-keys.js";
import { TaskQueueConfigs } from "../../src/matching/task-queue-configs.js";
import { VersionRouter } from "../../src/matching/version-router.js";
import { sendWorkerCommands } from "../../src/nexus/worker-commands.js";
import type { Batch } from "../../src/persistence/batch.js";
import type { Store } from "../../src/persistence/store.js";
import { VisibilityManager } from "../../src/visibility/manager.js";
import { VersionDrainage } from "../../src/worker/version-drainage.js";
import { ENDPOINTS } from "./nexus.js";
import type { SimRuntime } from "./sim-runtime.js";

/** Shorter than a real server's, so that builds drain while others come. */
const DRAINAGE_GRACE_MS = 4_000;
const DRAINAGE_INTERVAL_MS = 2_000;

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

/** Commands for the processes of workers go through the server's own queues. */
export type SimCaller = Omit<OutboundCaller, "sendWorkerCommands">;

export interface SimServer {
  readonly engine: HistoryEngine;
  readonly matching: MatchingEngine;
  readonly deployments: Deployments;
  readonly nexusTasks: NexusQueues;
}

export interface SimServerOptions {
  /** Asked for each transfer task. */
  readonly sameBatchTransfers: () => boolean;
  readonly apply?: typeof realApply;
  /** Default: `NAMESPACE` alone. */
  readonly namespaces?: NamespaceDirectory;
  /** Default: nothing leaves the store. */
  readonly outbound?: SimCaller;
  readonly onBug: (error: unknown, input: unknown) => void;
  readonly onFatal: () => void;
}

export async function startSimServer(store: Store, runtime: SimRuntime, logger: Logger, options: SimServerOptions): Promise<SimServer> {
  const config = defaultConfig();
  const registry = await store.loadRegistry();
  const { limits } = config;
  const now = () => runtime.nowMicros();
  let running: HistoryEngine | undefined;
  const commit = (batch: Batch): Promise<void> =>
    running === undefined
      ? store.commit(batch)
      : running.rows.commit((rows) => {
          for (const [kind, ids] of batch.registry) for (const [id, { version, write }] of ids) rows.writeRegistry(kind, id, version, write);
        });
  const deployments = new Deployments({ rows: registry, commit, now, limits: () => limits });
  const buildIds = new BuildIds({ rows: registry, commit, now, limits: () => limits });
  const versions = new VersionRouter(deployments, buildIds);
  const nexusTasks = new NexusQueues({
    runtime,
    longPollExpirationMs: () => limits.matchingLongPollMs,
    pollerHistoryMsMax: () => limits.pollerHistoryMsMax,
    ratesOf: () => ({ system: DEFAULT_MATCHING_LIMITS.taskQueueDispatchPerSecondMax, api: undefined, worker: undefined }),
    versions,
    facts: (namespace) => matching.queueFacts(namespace),
  });
  const matching: MatchingEngine = new MatchingEngine({
    store,
    runtime,
    logger,
    limits: () => DEFAULT_MATCHING_LIMITS,
    queueKeys: new QueueKeys(registry.filter((r) => r.kind === QUEUE_REGISTRY_KIND)),
    configs: new TaskQueueConfigs({
      rows: registry,
      commit: (batch) => store.commit(batch),
      now,
      weightOverridesMax: () => limits.fairnessWeightOverridesMax,
    }),
    versions,
  });
  const engine = new HistoryEngine({
    store,
    runtime,
    logger,
    config: () => config,
    namespaces: () => options.namespaces ?? DIRECTORY,
    versions: () => deployments.directory,
    allNamespaces: () => [NAMESPACE],
    dispatcher: matching,
    nexusEndpoints: () => ENDPOINTS,
    ...(options.outbound === undefined
      ? {}
      : {
          outbound: {
            ...options.outbound,
            sendWorkerCommands: (_namespaceId, queue, commands) =>
              sendWorkerCommands({ dispatcher: nexusTasks, runtime, logger }, NAMESPACE, queue, commands),
          },
        }),
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
  running = engine;
  await engine.start(registry);
  new VersionDrainage({
    runtime,
    logger,
    namespaces: { viewById: () => NAMESPACE },
    deployments,
    visibility: new VisibilityManager(store.visibility, () => limits),
    graceMs: () => DRAINAGE_GRACE_MS,
    intervalMs: () => DRAINAGE_INTERVAL_MS,
  } as unknown as ConstructorParameters<typeof VersionDrainage>[0]).start();
  return { engine, matching, deployments, nexusTasks };
}
