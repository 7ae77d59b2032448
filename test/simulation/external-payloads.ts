/** Signals whose input lies elsewhere, and what a run has to have counted of them. No chance is drawn: the id of the request says. */
import { Payload, Payload_ExternalPayloadDetails, Payloads } from "../../gen/wire/temporal/api/common/v1/message.js";
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { decode, encode } from "../../src/api/wire.js";

/** Of every third request: two payloads, with one and two externals. */
export function externalInput(requestId: string): Uint8Array | undefined {
  const n = Number(requestId.slice(1));
  if (n % 3 !== 0) return undefined;
  const payload = (...sizes: number[]) =>
    encode(Payload, { externalPayloads: sizes.map((size) => Payload_ExternalPayloadDetails.create({ sizeBytes: size })) });
  return encode(Payloads, { payloads: [payload(n + 1), payload(2 * n, 7)] });
}

export function externalPayloadsOf(events: readonly HistoryEvent[]): { count: number; sizeBytes: number } {
  const sizes = events.flatMap(({ attributes: { case: name, value } }) =>
    name === "workflowExecutionSignaledEventAttributes" && value.input !== undefined
      ? decode(Payloads, value.input).payloads.flatMap((p) => decode(Payload, p).externalPayloads.map((e) => e.sizeBytes))
      : [],
  );
  return { count: sizes.length, sizeBytes: sizes.reduce((a, b) => a + b, 0) };
}
