/**
 * Warnings on the size of what commands carry. The error limits are the core's, where the whole completion is refused; the log is
 * ours (service/history/api/respondworkflowtaskcompleted/workflow_size_checker.go of the official server does both).
 */
import type { Command } from "../../../gen/wire/temporal/api/command/v1/message.js";
import { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import { encode } from "../../api/wire.js";
import { encodedMapSize, type SizeContext, warnOfSize } from "./size.js";

type Fields = Readonly<Record<string, Uint8Array>>;

/** The official names of the operations, what each carries, and its memo. */
function carried({ attributes: a }: Command): { operation: string; sizeBytes: number; memo?: Fields | undefined } | undefined {
  switch (a.case) {
    case "scheduleActivityTaskCommandAttributes":
      return { operation: "ScheduleActivityTask", sizeBytes: a.value.input?.length ?? 0 };
    case "completeWorkflowExecutionCommandAttributes":
      return { operation: "CompleteWorkflowExecution", sizeBytes: a.value.result?.length ?? 0 };
    case "failWorkflowExecutionCommandAttributes":
      return { operation: "FailWorkflowExecution", sizeBytes: a.value.failure === undefined ? 0 : encode(Failure, a.value.failure).length };
    case "recordMarkerCommandAttributes":
      return { operation: "RecordMarker", sizeBytes: encodedMapSize(a.value.details) };
    case "continueAsNewWorkflowExecutionCommandAttributes":
      return { operation: "ContinueAsNewWorkflowExecution", sizeBytes: a.value.input?.length ?? 0, memo: a.value.memo?.fields };
    case "startChildWorkflowExecutionCommandAttributes":
      return { operation: "StartChildWorkflowExecution", sizeBytes: a.value.input?.length ?? 0, memo: a.value.memo?.fields };
    case "signalExternalWorkflowExecutionCommandAttributes":
      return { operation: "SignalExternalWorkflowExecution", sizeBytes: a.value.input?.length ?? 0 };
    case "upsertWorkflowSearchAttributesCommandAttributes":
      return { operation: "UpsertWorkflowSearchAttributes", sizeBytes: encodedMapSize(a.value.searchAttributes?.indexedFields ?? {}) };
    case "modifyWorkflowPropertiesCommandAttributes":
      return { operation: "ModifyWorkflowProperties", sizeBytes: 0, memo: a.value.upsertedMemo?.fields };
    default:
      return undefined;
  }
}

export function warnOfCommandSizes(commands: readonly Command[], context: Omit<SizeContext, "operation">): void {
  const { blobSizeWarn, memoSizeWarn } = context.limits;
  for (const command of commands) {
    const c = carried(command);
    if (c === undefined) continue;
    const { operation, sizeBytes, memo } = c;
    if (sizeBytes > blobSizeWarn) warnOfSize(sizeBytes, { ...context, operation });
    const memoBytes = memo === undefined ? 0 : encodedMapSize(memo);
    if (memoBytes > memoSizeWarn) warnOfSize(memoBytes, { ...context, operation });
  }
}
