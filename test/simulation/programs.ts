/**
 * What simulated workers run: a workflow is a list of steps drawn from its id, and the next commands follow from its history alone,
 * as with a real SDK. Ids come from small sets, so that collisions happen.
 */
import type { Command } from "../../gen/wire/temporal/api/command/v1/message.js";
import { Payload, Payloads } from "../../gen/wire/temporal/api/common/v1/message.js";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import { ParentClosePolicy, VersioningBehavior } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import { duration } from "../../src/api/time.js";
import { encode, type Init } from "../../src/api/wire.js";
import { Random } from "../../src/lib/random.js";

type Step =
  | { kind: "activity"; type: "flaky" | "plain" | "fails"; isEager: boolean }
  /** `isSilent`: it sends no heartbeats, and hears of its cancellation as a command for its worker. */
  | { kind: "activityCanceled"; isSilent: boolean; isEager: boolean }
  | { kind: "timer"; micros: number }
  | { kind: "timerCanceled" }
  | { kind: "child"; policy: ParentClosePolicy }
  /** A child that is canceled, or that has too little time. */
  | { kind: "childCanceled" }
  | { kind: "childTimed" }
  | { kind: "signalOther"; target: string }
  | { kind: "cancelOther"; target: string }
  | { kind: "marker" }
  /** `isTimed`: it has too little time. */
  | { kind: "nexus"; isCanceled: boolean; isTimed: boolean }
  | { kind: "memo" }
  | { kind: "searchAttribute" };

export const ENDPOINT = "sim";
export const QUEUE = "sim";
/** Of the workflows whose ids begin with v. */
export const VERSIONED_QUEUE = "versioned";
export const queueOf = (workflowId: string): string => (workflowId.startsWith("v") ? VERSIONED_QUEUE : QUEUE);

/** The id under which a history of that workflow is imported: what it does goes by the workflow's own. */
export const importedId = (place: number, workflowId: string): string => `i${place}=${workflowId}`;
const programOf = (workflowId: string): string => workflowId.slice(workflowId.indexOf("=") + 1);

function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** How workers of a build have the workflow behave, with all its children. */
export function behaviorOf(workflowId: string): VersioningBehavior {
  return hash(workflowId.split("/")[0] ?? "") % 2 === 0 ? VersioningBehavior.PINNED : VersioningBehavior.AUTO_UPGRADE;
}

/** Up to five seconds; some fire before their worker could poll again. */
const timerMicros = (n: number): number => (n % 8 === 0 ? n % 5_000 : (n % 5_000) * 1_000);

export function stepsOf(workflowId: string): Step[] {
  const program = programOf(workflowId);
  const r = new Random(hash(program));
  const depth = program.split("/").length;
  const n = r.uint32() % 5;
  const out: Step[] = [];
  for (let i = 0; i < n; i++)
    switch (r.uint32() % (depth > 2 ? 8 : 17)) {
      case 0:
      case 1:
      case 13:
      case 14: {
        const type = (["flaky", "plain", "plain", "fails"] as const)[r.uint32() % 4] ?? "plain";
        out.push({ kind: "activity", type, isEager: r.uint32() % 4 === 0 });
        break;
      }
      case 15:
      case 16: {
        const what = r.uint32() % 5;
        out.push({ kind: "nexus", isCanceled: what < 2, isTimed: what === 2 });
        break;
      }
      case 2:
        out.push({ kind: "timer", micros: timerMicros(r.uint32()) });
        break;
      case 3:
        out.push({ kind: "timerCanceled" });
        break;
      case 4:
        out.push({ kind: "marker" });
        break;
      case 5:
        out.push({ kind: "memo" });
        break;
      case 6:
        out.push({ kind: "activityCanceled", isSilent: r.uint32() % 2 === 0, isEager: r.uint32() % 4 === 0 });
        break;
      case 7:
        out.push({ kind: "searchAttribute" });
        break;
      case 8:
        out.push(r.uint32() % 2 === 0 ? { kind: "childCanceled" } : { kind: "childTimed" });
        break;
      case 9:
      case 10:
        out.push({
          kind: "child",
          policy: [ParentClosePolicy.TERMINATE, ParentClosePolicy.ABANDON, ParentClosePolicy.REQUEST_CANCEL][r.uint32() % 3] as ParentClosePolicy,
        });
        break;
      default:
        out.push(
          r.uint32() % 2 === 0 ? { kind: "signalOther", target: `w${r.uint32() % 25}` } : { kind: "cancelOther", target: `w${r.uint32() % 25}` },
        );
    }
  return out;
}

/** What history says of each step. */
interface Progress {
  begun: Set<string>;
  done: Set<string>;
  scheduled: Map<string, number>;
  cancelRequested: boolean;
  runs: number;
  closed: boolean;
}

export function progressOf(events: readonly HistoryEvent[]): Progress {
  const p: Progress = { begun: new Set(), done: new Set(), scheduled: new Map(), cancelRequested: false, runs: 0, closed: false };
  const names = new Map<number, string>();
  const begin = (id: number, name: string): void => {
    p.begun.add(name);
    names.set(id, name);
    p.scheduled.set(name, id);
  };
  const end = (id: number): void => {
    const name = names.get(id);
    if (name !== undefined) p.done.add(name);
  };
  for (const e of events) {
    const a = e.attributes;
    switch (a.case) {
      case "activityTaskScheduledEventAttributes":
        begin(e.eventId, a.value.activityId);
        break;
      case "activityTaskCompletedEventAttributes":
      case "activityTaskFailedEventAttributes":
      case "activityTaskTimedOutEventAttributes":
      case "activityTaskCanceledEventAttributes":
        end(a.value.scheduledEventId);
        break;
      case "timerStartedEventAttributes":
        begin(e.eventId, a.value.timerId);
        break;
      case "timerFiredEventAttributes":
      case "timerCanceledEventAttributes":
        end(a.value.startedEventId);
        break;
      case "startChildWorkflowExecutionInitiatedEventAttributes":
        begin(e.eventId, a.value.workflowId.slice(a.value.workflowId.lastIndexOf("/") + 1));
        break;
      case "startChildWorkflowExecutionFailedEventAttributes":
      case "childWorkflowExecutionCompletedEventAttributes":
      case "childWorkflowExecutionFailedEventAttributes":
      case "childWorkflowExecutionCanceledEventAttributes":
      case "childWorkflowExecutionTimedOutEventAttributes":
      case "childWorkflowExecutionTerminatedEventAttributes":
        end(a.value.initiatedEventId);
        break;
      case "childWorkflowExecutionStartedEventAttributes": {
        // An abandoned child is not waited for.
        const name = names.get(a.value.initiatedEventId);
        if (name?.endsWith("x") === true) p.done.add(name);
        break;
      }
      case "nexusOperationScheduledEventAttributes":
        begin(e.eventId, a.value.operation.slice(0, 2));
        break;
      case "nexusOperationCompletedEventAttributes":
      case "nexusOperationFailedEventAttributes":
      case "nexusOperationCanceledEventAttributes":
      case "nexusOperationTimedOutEventAttributes":
        end(a.value.scheduledEventId);
        break;
      case "signalExternalWorkflowExecutionInitiatedEventAttributes":
        begin(e.eventId, a.value.control);
        break;
      case "requestCancelExternalWorkflowExecutionInitiatedEventAttributes":
        begin(e.eventId, a.value.control);
        break;
      case "signalExternalWorkflowExecutionFailedEventAttributes":
      case "externalWorkflowExecutionSignaledEventAttributes":
      case "requestCancelExternalWorkflowExecutionFailedEventAttributes":
      case "externalWorkflowExecutionCancelRequestedEventAttributes":
        end(a.value.initiatedEventId);
        break;
      case "markerRecordedEventAttributes":
        p.begun.add(a.value.markerName);
        p.done.add(a.value.markerName);
        break;
      case "workflowPropertiesModifiedEventAttributes":
        for (const k of Object.keys(a.value.upsertedMemo?.fields ?? {})) {
          p.begun.add(k);
          p.done.add(k);
        }
        break;
      case "upsertWorkflowSearchAttributesEventAttributes":
        // Its value is the step's name.
        for (const payload of Object.values(a.value.searchAttributes?.indexedFields ?? {})) {
          const name = /"(s\d)"/.exec(Buffer.from(payload).toString("latin1"))?.[1];
          if (name === undefined) continue;
          p.begun.add(name);
          p.done.add(name);
        }
        break;
      case "workflowExecutionCancelRequestedEventAttributes":
        p.cancelRequested = true;
        break;
      default:
    }
  }
  return p;
}

/** The commands that follow from a history. */
export function nextCommands(workflowId: string, events: readonly HistoryEvent[], continues: boolean): Init<Command>[] {
  const p = progressOf(events);
  const command = (commandType: CommandType, attributes: Init<Command>["attributes"]): Init<Command> => ({
    commandType,
    attributes: attributes as never,
  });
  if (p.cancelRequested) return [command(CommandType.CANCEL_WORKFLOW_EXECUTION, { case: "cancelWorkflowExecutionCommandAttributes", value: {} })];
  const out: Init<Command>[] = [];
  const steps = stepsOf(workflowId);
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i] as Step;
    const name = `s${i}${step.kind === "child" && step.policy === ParentClosePolicy.ABANDON ? "x" : ""}`;
    if (p.done.has(name)) continue;
    if (p.begun.has(name)) {
      const id = p.scheduled.get(name) ?? 0;
      if (step.kind === "timerCanceled") {
        out.push(command(CommandType.CANCEL_TIMER, { case: "cancelTimerCommandAttributes", value: { timerId: name } }));
        continue;
      }
      if (
        step.kind === "activityCanceled" &&
        !events.some((e) => e.attributes.case === "activityTaskCancelRequestedEventAttributes" && e.attributes.value.scheduledEventId === id)
      )
        out.push(
          command(CommandType.REQUEST_CANCEL_ACTIVITY_TASK, { case: "requestCancelActivityTaskCommandAttributes", value: { scheduledEventId: id } }),
        );
      if (
        step.kind === "nexus" &&
        step.isCanceled &&
        !events.some((e) => e.attributes.case === "nexusOperationCancelRequestedEventAttributes" && e.attributes.value.scheduledEventId === id)
      )
        out.push(
          command(CommandType.REQUEST_CANCEL_NEXUS_OPERATION, {
            case: "requestCancelNexusOperationCommandAttributes",
            value: { scheduledEventId: id },
          }),
        );
      if (step.kind === "childCanceled" && !p.begun.has(`${name}c`))
        out.push(
          command(CommandType.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION, {
            case: "requestCancelExternalWorkflowExecutionCommandAttributes",
            value: { workflowId: `${workflowId}/${name}`, control: `${name}c`, childWorkflowOnly: true },
          }),
        );
      return out;
    }
    const timer = (timerId: string, micros: number): void => {
      out.push(command(CommandType.START_TIMER, { case: "startTimerCommandAttributes", value: { timerId, startToFireTimeout: duration(micros) } }));
    };
    const child = (more: { parentClosePolicy?: ParentClosePolicy; workflowRunTimeout?: ReturnType<typeof duration> }): void => {
      out.push(
        command(CommandType.START_CHILD_WORKFLOW_EXECUTION, {
          case: "startChildWorkflowExecutionCommandAttributes",
          value: { workflowId: `${workflowId}/${name}`, workflowType: { name: "sim" }, taskQueue: { name: queueOf(workflowId) }, ...more },
        }),
      );
    };
    switch (step.kind) {
      case "activity":
      case "activityCanceled":
        out.push(
          command(CommandType.SCHEDULE_ACTIVITY_TASK, {
            case: "scheduleActivityTaskCommandAttributes",
            value: {
              activityId: name,
              activityType: { name: step.kind === "activity" ? step.type : step.isSilent ? "silent" : "waits" },
              taskQueue: { name: queueOf(workflowId) },
              startToCloseTimeout: duration(20_000_000),
              scheduleToCloseTimeout: duration(300_000_000),
              heartbeatTimeout: step.kind === "activityCanceled" && step.isSilent ? undefined : duration(5_000_000),
              retryPolicy: { initialInterval: duration(100_000), maximumAttempts: step.kind === "activity" && step.isEager ? 1 : 4 },
              requestEagerExecution: step.isEager,
            },
          }),
        );
        // Something must happen for the workflow to think again.
        // Of a silent one a second attempt may be under way by then.
        if (step.kind === "activityCanceled") timer(`${name}t`, step.isSilent ? 400_000 : 30_000);
        break;
      case "nexus":
        out.push(
          command(CommandType.SCHEDULE_NEXUS_OPERATION, {
            case: "scheduleNexusOperationCommandAttributes",
            value: {
              endpoint: ENDPOINT,
              service: "service",
              operation: `${name}${step.isCanceled ? "c" : ""}`,
              nexusHeader: {},
              scheduleToCloseTimeout: duration(300_000_000),
              startToCloseTimeout: step.isTimed ? duration(200_000) : undefined,
            },
          }),
        );
        if (step.isCanceled) timer(`${name}t`, 30_000);
        break;
      case "timer":
        timer(name, step.micros);
        break;
      case "timerCanceled":
        timer(name, 60_000_000);
        timer(`${name}t`, 30_000);
        break;
      case "child":
        child({ parentClosePolicy: step.policy });
        break;
      case "childCanceled":
        child({});
        break;
      case "childTimed":
        child({ workflowRunTimeout: duration(200_000) });
        break;
      case "signalOther":
        out.push(
          command(CommandType.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION, {
            case: "signalExternalWorkflowExecutionCommandAttributes",
            value: { execution: { workflowId: step.target }, signalName: "from-workflow", control: name },
          }),
        );
        break;
      case "cancelOther":
        out.push(
          command(CommandType.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION, {
            case: "requestCancelExternalWorkflowExecutionCommandAttributes",
            value: { workflowId: step.target, control: name },
          }),
        );
        break;
      case "marker":
        out.push(command(CommandType.RECORD_MARKER, { case: "recordMarkerCommandAttributes", value: { markerName: name } }));
        continue;
      case "memo":
        out.push(
          command(CommandType.MODIFY_WORKFLOW_PROPERTIES, {
            case: "modifyWorkflowPropertiesCommandAttributes",
            value: { upsertedMemo: { fields: { [name]: Buffer.from([18, 3, 34, 97, 34]) } } },
          }),
        );
        continue;
      case "searchAttribute":
        out.push(
          command(CommandType.UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, {
            case: "upsertWorkflowSearchAttributesCommandAttributes",
            value: {
              searchAttributes: {
                indexedFields: { Word: encode(Payload, { metadata: { encoding: Buffer.from("json/plain") }, data: Buffer.from(`"${name}"`) }) },
              },
            },
          }),
        );
        continue;
    }
    return out;
  }
  const started = events[0]?.attributes;
  const isFirst = started?.case === "workflowExecutionStartedEventAttributes" && started.value.continuedExecutionRunId === "";
  if (continues && isFirst && hash(programOf(workflowId)) % 4 === 0)
    out.push(command(CommandType.CONTINUE_AS_NEW_WORKFLOW_EXECUTION, { case: "continueAsNewWorkflowExecutionCommandAttributes", value: {} }));
  else if (hash(programOf(workflowId)) % 4 === 1)
    out.push(
      command(CommandType.FAIL_WORKFLOW_EXECUTION, { case: "failWorkflowExecutionCommandAttributes", value: { failure: { message: "as it does" } } }),
    );
  else {
    const result = encode(Payloads, { payloads: [encode(Payload, { data: Buffer.from(workflowId) })] });
    out.push(command(CommandType.COMPLETE_WORKFLOW_EXECUTION, { case: "completeWorkflowExecutionCommandAttributes", value: { result } }));
  }
  return out;
}
