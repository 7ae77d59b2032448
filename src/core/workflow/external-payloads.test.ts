import { create, type DescMessage, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { FailureSchema } from "../../../gen/es/temporal/api/failure/v1/message_pb.js";
import { HistoryEventSchema } from "../../../gen/es/temporal/api/history/v1/message_pb.js";
import { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { decode } from "../../api/wire.js";
import { countExternalPayloads } from "./external-payloads.js";

const PAYLOAD = "temporal.api.common.v1.Payload";
const SEARCH_ATTRIBUTES = "temporal.api.common.v1.SearchAttributes";
const FAILURE = FailureSchema.typeName;
/** A failure has one as its cause. */
const DEPTH_MAX = 6;
const CASES = HistoryEventSchema.oneofs.find((o) => o.name === "attributes")?.fields ?? [];

type Fields = Record<string, unknown>;

/** Everything in a message that leads to a payload, each with two external ones of 3 and 4,000,000,000 bytes; how many payloads there are. */
function filled(type: DescMessage, failureCase: string, depth = 0): { fields: Fields; payloads: number } {
  if (type.typeName === PAYLOAD)
    return { fields: { data: Buffer.from("data"), externalPayloads: [{ sizeBytes: 3n }, { sizeBytes: 4_000_000_000n }] }, payloads: 1 };
  const fields: Fields = {};
  let payloads = 0;
  for (const f of type.fields) {
    if (f.oneof !== undefined && type.typeName === FAILURE && f.localName !== failureCase) continue;
    if (f.fieldKind === "scalar" || f.fieldKind === "enum" || f.message === undefined) continue;
    if (f.message.typeName === SEARCH_ATTRIBUTES || depth > DEPTH_MAX) continue;
    const inner = filled(f.message, failureCase, depth + 1);
    if (inner.payloads === 0) continue;
    const value = f.fieldKind === "list" ? [inner.fields, inner.fields] : f.fieldKind === "map" ? { key: inner.fields } : inner.fields;
    if (f.oneof === undefined) fields[f.localName] = value;
    else if (fields[f.oneof.localName] === undefined) fields[f.oneof.localName] = { case: f.localName, value };
    else continue;
    payloads += f.fieldKind === "list" ? 2 * inner.payloads : inner.payloads;
  }
  return { fields, payloads };
}

const readBack = (event: Fields): HistoryEvent =>
  decode(HistoryEvent, toBinary(HistoryEventSchema, create(HistoryEventSchema, { eventId: 1n, ...event } as never)));

describe("external payloads", () => {
  for (const failureCase of ["applicationFailureInfo", "timeoutFailureInfo", "canceledFailureInfo", "resetWorkflowFailureInfo"])
    it.each(CASES.map((f) => [f.localName, f] as const))(`are counted wherever payloads are, with ${failureCase}: %s`, (name, f) => {
      const { fields, payloads } = filled(f.message as DescMessage, failureCase);
      const event = readBack({ attributes: { case: name, value: fields } });
      expect(event.attributes.case).toBe(name);
      expect(countExternalPayloads(event)).toEqual({ count: 2 * payloads, sizeBytes: payloads * 4_000_000_003 });
    });

  it("are in many events, in failures within failures, in outcomes that failed, and in user metadata", () => {
    const payloads = CASES.map((f) => filled(f.message as DescMessage, "applicationFailureInfo").payloads);
    expect(payloads.filter((n) => n > 0).length).toBeGreaterThan(25);
    const metadata = HistoryEventSchema.fields.find((f) => f.localName === "userMetadata")?.message as DescMessage;
    expect(countExternalPayloads(readBack({ userMetadata: filled(metadata, "").fields }))).toEqual({ count: 4, sizeBytes: 8_000_000_006 });
    const failure = filled(FailureSchema, "applicationFailureInfo");
    const outcome = { value: { case: "failure", value: failure.fields } };
    const event = readBack({ attributes: { case: "workflowExecutionUpdateCompletedEventAttributes", value: { outcome } } });
    expect(countExternalPayloads(event).count).toBe(2 * failure.payloads);
  });

  it("are not looked for in bytes that are no message", () => {
    const value = { input: new Uint8Array([10, 200, 1]) };
    const event = HistoryEvent.create({ attributes: { case: "workflowExecutionSignaledEventAttributes", value: value as never } });
    expect(countExternalPayloads(event)).toEqual({ count: 0, sizeBytes: 0 });
  });
});
