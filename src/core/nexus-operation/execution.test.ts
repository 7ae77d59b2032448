import { beforeEach, describe, expect, it } from "vitest";
import type { OutboundRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import {
  NexusOperationCancellationState as CancelState,
  PendingNexusOperationState as State,
} from "../../../gen/wire/temporal/api/enums/v1/common.js";
import {
  NexusOperationIdConflictPolicy as Conflict,
  NexusOperationIdReusePolicy as Reuse,
  NexusOperationWaitStage as Stage,
  NexusOperationExecutionStatus as Status,
} from "../../../gen/wire/temporal/api/enums/v1/nexus.js";
import { TimeoutType } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import {
  DescribeNexusOperationExecutionRequest,
  RequestCancelNexusOperationExecutionRequest,
  StartNexusOperationExecutionRequest,
  TerminateNexusOperationExecutionRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Init } from "../../api/wire.js";
import { NO_CONSTRAINTS } from "../../config/constraints.js";
import { defaultConfig, withValues } from "../../config/dynamic-config.js";
import { apply } from "../engine.js";
import { Archetype, type ExecutionState } from "../execution.js";
import { nextDeadline, workOf } from "../followed-clock.js";
import type { Env, InputKind, InputOf } from "../input.js";
import { loadState } from "../load-state.js";
import type { NamespaceView } from "../namespace-view.js";
import { OutboundKind } from "../outbound.js";
import type { Replies, Transition } from "../transition.js";
import type { VisibilityRow } from "../visibility/row.js";
import type { CancelOutcome, StartOutcome } from "./calls.js";
import { NO_ENDPOINTS } from "./endpoints.js";

const SECOND = 1_000_000;
const DAY = 86_400 * SECOND;
const START = Date.parse("2030-01-01T00:00:00Z") * 1000;
const NAMESPACE: NamespaceView = { id: "ns-id", name: "default", key: 1, retention: DAY, state: 1, searchAttributes: new Map() };
const seconds = (n: number) => ({ seconds: n, nanos: 0 });

/** The operations of one id without a shell: a clock, the calls that are to be made, and what a test makes of them. */
class World {
  now = START;
  readonly states = new Map<string, ExecutionState>();
  current: ExecutionState | undefined;
  readonly calls = new Map<number, OutboundRecord>();
  readonly rows: VisibilityRow[] = [];
  config = defaultConfig();
  private ids = 0;
  private callIds = 0;

  submit<K extends InputKind>(input: InputOf<K>, runId = ""): Replies[K] | undefined {
    const n = ++this.ids;
    const env: Env = {
      ...{ now: this.now, newRunId: `018bcfe5-6800-7000-8000-${String(n).padStart(12, "0")}`, seed: n * 7919, newKey: n },
      ...{ config: this.config, namespace: NAMESPACE, namespaces: { byName: () => NAMESPACE, byId: () => NAMESPACE } },
      nexusEndpoints: NO_ENDPOINTS,
    };
    const chain = { current: () => this.current, run: (id: string) => this.states.get(id) };
    const address = { namespaceId: NAMESPACE.id, workflowId: "op", runId, archetype: Archetype.NEXUS_OPERATION };
    const outcome = apply<K>(chain, address, input, env, { event: () => undefined, requestId: () => null });
    if (outcome.outcome === "error") throw outcome.error;
    if (outcome.outcome !== "accepted") return undefined;
    this.accept(outcome as Transition);
    return outcome.reply;
  }

  private accept(t: Transition): void {
    for (const draft of t.runs) {
      for (const record of draft.outbound ?? []) this.calls.set(++this.callIds, record);
      for (const id of draft.doneOutbound ?? []) this.calls.delete(id);
      if (draft.visibility !== undefined) this.rows.push(draft.visibility);
      const { removed } = draft;
      const rows = draft.componentWrites();
      const state = draft.accept();
      if (removed) {
        this.states.delete(state.info.runId);
        this.current = undefined;
        continue;
      }
      this.states.set(state.info.runId, state);
      if (draft.isNew) this.current = state;
      // What is stored gives the state back.
      if (draft.isNew) {
        const live = rows.flatMap((r) => (r.op === "delete" ? [] : [r]));
        expect(loadState(Archetype.NEXUS_OPERATION, { key: 1, record: state.encodeRecord(), live }).encodeRecord()).toEqual(state.encodeRecord());
      }
    }
  }

  start(more: Init<StartNexusOperationExecutionRequest> = {}) {
    const request = StartNexusOperationExecutionRequest.create({
      ...{ operationId: "op", requestId: "start", endpoint: "e", service: "svc", operation: "do", idConflictPolicy: Conflict.FAIL },
      ...more,
    } as Init<StartNexusOperationExecutionRequest>);
    return this.submit<"startNexusExecution">({ kind: "startNexusExecution", request, endpointId: "e-id" });
  }

  describe(runId = "") {
    const request = DescribeNexusOperationExecutionRequest.create({ includeInput: true, includeOutcome: true });
    const seen = this.submit<"describeNexusExecution">({ kind: "describeNexusExecution", request }, runId);
    return seen?.response as { info: Record<string, unknown>; outcome: { case?: string; value?: unknown } };
  }

  /** The call that waits: what it says, and its outcome told. */
  private only(kind: OutboundKind): [number, OutboundRecord] {
    const found = [...this.calls].filter(([, r]) => r.kind === kind);
    expect(found).toHaveLength(1);
    return found[0] as [number, OutboundRecord];
  }
  call(kind = OutboundKind.START_OPERATION) {
    const [, r] = this.only(kind);
    return this.submit<"nexusCall">(
      { kind: "nexusCall", scheduledEventId: r.componentId, attempt: r.attempt, isCancel: kind === OutboundKind.CANCEL_OPERATION },
      r.runId,
    );
  }
  answer(outcome: StartOutcome): void {
    const [outboundId, r] = this.only(OutboundKind.START_OPERATION);
    this.submit<"nexusStarted">({ kind: "nexusStarted", outboundId, scheduledEventId: 0, attempt: r.attempt, outcome }, r.runId);
  }
  canceled(outcome: CancelOutcome): void {
    const [outboundId, r] = this.only(OutboundKind.CANCEL_OPERATION);
    this.submit<"nexusCancelRequested">({ kind: "nexusCancelRequested", outboundId, scheduledEventId: 0, attempt: r.attempt, outcome }, r.runId);
  }
  complete(requestId: string) {
    return this.submit<"nexusCompleted">({
      ...{ kind: "nexusCompleted", scheduledEventId: 0, requestId, operationToken: "token", startTime: 0, links: [] },
      outcome: { kind: "completed", result: Buffer.from("out"), links: [] },
    });
  }
  cancel(requestId: string) {
    const request = RequestCancelNexusOperationExecutionRequest.create({ requestId, reason: "enough" });
    return this.submit<"cancelNexusExecution">({ kind: "cancelNexusExecution", request });
  }
  terminate(requestId: string) {
    const request = TerminateNexusOperationExecutionRequest.create({ requestId, reason: "enough", identity: "me" });
    return this.submit<"terminateNexusExecution">({ kind: "terminateNexusExecution", request });
  }
  /** Time goes to the deadline that the state names. */
  fire(): void {
    const { at } = nextDeadline(this.current as ExecutionState);
    expect(at).toBeGreaterThan(this.now);
    this.now = at;
    this.submit<"due">({ kind: "due" });
  }
}

let world: World;
beforeEach(() => {
  world = new World();
});
const STARTED: StartOutcome = { kind: "started", operationToken: "token", links: [] };
const RETRY: StartOutcome = { kind: "retry", failure: { message: "later" } };

describe("a standalone operation", () => {
  it("asks its endpoint for the operation, with a link to itself and an id that no caller knows", () => {
    world.start({ input: Buffer.from("in"), nexusHeader: { a: "b" }, scheduleToCloseTimeout: seconds(5) } as never);
    const { info } = world.describe();
    expect(world.call()).toMatchObject({
      ...{ endpoint: "e", endpointId: "e-id", service: "svc", operation: "do", requestId: info.requestId, workflowId: "op" },
      ...{ header: { a: "b" }, operationTimeout: 5 * SECOND, timeout: 5 * SECOND, archetype: Archetype.NEXUS_OPERATION },
      link: { variant: { case: "nexusOperation", value: { namespace: "default", operationId: "op", runId: info.runId } } },
    });
    expect(info.requestId).not.toBe("start");
    expect(workOf(world.current as ExecutionState, world.now, () => true)).toBe(1);
  });

  it("gives a request the time that its namespace and endpoint have", () => {
    const timeout = (value: string, destination: string) => ({
      ...{ key: "component.nexusoperations.request.timeout", value, where: "" },
      constraints: { ...NO_CONSTRAINTS, namespace: NAMESPACE.name, destination },
    });
    world.config = withValues(world.config, [timeout("3s", "e"), timeout("4s", "other"), timeout("5s", "")], () => undefined);
    world.start();
    expect(world.call()?.timeout).toBe(3 * SECOND);
  });

  it("backs off longer after each attempt, and counts its attempts", () => {
    world.start();
    const waits: number[] = [];
    for (let n = 1; n <= 3; n++) {
      world.answer(RETRY);
      expect(world.describe().info).toMatchObject({ state: State.BACKING_OFF, attempt: n, lastAttemptFailure: { message: "later" } });
      const before = world.now;
      world.fire();
      waits.push((world.now - before) / SECOND);
      expect(world.describe().info).toMatchObject({ state: State.SCHEDULED, attempt: n + 1 });
    }
    for (const [i, full] of [1, 2, 4].entries()) {
      expect(waits[i]).toBeGreaterThanOrEqual(full * 0.8);
      expect(waits[i]).toBeLessThanOrEqual(full);
    }
  });

  it("is due at once when it changes after a deadline that nobody has seen to", () => {
    world.start({ scheduleToCloseTimeout: seconds(300) });
    world.answer(RETRY);
    world.now = nextDeadline(world.current as ExecutionState).at + 5 * SECOND;
    world.cancel("c");
    expect(nextDeadline(world.current as ExecutionState).at).toBe(world.now + 1);
    world.fire();
    expect(world.describe().info).toMatchObject({ state: State.SCHEDULED, attempt: 2 });
  });

  it("takes no answer of an attempt that is over", () => {
    world.start();
    const late = { kind: "nexusStarted" as const, outboundId: 1, scheduledEventId: 0, attempt: 1, outcome: STARTED };
    world.answer(RETRY);
    world.fire();
    world.submit<"nexusStarted">(late);
    expect(world.describe().info).toMatchObject({ state: State.SCHEDULED, operationToken: "" });
  });

  it.each([
    [{ kind: "completed", result: Buffer.from("out"), links: [] }, Status.COMPLETED, { case: "result", value: Buffer.from("out") }],
    [{ kind: "failed", cause: { message: "bad" } }, Status.FAILED, { case: "failure", value: { message: "bad" } }],
    [{ kind: "canceled", cause: { message: "gone" } }, Status.CANCELED, { case: "failure", value: { failureInfo: { case: "canceledFailureInfo" } } }],
    [
      { kind: "timedOut", timeoutType: TimeoutType.SCHEDULE_TO_CLOSE },
      Status.TIMED_OUT,
      { case: "failure", value: { message: "operation timed out" } },
    ],
  ] as [StartOutcome, Status, object][])("ends with its first answer %#", (outcome, status, shown) => {
    world.start();
    world.answer(outcome);
    expect(world.describe()).toMatchObject({ info: { status, state: State.UNSPECIFIED }, outcome: shown });
    expect(world.calls.size).toBe(0);
    expect(world.rows.at(-1)).toMatchObject({ closeTime: world.now });
  });

  it("ends by its callback, once, and by no other's", () => {
    world.start();
    world.answer(STARTED);
    const { requestId } = world.describe().info as { requestId: string };
    expect(() => world.complete("guessed")).toThrow("operation not found");
    world.complete(requestId);
    expect(world.describe()).toMatchObject({ info: { status: Status.COMPLETED, operationToken: "token" }, outcome: { case: "result" } });
    expect(() => world.complete(requestId)).toThrow("operation not found");
  });

  it("has started when its callback comes before the answer to the start", () => {
    world.start();
    world.complete((world.describe().info as { requestId: string }).requestId);
    expect(world.describe().info).toMatchObject({ status: Status.COMPLETED, operationToken: "token" });
    const [id, r] = [...world.calls][0] as [number, OutboundRecord];
    expect(world.submit<"nexusCall">({ kind: "nexusCall", scheduledEventId: 0, attempt: r.attempt, isCancel: false })).toBeUndefined();
    expect(id).toBe(1);
  });

  it.each([
    ["scheduleToCloseTimeout", TimeoutType.SCHEDULE_TO_CLOSE, false],
    ["scheduleToStartTimeout", TimeoutType.SCHEDULE_TO_START, false],
    ["startToCloseTimeout", TimeoutType.START_TO_CLOSE, true],
  ] as const)("ends at its %s", (name, timeoutType, isStarted) => {
    world.start({ [name]: seconds(30) });
    if (isStarted) {
      world.now += SECOND;
      world.answer(STARTED);
    }
    const from = world.now;
    world.fire();
    expect(world.now - from).toBe(30 * SECOND);
    expect(world.describe()).toMatchObject({
      info: { status: Status.TIMED_OUT },
      outcome: { value: { failureInfo: { case: "timeoutFailureInfo", value: { timeoutType } } } },
    });
  });

  it("is not ended by a time to start once it has started", () => {
    world.start({ scheduleToStartTimeout: seconds(10), startToCloseTimeout: seconds(60) });
    world.answer(STARTED);
    world.now += 10 * SECOND;
    world.submit<"due">({ kind: "due" });
    expect(world.describe().info).toMatchObject({ status: Status.RUNNING });
    world.fire();
    expect(world.now - START).toBe(60 * SECOND);
    expect(world.describe().info).toMatchObject({ status: Status.TIMED_OUT });
  });

  it("asks its handler to cancel once it has started, again after a failure, and goes on all the same", () => {
    world.start();
    world.cancel("c");
    expect([...world.calls.values()].map((r) => r.kind)).toEqual([OutboundKind.START_OPERATION]);
    world.answer(STARTED);
    expect(world.call(OutboundKind.CANCEL_OPERATION)).toMatchObject({ operationToken: "token" });
    world.canceled({ kind: "retry", failure: { message: "busy" } });
    expect(world.describe().info).toMatchObject({ cancellationInfo: { state: CancelState.BACKING_OFF, attempt: 1, reason: "enough" } });
    world.fire();
    world.canceled({ kind: "done" });
    expect(world.describe().info).toMatchObject({ status: Status.RUNNING, cancellationInfo: { state: CancelState.SUCCEEDED, attempt: 2 } });
    world.cancel("c");
    expect(() => world.cancel("d")).toThrow("cancellation already requested with request ID c");
    world.terminate("t");
    world.cancel("c");
    expect(() => world.cancel("d")).toThrow("operation already completed");
  });

  it("is terminated once, whatever is under way", () => {
    world.start();
    world.terminate("t");
    world.terminate("t");
    expect(() => world.terminate("u")).toThrow("already terminated with request ID t");
    expect(world.describe()).toMatchObject({ info: { status: Status.TERMINATED }, outcome: { value: { message: "enough" } } });
    expect(world.call()).toBeUndefined();
  });

  it("is gone after the retention of its namespace", () => {
    world.start();
    world.answer(STARTED);
    world.terminate("t");
    world.fire();
    expect(world.now - START).toBe(DAY);
    expect(() => world.describe()).toThrow("not found");
  });

  it("answers a request that is made again, and refuses another one while it runs", () => {
    const first = world.start();
    expect(first).toMatchObject({ started: true });
    expect(world.start()).toEqual({ runId: first?.runId, started: false });
    expect(() => world.start({ requestId: "b" })).toThrow(`already started: request_id=start, run_id=${first?.runId}`);
    expect(world.start({ requestId: "b", idConflictPolicy: Conflict.USE_EXISTING })).toEqual({ runId: first?.runId, started: false });
    expect(world.calls.size).toBe(1);
  });

  it.each([
    [{ kind: "completed", result: undefined, links: [] }, Reuse.ALLOW_DUPLICATE, true],
    [{ kind: "completed", result: undefined, links: [] }, Reuse.ALLOW_DUPLICATE_FAILED_ONLY, false],
    [{ kind: "completed", result: undefined, links: [] }, Reuse.REJECT_DUPLICATE, false],
    [{ kind: "failed", cause: {} }, Reuse.ALLOW_DUPLICATE_FAILED_ONLY, true],
    [{ kind: "failed", cause: {} }, Reuse.REJECT_DUPLICATE, false],
  ] as [StartOutcome, Reuse, boolean][])("lets its id be used again after its end as the policy says %#", (outcome, idReusePolicy, isAllowed) => {
    const first = world.start();
    world.answer(outcome);
    const again = () => world.start({ requestId: "b", idReusePolicy });
    if (!isAllowed) expect(again).toThrow("already started");
    else {
      expect(again()).toMatchObject({ started: true });
      expect(world.describe(first?.runId).info).toMatchObject({ runId: first?.runId });
    }
  });

  it("shows who waits each stage that it has reached", () => {
    world.start();
    const reached = (stage: Stage) => world.submit<"pollNexusExecution">({ kind: "pollNexusExecution", stage });
    expect([reached(Stage.STARTED)?.response, reached(Stage.CLOSED)?.response]).toEqual([undefined, undefined]);
    const before = reached(Stage.STARTED)?.changes ?? 0;
    world.answer(STARTED);
    expect(reached(Stage.STARTED)).toMatchObject({ response: { waitStage: Stage.STARTED, operationToken: "token" } });
    expect(reached(Stage.CLOSED)?.response).toBeUndefined();
    expect(reached(Stage.CLOSED)?.changes).toBeGreaterThan(before);
    world.terminate("t");
    expect(reached(Stage.STARTED)).toMatchObject({ response: { waitStage: Stage.CLOSED } });
  });
});
