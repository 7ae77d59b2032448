/**
 * Workflow rules of a namespace: a query over workflows, a predicate over activities, and what is done to an activity that is about
 * to start and fits both: it is paused. A rule that has expired, or that cannot be evaluated, does nothing. Behaviour:
 * ActivityMatchWorkflowRules in mutable_state_impl.go and service/history/workflow/matcher of the official server.
 */
import type { ActivityRecord, ExecutionRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { WorkflowRuleSpec } from "../../../gen/wire/temporal/api/rules/v1/message.js";
import { ServiceError } from "../../api/service-error.js";
import { MICROS_PER_SECOND, timestampMicros } from "../../api/time.js";
import { pause } from "../activity/operator.js";
import type { Run } from "../workflow/context.js";
import { notePauses } from "../workflow/derived-attributes.js";
import { enumName } from "../workflow/enum-name.js";
import { type Fields, matches } from "./predicate.js";

/** The activity, paused if a rule of the namespace says so. To be asked only of one that is not paused. */
export function applyRules(run: Run, a: ActivityRecord): ActivityRecord {
  let out = a;
  for (const { spec } of run.ctx.env.namespace.workflowRules ?? []) {
    if (spec === undefined || out.paused) continue;
    if (spec.expirationTime !== undefined && timestampMicros(spec.expirationTime) < run.now) continue;
    try {
      out = applyRule(run, out, spec);
    } catch (e) {
      if (!(e instanceof ServiceError)) throw e;
    }
  }
  if (out !== a) notePauses(run);
  return out;
}

/** @throws ServiceError when the rule cannot be evaluated. */
function applyRule(run: Run, a: ActivityRecord, spec: WorkflowRuleSpec): ActivityRecord {
  if (spec.trigger.case !== "activityStart") return a;
  if (spec.visibilityQuery !== "" && !matches(spec.visibilityQuery, workflowFields(run.info))) return a;
  if (!matches(spec.trigger.value.predicate, activityFields(a))) return a;
  return spec.actions.some((action) => action.variant.case === "activityPause") ? pause(run, a, { ruleId: spec.id }) : a;
}

/** A rule applied now to every pending activity. Answers whether it fitted one. */
export function triggerRule(run: Run, spec: WorkflowRuleSpec): { applied: boolean } {
  let applied = false;
  for (const a of [...run.draft.activities.values()]) if (!a.paused && applyRule(run, a, spec) !== a) applied = true;
  if (applied) notePauses(run);
  return { applied };
}

const workflowFields = (info: ExecutionRecord): Fields => ({
  WorkflowId: { kind: "text", value: info.workflowId },
  WorkflowType: { kind: "text", value: info.workflowType },
  ExecutionStatus: { kind: "word", value: title(enumName(WorkflowExecutionStatus, info.status)) },
  StartTime: { kind: "time", value: info.startTime },
});

const activityFields = (a: ActivityRecord): Fields => ({
  ActivityId: { kind: "text", value: a.activityId },
  ActivityType: { kind: "text", value: a.activityType },
  ActivityState: { kind: "text", value: a.paused ? "Paused" : a.startedTime !== 0 ? "Started" : a.cancelRequested ? "CancelRequested" : "Scheduled" },
  TaskQueue: { kind: "text", value: a.taskQueue },
  Attempts: { kind: "number", value: a.attempt },
  // There is no wait before the first attempt.
  BackoffInterval:
    a.attempt < 2
      ? { kind: "none" }
      : { kind: "number", value: Math.trunc((a.attemptScheduledTime - a.lastAttemptCompleteTime) / MICROS_PER_SECOND) },
  LastFailure: { kind: "none" },
  StartedTime: { kind: "time", value: a.startedTime },
});

const title = (name: string): string => name.charAt(0) + name.slice(1).toLowerCase();
