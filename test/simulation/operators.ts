/**
 * Clients that change executions under way: updates, resets, pauses, other options. Each step is one such call on one of a few
 * workflow ids. What is paused is released when the simulation heals: a paused workflow does not end.
 */
import { ResetReapplyExcludeType, ResetReapplyType } from "../../gen/wire/temporal/api/enums/v1/reset.js";
import { UpdateWorkflowExecutionLifecycleStage as Stage } from "../../gen/wire/temporal/api/enums/v1/update.js";
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import { WorkflowRuleSpec } from "../../gen/wire/temporal/api/rules/v1/message.js";
import {
  PauseActivityRequest,
  PauseWorkflowExecutionRequest,
  ResetActivityRequest,
  ResetWorkflowExecutionRequest,
  StartWorkflowExecutionRequest,
  TerminateWorkflowExecutionRequest,
  UnpauseActivityRequest,
  UnpauseWorkflowExecutionRequest,
  UpdateActivityOptionsRequest,
  UpdateWorkflowExecutionOptionsRequest,
  UpdateWorkflowExecutionRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";

import { Code, ServiceError } from "../../src/api/service-error.js";
import { duration } from "../../src/api/time.js";
import type { Init } from "../../src/api/wire.js";
import type { InputKind, InputOf } from "../../src/core/input.js";
import type { UpdateReply } from "../../src/core/transition.js";
import type { Receivers } from "./callbacks.js";
import { decodeEvents } from "./decode-events.js";
import { queueOf } from "./programs.js";
import { pickWorkflowId, type SimWorld } from "./world.js";

const TYPES = ["flaky", "plain", "fails", "waits"] as const;
/** Longer than the simulated calls take, short enough to end within a run. */
const WAIT_MICROS_MAX = 20_000_000;
const ASKED_AGAIN_MICROS_MAX = 10_000_000;

export interface OpenRun {
  readonly workflowId: string;
  readonly runId: string;
}

export class Operators {
  private requests = 0;
  private newest: { workflowId: string; updateId: string } | undefined;

  constructor(
    private readonly w: SimWorld,
    private readonly receivers: Receivers,
  ) {}

  step(): void {
    const { w } = this;
    const workflowId = pickWorkflowId(w);
    const requestId = `o${this.requests++}`;
    const kind = w.pick(100);
    if (kind < 40) {
      if (w.swarm.updates) this.update(workflowId, requestId);
    } else if (kind < 47) this.pollUpdate();
    else if (kind < 54) {
      if (w.swarm.updates) this.updateWithStart(workflowId, requestId);
    } else if (kind < 62) {
      if (w.swarm.resets) this.reset(workflowId, requestId);
    } else if (kind < 68) {
      if (w.swarm.pauses)
        this.send(workflowId, { kind: "pauseWorkflow", request: PauseWorkflowExecutionRequest.create({ requestId, reason: "sim" }) });
    } else if (kind < 77) this.unpause(workflowId, requestId);
    else if (kind < 81) this.options(workflowId);
    else if (w.swarm.operates) this.activities(workflowId, requestId);
  }

  /** Nobody else would: pauses end with the faults. */
  release(open: readonly OpenRun[]): void {
    for (const { workflowId, runId } of open) {
      const all = { case: "unpauseAll" as const, value: true };
      this.send(workflowId, { kind: "unpauseWorkflow", request: UnpauseWorkflowExecutionRequest.create({ requestId: `heal-${runId}` }) }, runId);
      this.send(workflowId, { kind: "unpauseActivity", request: UnpauseActivityRequest.create({ activity: all }) }, runId);
    }
  }

  giveUp(runs: readonly OpenRun[]): void {
    for (const { workflowId, runId } of runs)
      this.send(
        workflowId,
        {
          kind: "terminate",
          request: TerminateWorkflowExecutionRequest.create({ reason: "given up" }),
          childWorkflowOnly: false,
          parent: undefined,
        },
        runId,
      );
  }

  private send<K extends InputKind>(workflowId: string, input: InputOf<K>, runId = ""): void {
    const { w } = this;
    w.submit<K>(workflowId, runId, input).then(
      () => undefined,
      (e) => w.expected(e),
    );
  }

  // --- Updates

  private request(updateId: string): Init<UpdateWorkflowExecutionRequest> {
    const isCalledBack = this.w.swarm.callbacks && this.w.chance(200);
    return {
      waitPolicy: { lifecycleStage: this.w.chance(700) ? Stage.COMPLETED : Stage.ACCEPTED },
      request: {
        meta: { updateId, identity: "sim" },
        input: { name: "u" },
        requestId: updateId,
        completionCallbacks: isCalledBack ? [this.receivers.newCallback("update")] : [],
      },
    };
  }

  /** Twice under one id at times: both are told the same. */
  private update(workflowId: string, requestId: string): void {
    const { w } = this;
    const again = this.newest;
    const id = again !== undefined && w.chance(150) ? again : { workflowId, updateId: `u-${requestId}` };
    this.newest = id;
    const waiter = w.server?.engine.newWaiter() ?? 0;
    const request = UpdateWorkflowExecutionRequest.create(this.request(id.updateId));
    this.await(id.workflowId, id.updateId, waiter, w.submit<"update">(id.workflowId, "", { kind: "update", request, waiter }));
  }

  private pollUpdate(): void {
    const { w } = this;
    if (this.newest === undefined) return;
    const { workflowId, updateId } = this.newest;
    const waiter = w.server?.engine.newWaiter() ?? 0;
    const stage = w.chance(500) ? Stage.COMPLETED : Stage.UNSPECIFIED;
    this.await(workflowId, updateId, waiter, w.submit<"pollUpdate">(workflowId, "", { kind: "pollUpdate", updateId, stage, waiter }));
  }

  private updateWithStart(workflowId: string, requestId: string): void {
    const { w } = this;
    const waiter = w.server?.engine.newWaiter() ?? 0;
    const updateId = `u-${requestId}`;
    const start = StartWorkflowExecutionRequest.create({
      workflowId,
      workflowType: { name: "sim" },
      taskQueue: { name: queueOf(workflowId) },
      requestId,
      workflowTaskTimeout: duration(10_000_000),
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      workflowIdConflictPolicy: w.chance(500) ? WorkflowIdConflictPolicy.USE_EXISTING : WorkflowIdConflictPolicy.FAIL,
    });
    const update = UpdateWorkflowExecutionRequest.create(this.request(updateId));
    const reply = w.submit<"updateWithStart">(workflowId, "", { kind: "updateWithStart", start, update, waiter });
    this.await(workflowId, updateId, waiter, reply);
    reply.then(
      (r) => {
        if (r.start?.started === true) w.acknowledged.starts.set(requestId, r.start.runId);
      },
      () => undefined,
    );
  }

  /** As the frontend does it: a caller's patience has an end, and then it is told how far the update has come. */
  private await(workflowId: string, updateId: string, waiter: number, reply: Promise<UpdateReply>): void {
    const { w } = this;
    let isOver = false;
    const told = (r: UpdateReply): void => {
      isOver = true;
      const { runId, stage, outcome } = r;
      const wasAccepted = stage === Stage.ACCEPTED || outcome?.value?.case === "success";
      if (wasAccepted) w.acknowledged.updates.push({ runId, updateId, isCompleted: outcome !== undefined });
      if (wasAccepted && outcome !== undefined) w.later(w.pick(ASKED_AGAIN_MICROS_MAX), () => this.askAgain(workflowId, runId, updateId));
    };
    reply.then(told, (e) => {
      isOver = true;
      w.expected(e);
    });
    w.later(w.pick(WAIT_MICROS_MAX), () => {
      if (isOver) return;
      w.submit<"endUpdateWait">(workflowId, "", { kind: "endUpdateWait", updateId, waiter }).then(
        (r) => {
          if (r !== undefined) told(r);
        },
        (e) => w.expected(e),
      );
    });
  }

  /** Whoever asks later is told the same: the outcome outlives the memory that it was made in. */
  private askAgain(workflowId: string, runId: string, updateId: string): void {
    const { w } = this;
    const waiter = w.server?.engine.newWaiter() ?? 0;
    w.submit<"pollUpdate">(workflowId, runId, { kind: "pollUpdate", updateId, stage: Stage.COMPLETED, waiter }).then(
      (r) => {
        if (r.outcome === undefined) w.problem(`${workflowId} ${runId}: update ${updateId} was completed and has no outcome`);
      },
      (e) => {
        const isLost = e instanceof ServiceError && e.code === Code.NOT_FOUND && !w.acknowledged.deleted.has(runId);
        if (isLost) w.problem(`${workflowId} ${runId}: update ${updateId} was completed and is not found`);
        w.expected(e);
      },
    );
  }

  // --- Resets

  private reset(workflowId: string, requestId: string): void {
    this.resetNow(workflowId, requestId).catch((e: unknown) => this.w.expected(e));
  }

  private async resetNow(workflowId: string, requestId: string): Promise<void> {
    const { w } = this;
    const { runId, range } = await w.submit<"historyPosition">(workflowId, "", { kind: "historyPosition" });
    const page = await w.call((s) => s.engine.readHistory(range, { fromEventId: 1, eventCountMax: 1_000_000, bytesMax: 1e9, reverse: false }));
    const ends = decodeEvents(page.data).filter((e) => /^workflowTask(Completed|Failed|TimedOut)/.test(e.attributes.case ?? ""));
    const end = ends[w.pick(Math.max(1, ends.length))];
    if (end === undefined) return;
    const keepsSignals = w.chance(700);
    const request = ResetWorkflowExecutionRequest.create({
      requestId,
      reason: "sim",
      workflowTaskFinishEventId: end.eventId,
      resetReapplyType: ResetReapplyType.ALL_ELIGIBLE,
      resetReapplyExcludeTypes: keepsSignals ? [] : [ResetReapplyExcludeType.SIGNAL],
    });
    const sendReset = () => w.submit<"reset">(workflowId, runId, { kind: "reset", request });
    const told = (r: { runId: string }): void => {
      w.acknowledged.resets.push({ base: runId, runId: r.runId, forkEventId: end.eventId, keepsSignals });
    };
    if (w.swarm.duplicates && w.chance(200)) {
      w.count("operator reset twice");
      const [one, two] = await Promise.all([sendReset(), sendReset()]);
      told(one);
      if (one.runId !== two.runId) w.problem(`${workflowId}: reset ${requestId} made ${one.runId} and ${two.runId}`);
    } else told(await sendReset());
  }

  // --- Pauses and options

  private unpause(workflowId: string, requestId: string): void {
    this.send(workflowId, { kind: "unpauseWorkflow", request: UnpauseWorkflowExecutionRequest.create({ requestId, reason: "sim" }) });
  }

  private options(workflowId: string): void {
    const request = UpdateWorkflowExecutionOptionsRequest.create({
      workflowExecutionOptions: { priority: { priorityKey: 1 + this.w.pick(5) } },
      updateMask: { paths: ["priority.priority_key"] },
    });
    this.send(workflowId, { kind: "updateOptions", request });
  }

  /** One that is there: types are seldom met by chance. What is paused is to be there still when only the end unpauses it. */
  private async pausePending(workflowId: string, requestId: string): Promise<void> {
    const { pendingActivities } = await this.w.submit<"describe">(workflowId, "", { kind: "describe" });
    const activityId = pendingActivities?.[0]?.activityId;
    if (activityId === undefined) return;
    const activity = { case: "id" as const, value: activityId };
    this.send(workflowId, { kind: "pauseActivity", request: PauseActivityRequest.create({ activity, requestId }) });
  }

  private activities(workflowId: string, requestId: string): void {
    const { w } = this;
    const activity = { case: "type" as const, value: TYPES[w.pick(TYPES.length)] as string };
    switch (w.pick(6)) {
      case 0:
      case 1:
        this.pausePending(workflowId, requestId).catch((e: unknown) => w.expected(e));
        return;
      case 2: {
        const resetAttempts = w.chance(300);
        if (resetAttempts) w.acknowledged.attemptsReset.add(workflowId);
        return this.send(workflowId, { kind: "unpauseActivity", request: UnpauseActivityRequest.create({ activity, resetAttempts }) });
      }
      case 3:
        w.acknowledged.attemptsReset.add(workflowId);
        return this.send(workflowId, {
          kind: "resetActivity",
          request: ResetActivityRequest.create({ activity, keepPaused: w.chance(300), resetHeartbeat: w.chance(300) }),
        });
      case 4:
        return this.send(workflowId, {
          kind: "updateActivityOptions",
          request: UpdateActivityOptionsRequest.create({
            activity,
            activityOptions: { startToCloseTimeout: duration(15_000_000 + w.pick(10_000_000)) },
            updateMask: { paths: ["start_to_close_timeout"] },
          }),
        });
      default:
        return this.send(workflowId, {
          kind: "triggerRule",
          spec: WorkflowRuleSpec.create({
            id: "rule",
            trigger: { case: "activityStart", value: { predicate: `ActivityType = '${activity.value}'` } },
            actions: [{ variant: { case: "activityPause", value: {} } }],
          }),
        });
    }
  }
}
