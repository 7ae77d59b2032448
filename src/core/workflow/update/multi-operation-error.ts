/** The error of an update with start: what became of each of its operations (MultiOperationExecutionFailure). */
import { MultiOperationExecutionFailure } from "../../../../gen/wire/temporal/api/errordetails/v1/message.js";
import { MultiOperationExecutionAborted } from "../../../../gen/wire/temporal/api/failure/v1/message.js";
import { Code, detail, ServiceError } from "../../../api/service-error.js";
import type { Init } from "../../../api/wire.js";

/** What an operation ends with because the other one failed. */
const ABORTED = new ServiceError(Code.ABORTED, "Operation was aborted.", [detail(MultiOperationExecutionAborted, {})]);

/** One status for each operation; undefined is success. The first that is a failure of its own gives the code of the whole. */
export function multiOperationError(errors: readonly (ServiceError | "aborted" | undefined)[]): ServiceError {
  const statuses = errors.map((e): ServiceError | undefined => (e === "aborted" ? ABORTED : e));
  const code = statuses.find((e) => e !== undefined && e !== ABORTED)?.code ?? Code.ABORTED;
  const failure = {
    statuses: statuses.map((e) => ({
      code: e?.code ?? Code.OK,
      message: e?.message ?? "",
      details: (e?.details ?? []).map((d) => ({ typeUrl: `type.googleapis.com/${d.typeName}`, value: d.value })),
    })),
  } as Init<MultiOperationExecutionFailure>;
  return new ServiceError(code, "Update-with-Start could not be executed.", [detail(MultiOperationExecutionFailure, failure)]);
}

export const startFailed = (error: ServiceError): ServiceError => multiOperationError([error, "aborted"]);
export const updateFailed = (started: boolean, error: ServiceError): ServiceError => multiOperationError([started ? undefined : "aborted", error]);
