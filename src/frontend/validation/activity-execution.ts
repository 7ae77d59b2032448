/** What requests to standalone activities must say (chasm/lib/activity/validator.go), and what is filled in. */
import { ScheduleActivityTaskCommandAttributes } from "../../../gen/wire/temporal/api/command/v1/message.js";
import { Payload } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { ActivityIdConflictPolicy, ActivityIdReusePolicy } from "../../../gen/wire/temporal/api/enums/v1/activity.js";
import type {
  StartActivityExecutionRequest,
  UpdateActivityExecutionOptionsRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { invalidArgument } from "../../api/service-error.js";
import { cappedMicros, duration, durationMicros, durationProblem } from "../../api/time.js";
import { encode } from "../../api/wire.js";
import { normalizeActivity, priorityProblem } from "../../core/activity/validator.js";
import { fieldPaths } from "../../core/workflow/field-mask.js";
import { retryPolicyProblem, withRetryDefaults } from "../../core/workflow/retry-and-cron.js";
import { isUuid, uuidV4 } from "../../lib/uuid.js";
import type { Services } from "../services.js";
import { validateCallbacks } from "./callbacks.js";
import { isLongerThan } from "./execution.js";
import { validateLinks } from "./links.js";
import { isBlobAllowed } from "./size.js";
import { validateUserTaskQueue } from "./task-queue.js";

function tooLong(what: string, text: string, max: number): void {
  if (isLongerThan(text, max)) throw invalidArgument(`${what} exceeds length limit. Length=${Buffer.byteLength(text)} Limit=${max}`);
}

export function validateActivityId(activityId: string, max: number): void {
  if (activityId === "") throw invalidArgument("activity ID is required");
  tooLong("activity ID", activityId, max);
}

export function validateRunId(runId: string): void {
  if (runId !== "" && !isUuid(runId)) throw invalidArgument("invalid run id: must be a valid UUID");
}

export function requestIdOf(s: Services, requestId: string, max: number): string {
  if (requestId === "") return uuidV4(s.runtime.randomBytes16());
  tooLong("request ID", requestId, max);
  return requestId;
}

interface Change {
  namespace: string;
  activityId: string;
  runId: string;
  identity: string;
  requestId: string;
}

/** What the calls have in common that change an activity. Where the request id stands in the line differs. */
export function validateChange(s: Services, request: Change, isIdFirst: boolean): void {
  const max = s.limits(request.namespace).idLengthMax;
  if (!isIdFirst) request.requestId = requestIdOf(s, request.requestId, max);
  validateActivityId(request.activityId, max);
  if (isIdFirst) request.requestId = requestIdOf(s, request.requestId, max);
  tooLong("identity", request.identity, max);
  validateRunId(request.runId);
}

export function validateReason(s: Services, { namespace, activityId, runId, reason }: Change & { reason: string }, operation: string): void {
  const size = { logger: s.logger, limits: s.limits(namespace), operation, namespace, workflowId: activityId, runId };
  if (!isBlobAllowed(Buffer.byteLength(reason), size)) throw invalidArgument("reason exceeds length limit");
}

export function validateJitter(jitter: Parameters<typeof durationProblem>[0]): void {
  const problem = durationProblem(jitter);
  if (problem !== undefined) throw invalidArgument(`invalid jitter: ${problem}`);
}

/** In the order of the official server: which error a request with several faults gets depends on it. */
export function validateActivityStart(s: Services, r: StartActivityExecutionRequest): void {
  const limits = s.limits(r.namespace);
  const max = limits.idLengthMax;
  if (r.requestId === "") r.requestId = uuidV4(s.runtime.randomBytes16());
  const badDelay = durationProblem(r.startDelay);
  if (badDelay !== undefined) throw invalidArgument(`invalid StartDelay: ${badDelay}`);
  if (durationMicros(r.startDelay) > 0 && !limits.isActivityStartDelayEnabled) throw invalidArgument("start_delay is not enabled for this namespace");
  if (r.startDelay !== undefined) r.startDelay = duration(cappedMicros(r.startDelay));
  r.taskQueue = validateUserTaskQueue(r.taskQueue, max);
  const { activityId, activityType, taskQueue, scheduleToCloseTimeout, scheduleToStartTimeout, startToCloseTimeout, heartbeatTimeout } = r;
  const normal = normalizeActivity(
    ScheduleActivityTaskCommandAttributes.create({
      activityId,
      activityType,
      taskQueue,
      scheduleToCloseTimeout,
      scheduleToStartTimeout,
      startToCloseTimeout,
      heartbeatTimeout,
      retryPolicy: r.retryPolicy,
      priority: r.priority,
    }),
    0,
    taskQueue.name,
    limits,
  );
  if (normal.error !== undefined) throw normal.error;
  const n = normal.options;
  r.scheduleToCloseTimeout = duration(n.scheduleToClose);
  r.scheduleToStartTimeout = duration(n.scheduleToStart);
  r.startToCloseTimeout = duration(n.startToClose);
  r.heartbeatTimeout = duration(n.heartbeat);
  r.retryPolicy = n.retryPolicy;

  tooLong("request ID", r.requestId, max);
  tooLong("identity", r.identity, max);
  if (r.idReusePolicy === ActivityIdReusePolicy.UNSPECIFIED) r.idReusePolicy = ActivityIdReusePolicy.ALLOW_DUPLICATE;
  if (r.idConflictPolicy === ActivityIdConflictPolicy.UNSPECIFIED) r.idConflictPolicy = ActivityIdConflictPolicy.FAIL;
  const size = { logger: s.logger, limits, operation: "StartActivityExecution", namespace: r.namespace, workflowId: activityId, runId: "" };
  if (r.input !== undefined && !isBlobAllowed(r.input.length, size)) throw invalidArgument("input exceeds length limit");
  validateUserMetadata(s, r);
  const namespace = s.namespaces.view(r.namespace);
  if (r.searchAttributes !== undefined) s.searchAttributes.validate(r.searchAttributes, namespace);
  if (r.completionCallbacks.length > 0 && !limits.areActivityCallbacksEnabled)
    throw invalidArgument("completion callbacks are not enabled for this namespace");
  validateCallbacks(r.completionCallbacks, limits);
  validateLinks(r.links, limits.linksPerRequestMax, limits.linkSizeMax);
  const options = r.onConflictOptions;
  if (options?.attachCompletionCallbacks === true && !options.attachRequestId)
    throw invalidArgument("on_conflict_options: attach_completion_callbacks requires attach_request_id to be set");
  if (options?.attachRequestId === true && r.links.length === 0 && r.completionCallbacks.length === 0)
    throw invalidArgument("on_conflict_options: attach_request_id requires at least one completion callback or link");
  if (ActivityIdReusePolicy[r.idReusePolicy] === undefined) throw invalidArgument(`unsupported ID reuse policy: ${r.idReusePolicy}`);
  if (ActivityIdConflictPolicy[r.idConflictPolicy] === undefined) throw invalidArgument(`unsupported ID conflict policy: ${r.idConflictPolicy}`);
}

function validateUserMetadata(s: Services, { namespace, userMetadata }: StartActivityExecutionRequest): void {
  const limits = s.limits(namespace);
  for (const [name, payload, max] of [
    ["summary", userMetadata?.summary, limits.userMetadataSummaryMax],
    ["details", userMetadata?.details, limits.userMetadataDetailsMax],
  ] as const) {
    const size = payload === undefined ? 0 : payload instanceof Uint8Array ? payload.length : encode(Payload, payload as never).length;
    if (size > max) throw invalidArgument(`user_metadata.${name} exceeds size limit. Length=${size} Limit=${max}`);
  }
}

const TIMEOUTS = ["scheduleToCloseTimeout", "scheduleToStartTimeout", "startToCloseTimeout", "heartbeatTimeout"] as const;
/** What an update may name. */
const PATHS: ReadonlySet<string> = new Set([
  "taskQueue.name",
  ...TIMEOUTS,
  ...["priority", "priority.priorityKey", "priority.fairnessKey", "priority.fairnessWeight"],
  ...["retryPolicy", "retryPolicy.initialInterval", "retryPolicy.backoffCoefficient", "retryPolicy.maximumInterval", "retryPolicy.maximumAttempts"],
  "startDelay",
]);

export function validateOptionsUpdate(s: Services, r: UpdateActivityExecutionOptionsRequest): void {
  validateChange(s, r, false);
  const paths = r.updateMask?.paths ?? [];
  if (paths.length > 0 && r.restoreOriginal) throw invalidArgument("Both UpdateMask and RestoreOriginal are provided");
  if (r.restoreOriginal) return;
  const o = r.activityOptions;
  if (o === undefined) throw invalidArgument("ActivityOptions are not provided");
  if (r.updateMask === undefined) throw invalidArgument("UpdateMask is not provided");
  if (paths.length === 0) throw invalidArgument("UpdateMask must specify at least one path");
  for (const path of paths)
    if (![...fieldPaths([path])].every((p) => PATHS.has(p))) throw invalidArgument(`unsupported update_mask path: ${JSON.stringify(path)}`);
  const mask = fieldPaths(paths);
  if (mask.has("taskQueue.name")) validateUserTaskQueue(o.taskQueue, s.limits(r.namespace).idLengthMax);
  for (const name of TIMEOUTS) {
    const problem = mask.has(name) ? durationProblem(o[name]) : undefined;
    if (problem !== undefined) throw invalidArgument(`invalid ${name.charAt(0).toUpperCase()}${name.slice(1)}: ${problem}`);
  }
  if (o.priority !== undefined) {
    const { priorityKey, fairnessKey, fairnessWeight } = o.priority;
    const named = (name: string) => mask.has("priority") || mask.has(`priority.${name}`);
    const problem = priorityProblem({
      priorityKey: named("priorityKey") ? priorityKey : 0,
      fairnessKey: named("fairnessKey") ? fairnessKey : "",
      fairnessWeight: named("fairnessWeight") ? fairnessWeight : 0,
    });
    if (problem !== undefined) throw invalidArgument(problem);
  }
  if (mask.has("retryPolicy")) {
    o.retryPolicy = withRetryDefaults(o.retryPolicy, s.limits(r.namespace).activityRetry);
    const problem = retryPolicyProblem(o.retryPolicy);
    if (problem !== undefined) throw problem;
  }
  const policy = o.retryPolicy;
  for (const [name, value] of [
    ["InitialInterval", policy?.initialInterval],
    ["MaximumInterval", policy?.maximumInterval],
  ] as const) {
    const problem = mask.has(`retryPolicy.${name.charAt(0).toLowerCase()}${name.slice(1)}`) ? durationProblem(value) : undefined;
    if (problem !== undefined) throw invalidArgument(`invalid ${name} set on retry policy: ${problem}`);
  }
  if (mask.has("retryPolicy.backoffCoefficient") && (policy?.backoffCoefficient ?? 0) < 1)
    throw invalidArgument("BackoffCoefficient cannot be less than 1 on retry policy.");
  if (mask.has("retryPolicy.maximumAttempts") && (policy?.maximumAttempts ?? 0) < 0)
    throw invalidArgument("MaximumAttempts cannot be negative on retry policy.");
}
