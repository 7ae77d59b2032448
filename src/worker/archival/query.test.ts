import { expect, it } from "vitest";
import { parseFileQuery, parseS3Query } from "./query.js";
import type { VisibilityRecord } from "./visibility-record.js";

const RECORD = {
  workflowId: "w",
  runId: "r",
  workflowTypeName: "T",
  status: 2,
  closeTime: Date.parse("2026-01-02T03:04:05Z") * 1000,
} as VisibilityRecord;
const matches = (query: string) => parseFileQuery(query)?.matches(RECORD);

it("files are asked by id, type, status and close time", () => {
  expect(matches("")).toBe(true);
  expect(matches("WorkflowId = 'w' AND RunId = 'r' AND (WorkflowType = 'T')")).toBe(true);
  expect(matches("WorkflowId = 'other'")).toBe(false);
  expect(matches("WorkflowId = 'w' AND WorkflowId = 'other'")).toBeUndefined();
  for (const status of ["'Completed'", "'completed'", "2", "'WORKFLOW_EXECUTION_STATUS_COMPLETED'"])
    expect(matches(`ExecutionStatus = ${status}`)).toBe(true);
  expect(matches("ExecutionStatus = 'Failed'")).toBe(false);
  expect(matches("CloseTime = '2026-01-02T03:04:05Z'")).toBe(true);
  expect(matches("CloseTime >= '2026-01-02T03:04:05Z' AND CloseTime < '2026-01-03T00:00:00Z'")).toBe(true);
  expect(matches("CloseTime > '2026-01-02T03:04:05Z'")).toBe(false);
  expect(matches("CloseTime < '2026-01-02T03:04:05Z'")).toBe(false);
});

it("files refuse the rest with the official server's texts", () => {
  const refused: [query: string, text: string][] = [
    ["Nonsense = 'x'", "unknown filter name: Nonsense"],
    ["WorkflowId != 'x'", "only operation = is support for WorkflowId"],
    ["WorkflowId = 1", "value 1 is not a string value"],
    ["WorkflowId = 'a' OR RunId = 'b'", 'only comparison and "and" expression is supported'],
    ["CloseTime != '2020-01-01T00:00:00Z'", "operator != is not supported for close time"],
    ["CloseTime > 'x'", 'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"'],
    ["ExecutionStatus = 'Running'", "unknown workflow close status: running"],
    ["(", "syntax error at position 28"],
    ["WorkflowId IN ('a')", "invalid value: ('a')"],
  ];
  for (const [query, text] of refused) expect(() => parseFileQuery(query), query).toThrow(expect.objectContaining({ message: text, code: 3 }));
});

it("S3 is asked by type or id, and by one time with a precision", () => {
  expect(parseS3Query("WorkflowType = 'T'")).toEqual({ index: "workflowTypeName", value: "T", time: undefined });
  expect(parseS3Query("WorkflowId = 'w' AND CloseTime = '2026-01-02T03:04:05Z' AND SearchPrecision = 'Hour'")).toEqual({
    index: "workflowID",
    value: "w",
    time: { of: "closeTimeout", micros: RECORD.closeTime, precision: "Hour" },
  });
  const refused: [query: string, text: string][] = [
    ["CloseTime = '2026-01-02T03:04:05Z'", "WorkflowId or WorkflowType is required in query"],
    ["WorkflowId = 'w' AND WorkflowType = 'T'", "only one of WorkflowId or WorkflowType can be specified in a query"],
    ["WorkflowId = 'w' AND WorkflowId = 'x'", "can not query WorkflowId multiple times"],
    ["WorkflowId = 'w' AND StartTime = '2026-01-02T03:04:05Z'", "SearchPrecision is required when searching for a StartTime or CloseTime"],
    ["WorkflowId = 'w' AND SearchPrecision = 'Day'", "SearchPrecision requires a StartTime or CloseTime"],
    ["WorkflowId = 'w' AND StartTime = 1 AND SearchPrecision = 'Year'", "invalid value for SearchPrecision: Year"],
    ["WorkflowId = 'w' AND StartTime > 1 AND SearchPrecision = 'Day'", "only operation = is support for StartTime"],
    ["RunId = 'r'", "unknown filter name: RunId"],
  ];
  for (const [query, text] of refused) expect(() => parseS3Query(query), query).toThrow(expect.objectContaining({ message: text, code: 3 }));
});
