/** One attempt of an outbound row: asks the run what to say, makes the call, tells the run what came of it. */
import type { OutboundRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { Code, ServiceError } from "../api/service-error.js";
import type { ExecutionAddress, Input } from "../core/input.js";
import { OutboundKind } from "../core/outbound.js";
import type { Replies } from "../core/transition.js";
import type { OutboundCaller } from "./contract.js";
import type { OutboundOutcome } from "./queues/outbound-queue.js";

/** Then the activity goes on until its heartbeat or its end, as that of a worker that takes no commands. */
const WORKER_COMMAND_TRIES = 3;
const WORKER_COMMAND_PAUSE_MS = 1_000;

export interface OutboundCallsOptions {
  readonly caller: OutboundCaller;
  /** Resolves undefined when the input is stale. An input with an outbound id takes the row with it in any case. */
  readonly submit: (address: ExecutionAddress, input: Input) => Promise<unknown>;
  readonly deleteRow: (id: number) => Promise<void>;
  readonly pause: (ms: number) => Promise<void>;
}

export class OutboundCalls {
  constructor(private readonly o: OutboundCallsOptions) {}

  async run(id: number, record: OutboundRecord): Promise<OutboundOutcome> {
    const { attempt, componentId, namespaceId, workflowId, runId, archetype } = record;
    const address: ExecutionAddress = { namespaceId, workflowId, runId, archetype };
    const { caller } = this.o;
    switch (record.kind as OutboundKind) {
      case OutboundKind.START_OPERATION: {
        const call = await this.ask<"nexusCall">(address, { kind: "nexusCall", scheduledEventId: componentId, attempt, isCancel: false });
        if (call === undefined) return this.drop(id);
        const { outcome, isDown } =
          call.tooLate === undefined
            ? await caller.startOperation(namespaceId, call)
            : { outcome: { kind: "timedOut" as const, timeoutType: call.tooLate }, isDown: false };
        return this.tell(address, { kind: "nexusStarted", outboundId: id, scheduledEventId: componentId, attempt, outcome }, isDown);
      }
      case OutboundKind.CANCEL_OPERATION: {
        const call = await this.ask<"nexusCall">(address, { kind: "nexusCall", scheduledEventId: componentId, attempt, isCancel: true });
        if (call === undefined) return this.drop(id);
        const { outcome, isDown } = await caller.cancelOperation(namespaceId, call);
        return this.tell(address, { kind: "nexusCancelRequested", outboundId: id, scheduledEventId: componentId, attempt, outcome }, isDown);
      }
      case OutboundKind.CALLBACK: {
        const call = await this.ask<"callbackCall">(address, { kind: "callbackCall", callbackId: componentId, attempt });
        if (call === undefined) return this.drop(id);
        const { outcome, isDown } = await caller.deliverCallback(namespaceId, call);
        return this.tell(address, { kind: "callbackDelivered", outboundId: id, callbackId: componentId, attempt, outcome }, isDown);
      }
      case OutboundKind.WORKER_COMMANDS: {
        const { destination: controlTaskQueue } = record;
        // Asked before each try: what has ended meanwhile is nobody's concern.
        for (let tries = 0; tries < WORKER_COMMAND_TRIES; tries++) {
          if (tries > 0) await this.o.pause(WORKER_COMMAND_PAUSE_MS);
          const commands = await this.ask<"workerCommands">(address, { kind: "workerCommands", controlTaskQueue, completedEventId: componentId });
          if (commands === undefined || (await caller.sendWorkerCommands(namespaceId, controlTaskQueue, commands))) return this.drop(id);
        }
        await this.drop(id);
        return { done: true, isDown: true };
      }
      default:
        return { done: false, problem: `outbound kind ${record.kind} is not known` };
    }
  }

  /** Undefined: the run, or what the row was for, has gone. */
  private async ask<K extends "nexusCall" | "callbackCall" | "workerCommands">(
    address: ExecutionAddress,
    input: Input,
  ): Promise<Replies[K] | undefined> {
    try {
      return (await this.o.submit(address, input)) as Replies[K] | undefined;
    } catch (e) {
      if (e instanceof ServiceError && e.code === Code.NOT_FOUND) return undefined;
      throw e;
    }
  }

  private async drop(id: number): Promise<OutboundOutcome> {
    await this.o.deleteRow(id);
    return { done: true, isDown: false };
  }

  private async tell(address: ExecutionAddress, input: Input & { outboundId: number }, isDown: boolean): Promise<OutboundOutcome> {
    try {
      await this.o.submit(address, input);
      return { done: true, isDown };
    } catch (e) {
      if (e instanceof ServiceError && e.code === Code.NOT_FOUND) return this.drop(input.outboundId);
      throw e;
    }
  }
}
