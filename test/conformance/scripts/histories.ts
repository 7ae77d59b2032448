/** Histories as clients read them: pages, the close event alone, long polls, backwards; deletes. */
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { decode } from "../../../src/api/wire.js";
import { command as c, type Script, type Session } from "../session.js";

const types = (history: Uint8Array | undefined) =>
  history === undefined ? [] : decode(History, history).events.map((e) => `${e.eventId} ${EventType[e.eventType]}`);

/** All pages together: how many events one holds is the server's, that each holds some is not. */
const pages = async (s: Session, name: "GetWorkflowExecutionHistory" | "GetWorkflowExecutionHistoryReverse", maximumPageSize: number) => {
  let nextPageToken: Uint8Array = new Uint8Array(0);
  const events: string[] = [];
  let count = 0;
  do {
    const r = await s.call(name, { execution: { workflowId: s.id }, maximumPageSize, nextPageToken });
    events.push(...types(r.history));
    nextPageToken = r.nextPageToken;
    count++;
  } while (nextPageToken.length > 0);
  s.note(`${name} in pages of ${maximumPageSize}`, { events, hasPages: count > 1 });
};

export const scripts: Record<string, Script> = {
  "page by page": async (s) => {
    await s.running([c.marker("one"), c.marker("two"), c.timer("t", 100)]);
    await s.signal("a");
    await s.answer([c.complete()]);
    await pages(s, "GetWorkflowExecutionHistory", 1);
    await pages(s, "GetWorkflowExecutionHistory", 3);
    await pages(s, "GetWorkflowExecutionHistory", 0);
  },
  "page by page, backwards": async (s) => {
    await s.running([c.marker("one"), c.marker("two"), c.timer("t", 100)]);
    await s.signal("a");
    await s.answer([c.complete()]);
    await pages(s, "GetWorkflowExecutionHistoryReverse", 1);
    await pages(s, "GetWorkflowExecutionHistoryReverse", 3);
    await pages(s, "GetWorkflowExecutionHistoryReverse", 0);
  },
  "only the close event": async (s) => {
    await s.running([c.marker("m"), c.complete()]);
    await s.shown("GetWorkflowExecutionHistory", { execution: { workflowId: s.id }, historyEventFilterType: 2 }, (r) => ({
      events: types(r.history),
      hasMore: r.nextPageToken.length > 0,
    }));
  },
  "only the close event, of an open workflow": async (s) => {
    await s.running([c.marker("m")]);
    await s.shown("GetWorkflowExecutionHistory", { execution: { workflowId: s.id }, historyEventFilterType: 2 }, (r) => ({
      events: types(r.history),
      hasMore: r.nextPageToken.length > 0,
    }));
  },
  "waiting for the close event": async (s) => {
    await s.running();
    const waiting = s.call("GetWorkflowExecutionHistory", { execution: { workflowId: s.id }, historyEventFilterType: 2, waitNewEvent: true }, 20_000);
    await s.signal("end");
    await s.answer([c.complete()]);
    const r = await waiting;
    s.note("what came", { events: types(r.history), hasMore: r.nextPageToken.length > 0 });
  },
  "waiting for new events": async (s) => {
    await s.running();
    const first = await s.call("GetWorkflowExecutionHistory", { execution: { workflowId: s.id }, waitNewEvent: true });
    s.note("what was there", { events: types(first.history), hasMore: first.nextPageToken.length > 0 });
    const waiting = s.call(
      "GetWorkflowExecutionHistory",
      { execution: { workflowId: s.id }, waitNewEvent: true, nextPageToken: first.nextPageToken },
      20_000,
    );
    await s.signal("news");
    const second = await waiting;
    s.note("what came", { events: types(second.history), hasMore: second.nextPageToken.length > 0 });
  },
  "a history refused": async (s) => {
    await s.running();
    await s.refused("GetWorkflowExecutionHistory", {});
    await s.refused("GetWorkflowExecutionHistory", { execution: { workflowId: s.id, runId: "no uuid" } });
    await s.refused("GetWorkflowExecutionHistory", { execution: { workflowId: s.id }, nextPageToken: new Uint8Array([1, 2, 3]) });
    await s.refused("GetWorkflowExecutionHistoryReverse", {});
    await s.refused("GetWorkflowExecutionHistoryReverse", { execution: { workflowId: "there-is-none" } });
    await s.refused("GetWorkflowExecutionHistoryReverse", { execution: { workflowId: s.id }, nextPageToken: new Uint8Array([1, 2, 3]) });
    await s.refused("GetWorkflowExecutionHistory", { execution: { workflowId: s.id }, namespace: "there-is-no-such-namespace" });
  },
  deleted: async (s) => {
    const runId = await s.running([c.complete()]);
    await s.until("it is listed", async () => (await s.call("CountWorkflowExecutions", { query: `WorkflowId = '${s.id}'` })).count === 1);
    await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id, runId } });
    await s.call("DeleteWorkflowExecution", { workflowExecution: { workflowId: s.id, runId } });
    await s.until("it is gone", async () =>
      s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id, runId } }).then(
        () => false,
        (e: Error & { code?: number }) => e.code === 5,
      ),
    );
    await s.refused("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
    await s.refused("GetWorkflowExecutionHistory", { execution: { workflowId: s.id, runId } });
    await s.until("it is listed no more", async () => (await s.call("CountWorkflowExecutions", { query: `WorkflowId = '${s.id}'` })).count === 0);
  },
  "deleted while it runs": async (s) => {
    const runId = await s.running();
    await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id, runId } });
    await s.call("DeleteWorkflowExecution", { workflowExecution: { workflowId: s.id } });
    await s.until("it is gone", async () =>
      s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id, runId } }).then(
        () => false,
        (e: Error & { code?: number }) => e.code === 5,
      ),
    );
  },
  "a delete refused": async (s) => {
    await s.refused("DeleteWorkflowExecution", {});
    await s.refused("DeleteWorkflowExecution", { workflowExecution: { workflowId: "there-is-none" } });
    await s.refused("DeleteWorkflowExecution", { workflowExecution: { workflowId: s.id, runId: "no uuid" } });
  },
};
