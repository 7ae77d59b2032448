/** What a standalone activity with many callbacks costs when one of them changes. */
import { describe, expect, it } from "vitest";
import { ActivityExecutionRecord, ActivityRecord, ActivityRequestRecord, CallbackRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { CallbackState as State } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { ActivityDraft, ActivityState, Status } from "./activity-state.js";

const MANY = 1_000;
const callback = (id: number): CallbackRecord => CallbackRecord.create({ id, requestId: `request-${id}`, state: State.STANDBY });

/** As a start has made it that brought that many callbacks. */
function activityWith(count: number): { state: ActivityState; rows: ReturnType<ActivityDraft["componentWrites"]> } {
  const info = ActivityExecutionRecord.create({ status: Status.SCHEDULED, activity: ActivityRecord.create({ activityId: "a" }) });
  const draft = new ActivityDraft(new ActivityState(1, info, ActivityRequestRecord.create({}), undefined), true);
  for (let id = 1; id <= count; id++) draft.putCallback(callback(id));
  const rows = draft.componentWrites();
  return { state: draft.accept(), rows };
}

describe("the callbacks of a standalone activity", () => {
  it("are looked at no more than those that change", () => {
    const { state } = activityWith(MANY);
    const seen = new Set<number>();
    for (const [id, c] of state.callbacks.base)
      state.callbacks.put(
        id,
        new Proxy(c, {
          get: (target, name) => {
            seen.add(id);
            return Reflect.get(target, name);
          },
        }),
      );
    const draft = new ActivityDraft(state, false);
    draft.putCallback(CallbackRecord.create({ id: 7, requestId: "request-7", state: State.SUCCEEDED, attempt: 1 }));
    draft.putCallback(callback(MANY + 1));
    expect(draft.componentWrites().map(({ id, op }) => [id, op])).toEqual([
      [7, "put"],
      [MANY + 1, "insert"],
    ]);
    const before = state.sizeBytes;
    expect(draft.accept().sizeBytes).toBeGreaterThan(before);
    expect([...seen]).toEqual([7]);
  });

  it("are as large as their rows, also after a change, and stand in the order of their ids", () => {
    const { state, rows } = activityWith(12);
    const draft = new ActivityDraft(state, false);
    draft.putCallback(CallbackRecord.copy(callback(11), { state: State.SUCCEEDED, attempt: 300 }));
    const changed = draft.componentWrites();
    draft.accept();
    const live = rows.filter((r) => r.kind !== changed[0]?.kind || r.id !== 11);
    // As a store that goes by the text of ids would give them.
    const stored = [...live, ...changed].sort((a, b) => a.kind - b.kind || String(a.id).localeCompare(String(b.id)));
    const loaded = ActivityState.load(1, state.encodeRecord(), stored);
    expect([loaded.sizeBytes, loaded.stateSizeBytes]).toEqual([state.sizeBytes, state.stateSizeBytes]);
    const idsAndAttempts = (s: ActivityState) => [...s.callbacks.base.values()].map((c) => [c.id, c.attempt]);
    expect(idsAndAttempts(loaded)).toEqual(idsAndAttempts(state));
    expect(idsAndAttempts(state).map(([id]) => id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  it("stay as they were when the draft is dropped", () => {
    const { state } = activityWith(1);
    const draft = new ActivityDraft(state, false);
    draft.putCallback(CallbackRecord.copy(callback(1), { state: State.SCHEDULED }));
    draft.putCallback(callback(2));
    expect([draft.callbacks.size, state.callbacks.base.size, state.deliveries]).toEqual([2, 1, 0]);
    draft.accept();
    expect([state.callbacks.base.size, state.deliveries]).toEqual([2, 1]);
  });
});
