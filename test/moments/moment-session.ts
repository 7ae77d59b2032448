/** A session that notes when: what happens, with the time since it began; and every leaf of an answer, with moments counted from there. */
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { TaskQueueKind } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { History, type HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import type {
  PollActivityTaskQueueResponse,
  PollNexusTaskQueueResponse,
  PollWorkflowTaskQueueResponse,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { Code } from "../../src/api/service-error.js";
import { decode } from "../../src/api/wire.js";
import { Session } from "../conformance/session.js";
import { CallError, type Subject } from "../conformance/subject.js";
import type { Line } from "./line.js";

export type MomentScript = (s: MomentSession) => Promise<void>;

/** Leaves that are not shown: sizes and counts of each server's own records; tokens; and what moments do not concern. */
const HIDDEN: ReadonlySet<string> = new Set([
  "historySizeBytes",
  "stateSizeBytes",
  "stateTransitionCount",
  "pollerScalingDecision",
  "pollerGroupInfos",
  "pollerGroupsInfo",
  "pollerGroupId",
  "namespaceId",
  "parentNamespaceId",
  "searchAttributes",
  "links",
  "requestIdInfos",
  "taskId",
  "operationToken",
]);
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
/** A poll that ends empty does so a second before its caller's deadline. */
const KEPT_BACK_MS = 1000;
/** Polls with a deadline of less than two seconds are refused by the official server. */
const SHORTEST_POLL_S = 1.01;

const isTime = (v: object): v is { seconds: number; nanos: number } => "seconds" in v && "nanos" in v && Object.keys(v).length === 2;
const inSeconds = (t: { seconds: number; nanos: number }): number => t.seconds + t.nanos / 1e9;

export class MomentSession extends Session {
  readonly lines: Line[] = [];
  /** Seconds of the subject's clock. */
  readonly began: number;

  constructor(private readonly clock: Subject) {
    super(clock);
    this.began = clock.now / 1e6;
  }

  /** Seconds since the script began. */
  get elapsed(): number {
    return this.clock.now / 1e6 - this.began;
  }

  /** The moment so many seconds after the script began, as a timestamp. */
  moment(after: number): { seconds: number; nanos: number } {
    const at = this.began + after;
    return { seconds: Math.floor(at), nanos: Math.round((at % 1) * 1e6) * 1000 };
  }

  goTo(second: number): Promise<void> {
    return this.sleep(Math.max(0, second - this.elapsed) * 1000);
  }

  /** Waits for a part of a period of the wall clock: what follows it (cron, intervals) is then far from the next boundary. */
  async phase(period: number, part: number): Promise<void> {
    const at = (this.clock.now / 1e6) % period;
    await this.sleep(((part * period - at + period) % period) * 1000);
  }

  happens(what: string): void {
    this.lines.push({ what: this.text(what), kind: "at", value: this.elapsed });
  }

  lasts(what: string, value: number): void {
    this.lines.push({ what: this.text(what), kind: "for", value });
  }

  is(what: string, value: number | string | boolean): void {
    this.lines.push({ what: this.text(what), kind: "is", value: typeof value === "string" ? this.text(value) : value });
  }

  /** When a call ends, and how. */
  async ends(what: string, call: Promise<unknown>): Promise<void> {
    try {
      await call;
      this.happens(`${what} is answered`);
    } catch (e) {
      if (!(e instanceof CallError)) throw e;
      this.happens(`${what} ends with ${Code[e.code]}`);
    }
  }

  /** Every leaf that has a value; of bytes, none. */
  leaves(what: string, value: unknown): void {
    const walk = (v: unknown, path: string): void => {
      if (v === undefined || v === null || v === "" || v === 0 || v === false || v instanceof Uint8Array) return;
      if (Array.isArray(v)) {
        for (const [i, x] of v.entries()) walk(x, `${path}[${i}]`);
        return;
      }
      if (typeof v !== "object") {
        this.is(path, v as string | number | boolean);
        return;
      }
      if (isTime(v)) {
        const at = inSeconds(v);
        this.lines.push({ what: this.text(path), ...(at > 1e9 ? { kind: "at", value: at - this.began } : { kind: "for", value: at }) });
        return;
      }
      for (const [k, x] of Object.entries(v)) if (!HIDDEN.has(k)) walk(x, `${path}.${k}`);
    };
    walk(value, what);
  }

  private text(s: string): string {
    return s.replaceAll(this.id, "<id>").replaceAll(this.queue, "<queue>").replace(UUID, "<uuid>");
  }

  async describes(what: string, runId = "", workflowId = this.id): Promise<void> {
    const d = await this.call("DescribeWorkflowExecution", { execution: { workflowId, runId } });
    // The official server has no order.
    d.pendingChildren.sort((a, b) => a.initiatedId - b.initiatedId);
    d.pendingActivities.sort((a, b) => (a.activityId < b.activityId ? -1 : 1));
    d.pendingNexusOperations.sort((a, b) => a.scheduledEventId - b.scheduledEventId);
    this.leaves(what, d);
  }

  async historyOf(runId = "", workflowId = this.id): Promise<HistoryEvent[]> {
    const { history } = await this.call("GetWorkflowExecutionHistory", { execution: { workflowId, runId } });
    return history === undefined ? [] : decode(History, history).events;
  }

  /** When each event of the run happened. */
  async events(what: string, runId = "", workflowId = this.id): Promise<void> {
    for (const e of await this.historyOf(runId, workflowId)) this.leaves(`${what}: ${EventType[e.eventType]}`, e.eventTime);
  }

  /** Polls until there is a task, or it is later than `until` (seconds since the script began). */
  private async poll<T extends { taskToken: Uint8Array }>(until: number, call: (timeoutMs: number) => Promise<T>): Promise<T | undefined> {
    for (let left = until - this.elapsed; left > SHORTEST_POLL_S; left = until - this.elapsed) {
      try {
        const task = await call(left * 1000 + KEPT_BACK_MS);
        if (task.taskToken.length > 0) return task;
      } catch (e) {
        if (!(e instanceof CallError && e.code === Code.DEADLINE_EXCEEDED)) throw e;
      }
    }
    return undefined;
  }

  workflowTaskBy(until: number, queue = this.queue): Promise<PollWorkflowTaskQueueResponse | undefined> {
    const sticky = queue === this.stickyQueue ? { kind: TaskQueueKind.STICKY, normalName: this.queue } : { kind: TaskQueueKind.NORMAL };
    const request = { taskQueue: { name: queue, ...sticky }, identity: "worker" };
    return this.poll(until, (timeoutMs) => this.call("PollWorkflowTaskQueue", request, timeoutMs));
  }

  activityTaskBy(until: number, queue = this.queue): Promise<PollActivityTaskQueueResponse | undefined> {
    return this.poll(until, (timeoutMs) => this.call("PollActivityTaskQueue", { taskQueue: { name: queue }, identity: "worker" }, timeoutMs));
  }

  nexusTaskBy(until: number, queue = this.queue): Promise<PollNexusTaskQueueResponse | undefined> {
    return this.poll(until, (timeoutMs) => this.call("PollNexusTaskQueue", { taskQueue: { name: queue }, identity: "handler" }, timeoutMs));
  }

  /** The workflow tasks that come by then, each noted. */
  async *workflowTasks(until: number): AsyncGenerator<PollWorkflowTaskQueueResponse> {
    for (let t = await this.workflowTaskBy(until); t !== undefined; t = await this.workflowTaskBy(until)) {
      this.happens(`workflow task, attempt ${t.attempt}`);
      yield t;
    }
  }

  async *activityTasks(until: number): AsyncGenerator<PollActivityTaskQueueResponse> {
    for (let t = await this.activityTaskBy(until); t !== undefined; t = await this.activityTaskBy(until)) {
      this.happens(`activity ${t.activityId}, attempt ${t.attempt}`);
      yield t;
    }
  }

  async *nexusTasks(until: number): AsyncGenerator<PollNexusTaskQueueResponse> {
    for (let t = await this.nexusTaskBy(until); t !== undefined; t = await this.nexusTaskBy(until)) {
      this.happens("Nexus request");
      yield t;
    }
  }

  complete(t: { taskToken: Uint8Array } | undefined, ...commands: Parameters<Session["answer"]>[0]): Promise<unknown> {
    return this.completeWith(t, { commands });
  }

  completeWith(t: { taskToken: Uint8Array } | undefined, extra: Parameters<Session["answer"]>[1] = {}): Promise<unknown> {
    if (t === undefined) throw new Error("no task to complete");
    return this.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", ...extra });
  }

  get stickyQueue(): string {
    return `${this.queue}-sticky`;
  }
}
