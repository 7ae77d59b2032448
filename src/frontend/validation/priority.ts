/** Checks on priorities and fairness keys (common/priorities/priority_util.go). */
import type { Priority } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { invalidArgument } from "../../api/service-error.js";
import { isLongerThan } from "./execution.js";

export const FAIRNESS_KEY_SIZE_MAX = 64;

export function validatePriority(priority: Priority | undefined): void {
  if (priority === undefined) return;
  if (priority.priorityKey < 0) throw invalidArgument("priority key can't be negative");
  if (isLongerThan(priority.fairnessKey, FAIRNESS_KEY_SIZE_MAX)) throw invalidArgument("fairness key length exceeds limit");
  if (priority.fairnessWeight < 0) throw invalidArgument("must be greater than zero");
}
