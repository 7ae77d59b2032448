/** grpcurl with no .proto at hand: everything that it knows comes from reflection. Built once with Go, kept in .setup/. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServerProcess, startServer } from "../harness/server-process.js";
import { goIsHere } from "../sdk/languages.js";
import { type Ran, run } from "./run.js";

const VERSION = "v1.9.4";
const BIN = join(import.meta.dirname, "../../.setup/clients", `grpcurl-${VERSION}`);
const BINARY = join(BIN, "grpcurl");
const BUILD_MS_MAX = 600_000;
const WORKFLOW_SERVICE = "temporal.api.workflowservice.v1.WorkflowService";

describe.skipIf(!goIsHere("grpcurl"))("grpcurl", () => {
  let server: ServerProcess;
  beforeAll(async () => {
    if (!existsSync(BINARY)) {
      mkdirSync(BIN, { recursive: true });
      execFileSync("go", ["install", `github.com/fullstorydev/grpcurl/cmd/grpcurl@${VERSION}`], {
        env: { ...process.env, GOBIN: BIN },
        stdio: "pipe",
      });
    }
    server = await startServer();
  }, BUILD_MS_MAX);
  afterAll(async () => {
    await server?.stop();
  });

  const grpcurl = (...args: string[]): Promise<Ran> => run(BINARY, ["-plaintext", ...args]);
  const call = (method: string, request: object): Promise<Ran> => grpcurl("-d", JSON.stringify(request), server.address, method);

  it("lists services and their methods", async () => {
    const services = await grpcurl(server.address, "list");
    expect([services.code, services.stdout.trim().split("\n")]).toEqual([
      0,
      expect.arrayContaining([WORKFLOW_SERVICE, "temporal.api.operatorservice.v1.OperatorService", "grpc.health.v1.Health"]),
    ]);
    const methods = await grpcurl(server.address, "list", WORKFLOW_SERVICE);
    expect(methods.stdout.split("\n")).toContain(`${WORKFLOW_SERVICE}.StartWorkflowExecution`);
  });

  it("describes services, methods and messages", async () => {
    expect((await grpcurl(server.address, "describe", "temporal.api.common.v1.WorkflowExecution")).stdout).toContain(
      "message WorkflowExecution {\n  string workflow_id = 1;\n  string run_id = 2;\n}",
    );
    expect((await grpcurl(server.address, "describe", `${WORKFLOW_SERVICE}.GetSystemInfo`)).stdout).toContain(
      "rpc GetSystemInfo ( .temporal.api.workflowservice.v1.GetSystemInfoRequest ) returns",
    );
  });

  it("starts, reads and terminates a workflow", async () => {
    const execution = { namespace: "default", workflowId: "from-grpcurl" };
    const start = { ...execution, workflowType: { name: "t" }, taskQueue: { name: "q" }, requestId: "1", input: { payloads: [{ data: "MQ==" }] } };
    const started = await call(`${WORKFLOW_SERVICE}/StartWorkflowExecution`, start);
    const { runId } = JSON.parse(started.stdout) as { runId: string };
    const address = { namespace: "default", execution: { workflowId: "from-grpcurl" } };
    expect(JSON.parse((await call(`${WORKFLOW_SERVICE}/DescribeWorkflowExecution`, address)).stdout)).toMatchObject({
      workflowExecutionInfo: { execution: { workflowId: "from-grpcurl", runId }, status: "WORKFLOW_EXECUTION_STATUS_RUNNING" },
    });
    const again = await call(`${WORKFLOW_SERVICE}/StartWorkflowExecution`, { ...start, requestId: "2" });
    // 64 and the gRPC code.
    expect(again.code).toBe(64 + 6);
    expect(again.stderr).toContain("Code: AlreadyExists");
    expect(again.stderr).toContain("temporal.api.errordetails.v1.WorkflowExecutionAlreadyStartedFailure");
    const terminate = { ...address, workflowExecution: address.execution, execution: undefined, reason: "done" };
    expect((await call(`${WORKFLOW_SERVICE}/TerminateWorkflowExecution`, terminate)).code).toBe(0);
    const history = JSON.parse((await call(`${WORKFLOW_SERVICE}/GetWorkflowExecutionHistory`, address)).stdout);
    expect(history.history.events.map((e: { eventType: string }) => e.eventType)).toEqual([
      "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED",
      "EVENT_TYPE_WORKFLOW_TASK_SCHEDULED",
      "EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED",
    ]);
  });

  it("asks for the server's health", async () => {
    for (const service of ["", WORKFLOW_SERVICE])
      expect(JSON.parse((await call("grpc.health.v1.Health/Check", { service })).stdout)).toEqual({ status: "SERVING" });
    expect((await call("grpc.health.v1.Health/Check", { service: "unknown" })).code).toBe(64 + 5);
  });
});
