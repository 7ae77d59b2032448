/**
 * The rate limits as data: for each what it counts, by whom, how many and in what time. The settings say how many (0 is no limit);
 * who is over gets the text and scope here. Rules of the API reference and the official server's stand side by side.
 */
import { ResourceExhaustedScope } from "../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import type { Method } from "../api/call.js";
import type { PrincipalKind } from "../api/identity.js";
import type { Limits } from "../config/limits.js";

/** What there is to know of a call. */
export interface Facts {
  readonly method: Method;
  readonly namespace: string;
  readonly taskQueue: string;
  /** Authenticated subject, else address. */
  readonly client: string;
  /** Of the subject; empty for an address. */
  readonly kind: PrincipalKind | "";
}

export interface Rule {
  readonly name: string;
  /** Calls in a window. */
  readonly limit: number;
  readonly windowMs: number;
  /** Of what the bucket holds to what comes back in a window. */
  readonly burst: number;
  /** Whom the call counts for; undefined: the rule is not about it. Names the scope in answers. */
  readonly scopeOf: (facts: Facts) => string | undefined;
  readonly text: (facts: Facts) => string;
  readonly scope: ResourceExhaustedScope;
  /** Calls of all kinds share it, in the order of their priorities. */
  readonly isShared: boolean;
  /** Whether a call that came to nothing counts. */
  readonly countsReply?: (reply: unknown) => boolean;
  /** The call itself takes nothing: what it leads to is charged later. */
  readonly isChargedLater?: boolean;
}

const SECOND = 1_000;
const MINUTE = 60_000;

const STARTS: ReadonlySet<string> = new Set(["StartWorkflowExecution", "SignalWithStartWorkflowExecution", "ExecuteMultiOperation"]);
const HEARTBEATS: ReadonlySet<string> = new Set(["RecordActivityTaskHeartbeat", "RecordActivityTaskHeartbeatById"]);
const TASK_QUEUE_CALLS: ReadonlySet<string> = new Set([
  "PollWorkflowTaskQueue",
  "PollActivityTaskQueue",
  "PollNexusTaskQueue",
  "DescribeTaskQueue",
  "ListTaskQueuePartitions",
  "UpdateTaskQueueConfig",
]);
/** Calls that lead to new events. Answers of workers do too, and are let in: refused, they would be done again. */
const NEW_EVENTS: ReadonlySet<string> = new Set(["workflow.start", "workflow.signal", "workflow.cancel"]);
/** As the official server routes them (service/frontend/configs/quotas.go). */
const REPLICATED: ReadonlySet<string> = new Set([
  "RegisterNamespace",
  "UpdateNamespace",
  "UpdateWorkerBuildIdCompatibility",
  "UpdateWorkerVersioningRules",
  "SetWorkerDeploymentCurrentVersion",
  "SetWorkerDeploymentRampingVersion",
  "DeleteWorkerDeploymentVersion",
  "UpdateTaskQueueConfig",
]);
const isCloud = ({ action }: Method): boolean => action !== undefined;
const PEOPLE: ReadonlySet<string> = new Set<PrincipalKind>(["user", "token"]);
const MACHINES: ReadonlySet<string> = new Set<PrincipalKind>(["service-account", "key", "certificate"]);
const isVisibility = ({ permission, name }: Method): boolean => permission === "workflow.list" || name === "GetWorkerTaskReachability";

const NAMESPACE = ResourceExhaustedScope.NAMESPACE;
const SYSTEM = ResourceExhaustedScope.SYSTEM;
const ofNamespace = ({ namespace }: Facts): string | undefined => (namespace === "" ? undefined : `namespace:${namespace}`);
const ofClient = ({ client }: Facts): string => `client:${client}`;
const overNamespace = ({ namespace }: Facts): string => `Rate limit exceeded for namespace '${namespace}'`;
const overClient = ({ client }: Facts): string => `Rate limit exceeded for client '${client}'`;

/** Those that are on. */
export function rulesOf(l: Limits): readonly Rule[] {
  const namespaceRps = l.globalNamespaceRps > 0 ? l.globalNamespaceRps : l.namespaceRps;
  const all: Rule[] = [
    {
      ...{ name: "API requests", limit: l.clusterCallsPerMinute, windowMs: MINUTE, burst: 1, scope: SYSTEM, isShared: true },
      scopeOf: () => "cluster",
      text: () => "Rate limit exceeded for the cluster",
    },
    {
      ...{ name: "workflow starts", limit: l.workflowStartsPerMinute, windowMs: MINUTE, burst: 1, scope: NAMESPACE, isShared: false },
      scopeOf: (f) => (STARTS.has(f.method.name) ? ofNamespace(f) : undefined),
      text: overNamespace,
    },
    {
      ...{ name: "activity executions", limit: l.activityExecutionsPerMinute, windowMs: MINUTE, burst: 1, scope: NAMESPACE, isShared: false },
      scopeOf: (f) => (f.method.name === "PollActivityTaskQueue" ? ofNamespace(f) : undefined),
      text: overNamespace,
      countsReply: (reply) => ((reply as { taskToken?: Uint8Array }).taskToken?.length ?? 0) > 0,
    },
    {
      ...{ name: "task queue operations", limit: l.taskQueueCallsPerMinute, windowMs: MINUTE, burst: 1, scope: NAMESPACE, isShared: false },
      scopeOf: (f) => (f.taskQueue !== "" && TASK_QUEUE_CALLS.has(f.method.name) ? `task-queue:${f.namespace}/${f.taskQueue}` : undefined),
      text: ({ taskQueue }) => `Rate limit exceeded for task queue '${taskQueue}'`,
    },
    {
      ...{ name: HISTORY_EVENTS, limit: l.historyEventsPerMinute, windowMs: MINUTE, burst: 1, scope: NAMESPACE, isShared: false },
      scopeOf: (f) => (NEW_EVENTS.has(f.method.permission) || f.method.name === "PollWorkflowTaskQueue" ? ofNamespace(f) : undefined),
      text: overNamespace,
      isChargedLater: true,
    },
    {
      ...{ name: "API calls", limit: l.clientCallsPerSecond, windowMs: SECOND, burst: 1, scope: SYSTEM, isShared: true },
      scopeOf: ofClient,
      text: overClient,
    },
    {
      ...{ name: "heartbeats", limit: l.clientHeartbeatsPerMinute, windowMs: MINUTE, burst: 1, scope: SYSTEM, isShared: false },
      scopeOf: (f) => (HEARTBEATS.has(f.method.name) ? ofClient(f) : undefined),
      text: overClient,
    },
    {
      ...{ name: "frontend.rps", limit: l.frontendRps, windowMs: SECOND, burst: 1, scope: SYSTEM, isShared: true },
      scopeOf: () => "cluster",
      text: () => "service rate limit exceeded",
    },
    {
      ...{ name: "frontend.namespaceRPS", limit: namespaceRps, windowMs: SECOND, burst: l.namespaceBurstRatio, scope: NAMESPACE, isShared: true },
      scopeOf: (f) => (isVisibility(f.method) || REPLICATED.has(f.method.name) ? undefined : ofNamespace(f)),
      text: () => "namespace rate limit exceeded",
    },
    {
      ...{ name: "frontend.namespaceRPS.visibility", limit: l.namespaceVisibilityRps, windowMs: SECOND, burst: l.namespaceVisibilityBurstRatio },
      ...{ scope: NAMESPACE, isShared: false },
      scopeOf: (f) => (isVisibility(f.method) ? ofNamespace(f) : undefined),
      text: () => "namespace rate limit exceeded",
    },
    {
      ...{ name: "frontend.namespaceRPS.namespaceReplicationInducingAPIs", limit: l.namespaceReplicationRps, windowMs: SECOND },
      ...{ burst: l.namespaceReplicationBurst, scope: NAMESPACE, isShared: false },
      scopeOf: (f) => (REPLICATED.has(f.method.name) ? ofNamespace(f) : undefined),
      text: () => "namespace rate limit exceeded",
    },
    {
      ...{ name: "frontend.rps.namespaceReplicationInducingAPIs", limit: l.replicationRps, windowMs: SECOND, burst: 1, scope: SYSTEM },
      isShared: false,
      scopeOf: (f) => (REPLICATED.has(f.method.name) ? "cluster" : undefined),
      text: () => "service rate limit exceeded",
    },
  ];
  const ofCloud = { windowMs: SECOND, burst: 1, scope: SYSTEM, isShared: false };
  all.push(
    {
      ...{ ...ofCloud, name: "cloud.accountRPS", limit: Math.min(l.cloudAccountCallsPerSecond, CLOUD_ACCOUNT_MAX) },
      scopeOf: (f) => (isCloud(f.method) ? "account" : undefined),
      text: () => "Rate limit exceeded for the account",
    },
    {
      ...{ ...ofCloud, name: "cloud.userRPS", limit: l.cloudUserCallsPerSecond },
      scopeOf: (f) => (isCloud(f.method) && PEOPLE.has(f.kind) ? `user:${f.client}` : undefined),
      text: ({ client }) => `Rate limit exceeded for user '${client}'`,
    },
    {
      ...{ ...ofCloud, name: "cloud.serviceAccountRPS", limit: l.cloudServiceAccountCallsPerSecond },
      scopeOf: (f) => (isCloud(f.method) && MACHINES.has(f.kind) ? `service-account:${f.client}` : undefined),
      text: ({ client }) => `Rate limit exceeded for service account '${client}'`,
    },
  );
  return all.filter((r) => r.limit > 0);
}

/** Who has a higher limit asks for it, and gets no more than this. */
const CLOUD_ACCOUNT_MAX = 160;

export const HISTORY_EVENTS = "history events";
export const isStart = (method: Method): boolean => STARTS.has(method.name);
