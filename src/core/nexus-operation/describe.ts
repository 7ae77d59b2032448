/** Nexus operations as DescribeWorkflowExecution shows them. Whether a request is held back by its circuit breaker, the shell knows. */

import type { NexusCancellationRecord, NexusOperationRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { PendingNexusOperationInfo } from "../../../gen/wire/temporal/api/workflow/v1/message.js";
import { duration, timestamp } from "../../api/time.js";
import type { Init } from "../../api/wire.js";
import { attemptsOf } from "../attempts.js";

export function pendingNexusOperation(op: NexusOperationRecord): Init<PendingNexusOperationInfo> {
  return {
    endpoint: op.endpoint,
    service: op.service,
    operation: op.operation,
    operationId: op.operationToken,
    operationToken: op.operationToken,
    scheduledEventId: op.scheduledEventId,
    scheduleToCloseTimeout: op.scheduleToCloseTimeout > 0 ? duration(op.scheduleToCloseTimeout) : undefined,
    scheduleToStartTimeout: op.scheduleToStartTimeout > 0 ? duration(op.scheduleToStartTimeout) : undefined,
    startToCloseTimeout: op.startToCloseTimeout > 0 ? duration(op.startToCloseTimeout) : undefined,
    scheduledTime: timestamp(op.scheduledTime),
    state: op.state,
    ...attemptsOf(op),
    cancellationInfo: op.cancellation === undefined ? undefined : cancellation(op.cancellation),
  } as Init<PendingNexusOperationInfo>;
}

function cancellation(c: NexusCancellationRecord): Init<PendingNexusOperationInfo["cancellationInfo"]> {
  return {
    requestedTime: timestamp(c.requestedTime),
    state: c.state,
    ...attemptsOf(c),
  } as Init<PendingNexusOperationInfo["cancellationInfo"]>;
}
