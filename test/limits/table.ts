/** Every group of rows, and the settings that have none. */
import type { Group } from "./row.js";
import { activityExecutions, noActivityExecutions } from "./rows/activity-executions.js";
import { fixed, pages, polls, texts, times } from "./rows/calls.js";
import { names } from "./rows/names.js";
import { nexus, noNexusOperations } from "./rows/nexus.js";
import { batches, operations } from "./rows/operations.js";
import { queues } from "./rows/queues.js";
import { retries } from "./rows/retries.js";
import { history, pendings, state, transaction } from "./rows/runs.js";
import { sizes } from "./rows/sizes.js";
import { switchesOff } from "./rows/switches.js";
import { timeSkipping } from "./rows/time-skipping.js";
import { updateCallbacks, updates } from "./rows/updates.js";
import { shortWaits, waits } from "./rows/waits.js";

export const GROUPS: readonly Group[] = [
  sizes,
  names,
  history,
  state,
  transaction,
  pendings,
  times,
  pages,
  polls,
  texts,
  timeSkipping,
  fixed,
  queues,
  updates,
  updateCallbacks,
  retries,
  waits,
  shortWaits,
  switchesOff,
  operations,
  batches,
  activityExecutions,
  noActivityExecutions,
  nexus,
  noNexusOperations,
];

const NEXUS = "in the conformance scripts of Nexus and nexus-operations, or beside its code in src/core/nexus-operation and src/nexus";
const CALLBACKS = "src/frontend/validation/callbacks.test.ts and src/core/callback/statemachine.test.ts";
const VERSIONS = "on a clock of its own, or a switch: test/conformance/scripts/worker-deployments.ts";
const BATCHES = "on a clock of its own in src/worker/batch/job-run.test.ts";
const ARCHIVAL = "test/archival";
const RATE = "a rate: test/security/limits.test.ts and src/quotas";
const PARTS = "a rate between parts of the official server, or of its store: accepted, of no effect";
const DOCUMENTED = "a rate of the documented profile, crossed on a simulated clock: test/security/limits.test.ts";
const MATCHER = "a task queue here has one partition and one matcher: accepted, of no effect";
const CLOUD = "a rate of CloudService, crossed on a simulated clock: test/cloud/limits.test.ts";
const ADVICE = "advice on a clock of its own: src/core/matching/poller-scaling.test.ts";
const HEARTBEATS = "on a clock of its own: src/core/worker/worker.test.ts";
const SWITCH = "a switch, not a limit: src/frontend/workflow/build-ids.test.ts and workers.test.ts";
const TOLD = "what SDKs are told, in DescribeNamespace: src/frontend/workflow/workers.test.ts";
const CONNECTION = "a connection's matter, not a call's: accepted";
const MEMORY = "of no effect that a caller sees";

export const WITHOUT_ROW: Readonly<Record<string, string>> = {
  "frontend.MaxConcurrentAdminBatchOperationPerNamespace": "of AdminService, which sessions do not speak: passed in test/admin/batch.test.ts",
  "history.discardSpeculativeWorkflowTaskMaximumEventsCount": "its default is passed in the conformance scripts of updates",
  "history.maximumRequestIDsPerExecution": "of requests that no event holds: there are none (the official server never forgets the others)",
  "history.requestIDMaxAge": "of requests that no event holds: there are none (the official server never forgets the others)",
  "system.maxCallbacksPerWorkflow": CALLBACKS,
  "system.maxCallbacksPerUpdateID": CALLBACKS,
  "nexusoperation.limit.operation.concurrencyPerWorkflow.max":
    "of the other of the official server's two engines, which makes no Nexus operations by default",
  "component.nexusoperations.callback.endpoint.template": "an address, not a limit: test/nexus",
  "matching.wv.DeletedRuleRetentionTime": "on a clock of its own: src/matching/build-ids.test.ts",
  "callback.request.timeout": CALLBACKS,
  "component.nexusoperations.request.timeout": NEXUS,
  "component.nexusoperations.limit.request.timeout.min": NEXUS,
  "component.nexusoperations.limit.operation.token.length": NEXUS,
  "component.nexusoperations.limit.scheduleToCloseTimeout": NEXUS,
  "cloud.accountRPS": CLOUD,
  "cloud.userRPS": CLOUD,
  "cloud.serviceAccountRPS": CLOUD,
  "cloud.region": "a name: test/cloud/kinds.test.ts",
  "cloud.exportInterval": "test/cloud/export.test.ts",
  "nexusoperation.limit.scheduleToCloseTimeout": NEXUS,
  "frontend.clusterCallsPerMinute": DOCUMENTED,
  "frontend.namespaceStartsPerMinute": DOCUMENTED,
  "frontend.namespaceActivitiesPerMinute": DOCUMENTED,
  "frontend.namespaceOpenExecutions": DOCUMENTED,
  "frontend.taskQueueCallsPerMinute": DOCUMENTED,
  "frontend.namespaceHistoryEventsPerMinute": DOCUMENTED,
  "frontend.clientCallsPerSecond": DOCUMENTED,
  "frontend.clientLongPolls": DOCUMENTED,
  "frontend.clientHeartbeatsPerMinute": DOCUMENTED,
  "system.enableDeploymentVersions": VERSIONS,
  "matching.wv.VersionDrainageStatusVisibilityGracePeriod": VERSIONS,
  "matching.wv.VersionDrainageStatusRefreshInterval": VERSIONS,
  "history.enableVersionReactivationSignals": VERSIONS,
  "history.statusChangesKept": "what the stream of a namespace keeps: test/stream",
  "frontend.rps": RATE,
  "frontend.namespaceRPS": RATE,
  "frontend.namespaceBurstRatio": RATE,
  "frontend.globalNamespaceRPS": RATE,
  "frontend.namespaceRPS.visibility": RATE,
  "frontend.namespaceBurstRatio.visibility": RATE,
  "frontend.namespaceRPS.namespaceReplicationInducingAPIs": PARTS,
  "frontend.namespaceBurstRatio.namespaceReplicationInducingAPIs": PARTS,
  "frontend.rps.namespaceReplicationInducingAPIs": PARTS,
  "matching.rps": PARTS,
  "history.rps": PARTS,
  "frontend.persistenceMaxQPS": PARTS,
  "matching.persistenceMaxQPS": PARTS,
  "history.persistenceMaxQPS": PARTS,
  "worker.persistenceMaxQPS": PARTS,
  "system.visibilityPersistenceMaxReadQPS": PARTS,
  "system.visibilityPersistenceMaxWriteQPS": PARTS,
  "admin.matchingNamespaceTaskqueueToPartitionDispatchRate": "a rate: on a clock of its own in src/core/matching/rate-limiter.test.ts",
  "matching.numTaskqueueReadPartitions": "multiplies the dispatch rate of a queue, and has no other effect",
  "matching.numTaskqueueWritePartitions": MATCHER,
  "matching.syncMatchWaitDuration": MATCHER,
  "matching.useNewMatcher": MATCHER,
  "matching.priorityLevels": "the order of a backlog: src/matching/dispatch-order.test.ts",
  "matching.enableFairness": "the order of a backlog: src/matching/dispatch-order.test.ts",
  "matching.pollerScalingMinimumBacklog": ADVICE,
  "matching.pollerScalingWaitTime": ADVICE,
  "matching.pollerScalingDecisionsPerSecond": ADVICE,
  "matching.pollerScalingTaskAddToDispatchRatio": ADVICE,
  "matching.workerRegistryEntryTTL": HEARTBEATS,
  "matching.workerRegistryMinEvictAge": HEARTBEATS,
  "matching.workerRegistryMaxEntries": HEARTBEATS,
  "frontend.WorkerHeartbeatsEnabled": SWITCH,
  "frontend.enableCancelWorkerPollsOnShutdown": SWITCH,
  "frontend.WorkerCommandsEnabled": TOLD,
  "frontend.pollerAutoscalingAutoEnroll": TOLD,
  "system.enableCancelActivityWorkerCommand": "a switch: src/core/activity/worker-commands.test.ts",
  "frontend.workerVersioningDataAPIs": SWITCH,
  "frontend.workerVersioningRuleAPIs": SWITCH,
  "frontend.reachabilityQuerySetDurationSinceDefault": "for minutes after a change: src/frontend/workflow/build-ids.test.ts",
  "matching.getTasksBatchSize": MATCHER,
  "matching.maxTaskBatchSize": MATCHER,
  "matching.outstandingTaskAppendsThreshold": MATCHER,
  "matching.backlogWindowTasks": MEMORY,
  "matching.maxTaskQueueIdleTime": MEMORY,
  "matching.backlogScavengeInterval": "test/namespaces",
  "frontend.deleteNamespaceNamespaceDeleteDelay": "test/namespaces, by the request's own delay",
  "system.historyArchivalState": ARCHIVAL,
  "system.enableReadFromHistoryArchival": ARCHIVAL,
  "system.visibilityArchivalState": ARCHIVAL,
  "system.enableReadFromVisibilityArchival": ARCHIVAL,
  "namespaceDefaults.archival.history.state": ARCHIVAL,
  "namespaceDefaults.archival.history.URI": ARCHIVAL,
  "namespaceDefaults.archival.visibility.state": ARCHIVAL,
  "namespaceDefaults.archival.visibility.URI": ARCHIVAL,
  "archival.provider.filestore.fileMode": "src/worker/archival/file-store.test.ts",
  "archival.provider.filestore.dirMode": "src/worker/archival/file-store.test.ts",
  "archival.provider.s3store.region": ARCHIVAL,
  "archival.provider.s3store.endpoint": ARCHIVAL,
  "archival.provider.s3store.s3ForcePathStyle": ARCHIVAL,
  "history.hostLevelCacheMaxSize": MEMORY,
  "history.eventsHostLevelCacheMaxSizeBytes": MEMORY,
  "matching.maxDeployments": VERSIONS,
  "matching.maxVersionsInDeployment": VERSIONS,
  "matching.maxTaskQueuesInDeploymentVersion": VERSIONS,
  "matching.maxVersionsInTaskQueue": VERSIONS,
  "frontend.MaxExecutionCountBatchOperationPerNamespace": "accepted; the official server does not read it",
  "worker.batcherRPS": BATCHES,
  "worker.batcherConcurrency": BATCHES,
  "worker.schedulerNamespaceStartWorkflowRPS": PARTS,
  "frontend.workflowRulesAPIsEnabled": "a switch, on here: the row of their number needs it",
  "schedule.maxCatchup": "ours: on a clock of its own in src/core/scheduler/scheduler.test.ts",
  "scheduler.specMaxIterations": "counts steps that are longer here: src/core/scheduler/spec.test.ts",
  "system.namespaceMinRetentionGlobal": "there are no global namespaces",
  "frontend.keepAliveMinTime": CONNECTION,
  "frontend.keepAliveTime": CONNECTION,
  "frontend.keepAliveTimeout": CONNECTION,
  "frontend.keepAliveMaxConnectionIdle": CONNECTION,
  "frontend.keepAliveMaxConnectionAge": CONNECTION,
  "frontend.keepAliveMaxConnectionAgeGrace": CONNECTION,
};
