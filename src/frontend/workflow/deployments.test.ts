import { expect, it } from "vitest";
import { WorkflowService } from "../../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { Code, ServiceError } from "../../api/service-error.js";
import { fakeServices } from "../fake-services.js";
import { methodTable } from "../methods.js";

it("refuses the five pre-release deployment RPCs as the official server does", async () => {
  const f = await fakeServices();
  const table = methodTable(f.s);
  const { DescribeDeployment, ListDeployments, GetDeploymentReachability, GetCurrentDeployment, SetCurrentDeployment } = WorkflowService.methods;
  for (const method of [DescribeDeployment, ListDeployments, GetDeploymentReachability, GetCurrentDeployment, SetCurrentDeployment]) {
    const error = await Promise.resolve()
      .then(() => table.get(method.path)?.handler?.(method.input.create({}), f.call()))
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ServiceError);
    expect(error).toMatchObject({
      code: Code.UNIMPLEMENTED,
      message: "Deployments are deprecated and no longer supported, use Worker Deployments instead",
    });
  }
});
