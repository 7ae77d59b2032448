import { describe, expect, it } from "vitest";
import type { Command } from "../../../gen/wire/temporal/api/command/v1/message.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowIdConflictPolicy } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import {
  PauseActivityRequest,
  PauseWorkflowExecutionRequest,
  RequestCancelWorkflowExecutionRequest,
  ResetActivityRequest,
  ResetWorkflowExecutionRequest,
  TerminateWorkflowExecutionRequest,
  UnpauseActivityRequest,
  UnpauseWorkflowExecutionRequest,
  UpdateActivityOptionsRequest,
  UpdateWorkflowExecutionOptionsRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import * as c from "../../../test/harness/core-commands.js";
import { CoreWorld, tokenOf } from "../../../test/harness/core-world.js";
import { ServiceError } from "../../api/service-error.js";
import { Random } from "../../lib/random.js";
import type { StartedActivity, StartedWorkflowTask } from "../transition.js";
import { type Projection, project, replay } from "./replay.js";

/**
 * Every run of the world, in its stored form and replayed. A close event takes the end of an activity with it that the same
 * completion canceled unstarted, as on the official server: only the history of an open run tells all that is pending.
 */
function expectReplayable(world: CoreWorld): void {
  for (const runs of world.states.values())
    for (const state of runs.values()) {
      const [stored, replayed] = world.projections(state) as [Projection, Projection];
      if (state.isOpen) expect(replayed).toEqual(stored);
      else expect({ ...replayed, activities: [] }).toEqual({ ...stored, activities: [] });
    }
}

describe("replaying a history", () => {
  it("gives the pending things of the run", () => {
    const world = new CoreWorld();
    world.running([c.timer("t", 60), c.activity("a"), c.child("k"), c.memo({ m: 1 }), c.signalExternal("nobody")]);
    const replayed = replay(world.history("w"), []);
    expect([...replayed.timers.base.values()]).toMatchObject([{ timerId: "t", startedEventId: 5, fireTime: world.now + 60 * c.MICROS }]);
    expect([...replayed.activities.base.values()]).toMatchObject([{ activityId: "a", scheduledEventId: 6 }]);
    expect([...replayed.children.base.values()]).toMatchObject([{ workflowId: "k", initiatedEventId: 7 }]);
    expect(replayed.externalSignals.base.size).toBe(0);
    expect(replayed.memo).toEqual({ fields: { m: c.payload(1) } });
    expectReplayable(world);
  });

  it("counts events that wait as happened", () => {
    const world = new CoreWorld();
    world.running([c.timer("t", 1)]);
    world.signal("s");
    const task = world.task();
    world.advance(c.MICROS);
    expect(world.types()).not.toContain("TIMER_FIRED");
    expect(world.run("w").timers.base.size).toBe(0);
    expectReplayable(world);
    world.complete(task);
    expectReplayable(world);
  });

  it("of a workflow that ended with the cancellation of an activity still shows that activity", () => {
    const world = new CoreWorld();
    world.running([c.activity("a")]);
    world.signal("s");
    world.answer([c.cancelActivity(5), c.complete()]);
    expect(world.types().slice(-2)).toEqual(["ACTIVITY_TASK_CANCEL_REQUESTED", "WORKFLOW_EXECUTION_COMPLETED"]);
    expect(world.run("w").activities.base.size).toBe(0);
    expect(replay(world.history("w"), []).activities.base.size).toBe(1);
  });

  it("of a prefix gives the state of that time", () => {
    const world = new CoreWorld();
    world.running([c.timer("t", 1), c.activity("a")]);
    const before = project(world.run("w"));
    const length = world.history("w").length;
    world.signal("s");
    world.answer([c.cancelTimer("t"), c.complete()]);
    const then = project(replay(world.history("w").slice(0, length), []));
    expect(then).toEqual(before);
    expect(project(world.run("w"))).not.toEqual(before);
  });

  it("tells a state that lost something from one that did not", () => {
    const world = new CoreWorld();
    world.running([c.timer("t", 1), c.activity("a")]);
    const { timers } = world.run("w");
    for (const id of [...timers.base.keys()]) timers.remove(id);
    const [stored, replayed] = world.projections(world.run("w"));
    expect(replayed).not.toEqual(stored);
  });
});

const IDS = ["w1", "w2", "w3"];

/** A world in which anything may happen at any time. */
class Chaos {
  readonly world = new CoreWorld();
  private readonly random: Random;
  private readonly tasks: StartedWorkflowTask[] = [];
  private readonly activities: StartedActivity[] = [];
  readonly eventTypes = new Set<string>();

  constructor(seed: number) {
    this.random = new Random(seed);
    this.world.limit({ bufferedEventsMax: 6, signalsPerExecutionMax: 30, pendingActivitiesMax: 4, workflowTaskHeartbeatTimeoutMs: 8000 });
  }

  private below(n: number): number {
    return Math.floor(this.random.float() * n);
  }
  private chance(p: number): boolean {
    return this.random.float() < p;
  }
  private pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
  private take<T>(list: T[]): T | undefined {
    return list.length === 0 ? undefined : list.splice(this.below(list.length), 1)[0];
  }

  private command(workflowId: string): Command {
    const name = `n${this.below(9)}`;
    const timers = [...this.world.run(workflowId).timerIds.base.keys()];
    const pending = [...this.world.run(workflowId).activities.base.keys()];
    const retryPolicy = this.chance(0.5) ? { initialInterval: c.seconds(1), maximumAttempts: this.below(4) } : { maximumAttempts: 1 };
    return this.pick<() => Command>([
      () => c.activity(name, { retryPolicy, heartbeatTimeout: c.seconds(this.below(4)), requestEagerExecution: this.chance(0.3) }),
      () => c.activity(name, { retryPolicy, scheduleToStartTimeout: c.seconds(2), scheduleToCloseTimeout: c.seconds(this.below(9)) }),
      () => c.cancelActivity(pending.length > 0 && this.chance(0.9) ? this.pick(pending) : 99),
      () => c.timer(name, this.below(5)),
      () => c.cancelTimer(timers.length > 0 && this.chance(0.9) ? this.pick(timers) : name),
      () => c.marker(name),
      () =>
        c.child(this.pick(["k1", "k2", "k1", "k2", ...IDS]), {
          parentClosePolicy: 1 + this.below(3),
          workflowRunTimeout: c.seconds(this.chance(0.4) ? 1 + this.below(8) : 0),
        }),
      () => c.signalExternal(this.pick(IDS), { childWorkflowOnly: this.chance(0.1) }),
      () => c.cancelExternal(this.pick(IDS)),
      () => c.memo({ [name]: this.chance(0.3) ? null : this.below(9) }),
    ])();
  }

  private commands(workflowId: string): Command[] {
    const list = Array.from({ length: this.below(3) }, () => this.command(workflowId));
    if (this.chance(0.08))
      list.push(
        this.pick([
          c.complete(this.chance(0.5) ? this.below(9) : undefined),
          c.fail(c.applicationFailure("no", { nonRetryable: this.chance(0.3) })),
          c.cancel(),
          c.continueAsNew({ input: c.payloads(1) }),
        ]),
      );
    return list;
  }

  private act(): void {
    const { world } = this;
    const id = this.pick([...IDS, "k1", "k2"]);
    const address = world.address(id);
    const options = {
      workflowRunTimeout: c.seconds(this.chance(0.3) ? 3 + this.below(20) : 0),
      workflowStartDelay: c.seconds(this.chance(0.1) ? 2 : 0),
      cronSchedule: this.chance(0.1) ? "@every 3s" : "",
      retryPolicy: this.chance(0.3) ? { initialInterval: c.seconds(1), backoffCoefficient: 2, maximumAttempts: 3 } : undefined,
      workflowIdConflictPolicy: this.pick([
        WorkflowIdConflictPolicy.FAIL,
        WorkflowIdConflictPolicy.FAIL,
        WorkflowIdConflictPolicy.FAIL,
        WorkflowIdConflictPolicy.USE_EXISTING,
        WorkflowIdConflictPolicy.USE_EXISTING,
        WorkflowIdConflictPolicy.TERMINATE_EXISTING,
      ]),
      onConflictOptions: this.chance(0.5) ? { attachRequestId: true } : undefined,
      memo: { fields: { start: c.payload(1) } },
    };
    const task = () => this.take(this.tasks);
    const activity = () => this.take(this.activities);
    this.pick<() => unknown>([
      () => world.start(this.pick(IDS), options),
      () => world.signal("s", id),
      () => world.signal("s", id),
      () =>
        world.submit(address, {
          kind: "requestCancel",
          request: RequestCancelWorkflowExecutionRequest.create({ requestId: "c" }),
          external: undefined,
        }),
      () => this.chance(0.2) && this.terminate(id),
      () => {
        const t = world.takeWorkflowTask();
        if (t !== undefined) this.tasks.push(t);
      },
      ...Array.from({ length: 4 }, () => () => {
        const t = task() ?? world.takeWorkflowTask();
        if (t === undefined) return;
        const { newTask, activityTasks } = world.complete(t, this.commands(tokenOf(t).workflowId), {
          forceCreateNewWorkflowTask: this.chance(0.1),
          returnNewWorkflowTask: this.chance(0.5),
          ...(this.chance(0.3) ? { stickyAttributes: { workerTaskQueue: { name: "sticky", kind: 2 }, scheduleToStartTimeout: c.seconds(1) } } : {}),
        });
        if (newTask !== undefined) this.tasks.push(newTask);
        this.activities.push(...activityTasks);
      }),
      () => {
        const t = task();
        if (t !== undefined) world.failTask(t);
      },
      () => {
        const a = world.takeActivity();
        if (a !== undefined) this.activities.push(a);
      },
      () => this.respond(activity()),
      () => this.respond(activity()),
      () => this.endChild(this.pick(["k1", "k2"])),
      () => this.endChild(this.pick(["k1", "k2"])),
      () => world.settle(),
      () => world.advance(this.below(2 * c.MICROS)),
      () => this.chance(0.1) && world.submit(address, { kind: "resetSticky" }),
      () => this.operate(id),
    ])();
  }

  /** What an operator may do. Half of it is undone in the end. */
  private operate(id: string): void {
    const { world } = this;
    const runs = world.runs(id);
    if (runs.length === 0) return;
    const address = world.address(id, this.chance(0.5) ? (this.pick(runs) ?? "") : "");
    const length = world.history(id, address.runId || undefined).length;
    const finish = this.chance(0.5) ? 4 : 1 + this.below(length);
    const activity = { case: "type", value: "A" } as const;
    const requestId = `o${this.below(1e9)}`;
    this.pick<() => unknown>([
      () =>
        world.submit(address, {
          kind: "reset",
          request: ResetWorkflowExecutionRequest.create({
            workflowTaskFinishEventId: finish,
            requestId,
            reason: "again",
            resetReapplyExcludeTypes: this.chance(0.2) ? [1, 2, 3, 4] : [],
          }),
        }),
      () => world.submit(world.address(id), { kind: "pauseWorkflow", request: PauseWorkflowExecutionRequest.create({ requestId }) }),
      () => world.submit(world.address(id), { kind: "unpauseWorkflow", request: UnpauseWorkflowExecutionRequest.create({}) }),
      () => world.submit(world.address(id), { kind: "unpauseWorkflow", request: UnpauseWorkflowExecutionRequest.create({}) }),
      () => world.submit(world.address(id), { kind: "pauseActivity", request: PauseActivityRequest.create({ activity, requestId: "same" }) }),
      () => world.submit(world.address(id), { kind: "unpauseActivity", request: UnpauseActivityRequest.create({ activity }) }),
      () =>
        world.submit(world.address(id), {
          kind: "resetActivity",
          request: ResetActivityRequest.create({ activity, keepPaused: this.chance(0.5), restoreOriginalOptions: this.chance(0.5) }),
        }),
      () =>
        world.submit(world.address(id), {
          kind: "updateActivityOptions",
          request: UpdateActivityOptionsRequest.create({
            activity,
            activityOptions: { startToCloseTimeout: c.seconds(7), taskQueue: { name: "other" }, priority: { priorityKey: 2 } },
            updateMask: { paths: ["start_to_close_timeout", "task_queue.name", "priority"] },
          }),
        }),
      () =>
        world.submit(world.address(id), {
          kind: "updateOptions",
          request: UpdateWorkflowExecutionOptionsRequest.create({
            workflowExecutionOptions: {
              priority: { priorityKey: 1 + this.below(5) },
              versioningOverride: { override: { case: "autoUpgrade", value: true } },
            },
            updateMask: { paths: [this.pick(["priority", "versioning_override"])] },
          }),
        }),
    ])();
  }

  private endChild(id: string): void {
    const answer = () => {
      const task = this.world.takeWorkflowTask(id);
      if (task !== undefined) this.world.complete(task, [this.pick([c.complete(1), c.fail({ message: "no" }), c.cancel()])]);
    };
    this.pick<() => unknown>([answer, answer, answer, () => this.terminate(id), () => this.world.advance(8 * c.MICROS)])();
    this.world.settle();
  }

  private terminate(id: string): void {
    const request = TerminateWorkflowExecutionRequest.create({});
    this.world.submit(this.world.address(id), { kind: "terminate", request, childWorkflowOnly: false, parent: undefined });
  }

  private respond(task: StartedActivity | undefined): void {
    if (task === undefined) return;
    const token = tokenOf(task);
    const activity = { by: "token", token } as const;
    const address = this.world.address(token.workflowId, token.runId);
    const identity = "worker";
    this.pick<() => unknown>([
      () => this.world.submit(address, { kind: "completeActivity", activity, result: c.payloads(1), identity }),
      () => {
        const failure = c.applicationFailure("no", { nonRetryable: this.chance(0.3) });
        this.world.submit(address, { kind: "failActivity", activity, failure, lastHeartbeatDetails: undefined, identity });
      },
      () => {
        this.activities.push(task);
        this.world.submit(address, { kind: "heartbeatActivity", activity, details: c.payloads(2), identity });
      },
      () => this.world.submit(address, { kind: "cancelActivity", activity, details: undefined, identity }),
      () => this.world.submit(address, { kind: "undelivered", task: "activity", scheduledEventId: token.scheduledEventId, nonce: token.nonce }),
    ])();
  }

  step(): void {
    try {
      this.act();
    } catch (e) {
      // What is refused changes nothing, which the next comparison sees.
      if (!(e instanceof ServiceError)) throw e;
    }
  }

  finish(): void {
    for (const events of this.world.histories.values()) for (const e of events) this.eventTypes.add(EventType[e.eventType] as string);
  }
}

const SEEDS = 60;
const STEPS = 160;

/** What the core makes; search attributes need a namespace that defines some. */
const EVENT_TYPES = Object.keys(EventType).filter(
  (name) => Number.isNaN(Number(name)) && !/NEXUS|UPDATE_|TIME_SKIPPING|UNSPECIFIED|SEARCH_ATTRIBUTES|PROPERTIES_MODIFIED_EXTERNALLY/.test(name),
);

describe("after every step of any program", () => {
  const seen = new Set<string>();

  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))("the stored state equals its replayed history: seed %i", (seed) => {
    const chaos = new Chaos(seed);
    for (let step = 0; step < STEPS; step++) {
      chaos.step();
      expectReplayable(chaos.world);
    }
    for (const events of chaos.world.histories.values()) expect(events.map((e) => e.eventId)).toEqual(events.map((_, i) => i + 1));
    chaos.finish();
    for (const type of chaos.eventTypes) seen.add(type);
  });

  it("and the programs make every type of event", () => {
    expect(EVENT_TYPES.filter((type) => !seen.has(type))).toEqual([]);
  });
});
