/**
 * No workflow is broken: the engine takes an image up where it was left, workers poll, and every open workflow comes to its end
 * on a clock that does not wait.
 */
import { NamespaceRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { WorkflowExecutionStatus } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import { History } from "../../gen/wire/temporal/api/history/v1/message.js";
import {
  PollActivityTaskQueueRequest,
  PollWorkflowTaskQueueRequest,
  RespondWorkflowTaskCompletedRequest,
  SignalWorkflowExecutionRequest,
} from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call } from "../../src/api/call.js";
import { ServiceError } from "../../src/api/service-error.js";
import { decodeTaskToken } from "../../src/api/task-token.js";
import { decode } from "../../src/api/wire.js";
import type { Logger } from "../../src/lib/runtime.js";
import { DirectorySnapshot, namespaceEntry } from "../../src/namespace/record.js";
import { REGISTRY_KIND } from "../../src/namespace/registry.js";
import type { SqliteStore } from "../../src/persistence/sqlite/store.js";
import { startSimServer } from "../simulation/server.js";
import { SimRuntime, settleMicrotasks } from "../simulation/sim-runtime.js";
import { openImage } from "./check-image.js";
import { commandsFor, END, QUEUE } from "./program.js";

const STEPS_MAX = 200_000;
const POLLS = 4;
const LIST_MAX = 10_000;

const CALL: Call = {
  path: "finish",
  peer: "finish",
  deadlineMs: undefined,
  cancelled: false,
  metadata: () => undefined,
  onCancel: () => () => undefined,
};

export async function finishImage(file: string, nowMicros: number): Promise<string[]> {
  const problems: string[] = [];
  const store = await openImage(file, (e) => problems.push(`the store gives up: ${e.message}`));
  try {
    await finish(store, nowMicros, problems);
  } finally {
    await store.close();
  }
  return problems;
}

async function finish(store: SqliteStore, nowMicros: number, problems: string[]): Promise<void> {
  const registry = await store.loadRegistry();
  const entries = registry.filter((r) => r.kind === REGISTRY_KIND).map((r) => namespaceEntry(decode(NamespaceRecord, r.value), r.version));
  const namespaces = new DirectorySnapshot(entries);
  const namespace = namespaces.byName("default");
  // Cut off while it was being made: nobody has been promised anything.
  if (namespace === undefined) return;
  const runtime = new SimRuntime(1);
  runtime.now = nowMicros;
  const complain = (fields: object, message: string): void =>
    void problems.push(`logged: ${message} ${(fields as { err?: Error }).err?.stack ?? ""}`);
  const logger: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: complain };
  const { engine, matching } = await startSimServer(store, runtime, logger, {
    sameBatchTransfers: () => true,
    namespaces,
    onBug: (error) => problems.push(`the core threw: ${String(error)}`),
    onFatal: () => problems.push("the engine gives the store up"),
  });
  const refused = (e: unknown): void => {
    if (!(e instanceof ServiceError)) problems.push(String(e));
  };

  const pollWorkflow = async (): Promise<void> => {
    const r = await matching.pollWorkflowTask(namespace, PollWorkflowTaskQueueRequest.create({ taskQueue: { name: QUEUE, kind: 1 } }), CALL);
    if (r === undefined || !("task" in r)) return;
    const { task } = r;
    const token = decodeTaskToken(task.response.taskToken as Uint8Array);
    if (token === undefined) return;
    const page = await engine.readHistory(task.history, { fromEventId: 1, eventCountMax: 1_000_000, bytesMax: 1e9, reverse: false });
    const { events } = decode(History, page.data);
    const request = RespondWorkflowTaskCompletedRequest.create({
      commands: commandsFor(task.response.workflowType?.name ?? "", token.workflowId, events) as never,
    });
    await engine.submit(
      { namespaceId: namespace.id, workflowId: token.workflowId, runId: token.runId },
      { kind: "completeWorkflowTask", token, request },
    );
  };
  const pollActivity = async (): Promise<void> => {
    const r = await matching.pollActivityTask(namespace, PollActivityTaskQueueRequest.create({ taskQueue: { name: QUEUE, kind: 1 } }), CALL);
    if (r === undefined) return;
    const token = decodeTaskToken(r.task.response.taskToken as Uint8Array);
    if (token === undefined) return;
    await engine.submit(
      { namespaceId: namespace.id, workflowId: token.workflowId, runId: token.runId },
      { kind: "completeActivity", activity: { by: "token", token }, result: undefined, identity: "" },
    );
  };
  const polls = [
    { poll: pollWorkflow, waiting: 0 },
    { poll: pollActivity, waiting: 0 },
  ];
  const all = { namespaceKey: namespace.key, filter: undefined, orderBy: [] };
  const open = async (): Promise<{ workflowId: string; runId: string }[]> =>
    (await store.visibility.list(all, LIST_MAX, undefined)).rows.filter((r) => r.status === WorkflowExecutionStatus.RUNNING);

  for (const { workflowId, runId } of await open()) {
    const request = SignalWorkflowExecutionRequest.create({
      workflowExecution: { workflowId, runId },
      signalName: END,
      requestId: `finish-${runId}`,
    });
    engine.submit({ namespaceId: namespace.id, workflowId, runId }, { kind: "signal", request, external: undefined }).catch(refused);
  }
  const limit = nowMicros + 3_600_000_000;
  for (let step = 0; step < STEPS_MAX && problems.length === 0; step++) {
    for (const kind of polls)
      for (; kind.waiting < POLLS; kind.waiting++)
        kind
          .poll()
          .catch(refused)
          .finally(() => {
            kind.waiting--;
          });
    await settleMicrotasks();
    if (!runtime.turn() && ((await open()).length === 0 || !runtime.tick(limit))) break;
  }
  if (problems.length > 0) return;
  for (const { workflowId, runId } of await open()) problems.push(`${workflowId} ${runId} does not end`);
}
