/**
 * The operations of the endpoint `__temporal_system`: requests to this server that workflows make as Nexus operations
 * (chasm/lib/workflow/nexus_service.go of the official server). There is one, SignalWithStartWorkflowExecution.
 * - The request is the input, protobuf in binary form; it says neither its id nor its links, which are those of the operation.
 * - What a caller of the RPC would be told of the request fails the workflow task that asks for it, before the operation begins.
 */
import { type Link, Payload } from "../../../gen/wire/temporal/api/common/v1/message.js";
import {
  SignalWithStartWorkflowExecutionRequest,
  SignalWithStartWorkflowExecutionResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { Code, invalidArgument, ServiceError, unimplemented } from "../../api/service-error.js";
import { decode, encode, type Init, WireError } from "../../api/wire.js";
import type { SystemOperation, SystemOperations } from "../../core/nexus-operation/endpoints.js";
import type { Services } from "../services.js";
import { signalWithStart, validateSignalWithStart } from "./start.js";

const SERVICE = "temporal.api.workflowservice.v1.WorkflowService";
const OPERATION = "SignalWithStartWorkflowExecution";
const RESPONSE_TYPE = "temporal.api.workflowservice.v1.SignalWithStartWorkflowExecutionResponse";
const REFUSALS: ReadonlySet<Code> = new Set([Code.INVALID_ARGUMENT, Code.NOT_FOUND]);

/** `requestId`, `link`: of the operation. */
export interface SystemCall extends SystemOperation {
  readonly requestId: string;
  readonly link: Init<Link>;
}

export const systemOperations = (s: Services): SystemOperations => ({
  problem(operation) {
    try {
      const request = requestOf(s, operation);
      validateSignalWithStart(s, request);
      return undefined;
    } catch (e) {
      if (e instanceof ServiceError && REFUSALS.has(e.code)) return e.message;
      throw e;
    }
  },
});

/** `result`: encoded Payload. @throws ServiceError */
export async function callSystemOperation(s: Services, operation: SystemCall): Promise<{ result: Uint8Array; link: Init<Link> }> {
  const request = requestOf(s, operation);
  request.requestId = operation.requestId;
  request.links = [operation.link as Link];
  const { runId, started, signalLink } = await signalWithStart(s, request);
  const data = encode(SignalWithStartWorkflowExecutionResponse, { runId, started, signalLink });
  const metadata = { encoding: Buffer.from("binary/protobuf"), messageType: Buffer.from(RESPONSE_TYPE) };
  return { result: encode(Payload, { metadata, data }), link: signalLink };
}

/** @throws ServiceError */
function requestOf(s: Services, { namespace, service, operation, input }: SystemOperation): SignalWithStartWorkflowExecutionRequest {
  if (service !== SERVICE) throw new ServiceError(Code.NOT_FOUND, `service ${JSON.stringify(service)} not found`);
  if (operation !== OPERATION) throw new ServiceError(Code.NOT_FOUND, `operation ${JSON.stringify(operation)} not found`);
  const request = decoded(input);
  if (!s.limits(namespace).isSignalWithStartFromWorkflowEnabled) throw unimplemented("SignalWithStart operation is disabled");
  if (request.namespace === "") request.namespace = namespace;
  else if (request.namespace !== namespace)
    throw invalidArgument(
      `Namespace in request ${JSON.stringify(request.namespace)} does not match namespace in context ${JSON.stringify(namespace)}`,
    );
  if (request.requestId !== "") throw invalidArgument("RequestID should not be set on the request");
  if (request.links.length > 0) throw invalidArgument("Links should not be set on the request");
  return request;
}

function decoded(input: Uint8Array | undefined): SignalWithStartWorkflowExecutionRequest {
  const { metadata, data } = decode(Payload, input ?? new Uint8Array());
  const encoding = Buffer.from(metadata["encoding"] ?? []).toString();
  if (encoding !== "binary/protobuf")
    throw invalidArgument(`failed to decode input payload: encoding ${JSON.stringify(encoding)} is not binary/protobuf`);
  try {
    return decode(SignalWithStartWorkflowExecutionRequest, data);
  } catch (e) {
    if (!(e instanceof WireError)) throw e;
    throw invalidArgument(`failed to decode input payload: ${e.message}`);
  }
}
