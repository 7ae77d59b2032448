/** The inputs that a standalone activity takes: calls, tasks of workers, its deadlines. Each ends in one transition of one run. */
import { ActivityExecutionRecord, ActivityRecord, ActivityRequestRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { Link } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { ActivityIdConflictPolicy, ActivityIdReusePolicy } from "../../../gen/wire/temporal/api/enums/v1/activity.js";
import { ActivityExecutionAlreadyStartedFailure } from "../../../gen/wire/temporal/api/errordetails/v1/message.js";
import type { StartActivityExecutionRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { Code, detail, failedPrecondition, ServiceError } from "../../api/service-error.js";
import { durationMicros } from "../../api/time.js";
import { addressing, applyToComponent, type ComponentHandlers, remove } from "../component.js";
import { Archetype, type ExecutionChain } from "../execution.js";
import type { Env, ExecutionAddress, InputKind, InputOf } from "../input.js";
import type { Outcome, Replies } from "../transition.js";
import { clockIdOf, dueNow, REAL_CLOCK, realNow } from "../workflow/execution-clock.js";
import { ActivityDraft, ActivityState, Status } from "./activity-state.js";
import { attachCallbacks, callbackCall, callbackDelivered, fireCallbacksDue } from "./callbacks.js";
import { activityRow, describe, outcomeOf } from "./describe.js";
import * as lifecycle from "./lifecycle.js";
import * as operator from "./operator.js";
import { optionsOfStart, setOptions } from "./options.js";

type Context = lifecycle.Context;

const { open, existing, remaining, ...addressed } = addressing<ActivityState, ActivityDraft>(
  (state) => new ActivityDraft(state, false),
  lifecycle.activityNotFound,
);

function alreadyStarted(state: ActivityState): ServiceError {
  const { startRequestId, runId } = state.info;
  return new ServiceError(Code.ALREADY_EXISTS, "activity execution already started", [
    detail(ActivityExecutionAlreadyStartedFailure, { startRequestId, runId }),
  ]);
}

function start(ctx: Context, address: ExecutionAddress, { request }: InputOf<"startActivityExecution">): Replies["startActivityExecution"] {
  const current = ctx.addressed(address) as ActivityState | undefined;
  if (current !== undefined && mayStay(current, request)) {
    const { attachCompletionCallbacks = false, attachLinks: attachesLinks = false } = request.onConflictOptions ?? {};
    if (attachCompletionCallbacks || attachesLinks) {
      const draft = open(ctx, current);
      if (attachCompletionCallbacks) attachCallbacks(draft, request, ctx.env);
      if (attachesLinks) attachLinks(draft, request, ctx.env);
    }
    return { runId: current.info.runId, started: false };
  }
  const { env } = ctx;
  const info = ActivityExecutionRecord.create({
    recordVersion: 1,
    archetype: Archetype.ACTIVITY,
    namespaceId: env.namespace.id,
    workflowId: request.activityId,
    runId: env.newRunId,
    startRequestId: request.requestId,
    status: Status.SCHEDULED,
    activity: ActivityRecord.create({
      activityId: request.activityId,
      activityType: request.activityType?.name ?? "",
      scheduledTime: env.now,
      firstScheduledTime: env.now,
      attempt: 1,
      stamp: 1,
    }),
  });
  const asked = ActivityRequestRecord.create({
    input: request.input,
    header: request.header,
    userMetadata: request.userMetadata,
    searchAttributes: request.searchAttributes,
    options: optionsOfStart(request),
    links: [],
  });
  const draft = new ActivityDraft(new ActivityState(env.newKey, info, asked, undefined), true);
  ctx.drafts.push(draft);
  setOptions(draft, optionsOfStart(request));
  attachCallbacks(draft, request, env);
  if (request.links.length > 0) attachLinks(draft, request, env);
  lifecycle.schedule(ctx, draft, env.now + durationMicros(request.startDelay));
  draft.isChanged = true;
  draft.isShownChanged = true;
  return { runId: info.runId, started: true };
}

/** Whether the run that has the id answers the request; false: another one may begin. */
function mayStay(current: ActivityState, request: StartActivityExecutionRequest): boolean {
  if (current.info.startRequestId === request.requestId) return true;
  if (current.isOpen) {
    if (request.idConflictPolicy === ActivityIdConflictPolicy.USE_EXISTING) return true;
    throw alreadyStarted(current);
  }
  const isAllowed =
    request.idReusePolicy === ActivityIdReusePolicy.ALLOW_DUPLICATE ||
    (request.idReusePolicy === ActivityIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY && current.info.status !== Status.COMPLETED);
  if (!isAllowed) throw alreadyStarted(current);
  return false;
}

function attachLinks(draft: ActivityDraft, { links, requestId }: StartActivityExecutionRequest, env: Env): void {
  const { request } = draft;
  if (links.length === 0 || request.links.some((l) => l.requestId === requestId)) return;
  if (!draft.isOpen) throw failedPrecondition("cannot attach links to a closed activity");
  const max = env.config.limits.linksPerExecutionMax;
  const count = request.links.reduce((n, l) => n + l.links.length, 0);
  if (count + links.length > max) throw failedPrecondition(`cannot attach more than ${max} links to an activity (${count} links already attached)`);
  draft.request = ActivityRequestRecord.copy(request, { links: [...request.links, { requestId, links: links as Link[] }] });
  draft.dirty = true;
  draft.isChanged = true;
}

const HANDLERS: ComponentHandlers<ActivityDraft> = {
  startActivityExecution: start,
  describeActivityExecution: (ctx, address, { request, since }) => {
    const draft = existing(ctx, address);
    const { info } = draft;
    const isKnown = since !== undefined && info.stateTransitionCount <= since;
    return {
      key: draft.key,
      changes: info.stateTransitionCount,
      isOpen: draft.isOpen,
      runId: info.runId,
      response: isKnown ? undefined : describe(draft, request, ctx.env.namespace, ctx.env.now),
    };
  },
  activityOutcome: (ctx, address) => {
    const draft = existing(ctx, address);
    const { runId, stateTransitionCount } = draft.info;
    return { key: draft.key, changes: stateTransitionCount, isOpen: draft.isOpen, runId, outcome: outcomeOf(draft) };
  },
  requestCancelActivityExecution: (ctx, address, input) => {
    lifecycle.requestCancel(ctx, existing(ctx, address), input);
    return undefined;
  },
  terminateActivityExecution: (ctx, address, input) => {
    const draft = existing(ctx, address);
    lifecycle.terminate(ctx, draft, input);
    return { runId: draft.info.runId };
  },
  pauseActivityExecution: (ctx, address, input) => {
    operator.pause(ctx, existing(ctx, address), input);
    return undefined;
  },
  unpauseActivityExecution: (ctx, address, input) => {
    operator.unpause(ctx, existing(ctx, address), input);
    return undefined;
  },
  resetActivityExecution: (ctx, address, input) => {
    operator.reset(ctx, existing(ctx, address), input);
    return undefined;
  },
  updateActivityExecutionOptions: (ctx, address, input) => operator.updateOptions(ctx, existing(ctx, address), input),
  startActivity: (ctx, address, input) => lifecycle.startAttempt(ctx, remaining(ctx, address), input),
  heartbeatActivity: (ctx, address, input) => lifecycle.heartbeat(ctx, existing(ctx, address), input),
  completeActivity: (ctx, address, input) => {
    lifecycle.complete(ctx, existing(ctx, address), input);
    return {};
  },
  failActivity: (ctx, address, input) => {
    lifecycle.fail(ctx, existing(ctx, address), input);
    return undefined;
  },
  cancelActivity: (ctx, address, input) => {
    lifecycle.cancelByWorker(ctx, existing(ctx, address), input);
    return undefined;
  },
  undelivered: (ctx, address, input) => {
    lifecycle.undelivered(ctx, remaining(ctx, address), input.nonce);
    return undefined;
  },
  delete: addressed.delete,
  due: (ctx, address) => {
    const draft = remaining(ctx, address);
    const { info } = draft;
    if (!draft.isOpen && info.deleteAt <= realNow(ctx.env)) remove(draft);
    else if (draft.isOpen) lifecycle.fireDue(ctx, draft);
    else fireCallbacksDue(ctx, draft);
    return undefined;
  },
  callbackCall: (ctx, address, input) => callbackCall(ctx, remaining(ctx, address), input),
  callbackDelivered: (ctx, address, input) => {
    callbackDelivered(ctx, remaining(ctx, address), input);
    return undefined;
  },
};

/** Ends the transition: the due row is moved when it has to be, and what lists show is written with it. */
function finish(ctx: Context, draft: ActivityDraft, kind: InputKind): void {
  if (draft.removed) return;
  const { info, base } = draft;
  const fired = kind === "due" && base.info.due > 0 && base.info.due <= dueNow(ctx.env, base.info.dueClock);
  if (!draft.dirty && !fired) return;
  if (draft.isChanged) info.stateTransitionCount++;
  const hasClosed = !draft.isOpen && (draft.isNew || base.isOpen);
  const earliest = lifecycle.earliestDeadline(draft);
  // The row is a lower bound: one that is too early is moved when it fires.
  if (fired || hasClosed || (earliest > 0 && (info.due === 0 || earliest < info.due))) info.due = earliest;
  info.dueClock = info.due === 0 || !draft.isOpen ? REAL_CLOCK : clockIdOf(ctx.env);
  if (info.due !== base.info.due || info.dueClock !== base.info.dueClock) draft.dirty = true;
  if (draft.isShownChanged) draft.visibility = activityRow(draft, ctx.env.namespace);
}

export function applyToActivity<K extends InputKind>(
  ...all: readonly [chain: ExecutionChain, address: ExecutionAddress, input: InputOf<K>, env: Env]
): Outcome<K> {
  return applyToComponent("an activity", HANDLERS, finish, all);
}
