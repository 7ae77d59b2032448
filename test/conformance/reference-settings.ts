/** Dynamic configuration of the official server when its answers are recorded: what is on by default here is on there. */
export const REFERENCE_SETTINGS: Readonly<Record<string, unknown>> = {
  "callback.allowedAddresses": [{ Pattern: "*", AllowInsecure: true }],
  "system.forceNexusEndpointRefreshOnRead": true,
  "nexusoperation.enableStandalone": true,
  "frontend.WorkflowPauseEnabled": true,
  "frontend.WorkflowTimeSkippingEnabled": true,
  "frontend.workflowRulesAPIsEnabled": true,
  "history.enableCHASMSchedulerCreation": true,
  "history.chasmSchedulerCreationRolloutPercent": 100,
};
