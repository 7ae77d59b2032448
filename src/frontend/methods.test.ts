import { expect, test } from "vitest";
import { KeyService } from "../../gen/wire/perdure/security/v1/service.js";
import { CloudService } from "../../gen/wire/temporal/api/cloud/cloudservice/v1/service.js";
import { OperatorService } from "../../gen/wire/temporal/api/operatorservice/v1/service.js";
import { TestService } from "../../gen/wire/temporal/api/testservice/v1/service.js";
import { WorkflowService } from "../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { AdminService } from "../../gen/wire/temporal/server/api/adminservice/v1/service.js";
import { fakeServices } from "./fake-services.js";
import { methodTable } from "./methods.js";

test("the table has a row for every RPC of the services, and nothing else", async () => {
  const table = methodTable((await fakeServices()).s);
  const paths = [WorkflowService, OperatorService, TestService, KeyService, AdminService, CloudService].flatMap((service) =>
    Object.values(service.methods).map((m) => m.path),
  );
  expect([...table.keys()].sort()).toEqual([...paths].sort());
  for (const [path, m] of table) expect(path).toBe(`/${m.service}/${m.name}`);
});
