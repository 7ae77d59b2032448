/** What workers say of updates: of those that a workflow task brings, and of those that history has accepted and not completed. */
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import type { Message } from "../../gen/wire/temporal/api/protocol/v1/message.js";
import { Acceptance, Rejection, Response } from "../../gen/wire/temporal/api/update/v1/message.js";
import { encode, type Init, type MessageType } from "../../src/api/wire.js";

const message = <T>(type: MessageType<T>, updateId: string, what: string, body: Init<T>): Init<Message> => ({
  id: `${updateId}/${what}`,
  protocolInstanceId: updateId,
  body: { typeUrl: `type.googleapis.com/${type.typeName}`, value: encode(type, body) },
});

const response = (updateId: string): Init<Message> =>
  message(Response, updateId, "respond", { meta: { updateId }, outcome: { value: { case: "success", value: new Uint8Array(0) } } } as Init<Response>);

/** Accepted updates that wait for their outcome. */
function unanswered(events: readonly HistoryEvent[]): string[] {
  const open = new Set<string>();
  for (const { attributes: a } of events) {
    if (a.case === "workflowExecutionUpdateAcceptedEventAttributes") open.add(a.value.protocolInstanceId);
    if (a.case === "workflowExecutionUpdateCompletedEventAttributes") open.delete(a.value.meta?.updateId ?? "");
  }
  return [...open];
}

/** `pick(n)` is below n: an update is answered at once, answered later, or turned down. */
export function updateAnswers(requests: readonly Init<Message>[], events: readonly HistoryEvent[], pick: (n: number) => number): Init<Message>[] {
  const out = unanswered(events).map(response);
  for (const { id = "", protocolInstanceId: updateId = "" } of requests) {
    const choice = pick(10);
    if (choice === 0) {
      out.push(message(Rejection, updateId, "reject", { rejectedRequestMessageId: id, failure: { message: "no" } } as Init<Rejection>));
      continue;
    }
    out.push(message(Acceptance, updateId, "accept", { acceptedRequestMessageId: id, acceptedRequestSequencingEventId: 1 } as Init<Acceptance>));
    if (choice < 7) out.push(response(updateId));
  }
  return out;
}
