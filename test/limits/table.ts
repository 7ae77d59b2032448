/** Every group of rows, and the settings that have none. */
import type { Group } from "./row.js";
import { fixed, pages, polls, texts, times } from "./rows/calls.js";
import { names } from "./rows/names.js";
import { history, pendings, state, transaction } from "./rows/runs.js";
import { sizes } from "./rows/sizes.js";
import { timeSkipping } from "./rows/time-skipping.js";

export const GROUPS: readonly Group[] = [sizes, names, history, state, transaction, pendings, times, pages, polls, texts, timeSkipping, fixed];

const UPDATES = "there are no updates yet";
const NEXUS = "there are no Nexus operations yet";
const CALLBACKS = "no callback address is configured yet: every callback is refused";
const VERSIONS = "there are no deployments yet";
const BATCHES = "there are no batch operations or schedules yet";
const STANDALONE = "there are no standalone activities yet";
const RATE = "rates are off by default, and not limited yet";
const MATCHER = "a task queue here has one partition and one matcher: accepted, of no effect";
const CONNECTION = "a connection's matter, not a call's: accepted";
const MEMORY = "of no effect that a caller sees";

export const WITHOUT_ROW: Readonly<Record<string, string>> = {
  "history.maxInFlightUpdates": UPDATES,
  "history.maxInFlightUpdatePayloads": UPDATES,
  "history.maxTotalUpdates": UPDATES,
  "history.maxTotalUpdates.suggestContinueAsNewThreshold": UPDATES,
  "history.maximumRequestIDsPerExecution": "of requests that no event holds: there are none (the official server never forgets the others)",
  "history.requestIDMaxAge": "of requests that no event holds: there are none (the official server never forgets the others)",
  "limit.userMetadataSummarySize": "the official server checks it for standalone activities and Nexus operations only",
  "limit.userMetadataDetailsSize": "the official server checks it for standalone activities and Nexus operations only",
  "frontend.callbackURLMaxLength": CALLBACKS,
  "frontend.callbackHeaderMaxLength": CALLBACKS,
  "system.maxCallbacksPerWorkflow": CALLBACKS,
  "system.maxCallbacksPerUpdateID": CALLBACKS,
  "callback.maxPerExecution": CALLBACKS,
  "component.nexusoperations.limit.operation.concurrency": NEXUS,
  "nexusoperation.limit.operation.concurrencyPerWorkflow.max": NEXUS,
  "component.nexusoperations.request.timeout": NEXUS,
  "component.nexusoperations.limit.request.timeout.min": NEXUS,
  "component.nexusoperations.limit.header.size": NEXUS,
  "component.nexusoperations.limit.operation.token.length": NEXUS,
  "component.nexusoperations.limit.operation.name.length": NEXUS,
  "component.nexusoperations.limit.scheduleToCloseTimeout": NEXUS,
  "component.nexusoperations.limit.service.name.length": NEXUS,
  "limit.endpointNameMaxLength": NEXUS,
  "limit.endpointExternalURLMaxLength": NEXUS,
  "limit.endpointDescriptionMaxSize": NEXUS,
  "frontend.rps": RATE,
  "frontend.namespaceRPS": RATE,
  "frontend.namespaceBurstRatio": RATE,
  "frontend.globalNamespaceRPS": RATE,
  "frontend.namespaceRPS.visibility": RATE,
  "frontend.namespaceBurstRatio.visibility": RATE,
  "frontend.namespaceRPS.namespaceReplicationInducingAPIs": RATE,
  "frontend.namespaceBurstRatio.namespaceReplicationInducingAPIs": RATE,
  "frontend.rps.namespaceReplicationInducingAPIs": RATE,
  "matching.rps": RATE,
  "history.rps": RATE,
  "frontend.persistenceMaxQPS": RATE,
  "matching.persistenceMaxQPS": RATE,
  "history.persistenceMaxQPS": RATE,
  "worker.persistenceMaxQPS": RATE,
  "system.visibilityPersistenceMaxReadQPS": RATE,
  "system.visibilityPersistenceMaxWriteQPS": RATE,
  "admin.matchingNamespaceToPartitionDispatchRate": RATE,
  "admin.matchingNamespaceTaskqueueToPartitionDispatchRate": "a rate: on a clock of its own in src/core/matching/rate-limiter.test.ts",
  "matching.numTaskqueueReadPartitions": "multiplies the dispatch rate of a queue, and has no other effect",
  "matching.numTaskqueueWritePartitions": MATCHER,
  "matching.syncMatchWaitDuration": MATCHER,
  "matching.useNewMatcher": MATCHER,
  "matching.priorityLevels": MATCHER,
  "matching.enableFairness": MATCHER,
  "matching.getTasksBatchSize": MATCHER,
  "matching.maxTaskBatchSize": MATCHER,
  "matching.outstandingTaskAppendsThreshold": MATCHER,
  "matching.backlogWindowTasks": MEMORY,
  "matching.maxTaskQueueIdleTime": MEMORY,
  "history.hostLevelCacheMaxSize": MEMORY,
  "history.eventsHostLevelCacheMaxSizeBytes": MEMORY,
  "activity.longPollTimeout": STANDALONE,
  "activity.longPollBuffer": STANDALONE,
  "matching.maxDeployments": VERSIONS,
  "matching.maxVersionsInDeployment": VERSIONS,
  "matching.maxTaskQueuesInDeploymentVersion": VERSIONS,
  "matching.maxVersionsInTaskQueue": VERSIONS,
  "frontend.MaxConcurrentBatchOperationPerNamespace": BATCHES,
  "worker.batcherRPS": BATCHES,
  "worker.batcherConcurrency": BATCHES,
  "worker.schedulerNamespaceStartWorkflowRPS": BATCHES,
  "frontend.workflowRulesAPIsEnabled": "a switch, on here: the row of their number needs it",
  "system.namespaceMinRetentionGlobal": "there are no global namespaces",
  "frontend.keepAliveMinTime": CONNECTION,
  "frontend.keepAliveTime": CONNECTION,
  "frontend.keepAliveTimeout": CONNECTION,
  "frontend.keepAliveMaxConnectionIdle": CONNECTION,
  "frontend.keepAliveMaxConnectionAge": CONNECTION,
  "frontend.keepAliveMaxConnectionAgeGrace": CONNECTION,
  "history.workflowTaskCompletionBufferTotalSizeLimit": "completions come in one piece: the feature is off by default",
  "history.enableWorkflowTaskCompletionPagination": "completions come in one piece: the feature is off by default",
};
