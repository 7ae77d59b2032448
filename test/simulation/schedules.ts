/**
 * Schedules under way: some are left alone, others are triggered, backfilled, paused, changed and deleted. Their actions are programs
 * like any other. What a schedule says of itself at the end is compared with the runs that are there (`check`): every action is one
 * chain of runs, and a schedule that nobody has touched has left out none of its times.
 */
import { ScheduleOverlapPolicy as Overlap } from "../../gen/wire/temporal/api/enums/v1/schedule.js";
import type { Schedule } from "../../gen/wire/temporal/api/schedule/v1/message.js";
import {
  CreateScheduleRequest,
  type DescribeScheduleResponse,
  ListScheduleMatchingTimesRequest,
  PatchScheduleRequest,
  UpdateScheduleRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { Code, ServiceError } from "../../src/api/service-error.js";
import { duration, timestampOf } from "../../src/api/time.js";
import type { Init } from "../../src/api/wire.js";
import { Archetype } from "../../src/core/execution.js";
import type { InputOf, ScheduleInputKind } from "../../src/core/input.js";
import type { Replies } from "../../src/core/transition.js";
import { QUEUE } from "./programs.js";
import { NAMESPACE } from "./server.js";
import { Died, type SimWorld } from "./world.js";

const IDS = 6;
const MICROS = 1_000_000;
/** So long a schedule has times: a run of the simulation has to end. */
const LIFE_MICROS = 60 * MICROS;
const OVERLAPS = [Overlap.SKIP, Overlap.BUFFER_ONE, Overlap.BUFFER_ALL, Overlap.CANCEL_OTHER, Overlap.TERMINATE_OTHER, Overlap.ALLOW_ALL];
/** So long one stays that has nothing left to do. */
const WEEK_MICROS = 7 * 86_400 * MICROS;
/** How late the last time may be taken up, after the faults. */
const SLACK_MICROS = 10 * MICROS;

interface Known {
  readonly interval: number;
  /** No later than this the schedule was there. 0: nobody was told that it is. */
  acknowledgedAt: number;
  readonly endsAt: number;
  /** Nothing but its own times makes it act, and nothing keeps it from that. */
  isUntouched: boolean;
  isDeleteAsked: boolean;
  /** It was created once more when the first one may have gone by itself. */
  mayBeMadeAgain: boolean;
  /** As it was described last, after the faults, when nothing ran any more. */
  info: DescribeScheduleResponse["info"];
}

export class Schedules {
  private readonly known = new Map<string, Known>();
  private requests = 0;
  /** What is done at the end, and of which schedules still. */
  private ending: "no" | "pausing" | "describing" | "deleting" | "done" = "no";
  private readonly waiting = new Set<string>();
  private readonly asked = new Set<string>();

  constructor(private readonly w: SimWorld) {}

  step(): void {
    const { w } = this;
    const requestId = `s${this.requests++}`;
    const kind = w.pick(100);
    const ids = [...this.known.keys()];
    if (ids.length < IDS && kind < 40) return this.create(requestId);
    const id = ids[w.pick(Math.max(1, ids.length))];
    if (id === undefined) return;
    if (kind < 50) this.createAgain(id, requestId);
    else if (kind < 65) this.patch(id, requestId);
    else if (kind < 72) this.update(id, requestId);
    else if (kind < 75) this.delete(id);
    else if (kind < 90) this.describe(id);
    else
      this.send(id, {
        kind: "scheduleMatchingTimes",
        request: ListScheduleMatchingTimesRequest.create({ startTime: timestampOf(w.time), endTime: timestampOf(w.time + LIFE_MICROS) }),
      });
  }

  private send<K extends ScheduleInputKind>(
    id: string,
    input: InputOf<K>,
    then: (reply: Replies[K]) => void = () => undefined,
    failed: (e: unknown) => void = () => undefined,
  ): void {
    const { w } = this;
    const address = { namespaceId: NAMESPACE.id, workflowId: id, runId: "", archetype: Archetype.SCHEDULE };
    w.call((s) => s.engine.submit<K>(address, input)).then(then, (e) => {
      failed(e);
      w.expected(e);
    });
  }

  /** One that has nothing left to do goes after a week, which may be skipped. */
  private get mayHaveGone(): boolean {
    return this.w.swarm.testClock;
  }

  // --- Calls

  private schedule(interval: number, endsAt: number, overlapPolicy: Overlap, isLimited: boolean, id: string): Init<Schedule> {
    return {
      spec: { interval: [{ interval: duration(interval) }], endTime: timestampOf(endsAt) },
      policies: { overlapPolicy, pauseOnFailure: overlapPolicy !== Overlap.ALLOW_ALL && this.w.chance(200) },
      state: isLimited ? { limitedActions: true, remainingActions: 3 } : {},
      action: {
        action: {
          case: "startWorkflow",
          value: { workflowId: id, workflowType: { name: "sim" }, taskQueue: { name: QUEUE }, workflowTaskTimeout: duration(10 * MICROS) },
        },
      },
    };
  }

  private create(requestId: string): void {
    const { w } = this;
    const id = `schedule${this.requests}`;
    const isUntouched = w.chance(400);
    const interval = (3 + w.pick(12)) * MICROS;
    const endsAt = w.time + LIFE_MICROS;
    const overlap = isUntouched ? Overlap.ALLOW_ALL : (OVERLAPS[w.pick(OVERLAPS.length)] as Overlap);
    this.known.set(id, { interval, acknowledgedAt: 0, endsAt, isUntouched, isDeleteAsked: false, mayBeMadeAgain: false, info: undefined });
    this.begin(id, requestId, this.schedule(interval, endsAt, overlap, !isUntouched && w.chance(300), id));
  }

  /** By another client with another request, or the same client once more. */
  private createAgain(id: string, requestId: string): void {
    const known = this.known.get(id) as Known;
    if (known.isUntouched) return;
    this.begin(id, requestId, this.schedule(known.interval, known.endsAt, Overlap.SKIP, false, id));
  }

  private begin(scheduleId: string, requestId: string, schedule: Init<Schedule>): void {
    const request = CreateScheduleRequest.create({ scheduleId, requestId, schedule } as Init<CreateScheduleRequest>);
    const known = this.known.get(scheduleId) as Known;
    const wasDeleteAsked = known.isDeleteAsked;
    const once = (): void =>
      this.send<"createSchedule">(scheduleId, { kind: "createSchedule", request }, () => {
        if (this.mayHaveGone && known.acknowledgedAt > 0 && this.w.time > known.acknowledgedAt + WEEK_MICROS) known.mayBeMadeAgain = true;
        if (!wasDeleteAsked && known.acknowledgedAt === 0) known.acknowledgedAt = this.w.time;
      });
    once();
    if (this.w.swarm.duplicates && this.w.chance(200)) {
      this.w.count("client sent twice");
      once();
    }
  }

  private patch(scheduleId: string, requestId: string): void {
    const { w } = this;
    if (this.known.get(scheduleId)?.isUntouched !== false) return;
    const overlapPolicy = OVERLAPS[w.pick(OVERLAPS.length)] as Overlap;
    const now = timestampOf(w.time);
    const from = timestampOf(w.time - 20 * MICROS);
    const patches: PatchScheduleRequest["patch"][] = [
      { triggerImmediately: { overlapPolicy, scheduledTime: undefined }, backfillRequest: [], pause: "", unpause: "" },
      { triggerImmediately: undefined, backfillRequest: [{ startTime: from, endTime: now, overlapPolicy }], pause: "", unpause: "" },
      { triggerImmediately: undefined, backfillRequest: [], pause: "sim", unpause: "" },
      { triggerImmediately: undefined, backfillRequest: [], pause: "", unpause: "sim" },
    ];
    const request = PatchScheduleRequest.create({ scheduleId, requestId, patch: patches[w.pick(patches.length)] } as Init<PatchScheduleRequest>);
    this.send(scheduleId, { kind: "patchSchedule", request });
  }

  private update(scheduleId: string, requestId: string): void {
    const { w } = this;
    const known = this.known.get(scheduleId);
    if (known?.isUntouched !== false) return;
    const schedule = this.schedule((3 + w.pick(12)) * MICROS, known.endsAt, OVERLAPS[w.pick(OVERLAPS.length)] as Overlap, w.chance(200), scheduleId);
    const conflictToken = w.chance(100) ? Buffer.from("stale") : undefined;
    const request = UpdateScheduleRequest.create({ scheduleId, requestId, schedule, conflictToken } as Init<UpdateScheduleRequest>);
    this.send(scheduleId, { kind: "updateSchedule", request });
  }

  private delete(scheduleId: string): void {
    const known = this.known.get(scheduleId) as Known;
    if (known.isUntouched) return;
    known.isDeleteAsked = true;
    this.send<"deleteSchedule">(scheduleId, { kind: "deleteSchedule" });
  }

  private describe(scheduleId: string): void {
    const known = this.known.get(scheduleId) as Known;
    const [mayBeGone, mustBeThere] = [known.isDeleteAsked, known.acknowledgedAt > 0];
    this.send<"describeSchedule">(
      scheduleId,
      { kind: "describeSchedule" },
      () => undefined,
      (e) => {
        if (mustBeThere && !mayBeGone && !this.mayHaveGone && e instanceof ServiceError && e.code === Code.NOT_FOUND)
          this.w.problem(`${scheduleId}: its creation was acknowledged and it is not there`);
      },
    );
  }

  // --- The end: each is paused, described when nothing runs any more, and deleted

  /** Called again and again without faults; `isQuiet` when no workflow is open. Answers whether all is done. */
  end(isQuiet: boolean): boolean {
    if (this.ending === "no") this.go("pausing");
    if (this.ending === "done") return true;
    for (const id of [...this.waiting].filter((x) => !this.asked.has(x))) this.endOne(id);
    if (this.waiting.size > 0) return false;
    if (this.ending === "pausing" && isQuiet) this.go("describing");
    else if (this.ending === "describing") this.go("deleting");
    else if (this.ending === "deleting") this.ending = "done";
    return this.ending === "done";
  }

  private go(next: "pausing" | "describing" | "deleting"): void {
    this.ending = next;
    for (const id of this.known.keys()) this.waiting.add(id);
  }

  private endOne(id: string): void {
    const known = this.known.get(id) as Known;
    this.asked.add(id);
    const done = (): void => {
      this.asked.delete(id);
      this.waiting.delete(id);
    };
    /** It is not there, which may be right; or the server has ended under the call, and it is asked again. */
    const failed = (e: unknown): void => {
      this.asked.delete(id);
      if (e instanceof Died || (e instanceof ServiceError && e.code !== Code.NOT_FOUND)) return;
      this.waiting.delete(id);
      if (known.acknowledgedAt > 0 && !known.isDeleteAsked && !this.mayHaveGone)
        this.w.problem(`${id}: its creation was acknowledged and it is not there`);
    };
    if (this.ending === "pausing") {
      // One that was left alone runs to the end of its times.
      if (known.isUntouched) return done();
      const request = PatchScheduleRequest.create({
        scheduleId: id,
        requestId: `end-${id}`,
        patch: { pause: "the end" },
      } as Init<PatchScheduleRequest>);
      this.send<"patchSchedule">(id, { kind: "patchSchedule", request }, done, failed);
    } else if (this.ending === "describing")
      this.send<"describeSchedule">(
        id,
        { kind: "describeSchedule" },
        (reply) => {
          known.info = reply.response.info as DescribeScheduleResponse["info"];
          done();
        },
        failed,
      );
    else this.send<"deleteSchedule">(id, { kind: "deleteSchedule" }, done, failed);
  }

  /** Times that are still to come of those that were left alone. */
  get isRunningOut(): boolean {
    return [...this.known.values()].some((k) => k.isUntouched && k.acknowledgedAt > 0 && this.w.time < k.endsAt + SLACK_MICROS);
  }

  // --- What must hold

  /** `chains`: runs of each chain by workflow id and first run, of everything that is there. */
  check(chains: ReadonlyMap<string, ReadonlyMap<string, number>>): void {
    for (const [id, known] of this.known) {
      const actions = [...chains].filter(([workflowId]) => workflowId.startsWith(`${id}-`) && !workflowId.includes("/"));
      const { info } = known;
      if (known.isUntouched && known.acknowledgedAt > 0 && (info !== undefined || this.mayHaveGone))
        this.checkTimes(
          id,
          known,
          actions.map(([workflowId, runs]) => [timeIn(id, workflowId), runs.size]),
        );
      if (info === undefined) continue;
      const count = actions.reduce((n, [, runs]) => n + runs.size, 0);
      // A schedule that went and was made again counts from 0.
      if (!known.isDeleteAsked && !known.mayBeMadeAgain && count !== info.actionCount)
        this.w.problem(`${id}: says ${info.actionCount} actions, and ${count} were begun`);
      if (info.runningWorkflows.length > 0) this.w.problem(`${id}: says that ${info.runningWorkflows[0]?.workflowId} runs, and nothing runs`);
    }
  }

  private checkTimes(id: string, known: Known, actions: [time: number, runs: number][]): void {
    const { interval } = known;
    const twice = actions.find(([, runs]) => runs > 1);
    if (twice !== undefined) this.w.problem(`${id}: acted ${twice[1]} times at ${twice[0]}`);
    const times = new Set(actions.map(([time]) => time));
    for (let time = Math.ceil((known.acknowledgedAt + 1) / interval) * interval; time < known.endsAt; time += interval)
      if (!times.has(time)) this.w.problem(`${id}: did not act at ${time}, though it was there from ${known.acknowledgedAt}`);
  }
}

function timeIn(id: string, workflowId: string): number {
  return Date.parse(workflowId.slice(id.length + 1)) * 1000;
}
