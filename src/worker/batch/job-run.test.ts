import { expect, it } from "vitest";
import { StartBatchOperationRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Method, MethodTable } from "../../api/call.js";
import { Code, ServiceError } from "../../api/service-error.js";
import type { BatchProgress } from "../../core/batch/job-memo.js";
import { silent } from "../../history/fake-engine.js";
import { FakeRuntime } from "../../lib/fake-runtime.js";
import { CallScope, InternalClient } from "../internal-client.js";
import { runJob } from "./job-run.js";

const SERVICE = "/temporal.api.workflowservice.v1.WorkflowService";
type Request = { readonly workflowExecution?: { readonly workflowId: string }; readonly requestId?: string; readonly nextPageToken: Uint8Array };

/** A job of `count` executions by list, against methods of the test's. */
function world(
  count: number,
  methods: Record<string, (request: Request) => object>,
  more: { perSecond?: number; progress?: BatchProgress; query?: string } = {},
) {
  const runtime = new FakeRuntime();
  const scope = new CallScope();
  const beats: BatchProgress[] = [];
  const table = new Map(Object.entries(methods).map(([name, handler]) => [`${SERVICE}/${name}`, { handler } as unknown as Method]));
  const done = runJob({
    client: new InternalClient(() => table as MethodTable, runtime),
    runtime,
    logger: silent,
    namespace: "n",
    request: StartBatchOperationRequest.create({
      jobId: "job",
      reason: "r",
      visibilityQuery: more.query ?? "",
      executions: more.query === undefined ? Array.from({ length: count }, (_, i) => ({ workflowId: `w${i}` })) : [],
      operation: { case: "cancellationOperation", value: {} },
    }),
    type: 2,
    scope,
    progress: more.progress,
    concurrency: 3,
    perSecond: more.perSecond ?? 0,
    heartbeat: async (p) => {
      beats.push({ ...p });
    },
  });
  return { runtime, scope, beats, done };
}

it("keeps to its rate", async () => {
  let calls = 0;
  const w = world(50, { RequestCancelWorkflowExecution: () => ({ calls: ++calls }) }, { perSecond: 10 });
  await w.runtime.advance(0);
  expect(calls).toBe(10);
  await w.runtime.advance(1_000);
  expect(calls).toBeGreaterThanOrEqual(18);
  expect(calls).toBeLessThanOrEqual(21);
  await w.runtime.advance(10_000);
  expect(await w.done).toMatchObject({ TotalEstimate: 50, SuccessCount: 50, ErrorCount: 0 });
});

it("counts who has gone as done, tries again what may pass, and gives up on what is refused", async () => {
  const attempts = new Map<string, number>();
  const w = world(4, {
    RequestCancelWorkflowExecution: ({ workflowExecution }) => {
      const id = workflowExecution?.workflowId ?? "";
      const n = (attempts.get(id) ?? 0) + 1;
      attempts.set(id, n);
      if (id === "w1") throw new ServiceError(Code.NOT_FOUND, "gone");
      if (id === "w2") throw new ServiceError(Code.INVALID_ARGUMENT, "refused");
      if (id === "w3" && n < 4) throw new ServiceError(Code.UNAVAILABLE, "not now");
      return {};
    },
  });
  await w.runtime.advance(5_000);
  expect(await w.done).toMatchObject({ SuccessCount: 3, ErrorCount: 1 });
  expect(Object.fromEntries(attempts)).toEqual({ w0: 1, w1: 1, w2: 1, w3: 4 });
});

it("goes on where the last durable progress was, under the same request ids", async () => {
  const ids: string[][] = [[], []];
  const run = async (n: number, progress?: BatchProgress) => {
    const w = world(
      250,
      { RequestCancelWorkflowExecution: ({ requestId }) => ({ n: ids[n]?.push(requestId ?? "") }) },
      progress === undefined ? {} : { progress },
    );
    await w.runtime.advance(1);
    return { w, result: await w.done };
  };
  const first = await run(0);
  expect(first.result).toMatchObject({ SuccessCount: 250, CurrentPage: 3 });
  expect(new Set(ids[0]).size).toBe(250);
  // Before the first page, and after each but the last.
  expect(first.w.beats.map((b) => b.SuccessCount)).toEqual([0, 100, 200]);
  const second = await run(1, first.w.beats[1]);
  expect(second.result).toMatchObject({ SuccessCount: 250, ErrorCount: 0, TotalEstimate: 250 });
  expect(ids[1]).toEqual(ids[0]?.slice(100));
});

it("stops with its scope, in the middle of a page", async () => {
  let calls = 0;
  const w = world(100, { RequestCancelWorkflowExecution: () => ({ calls: ++calls }) }, { perSecond: 5 });
  const outcome = w.done.then(
    () => "done",
    (e: Error) => e.message,
  );
  await w.runtime.advance(2_000);
  const before = calls;
  w.scope.cancel();
  await w.runtime.advance(60_000);
  expect(await outcome).toBe("context canceled");
  expect(calls).toBe(before);
});
