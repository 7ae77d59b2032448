/** Size limits of what commands carry. Passing one ends the workflow: the same commands would come again. */

import { Memo, Payload } from "../../../../gen/wire/temporal/api/common/v1/message.js";
import type { WorkflowTaskFailedCause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { invalidArgument } from "../../../api/service-error.js";
import { MICROS_PER_SECOND } from "../../../api/time.js";
import { decode, encode } from "../../../api/wire.js";
import { type Completion, TaskFailure } from "./command.js";

export function checkBlob(c: Completion, sizeBytes: number, cause: WorkflowTaskFailedCause, message: string): void {
  if (sizeBytes > c.limits.blobSizeBytesMax) throw new TaskFailure(cause, invalidArgument(message), true);
}

export function checkMemo(c: Completion, memo: Memo | undefined, cause: WorkflowTaskFailedCause, message: string): void {
  if (memo !== undefined && encode(Memo, memo).length > c.limits.memoSizeBytesMax) throw new TaskFailure(cause, invalidArgument(message), true);
}

/** Keys and encoded values. */
export function payloadMapSize(fields: Record<string, Uint8Array>): number {
  let size = 0;
  for (const [k, v] of Object.entries(fields)) size += Buffer.byteLength(k) + v.length;
  return size;
}

/** Keys and data of the payloads: how the official server measures memos and search attributes, without their metadata. */
export function payloadDataSize(fields: Record<string, Uint8Array>): number {
  let size = 0;
  for (const [k, v] of Object.entries(fields)) size += Buffer.byteLength(k) + decode(Payload, v).data.length;
  return size;
}

const WORKFLOW_TASK_TIMEOUT_MICROS_MAX = 120 * MICROS_PER_SECOND;

/** A workflow task has two minutes at most, and never more than its run. Microseconds. */
export function boundedTaskTimeout(timeout: number, runTimeout: number): number {
  const bounded = Math.min(timeout, WORKFLOW_TASK_TIMEOUT_MICROS_MAX);
  return runTimeout > 0 ? Math.min(bounded, runTimeout) : bounded;
}
