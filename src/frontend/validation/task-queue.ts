/** Checks on task queues (common/tqid/task_queue_validator.go). */
import { TaskQueueKind } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import type { TaskQueue } from "../../../gen/wire/temporal/api/taskqueue/v1/message.js";
import { invalidArgument } from "../../api/service-error.js";
import { isLongerThan } from "./execution.js";

const RESERVED_PREFIX = "/_sys/";
/** Queues of the server's own workers in every namespace. */
const INTERNAL_QUEUES: ReadonlySet<string> = new Set(["temporal-sys-per-ns-tq", "temporal-sys-worker-controller-per-ns-tq"]);

function validateName(name: string, max: number, allowPartition: boolean): void {
  if (name === "") throw invalidArgument("taskQueue is not set");
  if (isLongerThan(name, max)) throw invalidArgument("taskQueue length exceeds limit");
  if (!allowPartition && name.startsWith(RESERVED_PREFIX))
    throw invalidArgument(`task queue name cannot start with reserved prefix ${RESERVED_PREFIX}`);
}

/** Checks a queue that is polled or described, and gives it its kind. `allowPartition`: names of partitions are taken too. */
export function validateTaskQueue(queue: TaskQueue | undefined, max: number, allowPartition = false): TaskQueue {
  if (queue === undefined) throw invalidArgument("taskQueue is not set");
  if (queue.kind === TaskQueueKind.UNSPECIFIED) queue.kind = TaskQueueKind.NORMAL;
  if (queue.name === "") throw invalidArgument("missing task queue name");
  validateName(queue.name, max, allowPartition);
  if (queue.kind === TaskQueueKind.STICKY && queue.normalName !== "") validateName(queue.normalName, max, true);
  return queue;
}

/** A queue named without a kind: a normal one. */
export function validateTaskQueueName(name: string, max: number): void {
  if (name === "") throw invalidArgument("missing task queue name");
  validateName(name, max, false);
}

/** A queue that a user names for work: not one of the server's own. */
export function validateUserTaskQueue(queue: TaskQueue | undefined, max: number): TaskQueue {
  const valid = validateTaskQueue(queue, max);
  if (INTERNAL_QUEUES.has(valid.name)) throw invalidArgument(`cannot use internal per-namespace task queue:${valid.name}`);
  return valid;
}
