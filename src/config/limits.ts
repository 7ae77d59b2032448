/**
 * Every limit and setting, in one table: our name, Temporal's dynamic-config key verbatim, type, default, scope and effect. The
 * defaults are the official server's (common/dynamicconfig/constants.go); keys that end in RPS or QPS are off (0) by default,
 * because their official values lie below what this server does on a small machine.
 *
 * Units are in the name: `...Ms` milliseconds, `...BytesMax` bytes, the rest counts. Scope: what a value may be constrained to, as on
 * the official server: N namespace, T namespace, task queue and its type, D namespace and destination, G nothing (constraints.ts).
 * `simulation` is the range that the simulator draws from.
 */

export type SettingKind = "bytes" | "count" | "ms" | "bool" | "rate" | "ratio" | "text" | "list" | "json" | "retry";

/** What a retry policy has where its user says nothing, by the names of the official server's value. */
export interface RetryDefaults {
  /** A duration or a number of seconds when set; milliseconds here. */
  readonly InitialIntervalInSeconds: number;
  /** What the longest interval is, in first intervals: the fraction does not count. */
  readonly MaximumIntervalCoefficient: number;
  readonly BackoffCoefficient: number;
  /** 0 is no last attempt. */
  readonly MaximumAttempts: number;
}

export interface Setting {
  /** Dynamic-config key. */
  readonly key: string;
  readonly kind: SettingKind;
  readonly value: number | boolean | string | readonly string[] | RetryDefaults;
  readonly scope: "N" | "G" | "T" | "D";
  readonly effect: string;
  readonly simulation?: readonly [number, number];
}

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

type Options = { simulation?: readonly [number, number] };
const bytes = (key: string, value: number, scope: Setting["scope"], effect: string, o: Options = {}) =>
  ({ key, kind: "bytes", value, scope, effect, ...o }) as const;
const count = (key: string, value: number, scope: Setting["scope"], effect: string, o: Options = {}) =>
  ({ key, kind: "count", value, scope, effect, ...o }) as const;
const ms = (key: string, value: number, scope: Setting["scope"], effect: string, o: Options = {}) =>
  ({ key, kind: "ms", value, scope, effect, ...o }) as const;
const rate = (key: string, scope: Setting["scope"], effect: string) => ({ key, kind: "rate", value: 0, scope, effect }) as const;
const ratio = (key: string, value: number, scope: Setting["scope"], effect: string) => ({ key, kind: "ratio", value, scope, effect }) as const;
const bool = (key: string, value: boolean, scope: Setting["scope"], effect: string) => ({ key, kind: "bool", value, scope, effect }) as const;
const text = (key: string, value: string, scope: Setting["scope"], effect: string) => ({ key, kind: "text", value, scope, effect }) as const;
/** A value of many parts, kept as its JSON text. */
const json = (key: string, value: string, scope: Setting["scope"], effect: string) => ({ key, kind: "json", value, scope, effect }) as const;
const list = (key: string, value: readonly string[], scope: Setting["scope"], effect: string) =>
  ({ key, kind: "list", value, scope, effect }) as const;

export const RETRY_DEFAULTS: RetryDefaults = {
  InitialIntervalInSeconds: 1 * SECOND,
  MaximumIntervalCoefficient: 100,
  BackoffCoefficient: 2,
  MaximumAttempts: 0,
};
const retry = (key: string, scope: Setting["scope"], effect: string) => ({ key, kind: "retry", value: RETRY_DEFAULTS, scope, effect }) as const;

export const SETTINGS = {
  blobSizeBytesMax: bytes("limit.blobSize.error", 2 * MIB, "N", "INVALID_ARGUMENT; in a command the workflow is terminated", {
    simulation: [4 * KIB, 2 * MIB],
  }),
  blobSizeBytesWarn: bytes("limit.blobSize.warn", 512 * KIB, "N", "logged"),
  memoSizeBytesMax: bytes("limit.memoSize.error", 2 * MIB, "N", "INVALID_ARGUMENT; in a command the workflow is terminated"),
  memoSizeBytesWarn: bytes("limit.memoSize.warn", 2 * KIB, "N", "logged"),
  historySizeBytesMax: bytes("limit.historySize.error", 50 * MIB, "N", "the workflow is terminated", { simulation: [64 * KIB, 50 * MIB] }),
  historySizeBytesWarn: bytes("limit.historySize.warn", 10 * MIB, "N", "logged"),
  historySizeBytesSuggestContinueAsNew: bytes("limit.historySize.suggestContinueAsNew", 4 * MIB, "N", "flag on WorkflowTaskStarted"),
  historyEventsMax: count("limit.historyCount.error", 50 * 1024, "N", "the workflow is terminated", { simulation: [60, 51_200] }),
  historyEventsWarn: count("limit.historyCount.warn", 10 * 1024, "N", "logged"),
  historyEventsSuggestContinueAsNew: count("limit.historyCount.suggestContinueAsNew", 4 * 1024, "N", "flag on WorkflowTaskStarted"),
  mutableStateSizeBytesMax: bytes("limit.mutableStateSize.error", 8 * MIB, "G", "the workflow is terminated"),
  mutableStateSizeBytesWarn: bytes("limit.mutableStateSize.warn", 1 * MIB, "G", "logged"),
  activityFailureSizeBytesMax: bytes("limit.mutableStateActivityFailureSize.error", 4 * KIB, "N", "the failure is cut before it is kept"),
  activityFailureSizeBytesWarn: bytes("limit.mutableStateActivityFailureSize.warn", 2 * KIB, "N", "logged"),
  transactionSizeBytesMax: bytes("system.transactionSizeLimit", 4 * MIB, "G", "the workflow is terminated"),
  pendingActivitiesMax: count("limit.numPendingActivities.error", 2000, "N", "the workflow task fails", { simulation: [3, 2000] }),
  pendingChildExecutionsMax: count("limit.numPendingChildExecutions.error", 2000, "N", "the workflow task fails", {
    simulation: [3, 2000],
  }),
  pendingSignalsMax: count("limit.numPendingSignals.error", 2000, "N", "the workflow task fails", { simulation: [3, 2000] }),
  pendingCancelRequestsMax: count("limit.numPendingCancelRequests.error", 2000, "N", "the workflow task fails", { simulation: [3, 2000] }),
  autoResetPointsMax: count("history.historyMaxAutoResetPoints", 20, "N", "the oldest are forgotten"),
  signalsPerExecutionMax: count("history.maximumSignalsPerExecution", 10_000, "N", "INVALID_ARGUMENT", { simulation: [5, 10_000] }),
  inFlightUpdatesMax: count("history.maxInFlightUpdates", 10, "N", "RESOURCE_EXHAUSTED"),
  inFlightUpdateBytesMax: bytes("history.maxInFlightUpdatePayloads", 20 * MIB, "N", "RESOURCE_EXHAUSTED"),
  totalUpdatesMax: count("history.maxTotalUpdates", 2000, "N", "FAILED_PRECONDITION"),
  totalUpdatesSuggestContinueAsNewRatio: ratio("history.maxTotalUpdates.suggestContinueAsNewThreshold", 0.9, "N", "flag on WorkflowTaskStarted"),
  discardedTaskEventsMax: count(
    "history.discardSpeculativeWorkflowTaskMaximumEventsCount",
    10,
    "G",
    "a workflow task that only rejects updates is written after all",
  ),
  bufferedEventsMax: count("history.maximumBufferedEventsBatch", 100, "G", "the running workflow task fails", { simulation: [3, 100] }),
  bufferedEventsSizeBytesMax: bytes("history.maximumBufferedEventsSizeInBytes", 2 * MIB, "G", "the running workflow task fails"),
  bufferedQueriesMax: count("history.MaxBufferedQueryCount", 1, "G", "RESOURCE_EXHAUSTED"),
  requestIdsPerExecutionMax: count(
    "history.maximumRequestIDsPerExecution",
    25,
    "N",
    "accepted; of requests without an event, which there are none of",
  ),
  requestIdAgeMsMax: ms("history.requestIDMaxAge", 7 * DAY, "N", "accepted; of requests without an event, which there are none of"),
  idLengthMax: count("limit.maxIDLength", 1000, "G", "INVALID_ARGUMENT"),
  workerBuildIdSizeMax: count("limit.workerBuildIdSize", 255, "G", "INVALID_ARGUMENT"),
  userMetadataSummaryBytesMax: bytes("limit.userMetadataSummarySize", 400, "N", "INVALID_ARGUMENT"),
  userMetadataDetailsBytesMax: bytes("limit.userMetadataDetailsSize", 20_000, "N", "INVALID_ARGUMENT"),
  historyPageEventsMax: count("limit.historyMaxPageSize", 256, "N", "larger pages are cut"),
  frontendHistoryPageEventsMax: count("frontend.historyMaxPageSize", 256, "N", "larger pages are cut"),
  matchingHistoryPageEventsMax: count("matching.historyMaxPageSize", 256, "N", "larger pages are cut"),
  visibilityPageRowsMax: count("frontend.visibilityMaxPageSize", 1000, "N", "larger pages are cut"),
  searchAttributeKeysMax: count("frontend.searchAttributesNumberOfKeysLimit", 100, "N", "INVALID_ARGUMENT"),
  searchAttributeValueBytesMax: bytes("frontend.searchAttributesSizeOfValueLimit", 2048, "N", "INVALID_ARGUMENT"),
  searchAttributesBytesMax: bytes("frontend.searchAttributesTotalSizeLimit", 40 * KIB, "N", "INVALID_ARGUMENT"),
  searchAttributesPerTypeMax: count("system.searchAttributesPerTypeMax", 100, "N", "ours (official: 3 to 10 columns): INVALID_ARGUMENT"),
  callbackUrlLengthMax: count("frontend.callbackURLMaxLength", 1000, "N", "INVALID_ARGUMENT"),
  callbackHeaderBytesMax: bytes("frontend.callbackHeaderMaxLength", 8192, "N", "INVALID_ARGUMENT"),
  callbacksPerWorkflowMax: count("system.maxCallbacksPerWorkflow", 32, "N", "FAILED_PRECONDITION, of a workflow to which updates attach callbacks"),
  callbacksPerUpdateMax: count("system.maxCallbacksPerUpdateID", 32, "N", "FAILED_PRECONDITION"),
  callbacksPerExecutionMax: count("callback.maxPerExecution", 2000, "N", "FAILED_PRECONDITION"),
  externalPayloads: bool("history.externalPayloadsEnabled", true, "N", "off: external payloads are neither shown in descriptions nor found in lists"),
  updateCallbacks: bool("history.enableUpdateCallbacks", true, "N", "off: callbacks of new updates are taken, and not kept; official: off"),
  linkBytesMax: bytes("frontend.linkMaxSize", 4000, "N", "INVALID_ARGUMENT"),
  linksPerExecutionMax: count("chasm.maxLinksPerComponent", 2000, "N", "FAILED_PRECONDITION; of a standalone activity"),
  linksPerRequestMax: count("frontend.maxlinksPerRequest", 10, "N", "INVALID_ARGUMENT"),
  nexusOperationsMax: count("component.nexusoperations.limit.operation.concurrency", 30, "N", "the workflow task fails"),
  nexusOperationsPerWorkflowMax: count("nexusoperation.limit.operation.concurrencyPerWorkflow.max", 2000, "N", "the workflow task fails"),
  nexusRequestTimeoutMs: ms("component.nexusoperations.request.timeout", 10 * SECOND, "D", "deadline of one request"),
  nexusRequestTimeoutMsMin: ms("component.nexusoperations.limit.request.timeout.min", 1500, "N", "less left is a time-out"),
  nexusHeaderBytesMax: bytes("component.nexusoperations.limit.header.size", 8192, "N", "the workflow task fails"),
  nexusTokenBytesMax: bytes("component.nexusoperations.limit.operation.token.length", 4096, "N", "the operation fails"),
  nexusNameLengthMax: count("component.nexusoperations.limit.operation.name.length", 1000, "N", "the workflow task fails"),
  nexusScheduleToCloseTimeoutMsMax: ms("component.nexusoperations.limit.scheduleToCloseTimeout", 0, "N", "0 is none"),
  nexusServiceNameLengthMax: count("component.nexusoperations.limit.service.name.length", 1000, "N", "the workflow task fails"),
  nexusExecutionServiceNameLengthMax: count("nexusoperation.limit.service.name.length", 1000, "N", "INVALID_ARGUMENT"),
  nexusExecutionNameLengthMax: count("nexusoperation.limit.operation.name.length", 1000, "N", "INVALID_ARGUMENT"),
  nexusExecutionHeaderBytesMax: bytes("nexusoperation.limit.header.size", 8192, "N", "INVALID_ARGUMENT"),
  nexusExecutionScheduleToCloseTimeoutMsMax: ms("nexusoperation.limit.scheduleToCloseTimeout", 0, "N", "0 is none"),
  nexusStandalone: bool("nexusoperation.enableStandalone", true, "N", "standalone Nexus operations; else UNIMPLEMENTED (official: off)"),
  nexusLongPollMs: ms("nexusoperation.longPollTimeout", 60 * SECOND, "N", "then an empty answer"),
  nexusLongPollBufferMs: ms("nexusoperation.longPollBuffer", SECOND, "N", "an empty answer leaves this long before the caller's deadline"),
  nexusReasonLengthMax: count("nexusoperation.limit.reasonLength", 1000, "N", "INVALID_ARGUMENT"),
  nexusCancelEvents: bool(
    "component.nexusoperations.recordCancelRequestCompletionEvents",
    true,
    "G",
    "off: the history does not have what became of a request to cancel",
  ),
  nexusCallbackUrlTemplate: text(
    "component.nexusoperations.callback.endpoint.template",
    "",
    "G",
    "callback URL for external handlers, with {{.NamespaceName}} and {{.NamespaceID}}; empty is this server's own address (official: unset)",
  ),
  callbackRequestTimeoutMs: ms("callback.request.timeout", 10 * SECOND, "D", "deadline of one delivery"),
  callbackAllowedAddresses: json(
    "callback.allowedAddresses",
    "",
    "N",
    "list of {Pattern, AllowInsecure}: INVALID_ARGUMENT; empty allows any (official: none)",
  ),
  endpointNameLengthMax: count("limit.endpointNameMaxLength", 200, "G", "INVALID_ARGUMENT"),
  endpointUrlLengthMax: count("limit.endpointExternalURLMaxLength", 4096, "G", "INVALID_ARGUMENT"),
  endpointDescriptionBytesMax: bytes("limit.endpointDescriptionMaxSize", 20_000, "G", "INVALID_ARGUMENT"),
  frontendRps: rate("frontend.rps", "G", "RESOURCE_EXHAUSTED; official 2400"),
  namespaceRps: rate("frontend.namespaceRPS", "N", "RESOURCE_EXHAUSTED; official 2400"),
  namespaceBurstRatio: ratio("frontend.namespaceBurstRatio", 2, "N", "burst over the rate"),
  globalNamespaceRps: rate("frontend.globalNamespaceRPS", "N", "RESOURCE_EXHAUSTED; official 0"),
  namespaceVisibilityRps: rate("frontend.namespaceRPS.visibility", "N", "RESOURCE_EXHAUSTED; official 10"),
  namespaceVisibilityBurstRatio: ratio("frontend.namespaceBurstRatio.visibility", 1, "N", "burst over the rate"),
  namespaceReplicationRps: rate("frontend.namespaceRPS.namespaceReplicationInducingAPIs", "N", "RESOURCE_EXHAUSTED; official 1"),
  namespaceReplicationBurst: ratio("frontend.namespaceBurstRatio.namespaceReplicationInducingAPIs", 10, "N", "burst over the rate"),
  replicationRps: rate("frontend.rps.namespaceReplicationInducingAPIs", "G", "RESOURCE_EXHAUSTED; official 20"),
  clusterCallsPerMinute: rate("frontend.clusterCallsPerMinute", "G", "ours: RESOURCE_EXHAUSTED; the API reference: 10,000"),
  workflowStartsPerMinute: rate("frontend.namespaceStartsPerMinute", "N", "ours: RESOURCE_EXHAUSTED; the API reference: 1,000"),
  activityExecutionsPerMinute: rate("frontend.namespaceActivitiesPerMinute", "N", "ours: polls RESOURCE_EXHAUSTED; the API reference: 10,000"),
  openExecutionsMax: rate("frontend.namespaceOpenExecutions", "N", "ours: starts RESOURCE_EXHAUSTED; the API reference: 100"),
  taskQueueCallsPerMinute: rate("frontend.taskQueueCallsPerMinute", "T", "ours: RESOURCE_EXHAUSTED; the API reference: 1,000"),
  historyEventsPerMinute: rate(
    "frontend.namespaceHistoryEventsPerMinute",
    "N",
    "ours: calls that lead to new ones RESOURCE_EXHAUSTED; the API reference: 100,000",
  ),
  clientCallsPerSecond: rate("frontend.clientCallsPerSecond", "G", "ours: RESOURCE_EXHAUSTED; the API reference: 100"),
  clientLongPollsMax: rate("frontend.clientLongPolls", "G", "ours: RESOURCE_EXHAUSTED; the API reference: 10"),
  clientHeartbeatsPerMinute: rate("frontend.clientHeartbeatsPerMinute", "G", "ours: RESOURCE_EXHAUSTED; the API reference: 1,000"),
  cloudAccountCallsPerSecond: rate("cloud.accountRPS", "G", "ours: RESOURCE_EXHAUSTED, at most 160; the Cloud Ops API: 40"),
  cloudUserCallsPerSecond: rate("cloud.userRPS", "G", "ours: RESOURCE_EXHAUSTED; the Cloud Ops API: 10"),
  cloudServiceAccountCallsPerSecond: rate("cloud.serviceAccountRPS", "G", "ours: RESOURCE_EXHAUSTED; the Cloud Ops API: 20"),
  cloudRegion: text("cloud.region", "local", "G", "ours: what CloudService calls the one region, such as aws-us-west-2"),
  cloudExportMs: ms("cloud.exportInterval", HOUR, "G", "ours: between exports of histories to sinks"),
  longPollsPerNamespaceMax: count("frontend.namespaceCount", 1200, "N", "RESOURCE_EXHAUSTED; calls that wait, of one method; 0 is none"),
  matchingRps: rate("matching.rps", "G", "RESOURCE_EXHAUSTED; official 1200"),
  historyRps: rate("history.rps", "G", "RESOURCE_EXHAUSTED; official 3000"),
  frontendPersistenceQps: rate("frontend.persistenceMaxQPS", "G", "RESOURCE_EXHAUSTED; official 2000"),
  matchingPersistenceQps: rate("matching.persistenceMaxQPS", "G", "RESOURCE_EXHAUSTED; official 3000"),
  historyPersistenceQps: rate("history.persistenceMaxQPS", "G", "RESOURCE_EXHAUSTED; official 9000"),
  workerPersistenceQps: rate("worker.persistenceMaxQPS", "G", "RESOURCE_EXHAUSTED; official 500"),
  visibilityReadQps: rate("system.visibilityPersistenceMaxReadQPS", "G", "RESOURCE_EXHAUSTED; official 9000"),
  visibilityWriteQps: rate("system.visibilityPersistenceMaxWriteQPS", "G", "RESOURCE_EXHAUSTED; official 9000"),
  namespaceToPartitionDispatchRate: count("admin.matchingNamespaceToPartitionDispatchRate", 10_000, "N", "tasks a second that leave a queue"),
  taskQueueToPartitionDispatchRate: count("admin.matchingNamespaceTaskqueueToPartitionDispatchRate", 1000, "T", "tasks a second that leave a queue"),
  taskQueueReadPartitions: count("matching.numTaskqueueReadPartitions", 4, "T", "accepted; a queue here has one partition"),
  taskQueueWritePartitions: count("matching.numTaskqueueWritePartitions", 4, "T", "accepted; a queue here has one partition"),
  matchingLongPollMs: ms("matching.longPollExpirationInterval", 60 * SECOND, "T", "an empty answer", {
    simulation: [2 * SECOND, 60 * SECOND],
  }),
  historyLongPollMs: ms("history.longPollExpirationInterval", 20 * SECOND, "N", "an empty answer"),
  activityLongPollMs: ms("activity.longPollTimeout", 60 * SECOND, "N", "an empty answer"),
  activityLongPollBufferMs: ms("activity.longPollBuffer", 1 * SECOND, "N", "kept back of the caller's deadline"),
  syncMatchWaitMs: ms("matching.syncMatchWaitDuration", 200, "T", "accepted; a match here needs no wait"),
  newMatcher: bool("matching.useNewMatcher", true, "T", "accepted; there is one matcher"),
  priorityLevels: count("matching.priorityLevels", 5, "T", "priority keys 1 to 5"),
  fairness: bool("matching.enableFairness", true, "T", "fairness keys and weights; official: off"),
  fairnessWeightOverridesMax: count("matching.maxFairnessKeyWeightOverrides", 1000, "T", "INVALID_ARGUMENT"),
  pollerScalingBacklogMs: ms("matching.pollerScalingMinimumBacklog", 200, "T", "older tasks ask for more polls"),
  pollerScalingWaitMs: ms("matching.pollerScalingWaitTime", 1 * SECOND, "T", "a poll that waited longer asks for fewer"),
  pollerScalingDecisionsPerSecond: ratio("matching.pollerScalingDecisionsPerSecond", 10, "T", "advice to one poller a second"),
  pollerScalingAddToDispatchRatio: ratio(
    "matching.pollerScalingTaskAddToDispatchRatio",
    1.2,
    "T",
    "tasks that come, to those that leave, ask for more polls",
  ),
  workerEntryMsMax: ms("matching.workerRegistryEntryTTL", 5 * MINUTE, "G", "a worker without heartbeats is forgotten"),
  workerEvictionAgeMsMin: ms("matching.workerRegistryMinEvictAge", 1 * MINUTE, "G", "a younger heartbeat stays when there are too many"),
  workerEntriesMax: count("matching.workerRegistryMaxEntries", 1_000_000, "G", "the oldest heartbeats go"),
  versionSetApis: bool("frontend.workerVersioningDataAPIs", true, "N", "version sets of build ids are served; official: off"),
  versioningRuleApis: bool("frontend.workerVersioningRuleAPIs", true, "N", "versioning rules are served; official: off"),
  versioningWorkflowApis: bool("frontend.workerVersioningWorkflowAPIs", true, "N", "off: workers with build ids are refused: PERMISSION_DENIED"),
  versionSetsMax: count("limit.versionCompatibleSetLimitPerQueue", 10, "N", "FAILED_PRECONDITION"),
  versionSetBuildIdsMax: count("limit.versionBuildIdLimitPerQueue", 100, "N", "FAILED_PRECONDITION"),
  taskQueuesPerBuildIdMax: count("limit.taskQueuesPerBuildId", 20, "N", "FAILED_PRECONDITION"),
  assignmentRulesMax: count("limit.wv.AssignmentRuleLimitPerQueue", 100, "N", "FAILED_PRECONDITION"),
  redirectRulesMax: count("limit.wv.RedirectRuleLimitPerQueue", 500, "N", "FAILED_PRECONDITION"),
  redirectRuleUpstreamMax: count("limit.wv.RedirectRuleMaxUpstreamBuildIDsPerQueue", 50, "N", "FAILED_PRECONDITION"),
  signalWithStartFromWorkflow: bool(
    "history.enableSignalWithStartFromWorkflow",
    true,
    "N",
    "the operation of endpoint __temporal_system; UNIMPLEMENTED when off (official: off)",
  ),
  deletedRuleRetentionMs: ms(
    "matching.wv.DeletedRuleRetentionTime",
    14 * DAY,
    "N",
    "until then a queue that has lost its last rule for all asks for one",
  ),
  reachabilityBuildIdsMax: count("limit.reachabilityQueryBuildIds", 5, "G", "INVALID_ARGUMENT"),
  reachabilityTaskQueuesMax: count("limit.reachabilityTaskQueueScan", 20, "G", "further queues are not looked at"),
  reachabilityDefaultAgeMs: ms(
    "frontend.reachabilityQuerySetDurationSinceDefault",
    5 * MINUTE,
    "G",
    "what was the default until then counts as reachable",
  ),
  workerHeartbeats: bool("frontend.WorkerHeartbeatsEnabled", true, "N", "heartbeats of workers are kept"),
  workerPollsEndOnShutdown: bool("frontend.enableCancelWorkerPollsOnShutdown", true, "N", "ShutdownWorker ends the worker's polls; official: off"),
  backlogReadTasksMax: count("matching.getTasksBatchSize", 1000, "T", "tasks read at a time"),
  backlogWriteTasksMax: count("matching.maxTaskBatchSize", 100, "T", "accepted; rows are written with their batch"),
  outstandingTaskAppendsMax: count("matching.outstandingTaskAppendsThreshold", 250, "T", "accepted"),
  backlogWindowTasksMax: count("matching.backlogWindowTasks", 2000, "T", "ours: tasks of a queue in memory", { simulation: [2, 2000] }),
  backlogScavengeMs: ms("matching.backlogScavengeInterval", 1 * HOUR, "G", "ours: how often stored tasks of deleted runs are looked for"),
  pollerHistoryMsMax: ms("matching.PollerHistoryTTL", 5 * MINUTE, "N", "a poller that polled longer ago is not listed"),
  taskQueueIdleMsMax: ms("matching.maxTaskQueueIdleTime", 5 * MINUTE, "T", "an idle queue leaves memory", {
    simulation: [10 * SECOND, 5 * MINUTE],
  }),
  queryPollerUnavailableMs: ms("matching.queryPollerUnavailableWindow", 20 * SECOND, "G", "a query fails without a recent poller"),
  queryWithoutDeadlineMs: ms("frontend.queryWithoutDeadline", 30 * SECOND, "N", "ours: a query without a deadline ends"),
  transientEvents: bool(
    "history.sendTransientOrSpeculativeWorkflowTaskEvents",
    true,
    "N",
    "off: histories end before the events of a workflow task that are not written",
  ),
  workflowTaskTimeoutMsDefault: ms("history.defaultWorkflowTaskTimeout", 10 * SECOND, "N", "when a start names none"),
  workflowTaskHeartbeatTimeoutMs: ms("history.workflowTaskHeartbeatTimeout", 30 * MINUTE, "N", "the workflow task times out"),
  workflowTaskRetryIntervalMsMax: ms("history.workflowTaskRetryMaxInterval", 10 * MINUTE, "G", "added to the timeout of late attempts"),
  workflowTaskCriticalAttempts: count("history.workflowTaskCriticalAttempt", 10, "G", "logged"),
  workflowTaskAttemptsQueryMax: count("history.workflowTaskQueryAttempts", 3, "G", "ours: a query of a workflow that never completed a task fails"),
  activityRetry: retry("history.defaultActivityRetryPolicy", "N", "what a retry policy of an activity leaves open; of one without a policy, all"),
  workflowRetry: retry("history.defaultWorkflowRetryPolicy", "N", "what a retry policy of a workflow leaves open"),
  workflowIdReuseIntervalMsMin: ms("history.workflowIdReuseMinimalInterval", 1 * SECOND, "N", "a run that follows a shorter one waits"),
  deploymentsMax: count("matching.maxDeployments", 100, "N", "RESOURCE_EXHAUSTED"),
  versionsInDeploymentMax: count("matching.maxVersionsInDeployment", 100, "N", "RESOURCE_EXHAUSTED"),
  taskQueuesInDeploymentVersionMax: count("matching.maxTaskQueuesInDeploymentVersion", 100, "N", "RESOURCE_EXHAUSTED"),
  deploymentVersions: bool("system.enableDeploymentVersions", true, "N", "worker deployments are served"),
  versionDrainageGraceMs: ms(
    "matching.wv.VersionDrainageStatusVisibilityGracePeriod",
    3 * MINUTE,
    "N",
    "before a version's open workflows are first counted",
  ),
  versionDrainageRefreshMs: ms(
    "matching.wv.VersionDrainageStatusRefreshInterval",
    3 * MINUTE,
    "N",
    "between counts of a draining version's open workflows",
  ),
  versionReactivation: bool(
    "history.enableVersionReactivationSignals",
    true,
    "G",
    "pinning a workflow to a version that is out of use lets it drain again",
  ),
  versionsInTaskQueueMax: count("matching.maxVersionsInTaskQueue", 200, "N", "RESOURCE_EXHAUSTED"),
  batchOperationsMax: count("frontend.MaxConcurrentBatchOperationPerNamespace", 1, "N", "RESOURCE_EXHAUSTED"),
  adminBatchOperationsMax: count("frontend.MaxConcurrentAdminBatchOperationPerNamespace", 1, "N", "RESOURCE_EXHAUSTED"),
  batchExecutionsMax: count("frontend.MaxExecutionCountBatchOperationPerNamespace", 1000, "N", "accepted; the official server does not read it"),
  batchEnabled: bool("frontend.enableBatcher", true, "N", "off: PERMISSION_DENIED"),
  batchActivitiesEnabled: bool("frontend.enableBatchOperationsForStandaloneActivities", true, "N", "off: INVALID_ARGUMENT; official off"),
  batcherRps: rate("worker.batcherRPS", "N", "operations a second; official 50"),
  batcherConcurrency: count("worker.batcherConcurrency", 5, "N", "operations at once"),
  scheduleCatchupMsMax: ms("schedule.maxCatchup", 0, "G", "ours: what a schedule catches up at most, whatever its window; 0 is its window"),
  schedulerSpecStepsMax: count(
    "scheduler.specMaxIterations",
    10_000,
    "G",
    "the schedule has no more times; official 1,209,600, which count more here",
    {
      simulation: [100, 10_000],
    },
  ),
  schedulerStartRps: rate("worker.schedulerNamespaceStartWorkflowRPS", "N", "starts a second; official 30"),
  namespaceRetentionMsMin: ms("system.namespaceMinRetentionLocal", 1 * HOUR, "G", "INVALID_ARGUMENT"),
  namespaceRetentionGlobalMsMin: ms("system.namespaceMinRetentionGlobal", 1 * DAY, "G", "INVALID_ARGUMENT"),
  namespaceDeleteDelayMs: ms("frontend.deleteNamespaceNamespaceDeleteDelay", 0, "G", "how long an emptied namespace stays"),
  deleteEndpointTargets: bool(
    "frontend.allowDeleteNamespaceIfNexusEndpointTarget",
    false,
    "G",
    "namespaces that a Nexus endpoint targets may be deleted; else FAILED_PRECONDITION",
  ),
  namespacesProtected: list("worker.protectedNamespaces", [], "G", "FAILED_PRECONDITION"),
  historyArchivalState: text("system.historyArchivalState", "disabled", "G", "enabled: histories are archived before retention deletes them"),
  historyArchivalRead: bool("system.enableReadFromHistoryArchival", true, "G", "archived histories are served"),
  visibilityArchivalState: text(
    "system.visibilityArchivalState",
    "disabled",
    "G",
    "enabled: list entries are archived before retention deletes them",
  ),
  visibilityArchivalRead: bool("system.enableReadFromVisibilityArchival", true, "G", "off: INVALID_ARGUMENT"),
  archivedPageRowsMax: count("frontend.visibilityArchivalQueryMaxPageSize", 10_000, "G", "INVALID_ARGUMENT"),
  historyArchivalDefaultState: text(
    "namespaceDefaults.archival.history.state",
    "disabled",
    "G",
    "ours (official: file): of a namespace that names none",
  ),
  historyArchivalDefaultUri: text("namespaceDefaults.archival.history.URI", "", "G", "ours (official: file): of a namespace that names none"),
  visibilityArchivalDefaultState: text(
    "namespaceDefaults.archival.visibility.state",
    "disabled",
    "G",
    "ours (official: file): of a namespace that names none",
  ),
  visibilityArchivalDefaultUri: text("namespaceDefaults.archival.visibility.URI", "", "G", "ours (official: file): of a namespace that names none"),
  archivalFileMode: text("archival.provider.filestore.fileMode", "0666", "G", "ours (official: file): mode of archive files"),
  archivalDirectoryMode: text("archival.provider.filestore.dirMode", "0766", "G", "ours (official: file): mode of archive directories"),
  archivalS3Region: text("archival.provider.s3store.region", "", "G", "ours (official: file): empty is the environment's"),
  archivalS3Endpoint: text("archival.provider.s3store.endpoint", "", "G", "ours (official: file): empty is the region's"),
  archivalS3PathStyle: bool("archival.provider.s3store.s3ForcePathStyle", false, "G", "ours (official: file): the bucket is part of the path"),
  statusChangesKeptMax: count("history.statusChangesKept", 100_000, "G", "ours: the stream of a namespace answers 410 to a cursor that is older"),
  errorMessageLengthMax: count("system.maxServiceErrorMessageLength", 4000, "G", "longer texts are cut"),
  keepAliveMinMs: ms("frontend.keepAliveMinTime", 10 * SECOND, "G", "accepted"),
  keepAliveMs: ms("frontend.keepAliveTime", 60 * SECOND, "G", "an idle connection is pinged"),
  keepAliveTimeoutMs: ms("frontend.keepAliveTimeout", 10 * SECOND, "G", "an unanswered ping ends the connection"),
  connectionIdleMsMax: ms("frontend.keepAliveMaxConnectionIdle", 2 * MINUTE, "G", "accepted"),
  connectionAgeMsMax: ms("frontend.keepAliveMaxConnectionAge", 5 * MINUTE, "G", "accepted; connections here have no age"),
  connectionAgeGraceMs: ms("frontend.keepAliveMaxConnectionAgeGrace", 70 * SECOND, "G", "accepted"),
  executionCacheEntriesMax: count("history.hostLevelCacheMaxSize", 128_000, "G", "runs in memory"),
  eventsCacheBytesMax: bytes("history.eventsHostLevelCacheMaxSizeBytes", 256 * MIB, "G", "history in memory"),
  taskProblemsReportedAt: count(
    "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute",
    5,
    "N",
    "failed workflow tasks in a row, then TemporalReportedProblems; 0: never",
  ),
  completionBufferBytesMax: bytes("history.workflowTaskCompletionBufferSizeLimit", 40 * MIB, "N", "the workflow is terminated"),
  completionBufferTotalBytesMax: bytes("history.workflowTaskCompletionBufferTotalSizeLimit", 1024 * MIB, "G", "ABORTED: to be sent again"),
  completionBufferNamespaceShare: ratio("history.workflowTaskCompletionBufferNamespaceRatio", 0.5, "N", "ABORTED: to be sent again"),
  completionPagination: bool(
    "history.enableWorkflowTaskCompletionPagination",
    true,
    "N",
    "off: completions in pages are FAILED_PRECONDITION; official: off",
  ),
  receiveBytesMax: bytes("frontend.receiveMessageSize", 4 * MIB, "G", "ours (official: fixed): RESOURCE_EXHAUSTED"),
  resetWithPendingChildren: bool("history.allowResetWithPendingChildren", true, "N", "a workflow whose children are pending can be reset"),
  workflowPause: bool("frontend.WorkflowPauseEnabled", true, "N", "off: PauseWorkflowExecution is UNIMPLEMENTED; official default off"),
  workflowRules: bool("frontend.workflowRulesAPIsEnabled", true, "N", "off: calls about workflow rules are UNIMPLEMENTED; official default off"),
  workflowRulesMax: count("frontend.maxWorkflowRulesPerNamespace", 10, "N", "INVALID_ARGUMENT"),
  workerCommands: bool("frontend.WorkerCommandsEnabled", true, "N", "processes of workers take commands; official: off"),
  activityCancelCommands: bool(
    "system.enableCancelActivityWorkerCommand",
    true,
    "N",
    "the process of an activity's worker is told that it is to be canceled; official: off",
  ),
  pollerAutoscalingAutoEnroll: bool("frontend.pollerAutoscalingAutoEnroll", false, "N", "workers scale their polls unless they are told otherwise"),
  eagerActivities: bool("system.enableActivityEagerExecution", true, "N", "activities started with the completion that schedules them"),
  updates: bool("frontend.enableUpdateWorkflowExecution", true, "N", "PERMISSION_DENIED when off"),
  standaloneActivities: bool("activity.enableStandalone", true, "N", "UNIMPLEMENTED when off"),
  activityCallbacks: bool("activity.enableCallbacks", true, "N", "INVALID_ARGUMENT when off; official: off"),
  standaloneActivityOperations: bool("history.enableStandaloneActivityOperatorCommands", true, "N", "UNIMPLEMENTED when off; official off"),
  activityStartDelay: bool("activity.startDelayEnabled", true, "N", "INVALID_ARGUMENT when off"),
  updatesAsyncAccepted: bool("frontend.enableUpdateWorkflowExecutionAsyncAccepted", true, "N", "PERMISSION_DENIED when off"),
  workflowTimeSkipping: bool("frontend.WorkflowTimeSkippingEnabled", true, "N", "off: UNIMPLEMENTED (official: off)"),
  timeSkipsPerSessionMax: count("frontend.WorkflowTimeSkippingMaxSkipPerSession", 200, "N", "when a config names none; then time skipping ends"),
  eagerWorkflowStart: bool("system.enableEagerWorkflowStart", true, "N", "first workflow task with the start"),
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;

interface ValueOfKind {
  bool: boolean;
  text: string;
  json: string;
  list: readonly string[];
  retry: RetryDefaults;
}

/** Values by name: numbers but for the kinds above. */
export type Limits = {
  readonly [K in SettingName]: (typeof SETTINGS)[K]["kind"] extends keyof ValueOfKind ? ValueOfKind[(typeof SETTINGS)[K]["kind"]] : number;
};

/**
 * Keys that the SDKs' own test runners and local environments set: accepted, and of no effect here, since what they switch on is
 * always on, or concerns caches that this server does not have.
 */
export const ACCEPTED_KEYS: Readonly<Record<string, string>> = {
  "history.enableCHASMSchedulerCreation": "schedules are of that kind",
  "history.chasmSchedulerCreationRolloutPercent": "schedules are of that kind",
  "history.enableCHASMSchedulerRouting": "schedules are of that kind",
  "scheduler.specWarnIterations": "a search that goes long ends",
  "frontend.enableServerVersionCheck": "this server never asks for newer versions",
  "frontend.enableExecuteMultiOperation": "always on",
  "history.enableUpdateWithStartRetryOnClosedWorkflowAbort": "always on",
  "history.enableUpdateWithStartRetryableErrorOnClosedWorkflowAbort": "always on",
  "frontend.enableActivityEagerExecution": "always on",
  "frontend.enableWorkerVersioningDataAPIs": "always on",
  "frontend.enableWorkerVersioningWorkflowAPIs": "always on",
  "frontend.enableWorkerVersioningRuleAPIs": "always on",
  "frontend.enableVersioningWorkflowAPIs": "always on",
  "frontend.enableVersioningDataAPIs": "always on",
  "frontend.deleteNamespaceDeleteActivityRPS": "runs of a deleted namespace go as fast as they can beside other work",
  "frontend.deleteNamespaceDeletePageSize": "slices are of 500 runs",
  "frontend.deleteNamespacePagesPerExecution": "no workflow deletes a namespace here",
  "frontend.deleteNamespaceConcurrentDeleteExecutionsActivities": "16 runs at once",
  "history.archivalProcessorArchiveDelay": "a closed run is archived at once",
  "history.archivalBackendMaxRPS": "16 archives at once",
  "frontend.activityAPIsEnabled": "comes with activity operations",
  "frontend.ListWorkersEnabled": "always on, as on the official server, which does not read it any more",
  "frontend.namespaceRPS.visibility.burst": "see frontend.namespaceRPS.visibility",
  "system.forceSearchAttributesCacheRefreshOnRead": "search attributes are never stale here",
  "system.forceNexusEndpointRefreshOnRead": "endpoints are never stale here",
  "system.enableNexus": "always on",
  "system.enableDeployments": "the pre-release API of deployments is not served",
  "system.refreshNexusEndpointsMinWait": "endpoints are never stale here",
  "system.namespaceCacheRefreshInterval": "namespaces are never stale here",
  "component.nexusoperations.useSystemCallbackURL": "always on, as on the official server, which has no such key any more",
  "component.callbacks.allowedAddresses": "see callback.allowedAddresses",
  "history.enableRequestIdRefLinks": "always on, as on the official server, which has no such key any more",
  "history.enableChasm": "there is one engine",
  "history.enableCHASMCallbacks": "there is one engine",
  "history.enableCHASMSignalBacklinks": "always on",
  "history.enableTransitionHistory": "there is one engine",
  "matching.useFairnessMatcher": "see matching.enableFairness",
  "worker.buildIdScavengerEnabled": "build ids stay until they are taken away",
  "worker.removableBuildIdDurationSinceDefault": "build ids stay until they are taken away",
};

for (const [smaller, larger] of [
  ["blobSizeBytesWarn", "blobSizeBytesMax"],
  ["memoSizeBytesWarn", "memoSizeBytesMax"],
  ["historySizeBytesSuggestContinueAsNew", "historySizeBytesWarn"],
  ["historySizeBytesWarn", "historySizeBytesMax"],
  ["historyEventsSuggestContinueAsNew", "historyEventsWarn"],
  ["historyEventsWarn", "historyEventsMax"],
  ["blobSizeBytesMax", "receiveBytesMax"],
] as const)
  if (SETTINGS[smaller].value > SETTINGS[larger].value) throw new Error(`${smaller} is above ${larger}`);

/** `--limits documented`: the rate limits of the API reference. */
export const DOCUMENTED_LIMITS: Readonly<Partial<Record<SettingName, number>>> = {
  clusterCallsPerMinute: 10_000,
  workflowStartsPerMinute: 1_000,
  activityExecutionsPerMinute: 10_000,
  openExecutionsMax: 100,
  taskQueueCallsPerMinute: 1_000,
  historyEventsPerMinute: 100_000,
  clientCallsPerSecond: 100,
  clientLongPollsMax: 10,
  clientHeartbeatsPerMinute: 1_000,
  cloudAccountCallsPerSecond: 40,
  cloudUserCallsPerSecond: 10,
  cloudServiceAccountCallsPerSecond: 20,
};
