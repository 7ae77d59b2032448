/** A dynamic config file as operators of the official server have it: two namespaces with limits of their own, read again when it changes. */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GrpcSubject } from "../conformance/grpc-subject.js";
import { Session } from "../conformance/session.js";
import { type ServerProcess, startServer, temporaryDirectory } from "../harness/server-process.js";
import { blob, refusal } from "./row.js";

const FILE = `# limits of the teams
limit.blobSize.error:
  - value: 2000
    constraints:
      namespace: "small"
  - value: 1_000_000
    constraints: {}
limit.blobSize.warn:
- value: 1000
history.maximumSignalsPerExecution:
  - value: 1
    constraints: {namespace: small}
frontend.workflowRulesAPIsEnabled:
  - value: "false"
    constraints: {namespace: "small"}
limit.maxIDLength:
  - value: 5
    constraints: {namespace: "small"}
matching.longPollExpirationInterval:
  - value: 2s
    constraints: {namespace: "small", taskQueueName: "hurried", taskType: "Workflow"}
history.persistenceMaxQPS:
  - value: 3000
    constraints: {}
`;

const file = join(temporaryDirectory(), "dynamic-config.yaml");
let server: ServerProcess;
let subject: GrpcSubject;

beforeAll(async () => {
  writeFileSync(file, FILE);
  const namespaces = ["small", "large"].flatMap((n) => ["--namespace", n]);
  server = await startServer([...namespaces, "--dynamic-config-file", file, "--log-format", "json", "--log-level", "info"]);
  subject = new GrpcSubject(server.address);
});
afterAll(async () => {
  subject.close();
  expect(await server.stop()).toBe(0);
});

/** As editors do it: nobody reads half of it. */
function rewrite(text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

const start = (s: Session, namespace: string, bytes = 10) =>
  refusal(s, "StartWorkflowExecution", {
    ...{ namespace, workflowId: s.id, requestId: s.id, workflowType: { name: "T" }, taskQueue: { name: s.queue }, identity: "i" },
    input: blob(bytes),
  } as never);
const signal = (s: Session, namespace: string) =>
  refusal(s, "SignalWorkflowExecution", { namespace, workflowExecution: { workflowId: s.id }, signalName: "s" } as never);

describe("limits of one namespace", () => {
  test("of what a request carries: refused in one, accepted in the other", async () => {
    const s = new Session(subject);
    expect(await start(s, "small", 3000)).toEqual(["INVALID_ARGUMENT", "Blob data size exceeds limit."]);
    expect(await start(s, "large", 3000)).toBe("OK");
    expect(await start(s, "default", 3000)).toBe("OK");
  });

  test("of what an execution may become", async () => {
    const s = new Session(subject);
    for (const namespace of ["small", "large"]) expect(await start(s, namespace)).toBe("OK");
    expect([await signal(s, "small"), await signal(s, "large")]).toEqual(["OK", "OK"]);
    expect(await signal(s, "small")).toEqual(["INVALID_ARGUMENT", "exceeded workflow execution limit for signal events"]);
    expect(await signal(s, "large")).toBe("OK");
  });

  test("of what it is served, by a text for a boolean", async () => {
    const s = new Session(subject);
    const rules = (namespace: string) => refusal(s, "ListWorkflowRules", { namespace } as never);
    expect(await rules("small")).toEqual(["UNIMPLEMENTED", "method ListWorkflowRules not supported"]);
    expect(await rules("large")).toBe("OK");
  });

  test("are none where the official server never looks one up, and the log says so", async () => {
    const s = new Session(subject);
    expect(await start(s, "small")).toBe("OK");
    const ignored = server
      .log()
      .split("\n")
      .filter((line) => line.includes("is ignored"));
    expect(ignored.map((line) => (JSON.parse(line) as { key: string }).key)).toEqual(["limit.maxIDLength"]);
    expect(ignored[0]).toContain(`${file}, line 17"`);
  });
});

test("of one task queue: its polls for workflow tasks come back empty in their time", async () => {
  const s = new Session(subject);
  const poll = (name: string) => s.call("PollWorkflowTaskQueue", { namespace: "small", taskQueue: { name }, identity: "i" } as never, 50_000);
  // Empty by the queue's own limit: that of all others is longer than the call.
  expect((await poll("hurried")).taskToken).toHaveLength(0);
});

describe("a file that changes", () => {
  test("counts from the next call on, unless it is wrong: then the last one that was right stays in use", async () => {
    const s = new Session(subject);
    const isAllowed = async () => (await start(new Session(subject), "small", 3000)) === "OK";
    expect(await isAllowed()).toBe(false);
    rewrite(FILE.replace("value: 2000", "value: 4000"));
    await s.until("the new limit", isAllowed);
    rewrite(FILE.replace("value: 2000", "value: few"));
    await s.until("a warning", async () =>
      server.log().includes(`${file}, line 3: dynamic config value few does not fit limit.blobSize.error (bytes)`),
    );
    expect(await isAllowed()).toBe(true);
    rewrite(FILE);
    await s.until("the old limit", async () => !(await isAllowed()));
  });
});

describe("at start", () => {
  const wrong = join(temporaryDirectory(), "wrong.yaml");
  test.each([
    [FILE.replace("namespace: small", "hostName: a"), 'line 11: history.maximumSignalsPerExecution: unknown constraint "hostName"'],
    [FILE.replace("value: 2000", "value: few"), "line 3: dynamic config value few does not fit limit.blobSize.error (bytes)"],
    ["limit.blobSize.error: 5\n", "line 1: limit.blobSize.error must be a list of values: - value: ..."],
    ["limit.blobSize.error:\n- value: 5\n  constraints: {namespace: a\n", "line 4: "],
  ])("a wrong file ends the server with a line that names file, line and key", async (text, expected) => {
    writeFileSync(wrong, text);
    await expect(startServer(["--dynamic-config-file", wrong])).rejects.toThrow(`ended with 1: perdure: --dynamic-config-file ${wrong}, ${expected}`);
  });

  test("a key of the command line has that one value", async () => {
    const s = await startServer(["--namespace", "small", "--dynamic-config-file", file, "--dynamic-config-value", "LIMIT.blobSize.error=5000"]);
    const other = new GrpcSubject(s.address);
    try {
      expect(await start(new Session(other), "small", 3000)).toBe("OK");
      expect(await start(new Session(other), "large-or-not", 10)).toEqual(["NOT_FOUND", expect.any(String)]);
    } finally {
      other.close();
      await s.stop();
    }
  });
});
