import { describe, expect, it } from "vitest";
import { crashTest } from "./crash.js";

describe("kill -9", () => {
  it("loses nothing that was acknowledged, twenty times and more, whatever it cuts through", { timeout: 300_000 }, async () => {
    const { kills, starts, signals, during, ...bad } = await crashTest({ kills: 20, schemaKills: 4, clients: 8, meanMs: 700 });
    process.stdout.write(`${JSON.stringify({ kills, starts, signals, during })}\n`);
    expect(kills).toBeGreaterThanOrEqual(24);
    expect(starts).toBeGreaterThan(20);
    expect(signals).toBeGreaterThan(100);
    for (const kind of Object.keys(during) as (keyof typeof during)[]) expect(during[kind], kind).toBeGreaterThan(0);
    expect(bad).toEqual({ lostStarts: 0, lostSignals: 0, twice: 0, invented: 0, stuck: 0, listWrong: 0, unusable: 0 });
  });
});
