import { describe, expect, it } from "vitest";
import { WorkerStatus } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { WorkerConfig } from "../../../gen/wire/temporal/api/sdk/v1/worker_config.js";
import { WorkerHeartbeat } from "../../../gen/wire/temporal/api/worker/v1/message.js";
import { ServiceError } from "../../api/service-error.js";
import type { Init } from "../../api/wire.js";
import { updatedWorkerConfig } from "./config.js";
import { workerPredicate } from "./query.js";
import { byInstanceKey, WorkerRegistry, workerPage } from "./registry.js";

const beat = (key: string, more: Init<WorkerHeartbeat> = {}) =>
  WorkerHeartbeat.create({ workerInstanceKey: key, taskQueue: "q", status: WorkerStatus.RUNNING, ...more });

describe("a query of workers", () => {
  const worker = beat("k1", {
    workerIdentity: "me@host",
    hostInfo: { hostName: "host" },
    deploymentVersion: { deploymentName: "d", buildId: "b1" },
    sdkName: "temporal-go",
    sdkVersion: "1.2.3",
    startTime: { seconds: 1_700_000_000 },
  });
  for (const [query, expected] of [
    ["", true],
    ["WorkerInstanceKey = 'k1'", true],
    ["WorkerIdentity STARTS_WITH 'me'", true],
    ["WorkerIdentity NOT STARTS_WITH 'me'", false],
    ["HostName != 'other' AND TaskQueue = 'q'", true],
    ["DeploymentName = 'd' AND BuildId = 'b1' AND SdkName = 'temporal-go' AND SdkVersion = '1.2.3'", true],
    ["WorkerStatus = 'Running'", true],
    ["Status = 'Running'", true],
    ["`status` = 'ShuttingDown'", false],
    ["StartTime = '2023-11-14T22:13:20Z'", true],
    ["StartTime > 1700000000000000000", false],
    ["StartTime BETWEEN '2023-11-14T00:00:00Z' AND '2023-11-15T00:00:00Z'", true],
    ["StartTime NOT BETWEEN '2023-11-14T00:00:00Z' AND '2023-11-15T00:00:00Z'", false],
    ["HeartbeatTime IS NULL", true],
    ["HeartbeatTime < '2000-01-01T00:00:00Z'", true],
    ["HeartbeatTime NOT BETWEEN '2023-11-14T00:00:00Z' AND '2023-11-15T00:00:00Z'", false],
    ["BuildId IS NOT NULL", true],
    ["(TaskQueue = 'x' OR TaskQueue = 'q') AND SdkName IS NOT NULL", true],
    // What makes no sense matches nothing, and neither does what depends on it.
    ["NOT TaskQueue = 'x'", false],
    ["Unknown = 'x' OR TaskQueue = 'q'", false],
    ["TaskQueue = 'q' OR Unknown = 'x'", true],
    ["TaskQueue = 5", false],
    ["TaskQueue > 'a'", false],
    ["TaskQueue IN ('q')", false],
    ["taskqueue = 'q'", false],
    ["TaskQueue != ''", false],
    ["StartTime = 'yesterday'", false],
  ] as const)
    it(`${query || "(none)"} is ${expected}`, () => expect(workerPredicate(query)(worker)).toBe(expected));

  for (const [query, message] of [
    ["TaskQueue = ", "malformed query: syntax error at position 39"],
    ["TaskQueue = 'q' LIMIT 3", "operation is not supported: 'limit' clause"],
    ["WHERE TaskQueue = 'q'", "invalid filter: WHERE TaskQueue = 'q'"],
  ])
    it(`${query} is refused`, () => expect(() => workerPredicate(query as string)).toThrow(message));
});

describe("the registry of workers", () => {
  function registry(limits = { entryTimeMax: 100, evictionAgeMin: 10, entriesMax: 3 }) {
    const gone: string[] = [];
    const r = new WorkerRegistry(
      () => limits,
      (namespace, key) => gone.push(`${namespace}/${key}`),
    );
    const keys = (now: number, namespace = "n", system = false) =>
      r
        .all(namespace, system, now)
        .sort(byInstanceKey)
        .map((w) => w.workerInstanceKey);
    return { r, gone, keys };
  }

  it("keeps the last heartbeat of each worker of a namespace, in the order of keys", () => {
    const { r, keys } = registry();
    r.record("n", [beat("b"), beat("a", { sdkName: "old" })], 0);
    r.record("n", [beat("a", { sdkName: "new" })], 1);
    r.record("m", [beat("c")], 1);
    expect(keys(1)).toEqual(["a", "b"]);
    expect(r.find("n", "a", 1)?.sdkName).toBe("new");
    expect(r.find("n", "c", 1)).toBeUndefined();
  });

  it("lets a worker go that says that it has shut down, and not one that is about to", () => {
    const { r, gone, keys } = registry();
    r.record("n", [beat("a"), beat("b")], 0);
    r.record("n", [beat("a", { status: WorkerStatus.SHUTDOWN }), beat("b", { status: WorkerStatus.SHUTTING_DOWN }), beat("x", { status: 3 })], 1);
    expect([keys(1), gone]).toEqual([["b"], ["n/a"]]);
  });

  it("forgets a worker that is not heard of", () => {
    const { r, gone, keys } = registry();
    r.record("n", [beat("a"), beat("b")], 0);
    r.record("n", [beat("a")], 50);
    expect(keys(100)).toEqual(["a", "b"]);
    expect(keys(101)).toEqual(["a"]);
    expect(gone).toEqual(["n/b"]);
  });

  it("forgets the one heard of longest ago when there are too many, unless it is recent", () => {
    const { r, keys } = registry();
    r.record("n", [beat("a"), beat("b"), beat("c")], 0);
    r.record("n", [beat("d")], 10);
    expect(keys(10)).toEqual(["a", "b", "c", "d"]);
    expect(keys(11)).toEqual(["b", "c", "d"]);
  });

  it("hides the server's own workers unless asked", () => {
    const { r, keys } = registry();
    r.record("n", [beat("a"), beat("s", { taskQueue: "temporal-sys-per-ns-tq" })], 0);
    expect([keys(0), keys(0, "n", true)]).toEqual([["a"], ["a", "s"]]);
  });

  it("pages by the last key, also when that worker has gone", () => {
    const all = ["a", "b", "c", "d", "e"].map((k) => beat(k));
    const first = workerPage(all, 2, new Uint8Array());
    const second = workerPage(
      all.filter((w) => w.workerInstanceKey !== "b"),
      2,
      first.nextPageToken,
    );
    const third = workerPage(all, 2, second.nextPageToken);
    expect([first, second, third].map((p) => p.page.map((w) => w.workerInstanceKey))).toEqual([["a", "b"], ["c", "d"], ["e"]]);
    expect(third.nextPageToken.length).toBe(0);
    expect(workerPage(all, 0, new Uint8Array()).page.length).toBe(5);
    for (const token of ["x", "5", '{"l":7}']) expect(() => workerPage(all, 2, Buffer.from(token))).toThrow(ServiceError);
  });
});

describe("a worker's configuration", () => {
  const autoscaling = WorkerConfig.create({
    workflowCacheSize: 10,
    pollerBehavior: { case: "autoscalingPollerBehavior", value: { minPollers: 1, maxPollers: 10, initialPollers: 5 } },
  });

  it("is replaced by an update without a mask", () => {
    expect(updatedWorkerConfig(autoscaling, WorkerConfig.create({ workflowCacheSize: 3 }), [])).toEqual(
      WorkerConfig.create({ workflowCacheSize: 3 }),
    );
  });

  it("keeps what the mask does not name", () => {
    const change = WorkerConfig.create({ pollerBehavior: { case: "autoscalingPollerBehavior", value: { maxPollers: 20 } } });
    const config = updatedWorkerConfig(autoscaling, change, ["autoscaling_poller_behavior.max_pollers"]);
    expect(config).toEqual(
      WorkerConfig.create({
        workflowCacheSize: 10,
        pollerBehavior: { case: "autoscalingPollerBehavior", value: { minPollers: 1, maxPollers: 20, initialPollers: 5 } },
      }),
    );
    expect(updatedWorkerConfig(autoscaling, change, ["workflow_cache_size"]).workflowCacheSize).toBe(0);
  });

  it("goes from one behaviour of pollers to the other, and to none", () => {
    const simple = WorkerConfig.create({ pollerBehavior: { case: "simplePollerBehavior", value: { maxPollers: 4 } } });
    expect(updatedWorkerConfig(autoscaling, simple, ["simple_poller_behavior"]).pollerBehavior).toEqual(simple.pollerBehavior);
    expect(updatedWorkerConfig(autoscaling, WorkerConfig.create({}), ["autoscaling_poller_behavior"]).pollerBehavior.case).toBeUndefined();
  });

  for (const [what, change, paths] of [
    ["an unknown path", {}, ["cache"]],
    ["an unknown part", {}, ["simple_poller_behavior.size"]],
    ["a cache below nothing", { workflowCacheSize: -1 }, []],
    ["no pollers", { pollerBehavior: { case: "simplePollerBehavior", value: { maxPollers: 0 } } }, []],
    ["a minimum of none", { pollerBehavior: { case: "autoscalingPollerBehavior", value: { maxPollers: 5 } } }, []],
    [
      "a maximum below the minimum",
      { pollerBehavior: { case: "autoscalingPollerBehavior", value: { minPollers: 6, maxPollers: 5, initialPollers: 6 } } },
      [],
    ],
    ["a start outside", { pollerBehavior: { case: "autoscalingPollerBehavior", value: { minPollers: 1, maxPollers: 5, initialPollers: 6 } } }, []],
  ] as [string, Init<WorkerConfig>, string[]][])
    it(`refuses ${what}`, () => expect(() => updatedWorkerConfig(undefined, WorkerConfig.create(change), paths)).toThrow(ServiceError));
});
