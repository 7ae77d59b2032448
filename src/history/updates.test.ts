/** Updates across the store: what survives the process, what is asked again, and what is never written. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UpdateWorkflowExecutionLifecycleStage as Stage } from "../../gen/wire/temporal/api/enums/v1/update.js";
import type { RespondWorkflowTaskCompletedRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import * as c from "../../test/harness/core-commands.js";
import type { Init } from "../api/wire.js";
import type { Replies, StartedWorkflowTask, UpdateReply } from "../core/transition.js";
import { Kind } from "../core/workflow/mutable-state.js";
import { at, FakeEngine, POLLER, type Watched, watch } from "./fake-engine.js";

let f: FakeEngine;
beforeEach(() => {
  f = new FakeEngine();
});
afterEach(() => {
  expect(f.bugs).toEqual([]);
});

const ask = (updateId: string, stage = Stage.COMPLETED): Watched<UpdateReply> =>
  watch(
    f.engine.submit(at("w"), {
      kind: "update",
      request: c.update(updateId, { waitPolicy: { lifecycleStage: stage } }),
      waiter: f.engine.newWaiter(),
    }),
  );
const poll = (updateId: string): Watched<UpdateReply> =>
  watch(f.engine.submit(at("w"), { kind: "pollUpdate", updateId, stage: Stage.UNSPECIFIED, waiter: f.engine.newWaiter() }));

let polls = 0;
/** A poller takes the workflow task with that scheduled event. */
async function take(scheduledEventId: number): Promise<StartedWorkflowTask> {
  const started = watch(
    f.engine.submit(at("w"), {
      kind: "startWorkflowTask",
      scheduledEventId,
      attempt: 1,
      stamp: 0,
      poller: { ...POLLER, requestId: `take-${++polls}` },
    }),
  );
  await f.settle();
  return started.value as StartedWorkflowTask;
}

async function complete(
  task: StartedWorkflowTask,
  request: Init<RespondWorkflowTaskCompletedRequest>,
): Promise<Watched<Replies["completeWorkflowTask"]>> {
  const completed = f.complete(task, request);
  await f.settle();
  return completed;
}

/** The workflow has answered its first task and waits. */
async function running(): Promise<string> {
  const started = f.start("w");
  await f.settle();
  await complete(await take(2), {});
  return (started.value as Replies["start"]).runId;
}

describe("a rejected update", () => {
  it("commits nothing", async () => {
    await running();
    const commits = f.committed.length;
    const asked = ask("u");
    await f.settle();
    await complete(await take(5), { messages: [c.rejected("u")] });
    expect(asked.value).toMatchObject({ stage: Stage.COMPLETED, outcome: { value: { case: "failure" } } });
    expect(f.committed).toHaveLength(commits);
    expect(f.dispatcher.stored.filter((t) => t.scheduledEventId === 5)).toEqual([]);
    expect(f.dispatcher.kept).toHaveLength(1);
  });

  it("is answered after what was acknowledged before is durable", async () => {
    await running();
    const asked = ask("u");
    await f.settle();
    const task = await take(5);
    f.isHolding = true;
    f.signal("w", "s");
    await f.settle();
    const completed = f.complete(task, { messages: [c.rejected("u")] });
    await f.settle();
    expect([asked.isSettled, completed.isSettled]).toEqual([false, false]);
    await f.letGo();
    await f.letGo();
    expect([asked.isSettled, completed.isSettled]).toEqual([true, true]);
  });
});

describe("an update that is accepted and completed with one task", () => {
  it("takes one commit: the task's two rows of history, the run, and the row that finds the result", async () => {
    await running();
    const before = f.committed.length;
    const asked = ask("u");
    await f.settle();
    await complete(await take(5), { messages: [c.accepted("u"), c.responded("u")] });
    expect(asked.isSettled).toBe(true);
    expect(f.committed.slice(before).map((b) => b.rowCount)).toEqual([4]);
  });
});

describe("when the process dies", () => {
  it("an accepted update stays accepted, and its result stays its result", async () => {
    await running();
    const asked = ask("u", Stage.ACCEPTED);
    await f.settle();
    await complete(await take(5), { messages: [c.accepted("u")] });
    expect(asked.value).toMatchObject({ stage: Stage.ACCEPTED });
    await f.restart();

    const waiting = ask("u");
    const polled = poll("u");
    await f.settle();
    expect(polled.value).toMatchObject({ stage: Stage.ACCEPTED });
    f.signal("w", "s");
    await f.settle();
    // 5, 6, 7 the task, 8 the acceptance, 9 the signal.
    await complete(await take(10), { messages: [c.responded("u", 42)] });
    expect(waiting.value).toMatchObject({ outcome: { value: { value: c.payloads(42) } } });
    await f.restart();

    const again = [ask("u"), poll("u")];
    await f.settle();
    for (const a of again) expect(a.value).toMatchObject({ stage: Stage.COMPLETED, outcome: { value: { value: c.payloads(42) } } });
    const other = poll("v");
    await f.settle();
    expect(other.error?.message).toBe('update "v" not found');
  });

  it("one that no worker has accepted is gone with its task, and is admitted again when its caller asks again", async () => {
    await running();
    ask("u");
    await f.settle();
    const lost = await take(5);
    await f.restart();
    expect((await complete(lost, { messages: [c.accepted("u"), c.responded("u")] })).error?.message).toBe("Workflow task not found.");
    const polled = poll("u");
    await f.settle();
    expect(polled.error?.message).toBe('update "u" not found');
    const again = ask("u");
    await f.settle();
    const task = await take(5);
    expect(task.response.messages).toMatchObject([{ protocolInstanceId: "u" }]);
    await complete(task, { messages: [c.accepted("u"), c.responded("u")] });
    expect(again.value).toMatchObject({ stage: Stage.COMPLETED });
  });

  it("a task that had become a normal one is there, and its worker brings the update back", async () => {
    await running();
    ask("u");
    await f.settle();
    const task = await take(5);
    f.signal("w", "s");
    await f.settle();
    await f.restart();
    const request = c.update("u").request;
    await complete(task, { messages: [c.accepted("u", { acceptedRequest: request }), c.responded("u")] } as never);
    const polled = poll("u");
    await f.settle();
    expect(polled.value).toMatchObject({ stage: Stage.COMPLETED });
  });
});

describe("when a batch is refused", () => {
  it("an update that waits in memory is admitted again and answered", async () => {
    await running();
    const asked = ask("u");
    await f.settle();
    let refusals = 1;
    f.verdict = () => (refusals-- > 0 ? "refused" : "ok");
    f.signal("w", "s");
    await f.settle();
    // The task is the one of the signal, which was applied alone, or of the update: whichever came first again.
    const task = await take(5).then((t) => t ?? take(6));
    await complete(task, { messages: [c.accepted("u"), c.responded("u")] });
    expect(asked.value).toMatchObject({ stage: Stage.COMPLETED, outcome: { value: { case: "success" } } });
  });
});

describe("the time limit of a speculative task", () => {
  it("is kept in memory, without a row of its own", async () => {
    await running();
    const asked = ask("u");
    await f.settle();
    const commits = f.committed.length;
    await f.runtime.advance(4_900);
    expect(f.committed).toHaveLength(commits);
    await f.runtime.advance(200);
    // Scheduled 5, timed out 6, and a normal one.
    const task = await take(7);
    expect(task.response.messages).toMatchObject([{ protocolInstanceId: "u" }]);
    await complete(task, { messages: [c.accepted("u"), c.responded("u")] });
    expect(asked.isSettled).toBe(true);
  });

  it("of one task does not end the next one", async () => {
    await running();
    for (const id of ["a", "b"]) {
      ask(id);
      await f.settle();
      await complete(await take(5), { messages: [c.rejected(id)] });
      await f.runtime.advance(3_000);
    }
    const last = ask("c");
    await f.settle();
    await f.runtime.advance(4_000);
    const position = watch(f.engine.submit(at("w"), { kind: "historyPosition" }));
    await f.settle();
    expect(position.value?.range.endEventId).toBe(5);
    await complete(await take(5), { messages: [c.rejected("c")] });
    expect(last.isSettled).toBe(true);
    expect(f.runtime.timers.size).toBeLessThan(4);
  });
});

describe("rows", () => {
  it("of updates are one each: live while it is under way, keyed when it has its result, none when the run is deleted", async () => {
    const runId = await running();
    ask("done");
    ask("open");
    await f.settle();
    await complete(await take(5), { messages: [c.accepted("done"), c.responded("done"), c.accepted("open")] });
    const found = await f.store.findRun({ namespaceKey: 1, workflowId: "w", runId });
    const key = found?.key ?? 0;
    const live = async () => ((await f.store.loadExecution(key))?.live ?? []).filter((r) => r.kind === Kind.UPDATE).map((r) => r.id);
    const keyed = (id: string) => f.store.loadComponent(key, Kind.COMPLETED_UPDATE, id);
    expect(await live()).toHaveLength(1);
    expect([await keyed("done"), await keyed("open")]).toEqual([expect.any(Uint8Array), undefined]);
    void f.engine.submit(at("w", runId), { kind: "delete" });
    await f.settle();
    await f.runtime.advance(60_000);
    expect(await f.store.loadExecution(key)).toBeUndefined();
    expect(await keyed("done")).toBeUndefined();
  });
});
