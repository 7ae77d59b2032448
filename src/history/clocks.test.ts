/** Clocks of namespaces over a store that takes its time: what callers are told of a clock is never lost. */
import { describe, expect, it } from "vitest";
import { FakeEngine, NAMESPACE, watch } from "./fake-engine.js";

const HOUR_MICROS = 3_600_000_000;
const NOBODY = () => () => undefined;

/** The namespace has a clock of its own, which is locked. */
async function begun(): Promise<FakeEngine> {
  const f = new FakeEngine();
  await f.engine.start([]);
  await f.settle();
  watch(f.engine.clocks.lock(NAMESPACE));
  await f.settle();
  watch(f.engine.clocks.unlock(NAMESPACE));
  await f.settle();
  return f;
}

const ahead = (f: FakeEngine): number => f.engine.clocks.currentTime(NAMESPACE) - f.runtime.nowMicros();

async function untilHeld(f: FakeEngine): Promise<void> {
  f.isHolding = true;
  for (let i = 0; i < 10 && f.held.length === 0; i++) await f.runtime.advance(1);
  expect(f.held.length).toBe(1);
}

async function letGo(f: FakeEngine): Promise<void> {
  f.isHolding = false;
  while (f.held.length > 0) await f.letGo();
}

describe("the clock of a namespace", () => {
  it("is told as it was until the skip to a sleeper is durable, and nobody else is woken before", async () => {
    const f = await begun();
    const { clocks } = f.engine;
    const start = clocks.currentTime(NAMESPACE);
    watch(clocks.sleep(NAMESPACE, HOUR_MICROS, NOBODY, { unlocked: true }));
    await untilHeld(f);
    expect(ahead(f)).toBe(0);
    const late = watch(clocks.sleepUntil(NAMESPACE, start + HOUR_MICROS / 2, NOBODY).then(() => "woken"));
    await f.settle();
    expect(late.value).toBeUndefined();
    await letGo(f);
    expect(ahead(f)).toBeGreaterThan(HOUR_MICROS - 1_000_000);
    expect(late.value).toBe("woken");
  });

  it("is told as it was until the skip to a deadline is durable, and after a death is no earlier than it was told", async () => {
    const f = await begun();
    f.start("w", { workflowStartDelay: { seconds: 3600 } });
    await f.settle();
    watch(f.engine.clocks.unlock(NAMESPACE));
    await untilHeld(f);
    expect(ahead(f)).toBe(0);
    await letGo(f);
    const told = ahead(f);
    expect(told).toBeGreaterThan(HOUR_MICROS - 1_000_000);
    await f.restart();
    expect(ahead(f)).toBe(told);
  });
});
