/** Streams to callers who take as little as they like: the response is in the test's hand, so that nothing on the way takes more. */
import { Writable } from "node:stream";
import { expect, it } from "vitest";
import type { NodeResponse } from "./node-request.js";
import { sendAnswer } from "./send-answer.js";

/** Takes a chunk when the test says so. */
class HeldResponse extends Writable {
  statusCode = 0;
  readonly taken: string[] = [];
  private take: (() => void) | undefined;
  constructor() {
    super({ highWaterMark: 1, decodeStrings: false });
  }
  setHeader(): void {}
  flushHeaders(): void {}
  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.take = () => {
      this.taken.push(chunk);
      done();
    };
  }
  takeOne(): void {
    this.take?.();
  }
}

const settled = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
};

function numbers(to: number): { made: number; isEnded: boolean; stream: AsyncIterable<string> } {
  const out = { made: 0, isEnded: false, stream: make() };
  async function* make(): AsyncGenerator<string> {
    try {
      for (; out.made < to; ) yield String(++out.made);
    } finally {
      out.isEnded = true;
    }
  }
  return out;
}

it("nothing is made before what was made last is taken", async () => {
  const response = new HeldResponse();
  const source = numbers(4);
  const sent = sendAnswer(response as unknown as NodeResponse, { body: source.stream }, new AbortController().signal);
  for (let taken = 0; taken < 4; taken++) {
    await settled();
    expect([source.made, response.taken.length]).toEqual([taken + 1, taken]);
    response.takeOne();
  }
  await sent;
  expect(response.taken).toEqual(["1", "2", "3", "4"]);
});

it("a caller who takes nothing and goes ends what is made for it", async () => {
  const response = new HeldResponse();
  const source = numbers(1000);
  const gone = new AbortController();
  const sent = sendAnswer(response as unknown as NodeResponse, { body: source.stream }, gone.signal);
  await settled();
  gone.abort();
  await sent;
  expect(source.isEnded).toBe(true);
  expect(source.made).toBeLessThanOrEqual(2);
});
