/** Commands for the process of a worker: a Nexus task of its control queue, which the SDKs' core answers itself (common/workercommands). */
import { Payload } from "../../gen/wire/temporal/api/common/v1/message.js";
import { ExecuteCommandsRequest } from "../../gen/wire/temporal/api/nexusservices/workerservice/v1/request_response.js";
import { MICROS_PER_SECOND } from "../api/time.js";
import { encode } from "../api/wire.js";
import type { NamespaceView } from "../core/namespace-view.js";
import type { WorkerCommands } from "../core/transition.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import type { NexusTaskDispatcher, NexusTaskOutcome } from "./contract.js";
import { fromTemporal } from "./failure.js";
import { handlerErrorOf } from "./operation-service.js";

const SERVICE = "temporal.api.nexusservices.workerservice.v1.WorkerService";
const OPERATION = "ExecuteCommands";
/** For a worker to poll and to answer. */
const DISPATCH_MICROS = 10 * MICROS_PER_SECOND;

export interface WorkerCommandSender {
  readonly dispatcher: NexusTaskDispatcher;
  readonly runtime: Runtime;
  readonly logger: Logger;
}

/** False: trying again may help. */
export async function sendWorkerCommands(
  { dispatcher, runtime, logger }: WorkerCommandSender,
  namespace: NamespaceView,
  controlTaskQueue: string,
  { cancel }: WorkerCommands,
): Promise<boolean> {
  const commands = cancel.map((taskToken) => ({ type: { case: "cancelActivity" as const, value: { taskToken } } }));
  const now = runtime.nowMicros();
  // Not in JSON: no SDK's data converter comes in between.
  const payload = encode(Payload, { metadata: { encoding: Buffer.from("binary/protobuf") }, data: encode(ExecuteCommandsRequest, { commands }) });
  const outcome = await dispatcher.dispatchNexusTask({
    namespace,
    taskQueue: controlTaskQueue,
    isForProcess: true,
    deadline: now + DISPATCH_MICROS,
    request: {
      variant: { case: "startOperation", value: { service: SERVICE, operation: OPERATION, payload } },
    },
  });
  const end = endOf(outcome);
  if (end !== "done") logger.warn({ controlTaskQueue, commands: cancel.length, end }, "commands for a worker were not carried out");
  return end !== "again";
}

/** A process that answers has done what it could, unless it says that it may do more. What it says in the older form is not heard. */
function endOf(outcome: NexusTaskOutcome): "done" | "refused" | "again" {
  if (outcome.kind === "failure") return handlerErrorOf(fromTemporal(outcome.failure ?? {})).isRetryable ? "again" : "refused";
  if (outcome.kind !== "response" || outcome.response?.variant.case !== "startOperation") return "again";
  switch (outcome.response.variant.value.variant.case) {
    case "syncSuccess":
    case "asyncSuccess":
      return "done";
    case "failure":
      return "refused";
    default:
      return "again";
  }
}
