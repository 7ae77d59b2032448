import { describe, expect, it } from "vitest";
import { QueueRecord, TaskRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { TaskQueueKind } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { ShutdownWorkerRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { notFound, resourceExhausted, unavailable } from "../api/service-error.js";
import { decode, encode } from "../api/wire.js";
import type { DispatchTask } from "../core/transition.js";
import { Batch } from "../persistence/batch.js";
import { FakeCall, namespace, START_MICROS, setup, started, task } from "./matching-under-test.js";

describe("direct start", () => {
  it("holds the poller that has waited longest and hands it the reply when confirmed", async () => {
    const { engine, runtime, poll, store } = setup();
    const [a, b] = [poll({ identity: "a" }), poll({ identity: "b" })];
    const reservation = engine.reserve(task({ workflowId: "w" }));
    expect(reservation?.input).toMatchObject({
      kind: "startActivity",
      scheduledEventId: 5,
      attempt: 1,
      poller: { identity: "a", taskQueue: "q", taskQueueKind: 1 },
    });
    await runtime.settle();
    expect(a.state).toBe("open");
    reservation?.confirm(started(task({ workflowId: "w" })));
    await runtime.settle();
    expect([a.state, a.workflowId, b.state]).toEqual(["task", "w", "open"]);
    expect(store.reads).toBe(0);
  });

  it("gives every poll its own request id", () => {
    const { engine, poll } = setup();
    poll();
    poll();
    const ids = [engine.reserve(task()), engine.reserve(task())].map((r) => r?.input.poller.requestId);
    expect(new Set(ids).size).toBe(2);
  });

  it("needs a poller of that queue and type", () => {
    const { engine, poll } = setup();
    poll({ queue: "other" });
    poll({ type: "workflow" });
    expect(engine.reserve(task())).toBeUndefined();
  });

  it("refuses a poller that has gone or has less than a second left", () => {
    const { engine, poll, nowMs } = setup();
    poll({ call: new FakeCall(nowMs() + 900) });
    expect(engine.reserve(task())).toBeUndefined();
    const call = new FakeCall(nowMs() + 10_000);
    poll({ call });
    // The stream has closed, but its listeners have not run yet.
    call.cancelled = true;
    expect(engine.reserve(task())).toBeUndefined();
  });

  it("puts a released poller back in front and returns its rate token", async () => {
    const { engine, runtime, poll } = setup();
    const a = poll({ identity: "a", rate: 1 });
    poll({ identity: "b", rate: 1 });
    engine.reserve(task())?.release();
    const second = engine.reserve(task());
    expect(second?.input.poller.identity).toBe("a");
    second?.confirm(started(task()));
    await runtime.settle();
    expect(a.state).toBe("task");
    expect(engine.reserve(task())).toBeUndefined();
  });

  it("answers a poller empty that was released after its time, or whose stream closed", async () => {
    const { engine, runtime, poll } = setup();
    const a = poll();
    const r = engine.reserve(task());
    await runtime.advance(60_000);
    expect(a.state).toBe("open");
    r?.release();
    await runtime.settle();
    expect(a.state).toBe("empty");
    const b = poll();
    const s = engine.reserve(task());
    b.call.cancel();
    expect(s?.isGone()).toBe(true);
    s?.release();
    await runtime.settle();
    expect(b.state).toBe("empty");
    expect(engine.reserve(task())).toBeUndefined();
  });

  it("does not overtake a stored task of its priority or a better one", async () => {
    const { engine, runtime, poll, storeDurably, starter } = setup();
    starter.behaviour = () => "hold";
    storeDurably(task({ priority: 3 }), task({ priority: 3 }), task({ priority: 4 }));
    poll({ rate: 1 });
    await runtime.settle();
    const b = poll({ rate: 1 });
    await runtime.settle();
    expect(starter.starts).toHaveLength(1);
    // One of priority 3 waits for the rate limit, with a poller waiting too.
    runtime.now += 1_000_000;
    expect(engine.reserve(task({ priority: 3 }))).toBeUndefined();
    const better = engine.reserve(task({ priority: 2 }));
    expect(better).toBeDefined();
    better?.confirm(started(task({ workflowId: "better" })));
    await runtime.settle();
    expect(b.workflowId).toBe("better");
  });

  it("needs a rate token, and the stored task follows when there is one", async () => {
    const { runtime, poll, offer, starter } = setup();
    const [a, b] = [poll({ rate: 1 }), poll({ rate: 1 })];
    expect(offer(task())).toBe("reserved");
    expect(offer(task({ workflowId: "second" }))).toBe("stored");
    await runtime.settle();
    expect([a.state, b.state, starter.starts.length]).toEqual(["task", "open", 0]);
    await runtime.advance(1_001);
    expect([b.state, b.workflowId]).toEqual(["task", "second"]);
  });

  it("is not allowed while an earlier process's backlog is unknown", async () => {
    const first = setup();
    first.storeDurably(task({ workflowId: "old" }));
    const second = setup({}, first.store, first.runtime);
    let open: () => void = () => undefined;
    second.store.gate = new Promise((resolve) => {
      open = resolve;
    });
    const [a, b] = [second.poll(), second.poll()];
    expect(second.offer(task({ workflowId: "new" }))).toBe("stored");
    open();
    await second.runtime.settle();
    expect([a.workflowId, b.workflowId]).toEqual(["old", "new"]);
    second.poll();
    await second.runtime.settle();
    expect(second.offer(task())).toBe("reserved");
  });
});

describe("backlog", () => {
  it("starts stored tasks through the starter with their rows, by priority and arrival", async () => {
    const { runtime, poll, storeDurably, starter, store } = setup();
    storeDurably(
      task({ workflowId: "a", priority: 5 }),
      task({ workflowId: "b" }),
      task({ workflowId: "c" }),
      task({ workflowId: "d", priority: 1 }),
    );
    expect(store.rows.size).toBe(4);
    const polls = [1, 2, 3, 4].map(() => poll());
    await runtime.settle();
    expect(polls.map((p) => p.workflowId)).toEqual(["d", "b", "c", "a"]);
    expect(starter.starts.every((s) => s.consumed !== undefined)).toBe(true);
    expect(store.rows.size).toBe(0);
  });

  it("tells pollers of workflow tasks how many others wait", async () => {
    const { runtime, poll, storeDurably } = setup();
    storeDurably(...["a", "b", "c"].map((workflowId) => task({ type: "workflow", workflowId })));
    const waiting: (number | undefined)[] = [];
    for (let i = 0; i < 3; i++) {
      const p = poll({ type: "workflow" });
      await runtime.settle();
      waiting.push(p.waiting);
    }
    expect(waiting).toEqual([2, 1, 0]);
  });

  it("may start a task whose batch is not durable yet, but not in the turn that stores it", async () => {
    const { engine, runtime, poll, starter } = setup();
    const a = poll({ rate: 0 });
    const batch = new Batch();
    engine.store(task(), batch);
    expect(starter.starts).toHaveLength(0);
    const b = poll();
    expect(starter.starts).toHaveLength(1);
    await runtime.settle();
    expect([a.state, b.state]).toEqual(["task", "open"]);
  });

  it("forgets the tasks of a batch that failed and reads the rest again", async () => {
    const { engine, runtime, poll, storeDurably, store, starter } = setup();
    storeDurably(task({ workflowId: "kept" }));
    const batch = new Batch();
    engine.store(task({ workflowId: "lost" }), batch);
    const other = new Batch();
    engine.store(task({ workflowId: "in flight" }), other);
    engine.settled(batch, false);
    const polls = [poll(), poll(), poll()];
    await runtime.settle();
    expect(polls.map((p) => p.workflowId)).toEqual(["kept", "in flight", ""]);
    expect(starter.starts).toHaveLength(2);
    expect(store.reads).toBe(1);
  });

  it("does not put back or drop a task whose batch failed while it was being started", async () => {
    const { engine, runtime, poll, starter } = setup();
    starter.behaviour = () => "hold";
    const batch = new Batch();
    engine.store(task(), batch);
    poll();
    poll();
    engine.settled(batch, false);
    starter.starts[0]?.fail(notFound("gone"));
    await runtime.advance(2_000);
    expect(starter.dropped).toEqual([]);
    expect(starter.starts).toHaveLength(1);
  });

  it("drops a stale task with its row and goes on with the next one for the same poller", async () => {
    const { runtime, poll, storeDurably, starter, store } = setup();
    starter.behaviour = (t) => (t.workflowId === "stale" ? notFound("workflow execution already completed") : "ok");
    storeDurably(task({ workflowId: "stale" }), task({ workflowId: "good" }));
    const a = poll({ rate: 1 });
    await runtime.settle();
    expect(a.workflowId).toBe("good");
    expect(starter.dropped).toEqual(["stale"]);
    expect(store.rows.size).toBe(0);
  });

  it("drops expired tasks without starting them", async () => {
    const { runtime, poll, storeDurably, starter } = setup();
    storeDurably(
      task({ workflowId: "expired", expireTime: START_MICROS + 1_000_000 }),
      task({ workflowId: "good", expireTime: START_MICROS + 9_000_000 }),
    );
    await runtime.advance(2_000);
    const a = poll();
    await runtime.settle();
    expect([a.workflowId, starter.dropped, starter.starts.length]).toEqual(["good", ["expired"], 1]);
  });

  it("rests a task whose start failed, lets the next one pass, and offers it again", async () => {
    const { runtime, poll, storeDurably, starter, warnings } = setup();
    let failures = 1;
    starter.behaviour = (t) => (t.workflowId === "sick" && failures-- > 0 ? unavailable("later") : "ok");
    storeDurably(task({ workflowId: "sick" }), task({ workflowId: "good" }));
    const [a, b] = [poll(), poll()];
    await runtime.settle();
    expect([a.workflowId, b.workflowId].sort()).toEqual(["", "good"]);
    await runtime.advance(1_000);
    expect([a.workflowId, b.workflowId].sort()).toEqual(["good", "sick"]);
    expect(warnings).toEqual(["starting a task failed"]);
  });

  it("tells the poller of overload and keeps the task", async () => {
    const { runtime, poll, storeDurably, starter, store } = setup();
    starter.behaviour = () => resourceExhausted("busy", 1, 1);
    storeDurably(task());
    const a = poll();
    await runtime.settle();
    expect([a.state, store.rows.size]).toEqual(["error", 1]);
    starter.behaviour = () => "ok";
    const b = poll();
    await runtime.advance(1_000);
    expect(b.state).toBe("task");
  });

  it("keeps a window in memory and reads on below half of it, each task once and in order", async () => {
    const { runtime, poll, storeDurably, store, starter } = setup({ backlogWindowTasksMax: 10 });
    const expected = Array.from({ length: 57 }, (_, i) => `t${i}`);
    for (const workflowId of expected) storeDurably(task({ workflowId }));
    const seen: string[] = [];
    for (let i = 0; i < 57; i++) {
      const p = poll();
      await runtime.settle();
      seen.push(p.workflowId);
      // Read ahead: the next task is in memory before its poller comes.
      if (i === 6) expect(store.reads).toBe(1);
    }
    expect(seen).toEqual(expected);
    expect(starter.starts).toHaveLength(57);
    expect(store.reads).toBeGreaterThan(3);
    expect(store.rows.size).toBe(0);
  });

  it("does not lose what is stored while a read is under way, nor bring back what was started", async () => {
    const { engine, runtime, poll, storeDurably, store, starter } = setup({ backlogWindowTasksMax: 4 });
    for (let i = 0; i < 8; i++) storeDurably(task({ workflowId: `t${i}` }));
    let open: () => void = () => undefined;
    store.gate = new Promise((resolve) => {
      open = resolve;
    });
    const polls = [poll(), poll(), poll()];
    await runtime.settle();
    const batch = new Batch();
    engine.store(task({ workflowId: "late" }), batch);
    engine.store(task({ workflowId: "urgent", priority: 1 }), batch);
    store.commit(batch);
    engine.settled(batch, true);
    open();
    await runtime.settle();
    for (let i = 0; i < 7; i++) {
      polls.push(poll());
      await runtime.settle();
    }
    const got = polls.map((p) => p.workflowId);
    expect(got).toEqual(["t0", "t1", "t2", "urgent", "t3", "t4", "t5", "t6", "t7", "late"]);
    expect(starter.starts).toHaveLength(10);
  });

  it("does not start a task twice that a read finds while, or just after, it is being started", async () => {
    for (const finishes of ["during the read", "after the read"]) {
      const { engine, runtime, poll, storeDurably, store, starter } = setup();
      storeDurably(task({ workflowId: "a" }), task({ workflowId: "b" }));
      starter.behaviour = () => "hold";
      const first = poll();
      const failing = new Batch();
      engine.store(task(), failing);
      engine.settled(failing, false);
      let open: () => void = () => undefined;
      store.gate = new Promise((resolve) => {
        open = resolve;
      });
      poll();
      poll();
      await runtime.settle();
      if (finishes === "during the read") starter.starts[0]?.succeed();
      await runtime.settle();
      open();
      await runtime.settle();
      starter.starts[0]?.succeed();
      await runtime.settle();
      expect(first.workflowId).toBe("a");
      expect(starter.starts.map((s) => s.task.workflowId)).toEqual(["a", "b"]);
    }
  });

  it("repeats a read that failed", async () => {
    const first = setup();
    first.storeDurably(task({ workflowId: "old" }));
    first.store.failReads = 1;
    const { poll, runtime, warnings } = setup({}, first.store, first.runtime);
    const a = poll();
    await runtime.advance(1_000);
    expect([a.workflowId, warnings.length]).toEqual(["old", 1]);
  });

  it("carries every field of a task over a restart", async () => {
    const first = setup();
    const full = task({ attempt: 7, stamp: 3, priority: 2, fairnessKey: "f", fairnessWeight: 1.5, expireTime: START_MICROS + 10 ** 9 });
    first.storeDurably(full);
    const { poll, runtime, starter } = setup({}, first.store, first.runtime);
    poll();
    await runtime.settle();
    expect(starter.starts[0]?.task).toEqual(full);
  });

  it("unloads an idle queue and finds its tasks again", async () => {
    const { engine, runtime, poll, storeDurably, store, nowMs } = setup();
    storeDurably(task({ workflowId: "waits" }));
    poll({ queue: "polled", call: new FakeCall(nowMs() + 3_000) });
    await runtime.advance(8 * 60_000);
    expect(engine.sinceLastPoll(namespace, "polled", "activity")).toBe(8 * 60_000 - 2_000);
    const a = poll();
    await runtime.settle();
    expect([a.workflowId, store.reads]).toEqual(["waits", 1]);
  });

  it("takes a random interleaving of stores, failures, starts and restarts without losing or doubling a task", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      let x = seed;
      const random = (n: number) => {
        x = (Math.imul(x, 1_103_515_245) + 12_345) & 0x7fffffff;
        return (x >>> 8) % n;
      };
      let t = setup({ backlogWindowTasksMax: 6 });
      const alive = new Set<string>();
      const delivered: string[] = [];
      let inFlight: { batch: Batch; ids: string[] }[] = [];
      const settle = (durable: boolean) => {
        const next = inFlight.shift();
        if (next === undefined) return;
        if (durable) t.store.commit(next.batch);
        else for (const id of next.ids) alive.delete(id);
        t.engine.settled(next.batch, durable);
      };
      const behave = () => {
        t.starter.behaviour = (started) => {
          // The engine evicts the executions of a failed batch: their tasks are stale.
          if (!alive.has(started.workflowId)) return notFound("gone");
          // An undurable row cannot be consumed before its batch; the start then lands behind it.
          if (random(5) === 0) return unavailable("later");
          alive.delete(started.workflowId);
          delivered.push(started.workflowId);
          while (inFlight.some((b) => b.ids.includes(started.workflowId))) settle(true);
          return "ok";
        };
      };
      behave();
      for (let step = 0; step < 150; step++) {
        const what = random(10);
        if (what < 5) {
          const batch = new Batch();
          const ids: string[] = [];
          for (let i = 0; i <= random(4); i++) {
            const stored = task({ priority: 1 + random(5) });
            ids.push(stored.workflowId);
            alive.add(stored.workflowId);
            t.engine.store(stored, batch);
          }
          inFlight.push({ batch, ids });
        } else if (what < 7) settle(random(6) > 0);
        else if (what < 9) t.poll();
        else await t.runtime.settle();
        while (inFlight.length > 2) settle(true);
        if (step === 90) {
          while (inFlight.length > 0) settle(true);
          inFlight = [];
          t.engine.drain();
          await t.runtime.settle();
          t = setup({ backlogWindowTasksMax: 6 }, t.store, t.runtime);
          behave();
        }
      }
      while (inFlight.length > 0) settle(true);
      for (let i = 0; i < 600 && alive.size > 0; i++) {
        t.poll();
        await t.runtime.advance(100);
      }
      await t.runtime.advance(3_000);
      expect([...alive]).toEqual([]);
      expect(new Set(delivered).size).toBe(delivered.length);
      expect(t.store.rows.size).toBe(0);
    }
  });
});

describe("polls", () => {
  it("answer empty at the long-poll limit, or a second before the caller's deadline", async () => {
    const { runtime, poll, nowMs } = setup();
    const long = poll({ call: new FakeCall(undefined) });
    const short = poll({ call: new FakeCall(nowMs() + 10_000) });
    await runtime.advance(8_999);
    expect(short.state).toBe("open");
    await runtime.advance(1);
    expect([short.state, long.state]).toEqual(["empty", "open"]);
    await runtime.advance(50_999);
    expect(long.state).toBe("open");
    await runtime.advance(1);
    expect(long.state).toBe("empty");
  });

  it("leave the queue when cancelled", async () => {
    const { engine, runtime, poll } = setup();
    const a = poll();
    a.call.cancel();
    await runtime.settle();
    expect(a.state).toBe("empty");
    expect(engine.reserve(task())).toBeUndefined();
  });

  it("wait as long as the limit of their own queue and type says", async () => {
    const { runtime, poll } = setup((namespaceId, queue, type) =>
      namespaceId === namespace.id && queue === "hurried" && type === "activity" ? { longPollExpirationMs: 5_000 } : {},
    );
    const polls = [poll({ queue: "hurried" }), poll({ queue: "hurried", type: "workflow" }), poll()];
    runtime.elapse(4_999);
    await runtime.settle();
    expect(polls.map((p) => p.state)).toEqual(["open", "open", "open"]);
    runtime.elapse(1);
    await runtime.settle();
    expect(polls.map((p) => p.state)).toEqual(["empty", "open", "open"]);
  });

  it("are all answered empty on drain, and later ones at once", async () => {
    const { engine, runtime, poll } = setup();
    const [a, held] = [poll(), poll()];
    const reservation = engine.reserve(task());
    engine.drain();
    const b = poll();
    await runtime.settle();
    // The first is held for a task that will be durable.
    expect([a.state, held.state, b.state]).toEqual(["open", "empty", "empty"]);
    reservation?.confirm(started(task()));
    await runtime.settle();
    expect(a.state).toBe("task");
    expect(engine.reserve(task())).toBeUndefined();
  });

  it("tell how long ago the queue was polled", async () => {
    const { engine, runtime, poll } = setup();
    expect(engine.sinceLastPoll(namespace, "q", "activity")).toBeUndefined();
    const a = poll();
    await runtime.advance(5_000);
    expect(engine.sinceLastPoll(namespace, "q", "activity")).toBe(0);
    a.call.cancel();
    await runtime.advance(3_000);
    expect(engine.sinceLastPoll(namespace, "q", "activity")).toBe(3_000);
  });
});

describe("sticky queues", () => {
  const stickyTask = (o: Partial<DispatchTask> = {}) => task({ type: "workflow", sticky: "s", ...o });
  const stickyPoll = { type: "workflow", sticky: "s" } as const;

  it("tells nobody how many wait there: a worker that reads an older answer last would leave its normal queue alone", async () => {
    const { runtime, poll, offer, nowMs } = setup();
    poll({ ...stickyPoll, call: new FakeCall(nowMs() + 3_000) });
    await runtime.advance(3_000);
    for (const workflowId of ["a", "b", "c"]) offer(stickyTask({ workflowId }));
    const answers = [poll(stickyPoll), poll(stickyPoll)];
    await runtime.settle();
    expect(answers.map((p) => [p.state, p.waiting])).toEqual([
      ["task", 0],
      ["task", 0],
    ]);
  });

  it("get the task directly when their worker is polling", async () => {
    const { engine, poll } = setup();
    poll({ type: "workflow" });
    poll(stickyPoll);
    expect(engine.reserve(stickyTask())?.input.poller.taskQueueKind).toBe(TaskQueueKind.STICKY);
  });

  it("keep the task when their worker polled within 10 s", async () => {
    const { runtime, poll, offer, nowMs } = setup();
    const normal = poll({ type: "workflow" });
    poll({ ...stickyPoll, call: new FakeCall(nowMs() + 3_000) });
    await runtime.advance(11_000);
    expect(offer(stickyTask({ workflowId: "sticky" }))).toBe("stored");
    await runtime.settle();
    expect(normal.state).toBe("open");
    const back = poll(stickyPoll);
    await runtime.settle();
    expect(back.workflowId).toBe("sticky");
  });

  it("are passed over when their worker has not polled for 10 s, or never", async () => {
    const { engine, runtime, poll, nowMs } = setup();
    poll({ type: "workflow" });
    expect(engine.reserve(stickyTask())?.input.poller.taskQueueKind).toBe(TaskQueueKind.NORMAL);
    poll({ ...stickyPoll, call: new FakeCall(nowMs() + 3_000) });
    await runtime.advance(12_001);
    poll({ type: "workflow" });
    expect(engine.reserve(stickyTask())?.input.poller.taskQueueKind).toBe(TaskQueueKind.NORMAL);
  });

  it("hand their tasks to the normal queue, in front, when the worker shuts down", async () => {
    const { engine, runtime, poll, offer, store, starter } = setup();
    const last = poll(stickyPoll);
    offer(stickyTask());
    await runtime.settle();
    expect(last.state).toBe("task");
    expect(offer(stickyTask({ workflowId: "sticky" }))).toBe("stored");
    offer(task({ type: "workflow", workflowId: "normal" }));
    const [a, b] = [poll({ ...stickyPoll, sticky: "other" }), poll({ type: "workflow", queue: "elsewhere" })];
    engine.shutdownWorker(namespace, ShutdownWorkerRequest.create({ stickyTaskQueue: "s", identity: "worker" }));
    const polls = [poll({ type: "workflow" }), poll({ type: "workflow" })];
    await runtime.settle();
    expect(polls.map((p) => p.workflowId)).toEqual(["sticky", "normal"]);
    expect(starter.starts[0]?.poller.taskQueueKind).toBe(TaskQueueKind.NORMAL);
    expect([a.state, b.state, store.rows.size]).toEqual(["open", "open", 0]);
    poll({ type: "workflow" });
    expect(engine.reserve(stickyTask())?.input.poller.taskQueueKind).toBe(TaskQueueKind.NORMAL);
  });

  it.each(["same process", "next process"])(
    "hand each task to its own workflow's queue when workers of two share a sticky name: %s",
    async (process) => {
      const first = setup();
      const last = [first.poll(stickyPoll), first.poll({ ...stickyPoll, queue: "other" })];
      for (const { call } of last) call.cancel();
      await first.runtime.settle();
      expect(first.offer(stickyTask({ workflowId: "of q" }))).toBe("stored");
      expect(first.offer(stickyTask({ workflowId: "of other", normalTaskQueue: "other" }))).toBe("stored");
      first.engine.keep(stickyTask({ workflowId: "kept, of other", normalTaskQueue: "other", expireTime: Number.MAX_SAFE_INTEGER, createTime: 1 }));
      const then = process === "same process" ? first : setup({}, first.store, first.runtime);
      then.engine.shutdownWorker(namespace, ShutdownWorkerRequest.create({ stickyTaskQueue: "s" }));
      const polls = ["q", "q", "other", "other"].map((queue) => then.poll({ type: "workflow", queue }));
      await then.runtime.settle();
      const others = process === "same process" ? ["kept, of other", "of other"] : ["of other", ""];
      expect(polls.map((p) => p.workflowId)).toEqual(["of q", "", ...others]);
      expect([then.store.rows.size, then.warnings]).toEqual([0, []]);
    },
  );

  it("hand the tasks that an older server stored to the queue that their queue's record names", async () => {
    const first = setup();
    first.poll(stickyPoll).call.cancel();
    first.offer(stickyTask({ workflowId: "old" }));
    for (const row of first.store.rows.values()) row.value = encode(TaskRecord, { ...decode(TaskRecord, row.value), normalTaskQueue: "" });
    for (const [id, value] of first.store.registry)
      first.store.registry.set(id, encode(QueueRecord, { ...decode(QueueRecord, value), normalName: "q" }));
    const { engine, poll, runtime } = setup({}, first.store, first.runtime);
    engine.shutdownWorker(namespace, ShutdownWorkerRequest.create({ stickyTaskQueue: "s" }));
    const heir = poll({ type: "workflow" });
    await runtime.settle();
    expect([heir.workflowId, first.store.rows.size]).toEqual(["old", 0]);
  });

  it("end the polls of a worker that shuts down at once, and turn its late ones away", async () => {
    const { engine, runtime, poll } = setup();
    const polls = [
      poll({ ...stickyPoll, instance: "i" }),
      poll({ type: "workflow", instance: "i" }),
      poll({ instance: "i" }),
      poll({ instance: "other" }),
    ];
    engine.shutdownWorker(namespace, ShutdownWorkerRequest.create({ stickyTaskQueue: "s", identity: "worker", workerInstanceKey: "i" }));
    await runtime.settle();
    expect(polls.map((p) => p.state)).toEqual(["empty", "empty", "empty", "open"]);
    const late = poll({ ...stickyPoll, instance: "i" });
    await runtime.settle();
    expect(late.state).toBe("empty");
    await runtime.advance(30_001);
    const again = poll({ instance: "i" });
    await runtime.settle();
    expect(again.state).toBe("open");
  });

  it("are cleared of rows and records that an earlier process left", async () => {
    const first = setup();
    first.poll(stickyPoll);
    first.offer(stickyTask());
    await first.runtime.settle();
    first.storeDurably(stickyTask({ workflowId: "left" }));
    const { runtime, store, starter, poll, storeDurably } = setup({}, first.store, first.runtime);
    starter.behaviour = () => notFound("stale");
    expect(store.registry.size).toBe(1);
    await runtime.advance(7 * 60_000);
    poll({ type: "workflow" });
    await runtime.advance(7 * 60_000);
    expect([starter.dropped, store.rows.size]).toEqual([["left"], 0]);
    storeDurably(task());
    expect([...store.registry.keys()]).toEqual(["ns-id/activity/normal/q"]);
  });
});
