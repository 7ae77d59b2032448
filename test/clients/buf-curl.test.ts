/** `buf curl --reflect` in each protocol that it speaks, over HTTP/2 without TLS. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServerProcess, startServer } from "../harness/server-process.js";
import { type Ran, run } from "./run.js";

const BUF = join(import.meta.dirname, "../../node_modules/.bin/buf");
const WORKFLOW_SERVICE = "temporal.api.workflowservice.v1.WorkflowService";

describe("buf curl", () => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(async () => {
    await server?.stop();
  });

  const curl = (flags: readonly string[], method: string, request: object): Promise<Ran> =>
    run(BUF, ["curl", ...flags, "-d", JSON.stringify(request), `http://${server.address}/${WORKFLOW_SERVICE}/${method}`]);

  it("lists services and methods", async () => {
    const flags = ["curl", "--http2-prior-knowledge", "--reflect"];
    expect((await run(BUF, [...flags, "--list-services", `http://${server.address}`])).stdout.split("\n")).toContain(WORKFLOW_SERVICE);
    const methods = await run(BUF, [...flags, "--list-methods", `http://${server.address}`]);
    expect(methods.stdout.split("\n")).toContain(`${WORKFLOW_SERVICE}/StartWorkflowExecution`);
  });

  const prior = "--http2-prior-knowledge";
  it.each([
    ["gRPC", ["--protocol", "grpc", prior, "--reflect"]],
    ["gRPC, reflection v1alpha", ["--protocol", "grpc", prior, "--reflect", "--reflect-protocol", "grpc-v1alpha"]],
    ["gRPC-Web", ["--protocol", "grpcweb", prior, "--reflect"]],
    ["Connect", ["--protocol", "connect", prior, "--reflect"]],
  ])("calls in %s, and reads errors with their details", async (_, flags) => {
    const found = await curl(flags, "DescribeNamespace", { namespace: "default" });
    expect(JSON.parse(found.stdout)).toMatchObject({ namespaceInfo: { name: "default", state: "NAMESPACE_STATE_REGISTERED" } });
    const absent = await curl(flags, "DescribeNamespace", { namespace: "nope" });
    expect(absent.code).not.toBe(0);
    expect(JSON.parse(absent.stderr)).toMatchObject({
      code: "not_found",
      message: "Namespace nope is not found.",
      details: [{ type: "temporal.api.errordetails.v1.NamespaceNotFoundFailure" }],
    });
  });
});
