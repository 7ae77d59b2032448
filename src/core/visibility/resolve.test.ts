import { describe, expect, test } from "vitest";
import { IndexedValueType as T } from "../../../gen/wire/temporal/api/enums/v1/common.js";
import { ServiceError } from "../../api/service-error.js";
import type { NamespaceView } from "../namespace-view.js";
import { resolveQuery } from "./resolve.js";

const NAMESPACE: NamespaceView = {
  id: "id",
  name: "default",
  key: 1,
  retention: 0,
  state: 1,
  searchAttributes: new Map(
    Object.entries({ KW: T.KEYWORD, TX: T.TEXT, IN: T.INT, DB: T.DOUBLE, BO: T.BOOL, DT: T.DATETIME, KL: T.KEYWORD_LIST }).map(([name, type], i) => [
      name,
      { id: i + 1, type },
    ]),
  ),
};

/** What the official server answers, recorded from it. */
const REFUSED: readonly (readonly [query: string, message: string])[] = [
  ["NOT (KW = 'Alpha' OR IN1 = 3)", "invalid query: invalid search attribute: IN1"],
  [
    "KL STARTS_WITH 'x'",
    "invalid query: operation is not supported: operator 'STARTS_WITH' not supported for KeywordList type search attribute 'KL'",
  ],
  ["TX = ''", "invalid query: invalid expression: no tokens found filtering on Text type search attribute TX"],
  ["IN = '5'", "invalid query: malformed SQL query: syntax error at position 30 near 'in'"],
  ["`IN` = '5'", 'invalid query: invalid expression: invalid value type for search attribute IN of type Int: "5" (type: string)'],
  ["`IN` = 'x'", 'invalid query: invalid expression: invalid value type for search attribute IN of type Int: "x" (type: string)'],
  ["DB = '1.5'", 'invalid query: invalid expression: invalid value type for search attribute DB of type Double: "1.5" (type: string)'],
  ["BO = 'true'", 'invalid query: invalid expression: invalid value type for search attribute BO of type Bool: "true" (type: string)'],
  ["BO = 1", "invalid query: invalid expression: invalid value type for search attribute BO of type Bool: 1 (type: int64)"],
  ["DT = '2020-01-01'", "invalid query: invalid expression: unable to parse datetime '2020-01-01'"],
  ["DT > 1.5", "invalid query: invalid expression: invalid value type for search attribute DT of type Datetime: 1.5 (type: float64)"],
  ["KW = 1e3", "invalid query: invalid expression: invalid value type for search attribute KW of type Keyword: 1000 (type: float64)"],
  ["KW = +.50", "invalid query: invalid expression: invalid value type for search attribute KW of type Keyword: 0.5 (type: float64)"],
  ["KW = 1E-7", "invalid query: invalid expression: invalid value type for search attribute KW of type Keyword: 1e-07 (type: float64)"],
  ["KW ~ 'a'", "invalid query: malformed SQL query: syntax error at position 32"],
  ["KW = 'a' /* open", "invalid query: malformed SQL query: syntax error at position 44 near '/* open'"],
  ["KW = 5", "invalid query: invalid expression: invalid value type for search attribute KW of type Keyword: 5 (type: int64)"],
  ["KW = true", "invalid query: invalid expression: invalid value type for search attribute KW of type Keyword: true (type: bool)"],
  ["KL = 5", "invalid query: invalid expression: invalid value type for search attribute KL of type KeywordList: 5 (type: int64)"],
  ["KL IN (5)", "invalid query: invalid expression: invalid value type for search attribute KL of type KeywordList: 5 (type: int64)"],
  ["KL = ('x')", "invalid query: invalid expression: unexpected value type *sqlparser.ParenExpr"],
  ["KL > 'x'", "invalid query: operation is not supported: operator '>' not supported for KeywordList type search attribute 'KL'"],
  ["TX > 'x'", "invalid query: operation is not supported: operator '>' not supported for Text type search attribute 'TX'"],
  ["TX IN ('quick')", "invalid query: operation is not supported: operator 'IN' not supported for Text type search attribute 'TX'"],
  ["BO BETWEEN true AND false", "invalid query: invalid expression: cannot do range condition on search attribute 'BO' of type Bool"],
  ["TX BETWEEN 'a' AND 'b'", "invalid query: invalid expression: cannot do range condition on search attribute 'TX' of type Text"],
  ["Nope = 1", "invalid query: invalid search attribute: Nope"],
  ["KW", "invalid query: invalid expression: incomplete expression"],
  [
    "KW = Alpha",
    'invalid query: operation is not supported: column name on the right side of comparison expression (did you forget to quote "Alpha"?)',
  ],
  ["KW = ", "invalid query: malformed SQL query: syntax error at position 32"],
  ["KW = 'a", "invalid query: malformed SQL query: syntax error at position 35 near 'a'"],
  ["= 3", "invalid query: malformed SQL query: syntax error at position 29"],
  ["KW = 'a' AND", "invalid query: malformed SQL query: syntax error at position 40"],
  ["(KW = 'a'", "invalid query: malformed SQL query: syntax error at position 37"],
  ["KW = 'a')", "invalid query: malformed SQL query: syntax error at position 37"],
  ["foo(KW) = 1", "invalid query: invalid expression: must be a column name but was *sqlparser.FuncExpr"],
  ["KW = foo('a')", "invalid query: operation is not supported: nested func"],
  ["KW LIKE 'a'", "invalid query: operation is not supported: operator 'LIKE' not supported for Keyword type search attribute 'KW'"],
  ["KW NOT LIKE 'a'", "invalid query: operation is not supported: operator 'NOT LIKE' not supported for Keyword type search attribute 'KW'"],
  ["KW = 'a' LIMIT 3", "invalid query: operation is not supported: 'LIMIT' clause"],
  ["KW IS TRUE", "invalid query: invalid expression: 'IS' operator can only be used as 'IS NULL' or 'IS NOT NULL'"],
  ["ExecutionStatus = 'running'", "invalid query: invalid expression: invalid ExecutionStatus value 'running'"],
  ["ExecutionStatus = 'x'", "invalid query: invalid expression: invalid ExecutionStatus value 'x'"],
  ["ExecutionStatus = 99", "invalid query: invalid expression: invalid ExecutionStatus value 99"],
  ["ExecutionStatus = 1.5", "invalid query: invalid expression: unexpected value type float64 for search attribute ExecutionStatus"],
  ["ExecutionStatus STARTS_WITH 'R'", "invalid query: invalid expression: invalid ExecutionStatus value 'R'"],
  ["ExecutionDuration < 'x'", "invalid query: invalid expression: invalid duration value for search attribute ExecutionDuration: x"],
  ["ExecutionDuration < 1.5", "invalid query: invalid expression: unexpected value type float64 for search attribute ExecutionDuration"],
  ["workflowid = 'w1'", "invalid query: invalid search attribute: workflowid"],
  ["!(WorkflowId = 'w1')", "invalid query: operation is not supported: expression of type *sqlparser.UnaryExpr"],
  ["StartTime > 'x'", "invalid query: invalid expression: unable to parse datetime 'x'"],
  ["StartTime > '2020-01-01'", "invalid query: invalid expression: unable to parse datetime '2020-01-01'"],
  ["1 = 1", "invalid query: invalid expression: must be a column name but was *sqlparser.SQLVal"],
  ["KW = NULL", "invalid query: invalid expression: unexpected value type *sqlparser.NullVal"],
  ["KW in ()", "invalid query: malformed SQL query: syntax error at position 36"],
  ["KW = -5", "invalid query: invalid expression: invalid value type for search attribute KW of type Keyword: -5 (type: int64)"],
  ["`IN` = 5 + 0", "invalid query: invalid expression: unexpected value type *sqlparser.BinaryExpr"],
  ["WorkflowId IN 'w1'", "invalid query: malformed SQL query: syntax error at position 46 near 'w1'"],
  ["a.b = 1", "invalid query: invalid search attribute: a.b"],
  ["KW NOT 'a'", "invalid query: malformed SQL query: syntax error at position 38 near 'a'"],
  ["@x = 1", "invalid query: invalid search attribute: @x"],
];

const ACCEPTED: readonly string[] = [
  "KL != 'x'",
  "NOT KL = 'x'",
  "KL NOT IN ('x')",
  "TX != 'quick'",
  "NOT TX = 'quick'",
  "KW != 'Alpha'",
  "NOT KW = 'Alpha'",
  "KW STARTS_WITH 'alp'",
  "KW STARTS_WITH 'Alp'",
  "KW NOT STARTS_WITH 'Alp'",
  "TX = 'brown'",
  "TX = 'fox'",
  "TX = 'brown-fox'",
  "TX = 'fox brown'",
  "TX = '-'",
  "KL = 'y'",
  "KL = 'Y Z'",
  "KL = 'y z'",
  "CloseTime > '2020-01-01T00:00:00Z'",
  "CloseTime IS NULL",
  "NOT CloseTime IS NULL",
  "CloseTime < '2100-01-01T00:00:00Z'",
  "`KW` = 'Alpha'",
  'KW = "Alpha"',
  "`IN` = 5",
  "`IN` = 5.0",
  "DB > 1",
  "BO = true",
  "BO = TRUE",
  "DT = '2020-01-01T00:00:00Z'",
  "DT = 1577836800000000000",
  "DT BETWEEN '2019-01-01T00:00:00Z' AND '2021-01-01T00:00:00Z'",
  "BO > true",
  "BO IN (true)",
  "",
  "GROUP BY ExecutionStatus",
  "KW IS NOT NULL",
  "ExecutionStatus = 'Running'",
  "ExecutionStatus = 1",
  "ExecutionStatus != 'Running'",
  "ExecutionStatus IN ('Running','Terminated')",
  "ExecutionStatus = 'WORKFLOW_EXECUTION_STATUS_RUNNING'",
  "ExecutionDuration > '1h'",
  "ExecutionDuration < '1d'",
  "ExecutionDuration < '00:10:00'",
  "ExecutionDuration < 600000000000",
  "ParentWorkflowId IS NULL",
  "ParentWorkflowId = ''",
  "HistoryLength > 0",
  "ScheduleId = 'w1'",
  "TemporalWorkflowId = 'w1'",
  "ChangeVersion IS NULL",
  "BuildIds = 'b1'",
  "TemporalBuildIds = 'b1'",
  "TemporalNamespaceDivision IS NULL",
  "WorkflowId = 'w1' or WorkflowId='w2'",
  "WorkflowId = 'w1' || WorkflowId='w2'",
  "WorkflowId = 'w1' && KW='Alpha'",
  "WorkflowId <> 'w1'",
  "WorkflowId NOT BETWEEN 'w1' AND 'w2'",
  "WorkflowId between 'w2' and 'w9'",
  "WorkflowId = 'it''s'",
  "WorkflowId = 'w\\'1'",
  "KW = 'é'",
  "`IN` > -5",
  "KW = 'a';",
  "KW = 'a' -- x",
];

function messageOf(query: string): string {
  try {
    resolveQuery(query, NAMESPACE);
  } catch (e) {
    if (e instanceof ServiceError) return `${e.code} ${e.message}`;
    throw e;
  }
  return "accepted";
}

const conditionOf = (query: string) => {
  const { filter } = resolveQuery(`(${query}) AND TemporalNamespaceDivision IS NULL`, NAMESPACE);
  return filter?.op === "and" ? filter.args[0] : filter;
};

describe("the official server's answers", () => {
  test.each(REFUSED)("%s is refused", (query, message) => {
    expect(messageOf(query)).toBe(`3 ${message}`);
  });

  test.each(ACCEPTED)("%s is accepted", (query) => {
    expect(messageOf(query)).toBe("accepted");
  });
});

describe("values", () => {
  test.each([
    ["DT = '2020-01-01T02:00:00.1234567+02:00'", 1_577_836_800_123_456],
    ["DT = 1577836800123456789", 1_577_836_800_123_456],
    ["DT = '1969-12-31T23:59:59Z'", -1_000_000],
    ["ExecutionDuration = '1h30m'", 5_400_000_000],
    ["ExecutionDuration = '1.5d'", 129_600_000_000],
    ["ExecutionDuration = '01:00:01'", 3_601_000_000],
    ["ExecutionDuration = 1500", 1.5],
    ["ExecutionStatus = 'ContinuedAsNew'", 6],
    ["KW = 'it''s'", "it's"],
    ['KW = "a\\nb"', "a\nb"],
    ["BO = TRUE", true],
  ])("%s compares with %s", (query, value) => {
    expect(conditionOf(query)).toMatchObject({ op: "compare", value });
  });

  test("no time: 30 February, hour 24, no zone", () => {
    for (const bad of ["2020-02-30T00:00:00Z", "2020-01-01T24:00:00Z", "2020-01-01T00:00:00"])
      expect(messageOf(`DT = '${bad}'`)).toContain("unable to parse datetime");
  });
});

describe("clauses", () => {
  test("NOT is pushed down to the comparisons", () => {
    expect(conditionOf("NOT (KW = 'a' OR DB > 1)")).toMatchObject({ comparison: "!=" });
    expect(resolveQuery("NOT (KW = 'a' AND DB > 1) AND TemporalNamespaceDivision IS NULL", NAMESPACE).filter).toMatchObject({
      op: "and",
      args: [{ op: "or", args: [{ comparison: "!=" }, { comparison: "<=" }] }, { op: "isNull" }],
    });
  });

  test("rows of a division are hidden unless the query names it", () => {
    expect(resolveQuery("", NAMESPACE).filter).toMatchObject({ op: "isNull", negated: false });
    expect(resolveQuery("NamespaceDivision = 'x'", NAMESPACE).filter).toMatchObject({ op: "compare" });
    expect(resolveQuery("GROUP BY TemporalNamespaceDivision", NAMESPACE).filter).toBeUndefined();
  });

  test("ORDER BY takes several keys of system and custom attributes, but no Text and no KeywordList", () => {
    expect(resolveQuery("KW = 'a' order by DB desc, StartTime", NAMESPACE).orderBy.map((o) => o.descending)).toEqual([true, false]);
    for (const [name, type] of [
      ["TX", "Text"],
      ["KL", "KeywordList"],
    ])
      expect(messageOf(`ORDER BY ${name}`)).toBe(`3 invalid query: operation is not supported: unable to sort by search attribute type ${type}`);
  });

  test("GROUP BY takes one attribute of type Keyword, Bool or Int", () => {
    for (const name of ["ExecutionStatus", "WorkflowType", "TaskQueue", "KW", "BO", "HistoryLength"])
      expect(messageOf(`GROUP BY ${name}`)).toBe("accepted");
    expect(messageOf("GROUP BY BO ORDER BY KW")).toBe("accepted");
    expect(messageOf("ORDER BY KW, BO DESC GROUP BY BO")).toBe("accepted");
    expect(messageOf("GROUP BY BO ORDER BY KW GROUP BY BO")).toMatch("syntax error at position 51 near 'group'");
    expect(messageOf("GROUP BY KL")).toBe("3 invalid query: operation is not supported: 'GROUP BY' clause is not supported for search attribute KL");
    expect(messageOf("GROUP BY KW, BO")).toBe("3 invalid query: operation is not supported: 'GROUP BY' clause supports only a single field");
  });

  test("a custom attribute hides the alias of the same name", () => {
    const own = { ...NAMESPACE, searchAttributes: new Map([["ScheduleId", { id: 7, type: T.KEYWORD }]]) };
    expect(resolveQuery("ScheduleId = 'a'", own).filter).toMatchObject({ op: "and", args: [{}, { field: { kind: "attribute", id: 7 } }] });
  });

  test("nesting without end is refused and does not end the process", () => {
    for (const bad of [
      "(".repeat(100_000),
      "NOT ".repeat(100_000),
      `KW = ${"(".repeat(100_000)}`,
      `KW = ${"- ".repeat(100_000)}1`,
      "!".repeat(100_000),
    ])
      expect(messageOf(bad)).toContain("3 invalid query");
  });

  test("comments are passed over, and a number may have its sign", () => {
    const plain = resolveQuery("`IN` = 1 AND DB = 2", NAMESPACE);
    for (const query of ["/* a */ `IN` /**/ = 1 AND DB = +2 # b", "`IN` = +1 // a\nAND DB = + +2", "`IN` = -+-1 # a\n AND -- b\n DB = 2"])
      expect(resolveQuery(query, NAMESPACE)).toEqual(plain);
  });

  test("what follows the place where a query goes wrong is not read", () => {
    const open = " OR KW = 'never closed";
    expect(messageOf(`KW = )${open}`)).toBe("3 invalid query: malformed SQL query: syntax error at position 34");
    expect(messageOf(`${"KW = 'a' OR ".repeat(6_000)}KW = 'b'${open}`)).toBe("3 invalid query: more than 10000 values");
  });
});
