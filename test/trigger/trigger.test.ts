/** The trigger API and the workflow API, by the real server and a worker of the official SDK. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type S3Server, startS3 } from "../archival/s3-server.js";
import { temporaryDirectory } from "../harness/server-process.js";
import { type ProductWorld, QUEUE, startWorld } from "./product-world.js";

const folder = temporaryDirectory();
const traces = join(folder, "traces");
const inputSchema = {
  type: "object",
  required: ["name"],
  properties: { name: { type: "string" }, tags: { type: "array", items: { type: "string", format: "email" } } },
};
const workflows = {
  echo: { taskQueue: QUEUE },
  fails: { taskQueue: QUEUE },
  again: { taskQueue: QUEUE },
  talk: { workflowType: "conversation", taskQueue: QUEUE, aliases: ["chat"], description: "Talks." },
  limited: { workflowType: "echo", taskQueue: QUEUE, requestsPerMinute: 10 },
  steps: { taskQueue: QUEUE, inputSchema, outputSchema: { type: "object" } },
};

let s3: S3Server;
let w: ProductWorld;
beforeAll(async () => {
  const config = join(folder, "config.json");
  writeFileSync(config, JSON.stringify({ workflow: workflows, namespace: ["other"], traceStore: pathToFileURL(traces).href }));
  mkdirSync(join(folder, "s3"));
  s3 = await startS3(join(folder, "s3"), "remote");
  w = await startWorld(["--config", config], {
    OUTPUT_AWS_ACCESS_KEY_ID: "S3RVER",
    OUTPUT_AWS_SECRET_ACCESS_KEY: "S3RVER",
    OUTPUT_AWS_REGION: "eu-central-1",
    AWS_ENDPOINT_URL_S3: s3.endpoint,
  });
});
afterAll(async () => {
  await w?.end();
  await s3?.stop();
});

describe("the trigger API", () => {
  it("runs a workflow and answers what it answers", async () => {
    const { status, body } = await w.ask("POST", "/workflows/echo", { any: ["value", 1, null] });
    expect([status, body]).toEqual([
      200,
      { workflow_id: expect.stringMatching(/^echo-workflow-[0-9a-f]+$/), status: "completed", result: { any: ["value", 1, null] } },
    ]);
    expect((await w.ask("POST", "/workflows/echo")).body.result).toEqual({ args: [] });
    expect((await w.ask("POST", "/workflows/again", 2)).body.result).toBe("at last");
  });

  it("starts one, tells its status and waits for its result", async () => {
    const { body } = await w.ask("POST", "/workflows/talk/async", {});
    expect(body).toEqual({ workflow_id: expect.stringMatching(/^talk-workflow-[0-9a-f]+$/), status: "started", result: null });
    const id = body.workflow_id;
    const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/;
    expect((await w.ask("GET", `/workflows/${id}/status`)).body).toEqual({
      workflow_id: id,
      status: "RUNNING",
      start_time: expect.stringMatching(time),
      close_time: null,
    });
    const result = w.ask("GET", `/workflows/${id}/result`);
    await w.ask("POST", `/workflow/${id}/signal/finish`, { payload: "now" });
    expect((await result).body).toEqual({ workflow_id: id, status: "completed", result: { heard: [], finished: "now" } });
    expect((await w.ask("GET", `/workflows/${id}/status`)).body).toMatchObject({ status: "COMPLETED", close_time: expect.stringMatching(time) });
  });

  it("says what went wrong", async () => {
    const failed = await w.ask("POST", "/workflows/fails", "just because");
    expect([failed.status, failed.body]).toEqual([400, { detail: expect.stringContaining("The body is not JSON"), issues: expect.anything() }]);
    const workflow = await w.ask("POST", "/workflows/fails", '"just because"');
    expect([workflow.status, workflow.body]).toEqual([500, { detail: "Workflow failed: just because" }]);
    expect(await w.ask("POST", "/workflows/unheard-of", {})).toMatchObject({ status: 404 });
    expect(await w.ask("GET", "/workflows/nobody/status")).toMatchObject({ status: 404, body: { detail: expect.any(String) } });
    expect(await w.ask("GET", "/workflows/nobody/result")).toMatchObject({ status: 404 });
    const broken = await w.ask("POST", "/workflows/steps", { tags: ["a@b.example", "no address"] });
    expect(broken).toMatchObject({
      status: 400,
      body: {
        issues: [
          { path: "/name", message: "is required" },
          { path: "/tags/1", message: expect.stringContaining("email") },
        ],
      },
    });
  });

  it("answers 409 while a workflow of the id runs, and runs it again afterwards", async () => {
    const start = () => w.ask("POST", "/workflows/talk/async?workflow_id=only-one", {});
    expect((await start()).body.workflow_id).toBe("only-one");
    expect(await start()).toMatchObject({ status: 409, body: { detail: "Workflow already running" } });
    await w.ask("POST", "/workflow/only-one/terminate", { reason: "test" });
    expect((await start()).status).toBe(200);
    await w.ask("POST", "/workflow/only-one/terminate");
    const { status, body } = await w.ask("GET", "/workflows/only-one/result");
    expect([status, body]).toEqual([500, { detail: "Workflow failed: Workflow execution terminated: terminated by user via frontend" }]);
  });

  it("lets ten requests a minute of an address pass where that is configured", async () => {
    for (let i = 0; i < 10; i++) expect((await w.ask("POST", "/workflows/limited/async", {})).status).toBe(200);
    const refused = await w.ask("POST", "/workflows/limited/async", {});
    expect(refused).toMatchObject({ status: 429, body: { detail: "Rate limit exceeded: 10 per 1 minute" } });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await w.ask("POST", "/workflows/echo/async", {})).status).toBe(200);
  });

  it("acts in the namespace of the query, of the header, else in the configured one", async () => {
    const id = "elsewhere";
    expect((await w.ask("POST", `/workflows/talk/async?workflow_id=${id}&namespace=other`, {})).status).toBe(200);
    expect((await w.ask("GET", `/workflows/${id}/status`)).status).toBe(404);
    expect((await w.ask("GET", `/workflows/${id}/status`, undefined, { "temporal-namespace": "other" })).body.status).toBe("RUNNING");
    expect((await w.ask("GET", `/workflows/${id}/status?namespace=default`, undefined, { "temporal-namespace": "other" })).status).toBe(404);
    expect((await w.ask("POST", "/workflows/echo/async?namespace=nowhere", {})).status).toBe(404);
  });

  it("answers programs with its health and browsers with a page", async () => {
    expect((await w.ask("GET", "/")).body).toEqual({ service: "Temporal Workflow API", status: "running", temporal_connected: true });
    const page = await w.ask("GET", "/", undefined, { accept: "text/html,application/xhtml+xml" });
    expect([page.headers.get("content-type"), page.body]).toEqual(["text/html; charset=utf-8", expect.stringContaining("/docs")]);
    const docs = await w.ask("GET", "/docs");
    for (const name of Object.keys(workflows)) expect(docs.body).toContain(`/workflows/${name}/async`);
    const { body } = await w.ask("GET", "/openapi.json");
    expect(body.paths["/workflows/steps"].post.requestBody.content["application/json"].schema).toEqual(inputSchema);
  });
});

describe("the workflow API", () => {
  const start = async (workflowName: string, input?: unknown, rest: object = {}): Promise<string> => {
    const { status, body } = await w.ask("POST", "/workflow/start", { workflowName, input, ...rest });
    expect([status, body]).toEqual([200, { workflowId: expect.any(String), runId: expect.any(String) }]);
    return body.workflowId;
  };

  it("runs a workflow and waits for its end, however it ends", async () => {
    const ran = await w.ask("POST", "/workflow/run", { workflowName: "echo", input: { a: 1 }, workflowId: "my-id" });
    expect([ran.status, ran.body]).toEqual([
      200,
      { workflowId: "my-id", runId: expect.any(String), input: { a: 1 }, output: { a: 1 }, status: "completed", error: null },
    ]);
    const failed = await w.ask("POST", "/workflow/run", { workflowName: "fails", input: "no luck" });
    expect([failed.status, failed.body]).toMatchObject([200, { status: "failed", output: null, error: "no luck" }]);
  });

  it("gives up waiting at the timeout, and the workflow runs on", async () => {
    const { status, body } = await w.ask("POST", "/workflow/run", { workflowName: "talk", input: {}, timeout: 250 });
    expect([status, body]).toMatchObject([408, { error: "WorkflowExecutionTimedOutError", workflowId: expect.any(String) }]);
    expect((await w.ask("GET", `/workflow/${body.workflowId}/status`)).body).toEqual({
      workflowId: body.workflowId,
      runId: body.runId,
      status: "running",
      startedAt: expect.any(Number),
      completedAt: null,
    });
    expect(await w.ask("GET", `/workflow/${body.workflowId}/result`)).toMatchObject({ status: 424, body: { error: "WorkflowNotCompletedError" } });
    await w.ask("POST", `/workflow/${body.workflowId}/terminate`);
  });

  it("refuses JSON that is nested without end, whatever it is for", async () => {
    const deep = JSON.parse("[".repeat(400) + "]".repeat(400));
    const body = (depth: number) => `{"workflowName":"none","taskQueue":"none","payload":1,"input":${"[".repeat(depth)}${"]".repeat(depth)}}`;
    for (const path of ["/workflow/start", "/workflow/run", "/workflow/none/signal/s", "/workflow/none/terminate", "/workflows/echo"]) {
      const { status, body: told } = await w.ask("POST", path, body(10_000));
      expect([path, status, JSON.stringify(told)]).toEqual([path, 400, expect.stringContaining("nested too deeply")]);
    }
    expect(await w.ask("POST", "/workflow/start", { workflowName: "none", taskQueue: "none", input: deep })).toMatchObject({ status: 200 });
  });

  it("signals, asks and updates", async () => {
    const id = await start("chat", {});
    expect((await w.ask("POST", `/workflow/${id}/signal/say`, { payload: { first: 1 } })).status).toBe(200);
    expect((await w.ask("POST", `/workflow/${id}/update/add`, { payload: "second" })).body).toBe(2);
    expect((await w.ask("POST", `/workflow/${id}/query/heard`)).body).toEqual({ asked: null, heard: [{ first: 1 }, "second"] });
    expect((await w.ask("POST", `/workflow/${id}/query/heard`, ["it"])).body.asked).toEqual(["it"]);
    expect(await w.ask("POST", `/workflow/${id}/update/add`, { payload: "nothing" })).toMatchObject({
      status: 400,
      body: { error: "WorkflowUpdateFailedError", message: "say something" },
    });
    expect((await w.ask("POST", `/workflow/${id}/query/unheard-of`, {})).status).toBe(400);
    expect((await w.ask("POST", "/workflow/nobody/signal/say", {})).body.error).toBe("WorkflowNotFoundError");
    await w.ask("POST", `/workflow/${id}/signal/finish`, { payload: null });
    expect((await w.ask("GET", `/workflows/${id}/result`)).body.result).toEqual({ heard: [{ first: 1 }, "second"], finished: null });
    expect((await w.ask("GET", `/workflow/${id}/result`)).body).toMatchObject({ status: "completed", input: {}, output: { finished: null } });
  });

  it("stops with clean-up, and terminates without", async () => {
    const stopped = await start("talk", {});
    // It has its handlers once it answers.
    await w.ask("POST", `/workflow/${stopped}/query/heard`);
    const { status, body } = await w.ask("PATCH", `/workflow/${stopped}/stop`);
    expect([status, body]).toEqual([200, { workflowId: stopped, runId: expect.any(String) }]);
    expect(await w.ask("GET", `/workflows/${stopped}/result`)).toMatchObject({ status: 500 });
    const trace = (await w.ask("GET", `/workflow/${stopped}/trace-log`)).body.data;
    expect(trace).toMatchObject({ error: { name: "Canceled" }, steps: [{ name: "work", output: { worked: "cleaned up" } }] });
    const terminated = await start("talk", {});
    const { runId } = (await w.ask("GET", `/workflow/${terminated}/status`)).body;
    const done = await w.ask("POST", `/workflow/${terminated}/runs/${runId}/terminate`, { reason: "enough" });
    expect(done.body).toEqual({ terminated: true, workflowId: terminated, runId });
    const result = await w.ask("GET", `/workflow/${terminated}/runs/${runId}/result`);
    expect(result.body).toMatchObject({ status: "terminated", error: "Workflow execution terminated: enough" });
    expect((await w.ask("POST", `/workflow/${terminated}/terminate`)).status).toBe(404);
  });

  it("lists what there is with schemas, and refuses input that breaks one, with its path", async () => {
    const { workflows: listed } = (await w.ask("GET", "/workflow/catalog")).body;
    expect(listed.map((x: { name: string }) => x.name)).toEqual(Object.keys(workflows).sort());
    expect(listed.find((x: { name: string }) => x.name === "steps")).toEqual({
      name: "steps",
      workflowType: "steps",
      description: "",
      catalog: QUEUE,
      aliases: [],
      inputSchema,
      outputSchema: { type: "object" },
    });
    expect((await w.ask("GET", `/workflow/catalog/${QUEUE}`)).body.workflows).toHaveLength(6);
    expect((await w.ask("GET", "/workflow/catalog/none")).body.error).toBe("CatalogNotFoundError");
    const refused = await w.ask("POST", "/workflow/start", { workflowName: "steps", input: { name: 7 } });
    expect(refused).toMatchObject({ status: 400, body: { error: "ValidationError", issues: [{ path: "/input/name" }] } });
    expect(await w.ask("POST", "/workflow/start", { input: {} })).toMatchObject({ status: 400, body: { issues: [{ path: "/workflowName" }] } });
    expect((await w.ask("POST", "/workflow/start", { workflowName: "unheard-of", input: {} })).status).toBe(404);
    // A type that is in no catalog runs where it is told to.
    expect((await w.ask("POST", "/workflow/run", { workflowName: "traced", input: null, taskQueue: QUEUE })).body.status).toBe("completed");
  });

  it("answers the trace of a run that has ended, and keeps it", async () => {
    const id = await start("steps", { name: "x" });
    await w.ask("GET", `/workflows/${id}/result`);
    const { status, body } = await w.ask("GET", `/workflow/${id}/trace-log`);
    expect([status, body]).toMatchObject([
      200,
      {
        source: "local",
        data: {
          workflowId: id,
          kind: "workflow",
          name: "steps",
          input: { name: "x" },
          output: { answer: { worked: "x" } },
          steps: [{ kind: "timer" }, { kind: "activity", name: "work", input: "x", output: { worked: "x" }, attempts: 1 }],
        },
      },
    ]);
    expect(JSON.parse(readFileSync(body.localPath, "utf8"))).toEqual(body.data);
    expect(body.localPath.startsWith(traces)).toBe(true);
    expect((await w.ask("GET", `/workflow/${id}/runs/${body.runId}/trace-log`)).body).toEqual(body);
    const open = await start("talk", {});
    expect((await w.ask("GET", `/workflow/${open}/trace-log`)).status).toBe(424);
    await w.ask("POST", `/workflow/${open}/terminate`);
  });

  it("answers the trace that the worker has stored, in S3 or in a file", async () => {
    const tracedAs = async (destinations: object) => {
      const { workflowId } = (await w.ask("POST", "/workflow/run", { workflowName: "traced", input: destinations, catalog: QUEUE })).body;
      return w.ask("GET", `/workflow/${workflowId}/trace-log`);
    };
    await fetch(`${s3.endpoint}/remote/a/trace.json`, { method: "PUT", body: '{"stored":"remotely"}' });
    expect((await tracedAs({ local: null, remote: "s3://remote/a/trace.json" })).body).toMatchObject({
      source: "remote",
      data: { stored: "remotely" },
    });
    expect(await tracedAs({ remote: "s3://remote/none.json" })).toMatchObject({ status: 404, body: { error: "TraceNotAvailableError" } });
    mkdirSync(traces, { recursive: true });
    writeFileSync(join(traces, "own.json"), '{"stored":"here"}');
    expect((await tracedAs({ local: join(traces, "own.json") })).body).toMatchObject({ source: "local", data: { stored: "here" } });
    // What a workflow says is a path, not a permission to read it.
    const outside = await tracedAs({ local: join(folder, "config.json") });
    expect(outside.body).toEqual({ source: "local", localPath: join(folder, "config.json"), runId: expect.any(String) });
  });
});
