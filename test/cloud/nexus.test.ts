/** CloudService: Nexus endpoints, which are OperatorService's too, and who may call them. */
import { beforeEach, describe, expect, it } from "vitest";
import { AccountAccess_Role as Role } from "../../gen/wire/temporal/api/cloud/identity/v1/message.js";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import { History } from "../../gen/wire/temporal/api/history/v1/message.js";
import { OperatorService } from "../../gen/wire/temporal/api/operatorservice/v1/service.js";
import { decode } from "../../src/api/wire.js";
import { CloudWorld, codeOf, W } from "./cloud-world.js";

let world: CloudWorld;
beforeEach(async () => {
  world = await CloudWorld.start();
});

const spec = (name: string, namespaceId = "one", allowed: readonly string[] = ["two"]) => ({
  name,
  targetSpec: { variant: { case: "workerTargetSpec", value: { namespaceId, taskQueue: "q" } } } as const,
  policySpecs: allowed.map((id) => ({ variant: { case: "allowedCloudNamespacePolicySpec", value: { namespaceId: id } } }) as const),
});

describe("Nexus endpoints", () => {
  it("are made, read, changed and deleted, and are one store with OperatorService's", async () => {
    const { endpointId } = await world.call("CreateNexusEndpoint", { spec: spec("first") });
    await world.call("UpdateNexusEndpoint", { endpointId, resourceVersion: "1", spec: spec("renamed", "two", []) });
    await world.restart();
    const { endpoint } = await world.call("GetNexusEndpoint", { endpointId });
    expect(endpoint).toMatchObject({ id: endpointId, resourceVersion: "2", spec: spec("renamed", "two", []) });
    const official = await world.rpc(OperatorService.methods.GetNexusEndpoint, { id: endpointId });
    expect(official.endpoint?.spec?.name).toBe("renamed");
    const target = { variant: { case: "worker", value: { namespace: "one", taskQueue: "other" } } } as const;
    await world.rpc(OperatorService.methods.CreateNexusEndpoint, { spec: { name: "theirs", target } });
    const names = async (request: Parameters<typeof world.call<"GetNexusEndpoints">>[1]) =>
      (await world.call("GetNexusEndpoints", request)).endpoints.map((e) => e.spec?.name).sort();
    expect(await names({})).toEqual(["renamed", "theirs"]);
    expect(await names({ targetNamespaceId: "one" })).toEqual(["theirs"]);
    expect(await names({ targetTaskQueue: "q" })).toEqual(["renamed"]);
    expect(await names({ name: "renamed", targetNamespaceId: "one" })).toEqual([]);
    expect(await codeOf(world.call("DeleteNexusEndpoint", { endpointId, resourceVersion: "1" }))).toBe("FAILED_PRECONDITION");
    await world.call("DeleteNexusEndpoint", { endpointId, resourceVersion: "2" });
    await world.restart();
    expect(await codeOf(world.call("GetNexusEndpoint", { endpointId }))).toBe("NOT_FOUND");
    expect((await world.call("GetAuditLogs", {})).logs.map((l) => l.operation)).toEqual([
      "CreateNexusEndpoint",
      "UpdateNexusEndpoint",
      "DeleteNexusEndpoint",
    ]);
  });

  it("are refused when they make no sense", async () => {
    await world.call("CreateNexusEndpoint", { spec: spec("first") });
    expect(await codeOf(world.call("CreateNexusEndpoint", { spec: spec("first") }))).toBe("ALREADY_EXISTS");
    expect(await codeOf(world.call("CreateNexusEndpoint", { spec: spec("1") }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(world.call("CreateNexusEndpoint", { spec: { name: "second" } }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(world.call("CreateNexusEndpoint", { spec: spec("second", "three") }))).toBe("FAILED_PRECONDITION");
    expect(await codeOf(world.call("CreateNexusEndpoint", { spec: spec("second", "one", ["three"]) }))).toBe("NOT_FOUND");
    const resourceVersion = (await world.call("GetNamespace", { namespace: "one" })).namespace?.resourceVersion ?? "";
    expect(await codeOf(world.call("DeleteNamespace", { namespace: "one", resourceVersion }))).toBe("FAILED_PRECONDITION");
  });

  it("lead a developer only to namespaces that are theirs", async () => {
    const developer = await world.key(1, await world.user("a@example.com", { role: Role.DEVELOPER, namespaces: { one: 1, two: 2 } }));
    const { endpointId } = await world.call("CreateNexusEndpoint", { spec: spec("mine") }, developer);
    expect(await codeOf(world.call("CreateNexusEndpoint", { spec: spec("other", "two") }, developer))).toBe("PERMISSION_DENIED");
    const move = { endpointId, resourceVersion: "1", spec: spec("mine", "two") };
    expect(await codeOf(world.call("UpdateNexusEndpoint", move, developer))).toBe("PERMISSION_DENIED");
    const theirs = (await world.call("CreateNexusEndpoint", { spec: spec("theirs", "two") })).endpointId;
    expect(await codeOf(world.call("DeleteNexusEndpoint", { endpointId: theirs, resourceVersion: "1" }, developer))).toBe("PERMISSION_DENIED");
    expect(await codeOf(world.call("DeleteNexusEndpoint", { endpointId, resourceVersion: "1" }, developer))).toBe("OK");
  });

  it("take calls from the namespaces that their policies allow, and fail those from others", async () => {
    await world.call("CreateNexusEndpoint", { spec: spec("guarded", "one", ["two"]) });
    const operated = async (namespace: string) => {
      const taskQueue = { name: "workflows" };
      await world.rpc(W.StartWorkflowExecution, { namespace, workflowId: "w", requestId: "r", workflowType: { name: "t" }, taskQueue });
      const { taskToken } = await world.rpc(W.PollWorkflowTaskQueue, { namespace, taskQueue });
      const value = { endpoint: "guarded", service: "s", operation: "o" };
      const attributes = { case: "scheduleNexusOperationCommandAttributes", value } as const;
      await world.rpc(W.RespondWorkflowTaskCompleted, {
        ...{ namespace, taskToken },
        commands: [{ commandType: CommandType.SCHEDULE_NEXUS_OPERATION, attributes }],
      });
    };
    await operated("one");
    const failure = async () => {
      const { history } = await world.rpc(W.GetWorkflowExecutionHistory, { namespace: "one", execution: { workflowId: "w" } });
      const events = decode(History, history ?? new Uint8Array()).events.map((e) => e.attributes);
      const failed = events.find((a) => a.case === "nexusOperationFailedEventAttributes");
      return failed?.case === "nexusOperationFailedEventAttributes" ? failed.value.failure?.cause?.message : undefined;
    };
    for (let i = 0; i < 200 && (await failure()) === undefined; i++) {
      world.runtime.elapse(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await failure()).toContain("namespace one may not call endpoint guarded");
    await operated("two");
    const task = await world.rpc(W.PollNexusTaskQueue, { namespace: "one", taskQueue: { name: "q" } });
    expect(task.taskToken.length).toBeGreaterThan(0);
  });
});
