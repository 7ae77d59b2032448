/** What neither server has by default: a script would wait for minutes. */
export const COMMON_SETTINGS: Readonly<Record<string, unknown>> = {
  "matching.wv.VersionDrainageStatusVisibilityGracePeriod": "4s",
  "matching.wv.VersionDrainageStatusRefreshInterval": "2s",
};

/** Dynamic configuration of the official server when its answers are recorded: what is on by default here is on there. */
export const REFERENCE_SETTINGS: Readonly<Record<string, unknown>> = {
  ...COMMON_SETTINGS,
  "callback.allowedAddresses": [{ Pattern: "*", AllowInsecure: true }],
  "system.forceNexusEndpointRefreshOnRead": true,
  "nexusoperation.enableStandalone": true,
  "frontend.WorkflowPauseEnabled": true,
  "frontend.WorkflowTimeSkippingEnabled": true,
  "frontend.workflowRulesAPIsEnabled": true,
  "frontend.WorkerCommandsEnabled": true,
  "system.enableCancelActivityWorkerCommand": true,
  "history.enableStandaloneActivityOperatorCommands": true,
  "history.enableCHASMSchedulerCreation": true,
  "history.enableWorkflowTaskCompletionPagination": true,
  "history.chasmSchedulerCreationRolloutPercent": 100,
};

/** With more partitions than one, the order of the official server's tasks is up to chance. */
export const ONE_PARTITION: readonly string[] = [
  "matching.numTaskqueueReadPartitions=1",
  "matching.numTaskqueueWritePartitions=1",
  "admin.matchingNamespaceTaskqueueToPartitionDispatchRate=4000",
];
