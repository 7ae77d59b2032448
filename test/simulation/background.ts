/**
 * A simulated run of the server's own work: batch operations, and namespaces that are deleted, in the whole server behind the port
 * (`assemble`) over the store and runtime of the other simulation. Seeded clients start workflows, schedules, standalone activities and
 * Nexus operations in a namespace that stays and in others that go, begin and stop batches, and delete namespaces; the process dies at
 * any step. Then it heals, and every batch and every deletion must come to its end.
 *
 * Checked at the end: each target of a signal's batch has it once, or is counted as failed, and never twice; those of a termination or
 * deletion have ended; of a namespace that was deleted no table has a row, nor any row its id; nothing acknowledged in one that stays is
 * lost. Same seed, same digest.
 */
import { createHash } from "node:crypto";
import { QueueRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { History } from "../../gen/wire/temporal/api/history/v1/message.js";
import { OperatorService } from "../../gen/wire/temporal/api/operatorservice/v1/service.js";
import { WorkflowService } from "../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { Code, ServiceError } from "../../src/api/service-error.js";
import { decode, type Init } from "../../src/api/wire.js";
import { defaultConfig } from "../../src/config/dynamic-config.js";
import { Random } from "../../src/lib/random.js";
import type { Logger } from "../../src/lib/runtime.js";
import { type Assembled, assemble } from "../../src/server/assemble.js";
import { InternalClient, type MethodDescriptor } from "../../src/worker/internal-client.js";
import { SimRuntime, settleMicrotasks } from "./sim-runtime.js";
import { Disk, SimStore, type Verdict } from "./sim-store.js";

const M = WorkflowService.methods;
const O = OperatorService.methods;
const HEAL_STEPS_MAX = 15_000;
const NAMESPACES_MAX = 3;
const JOBS_MAX = 6;
const POLLS_MAX = 3;
/** A batch works in pages of 100: two or three of them. */
const LONG_LISTS = [130, 230] as const;
/** Per mille of steps, of which those in the midst of a batch are worth more. */
const DEATHS = 4;
const DEATHS_IN_BATCH = 12;
/** Longer than a workflow task may take. */
const TASK_MICROS = 11_000_000;
const SPACE = 2 ** 40;
const seconds = (n: number) => ({ seconds: n, nanos: 0 });

/** What a namespace was told to hold. */
interface Place {
  readonly name: string;
  id: string;
  fate: "stays" | "to go" | "given up";
  /** Never ended by anybody: only signals' batches reach them. */
  readonly lasting: string[];
  /** Batches may end and delete them. */
  readonly mortal: string[];
  readonly signals: { workflowId: string; name: string }[];
  readonly schedules: string[];
  readonly activities: string[];
}

interface Job {
  readonly id: string;
  readonly place: Place;
  readonly kind: "signal" | "terminate" | "delete";
  /** Those that were acknowledged before the batch was asked for, and that it names or finds. */
  readonly targets: readonly string[];
  readonly size: number | undefined;
  isStopped: boolean;
}

export interface BackgroundReport {
  readonly problems: readonly string[];
  readonly digest: string;
  readonly deaths: number;
  readonly jobs: number;
  readonly gone: number;
}

export class BackgroundSimulation {
  private readonly random: Random;
  private readonly disk = new Disk(false);
  private runtime: SimRuntime;
  private store: SimStore;
  private server: Assembled | undefined;
  private client: InternalClient | undefined;
  private readonly places: Place[] = [];
  private readonly jobs: Job[] = [];
  private readonly problems: string[] = [];
  private deaths = 0;
  private isDying = false;
  private isUp = false;
  private isHealed = false;
  private polls = 0;
  private made = 0;

  constructor(private readonly options: { readonly seed: number; readonly steps: number }) {
    this.random = new Random(options.seed);
    this.runtime = new SimRuntime(options.seed + 1);
    this.store = this.newStore();
  }

  private chance(perMille: number): boolean {
    return this.random.uint32() % 1000 < perMille;
  }
  private pick<T>(items: readonly T[]): T | undefined {
    return items[this.random.uint32() % Math.max(1, items.length)];
  }
  private problem(text: string): void {
    if (this.problems.length < 10) this.problems.push(text);
  }

  // --- The process

  private newStore(): SimStore {
    return new SimStore(this.disk, {
      verdict: (): Verdict => {
        if (!this.isUp || this.isHealed) return "ok";
        if (this.chance(6)) return "refused";
        if (this.chance(2)) return "done but failed";
        return this.chance(5) ? (this.chance(500) ? "died before the write" : "died after the write") : "ok";
      },
      isDelayed: () => this.isUp && !this.isHealed && this.chance(300),
      isReadDelayed: () => this.isUp && !this.isHealed && this.chance(100),
      pick: (n) => this.random.uint32() % n,
      count: () => undefined,
      onDeath: () => {
        this.isDying = true;
      },
      onWritten: () => undefined,
    });
  }

  private async boot(): Promise<void> {
    this.isUp = false;
    this.polls = 0;
    await this.disk.open();
    this.store = this.newStore();
    const { store } = this;
    const nothing = (): void => undefined;
    const logger: Logger = {
      ...{ debug: nothing, info: nothing, warn: nothing },
      error: (fields, message) => {
        if (store === this.store && !this.isDying && !message.startsWith("an input makes rows that the store does not take"))
          this.problem(`logged an error: ${message} ${(fields as { err?: Error }).err?.stack ?? JSON.stringify(fields)}`);
      },
    };
    const parts: Parameters<typeof assemble>[0] = {
      ...{ store, runtime: this.runtime, logger, config: defaultConfig(), namespaces: [], searchAttributes: {}, address: "127.0.0.1:1" },
      onBug: ({ error, input }) => {
        this.problem(`the core threw on ${(input as { kind: string }).kind}: ${error instanceof Error ? error.stack : String(error)}`);
        return "";
      },
      // The real process ends here as well.
      onFatal: () => {
        this.isDying = true;
      },
      http: () => Promise.reject(new Error("nobody is there")),
    };
    this.server = undefined;
    assemble(parts).then(
      (server) => {
        this.server = server;
      },
      (e: Error) => this.problem(`the server does not start: ${e.stack}`),
    );
    while (this.server === undefined && this.problems.length === 0) await this.turn();
    this.client = this.server === undefined ? undefined : new InternalClient(() => (this.server as Assembled).methods, this.runtime);
    this.isUp = true;
  }

  private async die(): Promise<void> {
    this.deaths++;
    this.isDying = false;
    const { now } = this.runtime;
    this.store.end();
    this.runtime.clear();
    this.runtime = new SimRuntime(this.options.seed + this.deaths * 7919 + 1);
    this.runtime.now = now + (this.chance(300) ? this.random.uint32() % 5_000_000 : 0);
    await settleMicrotasks();
    await this.boot();
  }

  private async turn(): Promise<void> {
    const { store, runtime } = this;
    const what = this.random.uint32() % 4;
    if (store.hasPendingRead && what === 0) store.answerRead(this.random.uint32() % 1000);
    else if (store.hasPendingCommit && what === 1) void store.settleNext();
    else if (runtime.hasDeferred) runtime.turn();
    else if (store.hasPendingRead) store.answerRead(this.random.uint32() % 1000);
    else if (store.hasPendingCommit) void store.settleNext();
    else if (!runtime.tick(runtime.now + 300_000)) runtime.now += 300_000;
    await settleMicrotasks();
  }

  // --- The run

  async run(): Promise<BackgroundReport> {
    await this.boot();
    for (let step = 0; step < this.options.steps && this.problems.length === 0; step++) {
      if (this.chance(300)) this.step();
      if (this.chance(150)) this.poll();
      await this.turn();
      if (this.chance(this.hasBatch ? DEATHS_IN_BATCH : DEATHS)) this.isDying = true;
      if (this.isDying) await this.die();
    }
    this.isHealed = true;
    let isAtRest = false;
    for (let i = 0; i < HEAL_STEPS_MAX && !isAtRest && this.problems.length === 0; i++) {
      if (this.chance(150)) this.poll();
      await this.turn();
      if (this.isDying) await this.die();
      if (i % 300 === 299) isAtRest = await this.isAtRest();
    }
    if (this.problems.length === 0 && !isAtRest) this.problem("batches or deletions do not end");
    // What came while a task was in hand is in the history when that has ended, be it by its timeout.
    for (const until = this.runtime.now + TASK_MICROS; this.runtime.now < until && this.problems.length === 0; ) await this.turn();
    if (this.problems.length === 0) await this.check();
    this.store.end();
    this.runtime.clear();
    return {
      ...{ problems: this.problems, digest: await this.digest(), deaths: this.deaths, jobs: this.jobs.length },
      gone: this.places.filter((p) => p.fate === "given up").length,
    };
  }

  /** The answer counts; an error that a caller may get, and a call that the process's death ends, do not. */
  private ask<I, R>(method: MethodDescriptor<I, R>, request: Init<I>, then: (answer: R) => void = () => undefined): void {
    const { client, store } = this;
    client?.call(method, request).then(
      (answer) => {
        if (store === this.store) then(answer);
      },
      (e: unknown) => {
        if (!(e instanceof ServiceError) || e.code === Code.UNKNOWN) this.problem(`a call failed with ${e instanceof Error ? e.stack : String(e)}`);
      },
    );
  }

  private step(): void {
    const live = this.places.filter((p) => p.fate !== "given up");
    const what = this.random.uint32() % 100;
    if (this.places.length === 0 || (what < 10 && live.length < NAMESPACES_MAX)) return this.register();
    const place = this.pick(live);
    if (place === undefined) return;
    const n = this.made++;
    const namespace = place.name;
    if (what < 50) {
      const isLasting = this.chance(500);
      const workflowId = `${isLasting ? "lasting" : "mortal"}-${n}`;
      const workflowType = { name: isLasting ? "Lasting" : "Mortal" };
      this.ask(
        M.StartWorkflowExecution,
        { namespace, workflowId, workflowType, taskQueue: { name: "q" }, requestId: workflowId },
        () => void (isLasting ? place.lasting : place.mortal).push(workflowId),
      );
    } else if (what < 60) {
      const workflowId = this.pick(place.lasting);
      const name = `signal-${n}`;
      if (workflowId !== undefined)
        this.ask(M.SignalWorkflowExecution, { namespace, workflowExecution: { workflowId }, signalName: name, requestId: name }, () =>
          place.signals.push({ workflowId, name }),
        );
    } else if (what < 66) {
      const action = {
        case: "startWorkflow" as const,
        value: { workflowId: "of-schedule", workflowType: { name: "Mortal" }, taskQueue: { name: "q" } },
      };
      const schedule = { spec: { interval: [{ interval: seconds(7) }] }, action: { action } };
      this.ask(M.CreateSchedule, { namespace, scheduleId: `schedule-${n}`, schedule, requestId: `s${n}` }, () =>
        place.schedules.push(`schedule-${n}`),
      );
    } else if (what < 74) {
      const activityId = `activity-${n}`;
      const request = { namespace, activityId, activityType: { name: "A" }, taskQueue: { name: "q" }, requestId: activityId };
      this.ask(M.StartActivityExecution, { ...request, startToCloseTimeout: seconds(600) }, () => place.activities.push(activityId));
    } else if (what < 78) {
      this.ask(M.StartNexusOperationExecution, {
        ...{ namespace, operationId: `operation-${n}`, endpoint: "sim", service: "s", operation: "o", requestId: `o${n}` },
      });
    } else if (what < 90 && this.jobs.length < JOBS_MAX)
      this.batch((this.chance(600) ? this.places.find((p) => p.fate === "stays") : undefined) ?? place, n);
    else if (what < 94) {
      const job = this.pick(this.jobs.filter((j) => !j.isStopped));
      // Asked for is as good as done, for what may be expected of it.
      if (job === undefined || !this.chance(300)) return;
      job.isStopped = true;
      this.ask(M.StopBatchOperation, { namespace: job.place.name, jobId: job.id, reason: "enough", identity: "sim" });
    } else if (place.fate === "to go") {
      // Whether it arrives or not: nothing more is expected of it, unless it was never asked for.
      this.ask(O.DeleteNamespace, { namespace, namespaceDeleteDelay: this.chance(500) ? seconds(0) : seconds(5) }, () => {
        place.fate = "given up";
      });
    }
  }

  private register(): void {
    const stays = !this.places.some((p) => p.fate === "stays");
    const name = stays ? "stays" : `goes-${this.made++}`;
    const place: Place = { name, id: "", fate: stays ? "stays" : "to go", lasting: [], mortal: [], signals: [], schedules: [], activities: [] };
    this.ask(M.RegisterNamespace, { namespace: name, workflowExecutionRetentionPeriod: seconds(86_400) }, () => {
      place.id = this.server?.gateway.namespaces.view(name).id ?? "";
      if (!this.places.some((p) => p.name === name)) this.places.push(place);
    });
    const target = { variant: { case: "worker" as const, value: { namespace: "default", taskQueue: "nobody" } } };
    if (stays) this.ask(O.CreateNexusEndpoint, { spec: { name: "sim", target } });
  }

  private batch(place: Place, n: number): void {
    const kind = this.chance(600) ? "signal" : this.chance(500) ? "terminate" : "delete";
    const among = kind === "signal" ? place.lasting : place.mortal;
    if (among.length === 0) return;
    const isByQuery = this.chance(400);
    const targets = isByQuery ? [...among] : among.filter(() => this.chance(800));
    const list = [...targets, `nobody-${n}`];
    const length = n % 3 === 0 && !isByQuery ? (this.pick(LONG_LISTS) ?? 0) : 0;
    while (list.length < length) list.unshift(`nobody-${n}-${list.length}`);
    const jobId = `job-${n}`;
    const identity = "sim";
    const job: Job = { id: jobId, place, kind, targets, size: isByQuery ? undefined : list.length, isStopped: false };
    this.ask(
      M.StartBatchOperation,
      {
        ...{ namespace: place.name, jobId, reason: "sim", maxOperationsPerSecond: this.chance(300) ? 5 : 0 },
        ...(isByQuery
          ? { visibilityQuery: `WorkflowType = '${kind === "signal" ? "Lasting" : "Mortal"}'` }
          : { executions: list.map((workflowId) => ({ workflowId })) }),
        operation:
          kind === "signal"
            ? { case: "signalOperation", value: { signal: jobId, identity } }
            : kind === "terminate"
              ? { case: "terminationOperation", value: { identity } }
              : { case: "deletionOperation", value: { identity } },
      },
      () => void this.jobs.push(job),
    );
  }

  /** A worker that answers a workflow's first task with something that waits, and further ones with nothing. */
  private poll(): void {
    const place = this.pick(this.places.filter((p) => p.fate !== "given up"));
    if (place === undefined || this.polls >= POLLS_MAX) return;
    this.polls++;
    const { client, store } = this;
    const namespace = place.name;
    const commands = [
      {
        commandType: CommandType.START_TIMER,
        attributes: { case: "startTimerCommandAttributes" as const, value: { timerId: "t", startToFireTimeout: seconds(3_600) } },
      },
      {
        commandType: CommandType.SCHEDULE_ACTIVITY_TASK,
        attributes: {
          case: "scheduleActivityTaskCommandAttributes" as const,
          value: { activityId: "a", activityType: { name: "A" }, taskQueue: { name: "idle" }, startToCloseTimeout: seconds(600) },
        },
      },
    ];
    const over = (): void => {
      if (store === this.store) this.polls--;
    };
    client
      ?.call(M.PollWorkflowTaskQueue, { namespace, taskQueue: { name: "q" }, identity: "sim" }, undefined, 2_000)
      .then((task) => {
        if (task.taskToken.length === 0 || store !== this.store) return;
        const isFirst = task.startedEventId === 3;
        this.ask(M.RespondWorkflowTaskCompleted, { namespace, taskToken: task.taskToken, identity: "sim", commands: isFirst ? commands : [] });
      })
      .then(over, over);
  }

  /** A call that has to succeed, made while nothing goes wrong any more. */
  private async answer<I, R>(method: MethodDescriptor<I, R>, request: Init<I>): Promise<R | ServiceError> {
    let out: R | ServiceError | undefined;
    (this.client as InternalClient).call(method, request).then(
      (r) => {
        out = r;
      },
      (e: unknown) => {
        out = e instanceof ServiceError ? e : new ServiceError(Code.UNKNOWN, e instanceof Error ? (e.stack ?? "") : String(e));
      },
    );
    while (out === undefined) await this.turn();
    return out;
  }

  private get registry() {
    return this.disk.inner.loadRegistry();
  }

  /** On the disk, as the next process will find it. */
  private get hasBatch(): boolean {
    const { tables } = this.disk.inner as unknown as { tables: { registry: Map<string, Map<string, unknown>> } };
    return (tables.registry.get("batch")?.size ?? 0) > 0;
  }

  private async isAtRest(): Promise<boolean> {
    const rows = await this.registry;
    if (rows.some((r) => r.kind === "batch")) return false;
    return this.server?.gateway.namespaces.directory.entries().every((e) => e.record.reclaim === undefined) ?? false;
  }

  // --- The checks

  private async check(): Promise<void> {
    const { directory } = (this.server as Assembled).gateway.namespaces;
    for (const p of this.places) {
      // A deletion of which the caller was not told may have been begun all the same.
      if (p.fate === "to go" && directory.byId(p.id) === undefined) p.fate = "given up";
      if (p.fate === "given up" && directory.byId(p.id) !== undefined) this.problem(`namespace ${p.name} is still there`);
    }
    this.checkTables();
    for (const place of this.places) if (place.fate !== "given up") await this.checkPlace(place);
    for (const job of this.jobs) if (job.place.fate !== "given up") await this.checkJob(job);
  }

  /** No row of any table is of a namespace that has gone, and none names its id. */
  private checkTables(): void {
    const tables = (this.disk.inner as unknown as { tables: Record<string, unknown> }).tables as {
      executions: Map<number, Uint8Array>;
      runs: Map<string, Map<string, number>>;
      components: Map<number, unknown>;
      history: Map<number, unknown>;
      dues: Map<number, { key: number }[]>;
      backlog: Map<number, { value: Uint8Array }[]>;
      registry: Map<string, Map<string, { value: Uint8Array }>>;
      visibility: { rows: Map<number, { namespaceKey: number }> };
    };
    const entries = this.server?.gateway.namespaces.directory.entries() ?? [];
    const live = new Set(entries.map((e) => e.view.key));
    for (const id of tables.runs.keys())
      if (!live.has(Number(id.slice(0, id.indexOf("/"))) % SPACE)) this.problem(`run ${id} is of a namespace that has gone`);
    const keys = new Set([...tables.runs.values()].flatMap((runs) => [...runs.values()]));
    const left = (table: string, found: Iterable<number>): void => {
      for (const key of found) if (key !== 0 && !keys.has(key)) this.problem(`table ${table} has a row of execution ${key}, which has gone`);
    };
    left("execution", tables.executions.keys());
    left("component", tables.components.keys());
    left("history", tables.history.keys());
    left(
      "due",
      [...tables.dues.values()].flatMap((d) => d.map((x) => x.key)),
    );
    left("visibility", tables.visibility.rows.keys());
    for (const [key, { namespaceKey }] of tables.visibility.rows)
      if (!live.has(namespaceKey)) this.problem(`row ${key} of lists is of one that has gone`);
    const queues = new Set([...(tables.registry.get("queue")?.values() ?? [])].map(({ value }) => decode(QueueRecord, value).key));
    for (const [queue, rows] of tables.backlog)
      if (rows.length > 0 && !queues.has(queue)) this.problem(`${rows.length} tasks are stored in queue ${queue}, which has gone`);
    for (const { id, name, fate } of this.places)
      if (fate === "given up") for (const at of mentions(tables, Buffer.from(id))) this.problem(`${at} names ${name}`);
  }

  private async checkPlace({ name: namespace, lasting, signals, schedules, activities }: Place): Promise<void> {
    for (const workflowId of lasting) {
      const names = await this.signalsOf(namespace, workflowId);
      if (names === undefined) {
        this.problem(`${namespace}/${workflowId} was acknowledged, and is not there or not open`);
        continue;
      }
      for (const s of signals)
        if (s.workflowId === workflowId && names.filter((x) => x === s.name).length !== 1)
          this.problem(`${workflowId} has not signal ${s.name} once`);
    }
    for (const scheduleId of schedules) {
      const found = await this.answer(M.DescribeSchedule, { namespace, scheduleId });
      if (found instanceof ServiceError) this.problem(`${namespace}/${scheduleId}: ${found.message}`);
    }
    for (const activityId of activities) {
      const found = await this.answer(M.DescribeActivityExecution, { namespace, activityId });
      if (found instanceof ServiceError) this.problem(`${namespace}/${activityId}: ${found.message}`);
    }
  }

  private async checkJob({ id: jobId, place, kind, targets, size, isStopped }: Job): Promise<void> {
    const namespace = place.name;
    const job = await this.answer(M.DescribeBatchOperation, { namespace, jobId });
    if (job instanceof ServiceError) return this.problem(`${jobId} was acknowledged: ${job.message}`);
    const { state, totalOperationCount: total, completeOperationCount: complete, failureOperationCount: failed } = job;
    if (state === 1 || (state !== 2 && !isStopped)) this.problem(`${jobId} has ended with state ${state}`);
    const isDone = state === 2;
    if (isDone && complete + failed !== total) this.problem(`${jobId} has done ${complete} and failed in ${failed} of ${total}`);
    if (isDone && size !== undefined && total !== size) this.problem(`${jobId} has done ${total} of ${size}`);
    let missing = 0;
    for (const workflowId of targets) {
      if (kind === "signal") {
        const times = (await this.signalsOf(namespace, workflowId))?.filter((x) => x === jobId).length ?? 0;
        if (times > 1) this.problem(`${jobId} has signaled ${workflowId} ${times} times`);
        if (times === 0) missing++;
        continue;
      }
      const found = await this.answer(M.DescribeWorkflowExecution, { namespace, execution: { workflowId } });
      if (!(found instanceof ServiceError) && (kind === "delete" || found.workflowExecutionInfo?.status === 1)) missing++;
    }
    if (isDone && missing > failed) this.problem(`${jobId} says that it failed in ${failed}, and ${missing} are left out`);
  }

  /** Undefined: it is not there, or not open. */
  private async signalsOf(namespace: string, workflowId: string): Promise<string[] | undefined> {
    const found = await this.answer(M.DescribeWorkflowExecution, { namespace, execution: { workflowId } });
    if (found instanceof ServiceError || found.workflowExecutionInfo?.status !== 1) return undefined;
    const { runId } = found.workflowExecutionInfo.execution ?? { runId: "" };
    const names: string[] = [];
    let nextPageToken: Uint8Array = new Uint8Array();
    do {
      const page = await this.answer(M.GetWorkflowExecutionHistory, { namespace, execution: { workflowId, runId }, nextPageToken });
      if (page instanceof ServiceError) return undefined;
      nextPageToken = page.nextPageToken;
      for (const e of page.history === undefined ? [] : decode(History, page.history).events)
        if (e.eventType === EventType.WORKFLOW_EXECUTION_SIGNALED && e.attributes.case === "workflowExecutionSignaledEventAttributes")
          names.push(e.attributes.value.signalName);
    } while (nextPageToken.length > 0);
    return names;
  }

  private async digest(): Promise<string> {
    const hash = createHash("sha256");
    for (const r of await this.registry) hash.update(r.kind).update(r.id).update(r.value);
    for (const key of await this.disk.executionKeys()) hash.update(String(key)).update((await this.disk.inner.loadExecution(key))?.record ?? "");
    return hash.digest("hex").slice(0, 16);
  }
}

/** Where in tables of maps, lists and bytes a text occurs. */
function* mentions(at: unknown, id: Buffer, path = "", depth = 0): Generator<string> {
  if (at instanceof Uint8Array) {
    if (Buffer.from(at.buffer, at.byteOffset, at.length).includes(id)) yield path;
  } else if (at instanceof Map) {
    for (const [key, value] of at) {
      if (typeof key === "string" && key.includes(id.toString())) yield `${path}/${key}`;
      yield* mentions(value, id, `${path}/${String(key)}`, depth + 1);
    }
  } else if (typeof at === "object" && at !== null && depth < 8)
    for (const [key, value] of Object.entries(at)) yield* mentions(value, id, `${path}/${key}`, depth + 1);
}
