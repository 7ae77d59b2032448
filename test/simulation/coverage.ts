/** What the fixed seeds must have done, each at least once: every kind of input, command, event and fault. */
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import type { InputKind } from "../../src/core/input.js";
import { COMMANDS } from "../../src/core/workflow/commands/table.js";

/** A new kind of input does not compile until it stands here, and has to occur. */
const INPUTS: Readonly<Record<InputKind, true>> = {
  start: true,
  signalWithStart: true,
  signal: true,
  requestCancel: true,
  terminate: true,
  delete: true,
  describe: true,
  historyPosition: true,
  isTransferAwaited: true,
  timeSkippingState: true,
  query: true,
  dropQuery: true,
  update: true,
  pollUpdate: true,
  endUpdateWait: true,
  updateWithStart: true,
  resetSticky: true,
  startWorkflowTask: true,
  completeWorkflowTask: true,
  failWorkflowTask: true,
  startActivity: true,
  heartbeatActivity: true,
  completeActivity: true,
  failActivity: true,
  cancelActivity: true,
  undelivered: true,
  due: true,
  childStarted: true,
  childStartFailed: true,
  externalSignaled: true,
  externalCancelRequested: true,
  transferDone: true,
  childClosed: true,
  scheduleFirstTask: true,
  reset: true,
  pauseWorkflow: true,
  unpauseWorkflow: true,
  updateOptions: true,
  pauseActivity: true,
  unpauseActivity: true,
  resetActivity: true,
  updateActivityOptions: true,
  triggerRule: true,
  refreshTasks: true,
  rebuild: true,
  dropTimers: true,
  importRun: true,
  nexusCall: true,
  nexusStarted: true,
  nexusCancelRequested: true,
  nexusCompleted: true,
  createSchedule: true,
  describeSchedule: true,
  updateSchedule: true,
  patchSchedule: true,
  scheduleMatchingTimes: true,
  deleteSchedule: true,
  actionStarted: true,
  actionStartFailed: true,
  actionClosed: true,
  startActivityExecution: true,
  describeActivityExecution: true,
  activityOutcome: true,
  requestCancelActivityExecution: true,
  terminateActivityExecution: true,
  pauseActivityExecution: true,
  unpauseActivityExecution: true,
  resetActivityExecution: true,
  updateActivityExecutionOptions: true,
  startNexusExecution: true,
  describeNexusExecution: true,
  pollNexusExecution: true,
  cancelNexusExecution: true,
  terminateNexusExecution: true,
  callbackCall: true,
  callbackDelivered: true,
  workerCommands: true,
};

/** Events that the server does not make yet, or no more. */
const NO_EVENTS: ReadonlySet<EventType> = new Set([
  EventType.UNSPECIFIED,
  EventType.WORKFLOW_EXECUTION_UPDATE_REJECTED,
  EventType.WORKFLOW_PROPERTIES_MODIFIED_EXTERNALLY,
  EventType.ACTIVITY_PROPERTIES_MODIFIED_EXTERNALLY,
]);

const FAULTS = [
  "refused",
  "full",
  "torn",
  "done but failed",
  "delayed",
  "delayed with a later batch queued",
  "read delayed",
  "died before the write",
  "died within the write",
  "died after the write",
  "died between two steps",
  "died within a skip",
  "evicted",
  "the core failed",
  "operator reset twice",
  "shortcut off",
  "poll canceled",
  "poll canceled between reserve and confirm",
  "client delayed",
  "client died",
  "client lost a reply",
  "client sent twice",
  "handler died before",
  "handler died after",
  "completion sent twice",
  "receiver died before",
  "receiver died after",
  "receiver refused",
  "worker answered twice",
  "worker died with a query",
  "worker died with a workflow task",
  "worker died with an activity",
  "worker died with commands",
  "worker could not carry commands out",
  "worker lost a reply",
  "worker shut down",
  "worker slower than its task",
  "workers of a version down",
] as const;

/** What is no fault, and has to happen for a check to mean anything. */
const CASES = [
  "task of a pinned run",
  "activity of a pinned run",
  "task by the routing",
  "task by the ramp",
  "version drained",
  "run skipped time",
  "run fast-forwarded",
  "time skipped",
  "sleeper woken",
  "clock outlived its process",
  "operation written after its deadline",
  "command taken",
  "activity canceled by command",
  "answer held for a timer",
  "damaged state rebuilt",
  "timers taken away",
  "timers refreshed",
  "import of a run that has ended",
  "import of a run that goes on",
  "import refused",
] as const;

export const isFault = (what: string): boolean => (FAULTS as readonly string[]).includes(what);

const KINDS = ["inputs", "commands", "events", "faults", "cases"] as const;

export type Counts = Map<string, number>;

export class Coverage {
  readonly inputs: Counts = new Map();
  readonly commands: Counts = new Map();
  readonly events: Counts = new Map();
  readonly faults: Counts = new Map();
  readonly cases: Counts = new Map();

  add(other: Coverage): void {
    for (const kind of KINDS) for (const [name, n] of other[kind]) this[kind].set(name, (this[kind].get(name) ?? 0) + n);
  }

  get inputCount(): number {
    return [...this.inputs.values()].reduce((a, b) => a + b, 0);
  }

  /** What should have happened and did not, or happened and is not expected. */
  get gaps(): string[] {
    const wanted: Record<(typeof KINDS)[number], readonly string[]> = {
      inputs: Object.keys(INPUTS),
      commands: Object.keys(COMMANDS).map((type) => CommandType[Number(type)] ?? type),
      events: Object.values(EventType)
        .filter((t): t is EventType => typeof t === "number" && !NO_EVENTS.has(t))
        .map((t) => EventType[t] ?? ""),
      faults: FAULTS,
      cases: CASES,
    };
    const out: string[] = [];
    for (const kind of KINDS) {
      for (const name of wanted[kind]) if ((this[kind].get(name) ?? 0) === 0) out.push(`${kind}: ${name} 0`);
      for (const name of this[kind].keys()) if (!wanted[kind].includes(name)) out.push(`${kind}: ${name} is not in the list`);
    }
    return out;
  }

  toString(): string {
    return KINDS.map(
      (kind) =>
        `${kind}: ${[...this[kind]]
          .sort((a, b) => b[1] - a[1])
          .map(([k, v]) => `${k} ${v}`)
          .join(", ")}`,
    ).join("\n");
  }
}
