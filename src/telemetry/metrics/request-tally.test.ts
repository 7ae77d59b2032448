import { expect, it } from "vitest";
import type { Method } from "../../api/call.js";
import { Code } from "../../api/service-error.js";
import { RequestTally } from "./request-tally.js";

const method = (name: string) => ({ name }) as Method;
const START = method("StartWorkflowExecution");

async function samples(tally: RequestTally, name: string) {
  const metric = tally.metrics.find((m) => m.name === name);
  return [...((await metric?.samples()) ?? [])];
}

it("counts requests and errors by method and namespace", async () => {
  const tally = new RequestTally((name) => name === "default");
  tally.record(START, { namespace: "default" }, 100, 0);
  tally.record(START, { namespace: "default" }, 100, Code.NOT_FOUND);
  tally.record(method("GetSystemInfo"), {}, 100, 0);
  const labels = { service_name: "frontend", operation: "StartWorkflowExecution", namespace: "default" };
  expect(await samples(tally, "service_requests")).toEqual([
    { labels, value: 2 },
    { labels: { ...labels, operation: "GetSystemInfo", namespace: "_unknown_" }, value: 1 },
  ]);
  expect(await samples(tally, "service_error_with_type")).toEqual([{ labels: { ...labels, error_type: "NOT_FOUND" }, value: 1 }]);
});

it("sums the buckets of its histogram up", async () => {
  const tally = new RequestTally(() => true);
  for (const micros of [900, 1_000, 1_001, 70_000_000]) tally.record(START, { namespace: "default" }, micros, 0);
  const all = await samples(tally, "service_latency");
  const of = (part: string) => all.filter((s) => s.part === part);
  const buckets = Object.fromEntries(of("bucket").map((s) => [s.labels.le, s.value]));
  expect([buckets["0.001"], buckets["0.0025"], buckets["60"], buckets["+Inf"]]).toEqual([2, 3, 3, 4]);
  expect(of("sum")[0]?.value).toBeCloseTo(70.002901);
  expect(of("count")[0]?.value).toBe(4);
});

it("does not grow with names that are no namespace", async () => {
  const tally = new RequestTally(() => false);
  for (let i = 0; i < 1000; i++) tally.record(START, { namespace: `n${i}` }, 1, Code.NOT_FOUND);
  expect(await samples(tally, "service_requests")).toMatchObject([{ labels: { namespace: "_unknown_" }, value: 1000 }]);
});
