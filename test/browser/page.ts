/** What runs in the page: calls of the server by @connectrpc/connect-web, and what came of them. Bundled for a browser by the test. */
import { Code, ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { Health } from "../../gen/es/grpc/health/v1/health_pb.js";
import { TaskQueueKind } from "../../gen/es/temporal/api/enums/v1/task_queue_pb.js";
import { HistoryEventFilterType } from "../../gen/es/temporal/api/enums/v1/workflow_pb.js";
import { WorkflowExecutionAlreadyStartedFailureSchema } from "../../gen/es/temporal/api/errordetails/v1/message_pb.js";
import { WorkflowService } from "../../gen/es/temporal/api/workflowservice/v1/service_pb.js";

export type Protocol = "Connect in JSON" | "Connect in binary" | "gRPC-Web";

export interface Visit {
  readonly base: string;
  readonly key: string;
  readonly protocol: Protocol;
  /** Of the workflow that it starts. */
  readonly workflowId: string;
}

const NAMESPACE = "default";

function transportOf({ base: baseUrl, protocol }: Visit, headers: Readonly<Record<string, string>>): Transport {
  const withHeaders: Interceptor = (next) => (request) => {
    for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
    return next(request);
  };
  const options = { baseUrl, interceptors: [withHeaders] };
  if (protocol === "gRPC-Web") return createGrpcWebTransport(options);
  return createConnectTransport({ ...options, useBinaryFormat: protocol === "Connect in binary" });
}

/** Name of the code and text of a failure; "OK" of none. */
async function outcomeOf(answer: Promise<unknown>): Promise<string> {
  try {
    await answer;
    return "OK";
  } catch (e) {
    const error = ConnectError.from(e);
    return `${Code[error.code]}: ${error.rawMessage}`;
  }
}

export async function visit(v: Visit): Promise<Readonly<Record<string, unknown>>> {
  const transport = transportOf(v, { authorization: `Bearer ${v.key}`, "temporal-api-version": "v1" });
  const client = createClient(WorkflowService, transport);
  const stranger = createClient(WorkflowService, transportOf(v, {}));
  const execution = { workflowId: v.workflowId };
  const request = {
    ...{ namespace: NAMESPACE, workflowId: v.workflowId, workflowType: { name: "T" }, taskQueue: { name: "page" } },
    identity: "a page – with ünïcode",
  };
  const { runId } = await client.startWorkflowExecution({ ...request, requestId: "first" });
  const again = await client.startWorkflowExecution({ ...request, requestId: "second" }).catch((e: unknown) => ConnectError.from(e));
  const details = again instanceof ConnectError ? again.findDetails(WorkflowExecutionAlreadyStartedFailureSchema) : [];

  const end = client.getWorkflowExecutionHistory({
    ...{ namespace: NAMESPACE, execution, waitNewEvent: true },
    historyEventFilterType: HistoryEventFilterType.CLOSE_EVENT,
  });
  const leaving = new AbortController();
  const left = outcomeOf(
    client.pollWorkflowTaskQueue(
      { namespace: NAMESPACE, taskQueue: { name: "nobody", kind: TaskQueueKind.NORMAL } },
      { signal: leaving.signal, timeoutMs: 60_000 },
    ),
  );
  // While two of its calls wait, a third is answered.
  await client.signalWorkflowExecution({ namespace: NAMESPACE, workflowExecution: execution, signalName: "s" });
  leaving.abort();
  await client.terminateWorkflowExecution({ namespace: NAMESPACE, workflowExecution: execution, reason: "the page goes" });
  const attributes = (await end).history?.events[0]?.attributes;

  const watching = new AbortController();
  const statuses: number[] = [];
  try {
    for await (const { status } of createClient(Health, transport).watch({ service: "" }, { signal: watching.signal })) {
      statuses.push(status);
      watching.abort();
    }
  } catch (e) {
    if (!watching.signal.aborted) throw e;
  }
  return {
    isStarted: runId !== "",
    again: again instanceof ConnectError ? Code[again.code] : "OK",
    isSameRun: details[0]?.runId === runId,
    end: attributes?.case === "workflowExecutionTerminatedEventAttributes" ? attributes.value.reason : attributes?.case,
    left: await left,
    statuses,
    elsewhere: await outcomeOf(client.listWorkflowExecutions({ namespace: "other" })),
    stranger: await outcomeOf(stranger.listWorkflowExecutions({ namespace: NAMESPACE })),
    deadline: await outcomeOf(
      client.pollWorkflowTaskQueue({ namespace: NAMESPACE, taskQueue: { name: "nobody", kind: TaskQueueKind.NORMAL } }, { timeoutMs: 900 }),
    ),
  };
}

/** For a page that may not: one try. */
export function attempt(v: Visit): Promise<string> {
  const client = createClient(WorkflowService, transportOf(v, { authorization: `Bearer ${v.key}` }));
  return outcomeOf(
    client.startWorkflowExecution({
      ...{ namespace: NAMESPACE, workflowId: v.workflowId, workflowType: { name: "T" }, taskQueue: { name: "page" }, requestId: "first" },
    }),
  );
}

Object.assign(globalThis, { visit, attempt });
