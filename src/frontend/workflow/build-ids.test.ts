import { expect, test } from "vitest";
import { TaskReachability } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import {
  GetWorkerTaskReachabilityRequest,
  GetWorkerVersioningRulesRequest,
  UpdateWorkerBuildIdCompatibilityRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { Code } from "../../api/service-error.js";
import { defaultConfig, withSettings } from "../../config/dynamic-config.js";
import { fakeServices } from "../fake-services.js";
import { requestLimits } from "../request-limits.js";
import { getWorkerTaskReachability, getWorkerVersioningRules, updateWorkerBuildIdCompatibility } from "./build-ids.js";

const base = { namespace: "default", taskQueue: "q" };
const newSet = (value: string) =>
  UpdateWorkerBuildIdCompatibilityRequest.create({ ...base, operation: { case: "addNewBuildIdInNewDefaultSet", value } });

test("where the settings switch them off, they are refused with the official texts", async () => {
  const f = await fakeServices();
  const off = ["frontend.workerVersioningDataAPIs=false", "frontend.workerVersioningRuleAPIs=false"];
  const { limits } = withSettings(defaultConfig(), off, () => undefined);
  const s = { ...f.s, limits: () => requestLimits(limits) };
  const refused = async (call: () => unknown) => Promise.resolve().then(call);
  const sets = "Worker versioning v0.1 (Version Set-based, deprecated) is disabled on this namespace.";
  const rules = "Worker versioning v0.2 (Rules-based, deprecated) is disabled on this namespace.";
  await expect(refused(() => updateWorkerBuildIdCompatibility(s)(newSet("1"), f.call()))).rejects.toMatchObject({
    code: Code.PERMISSION_DENIED,
    message: sets,
  });
  await expect(refused(() => getWorkerVersioningRules(s)(GetWorkerVersioningRulesRequest.create(base), f.call()))).rejects.toMatchObject({
    code: Code.PERMISSION_DENIED,
    message: rules,
  });
  await expect(refused(() => getWorkerTaskReachability(s)(GetWorkerTaskReachabilityRequest.create(base), f.call()))).rejects.toMatchObject({
    code: Code.PERMISSION_DENIED,
    message: rules,
  });
});

test("what was the default counts as reachable by new workflows for five minutes more", async () => {
  const f = await fakeServices();
  const ask = async () => {
    const request = GetWorkerTaskReachabilityRequest.create({ namespace: "default", buildIds: ["", "1", "2"], taskQueues: ["q"] });
    const { buildIdReachability } = await getWorkerTaskReachability(f.s)(request, f.call());
    return buildIdReachability?.map((b) => b.taskQueueReachability?.[0]?.reachability?.includes(TaskReachability.NEW_WORKFLOWS));
  };
  await updateWorkerBuildIdCompatibility(f.s)(newSet("1"), f.call());
  await updateWorkerBuildIdCompatibility(f.s)(newSet("2"), f.call());
  expect(await ask()).toEqual([true, true, true]);
  f.runtime.elapse(301_000);
  expect(await ask()).toEqual([false, false, true]);
});
