/** Both versions of server reflection, as a client without a .proto file uses them. */
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ServerReflection as V1 } from "../../../gen/es/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as V1Alpha } from "../../../gen/es/grpc/reflection/v1alpha/reflection_pb.js";
import { type ListenerUnderTest, openListenerUnderTest } from "../listener-under-test.js";

const WORKFLOW_SERVICE = "temporal.api.workflowservice.v1.WorkflowService";

let server: ListenerUnderTest;
beforeAll(async () => {
  server = await openListenerUnderTest();
});
afterAll(async () => {
  await server.listener.close();
  await server.listener.drain(0);
});

/** What the generated request messages of both versions look like. */
type Ask =
  | { case: "fileByFilename" | "fileContainingSymbol" | "allExtensionNumbersOfType" | "listServices"; value: string }
  | { case: "fileContainingExtension"; value: { containingType: string; extensionNumber: number } }
  | { case: undefined };

describe.each([
  ["v1", (t: Transport) => createClient(V1, t)],
  ["v1alpha", (t: Transport) => createClient(V1Alpha as unknown as typeof V1, t)],
] as const)("reflection %s", (_, make) => {
  async function ask(...asks: Ask[]) {
    const client = make(createGrpcTransport({ baseUrl: `http://127.0.0.1:${server.port}` }));
    async function* requests() {
      for (const messageRequest of asks) yield { host: "h", messageRequest };
    }
    const answers = [];
    for await (const a of client.serverReflectionInfo(requests())) {
      expect([a.validHost, a.originalRequest?.host]).toEqual(["h", "h"]);
      answers.push(a.messageResponse);
    }
    return answers;
  }

  async function files(request: Ask): Promise<FileDescriptorProto[]> {
    const [answer] = await ask(request);
    if (answer?.case !== "fileDescriptorResponse") throw new Error(`not files: ${JSON.stringify(answer)}`);
    return answer.value.fileDescriptorProto.map((b) => fromBinary(FileDescriptorProtoSchema, b));
  }

  it("lists the services", async () => {
    const [answer] = await ask({ case: "listServices", value: "" });
    if (answer?.case !== "listServicesResponse") throw new Error("not services");
    expect(answer.value.service.map((s) => s.name)).toEqual([
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "perdure.security.v1.KeyService",
      "temporal.api.cloud.cloudservice.v1.CloudService",
      "temporal.api.operatorservice.v1.OperatorService",
      "temporal.api.testservice.v1.TestService",
      WORKFLOW_SERVICE,
      "temporal.server.api.adminservice.v1.AdminService",
    ]);
  });

  it("gives a service's file with all that it imports, which is enough to build a client", async () => {
    const file = await files({ case: "fileContainingSymbol", value: WORKFLOW_SERVICE });
    expect(file[0]?.name).toBe("temporal/api/workflowservice/v1/service.proto");
    const imported = new Set<FileDescriptorProto>();
    const add = (name: string): void => {
      const f = file.find((x) => x.name === name);
      if (f === undefined) throw new Error(`${name} is imported and not there`);
      if (imported.has(f)) return;
      for (const d of f.dependency) add(d);
      imported.add(f);
    };
    add(file[0]?.name ?? "");
    expect(imported.size).toBe(file.length);
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...imported] }));
    const start = registry.getService(WORKFLOW_SERVICE)?.method.startWorkflowExecution;
    expect(start?.input.fields.map((f) => f.name)).toContain("workflow_id");
  });

  it.each([
    [WORKFLOW_SERVICE, "temporal/api/workflowservice/v1/service.proto"],
    [`${WORKFLOW_SERVICE}.StartWorkflowExecution`, "temporal/api/workflowservice/v1/service.proto"],
    ["temporal.api.common.v1.Payload", "temporal/api/common/v1/message.proto"],
    ["temporal.api.common.v1.Payload.data", "temporal/api/common/v1/message.proto"],
    ["temporal.api.enums.v1.EventType", "temporal/api/enums/v1/event_type.proto"],
    ["google.api.http", "google/api/annotations.proto"],
    ["google.protobuf.Timestamp", "google/protobuf/timestamp.proto"],
  ])("finds the file of %s", async (symbol, name) => {
    expect((await files({ case: "fileContainingSymbol", value: symbol }))[0]?.name).toBe(name);
    expect((await files({ case: "fileByFilename", value: name }))[0]?.name).toBe(name);
  });

  it("finds extensions by number and by type", async () => {
    const options = "google.protobuf.MethodOptions";
    const found = await files({ case: "fileContainingExtension", value: { containingType: options, extensionNumber: 72295728 } });
    expect(found[0]?.name).toBe("google/api/annotations.proto");
    const [numbers] = await ask({ case: "allExtensionNumbersOfType", value: options });
    expect(numbers).toMatchObject({ case: "allExtensionNumbersResponse", value: { baseTypeName: options } });
    expect((numbers as { value: { extensionNumber: number[] } }).value.extensionNumber).toContain(72295728);
  });

  it("answers each request of a stream, those for what is not there with an error that ends nothing", async () => {
    const answers = await ask(
      { case: "fileContainingSymbol", value: "no.such.Symbol" },
      { case: "fileContainingSymbol", value: "temporal.api.common.v1.Payload.absent" },
      { case: "fileContainingSymbol", value: "none" },
      { case: "fileByFilename", value: "no/such.proto" },
      { case: "fileContainingExtension", value: { containingType: "no.Type", extensionNumber: 1 } },
      { case: "allExtensionNumbersOfType", value: "no.Type" },
      { case: undefined },
      { case: "listServices", value: "" },
    );
    expect(answers.map((a) => (a.case === "errorResponse" ? a.value.errorCode : a.case))).toEqual([5, 5, 5, 5, 5, 5, 3, "listServicesResponse"]);
  });
});
