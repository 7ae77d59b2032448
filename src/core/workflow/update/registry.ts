/**
 * The updates of a run: found, admitted, sent to a worker, accepted, rejected, completed, and answered.
 *
 * An update that no worker has accepted is in memory only (`draft.updates`): a rejected one leaves no trace, and one that is lost
 * with the process is admitted again when its caller asks again. Acceptance and completion are events; between the two there is a
 * live row, afterwards a keyed one that names the event with the result. In: requests, messages of workers (messages.ts). Out:
 * answers to the inputs that wait. Invariants: an update is at most once in the list; a waiter is answered once; a run that has
 * closed has no list. Behaviour: service/history/workflow/update of the official server.
 */
import type { Callback } from "../../../../gen/wire/temporal/api/common/v1/message.js";
import { ResourceExhaustedCause, ResourceExhaustedScope } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import { UpdateWorkflowExecutionLifecycleStage as Stage } from "../../../../gen/wire/temporal/api/enums/v1/update.js";
import type { Failure } from "../../../../gen/wire/temporal/api/failure/v1/message.js";
import type { Message } from "../../../../gen/wire/temporal/api/protocol/v1/message.js";
import { type Outcome, Request } from "../../../../gen/wire/temporal/api/update/v1/message.js";
import { failedPrecondition, notFound, resourceExhausted, type ServiceError, workflowNotReady } from "../../../api/service-error.js";
import { encode, type Init } from "../../../api/wire.js";
import { assert } from "../../../lib/assert.js";
import type { UpdateReply, UpdateStart } from "../../transition.js";
import { Need, type Run } from "../context.js";
import type { RunDraft } from "../mutable-state.js";
import { updateFailed } from "./multi-operation-error.js";

export interface UpdateWaiter {
  readonly waiter: number;
  readonly stage: Stage;
  /** Of an update with start. */
  readonly start: UpdateStart | undefined;
}

export interface PendingUpdate {
  readonly id: string;
  /** Sent: the workflow task in progress, or the one before that failed, has been given it. */
  readonly state: "admitted" | "sent" | "accepted";
  /** What the caller asked for; history has it when it is not here. */
  readonly request: Request | undefined;
  readonly sizeBytes: number;
  readonly waiters: readonly UpdateWaiter[];
  /** Attached by later requests before the update was accepted. */
  readonly callbacks: readonly { readonly requestId: string; readonly callbacks: readonly Callback[] }[];
  /** Set by the transition that ends it. */
  readonly outcome: Init<Outcome> | undefined;
  /** Why there will be no outcome. */
  readonly error: ServiceError | undefined;
}

export type FoundUpdate = { readonly update: PendingUpdate } | { readonly completedEventId: number };

export const REQUEST_TYPE_URL = `type.googleapis.com/${Request.typeName}`;

const UNPROCESSED: Init<Failure> = {
  message: "Workflow Update is rejected because it wasn't processed by worker. Probably, Workflow Update is not supported by the worker.",
  source: "Server",
  failureInfo: { case: "applicationFailureInfo", value: { type: "UnprocessedUpdate", nonRetryable: true } },
} as Init<Failure>;
export const WORKFLOW_COMPLETED_FIRST: Init<Failure> = {
  message: "Workflow Update failed because the Workflow completed before the Update completed.",
  source: "Server",
  failureInfo: { case: "applicationFailureInfo", value: { type: "AcceptedUpdateCompletedWorkflow", nonRetryable: true } },
} as Init<Failure>;

export const CLOSING_WORKFLOW = "workflow update was aborted by closing workflow";
export const workflowIsClosing = (): ServiceError =>
  resourceExhausted(
    "workflow operation can not be applied because workflow is closing",
    ResourceExhaustedCause.BUSY_WORKFLOW,
    ResourceExhaustedScope.NAMESPACE,
  );

export const failed = (failure: Init<Failure> | undefined): Init<Outcome> => ({ value: { case: "failure", value: failure ?? {} } }) as Init<Outcome>;
export const completedFirst = (): Init<Outcome> => failed(WORKFLOW_COMPLETED_FIRST);

// Each update is written out, field by field: objects that are spread from one another get a shape each, and all that reads them is slow.
function newUpdate(id: string, state: PendingUpdate["state"], request: Request | undefined, sizeBytes: number): PendingUpdate {
  return { id, state, request, sizeBytes, waiters: [], callbacks: [], outcome: undefined, error: undefined };
}

/** The update with some fields changed. */
export function changed(u: PendingUpdate, change: Partial<PendingUpdate>): PendingUpdate {
  const { id, state, request, sizeBytes, waiters, callbacks, outcome, error } = u;
  return Object.assign({ id, state, request, sizeBytes, waiters, callbacks, outcome, error }, change);
}

/** Replaces the update of that id, or adds it behind the others. */
export function putUpdate(draft: RunDraft, update: PendingUpdate): void {
  const has = draft.updates.some((u) => u.id === update.id);
  draft.updates = has ? draft.updates.map((u) => (u.id === update.id ? update : u)) : [...draft.updates, update];
}

/** @throws Need when only the store knows whether it was completed. */
export function findUpdate(run: Run, updateId: string): FoundUpdate | undefined {
  const { draft } = run;
  const pending = draft.updates.find((u) => u.id === updateId);
  if (pending !== undefined) return { update: pending };
  const record = draft.updateRecordOf(updateId);
  if (record !== undefined) return { update: newUpdate(updateId, record.acceptedEventId === 0 ? "admitted" : "accepted", undefined, 0) };
  let completedEventId = draft.completedUpdate(updateId);
  if (completedEventId === undefined) {
    completedEventId = run.ctx.loaded.update?.(updateId);
    if (completedEventId === undefined) throw new Need([], [], { updateIds: [updateId] });
  }
  return completedEventId === null ? undefined : { completedEventId };
}

export function outcomeOf(run: Run, completedEventId: number): Init<Outcome> | undefined {
  const { attributes } = run.ctx.event(run, completedEventId);
  assert(attributes.case === "workflowExecutionUpdateCompletedEventAttributes", "the event that completed an update");
  return attributes.value.outcome;
}

/** Of updates that are not completed. */
function inFlightCount(draft: RunDraft): number {
  if (draft.updateRecordCount === 0) return draft.updates.length;
  let count = draft.updateRecordCount;
  for (const u of draft.updates) if (draft.updateRecordOf(u.id) === undefined) count++;
  return count;
}

const totalCount = (draft: RunDraft): number => inFlightCount(draft) + draft.info.totalUpdateCount - draft.updateRecordCount;

/** Whether the run nears the number of updates that it may have. */
export function hasManyUpdates(run: Run): boolean {
  const { draft } = run;
  if (draft.info.totalUpdateCount === 0 && draft.updates.length === 0) return false;
  const { totalUpdatesMax, totalUpdatesSuggestContinueAsNewRatio } = run.ctx.env.config.limits;
  const threshold = Math.ceil(totalUpdatesMax * totalUpdatesSuggestContinueAsNewRatio);
  return threshold > 0 && totalCount(draft) >= threshold;
}

export function checkTotal(run: Run): void {
  const max = run.ctx.env.config.limits.totalUpdatesMax;
  if (max > 0 && totalCount(run.draft) >= max)
    throw failedPrecondition(
      `The limit on the total number of distinct updates in this workflow has been reached (${max}). ` +
        "Make sure any duplicate updates share an Update ID so the server can deduplicate them, and consider rejecting updates that you " +
        "aren't going to process. You can also Continue-as-New to avoid this; we recommend you check Continue-as-New Suggested in your Workflow.",
    );
}

function inFlightLimit(text: string): ServiceError {
  return resourceExhausted(text, ResourceExhaustedCause.CONCURRENT_LIMIT, ResourceExhaustedScope.NAMESPACE);
}

/** A new update, if the limits allow one. */
export function admit(run: Run, request: Request): PendingUpdate {
  const { draft } = run;
  const { inFlightUpdatesMax, inFlightUpdateBytesMax } = run.ctx.env.config.limits;
  if (inFlightUpdatesMax > 0 && inFlightCount(draft) >= inFlightUpdatesMax)
    throw inFlightLimit(`limit on number of concurrent in-flight updates has been reached (${inFlightUpdatesMax})`);
  checkTotal(run);
  const update = resurrected(request.meta?.updateId ?? "", request);
  let sizeBytes = update.sizeBytes;
  for (const u of draft.updates) sizeBytes += u.sizeBytes;
  if (inFlightUpdateBytesMax > 0 && sizeBytes >= inFlightUpdateBytesMax)
    throw inFlightLimit(`limit on total payload size of in-flight updates has been reached (${inFlightUpdateBytesMax} bytes)`);
  putUpdate(draft, update);
  return update;
}

/** An update that a worker still knows and this process does not, from the worker's copy of the request. */
export function resurrected(id: string, request: Request): PendingUpdate {
  return newUpdate(id, "admitted", request, requestSize(id, request));
}

/** Names and frame of a request, beside what its caller put into it. */
const REQUEST_BYTES = 100;

/** About as many bytes as the official server counts; nothing is encoded for it. */
function requestSize(id: string, { meta, input, completionCallbacks }: Request): number {
  const content = (input?.args?.length ?? 0) + (input?.header?.length ?? 0) + (input?.name.length ?? 0) + (meta?.identity.length ?? 0);
  return REQUEST_BYTES + 2 * id.length + content + 500 * completionCallbacks.length;
}

/** What the next workflow task would have to deliver: messages, or events that it must be there for. */
export function outgoing(draft: RunDraft): "messages" | "events" | undefined {
  if (draft.updates.some((u) => u.state !== "accepted" && u.outcome === undefined && u.request !== undefined)) return "messages";
  if (draft.updateRecordCount === 0) return undefined;
  for (const record of draft.updateRecords.values())
    if (record.acceptedEventId === 0 && !draft.updates.some((u) => u.id === record.updateId)) return "events";
  return undefined;
}

/** Messages for a workflow task that starts. `resend`: also of updates that an earlier task was given, which has failed or got lost. */
export function send(draft: RunDraft, resend: boolean, startedEventId: number): Init<Message>[] {
  if (draft.updates.length === 0 && draft.updateRecordCount === 0) return [];
  const out: Init<Message>[] = [];
  if (draft.updateRecordCount > 0)
    // The event that admitted it tells the worker of it.
    for (const record of draft.updateRecords.values())
      if (record.acceptedEventId === 0 && !draft.updates.some((u) => u.id === record.updateId))
        draft.updates = [...draft.updates, newUpdate(record.updateId, "sent", undefined, 0)];
  draft.updates = draft.updates.map((u) => {
    // What the completion has just rejected leaves the list with the end of the transition only.
    if (u.state === "accepted" || u.outcome !== undefined || (u.state === "sent" && !resend)) return u;
    if (u.request !== undefined)
      out.push({
        id: requestMessageId(u.id),
        protocolInstanceId: u.id,
        sequencingId: { case: "eventId", value: startedEventId - 1 },
        body: { typeUrl: REQUEST_TYPE_URL, value: encode(Request, u.request) },
      } as Init<Message>);
    return u.state === "sent" ? u : changed(u, { state: "sent" });
  });
  return out;
}

export const requestMessageId = (updateId: string): string => `${updateId}/request`;

/** A worker that completes its task without a word on an update does not know updates. */
export function rejectUnprocessed(draft: RunDraft): void {
  if (!draft.updates.some((u) => u.state === "sent")) return;
  draft.updates = draft.updates.map((u) => (u.state === "sent" && u.outcome === undefined ? changed(u, { outcome: failed(UNPROCESSED) }) : u));
}

/** The completion that was to process them failed: whoever sent them must not send them again by itself. */
export function failSent(draft: RunDraft): void {
  if (!draft.updates.some((u) => u.state === "sent")) return;
  const error = workflowNotReady("Unable to perform workflow execution update due to unexpected workflow task failure.");
  draft.updates = draft.updates.map((u) => (u.state === "sent" ? changed(u, { error }) : u));
}

/** The end of a transition: whoever waits for what has been reached is answered, and what has ended leaves the list. */
export function settleUpdates(run: Run): void {
  const { draft } = run;
  const left: PendingUpdate[] = [];
  for (const u of draft.updates) {
    let { outcome, error } = u;
    if (outcome === undefined && error === undefined && !draft.isOpen) {
      if (u.state === "accepted") outcome = completedFirst();
      else error = draft.info.newRunId === "" ? notFound(CLOSING_WORKFLOW) : workflowIsClosing();
    }
    if (outcome !== undefined || error !== undefined) {
      for (const w of u.waiters) answer(run, u.id, w, outcome, error);
      // A durable one that was rejected leaves no event: its row goes, and it is not sent again.
      const record = draft.updateRecordOf(u.id);
      if (draft.isOpen && outcome !== undefined && record?.acceptedEventId === 0) {
        draft.updateRecords.delete(record.admittedEventId);
        draft.info.totalUpdateCount--;
        draft.dirty = true;
      }
      continue;
    }
    if (u.state !== "accepted") {
      left.push(u);
      continue;
    }
    const waiters = u.waiters.filter((w) => w.stage === Stage.COMPLETED);
    for (const w of u.waiters) if (w.stage !== Stage.COMPLETED) answer(run, u.id, w, undefined, undefined);
    // Its row has the rest.
    if (waiters.length > 0) left.push(waiters.length === u.waiters.length ? u : changed(u, { waiters }));
  }
  draft.updates = left;
}

function answer(run: Run, updateId: string, w: UpdateWaiter, outcome: Init<Outcome> | undefined, error: ServiceError | undefined): void {
  if (error === undefined) {
    const stage = outcome === undefined ? Stage.ACCEPTED : Stage.COMPLETED;
    run.ctx.answers.push({ waiter: w.waiter, result: reply(run, updateId, stage, outcome, w.start) });
  } else run.ctx.answers.push({ waiter: w.waiter, result: w.start === undefined ? error : updateFailed(w.start.started, error) });
}

export function reply(run: Run, updateId: string, stage: Stage, outcome: Init<Outcome> | undefined, start: UpdateStart | undefined): UpdateReply {
  return { runId: run.info.runId, updateId, stage, outcome, start };
}
