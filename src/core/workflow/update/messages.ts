/**
 * What a worker says of updates: the protocol messages of a workflow task's completion. One that is not valid fails the workflow
 * task. Behaviour: OnProtocolMessage of service/history/workflow/update/update.go and handleMessage of the official server's
 * workflow_task_completed_handler.go.
 */

import type { Any } from "../../../../gen/wire/google/protobuf/any.js";
import { Any as AnyType } from "../../../../gen/wire/google/protobuf/any.js";
import { EventType } from "../../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowTaskFailedCause as Cause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import type { Message } from "../../../../gen/wire/temporal/api/protocol/v1/message.js";
import { Acceptance, Rejection, type Request, Response } from "../../../../gen/wire/temporal/api/update/v1/message.js";
import { Code, invalidArgument, notFound, ServiceError } from "../../../api/service-error.js";
import { decode, encode, type MessageType } from "../../../api/wire.js";
import { checkUpdateCallbackLimit, triggerUpdateCallbacks } from "../../callback/statemachine.js";
import { type Completion, TaskFailure } from "../commands/command.js";
import { checkBlob } from "../commands/limits-check.js";
import type { Run } from "../context.js";
import { changed, checkTotal, failed, findUpdate, type PendingUpdate, putUpdate, requestMessageId, resurrected } from "./registry.js";
import { addCallbacks, attachRequestId } from "./update.js";

const CAUSE = Cause.BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE;
const PROTOCOL = "temporal.api.update.v1";

/** Messages of a completion, each of which is taken once: by the command that names it, or after all commands. */
export class Messages {
  private readonly taken = new Set<Message>();

  constructor(private readonly all: readonly Message[]) {}

  take(id: string): Message | undefined {
    const message = this.all.find((m) => m.id === id);
    if (message === undefined || this.taken.has(message)) return undefined;
    this.taken.add(message);
    return message;
  }

  *rest(): Generator<Message> {
    for (const message of this.all) if (!this.taken.has(message)) yield message;
  }
}

const nameOf = (body: Any): string => body.typeUrl.slice(body.typeUrl.lastIndexOf("/") + 1);

export const isRejection = (m: Message): boolean => m.body !== undefined && nameOf(m.body) === Rejection.typeName;

/** As the official server's texts name the types. */
const shown = (typeName: string): string => `*update.${typeName.slice(typeName.lastIndexOf(".") + 1)}`;

/** The protocol that the message belongs to: the package of its body's type. A message without one is no reason to fail the task. */
function protocolOf(message: Message): { protocol: string; typeName: string; body: Any } {
  const { body } = message;
  if (body === undefined) throw invalidArgument("nil body");
  const typeName = nameOf(body);
  if (typeName === "") throw invalidArgument("no message name specified");
  const dot = typeName.lastIndexOf(".");
  if (dot < 0) throw invalidArgument(`failed to extract protocol type: no . found in ${JSON.stringify(typeName)}`);
  return { protocol: typeName.slice(0, dot), typeName, body };
}

export function handleMessage(c: Completion, message: Message): void {
  const { protocol, typeName, body } = protocolOf(message);
  checkBlob(c, encode(AnyType, body).length, CAUSE, `Message type ${typeName} exceeds size limit.`);
  if (protocol !== PROTOCOL) throw new TaskFailure(CAUSE, invalidArgument(`unsupported protocol type ${protocol}`));
  try {
    deliver(c.run, message.protocolInstanceId, typeName, body);
  } catch (e) {
    throw e instanceof ServiceError && (e.code === Code.INVALID_ARGUMENT || e.code === Code.NOT_FOUND) ? new TaskFailure(CAUSE, e) : e;
  }
}

function parsed<T>(type: MessageType<T>, body: Any): T {
  try {
    return decode(type, body.value);
  } catch {
    throw invalidArgument("unable to unmarshal request: proto: cannot parse invalid wire-format data");
  }
}

function deliver(run: Run, id: string, typeName: string, body: Any): void {
  let found = findUpdate(run, id);
  if (found === undefined) {
    const request = requestIn(run, typeName, body);
    if (request === undefined)
      throw notFound(
        `update ${id} wasn't found on the server. This is most likely a transient error which will be resolved automatically by retries`,
      );
    found = { update: resurrected(id, request) };
    putUpdate(run.draft, found.update);
  }
  const pending = "update" in found ? found.update : undefined;
  // The workflow has closed itself with the same completion: of that its updates learn at the end.
  if (!run.isOpen && typeName !== Rejection.typeName) return;
  switch (typeName) {
    case Acceptance.typeName:
      accept(run, id, pending, parsed(Acceptance, body));
      return;
    case Rejection.typeName: {
      const rejection = parsed(Rejection, body);
      expect(run, typeName, id, pending, ["admitted", "sent"]);
      putUpdate(run.draft, changed(pending as PendingUpdate, { outcome: failed(rejection.failure) }));
      return;
    }
    case Response.typeName:
      respond(run, id, pending, parsed(Response, body));
      return;
    default:
      throw invalidArgument(`Message type ${shown(typeName)} not supported`);
  }
}

/** A worker that processes an update of a process that has gone sends the request back. */
function requestIn(run: Run, typeName: string, body: Any): Request | undefined {
  checkTotal(run);
  if (typeName === Acceptance.typeName) return parsed(Acceptance, body).acceptedRequest;
  if (typeName === Rejection.typeName) return parsed(Rejection, body).rejectedRequest;
  return undefined;
}

function stateName(run: Run, pending: PendingUpdate | undefined): string {
  if (pending === undefined) return "Completed";
  if (pending.outcome !== undefined) return "ProvisionallyCompleted";
  const acceptedEventId = run.draft.updateRecordOf(pending.id)?.acceptedEventId ?? 0;
  if (acceptedEventId >= run.draft.base.info.nextEventId) return "ProvisionallyAccepted";
  return pending.state.charAt(0).toUpperCase() + pending.state.slice(1);
}

function expect(run: Run, typeName: string, id: string, pending: PendingUpdate | undefined, states: readonly PendingUpdate["state"][]): void {
  if (pending !== undefined && pending.outcome === undefined && states.includes(pending.state)) return;
  throw invalidArgument(
    `invalid state transition attempted for Update ${id}: received ${shown(typeName)} message while in state ${stateName(run, pending)}`,
  );
}

function accept(run: Run, id: string, pending: PendingUpdate | undefined, message: Acceptance): void {
  expect(run, Acceptance.typeName, id, pending, ["admitted", "sent"]);
  const { request, callbacks } = pending as PendingUpdate;
  if (request !== undefined && request.completionCallbacks.length > 0) checkUpdateCallbackLimit(run, id, request.completionCallbacks.length);
  if (message.acceptedRequestSequencingEventId === 0) throw notSet(Acceptance, "accepted_request_sequencing_event_id");
  if (message.acceptedRequestMessageId === "") throw notSet(Acceptance, "accepted_request_message_id");
  const event = run.add(
    EventType.WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
    "workflowExecutionUpdateAcceptedEventAttributes",
    {
      protocolInstanceId: id,
      acceptedRequestMessageId: requestMessageId(id),
      acceptedRequestSequencingEventId: message.acceptedRequestSequencingEventId,
      acceptedRequest: request,
    },
    { links: (request?.completionCallbacks ?? []).flatMap((cb) => (cb.variant.case === "nexus" ? cb.links : [])) },
  );
  if (request !== undefined && request.requestId !== "") attachRequestId(run, request.requestId, event.eventType, event.eventId);
  for (const c of callbacks) addCallbacks(run, id, c.requestId, c.callbacks);
  putUpdate(run.draft, changed(pending as PendingUpdate, { state: "accepted", request: undefined, sizeBytes: id.length, callbacks: [] }));
}

function respond(run: Run, id: string, pending: PendingUpdate | undefined, message: Response): void {
  expect(run, Response.typeName, id, pending, ["accepted"]);
  const { meta, outcome } = message;
  if (meta === undefined) throw notSet(Response, "meta");
  if (meta.updateId === "") throw notSet(Response, "meta.update_id");
  if (meta.updateId !== id) throw invalidArgument(`invalid ${shown(Response.typeName)}: meta.update_id != ${id}`);
  if (outcome === undefined) throw notSet(Response, "outcome");
  const acceptedEventId = run.draft.updateRecordOf(id)?.acceptedEventId;
  const event = run.add(EventType.WORKFLOW_EXECUTION_UPDATE_COMPLETED, "workflowExecutionUpdateCompletedEventAttributes", {
    meta,
    acceptedEventId,
    outcome,
  });
  triggerUpdateCallbacks(run, id, event);
  putUpdate(run.draft, changed(pending as PendingUpdate, { outcome }));
}

const notSet = (type: MessageType<unknown>, field: string): ServiceError => invalidArgument(`invalid ${shown(type.typeName)}: ${field} is not set`);
