/**
 * The local test environments of the official SDKs, given bin/perdure in place of the `temporal` program: each passes flags of its
 * own, waits for the port in its own way and ends the server in its own way (the SDK core kills it, Go interrupts it and wants 0).
 * In memory, a second environment knows nothing of the first; with a file, it has the workflow of the first.
 */
import { join } from "node:path";
import { WorkflowNotFoundError } from "@temporalio/client";
import { defineSearchAttributeKey } from "@temporalio/common";
import { TestWorkflowEnvironment } from "@temporalio/testing";
import { Worker } from "@temporalio/worker";
import { beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../harness/free-port.js";
import { BINARY, temporaryDirectory } from "../harness/server-process.js";
import { goIsHere, goProgram, javaClasses, javaIsHere, pythonFile, pythonIsHere, pythonWithSdk, run } from "./languages.js";
import * as activities from "./typescript/activities.js";

const folder = temporaryDirectory();

const KINDS = ["in memory", "with a file"] as const;
const taskQueue = "local-environment";

describe("TypeScript: TestWorkflowEnvironment.createLocal", () => {
  const environment = (options: Record<string, unknown> = {}) =>
    TestWorkflowEnvironment.createLocal({ server: { executable: { type: "existing-path", path: BINARY }, ...options } });
  const worker = (env: TestWorkflowEnvironment) =>
    Worker.create({
      connection: env.nativeConnection,
      ...(env.namespace === undefined ? {} : { namespace: env.namespace }),
      taskQueue,
      workflowsPath: join(import.meta.dirname, "typescript/workflows.ts"),
      activities,
    });

  it.each(KINDS)("runs a workflow %s", async (kind) => {
    const options = kind === "in memory" ? {} : { dbFilename: join(folder, "typescript.db") };
    const first = await environment(options);
    try {
      const runs = await worker(first);
      const result = await runs.runUntil(first.client.workflow.execute("activityOnce", { taskQueue, workflowId: "w", args: ["local"] }));
      expect(result).toBe("local");
    } finally {
      await first.teardown();
    }
    const second = await environment(options);
    try {
      const asked = second.client.workflow.getHandle("w").result();
      if (kind === "in memory") await expect(asked).rejects.toBeInstanceOf(WorkflowNotFoundError);
      else expect(await asked).toBe("local");
    } finally {
      await second.teardown();
    }
  });

  it("takes a namespace, search attributes, a log format and a port for the UI", async () => {
    const uiPort = await freePort();
    const env = await environment({
      namespace: "its-own",
      uiPort,
      log: { format: "json", level: "error" },
      searchAttributes: [
        defineSearchAttributeKey("Word", "KEYWORD"),
        defineSearchAttributeKey("Words", "KEYWORD_LIST"),
        defineSearchAttributeKey("Prose", "TEXT"),
        defineSearchAttributeKey("Whole", "INT"),
        defineSearchAttributeKey("Real", "DOUBLE"),
        defineSearchAttributeKey("Yes", "BOOL"),
        defineSearchAttributeKey("When", "DATETIME"),
      ],
    });
    try {
      const handle = await env.client.workflow.start("blocked", {
        taskQueue,
        workflowId: "attributes",
        searchAttributes: { Word: ["a"], Words: ["b", "c"], Prose: ["some words"], Whole: [1], Real: [1.5], Yes: [true], When: [new Date(0)] },
      });
      expect((await env.client.workflow.count("Word='a' AND Words='c' AND Prose='words' AND Whole=1 AND Real=1.5 AND Yes=true")).count).toBe(1);
      expect((await handle.describe()).searchAttributes["When"]).toEqual([new Date(0)]);
      expect((await fetch(`http://127.0.0.1:${uiPort}/`)).status).toBeLessThan(500);
    } finally {
      await env.teardown();
    }
  });
});

/** Both programs run a workflow in one environment and ask for its result in a second one; each line says what came of it. */
async function environmentsOf(kind: (typeof KINDS)[number], name: string, command: string, args: readonly string[]): Promise<void> {
  const file = kind === "in memory" ? [] : [join(folder, `${name}.db`)];
  const ended = await run(command, [...args, BINARY, ...file], 60_000);
  expect(ended.ok, `${ended.stdout}\n${ended.stderr}`).toBe(true);
  const said = ended.stdout.split("\n").filter((l) => l.startsWith("first: ") || l.startsWith("second: "));
  expect(said).toEqual(["first: hello local", kind === "in memory" ? "second: not found" : "second: hello local"]);
}

const hasGo = goIsHere("the local environment of the Go SDK");
const hasPython = pythonIsHere("the local environment of the Python SDK");
const hasJava = javaIsHere("the local environment of the Java SDK");

describe.runIf(hasGo)("Go: testsuite.StartDevServer", () => {
  let program: string;
  beforeAll(() => {
    program = goProgram("./localenvironment", "go-local-environment");
  }, 600_000);
  it.each(KINDS)("runs a workflow %s", (kind) => environmentsOf(kind, "go", program, []));
});

describe.runIf(hasJava)("Java: TestWorkflowEnvironment.startLocal", () => {
  let classes: string;
  beforeAll(() => {
    classes = javaClasses();
  }, 600_000);
  it.each(KINDS)("runs a workflow %s", (kind) => environmentsOf(kind, "java", "java", ["-cp", classes, "localenvironment.LocalEnvironment"]));
});

describe.runIf(hasPython)("Python: WorkflowEnvironment", () => {
  let interpreter: string;
  beforeAll(() => {
    interpreter = pythonWithSdk();
  }, 600_000);
  it.each(KINDS)("runs a workflow %s", (kind) => environmentsOf(kind, "python", interpreter, [pythonFile("local_environment.py")]));

  it("sdk-python 644, 826: skips sleeps of workflows, updates and tests, and retries; not where it is turned off", async () => {
    const ended = await run(interpreter, [pythonFile("time_skipping.py"), BINARY], 60_000);
    expect(ended.ok, `${ended.stdout}\n${ended.stderr}`).toBe(true);
    expect(ended.stdout.trim().split("\n").slice(-10)).toEqual([
      "slept 100 days",
      "retried 4 times",
      "an update slept 20 days",
      "refused: ValueError: no way back",
      "cancellation AcceptedUpdateCompletedWorkflow",
      "failure AcceptedUpdateCompletedWorkflow",
      "continue-as-new AcceptedUpdateCompletedWorkflow",
      "the test slept",
      "real time",
      "quick",
    ]);
  });
});
