import { expect, test } from "vitest";
import {
  DescribeNamespaceRequest,
  DescribeWorkerRequest,
  RecordWorkerHeartbeatRequest,
  ShutdownWorkerRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { defaultConfig, withSettings } from "../../config/dynamic-config.js";
import { fakeServices } from "../fake-services.js";
import { requestLimits } from "../request-limits.js";
import type { Services } from "../services.js";
import { describeNamespace } from "./namespaces.js";
import { describeWorker, recordWorkerHeartbeat, shutdownWorker } from "./workers.js";

const heartbeat = (status: number) => ({ workerInstanceKey: "k", taskQueue: "q", status });
const record = RecordWorkerHeartbeatRequest.create({ namespace: "default", workerHeartbeat: [heartbeat(1)] });
const describe = DescribeWorkerRequest.create({ namespace: "default", workerInstanceKey: "k" });

test("a worker's last word is its last heartbeat", async () => {
  const f = await fakeServices({ shutdownWorker: () => undefined });
  await recordWorkerHeartbeat(f.s)(record, f.call());
  const leave = (status: number) =>
    shutdownWorker(f.s)(ShutdownWorkerRequest.create({ namespace: "default", workerHeartbeat: heartbeat(status) }), f.call());
  await leave(2);
  expect((await describeWorker(f.s)(describe, f.call())).workerInfo?.workerHeartbeat?.status).toBe(2);
  await leave(3);
  expect(() => describeWorker(f.s)(describe, f.call())).toThrow("Worker k not found");
});

test("what the settings switch off is not announced: heartbeats are taken and forgotten", async () => {
  const f = await fakeServices();
  const off = [
    "frontend.WorkerHeartbeatsEnabled=false",
    "frontend.enableCancelWorkerPollsOnShutdown=false",
    "activity.startDelayEnabled=false",
    "history.enableStandaloneActivityOperatorCommands=false",
    "frontend.enableBatchOperationsForStandaloneActivities=false",
    "frontend.WorkerCommandsEnabled=false",
    "frontend.pollerAutoscalingAutoEnroll=true",
  ];
  const { limits } = withSettings(defaultConfig(), off, () => undefined);
  const s = { ...f.s, limits: () => requestLimits(limits) };
  expect(await recordWorkerHeartbeat(s)(record, f.call())).toEqual({});
  expect(() => describeWorker(s)(describe, f.call())).toThrow("Worker k not found");
  const capabilities = async (of: Services) => {
    const { namespaceInfo } = await describeNamespace(of)(DescribeNamespaceRequest.create({ namespace: "default" }), f.call());
    const c = namespaceInfo?.capabilities;
    return [
      c?.workerHeartbeats,
      c?.workerPollCompleteOnShutdown,
      c?.standaloneActivities,
      c?.standaloneActivityStartDelay,
      c?.standaloneActivityOperatorCommands,
      c?.standaloneActivityBatchOperations,
      c?.workerCommands,
      c?.pollerAutoscalingAutoEnroll,
    ];
  };
  expect([await capabilities(f.s), await capabilities(s)]).toEqual([
    [true, true, true, true, true, true, true, false],
    [false, false, true, false, false, false, false, true],
  ]);
});
