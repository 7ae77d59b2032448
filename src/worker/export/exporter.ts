/**
 * Exports of histories: what CloudService's export sinks ask for.
 *
 * In: the sinks of namespaces, one at a time, at an interval. Out: objects in S3, each a `temporal.api.export.v1.WorkflowExecutions` of
 * runs that closed since the last export, and in the sink's row how far it came.
 * - How far is a place in the order of commits (src/history/status-changes.ts), so that no run is passed over, however long its commit took.
 *   Only so many changes are kept. A sink that falls behind them goes on by the list of what closed since it was last up to date, and a
 *   little before: some runs are exported again, none is passed over.
 * - It is said when the objects are there: what a process that dies had written is written again, under the same names.
 * - The server's own credentials write; the role that a sink names is the vendor's to assume, and only kept.
 */
import type { CloudExportRecord } from "../../../gen/wire/perdure/persistence/v1/cloud.js";
import type { ExportSinkSpec } from "../../../gen/wire/temporal/api/cloud/namespace/v1/message.js";
import { NamespaceState } from "../../../gen/wire/temporal/api/enums/v1/namespace.js";
import { WorkflowExecutionStatus } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { WorkflowExecutions } from "../../../gen/wire/temporal/api/export/v1/message.js";
import { Code, ServiceError, unavailable } from "../../api/service-error.js";
import { timestampMicros } from "../../api/time.js";
import { EMPTY_BYTES, encode, type Init } from "../../api/wire.js";
import type { CloudStore } from "../../cloud/cloud-store.js";
import type { Resource } from "../../cloud/resource-table.js";
import type { NamespaceView } from "../../core/namespace-view.js";
import type { HistoryService } from "../../history/contract.js";
import type { Logger, Runtime } from "../../lib/runtime.js";
import type { VisibilityManager } from "../../visibility/manager.js";
import type { S3Settings } from "../archival/s3-store.js";
import type { ExportService } from "../contract.js";
import { S3Bucket } from "./s3-bucket.js";

export interface ExporterOptions {
  readonly cloud: CloudStore;
  readonly history: HistoryService;
  readonly visibility: Pick<VisibilityManager, "list">;
  readonly namespace: (id: string) => NamespaceView | undefined;
  readonly s3: () => S3Settings;
  readonly intervalMs: () => number;
  readonly runtime: Runtime;
  readonly logger: Logger;
}

/** Longer than a commit takes: a run that is listed by when it closed may have been there only that much later. */
const COMMIT_MICROS_MAX = 10 * 60_000_000;
const OBJECT_BYTES = 8 * 1024 * 1024;
const PAGE_RUNS = 100;
const PAGE_CHANGES = 500;
const OPEN: ReadonlySet<number> = new Set([WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.PAUSED]);
const PAGE_EVENTS = 1000;
const PAGE_BYTES = 1024 * 1024;
const FOLDER = "temporal-workflow-history/export";
const TEST_OBJECT = "temporal-export-test";

interface ClosedRun {
  readonly workflowId: string;
  readonly runId: string;
  readonly closeTime: number;
}

export class Exporter implements ExportService {
  private readonly bucket: S3Bucket;
  private stopTimer: (() => void) | undefined;
  private isStopped = true;

  constructor(private readonly o: ExporterOptions) {
    this.bucket = new S3Bucket(o.s3);
  }

  start(): void {
    this.isStopped = false;
    this.arm();
  }

  stop(): void {
    this.isStopped = true;
    this.stopTimer?.();
    this.bucket.close();
  }

  async validate(spec: ExportSinkSpec): Promise<void> {
    if (spec.s3 !== undefined) await this.bucket.put(spec.s3, `${FOLDER}/${TEST_OBJECT}`, Buffer.from(spec.name));
  }

  private arm(): void {
    if (this.isStopped) return;
    this.stopTimer = this.o.runtime.setTimer(this.o.intervalMs(), () => {
      this.exportAll().then(
        () => this.arm(),
        (e: unknown) => {
          if (this.isStopped) return;
          this.o.logger.warn({ err: e }, "exports of histories cannot go on now");
          this.arm();
        },
      );
    });
  }

  private async exportAll(): Promise<void> {
    for (const sink of this.o.cloud.exportSinks.all()) {
      const namespace = this.o.namespace(sink.id.slice(0, sink.id.indexOf("/")));
      if (this.isStopped) return;
      if (sink.spec.enabled && namespace !== undefined && namespace.state !== NamespaceState.DELETED) await this.export(sink, namespace);
    }
  }

  private async export(sink: Resource<ExportSinkSpec>, namespace: NamespaceView): Promise<void> {
    const before: Partial<CloudExportRecord> = sink.record.export ?? {};
    const now = this.o.runtime.nowMicros();
    let outcome: Init<CloudExportRecord>;
    try {
      const cursor = { next: before.nextChange ?? 0 };
      const count = await this.exportClosed(sink.spec, namespace, this.closed(namespace, cursor, before.exportedUntil || sink.record.createTime));
      outcome = { exportedUntil: now, exportTime: count > 0 ? now : (before.exportTime ?? 0), checkTime: now, nextChange: cursor.next };
    } catch (e) {
      if (!(e instanceof ServiceError)) throw e;
      this.o.logger.warn({ namespace: namespace.name, sink: sink.spec.name, err: e.message }, "histories cannot be exported now");
      outcome = { ...before, checkTime: now, error: e.message };
    }
    await this.o.cloud.exported(sink.id, outcome);
  }

  /** What has closed since the last time, in the order of the commits; moves the cursor past it. */
  private async *closed(namespace: NamespaceView, cursor: { next: number }, since: number): AsyncGenerator<ClosedRun> {
    const { id, key } = namespace;
    const { statusChanges } = this.o.history;
    const listed = new Set<string>();
    let isBehind = false;
    for (;;) {
      if (cursor.next === 0) {
        // Of a sink that does not follow the changes, or is behind them. Once they are followed, all that closed before can be listed.
        const begun = this.o.runtime.nowMicros();
        cursor.next = (await statusChanges.follow({ id, key })) + 1;
        for await (const run of this.listClosed(namespace, isBehind ? since - COMMIT_MICROS_MAX : since)) {
          if (listed.has(run.runId)) continue;
          listed.add(run.runId);
          yield run;
        }
        since = begun;
      }
      const page = await statusChanges.read(key, cursor.next - 1, PAGE_CHANGES);
      if (page.isGone) {
        this.o.logger.warn(
          { namespace: namespace.name },
          "more workflows have changed status than are kept: exports go on from the list by close time",
        );
        isBehind = true;
        cursor.next = 0;
        continue;
      }
      if (page.changes.length === 0) return;
      for (const { number, change } of page.changes) {
        if (!OPEN.has(change.status) && !listed.has(change.runId)) yield change;
        cursor.next = number + 1;
      }
    }
  }

  private async *listClosed(namespace: NamespaceView, since: number): AsyncGenerator<ClosedRun> {
    let token = EMPTY_BYTES;
    do {
      const page = await this.o.visibility.list(namespace, `CloseTime > "${timeText(since)}"`, PAGE_RUNS, token);
      for (const { execution, closeTime } of page.executions)
        yield { workflowId: execution?.workflowId ?? "", runId: execution?.runId ?? "", closeTime: timestampMicros(closeTime) };
      token = page.nextPageToken;
    } while (token.length > 0);
  }

  /** Answers how many. */
  private async exportClosed(spec: ExportSinkSpec, namespace: NamespaceView, runs: AsyncIterable<ClosedRun>): Promise<number> {
    let items: { history: Uint8Array }[] = [];
    let first: ClosedRun | undefined;
    let bytes = 0;
    let count = 0;
    const flush = async (): Promise<void> => {
      if (first === undefined || spec.s3 === undefined) return;
      // By its first run: what a process that died had put there is put there again, with what has closed since.
      const key = `${FOLDER}/${namespace.name}/${pathOf(first.closeTime)}/${first.closeTime}-${first.runId}.proto`;
      await this.bucket.put(spec.s3, key, encode(WorkflowExecutions, { items }));
      items = [];
      first = undefined;
      bytes = 0;
    };
    for await (const run of runs) {
      if (this.isStopped) throw unavailable("the server stops");
      const history = await this.historyOf(namespace.id, run.workflowId, run.runId);
      if (history === undefined) continue;
      items.push({ history });
      first ??= run;
      count++;
      bytes += history.length;
      if (bytes >= OBJECT_BYTES) await flush();
    }
    await flush();
    return count;
  }

  /** Undefined: it has been deleted meanwhile. */
  private async historyOf(namespaceId: string, workflowId: string, runId: string): Promise<Uint8Array | undefined> {
    const parts: Uint8Array[] = [];
    try {
      const { range } = await this.o.history.submit({ namespaceId, workflowId, runId }, { kind: "historyPosition" });
      let next: number | undefined = range.fromEventId;
      while (next !== undefined && next < range.endEventId) {
        const page = { fromEventId: next, eventCountMax: PAGE_EVENTS, bytesMax: PAGE_BYTES, reverse: false };
        const read: { data: Uint8Array; nextEventId: number | undefined } = await this.o.history.readHistory(range, page);
        parts.push(read.data);
        next = read.nextEventId;
      }
    } catch (e) {
      if (e instanceof ServiceError && e.code === Code.NOT_FOUND) return undefined;
      throw e;
    }
    // Messages one after the other are one message.
    return Buffer.concat(parts);
  }
}

const timeText = (micros: number): string => {
  const ms = Math.floor(micros / 1000);
  return `${new Date(ms).toISOString().slice(0, -1)}${String(micros - ms * 1000).padStart(3, "0")}Z`;
};

/** year/month/day/hour/minute */
const pathOf = (micros: number): string => new Date(micros / 1000).toISOString().slice(0, 16).replace(/[-T:]/g, "/");
