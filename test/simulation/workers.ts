/**
 * Workers: they poll, run the programs (programs.ts) and answer. A worker may die with a task, answer twice, lose the answer to
 * its answer, or be so slow that its task has gone to another one.
 */
import type { Command } from "../../gen/wire/temporal/api/command/v1/message.js";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import { QueryResultType } from "../../gen/wire/temporal/api/enums/v1/query.js";
import { TaskQueueKind } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { VersioningBehavior } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import { Failure } from "../../gen/wire/temporal/api/failure/v1/message.js";
import type { Message } from "../../gen/wire/temporal/api/protocol/v1/message.js";
import {
  PollActivityTaskQueueRequest,
  PollWorkflowTaskQueueRequest,
  RespondQueryTaskCompletedRequest,
  RespondWorkflowTaskCompletedRequest,
  RespondWorkflowTaskFailedRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { jsonPayloads } from "../../src/api/json-payload.js";
import { decodeTaskToken, type TaskToken } from "../../src/api/task-token.js";
import { duration } from "../../src/api/time.js";
import type { Init } from "../../src/api/wire.js";
import { Archetype } from "../../src/core/execution.js";
import type { ActivityReference, InputKind, InputOf } from "../../src/core/input.js";
import type { Replies, StartedActivity, StartedWorkflowTask } from "../../src/core/transition.js";
import { stickyQueue } from "./clients.js";
import { decodeEvents } from "./decode-events.js";
import { behaviorOf, nextCommands, QUEUE, queueOf, VERSIONED_QUEUE } from "./programs.js";
import { NAMESPACE } from "./server.js";
import type { TestClients } from "./time.js";
import { updateAnswers } from "./update-answers.js";
import { BUILDS, buildOf, deploymentOptionsOf, identityOf, type Versions, workerOf } from "./versions.js";
import type { WorkerProcesses } from "./worker-processes.js";
import { SimCall, type SimWorld } from "./world.js";

type InHand = ReturnType<TestClients["inHand"]>;

const POLLS_MAX = 10;
const WORKERS = 3;
/** Shorter than its attempt may take. */
const SILENT_MICROS = 8_000_000;

export class Workers {
  readonly calls = new Set<SimCall>();
  private polls = 0;
  /** Of the versioned queues, with a poll under way. */
  private readonly lines = new Set<string>();

  constructor(
    private readonly w: SimWorld,
    private readonly versions: Versions,
    private readonly time: TestClients,
    private readonly processes: WorkerProcesses,
    /** A command is on its way to the server. */
    private readonly onCommand: (type: CommandType) => void,
  ) {}

  /** The server has ended, and every poll with it. */
  forget(): void {
    this.calls.clear();
    this.lines.clear();
    this.polls = 0;
    this.processes.forget();
  }

  pollCommands(): void {
    const { w } = this;
    const isOfBuild = w.swarm.versions && w.chance(300);
    this.processes.poll(isOfBuild ? workerOf(BUILDS[w.pick(BUILDS.length)] as string) : w.pick(WORKERS), this.calls);
  }

  poll(): void {
    const { w } = this;
    if (this.polls >= POLLS_MAX) return;
    this.polls++;
    const call = new SimCall(w.now / 1000 + 60_000);
    this.calls.add(call);
    const ended = (): void => {
      if (this.calls.delete(call)) this.polls--;
    };
    const failed = (e: unknown): void => {
      ended();
      w.expected(e);
    };
    // A worker may die while it waits.
    if (w.swarm.pollDeaths && !w.isHealed && w.chance(200))
      w.later(w.pick(200_000), () => {
        w.count("poll canceled");
        call.cancel();
      });
    const worker = w.pick(WORKERS);
    const kind = w.pick(100);
    if (kind < 50) this.pollWorkflowTasks(worker, QUEUE, w.swarm.sticky && kind < 20, call, ended, failed);
    else this.pollActivities(worker, QUEUE, call, ended, failed);
  }

  /** Each of a build's queues has one poll at a time; workers of no build poll the same queues. */
  pollVersioned(): void {
    const { w, versions } = this;
    const worker = w.chance(150) ? w.pick(WORKERS) : workerOf(BUILDS[w.pick(BUILDS.length)] as string);
    const build = buildOf(worker);
    if (build !== undefined && versions.isDown(build)) return;
    const isActivities = w.chance(400) || (build !== undefined && !versions.takesActivities(build));
    const isSticky = !isActivities && build !== undefined && w.swarm.sticky && w.chance(300);
    const line = `${build} ${isActivities} ${isSticky}`;
    if (this.lines.has(line)) return;
    this.lines.add(line);
    const call = new SimCall(w.now / 1000 + 20_000);
    this.calls.add(call);
    const ended = (): void => {
      if (this.calls.delete(call)) this.lines.delete(line);
    };
    const failed = (e: unknown): void => {
      ended();
      w.expected(e);
    };
    if (isActivities) this.pollActivities(worker, VERSIONED_QUEUE, call, ended, failed);
    else this.pollWorkflowTasks(worker, VERSIONED_QUEUE, isSticky, call, ended, failed);
  }

  private pollWorkflowTasks(worker: number, queue: string, isSticky: boolean, call: SimCall, ended: () => void, failed: (e: unknown) => void): void {
    const taskQueue = isSticky
      ? { name: stickyQueue(worker), kind: TaskQueueKind.STICKY, normalName: queue }
      : { name: queue, kind: TaskQueueKind.NORMAL };
    const deploymentOptions = deploymentOptionsOf(worker);
    const request = PollWorkflowTaskQueueRequest.create({ taskQueue, identity: identityOf(worker), deploymentOptions });
    this.w
      .call((s) => s.matching.pollWorkflowTask(NAMESPACE, request, call))
      .then((r) => {
        ended();
        // What reaches a poller that has gone reaches nobody.
        if (r === undefined || call.cancelled) return;
        if ("task" in r) {
          const of = r.task.response.workflowExecution?.workflowId ?? "";
          if (!isSticky && queueOf(of) !== queue) this.w.problem(`${of} is of queue ${queueOf(of)}, and a worker of ${queue} has its task`);
          this.workflowTask(r.task, worker);
        } else this.directQuery(r.queryId);
      }, failed);
  }

  private pollActivities(worker: number, queue: string, call: SimCall, ended: () => void, failed: (e: unknown) => void): void {
    const taskQueue = { name: queue, kind: TaskQueueKind.NORMAL };
    const deploymentOptions = deploymentOptionsOf(worker);
    const workerControlTaskQueue = this.processes.queueOf(worker);
    const request = PollActivityTaskQueueRequest.create({ taskQueue, identity: identityOf(worker), deploymentOptions, workerControlTaskQueue });
    this.w
      .call((s) => s.matching.pollActivityTask(NAMESPACE, request, call))
      .then((r) => {
        ended();
        if (r === undefined) return;
        this.processes.gave(worker, r.task.response.taskToken as Uint8Array);
        if (!call.cancelled) this.activity(r.task, worker);
      }, failed);
  }

  private directQuery(id: string): void {
    const { w } = this;
    if (!w.isHealed && w.chance(200)) return w.count("worker died with a query");
    w.later(w.pick(100_000), () => {
      try {
        w.server?.matching.respondQuery(NAMESPACE, id, RespondQueryTaskCompletedRequest.create({ completedType: QueryResultType.ANSWERED }));
      } catch (e) {
        w.expected(e);
      }
    });
  }

  /** How long a task takes: now and then longer than it may. */
  private work(micros: number, timeout: number): number {
    const { w } = this;
    if (!w.swarm.slowWorkers || w.isHealed) return w.pick(micros);
    if (!w.chance(80)) return w.pick(micros * 3);
    w.count("worker slower than its task");
    // Not by much: another worker is at it.
    return timeout + w.pick(500_000);
  }

  /** `isReturned`: with the answer to the one before, which goes by nothing but that, as on the official server. */
  workflowTask(task: StartedWorkflowTask, worker: number, isReturned = false): void {
    const { w } = this;
    if (!w.isHealed && w.swarm.workerDeaths && w.chance(30)) return w.count("worker died with a workflow task");
    const token = decodeTaskToken(task.response.taskToken as Uint8Array);
    if (token === undefined) return w.problem("a workflow task has no token");
    const inHand = this.time.inHand();
    // Routings change in real time, and what the task says of its start is in the namespace's, which may have been skipped.
    const givenAt = w.now;
    // What a sticky worker is not sent it has; this one reads it again.
    w.call((s) =>
      s.engine.readHistory({ ...task.history, fromEventId: 1 }, { fromEventId: 1, eventCountMax: 1_000_000, bytesMax: 1e9, reverse: false }),
    ).then(
      (page) => {
        const events = decodeEvents(page.data);
        if (task.trailing !== undefined) events.push(...decodeEvents(task.trailing));
        events.forEach((e, i) => {
          if (e.eventId !== i + 1) w.problem(`history of ${token.runId} is not in order at ${i + 1}: ${e.eventId}`);
        });
        if (!isReturned) this.versions.checkTask(token.workflowId, token.runId, events, worker, givenAt);
        w.later(this.work(50_000, 10_000_000), () => {
          const queries = Object.keys((task.response.queries ?? {}) as object);
          const messages = updateAnswers((task.response.messages ?? []) as Init<Message>[], events, (n) => w.pick(n));
          this.answer(token, worker, queries, nextCommands(token.workflowId, events, w.swarm.continues), messages, inHand);
        });
      },
      (e) => w.expected(e),
    );
  }

  private answer(
    token: TaskToken,
    worker: number,
    queries: readonly string[],
    commands: Init<Command>[],
    messages: Init<Message>[],
    inHand: InHand,
  ): void {
    const { w } = this;
    const { workflowId, runId } = token;
    const identity = `${identityOf(worker)}-${w.pick(1e9)}`;
    const deploymentOptions = deploymentOptionsOf(worker);
    const versioningBehavior = deploymentOptions === undefined ? VersioningBehavior.UNSPECIFIED : behaviorOf(workflowId);
    const ignore = (): void => undefined;
    if (!w.isHealed && w.chance(30)) {
      const request = RespondWorkflowTaskFailedRequest.create({ identity, deploymentOptions });
      w.submit(workflowId, runId, { kind: "failWorkflowTask", token, request }).then(ignore, (e) => w.expected(e));
      return;
    }
    const isMistaken = !w.isHealed && w.chance(5);
    const given = isMistaken
      ? [
          {
            commandType: CommandType.PROTOCOL_MESSAGE,
            attributes: { case: "protocolMessageCommandAttributes" as const, value: { messageId: "none" } },
          },
        ]
      : commands;
    const wantsMore = w.chance(50);
    const request = RespondWorkflowTaskCompletedRequest.create({
      identity,
      deploymentOptions,
      versioningBehavior,
      workerControlTaskQueue: this.processes.queueOf(worker),
      commands: given as never,
      messages: messages as never,
      queryResults: Object.fromEntries(queries.map((q) => [q, { resultType: QueryResultType.ANSWERED }])),
      forceCreateNewWorkflowTask: wantsMore,
      returnNewWorkflowTask: wantsMore ? w.chance(500) : worker % 2 === 0,
      stickyAttributes:
        w.swarm.sticky && w.chance(700)
          ? {
              workerTaskQueue: { name: stickyQueue(worker), kind: TaskQueueKind.STICKY, normalName: queueOf(workflowId) },
              scheduleToStartTimeout: duration(2_000_000),
            }
          : undefined,
    });
    inHand.sent();
    const send = (again: boolean): void => {
      for (const c of given) this.onCommand(c.commandType as CommandType);
      w.submit<"completeWorkflowTask">(workflowId, runId, { kind: "completeWorkflowTask", token, request }).then(
        (reply) => {
          // Of a task that turned updates down and did nothing else no trace is kept, and the worker is told so.
          const isKept = reply.refused === undefined && reply.resetHistoryEventId === 0;
          if (isKept) {
            w.acknowledged.workflowTasks.push({ runId, scheduledEventId: token.scheduledEventId, identity });
            this.versions.completed(workflowId, runId, worker);
            inHand.taken(`workflow task ${token.scheduledEventId} of ${workflowId} ${runId}`);
          }
          if (reply.newTask !== undefined) {
            if (reply.nextTimer !== undefined) w.count("answer held for a timer");
            this.workflowTask(reply.newTask, worker, true);
          }
          for (const a of reply.activityTasks) {
            this.processes.gave(worker, a.response.taskToken as Uint8Array);
            this.activity(a, worker);
          }
          if (again) {
            w.count("worker lost a reply");
            send(false);
          }
        },
        (e) => w.expected(e),
      );
    };
    send(w.swarm.lostReplies && !w.isHealed && w.chance(50));
    if (w.swarm.duplicates && !w.isHealed && w.chance(30)) {
      w.count("worker answered twice");
      send(false);
    }
  }

  private activity(task: StartedActivity, worker: number): void {
    const { w } = this;
    const token = decodeTaskToken(task.response.taskToken as Uint8Array);
    if (token === undefined) return w.problem("an activity task has no token");
    const attempt = task.response.attempt ?? 1;
    const id = `${token.runId} ${token.scheduledEventId}`;
    const mayCountAnew = w.acknowledged.attemptsReset.has(token.workflowId);
    if (!mayCountAnew && attempt <= (w.acknowledged.failedAttempts.get(id) ?? 0))
      w.problem(`activity ${id}: attempt ${attempt} comes after it has failed`);
    if (!w.isHealed && w.swarm.workerDeaths && w.chance(50)) return w.count("worker died with an activity");
    const name = task.response.activityType?.name;
    const inHand = this.time.inHand();
    if (name === "waits") return this.waitForCancel(token, attempt, 0, inHand);
    if (name === "silent" && !(attempt === 1 && w.chance(250))) {
      const isTold = this.processes.queueOf(worker) !== "";
      this.processes.runSilently(
        task.response.taskToken as Uint8Array,
        token,
        isTold ? SILENT_MICROS : w.pick(2_000_000),
        () => w.later(w.pick(200_000), () => this.cancel(token)),
        () => this.finishActivity(token, "plain", attempt, inHand),
      );
      return;
    }
    w.later(name === "silent" ? w.pick(50_000) : this.work(200_000, 5_000_000), () => this.finishActivity(token, name, attempt, inHand));
  }

  /** To the workflow of the activity, or to the standalone activity itself. */
  private send<K extends InputKind>(token: TaskToken, input: InputOf<K>): Promise<Replies[K]> {
    return this.w.submit<K>(token.workflowId, token.runId, input, token.archetype as Archetype);
  }

  /** Beats until it is told that it is canceled, or for long enough. */
  private waitForCancel(token: TaskToken, attempt: number, beats: number, inHand: InHand): void {
    const { w } = this;
    const reference: ActivityReference = { by: "token", token };
    w.later(100_000 + w.pick(200_000), () => {
      this.send<"heartbeatActivity">(token, {
        kind: "heartbeatActivity",
        activity: reference,
        details: undefined,
        identity: "sim",
      }).then(
        (r) => {
          if (r.cancelRequested) this.cancel(token);
          else if (beats > 20) this.finishActivity(token, "waits", attempt, inHand);
          else this.waitForCancel(token, attempt, beats + 1, inHand);
        },
        (e) => w.expected(e),
      );
    });
  }

  /** As it was told to. */
  private cancel(token: TaskToken): void {
    const { w } = this;
    this.send(token, { kind: "cancelActivity", activity: { by: "token", token }, details: undefined, identity: "sim" }).then(
      () => {
        if ((token.archetype as Archetype) !== Archetype.WORKFLOW) w.acknowledged.activityEnds.push({ runId: token.runId, result: undefined });
      },
      (e) => w.expected(e),
    );
  }

  private finishActivity(token: TaskToken, name: string | undefined, attempt: number, inHand: InHand): void {
    inHand.sent();
    const { w } = this;
    const { runId, scheduledEventId } = token;
    // By id, nobody says which attempt is meant.
    const isById = w.chance(50);
    const activity: ActivityReference = isById ? { by: "id", activityId: token.activityId } : { by: "token", token };
    const refused = (e: unknown): void => w.expected(e);
    if (w.chance(200)) this.send(token, { kind: "heartbeatActivity", activity, details: undefined, identity: "sim" }).then(() => undefined, refused);
    if ((name === "flaky" && attempt < 3) || name === "fails" || (name === "silent" && attempt === 1)) {
      const failure = Failure.create({ message: name });
      const id = `${runId} ${scheduledEventId}`;
      this.send(token, { kind: "failActivity", activity, failure, lastHeartbeatDetails: undefined, identity: "sim" }).then(() => {
        if (!isById) w.acknowledged.failedAttempts.set(id, Math.max(attempt, w.acknowledged.failedAttempts.get(id) ?? 0));
      }, refused);
      return;
    }
    const isOfWorkflow = (token.archetype as Archetype) === Archetype.WORKFLOW;
    const send = (again: boolean): void => {
      const result = isOfWorkflow ? undefined : `${w.pick(1e9)}`;
      const bytes = result === undefined ? undefined : jsonPayloads(result);
      this.send(token, { kind: "completeActivity", activity, result: bytes, identity: "sim" }).then(() => {
        if (!isById) inHand.taken(`activity ${scheduledEventId} of ${runId}`);
        if (isOfWorkflow) w.acknowledged.activities.push({ runId, scheduledEventId, attempt: isById ? 0 : attempt });
        else w.acknowledged.activityEnds.push({ runId, result });
        if (again) {
          w.count("worker lost a reply");
          send(false);
        }
      }, refused);
    };
    send(w.swarm.lostReplies && !w.isHealed && w.chance(50));
    if (w.swarm.duplicates && !w.isHealed && w.chance(50)) {
      w.count("worker answered twice");
      send(false);
    }
  }
}
