import { expect, test } from "vitest";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { HistoryEventFilterType } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import {
  GetWorkflowExecutionHistoryRequest,
  GetWorkflowExecutionHistoryReverseRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { decode, type Init } from "../../api/wire.js";
import { type FakeCall, type Fakes, fakeServices, framed, RUN_ID, started } from "../fake-services.js";
import { getWorkflowExecutionHistory, getWorkflowExecutionHistoryReverse } from "./history.js";

const plain = { eventType: EventType.WORKFLOW_TASK_SCHEDULED };
const base = { namespace: "default", execution: { workflowId: "w" } };

async function get(f: Fakes, request: Init<GetWorkflowExecutionHistoryRequest> = {}, call: FakeCall = f.call()) {
  const r = await getWorkflowExecutionHistory(f.s)(GetWorkflowExecutionHistoryRequest.create({ ...base, ...request }), call);
  return { events: decode(History, r.history ?? new Uint8Array()).events, token: r.nextPageToken };
}
const ids = (r: { events: { eventId: number }[] }) => r.events.map((e) => e.eventId);

async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

test("a history is read in pages, each going on where the one before ended, up to what there was at the first", async () => {
  const f = await fakeServices();
  f.history.append(started, plain);
  f.history.append(plain);
  f.history.append(plain, plain);
  let page = await get(f, { maximumPageSize: 1 });
  const seen = [ids(page)];
  f.history.append(plain);
  while (page.token !== undefined) {
    page = await get(f, { maximumPageSize: 1, nextPageToken: page.token });
    seen.push(ids(page));
  }
  expect(seen).toEqual([[1, 2], [3], [4, 5]]);
});

test("events of a transient workflow task come behind the last page, but not for the CLI and the UI", async () => {
  const f = await fakeServices();
  f.history.append(started);
  f.history.append(plain);
  f.history.trailing = framed([{ eventId: 3 }, { eventId: 4 }]);
  expect(ids(await get(f))).toEqual([1, 2, 3, 4]);
  expect(ids(await get(f, {}, f.call(30_000, { "client-name": "temporal-ui" })))).toEqual([1, 2]);
  const first = await get(f, { maximumPageSize: 1 });
  expect(ids(first)).toEqual([1]);
  expect(ids(await get(f, { maximumPageSize: 1, nextPageToken: first.token ?? new Uint8Array() }))).toEqual([2, 3, 4]);
});

test("a long poll answers what is there at once, then waits for more, and ends with the run", async () => {
  const f = await fakeServices();
  f.history.append(started);
  const first = await get(f, { waitNewEvent: true });
  expect(ids(first)).toEqual([1]);
  const waiting = get(f, { waitNewEvent: true, nextPageToken: first.token ?? new Uint8Array() });
  await settled();
  expect(f.history.waits).toBe(1);
  f.history.isOpen = false;
  f.history.append(plain);
  const second = await waiting;
  expect(ids(second)).toEqual([2]);
  expect(second.token).toBeUndefined();
});

test("a long poll without news answers empty, with a token to go on, within its limit", async () => {
  const f = await fakeServices();
  f.history.append(started);
  const first = await get(f, { waitNewEvent: true });
  const waiting = get(f, { waitNewEvent: true, nextPageToken: first.token ?? new Uint8Array() }, f.call(60_000));
  await settled();
  f.runtime.elapse(20_000);
  const second = await waiting;
  expect(ids(second)).toEqual([]);
  f.history.append(plain);
  expect(ids(await get(f, { waitNewEvent: true, nextPageToken: second.token ?? new Uint8Array() }))).toEqual([2]);
});

test("the close event alone is waited for, with or without waitNewEvent, until a second before the deadline", async () => {
  const f = await fakeServices();
  f.history.append(started);
  const filter = { historyEventFilterType: HistoryEventFilterType.CLOSE_EVENT };
  const tooShort = get(f, filter, f.call(5000));
  await settled();
  f.runtime.elapse(4000);
  expect(await tooShort).toEqual({ events: [], token: undefined });
  const waiting = get(f, { ...filter, waitNewEvent: true });
  await settled();
  f.history.append(plain);
  await settled();
  f.history.isOpen = false;
  f.history.append(plain, { eventType: EventType.WORKFLOW_EXECUTION_COMPLETED });
  expect(ids(await waiting)).toEqual([4]);
  // Events before the last wake nobody.
  expect(f.history.waits).toBe(2);
});

test("a client that does not follow successors is told of a continue-as-new in place of a close that has one", async () => {
  const f = await fakeServices();
  f.history.append(started);
  f.history.isOpen = false;
  const value = { newExecutionRunId: "next", failure: { message: "m" } };
  f.history.append({ eventType: EventType.WORKFLOW_EXECUTION_FAILED, attributes: { case: "workflowExecutionFailedEventAttributes", value } });
  const filter = { historyEventFilterType: HistoryEventFilterType.CLOSE_EVENT };
  const [told] = (await get(f, filter)).events;
  expect([told?.eventId, told?.eventType, told?.attributes]).toMatchObject([2, EventType.WORKFLOW_EXECUTION_CONTINUED_AS_NEW, { value }]);
  const follows = f.call(30_000, { "supported-features": "follows-next-run-id" });
  expect((await get(f, filter, follows)).events[0]?.eventType).toBe(EventType.WORKFLOW_EXECUTION_FAILED);
});

test("tokens that are none, or of another run, are refused", async () => {
  const f = await fakeServices();
  f.history.append(started);
  f.history.append(plain);
  await expect(get(f, { nextPageToken: Buffer.from("garbage") })).rejects.toThrow("Invalid NextPageToken.");
  const { token = new Uint8Array() } = await get(f, { maximumPageSize: 1 });
  const other = { workflowId: "w", runId: RUN_ID.replace(/1$/, "2") };
  await expect(get(f, { execution: other, nextPageToken: token })).rejects.toThrow("RunId in the request does not match the NextPageToken.");
});

test("the reverse read gives the newest events first, page by page", async () => {
  const f = await fakeServices();
  f.history.append(started, plain);
  f.history.append(plain);
  f.history.append(plain);
  const seen: number[][] = [];
  let nextPageToken: Uint8Array | undefined = new Uint8Array();
  while (nextPageToken !== undefined) {
    const request = GetWorkflowExecutionHistoryReverseRequest.create({ ...base, maximumPageSize: 1, nextPageToken });
    const r = await getWorkflowExecutionHistoryReverse(f.s)(request, f.call());
    seen.push(ids(decode(History, r.history ?? new Uint8Array())));
    nextPageToken = r.nextPageToken;
  }
  expect(seen).toEqual([[4], [3], [2, 1]]);
});
