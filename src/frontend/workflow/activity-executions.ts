/**
 * Standalone activities: checks, then one input to the activity. Two calls wait: for its outcome, and for the next change of what a
 * describe has shown. Lists are queries over their division of visibility. Workers poll and answer as they do for any activity.
 */

import type { ActivityExecutionListInfo } from "../../../gen/wire/temporal/api/activity/v1/message.js";
import { SearchAttributes } from "../../../gen/wire/temporal/api/common/v1/message.js";
import {
  type CountActivityExecutionsRequest,
  type CountActivityExecutionsResponse,
  type DeleteActivityExecutionRequest,
  type DeleteActivityExecutionResponse,
  type DescribeActivityExecutionRequest,
  type DescribeActivityExecutionResponse,
  type ListActivityExecutionsRequest,
  type ListActivityExecutionsResponse,
  type PauseActivityExecutionRequest,
  type PauseActivityExecutionResponse,
  PauseActivityRequest,
  type PollActivityExecutionRequest,
  type PollActivityExecutionResponse,
  type RequestCancelActivityExecutionRequest,
  type RequestCancelActivityExecutionResponse,
  type ResetActivityExecutionRequest,
  type ResetActivityExecutionResponse,
  ResetActivityRequest,
  type StartActivityExecutionRequest,
  type StartActivityExecutionResponse,
  type TerminateActivityExecutionRequest,
  type TerminateActivityExecutionResponse,
  type UnpauseActivityExecutionRequest,
  type UnpauseActivityExecutionResponse,
  UnpauseActivityRequest,
  type UpdateActivityExecutionOptionsRequest,
  type UpdateActivityExecutionOptionsResponse,
  UpdateActivityOptionsRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call, Handler } from "../../api/call.js";
import { Code, invalidArgument, ServiceError, unimplemented } from "../../api/service-error.js";
import { decodeTaskToken, encodeTaskToken } from "../../api/task-token.js";
import { duration, timestamp } from "../../api/time.js";
import { decode, type Init } from "../../api/wire.js";
import { statusOfRow } from "../../core/activity-execution/describe.js";
import { Archetype } from "../../core/execution.js";
import type { ExecutionAddress } from "../../core/input.js";
import type { NamespaceView } from "../../core/namespace-view.js";
import { ACTIVITY_COLUMNS, ACTIVITY_DIVISION } from "../../core/visibility/attributes.js";
import type { QueryScope } from "../../core/visibility/resolve.js";
import type { VisibilityRow } from "../../core/visibility/row.js";
import { withRegisteredTypes } from "../../core/visibility/search-attributes.js";
import { lookUntil } from "../long-poll.js";
import { remainingMs, type Services } from "../services.js";
import {
  validateActivityId,
  validateActivityStart,
  validateChange,
  validateJitter,
  validateOptionsUpdate,
  validateReason,
  validateRunId,
} from "../validation/activity-execution.js";

const SCOPE: QueryScope = { division: ACTIVITY_DIVISION, attributes: new Map(), columns: ACTIVITY_COLUMNS, refusal: () => undefined };

function requireActivities(s: Services, namespace: string): void {
  if (!s.limits(namespace).areStandaloneActivitiesEnabled) throw unimplemented("Standalone activity is disabled");
}

function requireOperations(s: Services, namespace: string): void {
  requireActivities(s, namespace);
  if (!s.limits(namespace).areActivityOperationsEnabled) throw unimplemented("Standalone activity operator commands are disabled");
}

function addressOf(s: Services, request: { namespace: string; activityId: string; runId: string }): ExecutionAddress {
  const { namespace, activityId, runId } = request;
  return { namespaceId: s.namespaces.view(namespace).id, workflowId: activityId, runId, archetype: Archetype.ACTIVITY };
}

export const startActivityExecution =
  (s: Services): Handler<StartActivityExecutionRequest, StartActivityExecutionResponse> =>
  async (request) => {
    requireActivities(s, request.namespace);
    s.namespaces.view(request.namespace);
    validateActivityStart(s, request);
    const { namespace, activityId } = request;
    const { runId, started } = await s.history.submit(addressOf(s, { namespace, activityId, runId: "" }), {
      kind: "startActivityExecution",
      request,
    });
    return { runId, started, link: { variant: { case: "activity", value: { namespace, activityId, runId } } } };
  };

export const describeActivityExecution =
  (s: Services): Handler<DescribeActivityExecutionRequest, DescribeActivityExecutionResponse> =>
  async (request, call) => {
    requireActivities(s, request.namespace);
    validateActivityId(request.activityId, s.limits(request.namespace).idLengthMax);
    if (request.longPollToken.length > 0 && request.runId === "") throw invalidArgument("run id is required when long poll token is provided");
    validateRunId(request.runId);
    const address = addressOf(s, request);
    const look = (since: number | undefined) => (runId: string) =>
      s.history.submit({ ...address, runId }, { kind: "describeActivityExecution", request, since });
    const since = request.longPollToken.length === 0 ? undefined : changesOf(request.longPollToken, address);
    if (since instanceof ServiceError) {
      // That there is no such activity is said first.
      await look(undefined)(address.runId);
      throw since;
    }
    const found =
      since === undefined
        ? await look(undefined)(address.runId)
        : await waitFor(
            s,
            request.namespace,
            call,
            address.runId,
            look(since),
            (d) => d.response !== undefined,
            () => since,
          );
    if (found?.response === undefined) return {};
    return { ...found.response, longPollToken: longPollToken(address, found) };
  };

/** Names the moment that a describe has shown: a task token's fields do. */
function longPollToken({ namespaceId, workflowId }: ExecutionAddress, { runId, changes }: { runId: string; changes: number }): Uint8Array {
  return encodeTaskToken({ namespaceId, workflowId, runId, scheduledEventId: changes, archetype: Archetype.ACTIVITY });
}

function changesOf(token: Uint8Array, address: ExecutionAddress): number | ServiceError {
  const known = decodeTaskToken(token);
  if (known === undefined || known.archetype !== Archetype.ACTIVITY) return invalidArgument("invalid long poll token");
  if (known.namespaceId !== address.namespaceId || known.workflowId !== address.workflowId || known.runId !== address.runId)
    return invalidArgument("long poll token does not match execution");
  return known.scheduledEventId;
}

export const pollActivityExecution =
  (s: Services): Handler<PollActivityExecutionRequest, PollActivityExecutionResponse> =>
  async (request, call) => {
    requireActivities(s, request.namespace);
    validateActivityId(request.activityId, s.limits(request.namespace).idLengthMax);
    validateRunId(request.runId);
    const address = addressOf(s, request);
    const found = await waitFor(
      s,
      request.namespace,
      call,
      address.runId,
      (runId) => s.history.submit({ ...address, runId }, { kind: "activityOutcome" }),
      (o) => !o.isOpen,
      () => Number.MAX_SAFE_INTEGER,
    );
    return found === undefined ? {} : { runId: found.runId, outcome: found.outcome };
  };

/** Looks until it is so, at the run that was seen first; undefined when the time is up. */
function waitFor<T extends { readonly key: number; readonly runId: string }>(
  s: Services,
  namespace: string,
  call: Call,
  addressed: string,
  look: (runId: string) => Promise<T>,
  isSo: (seen: T) => boolean,
  after: (seen: T) => number,
): Promise<T | undefined> {
  const { activityLongPollMs, activityLongPollBufferMs } = s.limits(namespace);
  const left = remainingMs(call.deadlineMs, s.runtime) ?? Number.POSITIVE_INFINITY;
  let runId = addressed;
  const lookAgain = async (): Promise<T> => {
    const seen = await look(runId);
    ({ runId } = seen);
    return seen;
  };
  return lookUntil(s, call, Math.min(activityLongPollMs, left - activityLongPollBufferMs), lookAgain, isSo, after);
}

export const listActivityExecutions =
  (s: Services): Handler<ListActivityExecutionsRequest, ListActivityExecutionsResponse> =>
  async (request) => {
    requireActivities(s, request.namespace);
    const max = s.limits(request.namespace).visibilityPageSizeMax;
    const size = request.pageSize <= 0 || request.pageSize > max ? max : request.pageSize;
    const namespace = s.namespaces.view(request.namespace);
    const { rows, nextPageToken } = await s.visibility.listDivision(namespace, request.query, SCOPE, size, request.nextPageToken);
    return { executions: rows.map((r) => listInfo(r, namespace)), nextPageToken };
  };

function listInfo(r: VisibilityRow, namespace: NamespaceView): Init<ActivityExecutionListInfo> {
  return {
    activityId: r.workflowId,
    runId: r.runId,
    activityType: { name: r.workflowType },
    scheduleTime: timestamp(r.startTime),
    closeTime: timestamp(r.closeTime),
    status: statusOfRow(r.status),
    searchAttributes: withRegisteredTypes(decode(SearchAttributes, r.searchAttributes), namespace),
    taskQueue: r.taskQueue,
    stateTransitionCount: r.stateTransitionCount,
    executionDuration: r.closeTime === 0 ? undefined : duration(r.closeTime - r.startTime),
    executionTime: timestamp(r.executionTime),
  };
}

export const countActivityExecutions =
  (s: Services): Handler<CountActivityExecutionsRequest, CountActivityExecutionsResponse> =>
  (request) => {
    requireActivities(s, request.namespace);
    return s.visibility.count(s.namespaces.view(request.namespace), request.query, SCOPE);
  };

export const requestCancelActivityExecution =
  (s: Services): Handler<RequestCancelActivityExecutionRequest, RequestCancelActivityExecutionResponse> =>
  async (request) => {
    requireActivities(s, request.namespace);
    const address = addressOf(s, request);
    validateChange(s, request, true);
    validateReason(s, request, "RequestCancelActivityExecution");
    await s.history.submit(address, { kind: "requestCancelActivityExecution", request });
    return {};
  };

export const terminateActivityExecution =
  (s: Services): Handler<TerminateActivityExecutionRequest, TerminateActivityExecutionResponse> =>
  async (request) => {
    requireActivities(s, request.namespace);
    const address = addressOf(s, request);
    validateChange(s, request, true);
    validateReason(s, request, "TerminateActivityExecution");
    const { requestId, reason, identity } = request;
    await s.history.submit(address, { kind: "terminateActivityExecution", requestId, reason, identity });
    return {};
  };

export const deleteActivityExecution =
  (s: Services): Handler<DeleteActivityExecutionRequest, DeleteActivityExecutionResponse> =>
  async (request) => {
    requireActivities(s, request.namespace);
    validateActivityId(request.activityId, s.limits(request.namespace).idLengthMax);
    validateRunId(request.runId);
    const address = addressOf(s, request);
    const { runId, isOpen } = await s.history.submit(address, { kind: "activityOutcome" });
    // Whoever waits for it learns how it ended.
    if (isOpen) await terminateOpen(s, { ...address, runId });
    await s.history.submit({ ...address, runId }, { kind: "delete" });
    return {};
  };

async function terminateOpen(s: Services, address: ExecutionAddress): Promise<void> {
  try {
    await s.history.submit(address, { kind: "terminateActivityExecution", requestId: "", reason: "Delete activity execution", identity: "" });
  } catch (e) {
    // It has ended by itself in the meantime.
    if (!(e instanceof ServiceError && e.code === Code.FAILED_PRECONDITION)) throw e;
  }
}

/** The calls for operators take activities of workflows too. */
const ofWorkflow = (r: { workflowId: string; runId: string; activityId: string }) => ({
  execution: { workflowId: r.workflowId, runId: r.runId },
  activity: { case: "id" as const, value: r.activityId },
});

function workflowAddress(s: Services, { namespace, workflowId, runId }: { namespace: string; workflowId: string; runId: string }): ExecutionAddress {
  return { namespaceId: s.namespaces.view(namespace).id, workflowId, runId };
}

export const pauseActivityExecution =
  (s: Services): Handler<PauseActivityExecutionRequest, PauseActivityExecutionResponse> =>
  async (request) => {
    if (request.workflowId === "") requireOperations(s, request.namespace);
    validateChange(s, request, false);
    validateReason(s, request, "PauseActivityExecution");
    const { namespace, identity, reason, requestId } = request;
    if (request.workflowId === "") await s.history.submit(addressOf(s, request), { kind: "pauseActivityExecution", request });
    else {
      const own = PauseActivityRequest.create({ namespace, identity, reason, requestId, ...ofWorkflow(request) });
      await s.history.submit(workflowAddress(s, request), { kind: "pauseActivity", request: own });
    }
    return {};
  };

export const unpauseActivityExecution =
  (s: Services): Handler<UnpauseActivityExecutionRequest, UnpauseActivityExecutionResponse> =>
  async (request) => {
    if (request.workflowId === "") requireOperations(s, request.namespace);
    validateChange(s, request, false);
    validateJitter(request.jitter);
    const { namespace, identity, jitter } = request;
    if (request.workflowId === "") await s.history.submit(addressOf(s, request), { kind: "unpauseActivityExecution", request });
    else {
      const own = UnpauseActivityRequest.create({ namespace, identity, jitter, ...ofWorkflow(request) });
      await s.history.submit(workflowAddress(s, request), { kind: "unpauseActivity", request: own });
    }
    return {};
  };

export const resetActivityExecution =
  (s: Services): Handler<ResetActivityExecutionRequest, ResetActivityExecutionResponse> =>
  async (request) => {
    if (request.workflowId === "") requireOperations(s, request.namespace);
    validateChange(s, request, false);
    validateJitter(request.jitter);
    const { namespace, identity, jitter, resetHeartbeat, restoreOriginalOptions, keepPaused } = request;
    if (request.workflowId === "") await s.history.submit(addressOf(s, request), { kind: "resetActivityExecution", request });
    else {
      const how = { namespace, identity, jitter, resetHeartbeat, restoreOriginalOptions, keepPaused };
      const own = ResetActivityRequest.create({ ...how, ...ofWorkflow(request) });
      await s.history.submit(workflowAddress(s, request), { kind: "resetActivity", request: own });
    }
    return {};
  };

export const updateActivityExecutionOptions =
  (s: Services): Handler<UpdateActivityExecutionOptionsRequest, UpdateActivityExecutionOptionsResponse> =>
  (request) => {
    if (request.workflowId === "") requireOperations(s, request.namespace);
    validateOptionsUpdate(s, request);
    const { namespace, identity, activityOptions, updateMask, restoreOriginal } = request;
    if (request.workflowId === "") return s.history.submit(addressOf(s, request), { kind: "updateActivityExecutionOptions", request });
    const own = UpdateActivityOptionsRequest.create({ namespace, identity, activityOptions, updateMask, restoreOriginal, ...ofWorkflow(request) });
    return s.history.submit(workflowAddress(s, request), { kind: "updateActivityOptions", request: own });
  };
