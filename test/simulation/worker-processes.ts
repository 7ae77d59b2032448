/**
 * The processes of workers, some with a control queue that they name with their polls. From it they take what the server tells them: to
 * cancel activities that run without a word. A process may die with what it has taken, or be unable to do it, and is told again. What it
 * is told is of a task of its own, and has been asked for by the workflow; one that is up is told in time.
 */
import { Payload } from "../../gen/wire/temporal/api/common/v1/message.js";
import { NexusHandlerErrorRetryBehavior } from "../../gen/wire/temporal/api/enums/v1/nexus.js";
import { TaskQueueKind } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { Failure } from "../../gen/wire/temporal/api/failure/v1/message.js";
import { ExecuteCommandsRequest } from "../../gen/wire/temporal/api/nexusservices/workerservice/v1/request_response.js";
import {
  PollNexusTaskQueueRequest,
  type PollNexusTaskQueueResponse,
  RespondNexusTaskCompletedRequest,
  RespondNexusTaskFailedRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { decodeTaskToken, type TaskToken } from "../../src/api/task-token.js";
import { decode, type Init } from "../../src/api/wire.js";
import type { Run } from "./checks.js";
import { timeOf } from "./decode-events.js";
import { NAMESPACE } from "./server.js";
import { aheadBy } from "./time.js";
import { identityOf } from "./versions.js";
import { isUntroubled, SimCall, type SimWorld } from "./world.js";

/** It takes no commands. */
const WITHOUT_QUEUE = 1;
/** Longer than it takes to tell a process that polls. */
const TOLD_WITHIN_MICROS = 3_000_000;

const idOf = (taskToken: Uint8Array): string => Buffer.from(taskToken).toString("hex");

interface Told {
  readonly runId: string;
  readonly scheduledEventId: number;
}

export class WorkerProcesses {
  /** Whose poll is under way. */
  private readonly polling = new Set<number>();
  /** When polls were. */
  private readonly polls: { readonly worker: number; readonly from: number; to: number }[] = [];
  /** The process that each task was given to. */
  private readonly given = new Map<string, number>();
  /** What runs without a word, and what ends it. */
  private readonly silent = new Map<string, () => void>();
  private readonly told: Told[] = [];
  /** Those that had enough of waiting, and when. */
  private readonly untold: (Told & { readonly worker: number | undefined; readonly at: number })[] = [];

  constructor(private readonly w: SimWorld) {}

  /** The server has ended, and every poll with it; the processes go on. */
  forget(): void {
    this.polling.clear();
    for (const p of this.polls) p.to = Math.min(p.to, this.w.now);
  }

  /** "": it takes no commands. */
  queueOf(worker: number): string {
    return this.w.swarm.commands && worker !== WITHOUT_QUEUE ? `temporal-sys/worker-commands/default/${identityOf(worker)}` : "";
  }

  /** A poll of this worker has got a task, whether it is still there to hear of it or not. */
  gave(worker: number, taskToken: Uint8Array): void {
    this.given.set(idOf(taskToken), worker);
  }

  /** Until the process is told to cancel it, or for `micros`. */
  runSilently(taskToken: Uint8Array, token: TaskToken, micros: number, canceled: () => void, over: () => void): void {
    const { w, silent } = this;
    const id = idOf(taskToken);
    silent.set(id, canceled);
    w.later(micros, () => {
      if (!silent.delete(id)) return;
      const { runId, scheduledEventId } = token;
      this.untold.push({ runId, scheduledEventId, worker: this.given.get(id), at: w.now });
      over();
    });
  }

  /** One poll at a time of each process. `calls`: those that a worker may give up. */
  poll(worker: number, calls: Set<SimCall>): void {
    const { w, polling } = this;
    const name = this.queueOf(worker);
    if (name === "" || polling.has(worker)) return;
    polling.add(worker);
    const call = new SimCall(w.now / 1000 + 20_000);
    calls.add(call);
    const span = { worker, from: w.now, to: Number.POSITIVE_INFINITY };
    this.polls.push(span);
    const ended = (): void => {
      span.to = Math.min(span.to, w.now);
      if (calls.delete(call)) polling.delete(worker);
    };
    const request = PollNexusTaskQueueRequest.create({ taskQueue: { name, kind: TaskQueueKind.WORKER_COMMANDS }, identity: identityOf(worker) });
    w.call((s) => s.nexusTasks.pollNexusTask(NAMESPACE, request, call)).then(
      (r) => {
        ended();
        if (r.request !== undefined && !call.cancelled) this.take(worker, r);
      },
      (e) => {
        ended();
        w.expected(e);
      },
    );
  }

  private take(worker: number, { taskToken, request }: Init<PollNexusTaskQueueResponse>): void {
    const { w } = this;
    const taskId = decodeTaskToken(taskToken as Uint8Array)?.nexusTaskId ?? "";
    if (!w.isHealed && w.swarm.workerDeaths && w.chance(150)) return w.count("worker died with commands");
    const isUnable = !w.isHealed && w.swarm.workerDeaths && w.chance(150);
    if (isUnable) w.count("worker could not carry commands out");
    else this.carryOut(worker, request);
    w.later(w.pick(100_000), () => {
      try {
        const { server } = w;
        if (isUnable) {
          const value = { type: "INTERNAL", retryBehavior: NexusHandlerErrorRetryBehavior.RETRYABLE };
          const failure = Failure.create({ message: "not now", failureInfo: { case: "nexusHandlerFailureInfo", value } } as Init<Failure>);
          server?.nexusTasks.respondFailed(taskId, RespondNexusTaskFailedRequest.create({ failure }));
        } else {
          const response = { variant: { case: "startOperation", value: { variant: { case: "syncSuccess", value: {} } } } } as const;
          server?.nexusTasks.respondCompleted(
            taskId,
            RespondNexusTaskCompletedRequest.create({ response } as Init<RespondNexusTaskCompletedRequest>),
          );
        }
      } catch (e) {
        w.expected(e);
      }
    });
  }

  private carryOut(worker: number, request: Init<PollNexusTaskQueueResponse>["request"]): void {
    const { w } = this;
    const variant = request?.variant;
    if (variant?.case !== "startOperation") return w.problem(`${identityOf(worker)} is told ${variant?.case}`);
    const { data } = decode(Payload, (variant.value as { payload: Uint8Array }).payload);
    for (const { type } of decode(ExecuteCommandsRequest, data).commands) {
      if (type.case !== "cancelActivity") return w.problem(`${identityOf(worker)} is told ${type.case}`);
      const { taskToken } = type.value;
      const token = decodeTaskToken(taskToken);
      const id = idOf(taskToken);
      const owner = this.given.get(id);
      if (token === undefined) return w.problem(`${identityOf(worker)} is told to cancel what has no token`);
      // What died on its way to its worker, or with the server that sent it, is known to nobody.
      if (owner !== undefined && owner !== worker)
        w.problem(`${identityOf(worker)} is told to cancel activity ${token.scheduledEventId} of ${token.runId}, which ${identityOf(owner)} has`);
      w.count("command taken");
      this.told.push({ runId: token.runId, scheduledEventId: token.scheduledEventId });
      const cancel = this.silent.get(id);
      if (cancel === undefined) continue;
      this.silent.delete(id);
      w.count("activity canceled by command");
      cancel();
    }
  }

  check(runs: ReadonlyMap<string, Run>): void {
    const { w } = this;
    const askedFor = (run: Run, scheduledEventId: number): number | undefined => {
      const e = run.events.find(
        ({ attributes: a }) => a.case === "activityTaskCancelRequestedEventAttributes" && a.value.scheduledEventId === scheduledEventId,
      );
      return e === undefined ? undefined : timeOf(e);
    };
    for (const { runId, scheduledEventId } of this.told) {
      const run = runs.get(runId);
      if (run === undefined) {
        if (!w.acknowledged.deleted.has(runId)) w.problem(`a worker was told to cancel activity ${scheduledEventId} of ${runId}, which is not there`);
      } else if (askedFor(run, scheduledEventId) === undefined)
        w.problem(`${run.where}: a worker was told to cancel activity ${scheduledEventId}, which nobody has asked for`);
    }
    if (!isUntroubled(w.swarm) || w.swarm.testClock) return;
    for (const { runId, scheduledEventId, worker, at } of this.untold) {
      const run = runs.get(runId);
      // An operator may have had it begin anew, and give it to another worker.
      // And in an imported history it may have been canceled before any worker had it.
      if (
        run === undefined ||
        w.acknowledged.imports.has(runId) ||
        aheadBy(run.events) > 0 ||
        w.acknowledged.attemptsReset.has(run.state.info.workflowId)
      )
        continue;
      const asked = askedFor(run, scheduledEventId);
      const ended = endOf(run, scheduledEventId) ?? Number.POSITIVE_INFINITY;
      // A process that does not poll is not told.
      const until = Math.min(at, ended);
      const isThere = this.polls.some((p) => p.worker === worker && Math.min(p.to, until) - Math.max(p.from, asked ?? 0) > TOLD_WITHIN_MICROS);
      if (asked !== undefined && isThere)
        w.problem(`${run.where}: activity ${scheduledEventId} is to be canceled since ${asked}, and its worker had not been told at ${at}`);
    }
  }
}

/** When the activity ended, or the run with it. */
function endOf({ events, state }: Run, scheduledEventId: number): number | undefined {
  for (const e of events) {
    const { attributes: a } = e;
    switch (a.case) {
      case "activityTaskCompletedEventAttributes":
      case "activityTaskFailedEventAttributes":
      case "activityTaskTimedOutEventAttributes":
      case "activityTaskCanceledEventAttributes":
        if (a.value.scheduledEventId === scheduledEventId) return timeOf(e);
        break;
      default:
    }
  }
  const last = events.at(-1);
  return state.isOpen || last === undefined ? undefined : timeOf(last);
}
