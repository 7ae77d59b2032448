/**
 * A server with test clocks on a simulated real time, and workers that answer tasks by a function of the history. Real time goes on
 * only when nothing else can happen: what a test has waited for in real time is `waited`.
 */
import type { Command } from "../../gen/wire/temporal/api/command/v1/message.js";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { History, type HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { OperatorService } from "../../gen/wire/temporal/api/operatorservice/v1/service.js";
import type { Message } from "../../gen/wire/temporal/api/protocol/v1/message.js";
import type { Schedule } from "../../gen/wire/temporal/api/schedule/v1/message.js";
import { TestService } from "../../gen/wire/temporal/api/testservice/v1/service.js";
import { WorkflowService } from "../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { timestampMicros } from "../../src/api/time.js";
import { decode, encode, type Init, type MessageType } from "../../src/api/wire.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import type { Store } from "../../src/persistence/store.js";
import { CoreSubject } from "../conformance/core-subject.js";

const METHODS = { ...WorkflowService.methods, ...OperatorService.methods, ...TestService.methods };
type Methods = typeof METHODS;
type Input<M extends keyof Methods> = Methods[M]["input"] extends MessageType<infer T> ? Init<T> : never;
type Output<M extends keyof Methods> = Methods[M]["output"] extends MessageType<infer T> ? T : never;

export const SECOND = 1_000_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const span = (micros: number) => ({ seconds: Math.floor(micros / SECOND), nanos: (micros % SECOND) * 1000 });

/** What a workflow does next, from its history so far and the updates that it is sent. */
export type Workflow = (
  events: HistoryEvent[],
  messages: readonly Message[],
) => Init<Command>[] | { readonly commands: Init<Command>[]; readonly messages: Init<Message>[] };
/** Undefined: the activity completes. */
export type Activity = (attempt: number) => { failure: string } | { takes: number } | undefined;

/** A server: simulated, or a process. */
export interface WorldSubject extends Pick<CoreSubject, "unary" | "sleep" | "close"> {
  readonly now: number;
  drain?(): Promise<void>;
}

export interface WorldOptions {
  readonly unlocked?: boolean;
  /** Namespaces have to be registered. */
  readonly strict?: boolean;
  readonly store?: Store;
  /** Real time at the start. */
  readonly now?: number;
}

export class World {
  private isOpen = true;
  readonly skips: { from: string; to: string; reason: string; clock?: string; workflowId?: string }[] = [];
  private readonly begin: number;
  private requests = 0;

  constructor(
    readonly subject: WorldSubject,
    skips: World["skips"] = [],
  ) {
    this.skips = skips;
    this.begin = subject.now;
  }

  static async open(o: WorldOptions = {}): Promise<World> {
    const skips: World["skips"] = [];
    const ignore = () => undefined;
    const info = (fields: object, message: string) => {
      if (message === "time skipped") skips.push(fields as World["skips"][number]);
    };
    const fail = (fields: object, message: string) => {
      throw new Error(`${message}: ${JSON.stringify(fields)}`);
    };
    const subject = await CoreSubject.open(o.store ?? new MemoryStore(), 1, {
      testClocks: { state: o.unlocked === true ? "unlocked" : "locked", anyNamespace: o.strict !== true },
      ...(o.now === undefined ? {} : { now: o.now }),
      logger: { debug: ignore, info, warn: ignore, error: fail },
    });
    return new World(subject, skips);
  }

  /** Microseconds of real time since the beginning. */
  get waited(): number {
    return this.subject.now - this.begin;
  }

  async call<M extends keyof Methods>(name: M, request: Input<M>, o: { timeoutMs?: number; clock?: string } = {}): Promise<Output<M>> {
    const method = METHODS[name] as { path: string; input: MessageType<unknown>; output: MessageType<unknown> };
    const body = encode(method.input, { namespace: "default", ...(request as object) } as never);
    const metadata: Record<string, string> = o.clock === undefined ? {} : { "temporal-namespace": o.clock };
    return decode(method.output, await this.subject.unary(method, body, o.timeoutMs ?? 10_000, metadata)) as Output<M>;
  }

  /** The time of a clock. */
  async time(clock?: string): Promise<number> {
    return timestampMicros((await this.call("GetCurrentTime", {}, clock === undefined ? {} : { clock })).time);
  }

  async start(workflowId: string, extra: Input<"StartWorkflowExecution"> = {}): Promise<string> {
    const r = await this.call("StartWorkflowExecution", {
      workflowId,
      workflowType: { name: "T" },
      taskQueue: { name: "q", kind: 1 },
      requestId: `start-${++this.requests}`,
      ...extra,
    });
    return r.runId;
  }

  async signal(workflowId: string, signalName: string, namespace = "default"): Promise<void> {
    await this.call("SignalWorkflowExecution", {
      namespace,
      workflowExecution: { workflowId },
      signalName,
      requestId: `signal-${++this.requests}`,
    });
  }

  /** Waits for the update's result, and unlocks nothing meanwhile. */
  update(workflowId: string, updateId: string): Promise<Output<"UpdateWorkflowExecution">> {
    return this.call(
      "UpdateWorkflowExecution",
      { workflowExecution: { workflowId }, request: { meta: { updateId }, input: { name: "u" } } },
      { timeoutMs: 60_000 },
    );
  }

  /** A schedule that starts the workflow `<id>-w` of queue q so often. */
  async schedule(scheduleId: string, every: number, extra: Init<Schedule> = {}, namespace = "default"): Promise<void> {
    const action = { workflowId: `${scheduleId}-w`, workflowType: { name: "T" }, taskQueue: { name: "q" } };
    await this.call("CreateSchedule", {
      namespace,
      scheduleId,
      requestId: `schedule-${++this.requests}`,
      schedule: { spec: { interval: [{ interval: span(every) }] }, action: { action: { case: "startWorkflow", value: action } } as never, ...extra },
    });
  }

  /** Answers workflow tasks of the queue until the world ends. Each task is decided from the whole history. */
  worker(workflow: Workflow, queue = "q", namespace = "default"): void {
    void this.polling(async () => {
      const task = await this.call("PollWorkflowTaskQueue", { namespace, taskQueue: { name: queue, kind: 1 } }, { timeoutMs: 60_000 });
      if (task.taskToken.length === 0) return;
      const events = task.history === undefined ? [] : decode(History, task.history).events;
      if (task.nextPageToken.length > 0 && task.workflowExecution !== undefined)
        await this.pages(task.workflowExecution, namespace, events, task.nextPageToken);
      const done = workflow(events, task.messages);
      const answer = Array.isArray(done) ? { commands: done } : done;
      // As the SDKs say it: what a speculative task has told the worker needs no event.
      const capabilities = { discardSpeculativeWorkflowTaskWithEvents: true };
      await this.call("RespondWorkflowTaskCompleted", { namespace, taskToken: task.taskToken, capabilities, ...answer }).catch(() => undefined);
    });
  }

  activities(activity: Activity, queue = "q", namespace = "default"): void {
    void this.polling(async () => {
      const task = await this.call("PollActivityTaskQueue", { namespace, taskQueue: { name: queue, kind: 1 } }, { timeoutMs: 60_000 });
      const { taskToken } = task;
      if (taskToken.length === 0) return;
      const outcome = activity(task.attempt);
      if (outcome !== undefined && "takes" in outcome) await this.subject.sleep(outcome.takes / 1000);
      if (outcome === undefined || "takes" in outcome) await this.call("RespondActivityTaskCompleted", { namespace, taskToken });
      else
        await this.call("RespondActivityTaskFailed", {
          namespace,
          taskToken,
          failure: { message: outcome.failure, failureInfo: { case: "applicationFailureInfo", value: { type: "X" } } as never },
        });
    });
  }

  async polling(poll: () => Promise<void>): Promise<void> {
    while (this.isOpen)
      await poll().catch((e: unknown) => {
        // A poll may end with its deadline, or with the world; a killed server takes its polls with it.
        if (this.isOpen && !(e instanceof Error && /deadline|shutting/i.test(e.message))) throw e;
      });
  }

  /** Unlocks while it waits for the end of the workflow, as the SDKs' test environments do. */
  async result(workflowId: string, o: { clock?: string; namespace?: string; runId?: string } = {}): Promise<HistoryEvent> {
    const on = o.clock === undefined ? {} : { clock: o.clock };
    await this.call("UnlockTimeSkipping", {}, on);
    const end = await this.closed(workflowId, o.namespace, o.runId);
    await this.call("LockTimeSkipping", {}, on);
    return end;
  }

  async closed(workflowId: string, namespace = "default", runId = ""): Promise<HistoryEvent> {
    for (;;) {
      const r = await this.call(
        "GetWorkflowExecutionHistory",
        { namespace, execution: { workflowId, runId }, waitNewEvent: true, historyEventFilterType: 2 },
        { timeoutMs: 30_000 },
      );
      const last = r.history === undefined ? undefined : decode(History, r.history).events.at(-1);
      if (last !== undefined) return last;
    }
  }

  describe(workflowId: string, runId = ""): Promise<Output<"DescribeWorkflowExecution">> {
    return this.call("DescribeWorkflowExecution", { execution: { workflowId, runId } });
  }

  /** Asks every millisecond of real time until it is so. */
  async until(isSo: () => Promise<boolean>): Promise<void> {
    for (let n = 0; !(await isSo()); n++) {
      if (n > 10_000) throw new Error("it never was so");
      await this.subject.sleep(1);
    }
  }

  async history(workflowId: string, runId = "", namespace = "default"): Promise<HistoryEvent[]> {
    return this.pages({ workflowId, runId }, namespace, []);
  }

  private async pages(
    execution: { workflowId: string; runId: string },
    namespace: string,
    events: HistoryEvent[],
    from: Uint8Array = new Uint8Array(0),
  ): Promise<HistoryEvent[]> {
    for (let nextPageToken = from; ; ) {
      const page = await this.call("GetWorkflowExecutionHistory", { namespace, execution, nextPageToken });
      if (page.history !== undefined) events.push(...decode(History, page.history).events);
      nextPageToken = page.nextPageToken;
      if (nextPageToken.length === 0) return events;
    }
  }

  async types(workflowId: string, runId = ""): Promise<string[]> {
    return (await this.history(workflowId, runId)).map((e) => EventType[e.eventType] ?? "");
  }

  /** The server ends, its store stays. */
  async stop(): Promise<void> {
    this.isOpen = false;
    await this.subject.drain?.();
  }

  close(): void {
    this.isOpen = false;
    this.subject.close();
  }
}

export const timeOf = (e: HistoryEvent | undefined): number => timestampMicros(e?.eventTime);
export const has = (events: readonly HistoryEvent[], type: EventType): boolean => events.some((e) => e.eventType === type);
export const count = (events: readonly HistoryEvent[], type: EventType): number => events.filter((e) => e.eventType === type).length;
export { EventType };
