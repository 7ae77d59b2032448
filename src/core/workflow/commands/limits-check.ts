/** Size limits of what commands carry. Passing one ends the workflow: the same commands would come again. */

import { Memo } from "../../../../gen/wire/temporal/api/common/v1/message.js";
import type { WorkflowTaskFailedCause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { invalidArgument } from "../../../api/service-error.js";
import { encode } from "../../../api/wire.js";
import { type Completion, TaskFailure } from "./command.js";

export function checkBlob(c: Completion, sizeBytes: number, cause: WorkflowTaskFailedCause, message: string): void {
  if (sizeBytes > c.limits.blobSizeBytesMax) throw new TaskFailure(cause, invalidArgument(message), true);
}

export function checkMemo(c: Completion, memo: Memo | undefined, cause: WorkflowTaskFailedCause, message: string): void {
  if (memo !== undefined && encode(Memo, memo).length > c.limits.memoSizeBytesMax) throw new TaskFailure(cause, invalidArgument(message), true);
}

export function payloadMapSize(fields: Record<string, Uint8Array>): number {
  let size = 0;
  for (const [k, v] of Object.entries(fields)) size += k.length + v.length;
  return size;
}
