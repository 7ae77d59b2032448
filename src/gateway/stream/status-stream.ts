/**
 * The live stream of a namespace: `namespace` once, then a `workflow` event for each change of a workflow's status, in the order in which
 * they were committed. An event's id is its place in that order, which is kept (src/history/status-changes.ts): whoever comes back
 * with it as Last-Event-ID gets what follows, each change once, across restarts. Changes are kept from the first stream on; a place
 * that is older than what is kept is answered 410, and lists say what is now.
 * There is no RPC for it: a method of its own runs through the interceptors like those of services.
 */
import type { Call, Method } from "../../api/call.js";
import { invalidArgument } from "../../api/service-error.js";
import type { StatusChangePage } from "../../history/contract.js";
import { ownMethod } from "../own-method.js";
import type { GatewayContext, GatewayServices, HttpRequest } from "../route.js";
import { ProductError } from "../trigger/product-error.js";
import { serverError, workflowOf } from "./history-stream.js";
import { encodeEvent, HEARTBEAT, RETRY } from "./server-sent-events.js";

const PAGE_CHANGES = 100;
const POLL_MS = 15_000;

interface ReadRequest {
  readonly namespace: string;
  /** Undefined: from now on. */
  readonly after: number | undefined;
  /** How long to wait for a change. */
  readonly waitMs: number;
}

interface ReadReply extends StatusChangePage {
  /** What to go on after. */
  readonly after: number;
}

/** Permission, limits and measurements are those of lists. */
function readStatusChanges(services: GatewayServices): Method {
  return ownMethod({
    service: "perdure.api.v1.StatusChanges",
    name: "ReadStatusChanges",
    permission: "workflow.list",
    priority: 4,
    longPoll: true,
    handler: (message, call) => read(services, message as ReadRequest, call),
  });
}

async function read(services: GatewayServices, { namespace, after, waitMs }: ReadRequest, call: Call): Promise<ReadReply> {
  const { id, key } = services.namespaces.view(namespace);
  const { statusChanges } = services.history;
  const isNone = (newest: number): boolean => after !== undefined && after > newest;
  // To ask for a place that there is not begins nothing.
  const newest = isNone(statusChanges.newest(key)) ? 0 : await statusChanges.follow({ id, key });
  if (isNone(newest)) throw invalidArgument(`Last-Event-ID ${after} is none of this stream's`);
  if (after === undefined) return { isGone: false, changes: [], after: newest };
  if (waitMs > 0) await statusChanges.wait(key, after, waitMs, (f) => call.onCancel(f));
  const page = await statusChanges.read(key, after, PAGE_CHANGES);
  return { ...page, after: page.changes.at(-1)?.number ?? after };
}

/** Resolves when the stream may begin. @throws ProductError, ServiceError. */
export async function statusStream(
  context: GatewayContext,
  request: HttpRequest,
  namespace: string,
  from: number | undefined,
): Promise<AsyncIterable<string>> {
  const method = readStatusChanges(context.services);
  const ask = (after: number | undefined, waitMs: number) =>
    context.run(request, method, { namespace, after, waitMs } satisfies ReadRequest) as Promise<ReadReply>;
  const first = await ask(from, 0);
  if (first.isGone) throw gone();
  return events(context, request, namespace, from, first, (after) => ask(after, POLL_MS));
}

const gone = (): ProductError =>
  new ProductError(410, "CursorExpiredError", "Changes after this Last-Event-ID are no longer kept; list the workflows and follow from now on.");

async function* events(
  context: GatewayContext,
  request: HttpRequest,
  namespace: string,
  from: number | undefined,
  first: ReadReply,
  ask: (after: number) => Promise<ReadReply>,
): AsyncGenerator<string> {
  // The id makes the place known before anything has changed.
  yield RETRY + encodeEvent({ id: String(from ?? first.after), event: "namespace", data: { namespace } });
  let page = first;
  try {
    while (!request.signal.aborted && !context.draining.aborted) {
      if (page.isGone) throw gone();
      for (const { number, change } of page.changes)
        yield encodeEvent({
          id: String(number),
          event: "workflow",
          data: { ...workflowOf(change.workflowId, change), workflowType: change.workflowType },
        });
      if (page !== first && page.changes.length === 0) yield HEARTBEAT;
      page = await ask(page.after);
    }
  } catch (e) {
    if (request.signal.aborted || context.draining.aborted) return;
    yield serverError(context, e, { namespace });
  }
}
