/**
 * What the SDK suites share: a server, a client, a worker over one file of workflows, and the two questions that every test asks: what
 * came out, and what is in the history. With PERDURE_SDK_ADDRESS set, the suites run against the server that listens there (the
 * official one, to see that what they expect is what it does).
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { Client, Connection, type WorkflowHandleWithFirstExecutionRunId } from "@temporalio/client";
import { temporal } from "@temporalio/proto";
import {
  bundleWorkflowCode,
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type WorkerOptions,
  type WorkflowBundleWithSourceMap,
} from "@temporalio/worker";
import { expect } from "vitest";
import { startServer } from "../../harness/server-process.js";
import * as activities from "./activities.js";

export type Event = temporal.api.history.v1.IHistoryEvent;
const { EventType, IndexedValueType } = temporal.api.enums.v1;

export interface Suite {
  readonly client: Client;
  readonly native: NativeConnection;
  readonly taskQueue: string;
  /** An id that no other test has. */
  id(name: string): string;
  start(name: string, args?: unknown[], options?: Record<string, unknown>): Promise<WorkflowHandleWithFirstExecutionRunId>;
  history(workflowId: string, runId?: string): Promise<Event[]>;
  /** Event types of a run, without the workflow tasks. */
  events(workflowId: string, runId?: string): Promise<string[]>;
  /** @param options with workflows: a file of workflows in place of the suite's own, or null for a worker of activities only */
  worker(options?: Partial<WorkerOptions> & { readonly workflows?: string | null }): Promise<{ readonly stop: () => Promise<void> }>;
  /** Runs every history of this suite again in the SDK's replayer: each must fit the workflow's code. Answers how many. */
  replayAll(): Promise<number>;
  end(): Promise<void>;
}

export const nameOf = (e: Event): string => EventType[e.eventType as number]?.replace("EVENT_TYPE_", "") ?? "";

const ATTRIBUTES = { CustomKeywordField: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD, CustomIntField: IndexedValueType.INDEXED_VALUE_TYPE_INT };

async function registerAttributes(connection: Connection): Promise<void> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: "default" });
  const missing = Object.fromEntries(Object.entries(ATTRIBUTES).filter(([name]) => customAttributes?.[name] === undefined));
  if (Object.keys(missing).length > 0) await connection.operatorService.addSearchAttributes({ namespace: "default", searchAttributes: missing });
}

/**
 * @param workflows name of the file of workflows, beside this one
 * @param worker false: the tests start workers of their own
 */
export async function startSuite(workflows: string, worker = true): Promise<Suite> {
  Runtime.install({
    logger: new DefaultLogger("ERROR"),
    telemetryOptions: { logging: { filter: "OFF", forward: {} } },
    // Workers are listed by their heartbeats: no test waits a minute for one.
    workerHeartbeatInterval: "1s",
  });
  const elsewhere = process.env["PERDURE_SDK_ADDRESS"];
  const server = elsewhere === undefined ? await startServer() : undefined;
  const address = elsewhere ?? (server?.address as string);
  const connection = await Connection.connect({ address });
  await registerAttributes(connection);
  const client = new Client({ connection });
  const native = await NativeConnection.connect({ address });
  const taskQueue = `suite-${randomUUID().slice(0, 8)}`;
  const bundles = new Map<string, Promise<WorkflowBundleWithSourceMap>>();
  const bundleOf = (file: string) => {
    const made = bundles.get(file) ?? bundleWorkflowCode({ workflowsPath: join(import.meta.dirname, file), logger: new DefaultLogger("ERROR") });
    bundles.set(file, made);
    return made;
  };
  const running: { stop: () => Promise<void> }[] = [];

  const history = async (workflowId: string, runId?: string) => (await client.workflow.getHandle(workflowId, runId).fetchHistory()).events ?? [];
  const suite: Suite = {
    client,
    native,
    taskQueue,
    id: (name) => `${name}-${randomUUID().slice(0, 8)}`,
    start: (name, args = [], more = {}) => client.workflow.start(name, { taskQueue, workflowId: suite.id(name), args, ...more } as never),
    history,
    events: async (workflowId, runId) => (await history(workflowId, runId)).map(nameOf).filter((t) => !t.startsWith("WORKFLOW_TASK_")),
    worker: async ({ workflows: other = workflows, ...more } = {}) => {
      const code = other === null ? {} : { workflowBundle: await bundleOf(other) };
      const worker = await Worker.create({ connection: native, taskQueue, ...code, activities, ...more });
      const run = worker.run();
      let stopped: Promise<void> | undefined;
      const handle = {
        stop: () => {
          if (stopped === undefined) {
            worker.shutdown();
            stopped = run;
          }
          return stopped;
        },
      };
      running.push(handle);
      return handle;
    },
    replayAll: async () => {
      const all = async function* () {
        for await (const w of client.workflow.list({ query: `TaskQueue = '${taskQueue}'` })) {
          const events = await history(w.workflowId, w.runId);
          // A run that no worker has taken up yet has nothing to replay.
          if (events.some((e) => nameOf(e) === "WORKFLOW_TASK_COMPLETED")) yield { workflowId: w.workflowId, history: { events } };
        }
      };
      let count = 0;
      for await (const result of Worker.runReplayHistories({ workflowBundle: await bundleOf(workflows) }, all())) {
        expect(result.error, `${result.workflowId} ${result.runId}`).toBeUndefined();
        count++;
      }
      return count;
    },
    end: async () => {
      await Promise.all(running.map((w) => w.stop()));
      await native.close();
      await connection.close();
      if (server === undefined) return;
      const log = server.log();
      expect(await server.stop()).toBe(0);
      expect(log.split("\n").filter((l) => /error/i.test(l))).toEqual([]);
    },
  };
  if (worker) await suite.worker();
  return suite;
}

/** For what is to become true, on a slow machine too. */
export const eventually = <T>(ask: () => T) => expect.poll(ask, { timeout: 20_000, interval: 20 });

/** What a promise was rejected with. */
export async function failureOf<T extends Error>(promise: Promise<unknown>): Promise<T> {
  const got = await promise.then(
    (value) => ({ value }),
    (error: T) => ({ error }),
  );
  if ("value" in got) throw new Error(`answered ${JSON.stringify(got.value)} where a failure was due`);
  return got.error;
}

export const STARTED = "WORKFLOW_EXECUTION_STARTED";
export const COMPLETED = "WORKFLOW_EXECUTION_COMPLETED";
export const FAILED = "WORKFLOW_EXECUTION_FAILED";
export const CANCELED = "WORKFLOW_EXECUTION_CANCELED";
export const SIGNALED = "WORKFLOW_EXECUTION_SIGNALED";
export const CONTINUED = "WORKFLOW_EXECUTION_CONTINUED_AS_NEW";
export const SCHEDULED = "ACTIVITY_TASK_SCHEDULED";
export const ACTIVITY_STARTED = "ACTIVITY_TASK_STARTED";
export const ACTIVITY_COMPLETED = "ACTIVITY_TASK_COMPLETED";
export const TIMER_STARTED = "TIMER_STARTED";
export const TIMER_FIRED = "TIMER_FIRED";
export const CHILD_INITIATED = "START_CHILD_WORKFLOW_EXECUTION_INITIATED";
export const CHILD_STARTED = "CHILD_WORKFLOW_EXECUTION_STARTED";
