/**
 * Time that is skipped. Executions with a clock of their own (ids that begin with t): what their histories say of it is worked out
 * anew (`checkSkips`): the clock goes only forward, only while nothing is in flight, never past a timer, as often as it may. And tests
 * that lock, unlock and sleep on the clock of the namespace (`TestClients`): what they were told outlives the process; while a lock is
 * held, or a worker has a task in hand, the clock stands still; nobody wakes early.
 */
import type { TimeSkippingConfig } from "../../gen/wire/temporal/api/common/v1/message.js";
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { UpdateWorkflowExecutionOptionsRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { duration, durationMicros, timestampMicros } from "../../src/api/time.js";
import type { Init } from "../../src/api/wire.js";
import type { Run } from "./checks.js";
import { timeOf } from "./decode-events.js";
import { NAMESPACE } from "./server.js";
import type { SimWorld } from "./world.js";

const SLEEP_MICROS_MAX = 20_000_000;
const FORWARD_MICROS_MAX = 10_000_000;
const IDS = 6;
const NOBODY = (): (() => void) => () => undefined;

// --- Executions with a clock of their own

export function newConfig(w: SimWorld): Init<TimeSkippingConfig> {
  return {
    enabled: w.chance(850),
    maxSessionSkipCount: w.chance(500) ? 1 + w.pick(4) : 100,
    disablePropagation: w.chance(200),
    fastForwardConfig: w.chance(250) ? { id: `f${w.pick(1000)}`, duration: duration(1 + w.pick(FORWARD_MICROS_MAX)) } : undefined,
  };
}

/** Somebody switches the skipping of a run on or off, or fast-forwards it. */
export function changeConfig(w: SimWorld): void {
  const request = UpdateWorkflowExecutionOptionsRequest.create({
    workflowExecutionOptions: { timeSkippingConfig: newConfig(w) },
    updateMask: { paths: ["time_skipping_config"] },
    identity: "sim",
  } as Init<UpdateWorkflowExecutionOptionsRequest>);
  w.submit<"updateOptions">(`t${w.pick(IDS)}`, "", { kind: "updateOptions", request }).then(
    () => undefined,
    (e) => w.expected(e),
  );
}

/** How far the clock of a run is ahead, as its history says. */
export function aheadBy(events: readonly HistoryEvent[]): number {
  let ahead = 0;
  for (const e of events) {
    const { attributes: a } = e;
    if (a.case === "workflowExecutionStartedEventAttributes") ahead = durationMicros(a.value.timeSkippingStatePropagation?.initialSkippedDuration);
    if (a.case === "workflowExecutionTimeSkippingTransitionedEventAttributes" && a.value.targetTime !== undefined)
      ahead += timestampMicros(a.value.targetTime) - timeOf(e);
  }
  return ahead;
}

/** What a history has begun and not ended, apart from activities, of which it tells only when they have ended. */
class InFlight {
  private readonly open = new Map<string, number>();

  take(e: HistoryEvent): void {
    const { attributes: a } = e;
    const begin = (what: string, until = 0): unknown => this.open.set(what, until);
    const end = (what: string): unknown => this.open.delete(what);
    switch (a.case) {
      case "workflowTaskScheduledEventAttributes":
        begin("workflow task");
        return;
      case "workflowTaskCompletedEventAttributes":
      case "workflowTaskFailedEventAttributes":
      case "workflowTaskTimedOutEventAttributes":
        end("workflow task");
        return;
      case "startChildWorkflowExecutionInitiatedEventAttributes":
      case "nexusOperationScheduledEventAttributes":
      case "signalExternalWorkflowExecutionInitiatedEventAttributes":
      case "requestCancelExternalWorkflowExecutionInitiatedEventAttributes":
        begin(`event ${e.eventId}`);
        return;
      case "startChildWorkflowExecutionFailedEventAttributes":
      case "childWorkflowExecutionCompletedEventAttributes":
      case "childWorkflowExecutionFailedEventAttributes":
      case "childWorkflowExecutionCanceledEventAttributes":
      case "childWorkflowExecutionTimedOutEventAttributes":
      case "childWorkflowExecutionTerminatedEventAttributes":
      case "signalExternalWorkflowExecutionFailedEventAttributes":
      case "externalWorkflowExecutionSignaledEventAttributes":
      case "requestCancelExternalWorkflowExecutionFailedEventAttributes":
      case "externalWorkflowExecutionCancelRequestedEventAttributes":
        end(`event ${a.value.initiatedEventId}`);
        return;
      case "nexusOperationCompletedEventAttributes":
      case "nexusOperationFailedEventAttributes":
      case "nexusOperationCanceledEventAttributes":
      case "nexusOperationTimedOutEventAttributes":
        end(`event ${a.value.scheduledEventId}`);
        return;
      case "timerStartedEventAttributes":
        begin(`timer ${e.eventId}`, timeOf(e) + durationMicros(a.value.startToFireTimeout));
        return;
      case "timerFiredEventAttributes":
      case "timerCanceledEventAttributes":
        end(`timer ${a.value.startedEventId}`);
        return;
      default:
    }
  }

  get work(): string | undefined {
    return [...this.open].find(([, until]) => until === 0)?.[0];
  }

  get nextTimer(): number {
    return Math.min(...[...this.open.values()].filter((until) => until > 0));
  }
}

export function checkSkips({ events, where, state }: Run, now: number, problem: (text: string) => void, count: (what: string) => void): void {
  if (!events.some((e) => e.attributes.case === "workflowExecutionTimeSkippingTransitionedEventAttributes")) return;
  const inFlight = new InFlight();
  const skips: { from: number; to: number }[] = [];
  let config: TimeSkippingConfig | undefined;
  let session = 0;
  let [last, lastWall] = [0, 0];
  events.forEach((e, i) => {
    const { attributes: a } = e;
    if (a.case === "workflowExecutionStartedEventAttributes") {
      config = a.value.timeSkippingConfig;
      session = a.value.timeSkippingStatePropagation?.initialSkipCount ?? 0;
    }
    if (a.case === "workflowExecutionOptionsUpdatedEventAttributes" && a.value.timeSkippingConfigUpdated) {
      config = a.value.timeSkippingConfig;
      session = 0;
    }
    if (a.case === "workflowExecutionTimeSkippingTransitionedEventAttributes") {
      const at = `${where}: the skip of event ${e.eventId}`;
      const wall = timestampMicros(a.value.wallClockTime);
      if (timeOf(e) - wall !== aheadBy(events.slice(0, i))) problem(`${at} is at ${timeOf(e)}, in real time ${wall}`);
      if (timeOf(e) < last || wall < lastWall || wall > now) problem(`${at} goes back in time`);
      [last, lastWall] = [timeOf(e), wall];
      if (config?.enabled !== true) problem(`${at} is of a run that does not skip`);
      if (++session > (config?.maxSessionSkipCount ?? 0)) problem(`${at} is one too many`);
      if (a.value.targetTime !== undefined) {
        const to = timestampMicros(a.value.targetTime);
        count("run skipped time");
        skips.push({ from: timeOf(e), to });
        if (to < timeOf(e)) problem(`${at} goes back to ${to}`);
        if (inFlight.work !== undefined) problem(`${at} leaves ${inFlight.work} behind`);
        if (to > inFlight.nextTimer) problem(`${at} goes past a timer, to ${to} from ${inFlight.nextTimer}`);
      }
      if (a.value.disabledAfterFastForward) {
        count("run fast-forwarded");
        config = undefined;
      }
    }
    inFlight.take(e);
  });
  if (state.info.reset !== undefined) return;
  for (const e of events) {
    const a = e.attributes;
    if (a.case !== "activityTaskCompletedEventAttributes" && a.case !== "activityTaskFailedEventAttributes") continue;
    const started = events[a.value.startedEventId - 1];
    if (started === undefined) continue;
    const during = skips.find((s) => s.from > timeOf(started) && s.from < timeOf(e));
    if (during !== undefined) problem(`${where}: time was skipped at ${during.from}, while activity ${a.value.scheduledEventId} ran`);
  }
}

// --- The clock of the namespace

export class TestClients {
  /** How far ahead of real time somebody was told that it is. */
  private told = 0;
  /** Held for sure: those that were acknowledged, without those that may have been given back. */
  private locks = 1;
  private isBusy = false;
  /** Where the clock stands while a lock is held for sure. */
  private stands: number | undefined = 0;
  private readonly namespace: typeof NAMESPACE | undefined;
  private life = 0;

  constructor(private readonly w: SimWorld) {
    this.namespace = w.swarm.testClock && w.pick(2) === 0 ? NAMESPACE : undefined;
  }

  /** As it is at this moment, durable or not. */
  get offset(): number {
    return this.w.server?.engine.clocks.clockOf(NAMESPACE.id).offset ?? 0;
  }

  /** How far the clock is ahead, as its callers are told. */
  get ahead(): number {
    const { w } = this;
    const { server } = w;
    return server === undefined ? this.told : server.engine.clocks.currentTime(NAMESPACE) - w.now;
  }

  /** A skip is on its way to the store. */
  get isSkipping(): boolean {
    return this.w.server?.engine.clocks.clockOf(NAMESPACE.id).isMoving === true;
  }

  /** A server has begun, with its clocks locked. */
  booted(): void {
    this.life++;
    this.locks = 1;
    this.isBusy = false;
    this.stands = this.offset;
    if (this.told > 0) this.w.count("clock outlived its process");
    this.look();
  }

  /** As somebody who asks for the time again and again. */
  look(): void {
    const { ahead, w } = this;
    if (ahead < this.told) w.problem(`time was told to be ${this.told} ahead, and is ${ahead} ahead`);
    if (ahead > this.told) w.count("time skipped");
    this.told = ahead;
    if (this.locks < 1) this.stands = undefined;
    else if (this.stands !== undefined && this.offset !== this.stands)
      w.problem(`time was skipped from ${this.stands} to ${this.offset} ahead, and is locked`);
  }

  step(): void {
    const { w } = this;
    this.look();
    const kind = w.pick(100);
    if (kind < 30) {
      if (this.locks > 0) this.unlock();
      else this.lock();
    } else if (kind < 40) this.lock();
    else if (kind < 60) this.sleep(kind < 50);
    else if (kind < 75 && this.locks > 0) this.sleepUnlocked();
  }

  private get clocks() {
    const { server } = this.w;
    if (server === undefined) throw new Error("no server");
    return server.engine.clocks;
  }

  /** One after the other, so that it is known what is held. */
  private alone(f: () => Promise<void>, then: () => void): void {
    if (this.isBusy) return;
    this.isBusy = true;
    const { life, w } = this;
    w.call(f).then(
      () => {
        if (life !== this.life) return;
        this.isBusy = false;
        then();
      },
      (e) => {
        if (life === this.life) this.isBusy = false;
        w.expected(e);
      },
    );
  }

  private lock(): void {
    this.alone(
      () => this.clocks.lock(this.namespace),
      () => {
        this.locks++;
        this.stands = this.offset;
      },
    );
  }

  private unlock(): void {
    if (this.isBusy) return;
    this.locks--;
    this.alone(
      () => this.clocks.unlock(this.namespace),
      () => undefined,
    );
  }

  private sleep(isUntil: boolean): void {
    const { w } = this;
    const micros = w.pick(SLEEP_MICROS_MAX);
    const due = w.now + this.ahead + micros;
    const slept = isUntil
      ? () => this.clocks.sleepUntil(this.namespace, due, NOBODY)
      : () => this.clocks.sleep(this.namespace, micros, NOBODY, { unlocked: false });
    w.call(slept).then(
      () => this.woken(due),
      (e) => w.expected(e),
    );
  }

  private sleepUnlocked(): void {
    if (this.isBusy) return;
    const { w } = this;
    const micros = w.pick(SLEEP_MICROS_MAX);
    const due = w.now + this.ahead + micros;
    this.locks--;
    this.alone(
      () => this.clocks.sleep(this.namespace, micros, NOBODY, { unlocked: true }),
      () => {
        this.woken(due);
        this.locks++;
        this.stands = this.offset;
      },
    );
  }

  private woken(due: number): void {
    const { w } = this;
    w.count("sleeper woken");
    this.look();
    if (w.now + this.ahead < due) w.problem(`who slept until ${due} was woken at ${w.now + this.ahead}`);
  }

  /** A worker has a task in hand: answers what to ask when its answer has been taken. */
  inHand(): { sent: () => void; taken: (what: string) => void } {
    const { offset, life } = this;
    let after = offset;
    return {
      sent: () => {
        if (life === this.life) after = this.offset;
      },
      taken: (what) => {
        if (after !== offset) this.w.problem(`${what} was in hand, and time went on from ${offset} to ${after} ahead`);
      },
    };
  }
}
