/**
 * The work of a batch operation: page after page of executions, a few at once, at the rate that the settings and the request
 * allow. Progress is made durable with each page and every two seconds; who goes on after a crash begins the page in progress again,
 * which changes nothing for executions that were done: request ids are the same, and what has gone is passed over.
 */

import { BatchOperationType } from "../../../gen/wire/temporal/api/enums/v1/batch_operation.js";
import type { StartBatchOperationRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { WorkflowService } from "../../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { Code, ServiceError } from "../../api/service-error.js";
import { REFRESH_TASKS } from "../../core/batch/admin-job.js";
import { isOfActivities, type BatchProgress as Progress } from "../../core/batch/job-memo.js";
import { RateLimiter } from "../../core/matching/rate-limiter.js";
import type { Logger, Runtime } from "../../lib/runtime.js";
import type { CallScope, InternalClient } from "../internal-client.js";
import { isPassing, operate, type Target } from "./operations.js";

const M = WorkflowService.methods;
const PAGE_SIZE = 100;
const ATTEMPTS_MAX = 50;
const RETRY_MS_MIN = 20;
const RETRY_MS_MAX = 1_000;
const HEARTBEAT_MS = 2_000;
const OPEN_ONLY = "ExecutionStatus='Running' OR ExecutionStatus='Paused'";
/** They concern closed executions too. */
const OF_ANY_STATE: ReadonlySet<number> = new Set([
  BatchOperationType.DELETE,
  BatchOperationType.DELETE_WORKFLOW,
  BatchOperationType.DELETE_ACTIVITY,
  BatchOperationType.RESET,
  BatchOperationType.RESET_WORKFLOW,
  REFRESH_TASKS,
]);

export interface JobRunOptions {
  readonly client: InternalClient;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly namespace: string;
  readonly request: StartBatchOperationRequest;
  readonly type: number;
  /** Cancelled when the job is stopped. */
  readonly scope: CallScope;
  /** Undefined begins. */
  readonly progress: Progress | undefined;
  readonly concurrency: number;
  /** Operations a second; 0 is no limit. */
  readonly perSecond: number;
  /** Makes progress durable. Rejects when the job is no longer wanted. */
  readonly heartbeat: (progress: Progress) => Promise<void>;
}

interface Page {
  readonly targets: readonly Target[];
  /** Base64; null after the last page. */
  readonly next: string | null;
}

export async function runJob(o: JobRunOptions): Promise<Progress> {
  const run = new JobRun(o);
  return run.run();
}

class JobRun {
  private progress: Progress;
  private readonly query: string;
  private readonly limiter: RateLimiter | undefined;
  private beaten = 0;

  constructor(private readonly o: JobRunOptions) {
    const asked = o.request.visibilityQuery;
    this.query = asked === "" || OF_ANY_STATE.has(o.type) ? asked : `(${asked}) AND (${OPEN_ONLY})`;
    this.limiter = o.perSecond > 0 ? new RateLimiter(o.perSecond, o.runtime.nowMicros()) : undefined;
    const { PageToken, CurrentPage, TotalEstimate, SuccessCount, ErrorCount } = o.progress ?? EMPTY;
    this.progress = { PageToken, CurrentPage, TotalEstimate, SuccessCount, ErrorCount };
  }

  async run(): Promise<Progress> {
    if (this.o.progress === undefined) {
      this.progress.TotalEstimate = await this.estimate();
      await this.beat();
    }
    for (;;) {
      const page = await this.page();
      const done = await this.operateOn(page.targets);
      this.progress = {
        PageToken: page.next,
        CurrentPage: this.progress.CurrentPage + 1,
        TotalEstimate: this.progress.TotalEstimate,
        SuccessCount: this.progress.SuccessCount + done.success,
        ErrorCount: this.progress.ErrorCount + done.error,
      };
      if (page.next === null) return this.progress;
      await this.beat();
    }
  }

  private async beat(): Promise<void> {
    this.beaten = this.o.runtime.nowMicros();
    await this.o.heartbeat(this.progress);
  }

  private get explicit(): readonly Target[] {
    const { targetExecutions, executions } = this.o.request;
    return targetExecutions.length > 0
      ? targetExecutions.map((t) => ({ id: t.businessId, runId: t.runId }))
      : executions.map((e) => ({ id: e.workflowId, runId: e.runId }));
  }

  private get isOfActivities(): boolean {
    return isOfActivities(this.o.request.operation.case);
  }

  private async estimate(): Promise<number> {
    if (this.query === "") return this.explicit.length;
    const { client, namespace, scope } = this.o;
    const request = { namespace, query: this.query };
    const { count } = this.isOfActivities
      ? await client.call(M.CountActivityExecutions, request, scope)
      : await client.call(M.CountWorkflowExecutions, request, scope);
    return count;
  }

  private async page(): Promise<Page> {
    const { client, namespace, scope } = this.o;
    const token = this.progress.PageToken;
    if (this.query === "") {
      const all = this.explicit;
      const from = token === null ? 0 : Number(Buffer.from(token, "base64").toString());
      const to = from + PAGE_SIZE;
      return { targets: all.slice(from, to), next: to < all.length ? Buffer.from(String(to)).toString("base64") : null };
    }
    const request = {
      namespace,
      query: this.query,
      pageSize: PAGE_SIZE,
      nextPageToken: token === null ? new Uint8Array() : Buffer.from(token, "base64"),
    };
    const { targets, next } = this.isOfActivities ? await activities() : await workflows();
    return { targets, next: next.length === 0 ? null : Buffer.from(next).toString("base64") };

    async function workflows() {
      const { executions, nextPageToken } = await client.call(M.ListWorkflowExecutions, request, scope);
      return { targets: executions.map((e) => ({ id: e.execution?.workflowId ?? "", runId: e.execution?.runId ?? "" })), next: nextPageToken };
    }
    async function activities() {
      const { executions, nextPageToken } = await client.call(M.ListActivityExecutions, request, scope);
      return { targets: executions.map((e) => ({ id: e.activityId, runId: e.runId })), next: nextPageToken };
    }
  }

  private async operateOn(targets: readonly Target[]): Promise<{ success: number; error: number }> {
    const queue = [...targets];
    const done = { success: 0, error: 0 };
    const work = async (): Promise<void> => {
      for (let t = queue.shift(); t !== undefined; t = queue.shift()) {
        if (await this.succeeds(t)) done.success++;
        else done.error++;
        if (this.o.runtime.nowMicros() - this.beaten > HEARTBEAT_MS * 1000) {
          this.progress = { ...this.progress, PageSuccessCount: done.success, PageErrorCount: done.error };
          await this.beat();
        }
      }
    };
    await Promise.all(Array.from({ length: Math.max(1, this.o.concurrency) }, work));
    return done;
  }

  private async succeeds(target: Target): Promise<boolean> {
    const { client, namespace, request, type, scope, runtime, logger } = this.o;
    const operation = request.operation.case;
    for (let attempt = 1; ; attempt++) {
      await this.turn();
      this.throwIfStopped();
      try {
        await operate({ client, namespace, request, type, scope, nowMicros: () => runtime.nowMicros() }, target);
        return true;
      } catch (e) {
        this.throwIfStopped();
        // It is not running any more, or has gone.
        if (e instanceof ServiceError && e.code === Code.NOT_FOUND) return true;
        const fields = { namespace, jobId: request.jobId, id: target.id, runId: target.runId, attempt, error: String(e) };
        logger.warn(fields, "an operation of a batch failed");
        if (attempt >= ATTEMPTS_MAX || !isPassing(e, operation)) return false;
      }
      await this.sleep(Math.min(RETRY_MS_MIN * 2 ** Math.min(attempt, 10), RETRY_MS_MAX));
      await this.stillWanted();
    }
  }

  private async stillWanted(): Promise<void> {
    if (this.o.runtime.nowMicros() - this.beaten > HEARTBEAT_MS * 1000) await this.beat();
  }

  /** Waits for the next token of the rate. */
  private async turn(): Promise<void> {
    const { limiter } = this;
    if (limiter === undefined) return;
    for (let now = this.o.runtime.nowMicros(); !limiter.tryTake(now); now = this.o.runtime.nowMicros()) {
      await this.sleep(Math.max(1, Math.min(HEARTBEAT_MS, Math.ceil(((limiter.nextAt(now) ?? now) - now) / 1000))));
      this.throwIfStopped();
      await this.stillWanted();
    }
  }

  private throwIfStopped(): void {
    if (this.o.scope.isCancelled) throw new ServiceError(Code.CANCELLED, "context canceled");
  }

  private sleep(ms: number): Promise<void> {
    const { runtime, scope } = this.o;
    return new Promise((resolve) => {
      let stopListening = (): void => undefined;
      const stopTimer = runtime.setTimer(ms, () => {
        stopListening();
        resolve();
      });
      stopListening = scope.onCancel(() => {
        stopTimer();
        resolve();
      });
    });
  }
}

const EMPTY: Progress = { PageToken: null, CurrentPage: 0, TotalEstimate: 0, SuccessCount: 0, ErrorCount: 0 };
