/** The settings that request handling reads, by what they limit. */
import { MICROS_PER_MS } from "../api/time.js";
import type { Limits, RetryDefaults } from "../config/limits.js";
import { type AddressRule, addressRules } from "./validation/callbacks.js";

export interface RequestLimits {
  readonly idLengthMax: number;
  readonly buildIdSizeMax: number;
  readonly activityRetry: RetryDefaults;
  readonly workflowRetry: RetryDefaults;
  readonly areUpdateCallbacksKept: boolean;
  readonly blobSizeWarn: number;
  readonly blobSizeError: number;
  readonly memoSizeWarn: number;
  readonly memoSizeError: number;
  readonly activityFailureSizeWarn: number;
  readonly linksPerRequestMax: number;
  readonly linkSizeMax: number;
  /** Of a history read that names no size. */
  readonly historyPageSize: number;
  readonly workflowTaskPageSize: number;
  readonly queryTaskPageSize: number;
  readonly visibilityPageSizeMax: number;
  readonly longPollExpirationMs: number;
  readonly queryWithoutDeadlineMs: number;
  /** Microseconds. */
  readonly defaultWorkflowTaskTimeout: number;
  readonly workflowTaskCompletionSizeMax: number;
  readonly areCompletionsPaged: boolean;
  readonly areTaskProblemsReported: boolean;
  /** Bytes of the server; 0 is no limit. */
  readonly completionPagesTotalMax: number;
  /** Part of them that one namespace may take. */
  readonly completionPagesNamespaceShare: number;
  readonly isEagerWorkflowStartEnabled: boolean;
  readonly isSignalWithStartFromWorkflowEnabled: boolean;
  readonly isWorkflowPauseEnabled: boolean;
  readonly areWorkflowRulesEnabled: boolean;
  readonly workflowRulesMax: number;
  readonly areWorkerHeartbeatsKept: boolean;
  readonly areWorkerCommandsSent: boolean;
  readonly areWorkersToScalePolls: boolean;
  readonly doPollsEndOnShutdown: boolean;
  readonly areBuildIdWorkersServed: boolean;
  readonly areTransientEventsShown: boolean;
  readonly areVersionSetsServed: boolean;
  readonly areVersioningRulesServed: boolean;
  readonly areDeploymentsServed: boolean;
  readonly isVersionReactivated: boolean;
  readonly reachabilityBuildIdsMax: number;
  readonly reachabilityTaskQueuesMax: number;
  /** Microseconds. */
  readonly reachabilityDefaultAge: number;
  readonly protectedNamespaces: readonly string[];
  /** Calls a second of a namespace; 0 is no limit. */
  readonly namespaceRps: number;
  readonly isFairnessEnabled: boolean;
  /** What CloudService calls the one region. */
  readonly cloudRegion: string;
  /** Microseconds. */
  readonly namespaceDeleteDelay: number;
  readonly isBatchEnabled: boolean;
  readonly isBatchOfActivitiesEnabled: boolean;
  readonly batchOperationsMax: number;
  readonly adminBatchOperationsMax: number;
  readonly archivedPageSizeMax: number;
  readonly areUpdatesEnabled: boolean;
  readonly areUpdatesAcceptedEnabled: boolean;
  readonly areStandaloneActivitiesEnabled: boolean;
  readonly areActivityCallbacksEnabled: boolean;
  readonly areActivityOperationsEnabled: boolean;
  readonly isActivityStartDelayEnabled: boolean;
  readonly activityLongPollMs: number;
  readonly activityLongPollBufferMs: number;
  readonly canDeleteEndpointTargets: boolean;
  readonly callbackUrlLengthMax: number;
  readonly callbackHeaderBytesMax: number;
  readonly callbacksPerExecutionMax: number;
  /** Undefined: callbacks may go anywhere. */
  readonly callbackAddressRules: readonly AddressRule[] | undefined;
  readonly nexusTokenBytesMax: number;
  readonly areNexusOperationsStandalone: boolean;
  readonly nexusLongPollMs: number;
  readonly nexusLongPollBufferMs: number;
  readonly nexusReasonLengthMax: number;
  readonly nexusServiceNameLengthMax: number;
  readonly nexusNameLengthMax: number;
  readonly nexusHeaderBytesMax: number;
  /** Microseconds; 0 is none. */
  readonly nexusScheduleToCloseTimeoutMax: number;
  readonly userMetadataSummaryMax: number;
  readonly userMetadataDetailsMax: number;
  readonly isTimeSkippingEnabled: boolean;
  /** Skips of a session whose config does not say. */
  readonly timeSkipsPerSession: number;
}

/** From the settings: to be made once per version of the configuration, not per request. */
export function requestLimits(limits: Limits): RequestLimits {
  return {
    idLengthMax: limits.idLengthMax,
    areWorkerHeartbeatsKept: limits.workerHeartbeats,
    areWorkerCommandsSent: limits.workerCommands,
    areWorkersToScalePolls: limits.pollerAutoscalingAutoEnroll,
    doPollsEndOnShutdown: limits.workerPollsEndOnShutdown,
    areBuildIdWorkersServed: limits.versioningWorkflowApis,
    areTransientEventsShown: limits.transientEvents,
    areVersionSetsServed: limits.versionSetApis,
    areVersioningRulesServed: limits.versioningRuleApis,
    areDeploymentsServed: limits.deploymentVersions,
    isVersionReactivated: limits.versionReactivation,
    reachabilityBuildIdsMax: limits.reachabilityBuildIdsMax,
    reachabilityTaskQueuesMax: limits.reachabilityTaskQueuesMax,
    reachabilityDefaultAge: limits.reachabilityDefaultAgeMs * MICROS_PER_MS,
    activityRetry: limits.activityRetry,
    workflowRetry: limits.workflowRetry,
    areUpdateCallbacksKept: limits.updateCallbacks,
    buildIdSizeMax: limits.workerBuildIdSizeMax,
    blobSizeWarn: limits.blobSizeBytesWarn,
    blobSizeError: limits.blobSizeBytesMax,
    memoSizeWarn: limits.memoSizeBytesWarn,
    memoSizeError: limits.memoSizeBytesMax,
    activityFailureSizeWarn: limits.activityFailureSizeBytesWarn,
    linksPerRequestMax: limits.linksPerRequestMax,
    linkSizeMax: limits.linkBytesMax,
    historyPageSize: limits.frontendHistoryPageEventsMax,
    workflowTaskPageSize: limits.historyPageEventsMax,
    queryTaskPageSize: limits.matchingHistoryPageEventsMax,
    visibilityPageSizeMax: limits.visibilityPageRowsMax,
    longPollExpirationMs: limits.historyLongPollMs,
    queryWithoutDeadlineMs: limits.queryWithoutDeadlineMs,
    defaultWorkflowTaskTimeout: limits.workflowTaskTimeoutMsDefault * 1000,
    workflowTaskCompletionSizeMax: limits.completionBufferBytesMax,
    areCompletionsPaged: limits.completionPagination,
    areTaskProblemsReported: limits.taskProblemsReportedAt > 0,
    completionPagesTotalMax: limits.completionBufferTotalBytesMax,
    completionPagesNamespaceShare: limits.completionBufferNamespaceShare,
    isEagerWorkflowStartEnabled: limits.eagerWorkflowStart,
    isSignalWithStartFromWorkflowEnabled: limits.signalWithStartFromWorkflow,
    isWorkflowPauseEnabled: limits.workflowPause,
    areWorkflowRulesEnabled: limits.workflowRules,
    workflowRulesMax: limits.workflowRulesMax,
    protectedNamespaces: limits.namespacesProtected,
    namespaceRps: limits.namespaceRps,
    isFairnessEnabled: limits.fairness,
    cloudRegion: limits.cloudRegion,
    namespaceDeleteDelay: limits.namespaceDeleteDelayMs * 1000,
    isBatchEnabled: limits.batchEnabled,
    isBatchOfActivitiesEnabled: limits.batchActivitiesEnabled,
    batchOperationsMax: limits.batchOperationsMax,
    adminBatchOperationsMax: limits.adminBatchOperationsMax,
    archivedPageSizeMax: limits.archivedPageRowsMax,
    areUpdatesEnabled: limits.updates,
    areUpdatesAcceptedEnabled: limits.updatesAsyncAccepted,
    areStandaloneActivitiesEnabled: limits.standaloneActivities,
    areActivityCallbacksEnabled: limits.activityCallbacks,
    areActivityOperationsEnabled: limits.standaloneActivityOperations,
    isActivityStartDelayEnabled: limits.activityStartDelay,
    activityLongPollMs: limits.activityLongPollMs,
    activityLongPollBufferMs: limits.activityLongPollBufferMs,
    canDeleteEndpointTargets: limits.deleteEndpointTargets,
    callbackUrlLengthMax: limits.callbackUrlLengthMax,
    callbackHeaderBytesMax: limits.callbackHeaderBytesMax,
    callbacksPerExecutionMax: limits.callbacksPerExecutionMax,
    callbackAddressRules: addressRules(limits.callbackAllowedAddresses),
    nexusTokenBytesMax: limits.nexusTokenBytesMax,
    areNexusOperationsStandalone: limits.nexusStandalone,
    nexusLongPollMs: limits.nexusLongPollMs,
    nexusLongPollBufferMs: limits.nexusLongPollBufferMs,
    nexusReasonLengthMax: limits.nexusReasonLengthMax,
    nexusServiceNameLengthMax: limits.nexusExecutionServiceNameLengthMax,
    nexusNameLengthMax: limits.nexusExecutionNameLengthMax,
    nexusHeaderBytesMax: limits.nexusExecutionHeaderBytesMax,
    nexusScheduleToCloseTimeoutMax: limits.nexusExecutionScheduleToCloseTimeoutMsMax * 1000,
    userMetadataSummaryMax: limits.userMetadataSummaryBytesMax,
    userMetadataDetailsMax: limits.userMetadataDetailsBytesMax,
    isTimeSkippingEnabled: limits.workflowTimeSkipping,
    timeSkipsPerSession: limits.timeSkipsPerSessionMax,
  };
}
