/**
 * Nexus operations and completion callbacks of a run as the official server keeps them: operations as state machines inside the record of
 * the execution, each with its cancellation inside, callbacks as nodes of a tree beside it. What a node holds is encoded, as it is there.
 */

import type { CallbackRecord, NexusCancellationRecord, NexusOperationRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { EncodingType } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import type { ChasmNode } from "../../../gen/wire/temporal/server/api/persistence/v1/chasm.js";
import { type StateMachineMap, VersionedTransition } from "../../../gen/wire/temporal/server/api/persistence/v1/hsm.js";
import { NexusOperationCancellationInfo, NexusOperationInfo } from "../../../gen/wire/temporal/server/api/persistence/v1/nexus_operations.js";
import { CallbackState } from "../../../gen/wire/temporal/server/chasm/lib/callback/proto/v1/message.js";
import { duration, timestamp } from "../../api/time.js";
import { EMPTY_BYTES, encode, type Init } from "../../api/wire.js";
import { attemptsOf } from "../../core/attempts.js";
import type { RunState } from "../../core/workflow/mutable-state.js";

const OPERATION = "nexusoperations.Operation";
const CANCELLATION = "nexusoperations.Cancelation";
/** The official server's numbers of what a node is. */
const WORKFLOW_NODE = 2_918_170_192;
const CALLBACK_NODE = 4_052_090_371;

const optional = (micros: number) => (micros === 0 ? undefined : duration(micros));

export function subStateMachines(state: RunState): Record<string, Init<StateMachineMap>> {
  if (!state.hasNexusOperations || state.nexusOperations.base.size === 0) return {};
  const machinesById = Object.fromEntries(
    [...state.nexusOperations.base].map(([id, op]) => [
      String(id),
      {
        data: encode(NexusOperationInfo, operationInfo(op)),
        children:
          op.cancellation === undefined
            ? {}
            : { [CANCELLATION]: { machinesById: { "": { data: encode(NexusOperationCancellationInfo, cancellationInfo(op.cancellation)) } } } },
      },
    ]),
  );
  return { [OPERATION]: { machinesById } };
}

function operationInfo(op: NexusOperationRecord): Init<NexusOperationInfo> {
  return {
    endpoint: op.endpoint,
    endpointId: op.endpointId,
    service: op.service,
    operation: op.operation,
    // A reference to an event has its id as first field, as this has.
    scheduledEventToken: encode(VersionedTransition, { namespaceFailoverVersion: op.scheduledEventId }),
    operationToken: op.operationToken,
    scheduleToCloseTimeout: optional(op.scheduleToCloseTimeout),
    scheduleToStartTimeout: optional(op.scheduleToStartTimeout),
    startToCloseTimeout: optional(op.startToCloseTimeout),
    scheduledTime: timestamp(op.scheduledTime),
    startedTime: timestamp(op.startedTime),
    requestId: op.requestId,
    // The same numbers.
    state: op.state as number,
    ...attemptsOf(op),
  };
}

const cancellationInfo = (c: NexusCancellationRecord): Init<NexusOperationCancellationInfo> => ({
  requestedEventId: c.requestedEventId,
  requestedTime: timestamp(c.requestedTime),
  state: c.state,
  ...attemptsOf(c),
});

/** A callback's path: the request that attached it, and its number there. */
export function chasmNodes(state: RunState): Record<string, Init<ChasmNode>> {
  if (!state.hasCallbacks || state.callbacks.base.size === 0) return {};
  const nodes: Record<string, Init<ChasmNode>> = {
    "": component(WORKFLOW_NODE, EMPTY_BYTES),
    Callbacks: { metadata: { attributes: { case: "collectionAttributes", value: {} } } },
  };
  const seen = new Map<string, number>();
  for (const callback of [...state.callbacks.base.values()].sort((a, b) => a.id - b.id)) {
    const requestId = callback.requestId || state.info.startRequestId;
    const place = seen.get(requestId) ?? 0;
    seen.set(requestId, place + 1);
    nodes[`Callbacks#${requestId}-${place}`] = component(CALLBACK_NODE, encode(CallbackState, callbackState(callback, requestId)), true);
  }
  return nodes;
}

const component = (typeId: number, data: Uint8Array, detached = false): Init<ChasmNode> => ({
  metadata: { attributes: { case: "componentAttributes", value: { typeId, detached } } },
  data: { encodingType: EncodingType.PROTO3, data },
});

function callbackState(c: CallbackRecord, requestId: string): Init<CallbackState> {
  const { callback } = c;
  const nexus = callback?.variant.case === "nexus" ? callback.variant.value : undefined;
  return {
    callback: {
      variant: nexus === undefined ? undefined : { case: "nexus", value: { url: nexus.url, header: nexus.header } },
      links: callback?.links,
    },
    registrationTime: timestamp(c.registrationTime),
    // The same numbers.
    status: c.state as number,
    ...attemptsOf(c),
    requestId,
  };
}
