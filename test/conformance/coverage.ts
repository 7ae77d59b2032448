/**
 * What the scripts must make happen: every RPC that is served, in success and in each of its errors; every command, accepted and
 * refused; every event that COMPAT.md calls done. The records hold what each script covered on the official server, and a script
 * that covers less here fails.
 */
import { OperatorService } from "../../gen/wire/temporal/api/operatorservice/v1/service.js";
import { WorkflowService } from "../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { methodTable } from "../../src/frontend/methods.js";
import type { Recorded } from "./play.js";

const USUAL = ["OK", "INVALID_ARGUMENT", "NOT_FOUND"];
/** RPCs whose outcomes are not the usual ones. */
const OUTCOMES: Readonly<Record<string, readonly string[]>> = {
  DeleteNamespace: [...USUAL, "FAILED_PRECONDITION"],
  CreateSchedule: [...USUAL, "ALREADY_EXISTS"],
  StartActivityExecution: [...USUAL, "ALREADY_EXISTS"],
  RequestCancelActivityExecution: [...USUAL, "FAILED_PRECONDITION"],
  TerminateActivityExecution: [...USUAL, "FAILED_PRECONDITION"],
  PauseActivityExecution: [...USUAL, "FAILED_PRECONDITION"],
  UnpauseActivityExecution: [...USUAL, "FAILED_PRECONDITION"],
  ResetActivityExecution: [...USUAL, "FAILED_PRECONDITION"],
  UpdateActivityExecutionOptions: [...USUAL, "FAILED_PRECONDITION"],
  DeleteSchedule: ["OK", "NOT_FOUND"],
  UpdateSchedule: [...USUAL, "FAILED_PRECONDITION"],
  ExecuteMultiOperation: [...USUAL, "ALREADY_EXISTS", "FAILED_PRECONDITION", "PERMISSION_DENIED"],
  StartNexusOperationExecution: [...USUAL, "ALREADY_EXISTS"],
  RequestCancelNexusOperationExecution: [...USUAL, "FAILED_PRECONDITION"],
  TerminateNexusOperationExecution: [...USUAL, "FAILED_PRECONDITION"],
  CreateNexusEndpoint: ["OK", "INVALID_ARGUMENT", "ALREADY_EXISTS", "FAILED_PRECONDITION"],
  GetClusterInfo: ["OK"],
  GetSearchAttributes: ["OK"],
  GetSystemInfo: ["OK"],
  ListBatchOperations: ["OK", "NOT_FOUND"],
  ListClusters: ["OK"],
  ListNexusEndpoints: ["OK", "INVALID_ARGUMENT", "INTERNAL"],
  ListNamespaces: ["OK"],
  ListArchivedWorkflowExecutions: ["INVALID_ARGUMENT", "NOT_FOUND"],
  ListClosedWorkflowExecutions: ["OK", "NOT_FOUND"],
  ListSearchAttributes: ["OK", "NOT_FOUND"],
  ListWorkflowRules: ["OK", "NOT_FOUND"],
  PauseActivity: [...USUAL, "FAILED_PRECONDITION"],
  PauseWorkflowExecution: [...USUAL, "FAILED_PRECONDITION"],
  ResetWorkflowExecution: [...USUAL, "FAILED_PRECONDITION"],
  UnpauseWorkflowExecution: [...USUAL, "FAILED_PRECONDITION"],
  UpdateWorkflowExecutionOptions: [...USUAL, "FAILED_PRECONDITION"],
  CreateWorkerDeployment: [...USUAL, "ALREADY_EXISTS"],
  CreateWorkerDeploymentVersion: [...USUAL, "ALREADY_EXISTS"],
  DeleteWorkerDeployment: [...USUAL, "FAILED_PRECONDITION"],
  DeleteWorkerDeploymentVersion: [...USUAL, "FAILED_PRECONDITION"],
  ListWorkerDeployments: ["OK", "NOT_FOUND"],
  SetWorkerDeploymentCurrentVersion: [...USUAL, "FAILED_PRECONDITION"],
  SetWorkerDeploymentManager: [...USUAL, "FAILED_PRECONDITION"],
  SetWorkerDeploymentRampingVersion: [...USUAL, "FAILED_PRECONDITION"],
  DescribeDeployment: ["UNIMPLEMENTED"],
  DescribeWorker: ["OK", "NOT_FOUND"],
  GetCurrentDeployment: ["UNIMPLEMENTED"],
  GetDeploymentReachability: ["UNIMPLEMENTED"],
  ListDeployments: ["UNIMPLEMENTED"],
  SetCurrentDeployment: ["UNIMPLEMENTED"],
  UpdateWorkerBuildIdCompatibility: [...USUAL, "FAILED_PRECONDITION"],
  UpdateWorkerVersioningRules: [...USUAL, "FAILED_PRECONDITION", "ALREADY_EXISTS"],
  ListTaskQueuePartitions: ["OK", "INVALID_ARGUMENT"],
  QueryWorkflow: [...USUAL, "FAILED_PRECONDITION"],
  RecordWorkerHeartbeat: ["OK", "NOT_FOUND"],
  RegisterNamespace: ["OK", "INVALID_ARGUMENT", "ALREADY_EXISTS"],
  RemoveRemoteCluster: ["NOT_FOUND", "INTERNAL"],
  RemoveSearchAttributes: ["OK", "INVALID_ARGUMENT"],
  ShutdownWorker: ["OK", "NOT_FOUND"],
  SignalWithStartWorkflowExecution: [...USUAL, "ALREADY_EXISTS"],
  StartBatchOperation: [...USUAL, "ALREADY_EXISTS"],
  StartWorkflowExecution: [...USUAL, "ALREADY_EXISTS"],
  UpdateWorkflowExecution: [...USUAL, "FAILED_PRECONDITION", "PERMISSION_DENIED"],
  UpdateNexusEndpoint: [...USUAL, "FAILED_PRECONDITION"],
};
const EXEMPT: ReadonlySet<string> = new Set([
  // The official server keeps such a configuration only with a controller that knows a cloud.
  "UpdateWorkerDeploymentVersionComputeConfig",
  "ValidateWorkerDeploymentVersionComputeConfig",
  // Refused by the official server.
  "FetchWorkerConfig",
  "UpdateWorkerConfig",
  "TriggerWorkflowRule",
]);

/** Subject ("rpc X", "command Y", "event Z") to the outcomes that scripts must show. */
export function required(commands: readonly string[], events: readonly string[]): Map<string, readonly string[]> {
  const out = new Map<string, readonly string[]>();
  const table = methodTable(new Proxy({}, { get: () => new Proxy({}, { get: () => () => undefined }) }) as never);
  for (const service of [WorkflowService, OperatorService])
    for (const { name, path } of Object.values(service.methods))
      if (table.get(path)?.handler !== undefined && !EXEMPT.has(name)) out.set(`rpc ${name}`, OUTCOMES[name] ?? USUAL);
  for (const name of commands) out.set(`command ${name}`, ["OK", "refused"]);
  for (const name of events) out.set(`event ${name}`, ["OK"]);
  return out;
}

/** Subject and outcome to the scripts that show it, as `file: script`. */
export function shownBy(records: ReadonlyMap<string, Recorded>): Map<string, Map<string, string[]>> {
  const out = new Map<string, Map<string, string[]>>();
  for (const [file, recorded] of records)
    for (const [script, { coverage }] of Object.entries(recorded.scripts))
      for (const [subject, outcomes] of Object.entries(coverage)) {
        const bySubject = out.get(subject) ?? new Map<string, string[]>();
        out.set(subject, bySubject);
        for (const outcome of outcomes) bySubject.set(outcome, [...(bySubject.get(outcome) ?? []), `${file}: ${script}`]);
      }
  return out;
}

/** What the API can do, and the scripts that show it; or where it is shown, when no script can: the official server has no such thing, or a script no such means. */
export const CAPABILITIES: Readonly<Record<string, RegExp | string>> = {
  "updates: stages, deduplication, rejection": /^updates: /,
  "update with start": /^update-with-start: /,
  "callbacks of updates": /^updates: .*callbacks/,
  reset: /^reset: /,
  "pause of workflows": /^pause: /,
  "pause and reset of activities, other options": /^operators: /,
  "options of workflows": /^options: /,
  "workflow rules": /^rules: /,
  schedules: /^schedules: /,
  "Nexus operations of workflows": /^nexus: /,
  "standalone Nexus operations": /^nexus-operations: /,
  "Nexus over HTTP, external endpoints": "test/nexus/doors.test.ts",
  "standalone activities": /^activity-executions: /,
  "callbacks of standalone activities": /^activity-callbacks: /,
  "worker deployments": /^worker-deployments: /,
  "tasks of versions": /^versioned-(tasks|nexus): /,
  "version sets and rules": /^build-ids: /,
  "priority and fairness": /^task-queues: .*(priority|weights|starves|handed down)/,
  "rates and configuration of queues": /^task-queues: .*(configuration|rate)/,
  "queues described": /^task-queues: .*(stats|described|status)/,
  "task reachability": /^build-ids: .*reachability/,
  "workers listed, counted and described": /^worker-registry: /,
  "configuration of workers": "test/restart/task-queues.test.ts",
  "commands for workers": /^worker-commands: /,
  "shutdown of workers": /^worker-registry: polls end/,
  "batch: signal": /^batches: signals/,
  "batch: cancel": /^batches: cancellation/,
  "batch: terminate": /^batches: termination/,
  "batch: delete": /^batches: deletion/,
  "batch: reset": /^batches: .*resets?/,
  "batch: options of workflows": /^batches: options of workflows/,
  "batch: unpause activities": /^batches: activities that were paused/,
  "batch: reset activities": /^batches: activities are reset/,
  "batch: options of activities": /^batches: options of activities/,
  "batch: standalone activities": /^batches: standalone/,
  "batch: stop": /^batches: .*stopped/,
  "batch: resume after a restart": "test/batch/batch.test.ts",
  "completion callbacks": /^nexus: .*callback/,
  links: /^(links|activity-executions): .*(links|signal)/,
  "user metadata": /^links: user metadata/,
  "eager start": /^starts: an eager start/,
  "eager activities": /^(links: activities started|worker-commands: .*eager)/,
  "completion in pages": /^completion-pages: /,
  "request-id infos": /^(starts: an existing run is used, and told|links: )/,
  "what a namespace advertises": /^server: a namespace from its beginning/,
  "deletion of namespaces": /^namespaces: .*delet/,
  "retention that deletes": "test/namespaces/nothing-left.test.ts",
  "search attributes: removal": /^namespaces: an attribute that is removed/,
  "remote clusters listed": /^namespaces: remote clusters/,
  archival: "test/archival/archival.test.ts",
  "time skipping of executions": /^time-skipping: /,
  TestService: "test/time-skipping/test-service.test.ts",
  "queries of lists, groups of counts": /^lists: /,
  "ORDER BY and GROUP BY on anything": "test/visibility/visibility.test.ts",
};
