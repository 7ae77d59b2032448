/**
 * The server without its port: history, matching, namespaces and visibility over a store, wired by plain constructors, and the
 * methods that they serve. What the flags ask for is durable when this returns.
 */
import { TaskQueueType } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import type { Interceptor, MethodTable } from "../api/call.js";
import { MICROS_PER_MS } from "../api/time.js";
import { ApiKeys } from "../authorization/api-keys.js";
import { AuditLog, type AuditRecord } from "../authorization/audit.js";
import { Authenticator } from "../authorization/authenticator.js";
import { Authorization } from "../authorization/interceptor.js";
import { CloudStore } from "../cloud/cloud-store.js";
import { type Config, madeOnce, ofDestination, ofNamespace, ofTaskQueue } from "../config/dynamic-config.js";
import type { Limits } from "../config/limits.js";
import type { ServerOptions } from "../config/options.js";
import { apply } from "../core/engine.js";
import type { NamespaceDirectory } from "../core/namespace-view.js";
import type { NexusEndpointDirectory } from "../core/nexus-operation/endpoints.js";
import type { QueueFacts } from "../core/versioning/deployment.js";
import type { VersionDirectory } from "../core/versioning/routing.js";
import { terminalBuildId } from "../core/versioning/rules.js";
import { concurrentCallsLimiter } from "../frontend/concurrent-calls.js";
import { methodTable } from "../frontend/methods.js";
import { namespaceOnDemand } from "../frontend/namespace-on-demand.js";
import { namespaceNameValidator, namespaceStateValidator } from "../frontend/namespace-validator.js";
import { requestLimits } from "../frontend/request-limits.js";
import type { Services } from "../frontend/services.js";
import { callSystemOperation, systemOperations } from "../frontend/workflow/system-operations.js";
import type { GatewayServices } from "../gateway/route.js";
import { HistoryEngine } from "../history/history-engine.js";
import { KEYS_REGISTRY_KIND } from "../history/ids.js";
import { EngineTaskStarter } from "../history/task-starter.js";
import { assert } from "../lib/assert.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import { uuidV4 } from "../lib/uuid.js";
import { BuildIds } from "../matching/build-ids.js";
import { Deployments, QUEUE_TYPES } from "../matching/deployments.js";
import { matchingLimits } from "../matching/limits.js";
import { MatchingEngine } from "../matching/matching-engine.js";
import { NexusQueues } from "../matching/nexus-queues.js";
import { QUEUE_REGISTRY_KIND, QueueKeys } from "../matching/queue-keys.js";
import { TaskQueueConfigs } from "../matching/task-queue-configs.js";
import { VersionRouter } from "../matching/version-router.js";
import { Workers } from "../matching/workers.js";
import { namespaceLimits } from "../namespace/limits.js";
import { DEFAULT_NAMESPACE, NamespaceRegistry } from "../namespace/registry.js";
import { NexusCaller } from "../nexus/caller.js";
import { CompletionService } from "../nexus/completion-service.js";
import { NexusEndpointRegistry } from "../nexus/endpoint-registry.js";
import { callOverHttp, type HttpCaller, NexusClient } from "../nexus/http/client.js";
import { OperationService } from "../nexus/operation-service.js";
import { Batch } from "../persistence/batch.js";
import type { Store } from "../persistence/store.js";
import { Quotas } from "../quotas/quotas.js";
import { historyJson } from "../rpc/history-json.js";
import type { CallObserver } from "../rpc/interceptor/chain.js";
import { RequestTally } from "../telemetry/metrics/request-tally.js";
import { searchAttributeRules, VisibilityManager } from "../visibility/manager.js";
import { Archiver } from "../worker/archival/archiver.js";
import { BacklogScavenger } from "../worker/backlog-scavenger.js";
import { Batcher } from "../worker/batch/batcher.js";
import { Exporter } from "../worker/export/exporter.js";
import { InternalClient } from "../worker/internal-client.js";
import { NamespaceDeletion } from "../worker/namespace-deletion.js";
import { VersionDrainage } from "../worker/version-drainage.js";
import type { BugReport } from "./bug-report.js";
import { serverMetrics } from "./metrics.js";
import type { AuthParts } from "./security.js";
import { VERSION } from "./version.js";

/** What the store is, and which other one sorts as it does: the official UI asks for that name. */
const VISIBILITY_STORE = "sqlite (sorts like elasticsearch)";
const CLUSTER_REGISTRY_KIND = "cluster";
const REAL_TIME: ServerOptions["testClocks"] = { state: "real", anyNamespace: false };

export interface Parts {
  readonly store: Store;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly config: Config;
  /** Made when they do not exist, with the search attributes. */
  readonly namespaces: ServerOptions["namespaces"];
  readonly searchAttributes: ServerOptions["searchAttributes"];
  /** "host:port" as asked for. */
  readonly address: string;
  /** The port speaks TLS. */
  readonly isTls?: boolean;
  /** Where the configuration changes while the server runs: what it goes by, but for archives. */
  readonly liveConfig?: () => Config;
  /** Undefined: nobody is asked who they are. */
  readonly auth?: AuthParts | undefined;
  readonly writeAudit?: ((record: AuditRecord) => void) | undefined;
  /** Undefined: time is real. */
  readonly testClocks?: ServerOptions["testClocks"];
  readonly onBug: (report: BugReport) => string;
  readonly onFatal: (error: Error) => void;
  /** For calls to other servers; Node's own without it. */
  readonly http?: HttpCaller;
}

export interface Assembled {
  readonly methods: MethodTable;
  readonly interceptors: () => readonly Interceptor[];
  readonly observer: CallObserver;
  /** See ListenerOptions. */
  readonly admit: Authorization["admit"] | undefined;
  readonly callers: Authorization | undefined;
  /** "host:port" that the server listens at: where callbacks from outside come. */
  listening(address: string): void;
  /** For the HTTP doors. */
  readonly gateway: GatewayServices;
  /** Answers polls, takes no new work; resolves when the last batch is durable. */
  drain(): Promise<void>;
}

export async function assemble(parts: Parts): Promise<Assembled> {
  const { store, runtime, logger, testClocks = REAL_TIME } = parts;
  const config = parts.liveConfig ?? (() => parts.config);
  const registry = await store.loadRegistry();
  const quotas = new Quotas({ config, runtime, openExecutions: (namespace) => openExecutions(namespace) });
  const limits = (): Limits => config().limits;
  const limitsOf = (namespace: string): Limits => ofNamespace(config(), namespace).limits;
  const nameOf = (namespaceId: string): string => namespaces.directory.byId(namespaceId)?.name ?? namespaceId;
  /** Without constraints nobody looks for the name. */
  const limitsOfId = (namespaceId: string): Limits => (config().constrained === undefined ? limits() : limitsOf(nameOf(namespaceId)));
  const queueLimits = (namespaceId: string, taskQueue: string, type: number): Limits =>
    config().constrained === undefined ? limits() : ofTaskQueue(config(), nameOf(namespaceId), taskQueue, type);
  const rules = searchAttributeRules(limitsOf);
  let engine: HistoryEngine | undefined;
  // Before the engine runs nothing else writes.
  const commit = (batch: Batch): Promise<void> =>
    engine === undefined ? store.commit(batch) : engine.rows.commit((rows) => copyRegistry(batch, rows));
  const archiver = new Archiver({
    // Where archives go stays as it was at the start.
    config: () => parts.config,
    namespaces: () => namespaces,
    history: () => {
      assert(engine !== undefined, "nothing is archived before the engine runs");
      return engine;
    },
    json: historyJson,
  });
  const namespaces: NamespaceRegistry = new NamespaceRegistry({
    rows: registry,
    commit,
    runtime,
    limits: (namespace) => namespaceLimits(limitsOf(namespace)),
    isReservedAttribute: rules.isReserved,
    archival: () => archiver,
  });
  const matchingLimitsOf = madeOnce(config, matchingLimits);
  const buildIds = new BuildIds({ rows: registry, commit, now: () => runtime.nowMicros(), limits: limitsOfId });
  const deployments = new Deployments({ rows: registry, commit, now: () => runtime.nowMicros(), limits: limitsOfId });
  const weightOverridesMax: Services["weightOverridesMax"] = (...queue) => queueLimits(...queue).fairnessWeightOverridesMax;
  const queueConfigs = new TaskQueueConfigs({
    rows: registry,
    commit,
    now: () => runtime.nowMicros(),
    weightOverridesMax,
  });
  const versions = new VersionRouter(deployments, buildIds);
  const nexusTasks = new NexusQueues({
    runtime,
    longPollExpirationMs: (...queue) => queueLimits(...queue, TaskQueueType.NEXUS).matchingLongPollMs,
    pollerHistoryMsMax: (namespaceId) => limitsOfId(namespaceId).pollerHistoryMsMax,
    ratesOf: (...queue) => ({
      system: matchingLimits(queueLimits(...queue, TaskQueueType.NEXUS)).taskQueueDispatchPerSecondMax,
      api: queueConfigs.get(...queue, TaskQueueType.NEXUS)?.queueRateLimit?.rateLimit?.requestsPerSecond,
      worker: undefined,
    }),
    versions,
    facts: (namespace): QueueFacts => matching.queueFacts(namespace),
  });
  queueConfigs.onChange((namespaceId, taskQueue) => nexusTasks.rateChanged(namespaceId, taskQueue));
  const matching: MatchingEngine = new MatchingEngine({
    store,
    runtime,
    logger,
    limits: (namespaceId, taskQueue = "", type = "workflow") => matchingLimitsOf(queueLimits(namespaceId, taskQueue, QUEUE_TYPES[type])),
    queueKeys: new QueueKeys(registry.filter((r) => r.kind === QUEUE_REGISTRY_KIND)),
    configs: queueConfigs,
    versions,
    nexusPollers: (...of) => nexusTasks.hasPollersOf(...of),
  });
  const endpoints = new NexusEndpointRegistry({
    rows: registry,
    commit,
    runtime,
    namespaces: () => namespaces.directory,
    limits: () => ({
      nameLengthMax: limits().endpointNameLengthMax,
      urlLengthMax: limits().endpointUrlLengthMax,
      descriptionBytesMax: limits().endpointDescriptionBytesMax,
      taskQueueLengthMax: limits().idLengthMax,
    }),
  });
  const payloadBytesMax = (namespaceId: string): number => limitsOfId(namespaceId).blobSizeBytesMax;
  const tokenBytesMax = (namespaceId: string): number => limitsOfId(namespaceId).nexusTokenBytesMax;
  const operations = new OperationService({ dispatcher: nexusTasks, runtime, payloadBytesMax });
  const completions = new CompletionService({
    submit: (address, input): Promise<unknown> => (engine as HistoryEngine).submit(address, input),
    namespaces: () => namespaces.directory,
    logger,
    payloadBytesMax,
    tokenBytesMax,
  });
  let address = parts.address;
  const caller = new NexusCaller({
    endpoints,
    operations,
    completions,
    client: new NexusClient(parts.http ?? callOverHttp, runtime),
    namespaces: () => namespaces.directory,
    logger,
    callbackUrl: ({ name, id }) => callbackUrl(limits().nexusCallbackUrlTemplate, parts.isTls === true ? "https" : "http", address, name, id),
    tokenBytesMax,
    payloadBytesMax,
    callbackTimeoutMs: (namespaceId, destination) => ofDestination(config(), nameOf(namespaceId), destination).callbackRequestTimeoutMs,
    workerCommands: { dispatcher: nexusTasks, runtime, logger },
    system: (operation) => callSystemOperation(services, operation),
  });
  const nexusDirectory: NexusEndpointDirectory = {
    idOf: (name) => endpoints.idOf(name),
    system: { problem: (operation) => systemOperations(services).problem(operation) },
  };
  const directory: VersionDirectory = {
    queue: (...of) => deployments.directory.queue(...of),
    redirected: (namespaceId, taskQueue, buildId) => terminalBuildId(buildIds.get(namespaceId, taskQueue).redirectRules, buildId),
  };
  engine = new HistoryEngine({
    store,
    runtime,
    logger,
    config,
    namespaces: () => namespaces.directory,
    nexusEndpoints: () => nexusDirectory,
    outbound: caller,
    versions: () => (buildIds.isEmpty ? deployments.directory : directory),
    dispatcher: matching,
    apply,
    keysRecord: registry.find((r) => r.kind === KEYS_REGISTRY_KIND)?.value,
    archive: (record) => archiver.archive(record),
    sameBatchTransfers: true,
    allNamespaces: () => namespaces.directory.entries().map((e) => e.view),
    initialTimeLocks: testClocks.state === "unlocked" ? 0 : 1,
    skipsTimeWhileAwaited: testClocks.anyNamespace,
    onEvents: (namespace, count) => quotas.charge(namespace, count),
    onBug: parts.onBug,
    onFatal: parts.onFatal,
  });
  const running = engine;
  matching.setStarter(new EngineTaskStarter(engine));
  await namespaces.ensure([DEFAULT_NAMESPACE, ...parts.namespaces], parts.searchAttributes);
  const clusterId = await clusterIdOf(store, registry, runtime);
  await engine.start(registry);
  const visibility = new VisibilityManager(store.visibility, limitsOf);
  const openExecutions = async (name: string): Promise<number> => {
    const namespace = namespaces.directory.byName(name);
    return namespace === undefined ? 0 : ((await visibility.count(namespace, 'ExecutionStatus = "Running"')).count ?? 0);
  };
  const requestLimitsOf = madeOnce(config, requestLimits);
  const workers = new Workers({
    rows: registry,
    commit,
    runtime,
    limits: () => ({
      entryTimeMax: limits().workerEntryMsMax * MICROS_PER_MS,
      evictionAgeMin: limits().workerEvictionAgeMsMin * MICROS_PER_MS,
      entriesMax: limits().workerEntriesMax,
    }),
  });
  const apiKeys = new ApiKeys({ rows: registry, commit, runtime, owners: () => cloud });
  const cloud = new CloudStore({
    rows: registry,
    commit,
    runtime,
    logger,
    namespaces: () => namespaces.directory,
    onAccessChange: () => apiKeys.ownersChanged(),
  });
  const authorization = parts.auth === undefined ? undefined : authorizationOf(parts, parts.auth, apiKeys, cloud, () => namespaces.directory);
  const client = new InternalClient(() => methods, runtime);
  const batcher = new Batcher({ runtime, logger, config, client, namespaces, history: engine });
  const namespaceDeletion = new NamespaceDeletion({ store, runtime, logger, namespaces, history: engine, matching });
  const scavenger = new BacklogScavenger({ store, runtime, logger, intervalMs: () => limits().backlogScavengeMs, history: engine, matching });
  const exporter = new Exporter({
    ...{ cloud, history: engine, visibility, runtime, logger },
    namespace: (id) => namespaces.directory.byId(id),
    s3: () => {
      const { archivalS3Region: region, archivalS3Endpoint: endpoint, archivalS3PathStyle: isPathStyle } = parts.config.limits;
      return { region, endpoint, isPathStyle };
    },
    intervalMs: () => limits().cloudExportMs,
  });
  const drainage = new VersionDrainage({
    runtime,
    logger,
    namespaces,
    deployments,
    visibility,
    graceMs: (namespaceId) => limitsOfId(namespaceId).versionDrainageGraceMs,
    intervalMs: (namespaceId) => limitsOfId(namespaceId).versionDrainageRefreshMs,
  });
  const identity = {
    version: VERSION,
    clusterId,
    address: parts.address,
    persistenceStore: "sqlite",
    visibilityStore: VISIBILITY_STORE,
    historyShardCount: 1024,
    hasTestClocks: testClocks.state !== "real",
  };
  const services: Services = {
    history: engine,
    clocks: engine.clocks,
    matching,
    workers,
    buildIds,
    nexusTasks,
    nexusEndpoints: endpoints,
    deployments,
    namespaces,
    visibility,
    searchAttributes: rules,
    batches: batcher,
    namespaceDeletion,
    archival: archiver,
    apiKeys,
    cloud,
    exports: exporter,
    admin: { history: engine.admin, matching: matching.admin },
    limits: (namespace) => requestLimitsOf(limitsOf(namespace)),
    weightOverridesMax,
    runtime,
    logger,
    server: identity,
  };
  const methods: MethodTable = methodTable(services);
  const requests = new RequestTally((name) => namespaces.directory.byName(name) !== undefined);
  const nowMicros = () => runtime.nowMicros();
  const identify = authorization === undefined ? [] : [authorization.identify];
  const checks = [
    namespaceNameValidator(namespaces, () => limits().idLengthMax),
    ...(authorization === undefined ? [] : [authorization.authorize]),
    ...(testClocks.anyNamespace ? [namespaceOnDemand(namespaces)] : []),
    namespaceStateValidator(namespaces),
    concurrentCallsLimiter((namespace) => limitsOf(namespace).longPollsPerNamespaceMax),
  ];
  // Limits by client come before authorization: whoever tries keys is counted too. Where none is set they cost nothing.
  const unlimited = [...identify, ...checks];
  const limited = [...identify, quotas.intercept, ...checks];
  namespaceDeletion.start();
  batcher.resumeAll(registry);
  scavenger.start();
  drainage.start();
  exporter.start();
  namespaces.onChange(() => void cloud.namespacesChanged());
  await cloud.namespacesChanged();
  return {
    methods,
    interceptors: () => (quotas.isOn ? limited : unlimited),
    admit: authorization?.admit.bind(authorization),
    callers: authorization,
    observer: { nowMicros, record: (...call) => requests.record(...call) },
    listening: (at) => {
      address = at;
    },
    gateway: {
      ...services,
      shards: running,
      nexus: { endpoints, operations, completions, namespaces: () => namespaces.directory },
      metrics: [...requests.metrics, ...serverMetrics({ history: running, matching, nameOf, nowMicros })],
    },
    drain: () => {
      namespaceDeletion.stop();
      batcher.stop();
      scavenger.stop();
      drainage.stop();
      exporter.stop();
      archiver.stop();
      matching.drain();
      nexusTasks.drain();
      return running.drain();
    },
  };
}

function authorizationOf(parts: Parts, auth: AuthParts, keys: ApiKeys, cloud: CloudStore, namespaces: () => NamespaceDirectory): Authorization {
  const { runtime, logger } = parts;
  return new Authorization({
    authenticator: new Authenticator(keys, auth.jwt, auth.certificates, cloud),
    keys,
    audit: new AuditLog(runtime, logger, parts.writeAudit),
    publicSubjects: new Set(auth.publicSubjects),
    namespaces,
    runtime,
    isClosedToKeys: (namespace) => cloud.isClosedToKeys(namespace),
  });
}

/** Where handlers outside bring the outcome of an operation. An address that stands for any is reached by way of this machine's own. */
function callbackUrl(template: string, scheme: string, address: string, namespace: string, namespaceId: string): string {
  if (template === "" || template === "unset") {
    const at = address.replace(/^(0\.0\.0\.0|\[?::\]?)(?=:\d+$)/, "127.0.0.1");
    return `${scheme}://${at}/namespaces/${encodeURIComponent(namespace)}/nexus/callback`;
  }
  return template.replaceAll(/\{\{\s*\.NamespaceName\s*\}\}/g, namespace).replaceAll(/\{\{\s*\.NamespaceID\s*\}\}/g, namespaceId);
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
