import { beforeEach, expect, it } from "vitest";
import { FakeRuntime } from "../lib/fake-runtime.js";
import { ShutDownWorkers } from "./shut-down-workers.js";

let runtime: FakeRuntime;
let workers: ShutDownWorkers;
beforeEach(() => {
  runtime = new FakeRuntime();
  workers = new ShutDownWorkers(runtime);
});

it("turns away the polls of a worker that has said goodbye, for half a minute", async () => {
  expect(workers.turnsAway("w")).toBe(false);
  workers.add("w");
  expect([workers.turnsAway("w"), workers.turnsAway("w"), workers.turnsAway("other"), workers.turnsAway("")]).toEqual([true, true, false, false]);
  await runtime.advance(29_999);
  expect(workers.turnsAway("w")).toBe(true);
  await runtime.advance(1);
  expect([workers.has("w"), workers.turnsAway("w")]).toEqual([false, false]);
});

it("lets a worker poll that goes on to ask: it has not shut down", () => {
  workers.add("w");
  for (let i = 0; i < 1_000; i++) expect(workers.turnsAway("w")).toBe(true);
  expect([workers.turnsAway("w"), workers.turnsAway("w"), workers.has("w")]).toEqual([false, false, false]);
  workers.add("w");
  expect(workers.turnsAway("w")).toBe(true);
});
