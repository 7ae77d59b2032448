/**
 * How many calls that may wait a namespace may have at once, for each method (frontend.namespaceCount). One that is over is
 * refused at once, so that a client with a leak of polls does not take the server's memory
 * (common/rpc/interceptor/concurrent_request_limit.go of the official server).
 */
import { ResourceExhaustedCause, ResourceExhaustedScope } from "../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import type { Interceptor } from "../api/call.js";
import { resourceExhausted } from "../api/service-error.js";

const COUNTED: ReadonlySet<string> = new Set([
  "PollWorkflowTaskQueue",
  "PollActivityTaskQueue",
  "PollNexusTaskQueue",
  "PollWorkflowExecutionUpdate",
  "PollActivityExecution",
  "PollNexusOperationExecution",
  "PollWorkflowExecutionTimeSkipping",
  "QueryWorkflow",
  "UpdateWorkflowExecution",
  "ExecuteMultiOperation",
  "GetWorkflowExecutionHistory",
  "DispatchByNamespaceAndTaskQueue",
  "DispatchByEndpoint",
]);

interface CountedRequest {
  namespace?: string;
  waitNewEvent?: boolean;
}

/** `max`: of a namespace; 0 is no limit. */
export function concurrentCallsLimiter(max: (namespace: string) => number): Interceptor {
  const counts = new Map<string, number>();
  const counted = async (namespace: string, name: string, next: () => unknown): Promise<unknown> => {
    const key = `${namespace}/${name}`;
    const count = (counts.get(key) ?? 0) + 1;
    const limit = max(namespace);
    if (limit > 0 && count > limit)
      throw resourceExhausted(
        "namespace concurrent poller limit exceeded",
        ResourceExhaustedCause.CONCURRENT_LIMIT,
        ResourceExhaustedScope.NAMESPACE,
      );
    counts.set(key, count);
    try {
      return await next();
    } finally {
      const left = (counts.get(key) ?? 1) - 1;
      if (left > 0) counts.set(key, left);
      else counts.delete(key);
    }
  };
  return (method, request, _call, next) => {
    const { namespace = "", waitNewEvent } = request as CountedRequest;
    return !COUNTED.has(method.name) || waitNewEvent === false ? next() : counted(namespace, method.name, next);
  };
}
