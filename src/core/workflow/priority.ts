/** Priorities that a workflow hands down: to its activities, and to its children (common/priorities/priority_util.go). */
import { Priority } from "../../../gen/wire/temporal/api/common/v1/message.js";

/** Field by field, the own value before the inherited one. */
export function inheritedPriority(from: Priority | undefined, own: Priority | undefined): Priority | undefined {
  if (from === undefined || own === undefined) return own ?? from;
  return Priority.create({
    priorityKey: own.priorityKey || from.priorityKey,
    fairnessKey: own.fairnessKey || from.fairnessKey,
    fairnessWeight: own.fairnessWeight || from.fairnessWeight,
  });
}
