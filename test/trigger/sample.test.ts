/**
 * The shopping sample: its scripts, and the usage that the API's document shows, as programs. Only the port differs from the document.
 */
import { execFile, spawnSync } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freePort } from "../harness/free-port.js";
import { temporaryDirectory } from "../harness/server-process.js";

const run = promisify(execFile);
const EXAMPLE = join(import.meta.dirname, "../../examples/shopping");
const USAGE = join(import.meta.dirname, "usage");
const folder = temporaryDirectory();
const env: NodeJS.ProcessEnv = { ...process.env, LOG_DIR: folder };

const script = (name: string) => run(join(EXAMPLE, "scripts", `${name}.sh`), [], { env });

beforeAll(async () => {
  env["TEMPORAL_HOST"] = `127.0.0.1:${await freePort()}`;
  env["API_PORT"] = String(await freePort());
  await script("start_api_services");
});
afterAll(() => script("stop_api_services"));

/** A program of the document, on the sample's port; undefined where the machine has no such tool. */
async function usage(file: string, tool: string, args: readonly string[], probe: readonly string[] = ["--version"]): Promise<string | undefined> {
  const isThere = spawnSync(tool, probe).status === 0;
  if (!isThere) {
    console.warn(`skipped: ${tool} ${probe.join(" ")} does not run here, so ${file} is not tried`);
    return undefined;
  }
  const program = readFileSync(join(USAGE, file), "utf8").replaceAll("localhost:8000", `localhost:${env["API_PORT"]}`);
  writeFileSync(join(folder, file), program);
  const { stdout, stderr } = await run(tool, [...args, join(folder, file)], { cwd: folder, env });
  // Go's println writes to stderr, and so does curl, its progress.
  return stdout === "" ? stderr : stdout;
}

const BOTH = "Ordered 5 Apples...Ordered 3 Bananas...";

it("is checked by its own scripts", async () => {
  expect((await script("check_services")).stdout).toMatch(/api: running .*\nworker: running .*\nhealth: \{"service":"Temporal Workflow API"/);
  expect((await script("test_api")).stdout.trimEnd().split("\n")).toEqual([
    "ok: health check",
    "ok: synchronous workflow",
    "ok: asynchronous workflow",
    "ok: result retrieval",
    "ok: status checking",
    "All tests passed",
  ]);
  expect(readFileSync(join(folder, "worker.log"), "utf8")).toContain("Worker polls shopping-task-queue");
  expect(readFileSync(join(folder, "api.log"), "utf8")).toContain('"ready":true');
});

it("answers the document's curl", async () => {
  const out = await usage("curl.sh", "bash", [], ["-c", "curl --version"]);
  if (out === undefined) return;
  const answers = out.split("\n").filter((l) => l.startsWith("{"));
  const id = /"workflow_id":"(shopping-workflow-[0-9a-f]+)"/.exec(answers[1] ?? "")?.[1];
  expect(answers.map((a) => JSON.parse(a))).toEqual([
    { workflow_id: expect.stringMatching(/^shopping-workflow-[0-9a-f]+$/), status: "completed", result: "Ordered 5 Apples..." },
    { workflow_id: id, status: "started", result: null },
    { workflow_id: id, status: "completed", result: "Ordered 3 Bananas..." },
    { workflow_id: id, status: "COMPLETED", start_time: expect.any(String), close_time: expect.any(String) },
    { service: "Temporal Workflow API", status: "running", temporal_connected: true },
  ]);
});

it("answers the document's Python", async () => {
  const out = await usage("trigger.py", "python3", [], ["-c", "import requests"]);
  if (out !== undefined) expect(out).toMatch(new RegExp(`Workflow ID: shopping-workflow-[0-9a-f]+\nResult: ${BOTH.replaceAll(".", "\\.")}`));
  cpSync(join(EXAMPLE, "api"), join(folder, "api"), { recursive: true });
  const client = await usage("client.py", "python3", [], ["-c", "import requests"]);
  if (client !== undefined) expect(client).toBe("Ordered 5 Apples...\nOrdered 3 Bananas...\n");
});

it("answers the document's JavaScript", async () => {
  expect(await usage("fetch.mjs", process.execPath, [])).toContain(`Result: ${BOTH}`);
});

it("answers the document's Go", async () => {
  const out = await usage("main.go", "go", ["run"], ["version"]);
  if (out !== undefined) expect(out).toContain(`Result: ${BOTH}`);
});

it("serves a workflow of one's own by an entry of the configuration", async () => {
  const response = await fetch(`http://localhost:${env["API_PORT"]}/workflows/my-workflow`, { method: "POST", body: '"hello"' });
  expect(await response.json()).toMatchObject({ workflow_id: expect.stringMatching(/^my-workflow-[0-9a-f]+$/), result: "Processed: hello" });
});
