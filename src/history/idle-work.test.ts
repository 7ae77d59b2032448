import { beforeEach, describe, expect, it } from "vitest";
import { FakeRuntime } from "../lib/fake-runtime.js";
import type { Logger } from "../lib/runtime.js";
import { IdleWork } from "./idle-work.js";

describe("idle work", () => {
  let runtime: FakeRuntime;
  let warnings: string[];
  /** What the store answers, one call after the other: whether there is more. */
  let answers: (boolean | Error)[];
  let asked: number;
  let work: IdleWork;

  beforeEach(() => {
    runtime = new FakeRuntime();
    warnings = [];
    answers = [];
    asked = 0;
    const ignore = (): void => undefined;
    const logger: Logger = { debug: ignore, info: ignore, error: ignore, warn: (_fields, text) => warnings.push(text ?? "") };
    const idle = async (): Promise<boolean> => {
      asked++;
      const answer = answers.shift() ?? false;
      if (answer instanceof Error) throw answer;
      return answer;
    };
    work = new IdleWork({ idle }, runtime, logger);
  });

  it("is asked for once, a moment later, however often something has come to rest", async () => {
    work.schedule();
    work.schedule();
    await runtime.settle();
    expect(asked).toBe(0);
    await runtime.advance(1_000);
    expect(asked).toBe(1);
  });

  it("goes on until nothing is left", async () => {
    answers = [true, true, false];
    work.schedule();
    await runtime.advance(1_000);
    expect(asked).toBe(3);
  });

  it("may be asked for again after it has failed, of which the log tells", async () => {
    answers = [new Error("a disk")];
    work.schedule();
    await runtime.advance(1_000);
    expect(warnings).toEqual(["idle work failed"]);
    work.schedule();
    await runtime.advance(1_000);
    expect(asked).toBe(2);
  });

  it("does not begin when the server has begun to stop", async () => {
    work.schedule();
    work.stop();
    await runtime.advance(1_000);
    expect(asked).toBe(0);
  });
});
