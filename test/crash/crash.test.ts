import { describe, expect, it } from "vitest";
import { crashTest } from "./crash.js";

describe("kill -9", () => {
  it("loses nothing that was acknowledged, twenty times", { timeout: 240_000 }, async () => {
    const { starts, signals, ...bad } = await crashTest(20, 8, 700);
    expect(starts).toBeGreaterThan(20);
    expect(signals).toBeGreaterThan(100);
    expect(bad).toEqual({ kills: 20, lostStarts: 0, lostSignals: 0, twice: 0, invented: 0, stuck: 0, listWrong: 0 });
  });
});
