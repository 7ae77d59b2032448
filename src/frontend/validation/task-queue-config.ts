/** Checks on changes of a task queue's configuration (service/frontend/validators.go). */
import { TaskQueueType } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import type {
  UpdateTaskQueueConfigRequest,
  UpdateTaskQueueConfigRequest_RateLimitUpdate,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { invalidArgument } from "../../api/service-error.js";
import { isLongerThan } from "./execution.js";
import { FAIRNESS_KEY_SIZE_MAX } from "./priority.js";

const REASON_SIZE_MAX = 1000;

export function validateTaskQueueConfig(request: UpdateTaskQueueConfigRequest, idSizeMax: number, overridesMax: number): void {
  const { updateQueueRateLimit, updateFairnessKeyRateLimitDefault } = request;
  const isWorkflow = request.taskQueueType === TaskQueueType.WORKFLOW;
  if (isWorkflow && updateQueueRateLimit?.rateLimit !== undefined)
    throw invalidArgument("Setting rate limit on workflow task queues is not allowed.");
  validateRateLimit(updateQueueRateLimit, "UpdateQueueRateLimit");
  if (isWorkflow && updateFairnessKeyRateLimitDefault?.rateLimit !== undefined)
    throw invalidArgument("Setting fairness key rate limit on workflow task queues is not allowed.");
  validateRateLimit(updateFairnessKeyRateLimitDefault, "UpdateFairnessKeyRateLimitDefault");
  validateText("Identity", request.identity, idSizeMax);
  validateOverrides(request, overridesMax);
  validateName(request.taskQueue);
}

function validateRateLimit(update: UpdateTaskQueueConfigRequest_RateLimitUpdate | undefined, label: string): void {
  if (update?.rateLimit === undefined) return;
  if (update.rateLimit.requestsPerSecond < 0) throw invalidArgument(`RequestsPerSecond for ${label} rate limit must be non-negative.`);
  validateText(`${label}.Reason`, update.reason, REASON_SIZE_MAX);
}

function validateText(field: string, text: string, max: number): void {
  if (isLongerThan(text, max)) throw invalidArgument(`${field} field too long (max ${max} characters).`);
}

function validateOverrides(
  { setFairnessWeightOverrides: set, unsetFairnessWeightOverrides: unset }: UpdateTaskQueueConfigRequest,
  countMax: number,
): void {
  const count = Object.keys(set).length + unset.length;
  if (count > countMax) throw invalidArgument(`too many fairness weight overrides in request: got ${count}, maximum ${countMax}`);
  for (const [key, weight] of Object.entries(set)) {
    validateKey(key);
    if (weight <= 0) throw invalidArgument(`invalid fairness weight weight for key ${JSON.stringify(key)}: must be greater than zero`);
  }
  for (const key of unset) validateKey(key);
  for (const key of unset)
    if (Object.hasOwn(set, key)) throw invalidArgument(`fairness weight override key ${JSON.stringify(key)} present in both set and unset lists`);
}

function validateKey(key: string): void {
  if (key === "") throw invalidArgument("fairness weight override key must not be empty");
  if (isLongerThan(key, FAIRNESS_KEY_SIZE_MAX)) throw invalidArgument("fairness key length exceeds limit");
}

function validateName(name: string): void {
  if (name === "") throw invalidArgument("missing task queue name");
  if (name.startsWith("/_sys/")) throw invalidArgument(`task queue family name cannot have prefix /_sys/ ${name}`);
}
