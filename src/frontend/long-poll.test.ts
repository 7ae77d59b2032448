/** The wait for what has no history to change. */
import { beforeEach, expect, it } from "vitest";
import type { ChangeWait } from "../history/contract.js";
import { type FakeCall, type Fakes, fakeServices } from "./fake-services.js";
import { lookUntil } from "./long-poll.js";

let f: Fakes;
let call: FakeCall;
let value: number;
let looks: number;
let waiters: Set<() => void>;
beforeEach(async () => {
  f = await fakeServices();
  call = f.call();
  value = 0;
  looks = 0;
  waiters = new Set();
  const waitForChange = (_key: number, _after: number, timeoutMs: number, onCancel: (g: () => void) => () => void): ChangeWait => {
    let stop = (): void => undefined;
    const changed = new Promise<void>((resolve) => {
      stop = () => {
        waiters.delete(stop);
        resolve();
      };
    });
    waiters.add(stop);
    f.runtime.setDeadline(timeoutMs, stop);
    onCancel(stop);
    return { changed, stop };
  };
  Object.assign(f.s.history, { waitForChange });
});

const look = (): Promise<{ key: number; value: number }> => {
  looks++;
  return Promise.resolve({ key: 1, value });
};
const until = (wanted: number, waitMs = 1_000) =>
  lookUntil(
    f.s,
    call,
    waitMs,
    look,
    (seen) => seen.value === wanted,
    () => 0,
  );
/** What is looked at becomes another one, and whoever waits hears of it. */
async function becomes(next: number): Promise<void> {
  value = next;
  for (const wake of [...waiters]) wake();
  await f.runtime.settle();
}

it("answers at once what is so already", async () => {
  expect(await until(0)).toEqual({ key: 1, value: 0 });
  expect([looks, waiters.size]).toEqual([1, 0]);
});

it("looks again after each change, until it is so", async () => {
  const found = until(2);
  await f.runtime.settle();
  expect(waiters.size).toBe(1);
  await becomes(1);
  expect(waiters.size).toBe(1);
  await becomes(2);
  expect(await found).toEqual({ key: 1, value: 2 });
  expect(waiters.size).toBe(0);
});

it("sees what comes between the look and the wait", async () => {
  const found = until(1);
  value = 1;
  expect(await found).toEqual({ key: 1, value: 1 });
  expect(waiters.size).toBe(0);
});

it("gives up when the time is over, which it may be from the beginning", async () => {
  const found = until(1);
  await f.runtime.settle();
  await f.runtime.advance(999);
  expect(waiters.size).toBe(1);
  await f.runtime.advance(1);
  expect(await found).toBeUndefined();
  expect(await until(1, -1)).toBeUndefined();
});

it("gives up when the caller has gone", async () => {
  const found = until(1);
  await f.runtime.settle();
  call.cancel();
  expect(await found).toBeUndefined();
  expect(waiters.size).toBe(0);
});

it("leaves no wait behind when a look fails", async () => {
  const found = lookUntil(
    f.s,
    call,
    1_000,
    () => (looks++ === 0 ? Promise.resolve({ key: 1 }) : Promise.reject(new Error("gone"))),
    () => false,
    () => 0,
  );
  await expect(found).rejects.toThrow("gone");
  expect(waiters.size).toBe(0);
});
