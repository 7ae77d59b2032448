/** Lists and counts: queries in every operator, refused queries, the older lists, search attributes of all types. */

import { randomUUID } from "node:crypto";
import type { Command } from "../../../gen/wire/temporal/api/command/v1/message.js";
import { Payload, Payloads } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { CommandType } from "../../../gen/wire/temporal/api/enums/v1/command_type.js";
import type { WorkflowExecutionInfo } from "../../../gen/wire/temporal/api/workflow/v1/message.js";
import { decode, encode, type Init } from "../../../src/api/wire.js";
import { command as c, payloads, type Script, type Session } from "../session.js";

const json = (v: unknown, type?: string) =>
  encode(Payload, {
    metadata: { encoding: Buffer.from("json/plain"), ...(type === undefined ? {} : { type: Buffer.from(type) }) },
    data: Buffer.from(JSON.stringify(v)),
  });

const upsert = (name: string, value: Uint8Array): Init<Command> => ({
  commandType: CommandType.UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
  attributes: { case: "upsertWorkflowSearchAttributesCommandAttributes", value: { searchAttributes: { indexedFields: { [name]: value } } } } as never,
});

/** Values and metadata of the search attributes that are shown. */
const attributesOf = (info: Init<WorkflowExecutionInfo> | undefined) =>
  Object.entries(info?.searchAttributes?.indexedFields ?? {})
    .filter(([name]) => name.startsWith("Conformance"))
    .map(([name, bytes]) => {
      const { metadata, data } = decode(Payload, bytes as Uint8Array);
      return [name, Buffer.from(data).toString(), Buffer.from(metadata["type"] ?? []).toString()];
    })
    .sort();

/** Three workflows with attributes of each type, the last one closed; listed. */
const populate = async (s: Session) => {
  const rows = [
    { ConformanceKeyword: "alpha", ConformanceInt: 1, ConformanceDouble: 0.5, ConformanceBool: true, ConformanceText: "the quick brown fox" },
    { ConformanceKeyword: "beta", ConformanceInt: 2, ConformanceDatetime: "2020-01-02T03:04:05Z", ConformanceKeywordList: ["x", "y"] },
    { ConformanceKeyword: "gamma", ConformanceInt: 3, ConformanceDouble: 1.5, ConformanceBool: false, ConformanceText: "a lazy dog" },
  ];
  for (const [i, row] of rows.entries())
    await s.start({
      workflowId: `${s.id}-${i}`,
      workflowType: { name: `Type${i}` },
      taskQueue: { name: `${s.queue}-${i}` },
      searchAttributes: { indexedFields: Object.fromEntries(Object.entries(row).map(([k, v]) => [k, json(v)])) },
      memo: { fields: { i: payloads(String(i)).subarray(2) } },
    });
  const t = await s.workflowTask(`${s.queue}-2`);
  await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [c.complete()] });
  const all = `WorkflowId STARTS_WITH '${s.id}'`;
  await s.until("all are listed", async () => (await s.call("CountWorkflowExecutions", { query: all })).count === 3);
  await s.until("one is closed", async () => (await s.call("CountWorkflowExecutions", { query: `${all} AND CloseTime IS NOT NULL` })).count === 1);
  return all;
};
const clean = async (s: Session) => {
  for (const i of [0, 1]) await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: `${s.id}-${i}` } });
};

export const scripts: Record<string, Script> = {
  "queries in every operator": async (s) => {
    const all = await populate(s);
    for (const q of [
      "ConformanceKeyword = 'alpha'",
      "ConformanceKeyword != 'alpha'",
      "ConformanceKeyword IN ('alpha', 'gamma')",
      "ConformanceKeyword NOT IN ('alpha', 'gamma')",
      "ConformanceKeyword STARTS_WITH 'al'",
      "ConformanceKeyword NOT STARTS_WITH 'al'",
      "ConformanceKeyword BETWEEN 'alpha' AND 'beta'",
      "ConformanceInt > 1",
      "ConformanceInt >= 2 AND ConformanceInt < 3",
      "ConformanceInt BETWEEN 2 AND 3",
      "ConformanceInt NOT BETWEEN 2 AND 3",
      "ConformanceDouble > 0.7",
      "ConformanceDouble IS NULL",
      "ConformanceDouble IS NOT NULL",
      "ConformanceBool = true",
      "ConformanceBool = false OR ConformanceInt = 2",
      "NOT ConformanceInt = 2",
      "ConformanceDatetime < '2021-01-01T00:00:00Z'",
      "ConformanceKeywordList = 'x'",
      "ConformanceKeywordList IN ('y', 'z')",
      "ConformanceKeywordList != 'x'",
      "ConformanceText = 'fox'",
      "ConformanceText = 'lazy fox'",
      "ConformanceText != 'fox'",
      "WorkflowType = 'Type0'",
      "WorkflowType STARTS_WITH 'Type'",
      "ExecutionStatus = 'Running'",
      "ExecutionStatus = 'Completed'",
      "ExecutionStatus IN ('Running', 'Completed')",
      "ExecutionStatus != 'Running'",
      `TaskQueue = '${s.queue}-1'`,
      "CloseTime IS NULL",
      "StartTime > '2020-01-01T00:00:00Z'",
      "StartTime BETWEEN '2020-01-01T00:00:00Z' AND '2090-01-01T00:00:00Z'",
      "ExecutionDuration IS NOT NULL",
      "HistoryLength = 5",
      "HistoryLength > 0",
      "StateTransitionCount > 0",
      "ParentWorkflowId IS NULL",
      `RootWorkflowId = '${s.id}-0'`,
      "(ConformanceInt = 1 OR ConformanceInt = 2) AND NOT (WorkflowType = 'Type0')",
      "`ConformanceInt` = 1",
      'ConformanceKeyword = "alpha"',
    ])
      await s.call("ListWorkflowExecutions", { query: `${all} AND (${q})` }).then(
        (r) => s.note(q, r.executions.map((e) => e.execution?.workflowId).sort()),
        (e: Error) => s.note(q, e.message),
      );
    await clean(s);
  },
  "queries that are refused": async (s) => {
    for (const query of [
      "Nope = 'x'",
      "WorkflowId =",
      "WorkflowId = 'x' ORDER BY",
      "WorkflowId = 'x' AND",
      "WorkflowId > 1",
      "ConformanceInt = 'one'",
      "ConformanceBool = 'maybe'",
      "ConformanceDatetime = 'yesterday'",
      "ExecutionStatus = 'Sleeping'",
      "ConformanceKeyword LIKE 'a%'",
      "ConformanceInt STARTS_WITH '1'",
      "ConformanceText STARTS_WITH 'a'",
      "ConformanceText > 'a'",
      "WorkflowId = 'x' GROUP BY Nope",
      "SELECT * FROM x",
      "StartTime = 'tomorrow'",
      "1 = 1",
      "WorkflowId",
      "WorkflowId = 'x' ORDER BY ConformanceText",
      "WorkflowId = 'x' LIMIT 5",
      "ExecutionDuration > 'long'",
    ]) {
      await s.refused("ListWorkflowExecutions", { query });
      await s.refused("CountWorkflowExecutions", { query });
    }
  },
  "a row as it is listed": async (s) => {
    const all = await populate(s);
    for (const name of ["ListWorkflowExecutions", "ScanWorkflowExecutions"] as const)
      await s.shown(name, { query: all }, (r) =>
        r.executions.sort((a, b) => ((a.execution?.workflowId ?? "") < (b.execution?.workflowId ?? "") ? -1 : 1)),
      );
    await clean(s);
  },
  "page by page": async (s) => {
    const all = await populate(s);
    const seen: string[] = [];
    let nextPageToken: Uint8Array = new Uint8Array(0);
    do {
      const r = await s.call("ListWorkflowExecutions", { query: all, pageSize: 1, nextPageToken });
      seen.push(...r.executions.map((e) => e.execution?.workflowId ?? ""));
      nextPageToken = r.nextPageToken;
    } while (nextPageToken.length > 0);
    s.note("in the order of lists: closed ones last, then the newest first", seen);
    await clean(s);
  },
  "counted in groups": async (s) => {
    const all = await populate(s);
    await s.shown("CountWorkflowExecutions", { query: `${all} GROUP BY ExecutionStatus` }, (r) => ({
      count: r.count,
      groups: r.groups.map((g) => ({ ...g })).sort((a, b) => b.count - a.count),
    }));
    await s.shown("CountWorkflowExecutions", { query: all });
    await s.refused("CountWorkflowExecutions", { query: `${all} GROUP BY ExecutionStatus, WorkflowType` });
    await clean(s);
  },
  "the older lists": async (s) => {
    await populate(s);
    const startTimeFilter = { earliestTime: { seconds: 1_600_000_000 }, latestTime: { seconds: 4_000_000_000 } };
    const ids = (r: { executions: { execution?: { workflowId: string } | undefined }[] }) => r.executions.map((e) => e.execution?.workflowId).sort();
    await s.shown(
      "ListOpenWorkflowExecutions",
      { startTimeFilter, filters: { case: "executionFilter", value: { workflowId: `${s.id}-0` } } as never },
      ids,
    );
    await s.shown(
      "ListOpenWorkflowExecutions",
      { startTimeFilter, filters: { case: "executionFilter", value: { workflowId: `${s.id}-2` } } as never },
      ids,
    );
    await s.shown(
      "ListClosedWorkflowExecutions",
      { startTimeFilter, filters: { case: "executionFilter", value: { workflowId: `${s.id}-2` } } as never },
      ids,
    );
    await s.refused("ListOpenWorkflowExecutions", {});
    await s.refused("ListClosedWorkflowExecutions", {});
    await s.refused("ListOpenWorkflowExecutions", {
      startTimeFilter: { earliestTime: { seconds: 4_000_000_000 }, latestTime: { seconds: 1_600_000_000 } },
    });
    await clean(s);
  },
  "lists refused": async (s) => {
    for (const name of [
      "ListWorkflowExecutions",
      "ScanWorkflowExecutions",
      "CountWorkflowExecutions",
      "ListOpenWorkflowExecutions",
      "ListClosedWorkflowExecutions",
      "ListArchivedWorkflowExecutions",
    ] as const)
      await s.refused(name, { namespace: "there-is-no-such-namespace" });
    await s.refused("ListArchivedWorkflowExecutions", { query: "WorkflowId = 'x'", pageSize: 10 });
    await s.refused("ScanWorkflowExecutions", { query: "Nope = 1" });
  },
  "search attributes upserted": async (s) => {
    await s.start();
    await s.answer([c.searchAttributes("ConformanceKeyword"), c.complete()]);
    await s.history();
    await s.until(
      "it is listed by the new value",
      async () => (await s.call("CountWorkflowExecutions", { query: `ConformanceKeyword = 'v' AND WorkflowId = '${s.id}'` })).count === 1,
    );
  },
  "types that the caller names stay in what is shown, lists name those of the attributes": async (s) => {
    const indexedFields = {
      ConformanceText: json("some words", "Keyword"),
      ConformanceInt: json(4, "Double"),
      ConformanceDouble: json(4.5),
      ConformanceKeywordList: json(["one"], "NoSuchType"),
      ConformanceKeyword: json("one", ""),
    };
    await s.start({ searchAttributes: { indexedFields } });
    await s.sleep(1100);
    await s.answer([
      upsert("ConformanceKeyword", json("two", "Text")),
      c.continueAsNew({ searchAttributes: { indexedFields: { ConformanceText: json("more words", "Keyword") } } }),
    ]);
    await s.answer([c.child(`${s.id}-child`, { searchAttributes: { indexedFields }, parentClosePolicy: 1 })]);
    await s.answer([]);
    await s.shown("DescribeWorkflowExecution", { execution: { workflowId: s.id } }, (d) => attributesOf(d.workflowExecutionInfo));
    await s.until(
      "the new run is listed by its attribute",
      async () => (await s.call("CountWorkflowExecutions", { query: `ConformanceText = 'more' AND WorkflowId = '${s.id}'` })).count === 1,
    );
    await s.shown("ListWorkflowExecutions", { query: `WorkflowId = '${s.id}'` }, (l) => l.executions.map(attributesOf));
    await s.history();
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
  },
  "external payloads are counted: described at any time, listed when the run has closed": async (s) => {
    const external = (...sizes: number[]) =>
      encode(Payload, { data: Buffer.from("elsewhere"), externalPayloads: sizes.map((sizeBytes) => ({ sizeBytes })) });
    const list = (...items: Uint8Array[]) => encode(Payloads, { payloads: items });
    const counts = async (runId = "") =>
      s.shown("DescribeWorkflowExecution", { execution: { workflowId: s.id, runId } }, (d) => [
        d.workflowExecutionInfo?.externalPayloadCount,
        d.workflowExecutionInfo?.externalPayloadSizeBytes,
      ]);
    const first = await s.start({ input: list(external(1_000_000, 20), json(1), external(300)), memo: { fields: { m: external(4_000) } } });
    await counts();
    await s.workflowTask().then(async ({ taskToken }) => {
      await s.signal("waits until the task is done", { input: list(external(5)) });
      await counts();
      await s.call("RespondWorkflowTaskCompleted", { taskToken, identity: "worker", commands: [c.activity(s, "a", { input: list(external(60)) })] });
    });
    await counts();
    const { taskToken } = await s.activityTask();
    await s.call("RespondActivityTaskCompleted", { taskToken, identity: "worker", result: list(external(7_000_000_000)) });
    await counts();
    await s.sleep(1100);
    await s.answer([c.continueAsNew({ input: list(external(8)), memo: { fields: { m: external(9) } } })]);
    await counts(first);
    await counts();
    const query = `WorkflowId = '${s.id}' AND TemporalExternalPayloadCount > 5`;
    await s.until("the first run is listed by them", async () => (await s.call("CountWorkflowExecutions", { query })).count === 1);
    await s.shown("ListWorkflowExecutions", { query }, (l) =>
      l.executions.map((e) => Object.entries(e.searchAttributes?.indexedFields ?? {}).sort()),
    );
    const workflowExecution = { workflowId: s.id, runId: first };
    await s.call("ResetWorkflowExecution", { workflowExecution, reason: "r", workflowTaskFinishEventId: 4, requestId: randomUUID() });
    await counts();
    await s.until("both are", async () => (await s.call("CountWorkflowExecutions", { query: query.replace("> 5", "> 0") })).count === 2);
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id } });
  },
  "values that do not fit": async (s) => {
    for (const [name, value] of [
      ["ConformanceInt", "text"],
      ["ConformanceBool", 3],
      ["ConformanceDatetime", "not a time"],
      ["ConformanceKeyword", 5],
      ["ConformanceKeyword", ["two", "values"]],
      ["ConformanceKeywordList", "one"],
      ["WorkflowId", "system"],
    ] as const)
      await s.refused("StartWorkflowExecution", {
        workflowId: s.id,
        workflowType: { name: "T" },
        taskQueue: { name: s.queue },
        searchAttributes: { indexedFields: { [name]: json(value) } },
      });
  },
};
