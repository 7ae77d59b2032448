/** Schedules: checks and the canonical spec, then one input to the schedule; lists are queries over its division of visibility. */
import { Memo, Payload, SearchAttributes } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { WorkflowIdReusePolicy } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { Schedule, ScheduleListEntry, ScheduleSpec } from "../../../gen/wire/temporal/api/schedule/v1/message.js";
import {
  ScheduleListInfo,
  SchedulePatch,
  ScheduleSpec as ScheduleSpecType,
  Schedule as ScheduleType,
} from "../../../gen/wire/temporal/api/schedule/v1/message.js";
import type { NewWorkflowExecutionInfo } from "../../../gen/wire/temporal/api/workflow/v1/message.js";
import type {
  CountSchedulesRequest,
  CountSchedulesResponse,
  CreateScheduleRequest,
  CreateScheduleResponse,
  DeleteScheduleRequest,
  DeleteScheduleResponse,
  DescribeScheduleRequest,
  DescribeScheduleResponse,
  ListScheduleMatchingTimesRequest,
  ListScheduleMatchingTimesResponse,
  ListSchedulesRequest,
  ListSchedulesResponse,
  PatchScheduleRequest,
  PatchScheduleResponse,
  UpdateScheduleRequest,
  UpdateScheduleResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument } from "../../api/service-error.js";
import { timestampMicros, timestampOf } from "../../api/time.js";
import { decode, encode, type Init } from "../../api/wire.js";
import { Archetype } from "../../core/execution.js";
import type { ExecutionAddress } from "../../core/input.js";
import type { NamespaceView } from "../../core/namespace-view.js";
import { LIST_INFO_MEMO, SCHEDULE_DIVISION } from "../../core/scheduler/describe.js";
import { checkIntervalDurations, SpecError } from "../../core/scheduler/parse-spec.js";
import { CompiledSpec, shownSpec, TooManyExclusions } from "../../core/scheduler/spec.js";
import type { ScheduleView } from "../../core/transition.js";
import { DIVISION, isReservedAttribute, SCHEDULE_ATTRIBUTES } from "../../core/visibility/attributes.js";
import type { QueryScope } from "../../core/visibility/resolve.js";
import type { VisibilityRow } from "../../core/visibility/row.js";
import { withRegisteredTypes } from "../../core/visibility/search-attributes.js";
import { lookUntil } from "../long-poll.js";
import { remainingMs, type Services } from "../services.js";
import { isLongerThan, validateWorkflowId } from "../validation/execution.js";
import { encodedMapSize, isBlobAllowed } from "../validation/size.js";
import { validateUserTaskQueue } from "../validation/task-queue.js";
import { validateWorkflowTimeouts } from "../validation/timeouts.js";

/** Of the official server's workflows behind schedules: ids are as long as they would be. */
const WORKFLOW_ID_PREFIX = "temporal-sys-scheduler:";
/** What an action's workflow id gets at its end. */
const TIME_SUFFIX = "-2009-11-10T23:00:00Z";
const NOTES_BYTES_MAX = 1_000;
const PAUSED = "TemporalSchedulePaused";
/** Of the search past excluded times, in a list. */
const LISTED_STEPS_MAX = 1_000;

/**
 * Describe tells of the actions that were asked for before it, as the official server's query of its scheduler workflow does: for so long,
 * and half of what its caller leaves it, so that there is an answer in any case.
 */
const STARTS_AWAITED_MS = 1_000;

const SCOPE: QueryScope = {
  division: SCHEDULE_DIVISION,
  attributes: SCHEDULE_ATTRIBUTES,
  refusal: (name) =>
    isReservedAttribute(name) && name !== PAUSED ? `invalid query filter for schedules: cannot filter on ${JSON.stringify(name)}` : undefined,
};

function addressOf(namespace: NamespaceView, scheduleId: string): ExecutionAddress {
  if (scheduleId === "") throw invalidArgument("Can't load workflow execution.  WorkflowId not set.");
  return { namespaceId: namespace.id, workflowId: scheduleId, runId: "", archetype: Archetype.SCHEDULE };
}

export const createSchedule =
  (s: Services): Handler<CreateScheduleRequest, CreateScheduleResponse> =>
  async (request) => {
    const { idLengthMax } = s.limits(request.namespace);
    validateWorkflowId(`${WORKFLOW_ID_PREFIX}${request.scheduleId}`, idLengthMax);
    if (request.requestId === "") throw invalidArgument("RequestId is not set on request.");
    if (isLongerThan(request.requestId, idLengthMax)) throw invalidArgument("RequestId length exceeds limit.");
    const namespace = s.namespaces.view(request.namespace);
    request.schedule = canonicalSchedule(request.schedule);
    validateAction(s, request.schedule, namespace);
    if (request.searchAttributes !== undefined) s.searchAttributes.validate(request.searchAttributes, namespace);
    validatePayloads(s, request, "CreateSchedule");
    return await s.history.submit(addressOf(namespace, request.scheduleId), { kind: "createSchedule", request });
  };

export const describeSchedule =
  (s: Services): Handler<DescribeScheduleRequest, DescribeScheduleResponse> =>
  async (request, call) => {
    const address = addressOf(s.namespaces.view(request.namespace), request.scheduleId);
    const look = (): Promise<ScheduleView> => s.history.submit(address, { kind: "describeSchedule" });
    const first = await look();
    if (first.starting.length === 0) return first.response;
    const left = remainingMs(call.deadlineMs, s.runtime) ?? Number.POSITIVE_INFINITY;
    const areAnswered = ({ starting }: ScheduleView): boolean => !first.starting.some((id) => starting.includes(id));
    const seen = await lookUntil(s, call, Math.min(STARTS_AWAITED_MS, left / 2), look, areAnswered, () => 0);
    return (seen ?? (await look())).response;
  };

export const updateSchedule =
  (s: Services): Handler<UpdateScheduleRequest, UpdateScheduleResponse> =>
  async (request) => {
    if (isLongerThan(request.requestId, s.limits(request.namespace).idLengthMax)) throw invalidArgument("RequestId length exceeds limit.");
    const namespace = s.namespaces.view(request.namespace);
    validateAction(s, request.schedule, namespace);
    request.schedule = canonicalSchedule(request.schedule);
    if (request.searchAttributes !== undefined) s.searchAttributes.validate(request.searchAttributes, namespace);
    validatePayloads(s, request, "UpdateSchedule");
    await s.history.submit(addressOf(namespace, request.scheduleId), { kind: "updateSchedule", request });
    return {};
  };

export const patchSchedule =
  (s: Services): Handler<PatchScheduleRequest, PatchScheduleResponse> =>
  async (request) => {
    const { patch, scheduleId } = request;
    if (patch === undefined) throw invalidArgument("Patch is not set on request.");
    if (isLongerThan(request.requestId, s.limits(request.namespace).idLengthMax)) throw invalidArgument("RequestId length exceeds limit.");
    if (isLongerThan(patch.pause, NOTES_BYTES_MAX) || isLongerThan(patch.unpause, NOTES_BYTES_MAX))
      throw invalidArgument("Schedule notes exceeds limit.");
    const namespace = s.namespaces.view(request.namespace);
    const size = { logger: s.logger, limits: s.limits(namespace.name), operation: "PatchSchedule", namespace: namespace.name, runId: "" };
    if (!isBlobAllowed(encode(SchedulePatch, patch).length, { ...size, workflowId: scheduleId }))
      throw invalidArgument("Blob data size exceeds limit.");
    await s.history.submit(addressOf(namespace, scheduleId), { kind: "patchSchedule", request });
    return {};
  };

export const listScheduleMatchingTimes =
  (s: Services): Handler<ListScheduleMatchingTimesRequest, ListScheduleMatchingTimesResponse> =>
  async (request) => {
    const address = addressOf(s.namespaces.view(request.namespace), request.scheduleId);
    return { startTime: (await s.history.submit(address, { kind: "scheduleMatchingTimes", request })).map(timestampOf) };
  };

export const deleteSchedule =
  (s: Services): Handler<DeleteScheduleRequest, DeleteScheduleResponse> =>
  async (request) => {
    await s.history.submit(addressOf(s.namespaces.view(request.namespace), request.scheduleId), { kind: "deleteSchedule" });
    return {};
  };

export const listSchedules =
  (s: Services): Handler<ListSchedulesRequest, ListSchedulesResponse> =>
  async (request) => {
    const max = s.limits(request.namespace).visibilityPageSizeMax;
    const size = request.maximumPageSize <= 0 || request.maximumPageSize > max ? max : request.maximumPageSize;
    const namespace = s.namespaces.view(request.namespace);
    const { rows, nextPageToken } = await s.visibility.listDivision(namespace, request.query, SCOPE, size, request.nextPageToken);
    const now = s.runtime.nowMicros();
    return { schedules: rows.map((r) => listEntry(r, namespace, now)), nextPageToken };
  };

export const countSchedules =
  (s: Services): Handler<CountSchedulesRequest, CountSchedulesResponse> =>
  (request) =>
    s.visibility.count(s.namespaces.view(request.namespace), request.query, SCOPE);

function canonicalSchedule(schedule: Schedule | undefined): Schedule {
  const given = schedule ?? ScheduleType.create({});
  const spec = given.spec ?? ScheduleSpecType.create({});
  try {
    checkIntervalDurations(spec);
    return { ...given, spec: CompiledSpec.compile(spec).canonical };
  } catch (e) {
    if (e instanceof SpecError) throw invalidArgument(`Invalid schedule spec: ${e.message}`);
    throw e;
  }
}

function actionOf(schedule: Schedule | undefined): NewWorkflowExecutionInfo | undefined {
  const action = schedule?.action?.action;
  return action?.case === "startWorkflow" ? action.value : undefined;
}

/** In the order of the official server: which error a request with several faults gets depends on it. */
function validateAction(s: Services, schedule: Schedule | undefined, namespace: NamespaceView): void {
  const action = actionOf(schedule);
  if (action === undefined) return;
  const { idLengthMax } = s.limits(namespace.name);
  validateWorkflowId(`${action.workflowId}${TIME_SUFFIX}`, idLengthMax);
  const type = action.workflowType?.name ?? "";
  if (type === "") throw invalidArgument("WorkflowType is not set on request.");
  if (isLongerThan(type, idLengthMax)) throw invalidArgument("WorkflowType length exceeds limit.");
  validateUserTaskQueue(action.taskQueue, idLengthMax);
  validateWorkflowTimeouts(action);
  if (action.cronSchedule !== "") throw invalidArgument("Scheduled workflow must not contain CronSchedule");
  const reuse = action.workflowIdReusePolicy;
  if (reuse !== WorkflowIdReusePolicy.UNSPECIFIED && reuse !== WorkflowIdReusePolicy.ALLOW_DUPLICATE)
    throw invalidArgument("Scheduled workflow must not contain WorkflowIDReusePolicy");
  if (action.searchAttributes !== undefined) s.searchAttributes.validate(action.searchAttributes, namespace);
}

function validatePayloads(
  s: Services,
  { namespace, scheduleId, schedule, memo }: Pick<CreateScheduleRequest, "namespace" | "scheduleId" | "schedule" | "memo">,
  operation: string,
): void {
  const action = actionOf(schedule);
  if (action === undefined) throw invalidArgument("Only StartWorkflow action is supported for schedules");
  const size = (memo === undefined ? 0 : encodedMapSize(memo.fields)) + (action.input?.length ?? 0);
  if (!isBlobAllowed(size, { logger: s.logger, limits: s.limits(namespace), operation, namespace, workflowId: scheduleId, runId: "" }))
    throw invalidArgument("Blob data size exceeds limit.");
}

function listEntry(row: VisibilityRow, namespace: NamespaceView, now: number): Init<ScheduleListEntry> {
  const { [LIST_INFO_MEMO]: kept, ...fields } = decode(Memo, row.memo).fields;
  const { [DIVISION]: _division, [PAUSED]: _paused, ...indexedFields } = decode(SearchAttributes, row.searchAttributes).indexedFields;
  const attributes = withRegisteredTypes({ indexedFields }, namespace);
  return {
    scheduleId: row.workflowId,
    memo: Object.keys(fields).length === 0 ? undefined : { fields },
    searchAttributes: Object.keys(attributes.indexedFields).length === 0 ? undefined : attributes,
    info:
      kept === undefined ? undefined : currentInfo(decode(ScheduleListInfo, decode(Payload, kept).data), `${namespace.id}-${row.workflowId}`, now),
  };
}

/** A paused schedule writes nothing as time goes by: when times that were written have passed, those that follow are shown. */
function currentInfo(info: ScheduleListInfo, seed: string, now: number): ScheduleListInfo {
  const spec = info.spec as ScheduleSpec | undefined;
  const count = info.futureActionTimes.length;
  const futureActionTimes = info.futureActionTimes.filter((t) => timestampMicros(t) > now);
  if (info.paused && spec !== undefined && futureActionTimes.length < count) {
    const compiled = new CompiledSpec(spec);
    try {
      for (let t = timestampMicros(futureActionTimes.at(-1)) || now; futureActionTimes.length < count; ) {
        const next = compiled.next(seed, t, LISTED_STEPS_MAX);
        if (next === undefined) break;
        t = next.actual;
        futureActionTimes.push(timestampOf(t));
      }
    } catch (e) {
      if (!(e instanceof TooManyExclusions)) throw e;
    }
  }
  return { ...info, spec: spec === undefined ? undefined : shownSpec(spec), futureActionTimes };
}
