/**
 * Batch operations. A job is a workflow of the namespace, as on the official server: its id is the job's, its memo says what it
 * does, its one activity does it, its end is the job's. What runs it is here: a worker for each namespace that has a job, which
 * polls through the methods of the server like any other worker.
 *
 * A registry row of kind "batch" stands for each job from before it starts until it has ended, so that the next process knows
 * which namespaces need a worker without looking for them. It holds the task token of the activity: what was in progress goes on at
 * once, from the details of its last heartbeat, and not when the heartbeat is missed.
 */
import { BatchJobRecord, BatchOperationInput } from "../../../gen/wire/perdure/persistence/v1/records.js";

import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { WorkflowExecutionStatus, WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { History, type HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type { PollActivityTaskQueueResponse } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { StartWorkflowExecutionRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { WorkflowService } from "../../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { serverFailure } from "../../api/failure.js";
import { firstJsonOf, jsonPayloads } from "../../api/json-payload.js";
import { Code, ServiceError } from "../../api/service-error.js";
import { decode, encode } from "../../api/wire.js";
import { type Config, ofNamespace } from "../../config/dynamic-config.js";
import { REFRESH_TASKS, targetsOf } from "../../core/batch/admin-job.js";
import { ADMIN_BATCH_DIVISION, adminMemoOf, BATCH_DIVISION, type BatchProgress, memoOf, searchAttributesOf } from "../../core/batch/job-memo.js";
import type { NamespaceView } from "../../core/namespace-view.js";
import type { HistoryEngine } from "../../history/history-engine.js";
import type { Logger, Runtime } from "../../lib/runtime.js";
import { uuidV4 } from "../../lib/uuid.js";
import type { NamespaceRegistry } from "../../namespace/registry.js";
import type { BatchJob, BatchService } from "../contract.js";
import { CallScope, type InternalClient } from "../internal-client.js";
import { runJob } from "./job-run.js";
import { BATCH_TASK_QUEUE, BATCH_WORKFLOW_TYPE, batchInput, nextCommands, readBatchInput } from "./job-workflow.js";

export const BATCH_REGISTRY_KIND = "batch";
const M = WorkflowService.methods;
const IDENTITY = "temporal-system-batcher";
const POLL_MS = 60_000;
const RETRY_MS = 1_000;
const PAGE_EVENTS = 256;

export interface BatcherOptions {
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly config: () => Config;
  readonly client: InternalClient;
  readonly namespaces: NamespaceRegistry;
  readonly history: Pick<HistoryEngine, "submit" | "rows">;
}

interface Job {
  readonly id: string;
  readonly scope: CallScope;
  record: BatchJobRecord;
}

/** The worker of one namespace: it polls while there are jobs. */
interface NamespaceWorker {
  readonly namespaceId: string;
  readonly jobs: Map<string, Job>;
  polls: CallScope | undefined;
}

const rowId = (namespaceId: string, jobId: string): string => `${namespaceId}/${jobId}`;

export class Batcher implements BatchService {
  private readonly workers = new Map<string, NamespaceWorker>();
  private isStopped = false;

  constructor(private readonly o: BatcherOptions) {
    o.namespaces.onChange((directory) => {
      for (const worker of this.workers.values()) if (directory.byId(worker.namespaceId) === undefined) this.dismiss(worker);
    });
  }

  /** Goes on with the jobs of earlier processes. */
  resumeAll(registry: readonly { kind: string; id: string; value: Uint8Array }[]): void {
    for (const row of registry) {
      if (row.kind !== BATCH_REGISTRY_KIND) continue;
      const record = decode(BatchJobRecord, row.value);
      const job = { id: record.jobId, scope: new CallScope(), record };
      this.workerOf(record.namespaceId).jobs.set(job.id, job);
      this.again(() => this.resume(record.namespaceId, job), job.scope);
    }
  }

  async start(namespace: NamespaceView, job: BatchJob): Promise<void> {
    const { jobId } = job.request;
    const worker = this.workerOf(namespace.id);
    const before = worker.jobs.get(jobId);
    const own: Job = before ?? {
      id: jobId,
      scope: new CallScope(),
      record: { namespaceId: namespace.id, jobId, taskToken: new Uint8Array() },
    };
    if (before === undefined) {
      worker.jobs.set(jobId, own);
      await this.save(own);
    }
    try {
      await this.o.history.submit(
        { namespaceId: namespace.id, workflowId: jobId, runId: "" },
        { kind: "start", request: this.startRequest(namespace, job), parent: undefined },
      );
    } catch (e) {
      if (before === undefined) await this.forget(namespace.id, own);
      throw e;
    }
    this.poll(worker);
  }

  private startRequest(namespace: NamespaceView, { request, admin, query, type, identity }: BatchJob): StartWorkflowExecutionRequest {
    const what = admin === undefined ? { batchType: type, request: { ...request, visibilityQuery: query } } : { adminRequest: admin };
    const input: BatchOperationInput = BatchOperationInput.create({ namespaceId: namespace.id, ...what });
    return StartWorkflowExecutionRequest.create({
      namespace: namespace.name,
      workflowId: request.jobId,
      workflowType: { name: BATCH_WORKFLOW_TYPE },
      taskQueue: { name: BATCH_TASK_QUEUE, kind: 1 },
      input: batchInput(input),
      identity,
      requestId: uuidV4(this.o.runtime.randomBytes16()),
      workflowTaskTimeout: { seconds: Math.ceil(ofNamespace(this.o.config(), namespace.name).limits.workflowTaskTimeoutMsDefault / 1000) },
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
      workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
      memo: admin === undefined ? memoOf(request, type) : adminMemoOf(admin.reason),
      searchAttributes: searchAttributesOf(identity, admin === undefined ? BATCH_DIVISION : ADMIN_BATCH_DIVISION),
    });
  }

  stopped(namespace: NamespaceView, jobId: string): void {
    const job = this.workers.get(namespace.id)?.jobs.get(jobId);
    if (job !== undefined) this.inBackground(() => this.end(namespace.id, job));
  }

  stop(): void {
    this.isStopped = true;
    for (const worker of [...this.workers.values()]) this.dismiss(worker);
  }

  private dismiss(worker: NamespaceWorker): void {
    this.workers.delete(worker.namespaceId);
    worker.polls?.cancel();
    for (const job of worker.jobs.values()) job.scope.cancel();
  }

  // --- jobs

  private workerOf(namespaceId: string): NamespaceWorker {
    let worker = this.workers.get(namespaceId);
    if (worker === undefined) this.workers.set(namespaceId, (worker = { namespaceId, jobs: new Map(), polls: undefined }));
    return worker;
  }

  private save(job: Job): Promise<void> {
    const { record } = job;
    return this.o.history.rows.commit((rows) =>
      rows.writeRegistry(BATCH_REGISTRY_KIND, rowId(record.namespaceId, job.id), 1, { op: "put", value: encode(BatchJobRecord, record) }),
    );
  }

  /** The job has ended. */
  private async end(namespaceId: string, job: Job): Promise<void> {
    job.scope.cancel();
    await this.forget(namespaceId, job);
  }

  private async forget(namespaceId: string, job: Job): Promise<void> {
    const worker = this.workers.get(namespaceId);
    if (worker?.jobs.get(job.id) === job) {
      worker.jobs.delete(job.id);
      if (worker.jobs.size === 0) {
        worker.polls?.cancel();
        this.workers.delete(namespaceId);
      }
    }
    await this.o.history.rows.commit((rows) => rows.writeRegistry(BATCH_REGISTRY_KIND, rowId(namespaceId, job.id), 1, { op: "delete" }));
  }

  /** What an earlier process left of a job. */
  private async resume(namespaceId: string, job: Job): Promise<void> {
    const described = await this.describe(namespaceId, job.id);
    if (described?.workflowExecutionInfo?.status !== WorkflowExecutionStatus.RUNNING) {
      await this.end(namespaceId, job);
      return;
    }
    const worker = this.workerOf(namespaceId);
    this.poll(worker);
    const { taskToken } = job.record;
    const activity = described.pendingActivities?.[0];
    if (taskToken.length === 0 || activity === undefined) return;
    const started = await this.eventsOf(namespaceId, job.id);
    const scheduled = started.find((e) => e.eventType === EventType.ACTIVITY_TASK_SCHEDULED)?.attributes;
    const input = scheduled?.case === "activityTaskScheduledEventAttributes" ? scheduled.value.input : undefined;
    if (input === undefined) return;
    await this.work(worker, job, taskToken, input, activity.heartbeatDetails);
  }

  private async describe(namespaceId: string, workflowId: string) {
    try {
      return await this.o.history.submit({ namespaceId, workflowId, runId: "" }, { kind: "describe" });
    } catch (e) {
      if (e instanceof ServiceError && e.code === Code.NOT_FOUND) return undefined;
      throw e;
    }
  }

  private async eventsOf(namespaceId: string, workflowId: string): Promise<HistoryEvent[]> {
    const namespace = this.nameOf(namespaceId);
    const events: HistoryEvent[] = [];
    let nextPageToken: Uint8Array = new Uint8Array();
    do {
      const request = { namespace, execution: { workflowId }, maximumPageSize: PAGE_EVENTS, nextPageToken };
      const page = await this.o.client.call(M.GetWorkflowExecutionHistory, request);
      if (page.history !== undefined) events.push(...decode(History, page.history).events);
      nextPageToken = page.nextPageToken;
    } while (nextPageToken.length > 0);
    return events;
  }

  private nameOf(namespaceId: string): string {
    return this.o.namespaces.viewById(namespaceId).name;
  }

  // --- the worker of a namespace

  private poll(worker: NamespaceWorker): void {
    if (worker.polls !== undefined || this.isStopped) return;
    const scope = new CallScope();
    worker.polls = scope;
    this.again(() => this.workflowTasks(worker, scope), scope);
    this.again(() => this.activityTasks(worker, scope), scope);
  }

  private async workflowTasks(worker: NamespaceWorker, scope: CallScope): Promise<void> {
    while (!scope.isCancelled) {
      const namespace = this.nameOf(worker.namespaceId);
      const request = { namespace, taskQueue: { name: BATCH_TASK_QUEUE, kind: 1 as const }, identity: IDENTITY };
      const task = await this.o.client.call(M.PollWorkflowTaskQueue, request, scope, POLL_MS);
      if (task.taskToken.length === 0) continue;
      const jobId = task.workflowExecution?.workflowId ?? "";
      const events =
        task.nextPageToken.length > 0 || task.history === undefined
          ? await this.eventsOf(worker.namespaceId, jobId)
          : decode(History, task.history).events;
      const { commands, isOver } = nextCommands(events);
      try {
        await this.o.client.call(M.RespondWorkflowTaskCompleted, { namespace, taskToken: task.taskToken, identity: IDENTITY, commands });
      } catch (e) {
        // The workflow has ended, or something new has come that the next task holds.
        if (!(e instanceof ServiceError) || (e.code !== Code.NOT_FOUND && e.code !== Code.INVALID_ARGUMENT)) throw e;
        continue;
      }
      const job = worker.jobs.get(jobId);
      if (isOver && job !== undefined) await this.end(worker.namespaceId, job);
    }
  }

  private async activityTasks(worker: NamespaceWorker, scope: CallScope): Promise<void> {
    while (!scope.isCancelled) {
      const namespace = this.nameOf(worker.namespaceId);
      const request = { namespace, taskQueue: { name: BATCH_TASK_QUEUE, kind: 1 as const }, identity: IDENTITY };
      const task: PollActivityTaskQueueResponse = await this.o.client.call(M.PollActivityTaskQueue, request, scope, POLL_MS);
      if (task.taskToken.length === 0) continue;
      const job = worker.jobs.get(task.workflowExecution?.workflowId ?? "");
      if (job === undefined || task.input === undefined) continue;
      job.record = { ...job.record, taskToken: task.taskToken };
      await this.save(job);
      const { taskToken, input, heartbeatDetails } = task;
      this.inBackground(() => this.work(worker, job, taskToken, input, heartbeatDetails));
    }
  }

  /** The activity of a job, from the details of its last heartbeat. */
  private async work(worker: NamespaceWorker, job: Job, taskToken: Uint8Array, input: Uint8Array, details: Uint8Array | undefined): Promise<void> {
    const { client, runtime, logger, config } = this.o;
    const namespace = this.nameOf(worker.namespaceId);
    const { request: own, adminRequest, batchType } = readBatchInput(input);
    const request = adminRequest === undefined ? own : targetsOf(adminRequest);
    if (request === undefined) return;
    const { limits } = ofNamespace(config(), namespace);
    const rates = [limits.batcherRps, request.maxOperationsPerSecond].filter((r) => r > 0);
    let answer: () => Promise<unknown>;
    try {
      const done = await runJob({
        client,
        runtime,
        logger,
        namespace,
        request,
        type: adminRequest === undefined ? batchType : REFRESH_TASKS,
        scope: job.scope,
        progress: details === undefined ? undefined : (firstJsonOf(details) as BatchProgress | undefined),
        concurrency: limits.batcherConcurrency,
        perSecond: rates.length === 0 ? 0 : Math.min(...rates),
        heartbeat: async (p) => {
          await client.call(M.RecordActivityTaskHeartbeat, { namespace, taskToken, identity: IDENTITY, details: jsonPayloads(p) });
        },
      });
      answer = () => client.call(M.RespondActivityTaskCompleted, { namespace, taskToken, identity: IDENTITY, result: jsonPayloads(done) });
    } catch (e) {
      if (this.isStopped) return;
      if (job.scope.isCancelled || (e instanceof ServiceError && e.code === Code.NOT_FOUND)) {
        // The workflow was terminated, or the attempt is another's.
        const described = await this.describe(worker.namespaceId, job.id);
        if (described?.workflowExecutionInfo?.status !== WorkflowExecutionStatus.RUNNING) await this.end(worker.namespaceId, job);
        return;
      }
      const isFinal = e instanceof ServiceError && e.code === Code.INVALID_ARGUMENT;
      const message = e instanceof Error ? e.message : String(e);
      logger.warn({ namespace, jobId: job.id, error: message }, "a batch operation failed");
      const failure = {
        ...serverFailure(message, undefined),
        failureInfo: { case: "applicationFailureInfo" as const, value: { type: isFinal ? "InvalidArgument" : "", nonRetryable: isFinal } },
      };
      answer = () => client.call(M.RespondActivityTaskFailed, { namespace, taskToken, identity: IDENTITY, failure });
    }
    await answer().catch((e: unknown) => {
      if (!(e instanceof ServiceError && e.code === Code.NOT_FOUND)) throw e;
    });
  }

  // --- loops

  /** Runs `f` until it succeeds or the scope ends, with a pause after a failure. */
  private again(f: () => Promise<void>, scope: CallScope): void {
    if (this.isStopped || scope.isCancelled) return;
    f().catch((e: unknown) => {
      if (this.isStopped || scope.isCancelled) return;
      this.o.logger.warn({ err: e }, "a batch operation waits for its next attempt");
      this.o.runtime.setTimer(RETRY_MS, () => this.again(f, scope));
    });
  }

  private inBackground(f: () => Promise<void>): void {
    f().catch((e: unknown) => {
      if (!this.isStopped) this.o.logger.warn({ err: e }, "a batch operation could not go on");
    });
  }
}
