/**
 * A plain client and its workers, which write down each thing that the server has acknowledged or shown, with the number of
 * syncs that were complete when the answer had come: from that sync on the disk must hold it.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { Client, type ClientUnaryCall, credentials, status } from "@grpc/grpc-js";
import type { Command } from "../../gen/wire/temporal/api/command/v1/message.js";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { History, type HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { WorkflowService } from "../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { decodeTaskToken } from "../../src/api/task-token.js";
import { decode, encode, type Init, type MessageType } from "../../src/api/wire.js";
import { Random } from "../../src/lib/random.js";
import { commandsFor, END, PARENT_TYPE, QUEUE } from "./program.js";

type Methods = typeof WorkflowService.methods;
type Input<M extends keyof Methods> = Methods[M]["input"] extends MessageType<infer T> ? Init<T> : never;
type Output<M extends keyof Methods> = Methods[M]["output"] extends MessageType<infer T> ? T : never;

/** What the files must show of a run. */
export type Fact =
  | { kind: "started"; requestId: string }
  | { kind: "signaled"; requestId: string }
  | { kind: "event"; eventId: number; type: EventType }
  | { kind: "task completed"; scheduledEventId: number }
  | { kind: "activity started"; scheduledEventId: number }
  | { kind: "activity completed"; scheduledEventId: number }
  | { kind: "closed" };

export interface Acknowledged {
  /** Syncs that were complete when the answer had come. */
  readonly counter: number;
  readonly workflowId: string;
  readonly runId: string;
  readonly fact: Fact;
}

const CALL_MS = 5_000;
const POLL_MS = 3_000;

export interface LoadOptions {
  readonly address: string;
  readonly counterFile: string;
  readonly acknowledged: Acknowledged[];
  readonly clients: number;
  readonly payloadBytes: number;
  readonly seed: number;
  /** Workflow ids begin with it. */
  readonly name: string;
  /** Takes starts and signals that were answered with RESOURCE_EXHAUSTED: nothing of them may be there. */
  readonly refused?: Refused[];
}

export interface Refused {
  readonly workflowId: string;
  readonly requestId: string;
  readonly message: string;
}

export class Load {
  private readonly client: Client;
  private readonly counterFd: number;
  private readonly random: Random;
  private isStopped = false;
  private readonly running: Promise<void>[] = [];
  private requests = 0;
  private readonly calls = new Set<ClientUnaryCall>();

  constructor(private readonly o: LoadOptions) {
    this.client = new Client(o.address, credentials.createInsecure(), { "grpc.max_receive_message_length": 64 * 1024 * 1024 });
    this.counterFd = openSync(o.counterFile, "r");
    this.random = new Random(o.seed);
  }

  /** Completed syncs. */
  counter(): number {
    const b = Buffer.alloc(8);
    readSync(this.counterFd, b, 0, 8, 0);
    return Number(b.readBigUInt64LE());
  }

  begin(): void {
    for (let i = 0; i < this.o.clients; i++) this.running.push(this.drive(i));
    for (let i = 0; i < 4; i++) this.running.push(this.workflowWorker(), this.activityWorker());
  }

  /** Reads the history of every open workflow: what a server shows must be on disk, also what it has found there when it started. Answers of how many. */
  async look(): Promise<number> {
    const runs = await this.listOpen();
    for (const { workflowId, runId } of runs) {
      const h = await this.call("GetWorkflowExecutionHistory", { execution: { workflowId, runId } });
      if (h?.history !== undefined) this.show(workflowId, runId, written(decode(History, h.history).events));
    }
    return runs.length;
  }

  /** Ends the load; calls that are under way are given up. */
  async stop(): Promise<void> {
    this.isStopped = true;
    for (const call of this.calls) call.cancel();
    this.client.close();
    await Promise.all(this.running);
    closeSync(this.counterFd);
  }

  /** Ends every open workflow. Answers those that are left when the time is up. */
  async finishAll(timeoutMs: number): Promise<string[]> {
    const end = Date.now() + timeoutMs;
    const told = new Set<string>();
    for (let left = await this.listOpen(); ; left = await this.listOpen()) {
      if (left.length === 0 || Date.now() > end) return left.map((e) => `${e.workflowId} ${e.runId}`);
      // Once only: a workflow that is told again and again never finds the moment to end.
      for (const { workflowId, runId } of left) if (!told.has(runId) && (await this.signal(workflowId, runId, END))) told.add(runId);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  private async listOpen(): Promise<{ workflowId: string; runId: string }[]> {
    const out: { workflowId: string; runId: string }[] = [];
    let nextPageToken: Uint8Array = Buffer.alloc(0);
    do {
      const page: Output<"ListWorkflowExecutions"> | undefined = await this.call("ListWorkflowExecutions", {
        query: "ExecutionStatus = 'Running'",
        pageSize: 1000,
        nextPageToken,
      });
      if (page === undefined) return [{ workflowId: "(the list)", runId: "fails" }];
      for (const e of page.executions) if (e.execution !== undefined) out.push(e.execution);
      nextPageToken = page.nextPageToken;
    } while (nextPageToken.length > 0);
    return out;
  }

  private call<M extends keyof Methods>(
    name: M,
    request: Input<M>,
    timeoutMs = CALL_MS,
    onRefused: (message: string) => void = () => undefined,
  ): Promise<Output<M> | undefined> {
    const method = WorkflowService.methods[name] as { path: string; input: MessageType<unknown>; output: MessageType<unknown> };
    const body = Buffer.from(encode(method.input, { namespace: "default", identity: "load", ...(request as object) } as never));
    return new Promise((resolve) => {
      if (this.isStopped) {
        resolve(undefined);
        return;
      }
      const call = this.client.makeUnaryRequest(
        method.path,
        (b: Buffer) => b,
        (b: Buffer) => b,
        body,
        { deadline: Date.now() + timeoutMs },
        (error, reply) => {
          this.calls.delete(call);
          if (error?.code === status.RESOURCE_EXHAUSTED) onRefused(error.details);
          resolve(error === null && reply !== undefined ? (decode(method.output, reply) as Output<M>) : undefined);
        },
      );
      this.calls.add(call);
    });
  }

  private acknowledge(workflowId: string, runId: string, fact: Fact): void {
    this.o.acknowledged.push({ counter: this.counter(), workflowId, runId, fact });
  }

  /** What was read of a history is on disk: its last event says so for all. */
  private show(workflowId: string, runId: string, events: readonly HistoryEvent[]): void {
    const last = events.at(-1);
    if (last !== undefined) this.acknowledge(workflowId, runId, { kind: "event", eventId: last.eventId, type: last.eventType });
  }

  private async drive(n: number): Promise<void> {
    for (let j = 0; !this.isStopped; j++) {
      const workflowId = `${this.o.name}-${n}-${j}`;
      const startId = `start-${workflowId}`;
      const started = await this.call(
        "StartWorkflowExecution",
        {
          workflowId,
          requestId: startId,
          workflowType: { name: PARENT_TYPE },
          taskQueue: { name: QUEUE, kind: 1 },
          workflowTaskTimeout: { seconds: 2, nanos: 0 },
        },
        CALL_MS,
        (message) => this.o.refused?.push({ workflowId, requestId: startId, message }),
      );
      if (started === undefined) continue;
      const { runId } = started;
      this.acknowledge(workflowId, runId, { kind: "started", requestId: startId });
      const signals = this.random.uint32() % 4;
      for (let k = 0; k < signals; k++) await this.signal(workflowId, runId, "value");
      if (this.random.uint32() % 3 === 0) {
        const h = await this.call("GetWorkflowExecutionHistory", { execution: { workflowId, runId } });
        if (h?.history !== undefined) this.show(workflowId, runId, written(decode(History, h.history).events));
      }
      // One in four stays open.
      if (this.random.uint32() % 4 !== 0) await this.signal(workflowId, runId, END);
      else if (this.random.uint32() % 4 === 0) {
        const done = await this.call("TerminateWorkflowExecution", { workflowExecution: { workflowId, runId }, reason: "load" });
        if (done !== undefined) this.acknowledge(workflowId, runId, { kind: "closed" });
      }
    }
  }

  private async signal(workflowId: string, runId: string, signalName: string): Promise<boolean> {
    // Its own name is in it: a second load on the same file must not repeat the request ids of the first.
    const requestId = `signal-${this.o.name}-${workflowId}-${this.requests++}`;
    const bytes = this.random.uint32() % Math.max(1, this.o.payloadBytes);
    const data = Buffer.alloc(bytes, 97);
    const reply = await this.call(
      "SignalWorkflowExecution",
      {
        workflowExecution: { workflowId, runId },
        signalName,
        requestId,
        // Payloads { payloads: [{ data }] }
        input: bytes === 0 ? undefined : field(1, field(2, data)),
      },
      CALL_MS,
      (message) => this.o.refused?.push({ workflowId, requestId, message }),
    );
    if (reply !== undefined) this.acknowledge(workflowId, runId, { kind: "signaled", requestId });
    return reply !== undefined;
  }

  private async workflowWorker(): Promise<void> {
    while (!this.isStopped) {
      const task = await this.call("PollWorkflowTaskQueue", { taskQueue: { name: QUEUE, kind: 1 } }, POLL_MS);
      if (task === undefined || task.taskToken.length === 0 || task.history === undefined) continue;
      const { workflowId, runId } = task.workflowExecution ?? { workflowId: "", runId: "" };
      const events = decode(History, task.history).events;
      if (task.attempt === 1) this.show(workflowId, runId, events);
      const commands: Init<Command>[] = commandsFor(task.workflowType?.name ?? "", workflowId, events);
      const token = decodeTaskToken(task.taskToken);
      const done = await this.call("RespondWorkflowTaskCompleted", { taskToken: task.taskToken, commands });
      if (done === undefined || token === undefined) continue;
      this.acknowledge(workflowId, runId, { kind: "task completed", scheduledEventId: token.scheduledEventId });
    }
  }

  private async activityWorker(): Promise<void> {
    while (!this.isStopped) {
      const task = await this.call("PollActivityTaskQueue", { taskQueue: { name: QUEUE, kind: 1 } }, POLL_MS);
      if (task === undefined || task.taskToken.length === 0) continue;
      const { workflowId, runId } = task.workflowExecution ?? { workflowId: "", runId: "" };
      const scheduledEventId = decodeTaskToken(task.taskToken)?.scheduledEventId ?? 0;
      this.acknowledge(workflowId, runId, { kind: "activity started", scheduledEventId });
      const done = await this.call("RespondActivityTaskCompleted", { taskToken: task.taskToken });
      if (done !== undefined) this.acknowledge(workflowId, runId, { kind: "activity completed", scheduledEventId });
    }
  }
}

/** Without a workflow task of a later attempt that is under way: its events are shown and are in no history yet. */
function written(events: readonly HistoryEvent[]): readonly HistoryEvent[] {
  const last = events.findLastIndex((e) => e.eventType !== EventType.WORKFLOW_TASK_STARTED);
  const a = events[last]?.attributes;
  return a?.case === "workflowTaskScheduledEventAttributes" && a.value.attempt > 1 ? events.slice(0, last) : events;
}

/** A length-delimited protobuf field. */
function field(number: number, value: Buffer): Buffer {
  const length: number[] = [];
  let n = value.length;
  for (; n > 127; n >>>= 7) length.push((n & 127) | 128);
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length, n]), value]);
}
