/**
 * Payloads whose data lies elsewhere: an SDK with external storage leaves the sizes of what it has stored in the payload. A run counts
 * those of its history (official: service/history/workflow/external_payload_size.go), search attributes left out.
 */
import type { ExecutionRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { Memo } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { Payload_ExternalPayloadDetails } from "../../../gen/wire/temporal/api/common/v1/message.js";
import type { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import type { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type { Outcome, Request } from "../../../gen/wire/temporal/api/update/v1/message.js";
import { Reader, WireError } from "../../api/wire.js";

export interface ExternalPayloads {
  count: number;
  sizeBytes: number;
}

type Bytes = Uint8Array | undefined;

/** What attributes of events hold payloads in. Which of them an event has depends on its type. */
interface Holders {
  readonly input?: Bytes;
  readonly result?: Bytes;
  readonly details?: Bytes | Record<string, Uint8Array>;
  readonly lastCompletionResult?: Bytes;
  readonly header?: Bytes;
  readonly memo?: Memo | undefined;
  readonly upsertedMemo?: Memo | undefined;
  readonly failure?: Failure | undefined;
  readonly lastFailure?: Failure | undefined;
  readonly continuedFailure?: Failure | undefined;
  readonly acceptedRequest?: Request | undefined;
  readonly rejectedRequest?: Request | undefined;
  readonly request?: Request | undefined;
  readonly outcome?: Outcome | undefined;
}

/** Field numbers with the wire type of what has a length: of Payloads, Payload, Header and the entries of its map. */
const LENGTH_PREFIXED = 2;
const field = (number: number): number => (number << 3) | LENGTH_PREFIXED;
const PAYLOADS_PAYLOAD = field(1);
const PAYLOAD_EXTERNAL = field(3);
const HEADER_ENTRY = field(1);
const ENTRY_VALUE = field(2);

/** To what the run has counted so far. */
export function addExternalPayloads(info: ExecutionRecord, events: readonly HistoryEvent[]): void {
  for (const event of events) {
    const { count, sizeBytes } = countExternalPayloads(event);
    info.externalPayloadCount += count;
    info.externalPayloadSizeBytes += sizeBytes;
  }
}

export function countExternalPayloads(event: HistoryEvent): ExternalPayloads {
  const found: ExternalPayloads = { count: 0, sizeBytes: 0 };
  const { userMetadata } = event;
  if (userMetadata !== undefined) {
    inPayload(userMetadata.summary, found);
    inPayload(userMetadata.details, found);
  }
  const { value } = event.attributes;
  if (value === undefined) return found;
  const holders = value as Holders;
  // A Nexus operation has one payload where all others have a list of them.
  const inInput = event.attributes.case === "nexusOperationScheduledEventAttributes" ? inPayload : inPayloads;
  const inResult = event.attributes.case === "nexusOperationCompletedEventAttributes" ? inPayload : inPayloads;
  inInput(holders.input, found);
  inResult(holders.result, found);
  inPayloads(holders.lastCompletionResult, found);
  if (holders.details instanceof Uint8Array) inPayloads(holders.details, found);
  else if (holders.details !== undefined) for (const payloads of Object.values(holders.details)) inPayloads(payloads, found);
  inHeader(holders.header, found);
  inMemo(holders.memo, found);
  inMemo(holders.upsertedMemo, found);
  inFailure(holders.failure, found);
  inFailure(holders.lastFailure, found);
  inFailure(holders.continuedFailure, found);
  inRequest(holders.acceptedRequest, found);
  inRequest(holders.rejectedRequest, found);
  inRequest(holders.request, found);
  const outcome = holders.outcome?.value;
  if (outcome?.case === "success") inPayloads(outcome.value, found);
  else if (outcome?.case === "failure") inFailure(outcome.value, found);
  return found;
}

function inRequest(request: Request | undefined, found: ExternalPayloads): void {
  inHeader(request?.input?.header, found);
  inPayloads(request?.input?.args, found);
}

function inFailure(failure: Failure | undefined, found: ExternalPayloads): void {
  for (let f = failure; f !== undefined; f = f.cause) {
    inPayload(f.encodedAttributes, found);
    const info = f.failureInfo;
    if (info.case === "applicationFailureInfo" || info.case === "canceledFailureInfo") inPayloads(info.value.details, found);
    else if (info.case === "timeoutFailureInfo" || info.case === "resetWorkflowFailureInfo") inPayloads(info.value.lastHeartbeatDetails, found);
  }
}

function inMemo(memo: Memo | undefined, found: ExternalPayloads): void {
  if (memo !== undefined) for (const payload of Object.values(memo.fields)) inPayload(payload, found);
}

function inHeader(header: Bytes, found: ExternalPayloads): void {
  read(header, HEADER_ENTRY, (entry, end) => eachField(entry, end, ENTRY_VALUE, (payload, stop) => external(payload, stop, found)));
}

function inPayloads(payloads: Bytes, found: ExternalPayloads): void {
  read(payloads, PAYLOADS_PAYLOAD, (payload, end) => external(payload, end, found));
}

function inPayload(payload: Bytes, found: ExternalPayloads): void {
  read(payload, PAYLOAD_EXTERNAL, (details, end) => add(details, end, found));
}

function external(payload: Reader, end: number, found: ExternalPayloads): void {
  eachField(payload, end, PAYLOAD_EXTERNAL, (details, stop) => add(details, stop, found));
}

function add(details: Reader, end: number, found: ExternalPayloads): void {
  found.count++;
  found.sizeBytes += Payload_ExternalPayloadDetails.read(details, end).sizeBytes;
}

/** Of bytes that are no message nothing is counted: nobody has looked into them before. */
function read(message: Bytes, tag: number, look: (content: Reader, end: number) => void): void {
  // Nearly none has one: without the tag's byte there is no such field.
  if (message === undefined || message.indexOf(PAYLOAD_EXTERNAL) < 0) return;
  try {
    eachField(new Reader(Buffer.from(message.buffer, message.byteOffset, message.length)), message.length, tag, look);
  } catch (e) {
    if (!(e instanceof WireError)) throw e;
  }
}

/** Looks into the fields of one tag, and passes over the content of all others: what it costs does not grow with the data. */
function eachField(message: Reader, end: number, tag: number, look: (content: Reader, end: number) => void): void {
  while (message.pos < end) {
    const t = message.tag();
    if (t !== tag) {
      message.skip(t);
      continue;
    }
    const stop = message.length();
    look(message, stop);
    message.pos = stop;
  }
}
