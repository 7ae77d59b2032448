import { describe, expect, it } from "vitest";
import type { TransferRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { Payload } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { ScheduleOverlapPolicy as Policy } from "../../../gen/wire/temporal/api/enums/v1/schedule.js";
import { WorkflowExecutionStatus as Status } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type { Schedule, SchedulePatch } from "../../../gen/wire/temporal/api/schedule/v1/message.js";
import {
  CreateScheduleRequest,
  type DescribeScheduleResponse,
  PatchScheduleRequest,
  StartWorkflowExecutionRequest,
  UpdateScheduleRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { timestampOf } from "../../api/time.js";
import { decode, encode, type Init } from "../../api/wire.js";
import { defaultConfig } from "../../config/dynamic-config.js";
import type { SettingName } from "../../config/limits.js";
import { apply } from "../engine.js";
import { Archetype, type ExecutionState } from "../execution.js";
import type { Env, InputKind, InputOf } from "../input.js";
import type { NamespaceView } from "../namespace-view.js";
import { NO_ENDPOINTS } from "../nexus-operation/endpoints.js";
import type { Notice, Replies, ScheduleView, Transition } from "../transition.js";
import type { VisibilityRow } from "../visibility/row.js";
import { TransferKind } from "../workflow/transfer-kind.js";
import { ScheduleState } from "./schedule-state.js";

const SECOND = 1_000_000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
/** A full day, in UTC. */
const START = Date.parse("2030-01-01T00:00:00Z") * 1000;
const NAMESPACE: NamespaceView = {
  id: "ns-id",
  name: "default",
  key: 1,
  retention: DAY,
  state: 1,
  searchAttributes: new Map([["A", { id: 1, type: 2 }]]),
};
const every = (seconds: number): Init<Schedule> => ({ spec: { interval: [{ interval: { seconds } }] } });

/** One schedule without a shell: a clock, the transfer tasks that it asks for, and what a test makes of them. */
class World {
  now = START;
  state: ExecutionState | undefined;
  config = defaultConfig();
  readonly transfers: TransferRecord[] = [];
  readonly starts: StartWorkflowExecutionRequest[] = [];
  readonly rows: VisibilityRow[] = [];
  readonly notices: Notice[] = [];
  transitions = 0;
  private ids = 0;

  limit(limits: Partial<Record<SettingName, number>>): void {
    this.config = { ...this.config, limits: { ...this.config.limits, ...limits } as typeof this.config.limits };
  }

  submit<K extends InputKind>(input: InputOf<K>): Replies[K] | undefined {
    const n = ++this.ids;
    const env: Env = {
      now: this.now,
      newRunId: `018bcfe5-6800-7000-8000-${String(n).padStart(12, "0")}`,
      seed: n * 7919,
      newKey: n,
      config: this.config,
      namespace: NAMESPACE,
      namespaces: { byName: () => NAMESPACE, byId: () => NAMESPACE },
      nexusEndpoints: NO_ENDPOINTS,
    };
    const chain = { current: () => this.state, run: () => this.state };
    const address = { namespaceId: NAMESPACE.id, workflowId: "s", runId: "", archetype: Archetype.SCHEDULE };
    const outcome = apply<K>(chain, address, input, env, { event: () => undefined, requestId: () => null });
    if (outcome.outcome === "error") throw outcome.error;
    if (outcome.outcome !== "accepted") return undefined;
    this.accept(outcome as Transition);
    return outcome.reply;
  }

  private accept(t: Transition): void {
    this.transitions++;
    this.notices.push(...(t.notices ?? []));
    for (const draft of t.runs) {
      for (const { record } of draft.transfers) {
        this.transfers.push(record);
        if (record.kind === TransferKind.START_SCHEDULED) this.starts.push(decode(StartWorkflowExecutionRequest, record.startRequest));
      }
      if (draft.visibility !== undefined) this.rows.push(draft.visibility);
      const { removed } = draft;
      const rows = draft.componentWrites();
      const state = draft.accept();
      this.state = removed ? undefined : state;
      // What is stored gives the state back.
      if (!removed && draft.isNew) expect(ScheduleState.load(1, state.encodeRecord(), rows).encodeRecord()).toEqual(state.encodeRecord());
    }
  }

  create(schedule: Init<Schedule> = {}, more: Init<CreateScheduleRequest> = {}): void {
    const request = CreateScheduleRequest.create({
      scheduleId: "s",
      requestId: "create",
      schedule: {
        spec: {},
        ...schedule,
        action: schedule.action ?? {
          action: { case: "startWorkflow", value: { workflowId: "w", workflowType: { name: "T" }, taskQueue: { name: "q" } } },
        },
      },
      ...more,
    } as Init<CreateScheduleRequest>);
    this.submit<"createSchedule">({ kind: "createSchedule", request });
  }

  patch(patch: Init<SchedulePatch>, requestId = `p${++this.ids}`): void {
    this.submit<"patchSchedule">({ kind: "patchSchedule", request: PatchScheduleRequest.create({ requestId, patch } as Init<PatchScheduleRequest>) });
  }

  trigger(overlapPolicy = Policy.UNSPECIFIED): void {
    this.patch({ triggerImmediately: { overlapPolicy } });
  }

  update(schedule: Init<Schedule>, more: Init<UpdateScheduleRequest> = {}): void {
    const { action } = this.describe().schedule as Schedule;
    const request = UpdateScheduleRequest.create({ schedule: { spec: {}, action, ...schedule }, ...more } as Init<UpdateScheduleRequest>);
    this.submit<"updateSchedule">({ kind: "updateSchedule", request });
  }

  describe(): DescribeScheduleResponse {
    return (this.submit<"describeSchedule">({ kind: "describeSchedule" }) as ScheduleView).response as DescribeScheduleResponse;
  }

  get info(): NonNullable<DescribeScheduleResponse["info"]> {
    return this.describe().info as NonNullable<DescribeScheduleResponse["info"]>;
  }

  /** Moves the clock; the schedule is looked at when it is due. */
  advance(micros: number): void {
    const until = this.now + micros;
    for (let n = 0; this.state !== undefined && this.state.info.due > 0 && this.state.info.due <= until; n++) {
      if (n > 5_000) throw new Error("a deadline fires without end");
      this.now = Math.max(this.now, this.state.info.due);
      this.submit<"due">({ kind: "due" });
    }
    this.now = until;
  }

  /** The server was off: nothing fires until it is back. */
  sleep(micros: number): void {
    this.now += micros;
    this.advance(0);
  }

  asked(kind: TransferKind): TransferRecord[] {
    return this.transfers.filter((t) => t.kind === kind);
  }

  /** The n-th start succeeds. */
  begin(n: number): void {
    const { requestId } = this.starts[n] as StartWorkflowExecutionRequest;
    this.submit<"actionStarted">({ kind: "actionStarted", transferId: 1000 + n, requestId, runId: `run-${n}` });
  }

  end(n: number, attributes: Init<HistoryEvent>["attributes"] = { case: "workflowExecutionCompletedEventAttributes", value: {} } as never): void {
    const { requestId } = this.starts[n] as StartWorkflowExecutionRequest;
    const event = HistoryEvent.create({ eventTime: timestampOf(this.now), attributes } as Init<HistoryEvent>);
    this.submit<"actionClosed">({ kind: "actionClosed", requestId, firstRunId: `run-${n}`, event });
  }

  /** Everything that is asked for is started, and ends at once. */
  settle(from: number): number {
    let n = from;
    for (; n < this.starts.length; n++) {
      this.begin(n);
      this.end(n);
    }
    return n;
  }
}

const failed = (message: string) => ({ case: "workflowExecutionFailedEventAttributes", value: { failure: { message } } }) as never;

describe("a description", () => {
  it("has a place for what was not given: memo, and the time of an update that never was", () => {
    const w = new World();
    w.create({});
    expect(w.describe()).toMatchObject({ memo: {}, info: { updateTime: { seconds: -62_135_596_800 } } });
    w.update({ spec: {} });
    expect(w.info.updateTime).toEqual(timestampOf(w.now));
  });

  it("shows no attributes where there are none: none given, all taken away, all null", () => {
    const w = new World();
    w.create({});
    expect(w.describe().searchAttributes).toBeUndefined();
    const value = (data: string) => encode(Payload, Payload.create({ metadata: { encoding: Buffer.from("json/plain") }, data: Buffer.from(data) }));
    const shown = (indexedFields: Record<string, Uint8Array>) => {
      w.update({ spec: {} }, { searchAttributes: { indexedFields } });
      return Object.keys(w.describe().searchAttributes?.indexedFields ?? { none: "" });
    };
    expect(shown({ A: value('"a"') })).toEqual(["A"]);
    expect(shown({})).toEqual(["none"]);
    expect(shown({ A: value('"a"') })).toEqual(["A"]);
    expect(shown({ A: value("null") })).toEqual(["none"]);
  });
});

describe("by the clock", () => {
  it("acts at each time of the spec, under an id with that time", () => {
    const w = new World();
    w.create(every(3600));
    let n = 0;
    for (let hour = 1; hour <= 3; hour++) {
      w.advance(HOUR);
      n = w.settle(n);
    }
    expect(w.starts.map((s) => s.workflowId)).toEqual(["w-2030-01-01T01:00:00Z", "w-2030-01-01T02:00:00Z", "w-2030-01-01T03:00:00Z"]);
    expect(w.info.actionCount).toBe(3);
    expect(new Set(w.starts.map((s) => s.requestId)).size).toBe(3);
  });

  it("keeps the id of the action when told to, and then allows it again", () => {
    const w = new World();
    w.create({ ...every(3600), policies: { keepOriginalWorkflowId: true } });
    w.advance(HOUR);
    w.settle(0);
    w.advance(HOUR);
    expect(w.starts.map((s) => [s.workflowId, s.workflowIdReusePolicy])).toEqual([
      ["w", 1],
      ["w", 1],
    ]);
  });

  it("looks at nothing between two times", () => {
    const w = new World();
    w.create({ spec: { cronString: [], structuredCalendar: [], interval: [{ interval: { seconds: 86_400 } }] } });
    const before = w.transitions;
    w.advance(DAY - SECOND);
    expect(w.transitions).toBe(before);
    w.advance(2 * SECOND);
    expect(w.starts).toHaveLength(1);
  });

  it("acts once at a time that comes while it is described, updated and triggered", () => {
    const w = new World();
    w.create({ ...every(3600), policies: { overlapPolicy: Policy.ALLOW_ALL } });
    w.now += HOUR;
    w.patch({});
    w.describe();
    w.advance(0);
    w.patch({});
    expect(w.starts).toHaveLength(1);
  });

  it("does not lose a time whose jitter an update waits out", () => {
    const w = new World();
    w.create({ spec: { interval: [{ interval: { seconds: 3600 } }], jitter: { seconds: 3000 } } });
    const [next] = w.info.futureActionTimes;
    const at = (next?.seconds ?? 0) * SECOND + Math.floor((next?.nanos ?? 0) / 1000);
    expect(at).toBeGreaterThan(START + HOUR);
    // After the nominal time, before the actual one.
    w.advance(START + HOUR + Math.floor((at - START - HOUR) / 2) - w.now);
    w.patch({});
    w.advance(at - w.now);
    expect(w.starts).toHaveLength(1);
  });

  it("counts what remains, with a new token for each, and ends with it", () => {
    const w = new World();
    w.create({ ...every(60), state: { limitedActions: true, remainingActions: 2 } });
    const [token] = w.describe().conflictToken;
    let n = 0;
    for (let i = 0; i < 5; i++) {
      w.advance(60 * SECOND);
      n = w.settle(n);
    }
    expect(w.starts).toHaveLength(2);
    expect(w.describe().schedule?.state?.remainingActions).toBe(0);
    expect(w.describe().conflictToken[0]).toBe((token ?? 0) + 2);
    expect(w.info.futureActionTimes).toEqual([]);
  });
});

describe("after the server was off", () => {
  it("catches up within the window, counts what it missed, and says so", () => {
    const w = new World();
    w.create({ ...every(3600), policies: { overlapPolicy: Policy.ALLOW_ALL, catchupWindow: { seconds: 4 * 3600 } } });
    w.sleep(10 * HOUR);
    expect(w.starts.map((s) => s.workflowId)).toEqual([6, 7, 8, 9, 10].map((h) => `w-2030-01-01T${String(h).padStart(2, "0")}:00:00Z`));
    expect(w.info.missedCatchupWindow).toBe(5);
    expect(w.notices).toEqual([
      { level: "warn", fields: { namespace: "default", scheduleId: "s", caughtUp: 4, missed: 5 }, text: expect.stringContaining("catches up") },
    ]);
  });

  it("catches up no more than the server's cap, whatever the window", () => {
    const w = new World();
    w.limit({ scheduleCatchupMsMax: 2 * 3_600_000 });
    w.create({ ...every(3600), policies: { overlapPolicy: Policy.ALLOW_ALL } });
    w.sleep(100 * HOUR);
    expect(w.starts).toHaveLength(3);
    expect(w.info.missedCatchupWindow).toBe(97);
    // What is shown is the schedule's own.
    expect(w.describe().schedule?.policies?.catchupWindow?.seconds).toBe(365 * 86_400);
  });

  it("starts one and skips the others in one pass, when overlaps are skipped", () => {
    const w = new World();
    w.create(every(3600));
    const before = w.transitions;
    w.sleep(500 * HOUR);
    expect(w.transitions - before).toBe(1);
    expect(w.starts).toHaveLength(1);
    expect(w.info.overlapSkipped).toBe(499);
  });

  it("goes through a long time in slices, and drops what the buffer cannot hold", () => {
    const w = new World();
    w.create({ ...every(60), policies: { overlapPolicy: Policy.BUFFER_ALL } });
    const before = w.transitions;
    w.sleep(5 * DAY);
    // 7,200 times, 1,000 a transition.
    expect(w.transitions - before).toBe(8);
    expect([w.info.bufferSize, w.info.bufferDropped]).toEqual([1_000, 6_200]);
    expect(w.info.futureActionTimes[0]?.seconds).toBe((w.now + 60 * SECOND) / SECOND);
  });

  it("asks for fifty starts at a time", () => {
    const w = new World();
    w.create({ ...every(60), policies: { overlapPolicy: Policy.ALLOW_ALL } });
    w.sleep(2 * HOUR);
    expect(w.starts).toHaveLength(50);
    w.begin(0);
    expect(w.starts).toHaveLength(51);
    for (let n = 1; n < 120; n++) w.begin(n);
    expect(w.info.actionCount).toBe(120);
  });

  it("does not go back when the clock does", () => {
    const w = new World();
    w.create({ ...every(3600), policies: { overlapPolicy: Policy.ALLOW_ALL } });
    w.advance(3 * HOUR);
    w.now -= 2 * HOUR;
    w.patch({});
    w.advance(3 * HOUR);
    expect(new Set(w.starts.map((s) => s.workflowId)).size).toBe(w.starts.length);
    expect(w.starts.at(-1)?.workflowId).toBe("w-2030-01-01T04:00:00Z");
  });
});

describe("paused", () => {
  it("makes up for nothing, and is not looked at", () => {
    const w = new World();
    w.create({ ...every(60), policies: { overlapPolicy: Policy.ALLOW_ALL }, state: { paused: true } });
    const before = w.transitions;
    w.advance(30 * DAY);
    expect(w.transitions).toBe(before);
    w.patch({ unpause: "now" });
    expect(w.starts).toHaveLength(0);
    w.advance(60 * SECOND);
    expect([w.starts.length, w.info.missedCatchupWindow]).toEqual([1, 0]);
  });

  it("lets go of what waits in the buffer by the clock, not of what was asked for by hand", () => {
    const w = new World();
    w.create({ ...every(3600), policies: { overlapPolicy: Policy.BUFFER_ALL } });
    w.trigger();
    w.begin(0);
    w.advance(HOUR);
    w.trigger();
    w.patch({ pause: "stop" });
    w.end(0);
    expect(w.info.bufferSize).toBe(1);
    w.begin(1);
    w.end(1);
    expect([w.starts.length, w.info.actionCount, w.info.bufferSize]).toEqual([2, 2, 0]);
  });

  it("comes of a failure after which it is asked for, with a note and a new token", () => {
    const w = new World();
    w.create({ policies: { pauseOnFailure: true } });
    w.trigger();
    w.begin(0);
    const [token] = w.describe().conflictToken;
    w.end(0, failed("bad"));
    const { schedule, conflictToken } = w.describe();
    expect(schedule?.state).toMatchObject({ paused: true, notes: `paused, workflow failed: ${w.starts[0]?.workflowId}` });
    expect(conflictToken[0]).toBe((token ?? 0) + 1);
  });

  it.each([
    ["a cancellation", "workflowExecutionCanceledEventAttributes"],
    ["a termination", "workflowExecutionTerminatedEventAttributes"],
  ])("does not come of %s", (_what, attributes) => {
    const w = new World();
    w.create({ policies: { pauseOnFailure: true } });
    w.trigger();
    w.begin(0);
    w.end(0, { case: attributes, value: {} } as never);
    expect(w.describe().schedule?.state?.paused).toBe(false);
  });
});

describe("actions", () => {
  it("are started with what the last one left, its result kept over a failure", () => {
    const w = new World();
    w.create();
    const result = new Uint8Array([10, 0]);
    w.trigger();
    w.begin(0);
    w.end(0, { case: "workflowExecutionCompletedEventAttributes", value: { result } } as never);
    w.trigger();
    w.begin(1);
    w.end(1, failed("bad"));
    w.trigger();
    expect(w.starts.map((s) => [s.lastCompletionResult?.length ?? 0, s.continuedFailure?.message])).toEqual([
      [0, undefined],
      [2, undefined],
      [2, "bad"],
    ]);
  });

  it("may end before their start has been told of", () => {
    const w = new World();
    w.create();
    w.trigger();
    w.end(0);
    w.begin(0);
    expect(w.info).toMatchObject({ actionCount: 1, runningWorkflows: [], recentActions: [{ startWorkflowStatus: Status.COMPLETED }] });
  });

  it("count once, however often their start and end are told", () => {
    const w = new World();
    w.create({ policies: { overlapPolicy: Policy.BUFFER_ALL } });
    w.trigger();
    w.trigger();
    w.begin(0);
    w.begin(0);
    w.end(0);
    w.end(0);
    w.begin(0);
    expect([w.info.actionCount, w.starts.length]).toEqual([1, 2]);
  });

  it("that cannot be started leave their place to the next", () => {
    const w = new World();
    w.create({ policies: { overlapPolicy: Policy.BUFFER_ALL } });
    w.trigger();
    w.trigger();
    const requestId = w.starts[0]?.requestId ?? "";
    w.submit<"actionStartFailed">({ kind: "actionStartFailed", transferId: 1, requestId, reason: "no" });
    expect([w.starts.length, w.info.actionCount, w.info.bufferSize]).toEqual([2, 0, 1]);
  });

  it("are shown by the ten that ended last, and those that run", () => {
    const w = new World();
    w.create({ policies: { overlapPolicy: Policy.ALLOW_ALL } });
    for (let n = 0; n < 14; n++) {
      w.trigger();
      w.begin(n);
      w.now += SECOND;
      if (n > 0) w.end(n);
    }
    expect(w.info.recentActions.map((a) => a.startWorkflowResult?.runId)).toEqual([4, 5, 6, 7, 8, 9, 10, 11, 12, 13].map((n) => `run-${n}`));
    expect(w.info.runningWorkflows.map((r) => r.runId)).toEqual(["run-0"]);
  });

  it("that overlap end the running one once, and begin when it has ended", () => {
    const w = new World();
    w.create({ policies: { overlapPolicy: Policy.CANCEL_OTHER } });
    w.trigger();
    // Before it has begun it cannot be cancelled: the request waits for it.
    w.trigger();
    expect(w.asked(TransferKind.CANCEL_SCHEDULED)).toHaveLength(0);
    w.begin(0);
    w.trigger(Policy.SKIP);
    w.patch({});
    expect(w.asked(TransferKind.CANCEL_SCHEDULED).map((t) => [t.workflowId, t.firstRunId, t.identity, t.reason])).toEqual([
      [w.starts[0]?.workflowId, "run-0", "temporal-scheduler-default-s", "cancelled by schedule overlap policy"],
    ]);
    w.trigger(Policy.TERMINATE_OTHER);
    expect(w.asked(TransferKind.TERMINATE_SCHEDULED)).toHaveLength(1);
    w.end(0, { case: "workflowExecutionTerminatedEventAttributes", value: {} } as never);
    expect(w.starts).toHaveLength(2);
  });

  it("that wait keep the policy under which they came, and are what the schedule says when they start", () => {
    const w = new World();
    w.create({ policies: { overlapPolicy: Policy.BUFFER_ALL } });
    w.trigger();
    w.begin(0);
    w.trigger();
    const value = { workflowId: "w", workflowType: { name: "Another" }, taskQueue: { name: "q" } };
    w.update({ action: { action: { case: "startWorkflow", value } as never }, policies: { overlapPolicy: Policy.SKIP } });
    w.trigger();
    expect([w.info.bufferSize, w.info.overlapSkipped]).toEqual([1, 1]);
    w.end(0);
    expect(w.starts.map((s) => s.workflowType?.name)).toEqual(["T", "Another"]);
  });

  it("wait for a place up to their window", () => {
    const w = new World();
    w.create({ ...every(3600), policies: { overlapPolicy: Policy.BUFFER_ALL, catchupWindow: { seconds: 60 } } });
    w.advance(HOUR);
    w.begin(0);
    w.advance(2 * HOUR + 30 * SECOND);
    w.end(0);
    expect([w.starts.length, w.info.missedCatchupWindow]).toEqual([2, 1]);
    expect(w.starts[1]?.workflowId).toBe("w-2030-01-01T03:00:00Z");
  });
});

describe("by hand", () => {
  it("a request is applied once", () => {
    const w = new World();
    w.create({ policies: { overlapPolicy: Policy.ALLOW_ALL } });
    for (let i = 0; i < 3; i++) w.patch({ triggerImmediately: {} }, "same");
    w.patch({ triggerImmediately: {} }, "other");
    expect(w.starts).toHaveLength(2);
  });

  it("a trigger is named by the time that it gives", () => {
    const w = new World();
    w.create();
    w.patch({ triggerImmediately: { scheduledTime: { seconds: 1_600_000_000 } } });
    expect(w.starts[0]?.workflowId).toBe("w-2020-09-13T12:26:40Z");
  });

  it("a backfill takes its whole range, both ends included, however long it takes", () => {
    const w = new World();
    w.create({ ...every(60), state: { paused: true } });
    const startTime = { seconds: START / SECOND - 86_400 };
    w.patch({ backfillRequest: [{ startTime, endTime: { seconds: START / SECOND }, overlapPolicy: Policy.ALLOW_ALL }] });
    let n = 0;
    for (let i = 0; i < 100; i++) {
      n = w.settle(n);
      w.advance(60 * SECOND);
    }
    expect(n).toBe(1441);
    expect(new Set(w.starts.map((s) => s.workflowId)).size).toBe(1441);
  });

  it("a hundred backfills at once are enough", () => {
    const w = new World();
    w.create({ ...every(60) });
    const one = { startTime: { seconds: 1 }, endTime: { seconds: 2 } };
    expect(() => w.patch({ backfillRequest: Array.from({ length: 101 }, () => one) })).toThrow("too many concurrent backfillers");
  });
});

describe("an update", () => {
  it("is refused with the token of an older state, and taken without one", () => {
    const w = new World();
    w.create();
    const { conflictToken } = w.describe();
    w.update(every(60), { conflictToken });
    expect(() => w.update(every(90), { conflictToken })).toThrow("mismatched conflict token");
    w.update(every(90));
    expect(w.describe().schedule?.spec?.interval[0]?.interval?.seconds).toBe(90);
  });

  it("of the spec does not act for times before it", () => {
    const w = new World();
    w.create({ ...every(86_400), policies: { overlapPolicy: Policy.ALLOW_ALL } });
    w.advance(10 * HOUR + SECOND);
    w.update({ ...every(3600), policies: { overlapPolicy: Policy.ALLOW_ALL } });
    w.advance(2 * HOUR);
    expect(w.starts.map((s) => s.workflowId)).toEqual(["w-2030-01-01T11:00:00Z", "w-2030-01-01T12:00:00Z"]);
  });
});

describe("a schedule that has nothing more to do", () => {
  it("goes a week after its last action", () => {
    const w = new World();
    w.create({ ...every(3600), state: { limitedActions: true, remainingActions: 1 } });
    w.advance(HOUR);
    w.settle(0);
    w.advance(7 * DAY - HOUR);
    expect(w.state).toBeDefined();
    w.advance(2 * HOUR);
    expect(w.state).toBeUndefined();
  });

  it.each([
    ["is paused", { state: { paused: true } }],
    ["has times to come", { spec: { interval: [{ interval: { seconds: 30 * 86_400 } }] } }],
  ])("stays while it %s", (_what, schedule) => {
    const w = new World();
    w.create(schedule as Init<Schedule>);
    w.advance(20 * DAY);
    expect(w.state).toBeDefined();
  });

  it("lives on with each action by hand", () => {
    const w = new World();
    w.create();
    w.advance(5 * DAY);
    w.trigger();
    w.settle(0);
    w.advance(5 * DAY);
    expect(w.state).toBeDefined();
    expect(w.rows.at(-1)?.attributes).toContainEqual({ id: -41, type: 6, value: START + 12 * DAY });
    w.advance(3 * DAY);
    expect(w.state).toBeUndefined();
  });
});
