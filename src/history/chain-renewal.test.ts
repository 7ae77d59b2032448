/** What becomes of inputs and chains, one failure at a time. What callers see of it is in history-engine.test.ts. */
import { describe, expect, it } from "vitest";
import { Code, type ServiceError } from "../api/service-error.js";
import type { ExecutionState } from "../core/execution.js";
import type { Input, InputKind } from "../core/input.js";
import { FakeRuntime } from "../lib/fake-runtime.js";
import { MemoryStore } from "../persistence/memory/store.js";
import { ChainRenewal } from "./chain-renewal.js";
import { type CachedChain, ExecutionCache } from "./execution-cache.js";
import { at, NAMESPACE, silent, watch } from "./fake-engine.js";
import { GroupCommit, OpenBatch } from "./group-commit.js";
import { InputClass, type PendingInput } from "./pending-input.js";
import { ReadyChains } from "./ready-chains.js";

class Fixture {
  readonly cache = new ExecutionCache(() => 100, 1 << 20);
  readonly runtime = new FakeRuntime();
  readonly ready = new ReadyChains(this.runtime, () => undefined);
  readonly commits = new GroupCommit(
    new MemoryStore(),
    silent,
    () => undefined,
    (lost, kind) => this.renewal.lost(lost, kind),
  );
  readonly waiters = new Map<number, PendingInput>();
  readonly refused = new Map<PendingInput, ServiceError>();
  readonly stopped: Error[] = [];
  readonly renewal = new ChainRenewal({
    logger: silent,
    cache: this.cache,
    commits: this.commits,
    ready: this.ready,
    clocks: () => ({ isCounting: false, recount: () => undefined }),
    waiters: this.waiters,
    stop: (error) => this.stopped.push(error),
  });

  input(workflowId: string, kind: InputKind = "signal"): PendingInput {
    const p: PendingInput = {
      address: at(workflowId),
      input: { kind } as Input,
      class: InputClass.CALL,
      consumed: undefined,
      isGone: undefined,
      resolve: () => undefined,
      reject: (error) => this.refused.set(p, error),
      dueRow: undefined,
      transferRow: undefined,
      loadedEvents: new Map(),
      loadedRequestIds: new Map(),
      loadedUpdates: new Map(),
      isAlone: false,
    };
    return p;
  }

  chain(workflowId: string): CachedChain {
    return this.cache.get(NAMESPACE.id, workflowId);
  }

  batch(sequence: number, ...inputs: PendingInput[]): OpenBatch {
    const batch = new OpenBatch(sequence);
    for (const p of inputs) {
      const chain = this.chain(p.address.workflowId);
      chain.sequence = sequence;
      batch.chains.add(chain);
      batch.inputs.push(p);
    }
    return batch;
  }

  /** A run in whose memory an input waits. */
  waiting(workflowId: string, waiter: number): PendingInput {
    const p = this.input(workflowId, "query");
    this.waiters.set(waiter, p);
    const chain = this.chain(workflowId);
    chain.began({ key: waiter, info: { runId: `run-${waiter}` }, waiters: [waiter], sizeBytes: 1, isPinned: true } as unknown as ExecutionState);
    return p;
  }
}

describe("a batch that is lost", () => {
  it("is undone from its end, after the batch that was computed from it", () => {
    const f = new Fixture();
    const undone: string[] = [];
    const [first, second] = [f.batch(1), f.batch(2)];
    first.undo.push(
      () => undone.push("first 1"),
      (kind) => undone.push(`first 2 ${kind}`),
    );
    second.undo.push(
      () => undone.push("second 1"),
      () => undone.push("second 2"),
    );
    f.renewal.lost([first, second], "refused");
    expect(undone).toEqual(["second 2", "second 1", "first 2 refused", "first 1"]);
  });

  it("has its inputs run alone, those of the next one together, all of them before what waits and with nothing loaded", () => {
    const f = new Fixture();
    const failed = f.batch(1, f.input("w", "start"), f.input("w", "signal"));
    const next = f.batch(2, f.input("w", "requestCancel"));
    f.chain("w").queue.push(f.input("w", "terminate"));
    f.renewal.lost([failed, next], "refused");
    expect(f.chain("w").queue.map((p) => [p.input.kind, p.isAlone, p.loadedEvents === undefined])).toEqual([
      ["start", true, true],
      ["signal", true, true],
      ["requestCancel", false, true],
      ["terminate", false, false],
    ]);
    expect(f.chain("w").sequence).toBe(0);
    expect(f.refused.size).toBe(0);
  });

  it("has the input refused that the store does not take alone, and the next batch run again", () => {
    const f = new Fixture();
    const alone = f.input("w");
    const failed = f.batch(1, alone);
    failed.alone = alone;
    f.renewal.lost([failed, f.batch(2, f.input("w", "describe"))], "refused");
    expect(f.refused.get(alone)?.code).toBe(Code.INTERNAL);
    expect(f.chain("w").queue.map((p) => p.input.kind)).toEqual(["describe"]);
  });

  it("on a full disk has what needs room refused, and what needs none only when it fails alone", () => {
    const f = new Fixture();
    const [signal, removal, computed] = [f.input("w"), f.input("w", "delete"), f.input("w", "signal")];
    f.renewal.lost([f.batch(1, signal, removal), f.batch(2, computed)], "full");
    expect([...f.refused.keys()]).toEqual([signal]);
    expect(f.refused.get(signal)?.code).toBe(Code.RESOURCE_EXHAUSTED);
    expect(f.chain("w").queue.map((p) => p.input.kind)).toEqual(["delete", "signal"]);
    const again = f.chain("w").queue.shift() as PendingInput;
    const failed = f.batch(3, again);
    failed.alone = again;
    f.renewal.lost([failed], "full");
    expect([...f.refused.keys()]).toEqual([signal, removal]);
    expect(f.chain("w").queue.map((p) => p.input.kind)).toEqual(["signal"]);
  });

  it("has what waited in memory asked again, before its own inputs", () => {
    const f = new Fixture();
    const query = f.waiting("w", 1);
    f.renewal.lost([f.batch(1, f.input("w"))], "refused");
    expect(f.chain("w").queue.map((p) => p.input.kind)).toEqual(["query", "signal"]);
    expect(f.chain("w").queue[0]).toBe(query);
    expect(f.chain("w").runs.size).toBe(0);
    expect(f.waiters.size).toBe(0);
  });

  it("stops everything when its outcome is unknown: nothing is undone, asked again or refused", () => {
    const f = new Fixture();
    const failed = f.batch(1, f.input("w"));
    failed.undo.push(() => expect.fail("undone"));
    f.renewal.lost([failed], "lost");
    expect(f.stopped.length).toBe(1);
    expect(f.chain("w").queue).toEqual([]);
    expect(f.refused.size).toBe(0);
  });
});

describe("a chain whose memory is let go", () => {
  it("goes on under its name with what waited in it, although it was out of the cache meanwhile", () => {
    const f = new Fixture();
    const query = f.waiting("w", 1);
    const before = f.chain("w");
    f.renewal.quarantine(before, undefined);
    const after = f.chain("w");
    expect(after).not.toBe(before);
    expect(after.queue).toEqual([query]);
    expect(before.queue).toEqual([]);
    expect(f.waiters.size).toBe(0);
    expect(f.ready.next()).toBe(after);
  });

  it("is not let go twice: a second bug is answered at once, and a renewal of all does not wait for it", async () => {
    const f = new Fixture();
    const [first, second] = [f.input("w"), f.input("w")];
    const chain = f.chain("w");
    chain.sequence = f.commits.open.sequence;
    f.renewal.quarantine(chain, first);
    f.renewal.quarantine(chain, second);
    expect([...f.refused.keys()]).toEqual([second]);
    const renewed = watch(f.renewal.renewAll([chain]));
    await f.runtime.settle();
    expect(renewed.isSettled).toBe(true);
    expect(chain.isBlocked).toBe(true);
    f.commits.flush();
    expect([...f.refused.keys()]).toEqual([second, first]);
    expect(chain.isBlocked).toBe(false);
  });
});
