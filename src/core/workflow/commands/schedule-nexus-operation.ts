/** COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION */
import type { Command } from "../../../../gen/wire/temporal/api/command/v1/message.js";
import { EventType } from "../../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause as Cause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import type { HistoryEvent } from "../../../../gen/wire/temporal/api/history/v1/message.js";
import { invalidArgument } from "../../../api/service-error.js";
import { cappedMicros, duration, durationProblem, MICROS_PER_MS } from "../../../api/time.js";
import { setEntry } from "../../../api/wire.js";
import { assert } from "../../../lib/assert.js";
import { SYSTEM_ENDPOINT } from "../../nexus-operation/endpoints.js";
import { DISALLOWED_HEADERS, freshRequestId } from "../../nexus-operation/request.js";
import { begin } from "../../nexus-operation/statemachine.js";
import { type Completion, TaskFailure } from "./command.js";
import { checkBlob } from "./limits-check.js";

const CAUSE = Cause.BAD_SCHEDULE_NEXUS_OPERATION_ATTRIBUTES;
const NAME = "ScheduleNexusOperationCommandAttributes";

function refuse(text: string, cause = CAUSE): never {
  throw new TaskFailure(cause, invalidArgument(text));
}

export function scheduleNexusOperation(c: Completion, command: Command): HistoryEvent | undefined {
  if (command.attributes.case !== "scheduleNexusOperationCommandAttributes") return refuse(`empty ${NAME}`);
  const a = command.attributes.value;
  const { run, limits } = c;
  const { ctx, info } = run;
  const { nexusEndpoints, namespace } = ctx.env;
  const isSystem = a.endpoint === SYSTEM_ENDPOINT && nexusEndpoints.system !== undefined;
  if (isSystem) {
    if (Object.keys(a.nexusHeader).length > 0) refuse(`${NAME}.NexusHeader must be empty when using ${SYSTEM_ENDPOINT} endpoint`);
    const { service, operation, input } = a;
    const problem = nexusEndpoints.system.problem({ namespace: namespace.name, service, operation, input });
    if (problem !== undefined) refuse(problem);
  }
  const endpointId = isSystem ? "" : (nexusEndpoints.idOf(a.endpoint) ?? refuse(`endpoint ${JSON.stringify(a.endpoint)} not found`));
  if (Buffer.byteLength(a.service) > limits.nexusServiceNameLengthMax)
    refuse(`${NAME}.Service exceeds length limit of ${limits.nexusServiceNameLengthMax}`);
  if (Buffer.byteLength(a.operation) > limits.nexusNameLengthMax) refuse(`${NAME}.Operation exceeds length limit of ${limits.nexusNameLengthMax}`);
  for (const [name, timeout] of [
    ["ScheduleToCloseTimeout", a.scheduleToCloseTimeout],
    ["ScheduleToStartTimeout", a.scheduleToStartTimeout],
    ["StartToCloseTimeout", a.startToCloseTimeout],
  ] as const) {
    const problem = durationProblem(timeout);
    if (problem !== undefined) refuse(`${NAME}.${name} is invalid: ${problem}`);
  }
  // A request to the server itself has been checked by its own limits.
  if (!isSystem) checkBlob(c, a.input?.length ?? 0, CAUSE, `${NAME}.Input exceeds size limit`);
  const nexusHeader: Record<string, string> = {};
  let headerSize = 0;
  for (const [key, value] of Object.entries(a.nexusHeader)) {
    const lower = key.toLowerCase();
    setEntry(nexusHeader, lower, value);
    headerSize += Buffer.byteLength(lower) + Buffer.byteLength(value);
    if (DISALLOWED_HEADERS.has(lower)) refuse(`${NAME}.NexusHeader contains a disallowed header key: ${JSON.stringify(key)}`);
  }
  if (headerSize > limits.nexusHeaderBytesMax) refuse(`${NAME}.NexusHeader exceeds size limit`);
  const max = limits.nexusOperationsMax;
  if (run.draft.nexusOperations.size >= max)
    refuse(`workflow has reached the pending nexus operation limit of ${max} for this namespace`, Cause.PENDING_NEXUS_OPERATIONS_LIMIT_EXCEEDED);

  // An operation lives no longer than its run, and its parts no longer than itself.
  let scheduleToClose = cappedMicros(a.scheduleToCloseTimeout);
  if (info.runTimeout > 0 && (scheduleToClose === 0 || scheduleToClose > info.runTimeout)) scheduleToClose = info.runTimeout;
  const longest = limits.nexusScheduleToCloseTimeoutMsMax * MICROS_PER_MS;
  if (longest > 0 && scheduleToClose > longest) scheduleToClose = longest;
  const within = (timeout: number): number => (scheduleToClose > 0 ? Math.min(timeout, scheduleToClose) : timeout);
  const timeout = (given: object | undefined, micros: number) => (given === undefined && micros === 0 ? undefined : duration(micros));
  const event = run.add(
    EventType.NEXUS_OPERATION_SCHEDULED,
    "nexusOperationScheduledEventAttributes",
    {
      endpoint: a.endpoint,
      endpointId,
      service: a.service,
      operation: a.operation,
      input: a.input,
      scheduleToCloseTimeout: timeout(a.scheduleToCloseTimeout, scheduleToClose),
      scheduleToStartTimeout: timeout(a.scheduleToStartTimeout, within(cappedMicros(a.scheduleToStartTimeout))),
      startToCloseTimeout: timeout(a.startToCloseTimeout, within(cappedMicros(a.startToCloseTimeout))),
      nexusHeader,
      requestId: freshRequestId(ctx.random.bytes16(), info.runId),
      workflowTaskCompletedEventId: c.completedEventId,
    },
    c.extra(command),
  );
  const op = run.draft.nexusOperations.get(event.eventId);
  assert(op !== undefined, "a scheduled operation is pending");
  begin(run, op);
  return event;
}
