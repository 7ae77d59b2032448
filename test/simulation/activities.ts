/**
 * Standalone activities under way: started, waited for, canceled, terminated, paused, reset and changed; the workers (workers.ts) get
 * their attempts from the same queue as those of workflows. A stored activity agrees with itself at any moment (`checkActivity`); at
 * the end each has ended as somebody was told (`end`), and deleted it leaves nothing.
 */
import { ExecutionHeader, TaskRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { ActivityIdConflictPolicy, ActivityIdReusePolicy } from "../../gen/wire/temporal/api/enums/v1/activity.js";
import { CallbackState } from "../../gen/wire/temporal/api/enums/v1/common.js";
import { TimeoutType } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { Failure } from "../../gen/wire/temporal/api/failure/v1/message.js";
import {
  DescribeActivityExecutionRequest,
  PauseActivityExecutionRequest,
  RequestCancelActivityExecutionRequest,
  ResetActivityExecutionRequest,
  StartActivityExecutionRequest,
  UnpauseActivityExecutionRequest,
  UpdateActivityExecutionOptionsRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { jsonPayloads } from "../../src/api/json-payload.js";
import { duration } from "../../src/api/time.js";
import { decode, EMPTY_BYTES } from "../../src/api/wire.js";
import { ActivityDraft, ActivityState, Status } from "../../src/core/activity-execution/activity-state.js";
import { earliestDeadline } from "../../src/core/activity-execution/lifecycle.js";
import { Archetype } from "../../src/core/execution.js";
import type { ActivityExecutionInputKind } from "../../src/core/input.js";
import type { Replies } from "../../src/core/transition.js";
import { QUEUE_REGISTRY_KIND, QueueKeys } from "../../src/matching/queue-keys.js";
import { type Receivers, urlOf } from "./callbacks.js";
import { QUEUE } from "./programs.js";
import type { Disk } from "./sim-store.js";
import { Standalone, WAIT_MS } from "./standalone.js";
import { isUntroubled, type SimWorld } from "./world.js";

const RECENT = 6;
const LOOKS = 2;
const LOOKS_WITHIN_MICROS = 15_000_000;
const IDS = 8;
const BACKLOG_MAX = 1_000_000;
const TYPES = ["plain", "plain", "flaky", "fails", "waits"];
const REUSE = [
  ActivityIdReusePolicy.ALLOW_DUPLICATE,
  ActivityIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
  ActivityIdReusePolicy.REJECT_DUPLICATE,
] as const;
const CONFLICT = [ActivityIdConflictPolicy.FAIL, ActivityIdConflictPolicy.USE_EXISTING] as const;

type Kind = ActivityExecutionInputKind | "delete";

export class Activities extends Standalone<Kind, ActivityState> {
  private requests = 0;

  /** Callbacks that were acknowledged. */
  private readonly attached: { url: string; runId: string }[] = [];

  constructor(
    w: SimWorld,
    disk: Disk,
    private readonly receivers: Receivers,
  ) {
    super(w, disk, Archetype.ACTIVITY, "activity", RECENT);
  }

  step(): void {
    const { w } = this;
    const requestId = `a${this.requests++}`;
    const kind = w.pick(100);
    if (kind < 35 || this.recent.length === 0) return this.start(requestId);
    const { id, runId } = this.recent[w.pick(this.recent.length)] as { id: string; runId: string };
    const reason = "sim";
    if (kind < 45) this.wait(id, runId);
    else if (kind < 53) this.describe(id, runId);
    else if (kind < 60) {
      const request = RequestCancelActivityExecutionRequest.create({ requestId, reason });
      this.send<"requestCancelActivityExecution">(id, runId, { kind: "requestCancelActivityExecution", request }, () =>
        this.cancels.push({ runId, requestId }),
      );
    } else if (kind < 63)
      this.send<"terminateActivityExecution">(id, runId, { kind: "terminateActivityExecution", requestId, reason, identity: "sim" }, () =>
        this.terminations.push({ runId, requestId }),
      );
    else if (kind < 72) {
      const request = PauseActivityExecutionRequest.create({ requestId, reason });
      this.send<"pauseActivityExecution">(id, runId, { kind: "pauseActivityExecution", request });
    } else if (kind < 82) this.unpause(id, runId, requestId);
    else if (kind < 90) this.reset(id, runId, requestId);
    else if (kind < 98) this.update(id, runId, requestId);
    else if (w.swarm.deletes) {
      w.acknowledged.deleted.add(runId);
      this.send<"delete">(id, runId, { kind: "delete" });
    }
  }

  private start(requestId: string): void {
    const { w } = this;
    const id = `activity${w.pick(IDS)}`;
    const completionCallbacks = w.swarm.callbacks && w.chance(300) ? [this.receivers.newCallback("activity")] : [];
    const attaches = completionCallbacks.length > 0;
    const request = StartActivityExecutionRequest.create({
      activityId: id,
      requestId,
      activityType: { name: TYPES[w.pick(TYPES.length)] as string },
      taskQueue: { name: QUEUE },
      startToCloseTimeout: duration(20_000_000),
      scheduleToCloseTimeout: duration(300_000_000),
      heartbeatTimeout: duration(5_000_000),
      retryPolicy: { initialInterval: duration(100_000), backoffCoefficient: 2, maximumAttempts: 4 },
      idReusePolicy: REUSE[w.pick(100) < 80 ? 0 : w.pick(REUSE.length)] ?? ActivityIdReusePolicy.ALLOW_DUPLICATE,
      idConflictPolicy: CONFLICT[w.pick(CONFLICT.length)] ?? ActivityIdConflictPolicy.FAIL,
      startDelay: w.chance(200) ? duration(w.pick(3_000_000)) : undefined,
      completionCallbacks,
      onConflictOptions: attaches ? { attachRequestId: true, attachCompletionCallbacks: true } : undefined,
    });
    this.send<"startActivityExecution">(id, "", { kind: "startActivityExecution", request }, (reply) => {
      this.began(id, requestId, reply);
      for (const c of completionCallbacks) this.attached.push({ url: urlOf(c), runId: reply.runId });
      // Whoever brings one looks for what becomes of it.
      if (attaches) for (let i = 0; i < LOOKS; i++) w.later(w.pick(LOOKS_WITHIN_MICROS), () => this.describe(id, reply.runId));
    });
  }

  private describe(id: string, runId: string): void {
    const request = DescribeActivityExecutionRequest.create({ includeOutcome: true });
    this.send<"describeActivityExecution">(id, runId, { kind: "describeActivityExecution", request, since: undefined }, ({ response }) =>
      this.receivers.described(
        runId,
        (response?.callbacks ?? []).map((c) => c.info ?? {}),
      ),
    );
  }

  private unpause(id: string, runId: string, requestId: string): void {
    const request = UnpauseActivityExecutionRequest.create({ requestId, jitter: this.w.chance(300) ? duration(1_000_000) : undefined });
    this.send<"unpauseActivityExecution">(id, runId, { kind: "unpauseActivityExecution", request });
  }

  private reset(id: string, runId: string, requestId: string): void {
    const { w } = this;
    // Its attempts count anew, whether the answer arrives or not.
    w.acknowledged.attemptsReset.add(id);
    const request = ResetActivityExecutionRequest.create({
      requestId,
      keepPaused: w.chance(300),
      restoreOriginalOptions: w.chance(300),
      resetHeartbeat: w.chance(300),
    });
    this.send<"resetActivityExecution">(id, runId, { kind: "resetActivityExecution", request });
  }

  private update(id: string, runId: string, requestId: string): void {
    const request = UpdateActivityExecutionOptionsRequest.create({
      requestId,
      activityOptions: { startToCloseTimeout: duration(15_000_000 + this.w.pick(10_000_000)) },
      updateMask: { paths: ["start_to_close_timeout"] },
    });
    this.send<"updateActivityExecutionOptions">(id, runId, { kind: "updateActivityExecutionOptions", request });
  }

  /** As a client waits for the end: looks, waits for it, and looks again before it waits. */
  private wait(id: string, runId: string): void {
    const { w } = this;
    const look = (): Promise<Replies["activityOutcome"]> => this.submit<"activityOutcome">(id, runId, { kind: "activityOutcome" });
    this.awaiting(runId, async (isOpen) => {
      const seen = await look();
      if (!seen.isOpen) return this.told(id, seen);
      isOpen();
      const { server } = w;
      if (server === undefined) return;
      const { changed, stop } = server.engine.waitForChange(seen.key, Number.MAX_SAFE_INTEGER, WAIT_MS, () => () => undefined);
      try {
        for (let now = await look(); now.isOpen; now = await look()) await w.call(() => changed);
        this.told(id, await look());
      } finally {
        stop();
      }
    });
  }

  private told(id: string, { runId, outcome }: Replies["activityOutcome"]): void {
    if (outcome?.value === undefined) this.w.problem(`${id} ${runId}: who waited for its end was told no outcome`);
  }

  // --- The end

  protected load(key: number): Promise<ActivityState | undefined> {
    return loadActivity(this.disk, key);
  }

  protected check(key: number): Promise<void> {
    return checkActivity(this.disk, key, (t) => this.w.problem(t));
  }

  protected urge(open: readonly ActivityState[]): void {
    for (const { info } of open)
      if (info.status === Status.PAUSED || info.status === Status.PAUSE_REQUESTED) this.unpause(info.workflowId, info.runId, `end${this.requests++}`);
  }

  /** Its callbacks have come, or were turned down. */
  protected override isSettled({ callbacks }: ActivityState): boolean {
    return [...callbacks.base.values()].every((c) => c.state === CallbackState.SUCCEEDED || c.state === CallbackState.FAILED);
  }

  /** Attempts that nobody has taken. */
  protected async hasRest(): Promise<boolean> {
    const { inner } = this.disk;
    const records = (await inner.loadRegistry()).filter((r) => r.kind === QUEUE_REGISTRY_KIND);
    for (const { key } of new QueueKeys(records))
      for (const { value } of await inner.readBacklog(key, undefined, BACKLOG_MAX))
        if (decode(TaskRecord, value).archetype === Archetype.ACTIVITY) return true;
    return false;
  }

  protected checkEnds(states: readonly ActivityState[], of: (runId: string, what: string) => ActivityState | undefined): void {
    const { w } = this;
    const ended = new Map<string, string>();
    const ends = (runId: string, status: Status, how: string): ActivityState | undefined => {
      const before = ended.get(runId);
      if (before !== undefined && before !== how) w.problem(`activity ${runId} ended twice: ${before}, ${how}`);
      ended.set(runId, how);
      const state = of(runId, how);
      if (state !== undefined && state.info.status !== status)
        w.problem(`${this.whereOf(state)}: ${how} was acknowledged, and it is ${state.info.status}`);
      return state;
    };
    for (const { runId, requestId } of this.terminations) ends(runId, Status.TERMINATED, `termination ${requestId}`);
    for (const { runId, result } of w.acknowledged.activityEnds) {
      if (result === undefined) ends(runId, Status.CANCELED, "cancellation");
      else {
        const stored = ends(runId, Status.COMPLETED, `completion ${result}`)?.outcome;
        if (stored !== undefined && !jsonPayloads(result).equals(stored.result ?? EMPTY_BYTES))
          w.problem(`activity ${runId}: completion ${result} was acknowledged and is not its outcome`);
      }
    }
    for (const { url, runId } of this.attached) {
      const state = of(runId, `callback ${url}`);
      if (state !== undefined && ![...state.callbacks.base.values()].some((c) => c.callback !== undefined && urlOf(c.callback) === url))
        w.problem(`${this.whereOf(state)}: callback ${url} was acknowledged and is lost`);
    }
    for (const state of states) {
      this.checkDelivered(state);
      this.receivers.checkActivity(state);
    }
  }

  /** With every worker alive and every batch written, no attempt is left to its timeout. */
  private checkDelivered({ info, activity, outcome }: ActivityState): void {
    if (!isUntroubled(this.w.swarm)) return;
    if (ranOut(activity.lastFailure) || ranOut(outcome?.failure))
      this.w.problem(`${info.workflowId} ${info.runId}: attempt ${activity.attempt}, or the one before, was given to nobody`);
  }
}

const ranOut = (failure: Failure | undefined): boolean =>
  failure?.failureInfo.case === "timeoutFailureInfo" &&
  [TimeoutType.START_TO_CLOSE, TimeoutType.HEARTBEAT].includes(failure.failureInfo.value.timeoutType);

/** Undefined for what is no standalone activity. */
async function loadActivity(disk: Disk, key: number): Promise<ActivityState | undefined> {
  const rows = await disk.inner.loadExecution(key);
  if (rows === undefined || decode(ExecutionHeader, rows.record).archetype !== Archetype.ACTIVITY) return undefined;
  return ActivityState.load(key, rows.record, rows.live);
}

/** State, outcome, visibility row and due row of one activity say the same. */
export async function checkActivity(disk: Disk, key: number, problem: (text: string) => void): Promise<void> {
  const state = await loadActivity(disk, key);
  if (state === undefined) return;
  const { info, outcome } = state;
  const where = `activity ${info.workflowId} ${info.runId}`;
  if (state.isOpen !== (outcome === undefined)) problem(`${where}: is ${Status[info.status]} and has ${outcome === undefined ? "no" : "an"} outcome`);
  if (outcome !== undefined && (info.status === Status.COMPLETED) !== (outcome.failure === undefined))
    problem(`${where}: is ${Status[info.status]} with the outcome ${JSON.stringify(outcome)}`);
  const row = disk.visibility.get(key);
  if (row === undefined) problem(`${where}: not listed`);
  else if (row.closeTime !== info.closeTime) problem(`${where}: listed as closed at ${row.closeTime}, is closed at ${info.closeTime}`);
  const earliest = earliestDeadline(new ActivityDraft(state, false));
  if (earliest > 0 && (info.due === 0 || info.due > earliest)) problem(`${where}: due at ${info.due}, has a deadline at ${earliest}`);
  if (info.due > 0 && !disk.dues.has(`${key}/${info.due}`)) problem(`${where}: no due row at ${info.due}`);
}
