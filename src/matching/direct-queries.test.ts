import { describe, expect, it } from "vitest";
import { QueryResultType } from "../../gen/wire/temporal/api/enums/v1/query.js";
import {
  QueryWorkflowRequest,
  RespondQueryTaskCompletedRequest,
  ShutdownWorkerRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { Code } from "../api/service-error.js";
import type { DirectQuery } from "./contract.js";
import { FakeCall, namespace, setup, task } from "./matching-under-test.js";

describe("queries", () => {
  let unanswered = 0;
  function direct(options: { sticky?: string } = {}): DirectQuery {
    return {
      onStickyUnanswered: () => unanswered++,
      reply: {
        kind: "direct",
        runId: "r",
        stickyTaskQueue: options.sticky ?? "",
        stickyScheduleToStartMs: 5_000,
        taskQueue: "q",
        workflowType: "t",
        priority: 3,
        previousStartedEventId: 3,
        history: { runKey: 1, segments: [], fromEventId: 1, endEventId: 4 },
      },
      request: QueryWorkflowRequest.create({}),
    };
  }
  function ask(t: ReturnType<typeof setup>, query: DirectQuery, call = new FakeCall(t.nowMs() + 40_000)) {
    const result: { answer: Uint8Array | undefined; error: { code: Code; message: string; details: unknown[] } | undefined; call: FakeCall } = {
      answer: undefined,
      error: undefined,
      call,
    };
    t.engine.query(namespace, query, call).then(
      (r) => {
        result.answer = r.queryResult;
      },
      (e: { code: Code; message: string; details: unknown[] }) => {
        result.error = e;
      },
    );
    return result;
  }
  const answer = (t: ReturnType<typeof setup>, id: string, result = new Uint8Array([1])) =>
    t.engine.respondQuery(namespace, id, RespondQueryTaskCompletedRequest.create({ completedType: QueryResultType.ANSWERED, queryResult: result }));

  it("go to a waiting poller and come back with its answer", async () => {
    const t = setup();
    const p = t.poll({ type: "workflow" });
    const q = ask(t, direct());
    await t.runtime.settle();
    expect(p.state).toBe("query");
    answer(t, p.queryId);
    await t.runtime.settle();
    expect(q.answer).toEqual(new Uint8Array([1]));
    expect(() => answer(t, p.queryId)).toThrow("query task not found, or already expired");
  });

  it("go before tasks", async () => {
    const t = setup();
    t.storeDurably(task({ type: "workflow" }));
    ask(t, direct());
    const [a, b] = [t.poll({ type: "workflow" }), t.poll({ type: "workflow" })];
    await t.runtime.settle();
    expect([a.state, b.state]).toEqual(["query", "task"]);
  });

  it("fail with the worker's message and failure", async () => {
    const t = setup();
    const p = t.poll({ type: "workflow" });
    const q = ask(t, direct());
    await t.runtime.settle();
    const request = RespondQueryTaskCompletedRequest.create({
      completedType: QueryResultType.FAILED,
      errorMessage: "no such query",
      failure: { message: "f" },
    });
    t.engine.respondQuery(namespace, p.queryId, request);
    await t.runtime.settle();
    expect(q.error).toMatchObject({ code: Code.INVALID_ARGUMENT, message: "no such query" });
    expect(q.error?.details).toHaveLength(1);
  });

  it("are NotFound to a worker that answers an unknown one, one of another namespace, or one it was not given", async () => {
    const t = setup();
    expect(() => answer(t, "nothing")).toThrowError(
      expect.objectContaining({ code: Code.NOT_FOUND, message: "query task not found, or already expired" }),
    );
    const p = t.poll({ type: "workflow" });
    ask(t, direct());
    await t.runtime.settle();
    const request = RespondQueryTaskCompletedRequest.create({ completedType: QueryResultType.ANSWERED });
    expect(() => t.engine.respondQuery({ ...namespace, id: "other" }, p.queryId, request)).toThrowError(
      expect.objectContaining({ code: Code.NOT_FOUND }),
    );
  });

  it("time out at the caller's deadline when the worker does not answer", async () => {
    const t = setup();
    t.poll({ type: "workflow" });
    const q = ask(t, direct(), new FakeCall(t.nowMs() + 4_000));
    await t.runtime.advance(4_000);
    expect(q.error).toMatchObject({ code: Code.DEADLINE_EXCEEDED, message: "query timed out before a worker could process it" });
  });

  it("are capped when the caller set no deadline", async () => {
    const t = setup();
    t.poll({ type: "workflow" });
    const q = ask(t, direct(), new FakeCall(undefined));
    await t.runtime.advance(29_999);
    expect(q.error).toBeUndefined();
    await t.runtime.advance(1);
    expect(q.error?.code).toBe(Code.DEADLINE_EXCEEDED);
  });

  it("fail within the window when nobody polls, naming the queue and since when", async () => {
    const t = setup();
    const p = t.poll({ type: "workflow" });
    await t.runtime.advance(10_000);
    const lastPoll = new Date(t.nowMs()).toISOString();
    p.call.cancel();
    await t.runtime.advance(15_000);
    const q = ask(t, direct());
    await t.runtime.advance(19_999);
    expect(q.error).toBeUndefined();
    await t.runtime.advance(1);
    expect(q.error?.code).toBe(Code.FAILED_PRECONDITION);
    expect(q.error?.message).toContain("no poller seen for task queue recently, worker may be down");
    expect(q.error?.message).toContain(`"q" since ${lastPoll}`);
  });

  it("fail a second before the deadline when that is sooner, and when nobody ever polled", async () => {
    const t = setup();
    const q = ask(t, direct(), new FakeCall(t.nowMs() + 10_000));
    await t.runtime.advance(9_000);
    expect(q.error?.code).toBe(Code.FAILED_PRECONDITION);
    expect(q.error?.message).toContain("since the server started");
  });

  it("wait for a worker that polled a moment ago", async () => {
    const t = setup();
    ask(t, direct());
    await t.runtime.advance(10_000);
    // It takes another query and is busy with it.
    const p = t.poll({ type: "workflow" });
    const second = ask(t, direct());
    await t.runtime.advance(10_000);
    expect([p.state, second.error]).toEqual(["query", undefined]);
    await t.runtime.advance(10_000);
    expect(second.error?.code).toBe(Code.FAILED_PRECONDITION);
  });

  it("ask the sticky worker first, and the normal queue when it does not answer in time", async () => {
    const t = setup();
    const [normal, sticky] = [t.poll({ type: "workflow" }), t.poll({ type: "workflow", sticky: "s" })];
    const q = ask(t, direct({ sticky: "s" }));
    await t.runtime.settle();
    expect([normal.state, sticky.state, sticky.isSticky]).toEqual(["open", "query", true]);
    unanswered = 0;
    await t.runtime.advance(5_000);
    expect([normal.state, normal.isSticky, unanswered]).toEqual(["query", false, 1]);
    expect(() => answer(t, sticky.queryId)).toThrow();
    answer(t, normal.queryId);
    await t.runtime.settle();
    expect(q.answer).toBeDefined();
  });

  it("go to the normal queue at once when the sticky worker has gone or shuts down", async () => {
    const t = setup();
    const normal = t.poll({ type: "workflow" });
    unanswered = 0;
    ask(t, direct({ sticky: "unknown" }));
    await t.runtime.settle();
    expect([normal.state, unanswered]).toEqual(["query", 1]);
    const busy = t.poll({ type: "workflow", sticky: "s" });
    ask(t, direct({ sticky: "s" }));
    await t.runtime.settle();
    expect(busy.state).toBe("query");
    ask(t, direct({ sticky: "s" }));
    const second = t.poll({ type: "workflow" });
    await t.runtime.settle();
    expect(second.state).toBe("open");
    t.engine.shutdownWorker(namespace, ShutdownWorkerRequest.create({ stickyTaskQueue: "s" }));
    await t.runtime.settle();
    expect(second.state).toBe("query");
  });

  it("leave the run sticky when it is their caller that goes", async () => {
    const t = setup();
    t.poll({ type: "workflow", sticky: "s" });
    unanswered = 0;
    const q = ask(t, direct({ sticky: "s" }));
    await t.runtime.settle();
    q.call.cancel();
    await t.runtime.settle();
    expect([q.error?.code, unanswered]).toEqual([Code.CANCELLED, 0]);
  });

  it("leave the queue when their caller goes", async () => {
    const t = setup();
    const q = ask(t, direct());
    q.call.cancel();
    const p = t.poll({ type: "workflow" });
    await t.runtime.settle();
    expect([p.state, q.error?.code]).toEqual(["open", Code.CANCELLED]);
  });

  it("fail on drain while they wait", async () => {
    const t = setup();
    const q = ask(t, direct());
    t.engine.drain();
    await t.runtime.settle();
    expect(q.error?.code).toBe(Code.UNAVAILABLE);
  });
});
