/** /metrics of the real server: what it tells is what was done, in Prometheus' text format. */
import { Client, Connection } from "@temporalio/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ServerProcess, startServer } from "../harness/server-process.js";

let server: ServerProcess;
let connection: Connection;
let client: Client;
beforeAll(async () => {
  server = await startServer(["--metrics-port", "0"]);
  connection = await Connection.connect({ address: server.address });
  client = new Client({ connection });
});
afterAll(async () => {
  await connection.close();
  await server.stop();
});

type Values = ReadonlyMap<string, number>;

/** By "name{labels}", labels in their order; fails on a line that is no sample, HELP or TYPE. */
async function scrape(address = server.address): Promise<Values> {
  const response = await fetch(`http://${address}/metrics`);
  expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  const values = new Map<string, number>();
  for (const line of (await response.text()).split("\n")) {
    if (line === "" || line.startsWith("# HELP ") || line.startsWith("# TYPE ")) continue;
    const [, name = "", labels = "", value = ""] = /^([a-z_][a-z0-9_]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    expect(name, line).not.toBe("");
    values.set(
      `${name}{${
        labels
          .match(/\w+="[^"]*"/g)
          ?.sort()
          .join(",") ?? ""
      }}`,
      Number(value),
    );
  }
  return values;
}

const request = (name: string, operation: string, namespace: string, more = "") =>
  `${name}{${[...(more === "" ? [] : [more]), `namespace="${namespace}"`, `operation="${operation}"`, 'service_name="frontend"'].sort().join(",")}}`;

it("counts requests, errors and the ends of workflows", async () => {
  const before = await scrape();
  const handles = await Promise.all([1, 2].map((n) => client.workflow.start("shopping", { taskQueue: "nobody-polls", workflowId: `w${n}` })));
  await handles[0]?.terminate();
  await expect(client.workflow.getHandle("none").describe()).rejects.toThrow();
  const after = await scrape();
  const grown = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0);
  expect(grown(request("service_requests", "StartWorkflowExecution", "default"))).toBe(2);
  expect(grown(request("service_latency_count", "StartWorkflowExecution", "default"))).toBe(2);
  expect(grown(request("service_latency_bucket", "StartWorkflowExecution", "default", 'le="+Inf"'))).toBe(2);
  expect(grown(request("service_error_with_type", "DescribeWorkflowExecution", "default", 'error_type="NOT_FOUND"'))).toBe(1);
  expect(grown('workflow_terminate{namespace="default",workflowType="shopping"}')).toBe(1);
  expect(after.get('workflow_success{namespace="default",workflowType="shopping"}')).toBeUndefined();
  // Two starts and a termination, each acknowledged from disk; calls at once may share a transaction.
  expect(grown("perdure_commits_total{}")).toBeGreaterThanOrEqual(2);
  expect(grown("perdure_inputs_total{}")).toBeGreaterThanOrEqual(4);
});

it("tells how many tasks wait and for how long", async () => {
  await client.workflow.start("shopping", { taskQueue: "slow", workflowId: "waits" });
  const labels = '{namespace="default",task_type="Workflow",taskqueue="slow",worker_version="__unversioned__"}';
  const values = await scrape();
  expect(values.get(`approximate_backlog_count${labels}`)).toBe(1);
  expect(values.get(`perdure_pollers${labels}`)).toBe(0);
  expect(values.get(`approximate_backlog_age_seconds${labels}`)).toBeGreaterThan(0);
  expect((await scrape()).get(`approximate_backlog_age_seconds${labels}`)).toBeGreaterThan(
    values.get(`approximate_backlog_age_seconds${labels}`) ?? 0,
  );
});

it("answers on the port of its own as well, and tells of the process", async () => {
  const ready = server.readyLine as { metrics: string };
  const address = new URL(ready.metrics).host;
  expect(address).not.toBe(server.address);
  const values = await scrape(address);
  expect(values.get("process_resident_memory_bytes{}")).toBeGreaterThan(1e7);
  expect(values.get("nodejs_eventloop_lag_p99_seconds{}")).toBeGreaterThan(0);
});
