/**
 * One played script: calls over gRPC against any server, and what they answered, normalised. A script is a function of a session;
 * what it records - histories, errors, chosen answers - must be equal on the official server and here.
 */
import { randomUUID } from "node:crypto";
import type { Command } from "../../gen/wire/temporal/api/command/v1/message.js";
import { Payload } from "../../gen/wire/temporal/api/common/v1/message.js";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { History, type HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { OperatorService } from "../../gen/wire/temporal/api/operatorservice/v1/service.js";
import type {
  PollActivityTaskQueueResponse,
  PollWorkflowTaskQueueResponse,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { WorkflowService } from "../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { Code } from "../../src/api/service-error.js";
import { decode, encode, type Init, type MessageType } from "../../src/api/wire.js";
import { normalise } from "./normalise.js";
import { CallError, type Subject } from "./subject.js";

const METHODS = { ...WorkflowService.methods, ...OperatorService.methods };
type Methods = typeof METHODS;
type Input<M extends keyof Methods> = Methods[M]["input"] extends MessageType<infer T> ? Init<T> : never;
type Output<M extends keyof Methods> = Methods[M]["output"] extends MessageType<infer T> ? T : never;

export const NAMESPACE = "default";
export const seconds = (n: number) => ({ seconds: Math.floor(n), nanos: Math.round((n % 1) * 1e9) });
export const payloads = (text: string): Uint8Array => {
  const payload = Buffer.concat([
    Buffer.from([10, 22, 10, 8]),
    Buffer.from("encoding"),
    Buffer.from([18, 10]),
    Buffer.from("json/plain"),
    Buffer.from([18, text.length + 2]),
    Buffer.from(`"${text}"`),
  ]);
  return Buffer.concat([Buffer.from([10, payload.length]), payload]);
};

/** The payload that says "nothing". */
const NULL_PAYLOAD = encode(Payload, { metadata: { encoding: Buffer.from("binary/null") } });

export class Session {
  readonly log: { what: string; value: unknown }[] = [];
  private readonly covered = new Map<string, Set<string>>();
  readonly id = `conf-${randomUUID()}`;
  readonly queue = `q-${randomUUID()}`;

  constructor(private readonly subject: Subject) {}

  sleep(ms: number): Promise<void> {
    return this.subject.sleep(ms);
  }

  private cover(subject: string, outcome: string): void {
    const outcomes = this.covered.get(subject) ?? new Set<string>();
    this.covered.set(subject, outcomes.add(outcome));
  }

  /** A command is refused when it is the only one of its completion: which of several it was, nobody says. */
  private coverCommands(request: Input<"RespondWorkflowTaskCompleted">, isRefused: boolean): void {
    const commands = request.commands ?? [];
    if (isRefused && commands.length !== 1) return;
    for (const { commandType } of commands) this.cover(`command ${CommandType[commandType ?? 0]}`, isRefused ? "refused" : "OK");
  }

  /** What the script made happen: RPCs and commands with their outcomes, event types. */
  coverage(): Record<string, string[]> {
    return Object.fromEntries([...this.covered].sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, [...v].sort()]));
  }

  /** The official server allows ten lists a second: a call that it puts off is made again. */
  async call<M extends keyof Methods>(name: M, request: Input<M>, timeoutMs = 10_000): Promise<Output<M>> {
    for (;;) {
      try {
        return await this.callOnce(name, request, timeoutMs);
      } catch (e) {
        if (!(e instanceof CallError) || e.message !== "namespace rate limit exceeded") throw e;
        await this.sleep(500);
      }
    }
  }

  private async callOnce<M extends keyof Methods>(name: M, request: Input<M>, timeoutMs: number): Promise<Output<M>> {
    const method = METHODS[name] as { path: string; input: MessageType<unknown>; output: MessageType<unknown> };
    const body = encode(method.input, { namespace: NAMESPACE, ...(request as object) } as never);
    let code = Code.OK;
    try {
      return decode(method.output, await this.subject.unary(method, body, timeoutMs)) as Output<M>;
    } catch (e) {
      code = (e as CallError).code;
      throw e;
    } finally {
      if (code !== Code.RESOURCE_EXHAUSTED) this.cover(`rpc ${name}`, Code[code] ?? String(code));
      if (name === "RespondWorkflowTaskCompleted") this.coverCommands(request as Input<"RespondWorkflowTaskCompleted">, code !== Code.OK);
    }
  }

  /** Records the error that a call must end with. */
  async refused<M extends keyof Methods>(name: M, request: Input<M>): Promise<void> {
    try {
      await this.call(name, request);
      this.note(`${name} is refused`, "it was not");
    } catch (e) {
      const { code, message, details } = e as CallError;
      this.note(`${name} is refused`, { code, message, details });
    }
  }

  note(what: string, value: unknown): void {
    this.log.push({ what, value });
  }

  async start(extra: Input<"StartWorkflowExecution"> = {}): Promise<string> {
    const r = await this.call("StartWorkflowExecution", {
      workflowId: this.id,
      workflowType: { name: "T" },
      taskQueue: { name: this.queue, kind: 1 },
      requestId: randomUUID(),
      identity: "client",
      workflowTaskTimeout: seconds(10),
      ...extra,
    });
    return r.runId;
  }

  async workflowTask(queue = this.queue): Promise<PollWorkflowTaskQueueResponse> {
    return this.call("PollWorkflowTaskQueue", { taskQueue: { name: queue, kind: 1 }, identity: "worker" }, 20_000);
  }

  async activityTask(queue = this.queue): Promise<PollActivityTaskQueueResponse> {
    return this.call("PollActivityTaskQueue", { taskQueue: { name: queue, kind: 1 }, identity: "worker" }, 20_000);
  }

  /** Takes the next workflow task and answers it with commands. */
  async answer(commands: Init<Command>[], extra: Input<"RespondWorkflowTaskCompleted"> = {}): Promise<Output<"RespondWorkflowTaskCompleted">> {
    const task = await this.workflowTask();
    return this.call("RespondWorkflowTaskCompleted", { taskToken: task.taskToken, identity: "worker", commands, ...extra });
  }

  /** Takes the next workflow task, answers it with commands that must be refused, and records the error. */
  async badAnswer(commands: Init<Command>[], extra: Input<"RespondWorkflowTaskCompleted"> = {}): Promise<void> {
    const task = await this.workflowTask();
    await this.refused("RespondWorkflowTaskCompleted", { taskToken: task.taskToken, identity: "worker", commands, ...extra });
  }

  async signal(name: string, extra: Input<"SignalWorkflowExecution"> = {}): Promise<void> {
    await this.call("SignalWorkflowExecution", {
      workflowExecution: { workflowId: this.id },
      signalName: name,
      identity: "client",
      requestId: randomUUID(),
      ...extra,
    });
  }

  /** Records the normalised history. */
  async history(workflowId = this.id, runId = ""): Promise<void> {
    const events = [];
    let nextPageToken: Uint8Array = new Uint8Array(0);
    do {
      const page = await this.call("GetWorkflowExecutionHistory", { execution: { workflowId, runId }, nextPageToken });
      if (page.history !== undefined) events.push(...decode(History, page.history).events);
      nextPageToken = page.nextPageToken;
    } while (nextPageToken.length > 0);
    for (const e of events) this.cover(`event ${EventType[e.eventType]}`, "OK");
    this.note("history", events.map(shown));
  }

  /** Calls, and records what was answered; or a part of it. */
  async shown<M extends keyof Methods>(name: M, request: Input<M>, part: (answer: Output<M>) => unknown = (a) => a): Promise<Output<M>> {
    const answer = await this.call(name, request);
    this.note(name, part(answer));
    return answer;
  }

  /** Asks until it is so; lists of the official server follow their workflows with a delay. */
  async until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    for (let i = 0; i < 800; i++) {
      if (await isSo()) return;
      await this.sleep(50);
    }
    throw new Error(`never: ${what}`);
  }

  /** Starts, takes the first workflow task and answers it: from here on the workflow waits. */
  async running(commands: Init<Command>[] = [], extra: Input<"StartWorkflowExecution"> = {}): Promise<string> {
    const runId = await this.start(extra);
    await this.answer(commands);
    return runId;
  }

  /** The record, with what differs from run to run replaced. */
  record(): unknown {
    return normalise(this.log, [this.id, this.queue]) ?? [];
  }
}

/** An event as the record has it: its own fields beside those of its attributes. */
export function shown(e: HistoryEvent): object {
  const { eventId, eventType, attributes, taskId, ...rest } = e;
  return { type: EventType[eventType], id: eventId, ...rest, ...(attributes.value as object) };
}

export type Script = (s: Session) => Promise<void>;

export const command = {
  activity: (s: Session, activityId: string, extra: object = {}): Init<Command> => ({
    commandType: CommandType.SCHEDULE_ACTIVITY_TASK,
    attributes: {
      case: "scheduleActivityTaskCommandAttributes",
      value: { activityId, activityType: { name: "A" }, taskQueue: { name: s.queue }, startToCloseTimeout: seconds(10), ...extra },
    } as never,
  }),
  cancelActivity: (scheduledEventId: number): Init<Command> => ({
    commandType: CommandType.REQUEST_CANCEL_ACTIVITY_TASK,
    attributes: { case: "requestCancelActivityTaskCommandAttributes", value: { scheduledEventId } } as never,
  }),
  timer: (timerId: string, after: number): Init<Command> => ({
    commandType: CommandType.START_TIMER,
    attributes: { case: "startTimerCommandAttributes", value: { timerId, startToFireTimeout: seconds(after) } } as never,
  }),
  cancelTimer: (timerId: string): Init<Command> => ({
    commandType: CommandType.CANCEL_TIMER,
    attributes: { case: "cancelTimerCommandAttributes", value: { timerId } } as never,
  }),
  complete: (result?: Uint8Array): Init<Command> => ({
    commandType: CommandType.COMPLETE_WORKFLOW_EXECUTION,
    attributes: { case: "completeWorkflowExecutionCommandAttributes", value: { result } } as never,
  }),
  fail: (message: string, extra: object = {}): Init<Command> => ({
    commandType: CommandType.FAIL_WORKFLOW_EXECUTION,
    attributes: { case: "failWorkflowExecutionCommandAttributes", value: { failure: { message, ...extra } } } as never,
  }),
  cancel: (): Init<Command> => ({
    commandType: CommandType.CANCEL_WORKFLOW_EXECUTION,
    attributes: { case: "cancelWorkflowExecutionCommandAttributes", value: {} } as never,
  }),
  marker: (markerName: string): Init<Command> => ({
    commandType: CommandType.RECORD_MARKER,
    attributes: { case: "recordMarkerCommandAttributes", value: { markerName, details: {} } } as never,
  }),
  continueAsNew: (extra: object = {}): Init<Command> => ({
    commandType: CommandType.CONTINUE_AS_NEW_WORKFLOW_EXECUTION,
    attributes: { case: "continueAsNewWorkflowExecutionCommandAttributes", value: { workflowType: { name: "T" }, ...extra } } as never,
  }),
  child: (workflowId: string, extra: object = {}): Init<Command> => ({
    commandType: CommandType.START_CHILD_WORKFLOW_EXECUTION,
    attributes: { case: "startChildWorkflowExecutionCommandAttributes", value: { workflowId, workflowType: { name: "C" }, ...extra } } as never,
  }),
  signalExternal: (workflowId: string, extra: object = {}): Init<Command> => ({
    commandType: CommandType.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION,
    attributes: {
      case: "signalExternalWorkflowExecutionCommandAttributes",
      value: { execution: { workflowId }, signalName: "ext", ...extra },
    } as never,
  }),
  cancelExternal: (workflowId: string, extra: object = {}): Init<Command> => ({
    commandType: CommandType.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION,
    attributes: { case: "requestCancelExternalWorkflowExecutionCommandAttributes", value: { workflowId, ...extra } } as never,
  }),
  memo: (key: string, value: string | null = "m"): Init<Command> => ({
    commandType: CommandType.MODIFY_WORKFLOW_PROPERTIES,
    attributes: {
      case: "modifyWorkflowPropertiesCommandAttributes",
      value: { upsertedMemo: { fields: { [key]: value === null ? NULL_PAYLOAD : payloads(value).subarray(2) } } },
    } as never,
  }),
  searchAttributes: (name: string): Init<Command> => ({
    commandType: CommandType.UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
    attributes: {
      case: "upsertWorkflowSearchAttributesCommandAttributes",
      value: { searchAttributes: { indexedFields: { [name]: payloads("v").subarray(2) } } },
    } as never,
  }),
  message: (messageId: string): Init<Command> => ({
    commandType: CommandType.PROTOCOL_MESSAGE,
    attributes: { case: "protocolMessageCommandAttributes", value: { messageId } } as never,
  }),
};
