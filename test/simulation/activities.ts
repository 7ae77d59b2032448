/**
 * Standalone activities under way: started, waited for, canceled, terminated, paused, reset and changed; the workers (workers.ts) get
 * their attempts from the same queue as those of workflows. A stored activity agrees with itself at any moment (`checkActivity`); at
 * the end each has ended as somebody was told (`end`), and deleted it leaves nothing.
 */
import { ExecutionHeader, TaskRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { ActivityIdConflictPolicy, ActivityIdReusePolicy } from "../../gen/wire/temporal/api/enums/v1/activity.js";
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
import { duration } from "../../src/api/time.js";
import { decode } from "../../src/api/wire.js";
import { ActivityDraft, ActivityState, Status } from "../../src/core/activity-execution/activity-state.js";
import { earliestDeadline } from "../../src/core/activity-execution/lifecycle.js";
import { Archetype } from "../../src/core/execution.js";
import type { ActivityExecutionInputKind, InputOf } from "../../src/core/input.js";
import type { Replies } from "../../src/core/transition.js";
import { QUEUE_REGISTRY_KIND, QueueKeys } from "../../src/matching/queue-keys.js";
import { QUEUE } from "./programs.js";
import type { Disk } from "./sim-store.js";
import type { SimWorld } from "./world.js";

const IDS = 8;
const RECENT = 6;
const WAIT_MS = 3_600_000;
const BACKLOG_MAX = 1_000_000;
const TYPES = ["plain", "plain", "flaky", "fails", "waits"];
const REUSE = [
  ActivityIdReusePolicy.ALLOW_DUPLICATE,
  ActivityIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
  ActivityIdReusePolicy.REJECT_DUPLICATE,
] as const;
const CONFLICT = [ActivityIdConflictPolicy.FAIL, ActivityIdConflictPolicy.USE_EXISTING] as const;

type Kind = ActivityExecutionInputKind | "delete";

export class Activities {
  private requests = 0;
  /** The runs that callers were told of last: of most calls the target. */
  private readonly recent: { id: string; runId: string }[] = [];
  private readonly starts = new Map<string, string>();
  private readonly cancels: { runId: string; requestId: string }[] = [];
  private readonly terminations: { runId: string; requestId: string }[] = [];
  /** Runs of which somebody waits for the end, in this life of the server. */
  private readonly awaited = new Map<number, string>();
  private waits = 0;
  private readonly keys = new Set<number>();
  /** How each has ended. */
  readonly endings: string[] = [];
  private stage: "running" | "closed" | "checked" = "running";

  constructor(
    private readonly w: SimWorld,
    private readonly disk: Disk,
  ) {}

  step(): void {
    const { w } = this;
    const requestId = `a${this.requests++}`;
    const kind = w.pick(100);
    if (kind < 35 || this.recent.length === 0) return this.start(requestId);
    const { id, runId } = this.recent[w.pick(this.recent.length)] as { id: string; runId: string };
    const reason = "sim";
    if (kind < 45) this.wait(id, runId);
    else if (kind < 53) {
      const request = DescribeActivityExecutionRequest.create({ includeOutcome: true });
      this.send<"describeActivityExecution">(id, runId, { kind: "describeActivityExecution", request, since: undefined });
    } else if (kind < 60) {
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

  private submit<K extends Kind>(id: string, runId: string, input: InputOf<K>): Promise<Replies[K]> {
    return this.w.submit<K>(id, runId, input, Archetype.ACTIVITY);
  }

  /** Once or twice, and again when the answer is lost. */
  private send<K extends Kind>(id: string, runId: string, input: InputOf<K>, then: (reply: Replies[K]) => void = () => undefined): void {
    const { w } = this;
    const once = (again: boolean): void => {
      this.submit<K>(id, runId, input).then(
        (reply) => {
          then(reply);
          if (!again) return;
          w.count("client lost a reply");
          once(false);
        },
        (e) => w.expected(e),
      );
    };
    once(w.swarm.lostReplies && w.chance(100));
    if (!w.swarm.duplicates || !w.chance(80)) return;
    w.count("client sent twice");
    if (w.chance(500)) once(false);
    else w.later(w.pick(3_000_000), () => once(false));
  }

  private start(requestId: string): void {
    const { w } = this;
    const id = `activity${w.pick(IDS)}`;
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
    });
    this.send<"startActivityExecution">(id, "", { kind: "startActivityExecution", request }, ({ runId, started }) => {
      this.starts.set(requestId, runId);
      if (!started) return;
      this.recent.push({ id, runId });
      if (this.recent.length > RECENT) this.recent.shift();
    });
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
    const wait = ++this.waits;
    const look = (): Promise<Replies["activityOutcome"]> => this.submit<"activityOutcome">(id, runId, { kind: "activityOutcome" });
    const untilEnd = async (): Promise<void> => {
      const seen = await look();
      if (!seen.isOpen) return this.told(id, seen);
      this.awaited.set(wait, runId);
      const { server } = w;
      if (server === undefined) return;
      const { changed, stop } = server.engine.waitForChange(seen.key, Number.MAX_SAFE_INTEGER, WAIT_MS, () => () => undefined);
      try {
        for (let now = await look(); now.isOpen; now = await look()) await w.call(() => changed);
        this.told(id, await look());
      } finally {
        stop();
      }
    };
    untilEnd()
      .catch((e: unknown) => w.expected(e))
      .finally(() => this.awaited.delete(wait));
  }

  private told(id: string, { runId, outcome }: Replies["activityOutcome"]): void {
    if (outcome?.value === undefined) this.w.problem(`${id} ${runId}: who waited for its end was told no outcome`);
  }

  // --- The end: each comes to it, is compared with what callers were told, and deleted

  /** Called again and again without faults. Answers whether all is done. */
  async end(): Promise<boolean> {
    const { w } = this;
    const states: ActivityState[] = [];
    for (const key of await this.disk.executionKeys()) {
      const state = await loadActivity(this.disk, key);
      if (state !== undefined) states.push(state);
    }
    const open = states.filter((s) => s.isOpen);
    for (const { info } of open)
      if (info.status === Status.PAUSED || info.status === Status.PAUSE_REQUESTED) this.unpause(info.workflowId, info.runId, `end${this.requests++}`);
    if (open.length > 0 || (await this.hasBacklog())) return false;
    if (this.stage === "running") this.stage = "closed";
    else if (this.stage === "closed") {
      for (const runId of new Set(this.awaited.values()))
        if (states.some((s) => s.info.runId === runId)) w.problem(`${runId}: has ended, and who waits for its end is not told`);
      for (const { key } of states) {
        this.keys.add(key);
        await checkActivity(this.disk, key, (t) => w.problem(t));
      }
      this.checkTold(states);
      for (const { info } of states) this.endings.push(`${info.workflowId} ${info.runId} ${info.status} ${info.stateTransitionCount}`);
      this.stage = "checked";
    }
    if (this.stage !== "checked") return false;
    for (const { info } of states) this.submit<"delete">(info.workflowId, info.runId, { kind: "delete" }).catch((e: unknown) => w.expected(e));
    if (states.length > 0) return false;
    for (const due of this.disk.dues) if (this.keys.has(Number(due.split("/")[0]))) w.problem(`due row ${due} is of an activity that was deleted`);
    return true;
  }

  private async hasBacklog(): Promise<boolean> {
    const { inner } = this.disk;
    const records = (await inner.loadRegistry()).filter((r) => r.kind === QUEUE_REGISTRY_KIND);
    for (const { key } of new QueueKeys(records))
      for (const { value } of await inner.readBacklog(key, undefined, BACKLOG_MAX))
        if (decode(TaskRecord, value).archetype === Archetype.ACTIVITY) return true;
    return false;
  }

  private checkTold(states: readonly ActivityState[]): void {
    const { w } = this;
    const byRun = new Map(states.map((s) => [s.info.runId, s]));
    const of = (runId: string, what: string): ActivityState | undefined => {
      const state = byRun.get(runId);
      if (state === undefined && !w.acknowledged.deleted.has(runId)) w.problem(`${what} was acknowledged by activity ${runId}, which is lost`);
      return state;
    };
    const where = ({ info }: ActivityState): string => `${info.workflowId} ${info.runId}`;
    for (const [requestId, runId] of this.starts) of(runId, `start ${requestId}`);
    for (const { runId, requestId } of this.cancels) {
      const state = of(runId, "a cancel request");
      if (state !== undefined && state.info.cancelRequestId !== requestId)
        w.problem(`${where(state)}: cancel request ${requestId} was acknowledged and is lost`);
    }
    const ended = new Map<string, string>();
    const ends = (runId: string, status: Status, how: string): ActivityState | undefined => {
      const before = ended.get(runId);
      if (before !== undefined && before !== how) w.problem(`activity ${runId} ended twice: ${before}, ${how}`);
      ended.set(runId, how);
      const state = of(runId, how);
      if (state !== undefined && state.info.status !== status) w.problem(`${where(state)}: ${how} was acknowledged, and it is ${state.info.status}`);
      return state;
    };
    for (const { runId, requestId } of this.terminations) ends(runId, Status.TERMINATED, `termination ${requestId}`);
    for (const { runId, result } of w.acknowledged.activityEnds) {
      if (result === undefined) ends(runId, Status.CANCELED, "cancellation");
      else {
        const stored = ends(runId, Status.COMPLETED, `completion ${result}`)?.outcome;
        if (stored !== undefined && Buffer.from(stored.result ?? []).toString() !== result)
          w.problem(`activity ${runId}: completion ${result} was acknowledged and is not its outcome`);
      }
    }
    const last = new Map<string, ActivityState>();
    for (const state of states) {
      const { workflowId, startRequestId } = state.info;
      if (last.get(workflowId)?.info.startRequestId === startRequestId && w.acknowledged.deleted.size === 0)
        w.problem(`${where(state)}: start ${startRequestId} was applied twice in a row`);
      last.set(workflowId, state);
      this.checkDelivered(state);
    }
  }

  /** With every worker alive and every batch written, no attempt is left to its timeout. */
  private checkDelivered({ info, activity, outcome }: ActivityState): void {
    const { swarm: s } = this.w;
    if (s.workerDeaths || s.slowWorkers || s.crashes || s.loses || s.refuses || s.fills) return;
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
