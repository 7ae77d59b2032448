/**
 * Completions of workflow tasks that come in pages, because one message would be too large for the connection. Pages are kept in
 * memory until the last one comes, which is the completion, with the commands of all before its own. Nothing of them is durable: what
 * is lost, the worker sends again from the first page on, with the same task token.
 *
 * Invariants: a run has pages of one workflow task at most, the last that sent some; none outlives its task; the bytes of all of them
 * are bounded. Behaviour: service/history/workflow/context.go of the official server.
 */
import { Command } from "../../../gen/wire/temporal/api/command/v1/message.js";
import type { RespondWorkflowTaskCompletedRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { completionBufferLost, failedPrecondition, invalidArgument } from "../../api/service-error.js";
import type { TaskToken } from "../../api/task-token.js";
import { encode } from "../../api/wire.js";
import type { Runtime } from "../../lib/runtime.js";
import type { RequestLimits } from "../request-limits.js";

const PAGES_MAX = 1024;

interface Buffer {
  readonly task: string;
  readonly namespaceId: string;
  readonly pages: Map<number, Command[]>;
  sizeBytes: number;
  readonly stopTimer: () => void;
}

export const isPaged = (request: RespondWorkflowTaskCompletedRequest): boolean => request.intermediatePage || request.pageNumber > 0;

const taskOf = (token: TaskToken): string => `${token.scheduledEventId}/${token.attempt}/${token.nonce}`;

export class CompletionPages {
  /** By run. */
  private readonly buffers = new Map<string, Buffer>();
  private totalBytes = 0;
  private readonly namespaceBytes = new Map<string, number>();

  constructor(private readonly runtime: Runtime) {}

  /** Keeps a page until the task is over. Answers whether the task's pages have grown too large: then all of them are forgotten. */
  keep(token: TaskToken, request: RespondWorkflowTaskCompletedRequest, taskMs: number, limits: RequestLimits): "kept" | "too large" {
    try {
      checkPage(request);
    } catch (e) {
      this.forget(token.runId);
      throw e;
    }
    const buffer = this.bufferOf(token, taskMs);
    // What comes again is here already.
    if (buffer.pages.has(request.pageNumber)) return "kept";
    let sizeBytes = 0;
    for (const command of request.commands) sizeBytes += encode(Command, command).length;
    if (limits.workflowTaskCompletionSizeMax > 0 && buffer.sizeBytes + sizeBytes > limits.workflowTaskCompletionSizeMax) {
      this.forget(token.runId);
      return "too large";
    }
    const { completionPagesTotalMax: max, completionPagesNamespaceShare: share } = limits;
    const ofNamespace = this.namespaceBytes.get(token.namespaceId) ?? 0;
    if (max > 0 && (this.totalBytes + sizeBytes > max || ofNamespace + sizeBytes > share * max)) {
      this.forget(token.runId);
      throw completionBufferLost(`workflow task completion buffer memory limit reached while buffering page ${request.pageNumber}`);
    }
    buffer.pages.set(request.pageNumber, request.commands);
    buffer.sizeBytes += sizeBytes;
    this.totalBytes += sizeBytes;
    this.namespaceBytes.set(token.namespaceId, ofNamespace + sizeBytes);
    return "kept";
  }

  /** Commands of all pages, the last one among them. They are forgotten. */
  take(token: TaskToken, request: RespondWorkflowTaskCompletedRequest): Command[] {
    checkPage(request);
    const buffer = this.buffers.get(token.runId);
    this.forget(token.runId);
    if (buffer?.task !== taskOf(token))
      throw completionBufferLost(`workflow task completion buffer lost for scheduled event ${token.scheduledEventId} attempt ${token.attempt}`);
    const pages: Command[][] = [];
    for (let page = 0; page < request.pageNumber; page++) {
      const commands = buffer.pages.get(page);
      if (commands === undefined) throw completionBufferLost(`workflow task completion buffer missing page ${page} of ${request.pageNumber}`);
      pages.push(commands);
    }
    // There are more of them than a call has room for arguments.
    return [...pages, request.commands].flat();
  }

  private bufferOf(token: TaskToken, taskMs: number): Buffer {
    const { runId, namespaceId } = token;
    const task = taskOf(token);
    const before = this.buffers.get(runId);
    if (before?.task === task) return before;
    this.forget(runId);
    const stopTimer = this.runtime.setTimer(taskMs, () => this.forget(runId));
    const buffer: Buffer = { task, namespaceId, pages: new Map(), sizeBytes: 0, stopTimer };
    this.buffers.set(runId, buffer);
    return buffer;
  }

  private forget(runId: string): void {
    const buffer = this.buffers.get(runId);
    if (buffer === undefined) return;
    buffer.stopTimer();
    this.buffers.delete(runId);
    this.totalBytes -= buffer.sizeBytes;
    const left = (this.namespaceBytes.get(buffer.namespaceId) ?? 0) - buffer.sizeBytes;
    if (left > 0) this.namespaceBytes.set(buffer.namespaceId, left);
    else this.namespaceBytes.delete(buffer.namespaceId);
  }
}

export function checkPagesAllowed(namespace: string, limits: RequestLimits): void {
  if (!limits.areCompletionsPaged) throw failedPrecondition(`workflow task completion pagination is disabled for this namespace ${namespace}`);
}

function checkPage({ pageNumber, intermediatePage, commands }: RespondWorkflowTaskCompletedRequest): void {
  if (pageNumber < 0) throw invalidArgument("workflow task completion pagination page number must be non-negative");
  if (pageNumber >= PAGES_MAX) throw invalidArgument(`workflow task completion pagination supports at most ${PAGES_MAX} pages`);
  if (intermediatePage && commands.length === 0) throw invalidArgument("intermediate workflow task page must carry at least one command");
}
