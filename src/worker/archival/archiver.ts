/**
 * Archival: histories and list entries of closed runs in a place of the namespace's choice, to be read when retention has deleted
 * them here.
 *
 * In: a transfer row of kind ARCHIVE, which the transition that closes a run writes when its namespace archives. The run's retention
 * waits for the row, and the transfer queue tries again until this succeeds: nothing is deleted that is not archived, and a process
 * that dies in between begins the run's archive again, which changes nothing where it was there already. Out: files or objects.
 */
import type { TransferRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { ArchivalState } from "../../../gen/wire/temporal/api/enums/v1/namespace.js";
import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type { WorkflowExecutionInfo } from "../../../gen/wire/temporal/api/workflow/v1/message.js";
import { DescribeWorkflowExecutionResponse } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { Code, invalidArgument, ServiceError } from "../../api/service-error.js";
import { timestampMicros } from "../../api/time.js";
import { decode, EMPTY_BYTES, encode, type Init } from "../../api/wire.js";
import type { Config } from "../../config/dynamic-config.js";
import type { ExecutionAddress } from "../../core/input.js";
import type { HistoryRange } from "../../core/transition.js";
import { beginsBatch } from "../../core/workflow/event-factory.js";
import type { HistoryService } from "../../history/contract.js";
import { frameOffsets } from "../../history/history-reader.js";
import type { NamespaceEntry } from "../../namespace/record.js";
import type { NamespaceRegistry } from "../../namespace/registry.js";
import type { ArchivalService, HistoryJson } from "../contract.js";
import type { ArchivedRun, ArchiveStore, ArchiveUri, HistoryBatch } from "./archive-store.js";
import { FileArchiveStore } from "./file-store.js";
import { S3ArchiveStore } from "./s3-store.js";
import { parseArchiveUri } from "./uri.js";
import { archivedInfo, attributesAsText, memoFields, type VisibilityRecord } from "./visibility-record.js";

export interface ArchiverOptions {
  readonly config: () => Config;
  readonly namespaces: () => NamespaceRegistry;
  readonly history: () => HistoryService;
  readonly json: HistoryJson;
}

const PAGE_EVENTS = 256;
const PAGE_BYTES = 1024 * 1024;
const BATCH_EVENTS_MAX = 100;

export class Archiver implements ArchivalService {
  private readonly files: ArchiveStore;
  private readonly s3: S3ArchiveStore;

  constructor(private readonly o: ArchiverOptions) {
    this.files = new FileArchiveStore(() => {
      const { archivalFileMode, archivalDirectoryMode } = o.config().limits;
      return { file: Number.parseInt(archivalFileMode, 8), directory: Number.parseInt(archivalDirectoryMode, 8) };
    });
    this.s3 = new S3ArchiveStore(() => {
      const { archivalS3Region: region, archivalS3Endpoint: endpoint, archivalS3PathStyle: isPathStyle } = o.config().limits;
      return { region, endpoint, isPathStyle };
    });
  }

  get history(): ArchivalService["history"] {
    const l = this.o.config().limits;
    return cluster(l.historyArchivalState, l.historyArchivalRead, l.historyArchivalDefaultState, l.historyArchivalDefaultUri);
  }

  get visibility(): ArchivalService["visibility"] {
    const l = this.o.config().limits;
    return cluster(l.visibilityArchivalState, l.visibilityArchivalRead, l.visibilityArchivalDefaultState, l.visibilityArchivalDefaultUri);
  }

  async validate(uri: string): Promise<void> {
    const at = this.at(uri);
    await at.store.validate(at.uri);
  }

  private at(text: string): { store: ArchiveStore; uri: ArchiveUri } {
    const uri = parseArchiveUri(text);
    if (uri.scheme === "file") return { store: this.files, uri };
    if (uri.scheme === "s3") return { store: this.s3, uri };
    throw invalidArgument("unknown archiver scheme");
  }

  /** Archives the source of the transfer, as far as its namespace still wants it. */
  async archive({ sourceNamespaceId, sourceWorkflowId, sourceRunId }: TransferRecord): Promise<void> {
    const entry = this.o.namespaces().directory.entryById(sourceNamespaceId);
    const config = entry?.record.config;
    if (entry === undefined || config === undefined) return;
    const historyUri = this.history.isConfigured && config.historyArchivalState === ArchivalState.ENABLED ? config.historyArchivalUri : "";
    const visibilityUri =
      this.visibility.isConfigured && config.visibilityArchivalState === ArchivalState.ENABLED ? config.visibilityArchivalUri : "";
    const address: ExecutionAddress = { namespaceId: sourceNamespaceId, workflowId: sourceWorkflowId, runId: sourceRunId };
    const run: ArchivedRun = { namespace: entry.view.name, namespaceId: sourceNamespaceId, workflowId: sourceWorkflowId, runId: sourceRunId };
    try {
      if (historyUri !== "") await this.archiveHistory(historyUri, run, address);
      if (visibilityUri !== "") await this.archiveVisibility(visibilityUri, historyUri, run, address);
    } catch (e) {
      // The run has been deleted by hand.
      if (!(e instanceof ServiceError && e.code === Code.NOT_FOUND)) throw e;
    }
  }

  private async archiveHistory(uri: string, run: ArchivedRun, address: ExecutionAddress): Promise<void> {
    const at = this.at(uri);
    const { range } = await this.o.history().submit(address, { kind: "historyPosition" });
    await at.store.putHistory(at.uri, run, this.batches(range));
  }

  /** Transactions as the history shows them: what follows a workflow task's end belongs to it. */
  private async *batches(range: HistoryRange): AsyncGenerator<HistoryBatch> {
    let next: number | undefined = range.fromEventId;
    while (next !== undefined && next < range.endEventId) {
      const page = { fromEventId: next, eventCountMax: PAGE_EVENTS, bytesMax: PAGE_BYTES, reverse: false };
      const read: { data: Uint8Array; nextEventId: number | undefined } = await this.o.history().readHistory(range, page);
      const { events } = decode(History, read.data);
      const offsets = frameOffsets(read.data);
      let begin = 0;
      for (let i = 1; i <= events.length; i++) {
        if (i < events.length && i - begin < BATCH_EVENTS_MAX && !beginsBatch(events[i]?.eventType)) continue;
        const json = await this.o.json.encode(read.data.subarray(offsets[begin], offsets[i]));
        yield { json, firstEventId: events[begin]?.eventId ?? 0, lastEventId: events[i - 1]?.eventId ?? 0 };
        begin = i;
      }
      next = read.nextEventId;
    }
  }

  private async archiveVisibility(uri: string, historyArchivalUri: string, run: ArchivedRun, address: ExecutionAddress): Promise<void> {
    const at = this.at(uri);
    const reply = await this.o.history().submit(address, { kind: "describe" });
    const info = decode(DescribeWorkflowExecutionResponse, encode(DescribeWorkflowExecutionResponse, reply)).workflowExecutionInfo;
    const executionTime = timestampMicros(info?.executionTime);
    const closeTime = timestampMicros(info?.closeTime);
    const record: VisibilityRecord = {
      ...run,
      workflowTypeName: info?.type?.name ?? "",
      startTime: timestampMicros(info?.startTime),
      executionTime,
      closeTime,
      executionDuration: closeTime - executionTime,
      status: info?.status ?? 0,
      historyLength: info?.historyLength ?? 0,
      memo: memoFields(info?.memo),
      searchAttributes: attributesAsText(info?.searchAttributes),
      historyArchivalUri,
    };
    await at.store.putVisibility(at.uri, record);
  }

  async readHistory(
    { record, view }: NamespaceEntry,
    run: { workflowId: string; runId: string },
    pageSize: number,
    pageToken: Uint8Array,
  ): Promise<{ history: Uint8Array; nextPageToken: Uint8Array }> {
    const text = record.config?.historyArchivalUri ?? "";
    // Never archived: nobody can tell whether there was such a run.
    if (text === "") throw invalidArgument("Requested workflow history not found, may have passed retention period.");
    const at = this.at(text);
    const of: ArchivedRun = { namespace: view.name, namespaceId: view.id, ...run };
    const { batches, nextPageToken } = await at.store.getHistory(at.uri, of, pageSize, pageToken);
    const parts: Uint8Array[] = [];
    for (const json of batches) parts.push(await this.o.json.decode(json));
    return { history: parts.length === 0 ? EMPTY_BYTES : Buffer.concat(parts), nextPageToken };
  }

  async list(
    { record, view }: NamespaceEntry,
    query: string,
    pageSize: number,
    pageToken: Uint8Array,
  ): Promise<{ executions: Init<WorkflowExecutionInfo>[]; nextPageToken: Uint8Array }> {
    const at = this.at(record.config?.visibilityArchivalUri ?? "");
    const page = await at.store.listVisibility(at.uri, view.id, query, pageSize, pageToken);
    return { executions: page.records.map((r) => archivedInfo(r, view)), nextPageToken: page.nextPageToken };
  }

  stop(): void {
    this.s3.close();
  }
}

function cluster(state: string, isReadEnabled: boolean, defaultState: string, defaultUri: string): ArchivalService["history"] {
  const isConfigured = state.trim().toLowerCase() === "enabled";
  return {
    isConfigured,
    isReadEnabled: isConfigured && isReadEnabled,
    defaultState: defaultState.trim().toLowerCase() === "enabled" ? ArchivalState.ENABLED : ArchivalState.DISABLED,
    defaultUri,
  };
}
