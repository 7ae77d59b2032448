/**
 * Standalone Nexus operations: checks in the official server's order, then one input to the operation; lists are queries over its
 * division of visibility. Long polls look, wait for the next change, and look again, until they find what they wait for or their
 * time is over: then the answer is empty, and the caller asks again.
 */
import { NexusLongPollToken } from "../../../gen/wire/perdure/persistence/v1/token.js";
import { Memo, Payload, SearchAttributes } from "../../../gen/wire/temporal/api/common/v1/message.js";
import {
  NexusOperationIdConflictPolicy as ConflictPolicy,
  NexusOperationIdReusePolicy as ReusePolicy,
  NexusOperationWaitStage as Stage,
} from "../../../gen/wire/temporal/api/enums/v1/nexus.js";
import { NexusOperationExecutionListInfo } from "../../../gen/wire/temporal/api/nexus/v1/message.js";
import type { UserMetadata } from "../../../gen/wire/temporal/api/sdk/v1/user_metadata.js";
import type {
  CountNexusOperationExecutionsRequest,
  CountNexusOperationExecutionsResponse,
  DeleteNexusOperationExecutionRequest,
  DeleteNexusOperationExecutionResponse,
  DescribeNexusOperationExecutionRequest,
  DescribeNexusOperationExecutionResponse,
  ListNexusOperationExecutionsRequest,
  ListNexusOperationExecutionsResponse,
  PollNexusOperationExecutionRequest,
  PollNexusOperationExecutionResponse,
  RequestCancelNexusOperationExecutionRequest,
  RequestCancelNexusOperationExecutionResponse,
  StartNexusOperationExecutionRequest,
  StartNexusOperationExecutionResponse,
  TerminateNexusOperationExecutionRequest,
  TerminateNexusOperationExecutionResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call, Handler } from "../../api/call.js";
import { invalidArgument, notFound, unimplemented } from "../../api/service-error.js";
import { cappedMicros, duration, durationProblem } from "../../api/time.js";
import { decode, type Init, setEntry } from "../../api/wire.js";
import { Archetype } from "../../core/execution.js";
import type { ExecutionAddress } from "../../core/input.js";
import type { NamespaceView } from "../../core/namespace-view.js";
import { NEXUS_LIST_INFO_MEMO, NEXUS_OPERATION_DIVISION } from "../../core/nexus-operation/execution-describe.js";
import { DISALLOWED_HEADERS } from "../../core/nexus-operation/request.js";
import type { NexusExecutionView } from "../../core/transition.js";
import { DIVISION, NEXUS_OPERATION_ATTRIBUTES, NEXUS_OPERATION_COLUMNS } from "../../core/visibility/attributes.js";
import type { QueryScope } from "../../core/visibility/resolve.js";
import type { VisibilityRow } from "../../core/visibility/row.js";
import { withRegisteredTypes } from "../../core/visibility/search-attributes.js";
import { isUuid, uuidV4 } from "../../lib/uuid.js";
import { lookUntil } from "../long-poll.js";
import type { RequestLimits } from "../request-limits.js";
import { remainingMs, type Services } from "../services.js";
import { isLongerThan } from "../validation/execution.js";

const SCOPE: QueryScope = {
  division: NEXUS_OPERATION_DIVISION,
  attributes: NEXUS_OPERATION_ATTRIBUTES,
  columns: NEXUS_OPERATION_COLUMNS,
  refusal: () => undefined,
};

function namespaceOf(s: Services, request: { readonly namespace: string }): { namespace: NamespaceView; limits: RequestLimits } {
  const limits = s.limits(request.namespace);
  if (!limits.areNexusOperationsStandalone) throw unimplemented("Standalone Nexus operation is disabled");
  return { namespace: s.namespaces.view(request.namespace), limits };
}

function addressOf(namespace: NamespaceView, operationId: string, runId: string): ExecutionAddress {
  return { namespaceId: namespace.id, workflowId: operationId, runId, archetype: Archetype.NEXUS_OPERATION };
}

function checkLength(field: string, value: string, max: number): void {
  if (isLongerThan(value, max)) throw invalidArgument(`${field} exceeds length limit. Length=${Buffer.byteLength(value)} Limit=${max}`);
}

function requestIdOf(s: Services, requestId: string, limits: RequestLimits): string {
  if (requestId === "") return uuidV4(s.runtime.randomBytes16());
  checkLength("request_id", requestId, limits.idLengthMax);
  return requestId;
}

function checkOperationId(operationId: string, limits: RequestLimits): void {
  if (operationId === "") throw invalidArgument("operation_id is required");
  checkLength("operation_id", operationId, limits.idLengthMax);
}

function checkAddress(request: { readonly operationId: string; readonly runId: string }, limits: RequestLimits): void {
  checkOperationId(request.operationId, limits);
  if (request.runId !== "" && !isUuid(request.runId)) throw invalidArgument("run_id is not a valid UUID");
}

export const startNexusOperationExecution =
  (s: Services): Handler<StartNexusOperationExecutionRequest, StartNexusOperationExecutionResponse> =>
  async (request) => {
    const { namespace, limits } = namespaceOf(s, request);
    request.requestId = requestIdOf(s, request.requestId, limits);
    checkOperationId(request.operationId, limits);
    checkLength("identity", request.identity, limits.idLengthMax);
    checkTarget(request, limits);
    capTimeouts(request, limits);
    const length = request.input?.length ?? 0;
    if (length > limits.blobSizeError) throw invalidArgument(`input exceeds size limit. Length=${length} Limit=${limits.blobSizeError}`);
    checkUserMetadata(request.userMetadata, limits);
    request.nexusHeader = lowered(request.nexusHeader, limits);
    if (request.searchAttributes !== undefined) s.searchAttributes.validate(request.searchAttributes, namespace);
    if (request.idReusePolicy === ReusePolicy.UNSPECIFIED) request.idReusePolicy = ReusePolicy.ALLOW_DUPLICATE;
    if (request.idConflictPolicy === ConflictPolicy.UNSPECIFIED) request.idConflictPolicy = ConflictPolicy.FAIL;
    const endpoint = s.nexusEndpoints.byName(request.endpoint);
    if (endpoint === undefined) throw notFound(`could not find Nexus endpoint by name: ${request.endpoint}`);
    return s.history.submit(addressOf(namespace, request.operationId, ""), { kind: "startNexusExecution", request, endpointId: endpoint.id });
  };

function checkTarget({ endpoint, service, operation }: StartNexusOperationExecutionRequest, limits: RequestLimits): void {
  if (endpoint === "") throw invalidArgument("endpoint is required");
  if (service === "") throw invalidArgument("service is required");
  checkLength("service", service, limits.nexusServiceNameLengthMax);
  if (operation === "") throw invalidArgument("operation is required");
  checkLength("operation", operation, limits.nexusNameLengthMax);
}

/** The parts of an operation live no longer than itself. */
function capTimeouts(request: StartNexusOperationExecutionRequest, limits: RequestLimits): void {
  for (const [name, timeout] of [
    ["schedule_to_close_timeout", request.scheduleToCloseTimeout],
    ["schedule_to_start_timeout", request.scheduleToStartTimeout],
    ["start_to_close_timeout", request.startToCloseTimeout],
  ] as const) {
    const problem = durationProblem(timeout);
    if (problem !== undefined) throw invalidArgument(`${name} is invalid: ${problem}`);
  }
  let toClose = cappedMicros(request.scheduleToCloseTimeout);
  const longest = limits.nexusScheduleToCloseTimeoutMax;
  if (longest > 0 && (toClose === 0 || toClose > longest)) {
    toClose = longest;
    request.scheduleToCloseTimeout = duration(toClose);
  }
  if (toClose === 0) return;
  if (cappedMicros(request.scheduleToStartTimeout) > toClose) request.scheduleToStartTimeout = duration(toClose);
  if (cappedMicros(request.startToCloseTimeout) > toClose) request.startToCloseTimeout = duration(toClose);
}

function checkUserMetadata(metadata: UserMetadata | undefined, limits: RequestLimits): void {
  const check = (field: string, length: number, max: number) => {
    if (length > max) throw invalidArgument(`user_metadata.${field} exceeds size limit. Length=${length} Limit=${max}`);
  };
  check("summary", metadata?.summary?.length ?? 0, limits.userMetadataSummaryMax);
  check("details", metadata?.details?.length ?? 0, limits.userMetadataDetailsMax);
}

function lowered(headers: Readonly<Record<string, string>>, limits: RequestLimits): Record<string, string> {
  const out: Record<string, string> = {};
  let size = 0;
  for (const [key, value] of Object.entries(headers)) {
    const lower = key.toLowerCase();
    size += Buffer.byteLength(lower) + Buffer.byteLength(value);
    if (DISALLOWED_HEADERS.has(lower)) throw invalidArgument(`nexus_header contains a disallowed key: ${JSON.stringify(key)}`);
    setEntry(out, lower, value);
  }
  if (size > limits.nexusHeaderBytesMax) throw invalidArgument("nexus_header exceeds size limit");
  return out;
}

export const describeNexusOperationExecution =
  (s: Services): Handler<DescribeNexusOperationExecutionRequest, DescribeNexusOperationExecutionResponse> =>
  async (request, call) => {
    const { namespace, limits } = namespaceOf(s, request);
    checkOperationId(request.operationId, limits);
    const isPoll = request.longPollToken.length > 0;
    if (isPoll && request.runId === "") throw invalidArgument("run_id is required when long_poll_token is provided");
    checkAddress(request, limits);
    const look = () => s.history.submit(addressOf(namespace, request.operationId, request.runId), { kind: "describeNexusExecution", request });
    if (!isPoll) return (await look()).response;
    const token = longPollToken(request.longPollToken);
    const { namespaceId, operationId, runId } = token;
    if (namespaceId !== namespace.id || operationId !== request.operationId || runId !== request.runId)
      throw invalidArgument("long poll token does not match execution");
    return (await poll(s, call, limits, look, (seen) => seen.changes > token.stateTransitionCount)) ?? {};
  };

function longPollToken(bytes: Uint8Array): NexusLongPollToken {
  try {
    const token = decode(NexusLongPollToken, bytes);
    if (token.namespaceId !== "" && token.operationId !== "") return token;
  } catch {
    // As one that says nothing.
  }
  throw invalidArgument("invalid long poll token");
}

export const pollNexusOperationExecution =
  (s: Services): Handler<PollNexusOperationExecutionRequest, PollNexusOperationExecutionResponse> =>
  async (request, call) => {
    const stage = request.waitStage === Stage.UNSPECIFIED ? Stage.CLOSED : request.waitStage;
    const { namespace, limits } = namespaceOf(s, request);
    if (stage !== Stage.STARTED && stage !== Stage.CLOSED) throw invalidArgument(`unsupported wait_stage: ${stage}`);
    checkAddress(request, limits);
    const look = () => s.history.submit(addressOf(namespace, request.operationId, request.runId), { kind: "pollNexusExecution", stage });
    return (await poll(s, call, limits, look, (seen) => seen.response !== undefined)) ?? {};
  };

/** Undefined when the time is over. */
async function poll<T>(
  s: Services,
  call: Call,
  limits: RequestLimits,
  look: () => Promise<NexusExecutionView<T>>,
  isFound: (seen: NexusExecutionView<T>) => boolean,
): Promise<T | undefined> {
  const left = remainingMs(call.deadlineMs, s.runtime) ?? Number.POSITIVE_INFINITY;
  const patience = Math.min(limits.nexusLongPollMs, left - limits.nexusLongPollBufferMs);
  return (await lookUntil(s, call, patience, look, isFound, (seen) => seen.changes))?.response;
}

export const requestCancelNexusOperationExecution =
  (s: Services): Handler<RequestCancelNexusOperationExecutionRequest, RequestCancelNexusOperationExecutionResponse> =>
  async (request) => {
    const address = validated(s, request);
    await s.history.submit(address, { kind: "cancelNexusExecution", request });
    return {};
  };

export const terminateNexusOperationExecution =
  (s: Services): Handler<TerminateNexusOperationExecutionRequest, TerminateNexusOperationExecutionResponse> =>
  async (request) => {
    const address = validated(s, request);
    await s.history.submit(address, { kind: "terminateNexusExecution", request });
    return {};
  };

function validated(s: Services, request: RequestCancelNexusOperationExecutionRequest | TerminateNexusOperationExecutionRequest): ExecutionAddress {
  const { namespace, limits } = namespaceOf(s, request);
  request.requestId = requestIdOf(s, request.requestId, limits);
  checkAddress(request, limits);
  checkLength("identity", request.identity, limits.idLengthMax);
  checkLength("reason", request.reason, limits.nexusReasonLengthMax);
  return addressOf(namespace, request.operationId, request.runId);
}

export const deleteNexusOperationExecution =
  (s: Services): Handler<DeleteNexusOperationExecutionRequest, DeleteNexusOperationExecutionResponse> =>
  async (request) => {
    const { namespace, limits } = namespaceOf(s, request);
    checkAddress(request, limits);
    await s.history.submit(addressOf(namespace, request.operationId, request.runId), { kind: "delete" });
    return {};
  };

export const listNexusOperationExecutions =
  (s: Services): Handler<ListNexusOperationExecutionsRequest, ListNexusOperationExecutionsResponse> =>
  async (request) => {
    const { namespace, limits } = namespaceOf(s, request);
    const max = limits.visibilityPageSizeMax;
    const size = request.pageSize <= 0 || request.pageSize > max ? max : request.pageSize;
    const { rows, nextPageToken } = await s.visibility.listDivision(namespace, request.query, SCOPE, size, request.nextPageToken);
    return { operations: rows.map((r) => listInfo(r, namespace)), nextPageToken };
  };

function listInfo(row: VisibilityRow, namespace: NamespaceView): Init<NexusOperationExecutionListInfo> {
  const payload = decode(Memo, row.memo).fields[NEXUS_LIST_INFO_MEMO];
  const info = payload === undefined ? {} : decode(NexusOperationExecutionListInfo, decode(Payload, payload).data);
  const { [DIVISION]: _, ...indexedFields } = decode(SearchAttributes, row.searchAttributes).indexedFields;
  return { ...info, searchAttributes: withRegisteredTypes({ indexedFields }, namespace) };
}

export const countNexusOperationExecutions =
  (s: Services): Handler<CountNexusOperationExecutionsRequest, CountNexusOperationExecutionsResponse> =>
  async (request) =>
    s.visibility.count(namespaceOf(s, request).namespace, request.query, SCOPE);
