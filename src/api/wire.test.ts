import { describe, expect, it } from "vitest";
import { StartWorkflowExecutionRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { decode, encode } from "./wire.js";

/** A request as it lies in what a connection has received, with `beside` bytes more. */
function received(input: Uint8Array, memo: Uint8Array, beside: number) {
  const bytes = encode(StartWorkflowExecutionRequest, { workflowId: "w", input, memo: { fields: { note: memo } } });
  const chunk = Buffer.alloc(bytes.length + beside);
  chunk.set(bytes, beside);
  const request = decode(StartWorkflowExecutionRequest, chunk.subarray(beside));
  return { chunk, input: request.input as Uint8Array, memo: request.memo?.fields.note as Uint8Array };
}

describe("bytes of a decoded message", () => {
  const memo = Buffer.from([0x12, 1, 7]);

  it("are a view of what was received when they are most of it", () => {
    const r = received(Buffer.alloc(500_000, 0x0a), memo, 10);
    expect(r.input.buffer).toBe(r.chunk.buffer);
    expect(r.input).toHaveLength(500_000);
  });

  it("do not keep a large request for a small field", () => {
    const r = received(Buffer.alloc(500_000, 0x0a), memo, 10);
    expect(r.memo.buffer.byteLength).toBeLessThan(10_000);
    r.chunk.fill(0);
    expect(Buffer.from(r.memo)).toEqual(memo);
  });

  it("do not keep a piece of a connection that holds many small requests", () => {
    const r = received(Buffer.alloc(100, 0x0a), memo, 60_000);
    expect(r.input.buffer.byteLength).toBeLessThan(10_000);
    expect(r.memo.buffer.byteLength).toBeLessThan(10_000);
  });
});
