/**
 * What the seed documents describe, row by row, and the test that shows each: the source of docs/SEEDS.md (`npm run seeds`). That the
 * tests exist is tested here; that they have passed is looked up in the report of a whole run (scripts/test.mjs), without a second one.
 * The rows of CloudService are those of COMPAT.md.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Row {
  readonly what: string;
  /** "file: full title"; a file alone stands for all its tests. */
  readonly test: string;
}

export interface Section {
  readonly title: string;
  /** How many rows the documents ask for. */
  readonly count: number;
  readonly rows: readonly Row[];
}

const REST = "test/http/rest.test.ts";
const FAULTS = "test/http/faults.test.ts";
const LIMITS = "test/security/limits.test.ts: the documented limits";
const HEADERS = "test/security/limit-headers.test.ts: a limit shows at every door";
const CLAIMS = "src/authorization/claims.test.ts: a node of the tree";
const TRIGGER = "test/trigger/trigger.test.ts: the trigger API";
const WORKFLOW = "test/trigger/trigger.test.ts: the workflow API";
const STREAM = "test/stream/history-stream.test.ts";
const SDKS = "test/security/sdks.test.ts: with an API key over TLS";
const NS = "/api/v1/namespaces/{namespace}";
const RUN = `${NS}/workflows/{workflow_id}/runs/{run_id}`;
const QUEUE = `${NS}/task-queues/{task_queue}`;

const rows = (list: readonly (readonly [what: string, test: string])[]): Row[] => list.map(([what, test]) => ({ what, test }));

const ROUTES = rows([
  [`POST ${NS}/workflows`, `${REST}: workflows start as in the documented example, with attributes and memo in place`],
  [`GET ${RUN}`, `${REST}: workflows start as in the documented example, with attributes and memo in place`],
  [`POST ${RUN}/terminate`, `${REST}: errors WORKFLOW_EXECUTION_COMPLETED, for callers and for workers`],
  [`POST ${RUN}/signal`, `${REST}: workflows take signals as in the documented example, with the control of the sender`],
  [`POST ${RUN}/query`, `${REST}: workflows answer queries, and say when they are not open`],
  [`GET ${RUN}/history`, `${REST}: workflows show their history by pages, by type and as it grows`],
  [`GET ${NS}/workflows`, `${REST}: workflows are listed, scanned and counted`],
  [`POST ${NS}/workflows/scan`, `${REST}: workflows are listed, scanned and counted`],
  [`GET ${NS}/workflows/count`, `${REST}: workflows are listed, scanned and counted`],
  [`POST ${NS}/activities/heartbeat`, `${REST}: workers run a workflow with an activity from poll to result`],
  [`POST ${NS}/activities/complete`, `${REST}: workers run a workflow with an activity from poll to result`],
  [`POST ${NS}/activities/fail`, `${REST}: workers fail an activity, whose heartbeat that got lost is made up for`],
  [`POST ${QUEUE}/workflow-tasks/poll`, `${REST}: workers run a workflow with an activity from poll to result`],
  [`POST ${QUEUE}/activity-tasks/poll`, `${REST}: workers run a workflow with an activity from poll to result`],
  [`POST ${NS}/workflow-tasks/complete`, `${REST}: workers get the next task with the answer when they ask for it`],
  [`POST ${NS}/workflow-tasks/fail`, `${REST}: workers fail a workflow task with a cause in short`],
  ["POST /api/v1/namespaces", `${REST}: namespaces and the cluster a namespace is made, told and listed in the documents' form`],
  [`GET ${NS}`, `${REST}: namespaces and the cluster a namespace is made, told and listed in the documents' form`],
  ["GET /api/v1/namespaces", `${REST}: namespaces and the cluster a namespace is made, told and listed in the documents' form`],
  ["GET /api/v1/cluster", `${REST}: namespaces and the cluster the cluster, its members and its shards are told`],
  ["GET /api/v1/cluster/members", `${REST}: namespaces and the cluster the cluster, its members and its shards are told`],
  ["GET /api/v1/shards/{shard_id}", `${REST}: namespaces and the cluster the cluster, its members and its shards are told`],
  [
    "POST /api/v1/shards/{shard_id}/close",
    `${REST}: namespaces and the cluster a shard that is closed is loaded again: its timers fire, its workflows go on`,
  ],
  [`GET ${QUEUE}`, `${REST}: namespaces and the cluster a task queue tells its pollers, its backlog and its parts`],
  [`GET ${QUEUE}/partitions`, `${REST}: namespaces and the cluster a task queue tells its pollers, its backlog and its parts`],
]);

const CODES = rows([
  ["INVALID_ARGUMENT", `${REST}: errors INVALID_ARGUMENT from the server`],
  ["ALREADY_EXISTS", `${REST}: errors ALREADY_EXISTS`],
  ["NOT_FOUND", `${REST}: errors ACTIVITY_TASK_TIMEOUT, also of an attempt that is retried`],
  ["PERMISSION_DENIED", "test/security/route-permissions.test.ts: permissions of the HTTP doors are told in the form of the door"],
  ["RESOURCE_EXHAUSTED", "test/security/limit-headers.test.ts: a documented rate limit over REST workflow starts of a namespace"],
  ["FAILED_PRECONDITION", `${REST}: errors FAILED_PRECONDITION for a global namespace`],
  ["ABORTED", `${FAULTS}: a store in trouble that answers 10 to a read is told so`],
  ["OUT_OF_RANGE", `${REST}: errors OUT_OF_RANGE`],
  ["UNIMPLEMENTED", `${FAULTS}: a store in trouble that answers 12 to a read is told so`],
  ["INTERNAL", `${FAULTS}: a store in trouble that refuses what is written is INTERNAL, and nothing is there afterwards`],
  ["UNAVAILABLE", `${FAULTS}: a store in trouble that answers 14 to a read is told so`],
  ["DATA_LOSS", `${FAULTS}: a store in trouble that answers 15 to a read is told so`],
  ["UNAUTHENTICATED", "test/security/route-permissions.test.ts: permissions of the HTTP doors are told in the form of the door"],
]);

const WORKFLOW_CODES = rows([
  ["WORKFLOW_EXECUTION_ALREADY_STARTED", `${REST}: errors WORKFLOW_EXECUTION_ALREADY_STARTED`],
  ["WORKFLOW_EXECUTION_NOT_FOUND", `${REST}: errors WORKFLOW_EXECUTION_NOT_FOUND`],
  ["WORKFLOW_EXECUTION_COMPLETED", `${REST}: errors WORKFLOW_EXECUTION_COMPLETED, for callers and for workers`],
  ["WORKFLOW_TASK_TIMEOUT", `${REST}: errors WORKFLOW_TASK_TIMEOUT`],
  ["ACTIVITY_TASK_TIMEOUT", `${REST}: errors ACTIVITY_TASK_TIMEOUT, also of an attempt that is retried`],
  ["NAMESPACE_NOT_FOUND", `${REST}: errors NAMESPACE_NOT_FOUND`],
  ["TASK_QUEUE_NOT_FOUND", `${REST}: errors TASK_QUEUE_NOT_FOUND`],
]);

const PERMISSIONS = [
  ...["*", "cluster:*", "namespace:*"].map((p) => ({ what: `temporal:${p}`, test: `${CLAIMS} with a star stands for those below it` })),
  ...["create", "read", "update", "delete"].map((p) => ({ what: `temporal:namespace:${p}`, test: `${CLAIMS} namespace.${p} stands for itself` })),
  { what: "temporal:workflow:*", test: `${CLAIMS} with a star stands for those below it` },
  ...["start", "signal", "query", "read", "list", "terminate", "cancel"].map((p) => ({
    what: `temporal:workflow:${p}`,
    test: `${CLAIMS} workflow.${p} stands for itself`,
  })),
];

const RATES = rows([
  ["API requests, 10,000 a minute and cluster", `${LIMITS} 10,000 API requests a minute and cluster`],
  ["Workflow starts, 1,000 a minute and namespace", `${LIMITS} 1,000 workflow starts a minute and namespace, and one that is refused leaves nothing`],
  [
    "Activity executions, 10,000 a minute and namespace",
    `${LIMITS} 10,000 activity executions a minute and namespace: polls that bring none do not count`,
  ],
  ["Workflow executions, 100 at once in a namespace", `${LIMITS} 100 concurrent executions a namespace, however they come`],
  ["Task queue operations, 1,000 a minute and task queue", `${LIMITS} 1,000 task queue operations a minute and task queue`],
  ["History events, 100,000 a minute and namespace", `${LIMITS} 100,000 history events a minute and namespace`],
  ["API calls, 100 a second and client", `${LIMITS} 100 API requests a second and client`],
  ["Long polls, 10 at once of a client", `${LIMITS} 10 concurrent long polls a client`],
  ["Heartbeats, 1,000 a minute and client", `${LIMITS} 1,000 heartbeats a minute and client`],
]);

const LIMIT_HEADERS = ["Limit", "Remaining", "Reset", "Scope"].map((h) => ({ what: `X-RateLimit-${h}`, test: `${HEADERS} Connect` }));

const MATRIX = ["Go", "Java", "Python", "TypeScript"].flatMap((sdk) =>
  ["v1", "v1beta1"].map((version) => ({ what: `${sdk} SDK, ${version}`, test: `${SDKS} ${sdk}, with the version ${version}` })),
);

const TRIGGER_ROUTES = rows([
  ["GET /", `${TRIGGER} answers programs with its health and browsers with a page`],
  ["POST /workflows/shopping", `${TRIGGER} runs a workflow and answers what it answers`],
  ["POST /workflows/shopping/async", `${TRIGGER} starts one, tells its status and waits for its result`],
  ["GET /workflows/{workflow_id}/status", `${TRIGGER} starts one, tells its status and waits for its result`],
  ["GET /workflows/{workflow_id}/result", `${TRIGGER} starts one, tells its status and waits for its result`],
  ["GET /docs", `${TRIGGER} answers programs with its health and browsers with a page`],
]);

const WORKFLOW_ROUTES = rows([
  ["POST /workflow/run", `${WORKFLOW} runs a workflow and waits for its end, however it ends`],
  ["POST /workflow/start", `${WORKFLOW} signals, asks and updates`],
  ["GET /workflow/:id/status", `${WORKFLOW} gives up waiting at the timeout, and the workflow runs on`],
  ["GET /workflow/:id/result", `${WORKFLOW} gives up waiting at the timeout, and the workflow runs on`],
  ["POST /workflow/:id/signal/:name", `${WORKFLOW} signals, asks and updates`],
  ["POST /workflow/:id/query/:name", `${WORKFLOW} signals, asks and updates`],
  ["POST /workflow/:id/update/:name", `${WORKFLOW} signals, asks and updates`],
  ["PATCH /workflow/:id/stop", `${WORKFLOW} stops with clean-up, and terminates without`],
  ["POST /workflow/:id/terminate", `${WORKFLOW} stops with clean-up, and terminates without`],
  ["GET /workflow/catalog", `${WORKFLOW} lists what there is with schemas, and refuses input that breaks one, with its path`],
  ["GET /workflow/:id/history/stream", `${STREAM}: tells a run from its first event to its end`],
  ["GET /workflow/:id/runs/:rid/history/stream", `${STREAM}: stays with the run that the reader was in, and names the next one`],
  ["GET /workflow/:id/trace-log", `${WORKFLOW} answers the trace of a run that has ended, and keeps it`],
]);

const EVENTS = rows([
  ["workflow", `${STREAM}: tells a run from its first event to its end`],
  ["history", `${STREAM}: gives each event once when the server is killed in the middle and the reader comes back with its last id`],
  ["done", `${STREAM}: stays with the run that the reader was in, and names the next one`],
  ["server_error", `${STREAM}: tells what goes wrong behind an open stream`],
]);

/** Of the RPCs that are refused with a reason. */
const VENDOR = "test/seeds/vendor.test.ts";
/** Rows of COMPAT.md: "| CloudService.GetUsers | done | test |". None before that service is there. */
const CLOUD = [...readFileSync(join(import.meta.dirname, "../../COMPAT.md"), "utf8").matchAll(/^\| (CloudService\.\w+) \| \w+ \| (.+?) \|$/gm)].map(
  ([, what = "", test = ""]) => ({ what, test: /test\/[\w/-]+\.test\.ts/.exec(test)?.[0] ?? VENDOR }),
);
const CLOUD_LIMITS = ["account, 40 a second", "account, raised to 160 a second", "user, 10 a second", "service account, 20 a second"];
const CLOUD_TEST = "test/cloud/limits.test.ts";

export const SECTIONS: readonly Section[] = [
  { title: "REST API (000, 001): routes", count: 25, rows: ROUTES },
  { title: "REST API (000, 001): standard error codes", count: 13, rows: CODES },
  { title: "REST API (000, 001): error codes of workflows", count: 7, rows: WORKFLOW_CODES },
  { title: "REST API (000, 001): permissions", count: 15, rows: PERMISSIONS },
  { title: "REST API (000, 001): rate limits", count: 9, rows: RATES },
  { title: "REST API (000, 001): headers of limits", count: 4, rows: LIMIT_HEADERS },
  { title: "REST API (000, 001): SDKs and versions", count: 8, rows: MATRIX },
  { title: "Trigger API (002): routes and page", count: 6, rows: TRIGGER_ROUTES },
  ...(CLOUD.length === 0
    ? []
    : [
        { title: "Cloud Ops API (003): RPCs", count: 76, rows: CLOUD },
        { title: "Cloud Ops API (003): rate limits", count: 4, rows: CLOUD_LIMITS.map((what) => ({ what, test: CLOUD_TEST })) },
      ]),
  { title: "Workflow API (004): routes", count: 13, rows: WORKFLOW_ROUTES },
  { title: "Workflow API (004): events of the stream", count: 4, rows: EVENTS },
];

export function render(): string {
  const lines = [
    "# What the seed documents describe, and the test of each",
    "",
    "Made by `npm run seeds` from `test/seeds/seeds.ts`; not to be edited. A test is named by its file and full title, or by its file for",
    "all of its tests. At the end of a whole `npm test` each row is looked up in the report, and one without a passing test fails the run.",
  ];
  for (const { title, rows } of SECTIONS)
    lines.push("", `## ${title}`, "", "| what | test |", "| --- | --- |", ...rows.map((r) => `| ${r.what} | ${r.test} |`));
  return `${lines.join("\n")}\n`;
}
