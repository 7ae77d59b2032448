/** What every command handler works with, and how it refuses. */
import type { TimerRecord } from "../../../../gen/wire/perdure/persistence/v1/records.js";
import type { Command } from "../../../../gen/wire/temporal/api/command/v1/message.js";
import type { WorkflowTaskFailedCause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import type { HistoryEvent } from "../../../../gen/wire/temporal/api/history/v1/message.js";
import type { ServiceError } from "../../../api/service-error.js";
import type { NamespaceView } from "../../namespace-view.js";
import type { Run } from "../context.js";
import type { EventExtra } from "../event-factory.js";
import type { NewRun } from "../start.js";
import type { Messages } from "../update/messages.js";

/**
 * Thrown by a command that is not accepted: nothing of the completion stands, the workflow task fails with this cause. With
 * `terminates` the whole workflow ends (a size limit was passed, and a retry would pass it again).
 */
export class TaskFailure extends Error {
  constructor(
    readonly failedCause: WorkflowTaskFailedCause,
    readonly error: ServiceError | undefined,
    readonly terminates = false,
  ) {
    super(error?.message ?? "");
  }
}

/** A task queue as the official server's texts print it. */
export function taskQueueText(name: string): string {
  return `name:${JSON.stringify(name)} kind:TASK_QUEUE_KIND_NORMAL`;
}

export type Attributes = Exclude<Command["attributes"], { case: undefined }>;
export type CommandAttributes<C extends Attributes["case"]> = Extract<Attributes, { case: C }>["value"];

/** One completion of a workflow task, while its commands are applied. */
export class Completion {
  /** An activity was canceled before it was started: the workflow must see that at once. */
  activityCanceledUnstarted = false;
  /** Set by continue-as-new, retry and cron: the next run of the chain. */
  nextRun: NewRun | undefined;
  /** What the worker says of updates. Undefined: nothing. */
  messages: Messages | undefined;
  /** Workflow ids of the children initiated by this completion. */
  readonly childrenInitiated = new Set<string>();
  /** Scheduled event ids of activities that the worker takes at once. */
  readonly eagerActivities: number[] = [];
  /** Of the timers that it starts the one that fires first. */
  firstTimer: TimerRecord | undefined;

  constructor(
    readonly run: Run,
    /** Event id of WorkflowTaskCompleted. */
    readonly completedEventId: number,
    readonly identity: string,
    /** Events waited when the completion came: the workflow may not close without having seen them. */
    public hasBuffered: boolean,
  ) {}

  get namespace(): NamespaceView {
    return this.run.ctx.env.namespace;
  }

  get limits(): Run["ctx"]["env"]["config"]["limits"] {
    return this.run.ctx.env.config.limits;
  }

  /** What the worker attached to the command belongs to the event. */
  extra(command: Command): EventExtra {
    return { userMetadata: command.userMetadata, eventGroupMarkers: command.eventGroupMarkers } as EventExtra;
  }

  /** The namespace that a command names; empty is the workflow's own. */
  target(name: string): NamespaceView | undefined {
    return name === "" ? this.namespace : this.run.ctx.env.namespaces.byName(name);
  }
}

export type CommandHandler = (completion: Completion, command: Command) => HistoryEvent | undefined;
