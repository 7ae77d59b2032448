/** Task queues by their names alone: that of a worker's sticky queue says so. */
import type { JsonObject } from "../json/json-text.js";

/** Between the name of a queue and the identity of the worker whose sticky queue it is. */
const STICKY = ":sticky:";

export const stickyQueueName = (normal: string, identity: string): string => `${normal}${STICKY}${identity}`;

export function queueOf(name: string): JsonObject {
  const at = name.indexOf(STICKY);
  return at <= 0 ? { name } : { name, kind: "TASK_QUEUE_KIND_STICKY", normal_name: name.slice(0, at) };
}
