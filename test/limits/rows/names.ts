/** Lengths of names, ids and links; search attributes; pages of lists. */
import { randomUUID } from "node:crypto";
import { CommandType } from "../../../gen/wire/temporal/api/enums/v1/command_type.js";
import { command, payloads, type Session, seconds } from "../../conformance/session.js";
import { effect, type Group, type Row, refusal } from "../row.js";

const long = "x".repeat(61);
/** 60 letters, and more bytes. */
const wide = `${"x".repeat(59)}é`;

/** Of INVALID_ARGUMENT the text alone. */
type Answer = string | [code: string, text: string];
type Refused = [rpc: Parameters<typeof refusal>[1], request: (s: Session) => object, answer: Answer];
const full = (answer: Answer) => (typeof answer === "string" && answer !== "OK" ? ["INVALID_ARGUMENT", answer] : answer);

const target = (s: Session) => ({ workflowExecution: { workflowId: s.id } });
const execution = (s: Session) => ({ execution: { workflowId: s.id } });
const start = (s: Session, extra: object = {}) => ({ workflowId: s.id, workflowType: { name: "T" }, taskQueue: { name: s.queue }, ...extra });
const poll = (s: Session, extra: object = {}) => ({ taskQueue: { name: s.queue }, ...extra });

const REQUESTS: Record<string, Refused> = {
  "a namespace": ["StartWorkflowExecution", (s) => start(s, { namespace: long }), "Namespace length exceeds limit."],
  "the workflow id of a start": [
    "StartWorkflowExecution",
    (s) => start(s, { workflowId: long }),
    "WorkflowId exceeds maximum allowed length (61/60)",
  ],
  "the workflow id of a start in bytes": [
    "StartWorkflowExecution",
    (s) => start(s, { workflowId: wide }),
    "WorkflowId exceeds maximum allowed length (61/60)",
  ],
  "the type of a start": ["StartWorkflowExecution", (s) => start(s, { workflowType: { name: long } }), "WorkflowType length exceeds limit."],
  "the queue of a start": ["StartWorkflowExecution", (s) => start(s, { taskQueue: { name: long } }), "taskQueue length exceeds limit"],
  "the request id of a start": ["StartWorkflowExecution", (s) => start(s, { requestId: long }), "RequestId length exceeds limit."],
  "the workflow id of a signal with start": [
    "SignalWithStartWorkflowExecution",
    (s) => start(s, { workflowId: long, signalName: "s" }),
    "WorkflowId exceeds maximum allowed length (61/60)",
  ],
  "the signal of a signal with start": [
    "SignalWithStartWorkflowExecution",
    (s) => start(s, { signalName: long }),
    "signal name exceeds maximum allowed length (61/60)",
  ],
  "the type of a signal with start": [
    "SignalWithStartWorkflowExecution",
    (s) => start(s, { workflowType: { name: long }, signalName: "s" }),
    "workflow type name exceeds maximum allowed length (61/60)",
  ],
  "the queue of a signal with start": [
    "SignalWithStartWorkflowExecution",
    (s) => start(s, { taskQueue: { name: long }, signalName: "s" }),
    "taskQueue length exceeds limit",
  ],
  "the request id of a signal with start": [
    "SignalWithStartWorkflowExecution",
    (s) => start(s, { requestId: long, signalName: "s" }),
    "Request ID exceeds maximum allowed length (61/60)",
  ],
  "the name of a signal": ["SignalWorkflowExecution", (s) => ({ ...target(s), signalName: long }), "SignalName length exceeds limit."],
  "the request id of a signal": [
    "SignalWorkflowExecution",
    (s) => ({ ...target(s), signalName: "s", requestId: long }),
    "RequestId length exceeds limit.",
  ],
  "the workflow id of a signal": [
    "SignalWorkflowExecution",
    () => ({ workflowExecution: { workflowId: long }, signalName: "s" }),
    ["NOT_FOUND", `workflow not found for ID: ${long}`],
  ],
  "the request id of a cancel request": [
    "RequestCancelWorkflowExecution",
    (s) => ({ ...target(s), requestId: long }),
    ["NOT_FOUND", "workflow not found for ID: <id>"],
  ],
  "the identity of a cancel request": [
    "RequestCancelWorkflowExecution",
    (s) => ({ ...target(s), identity: long }),
    ["NOT_FOUND", "workflow not found for ID: <id>"],
  ],
  "the workflow id of a termination": [
    "TerminateWorkflowExecution",
    () => ({ workflowExecution: { workflowId: long } }),
    ["NOT_FOUND", `workflow not found for ID: ${long}`],
  ],
  "the workflow id of a description": [
    "DescribeWorkflowExecution",
    () => ({ execution: { workflowId: long } }),
    ["NOT_FOUND", `workflow not found for ID: ${long}`],
  ],
  "the type of a query": [
    "QueryWorkflow",
    (s) => ({ ...execution(s), query: { queryType: long } }),
    ["NOT_FOUND", "workflow not found for ID: <id>"],
  ],
  "the queue of a workflow poll": ["PollWorkflowTaskQueue", (s) => poll(s, { taskQueue: { name: long } }), "taskQueue length exceeds limit"],
  "the identity of a workflow poll": ["PollWorkflowTaskQueue", (s) => poll(s, { identity: long }), "Identity length exceeds limit."],
  "the queue of an activity poll": ["PollActivityTaskQueue", (s) => poll(s, { taskQueue: { name: long } }), "taskQueue length exceeds limit"],
  "the identity of an activity poll": ["PollActivityTaskQueue", (s) => poll(s, { identity: long }), "Identity length exceeds limit."],
  "the queue of a Nexus poll": ["PollNexusTaskQueue", (s) => poll(s, { taskQueue: { name: long } }), "taskQueue length exceeds limit"],
  "the identity of a Nexus poll": ["PollNexusTaskQueue", (s) => poll(s, { identity: long }), "Identity length exceeds limit."],
  "the queue of a description": ["DescribeTaskQueue", (s) => poll(s, { taskQueue: { name: long } }), "taskQueue length exceeds limit"],
  "the queue of a list of partitions": ["ListTaskQueuePartitions", (s) => poll(s, { taskQueue: { name: long } }), "taskQueue length exceeds limit"],
  "the identity of an activity's result": [
    "RespondActivityTaskCompletedById",
    (s) => ({ workflowId: s.id, activityId: "a", identity: long }),
    "Identity length exceeds limit.",
  ],
  "the identity of an activity's failure": [
    "RespondActivityTaskFailedById",
    (s) => ({ workflowId: s.id, activityId: "a", identity: long }),
    "Identity length exceeds limit.",
  ],
  "the identity of an activity's cancellation": [
    "RespondActivityTaskCanceledById",
    (s) => ({ workflowId: s.id, activityId: "a", identity: long }),
    "Identity length exceeds limit.",
  ],
  "the identity of a heartbeat": [
    "RecordActivityTaskHeartbeatById",
    (s) => ({ workflowId: s.id, activityId: "a", identity: long }),
    ["NOT_FOUND", "workflow not found for ID: <id>"],
  ],
};

const COMMANDS: Record<string, [of: (s: Session) => object, answer: Answer]> = {
  "the id of an activity": [(s) => command.activity(s, long), "BadScheduleActivityAttributes: activityId exceeds length limit. Length=61 Limit=60"],
  "the type of an activity": [
    (s) => command.activity(s, "a", { activityType: { name: long } }),
    "BadScheduleActivityAttributes: activityType exceeds length limit. Length=61 Limit=60",
  ],
  "the queue of an activity": [
    (s) => command.activity(s, "a", { taskQueue: { name: long } }),
    "BadScheduleActivityAttributes: taskQueue length exceeds limit",
  ],
  "the id of an activity in bytes": [
    (s) => command.activity(s, wide),
    "BadScheduleActivityAttributes: activityId exceeds length limit. Length=61 Limit=60",
  ],
  "the id of a timer": [
    () => command.timer(long, 60),
    `BadStartTimerAttributes: TimerId on StartTimerCommand exceeds length limit. TimerId=${long} Length=61 Limit=60`,
  ],
  "the id of a timer in bytes": [
    () => command.timer(wide, 60),
    `BadStartTimerAttributes: TimerId on StartTimerCommand exceeds length limit. TimerId=${wide} Length=61 Limit=60`,
  ],
  "the id of a timer to cancel": [
    () => command.cancelTimer(long),
    `BadCancelTimerAttributes: TimerId on CancelTimerCommand exceeds length limit. TimerId=${long} Length=61 Limit=60`,
  ],
  "the name of a marker": [
    () => command.marker(long),
    `BadRecordMarkerAttributes: MarkerName on RecordMarkerCommand exceeds length limit. MarkerName=${long} Length=61 Limit=60`,
  ],
  "the workflow id of a child": [
    () => command.child(long),
    `BadStartChildExecutionAttributes: WorkflowId on StartChildWorkflowExecutionCommand exceeds length limit. WorkflowId=${long} Length=61 Limit=60 WorkflowType=C Namespace=default`,
  ],
  "the type of a child": [
    () => command.child("c", { workflowType: { name: long } }),
    `BadStartChildExecutionAttributes: WorkflowType on StartChildWorkflowExecutionCommand exceeds length limit. WorkflowId=c WorkflowType=${long} Length=61 Limit=60 Namespace=default`,
  ],
  "the queue of a child": [
    () => command.child("c", { taskQueue: { name: long } }),
    `BadStartChildExecutionAttributes: invalid TaskQueue on StartChildWorkflowExecutionCommand: taskQueue length exceeds limit. WorkflowId=c WorkflowType=C Namespace=default TaskQueue=name:"${long}" kind:TASK_QUEUE_KIND_NORMAL`,
  ],
  "the type of the next run": [
    () => command.continueAsNew({ workflowType: { name: long } }),
    `BadContinueAsNewAttributes: WorkflowType on ContinueAsNewWorkflowExecutionCommand exceeds length limit. WorkflowType=${long} Length=61 Limit=60`,
  ],
  "the queue of the next run": [
    () => command.continueAsNew({ taskQueue: { name: long } }),
    `BadContinueAsNewAttributes: error validating ContinueAsNewWorkflowExecutionCommand TaskQueue: taskQueue length exceeds limit. WorkflowType=T TaskQueue=name:"${long}" kind:TASK_QUEUE_KIND_NORMAL`,
  ],
  "the workflow id of an external signal": [
    () => command.signalExternal(long),
    `BadSignalWorkflowExecutionAttributes: WorkflowId on SignalExternalWorkflowExecutionCommand exceeds length limit. WorkflowId=${long} Length=61 Limit=60 Namespace= RunId= SignalName=ext`,
  ],
  "the name of an external signal": [(s) => command.signalExternal(s.id, { signalName: long }), "OK"],
  "the workflow id of an external cancel": [
    () => command.cancelExternal(long),
    `BadRequestCancelExternalWorkflowExecutionAttributes: WorkflowId on RequestCancelExternalWorkflowExecutionCommand exceeds length limit. WorkflowId=${long} Length=61 Limit=60 RunId= Namespace=`,
  ],
};

const attributes = (fields: Record<string, Uint8Array>) => ({ searchAttributes: { indexedFields: fields } });
const text = (letters: number) => payloads("v".repeat(letters)).subarray(2);
const upsert = (fields: Record<string, Uint8Array>) => ({
  commandType: CommandType.UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
  attributes: { case: "upsertWorkflowSearchAttributesCommandAttributes", value: attributes(fields) } as never,
});

/** Without the total: the official server counts the names of its columns, and an attribute of its own (BuildIds). */
const totalless = (answer: unknown): unknown =>
  JSON.parse(JSON.stringify(answer).replace(/total size of search attributes \d+/g, "total size of search attributes N"));

/** Both ways in: with a start, and upserted. */
function attributeRow(key: string, fields: Record<string, Uint8Array>, answer: unknown): Row {
  return {
    keys: [key],
    breach: "attributes of a start, and upserted",
    play: async (s) => {
      const refused = await refusal(s, "StartWorkflowExecution", start(s, attributes(fields)));
      await s.start();
      const { taskToken } = await s.workflowTask();
      return totalless([
        refused,
        await refusal(s, "RespondWorkflowTaskCompleted", { taskToken, identity: "worker", commands: [upsert(fields)] as never }),
        await effect(s),
      ]);
    },
    answer,
  };
}

export const names: Group = {
  name: "names",
  settings: [
    "limit.maxIDLength=60",
    "limit.workerBuildIdSize=20",
    "frontend.linkMaxSize=300",
    "frontend.maxlinksPerRequest=2",
    "frontend.searchAttributesNumberOfKeysLimit=3",
    "frontend.searchAttributesSizeOfValueLimit=50",
    "frontend.searchAttributesTotalSizeLimit=150",
    "frontend.visibilityMaxPageSize=3",
    'system.namespaceMinRetentionLocal="2h"',
    "frontend.workflowRulesAPIsEnabled=true",
    "frontend.maxWorkflowRulesPerNamespace=2",
    "frontend.WorkflowPauseEnabled=false",
    "history.allowResetWithPendingChildren=false",
  ],
  rows: [
    ...Object.entries(REQUESTS).map(
      ([breach, [rpc, request, answer]]): Row => ({
        keys: ["limit.maxIDLength"],
        breach,
        play: (s) => refusal(s, rpc, request(s) as never, 3000),
        answer: full(answer),
      }),
    ),
    ...Object.entries(COMMANDS).map(
      ([breach, [of, answer]]): Row => ({
        keys: ["limit.maxIDLength"],
        breach,
        play: async (s) => {
          await s.start();
          const { taskToken } = await s.workflowTask();
          return refusal(s, "RespondWorkflowTaskCompleted", { taskToken, identity: "worker", commands: [of(s)] as never });
        },
        answer: full(answer),
      }),
    ),
    {
      keys: ["limit.maxIDLength"],
      breach: "the identity of a completed workflow task",
      play: async (s) => {
        await s.start();
        const { taskToken } = await s.workflowTask();
        return [
          await refusal(s, "RespondWorkflowTaskCompleted", { taskToken, identity: long }),
          await refusal(s, "RespondWorkflowTaskFailed", { taskToken, identity: long }),
        ];
      },
      answer: [
        ["INVALID_ARGUMENT", "Identity length exceeds limit."],
        ["INVALID_ARGUMENT", "Identity length exceeds limit."],
      ],
    },
    {
      keys: ["limit.workerBuildIdSize"],
      breach: "the build id of a poll, and of a completion",
      play: async (s) => {
        await s.start();
        const capabilities = { buildId: "b".repeat(21), useVersioning: true };
        const { taskToken } = await s.workflowTask();
        return [
          await refusal(s, "PollWorkflowTaskQueue", poll(s, { workerVersionCapabilities: capabilities }) as never),
          await refusal(s, "PollActivityTaskQueue", poll(s, { workerVersionCapabilities: capabilities }) as never),
          await refusal(s, "RespondWorkflowTaskCompleted", { taskToken, workerVersionStamp: capabilities }),
        ];
      },
      answer: [
        ["INVALID_ARGUMENT", "Build ID exceeds configured limit.workerBuildIdSize, use a shorter build ID."],
        ["INVALID_ARGUMENT", "Build ID exceeds configured limit.workerBuildIdSize, use a shorter build ID."],
        ["INVALID_ARGUMENT", "Build ID exceeds configured limit.workerBuildIdSize, use a shorter build ID."],
      ],
    },
    {
      keys: ["frontend.maxlinksPerRequest"],
      breach: "three links",
      play: async (s) => {
        const links = [1, 2, 3].map(() => ({ variant: { case: "workflow" as const, value: { namespace: "n", workflowId: "w", runId: "r" } } }));
        return [
          await refusal(s, "StartWorkflowExecution", start(s, { links }) as never),
          await refusal(s, "SignalWithStartWorkflowExecution", start(s, { links, signalName: "s" }) as never),
          await refusal(s, "SignalWorkflowExecution", { ...target(s), signalName: "s", links }),
          await refusal(s, "TerminateWorkflowExecution", { ...target(s), links }),
          await refusal(s, "RequestCancelWorkflowExecution", { ...target(s), links }),
        ];
      },
      answer: [
        ["INVALID_ARGUMENT", "cannot attach more than 2 links per request, got 3"],
        ["INVALID_ARGUMENT", "cannot attach more than 2 links per request, got 3"],
        ["INVALID_ARGUMENT", "cannot attach more than 2 links per request, got 3"],
        ["INVALID_ARGUMENT", "cannot attach more than 2 links per request, got 3"],
        ["INVALID_ARGUMENT", "cannot attach more than 2 links per request, got 3"],
      ],
    },
    {
      keys: ["frontend.linkMaxSize"],
      breach: "a long link",
      play: async (s) => {
        const value = { namespace: "n", workflowId: "w".repeat(300), runId: "r" };
        const links = [{ variant: { case: "workflow" as const, value } }];
        return [
          await refusal(s, "StartWorkflowExecution", start(s, { links }) as never),
          await refusal(s, "SignalWorkflowExecution", { ...target(s), signalName: "s", links }),
        ];
      },
      answer: [
        ["INVALID_ARGUMENT", "link exceeds allowed size of 300, got 312"],
        ["INVALID_ARGUMENT", "link exceeds allowed size of 300, got 312"],
      ],
    },
    attributeRow(
      "frontend.searchAttributesNumberOfKeysLimit",
      Object.fromEntries(["Keyword", "Text", "KeywordList", "Datetime"].map((t) => [`Conformance${t}`, text(0)])),
      [
        ["INVALID_ARGUMENT", "number of search attributes 4 exceeds limit 3"],
        ["INVALID_ARGUMENT", "BadSearchAttributes: number of search attributes 4 exceeds limit 3"],
        ["RUNNING", "WORKFLOW_TASK_SCHEDULED"],
      ],
    ),
    attributeRow("frontend.searchAttributesSizeOfValueLimit", { ConformanceKeyword: text(60) }, [
      ["INVALID_ARGUMENT", "search attribute ConformanceKeyword value size 62 exceeds size limit 50"],
      ["INVALID_ARGUMENT", "BadSearchAttributes: search attribute ConformanceKeyword value size 62 exceeds size limit 50"],
      [
        "TERMINATED",
        "WORKFLOW_EXECUTION_TERMINATED",
        "BadSearchAttributes: search attribute ConformanceKeyword value size 62 exceeds size limit 50 (history-service)",
      ],
    ]),
    attributeRow("frontend.searchAttributesTotalSizeLimit", { ConformanceKeyword: text(45), ConformanceText: text(45) }, [
      ["INVALID_ARGUMENT", "total size of search attributes N exceeds size limit 150"],
      ["INVALID_ARGUMENT", "BadSearchAttributes: total size of search attributes N exceeds size limit 150"],
      [
        "TERMINATED",
        "WORKFLOW_EXECUTION_TERMINATED",
        "BadSearchAttributes: total size of search attributes N exceeds size limit 150 (history-service)",
      ],
    ]),
    {
      keys: ["frontend.searchAttributesTotalSizeLimit"],
      breach: "attributes that add up",
      play: async (s) => {
        await s.running([], attributes({ ConformanceKeyword: text(45) }));
        await s.signal("wake");
        const { taskToken } = await s.workflowTask();
        const commands = [upsert({ ConformanceText: text(45) })] as never;
        return totalless([await refusal(s, "RespondWorkflowTaskCompleted", { taskToken, identity: "worker", commands }), await effect(s)]);
      },
      answer: [
        ["INVALID_ARGUMENT", "BadSearchAttributes: total size of search attributes N exceeds size limit 150"],
        [
          "TERMINATED",
          "WORKFLOW_EXECUTION_TERMINATED",
          "BadSearchAttributes: total size of search attributes N exceeds size limit 150 (history-service)",
        ],
      ],
    },
    {
      keys: ["frontend.visibilityMaxPageSize"],
      breach: "a page of many",
      play: async (s) => {
        for (let i = 0; i < 4; i++) await s.call("StartWorkflowExecution", { ...start(s), workflowId: `${s.id}-${i}`, requestId: randomUUID() });
        const query = `WorkflowId STARTS_WITH "${s.id}"`;
        await s.until("all are listed", async () => (await s.call("CountWorkflowExecutions", { query })).count === 4);
        const sizes = [];
        for (const pageSize of [0, 2, 1000]) {
          const page = await s.call("ListWorkflowExecutions", { query, pageSize });
          sizes.push([page.executions.length, page.nextPageToken.length > 0]);
        }
        return sizes;
      },
      answer: [
        [3, true],
        [2, true],
        [3, true],
      ],
    },
    {
      keys: ["system.namespaceMinRetentionLocal"],
      breach: "an hour",
      play: async (s) => {
        const namespace = `n-${randomUUID()}`;
        const register = (hours: number) => refusal(s, "RegisterNamespace", { namespace, workflowExecutionRetentionPeriod: seconds(hours * 3600) });
        return [await register(1), await refusal(s, "DescribeNamespace", { namespace }).then((r) => (r as string[])[0]), await register(2)];
      },
      answer: [["INVALID_ARGUMENT", "A valid retention period is not set on request."], "NOT_FOUND", "OK"],
    },
    {
      keys: ["frontend.maxWorkflowRulesPerNamespace"],
      breach: "a third workflow rule",
      play: async (s) => {
        const namespace = `n-${randomUUID()}`;
        await s.call("RegisterNamespace", { namespace, workflowExecutionRetentionPeriod: seconds(86_400) });
        await s.until("the namespace is there", () => refusal(s, "ListWorkflowRules", { namespace }).then((r) => r === "OK"));
        const create = (id: string) => refusal(s, "CreateWorkflowRule", { namespace, spec: { id } });
        return [await create("one"), await create("two"), await create("three")];
      },
      answer: ["OK", "OK", ["INVALID_ARGUMENT", "Workflow Rule limit exceeded. Max: 2"]],
    },
    {
      keys: ["frontend.WorkflowPauseEnabled"],
      breach: "a pause where there is none",
      play: (s) => refusal(s, "PauseWorkflowExecution", { workflowId: s.id }),
      answer: ["UNIMPLEMENTED", "workflow pause is not enabled for namespace: default"],
    },
    {
      keys: ["history.allowResetWithPendingChildren"],
      breach: "a reset while a child is pending",
      play: async (s) => {
        await s.running([command.child(`${s.id}-child`)]);
        await s.answer([]);
        const reset = (workflowTaskFinishEventId: number) =>
          refusal(s, "ResetWorkflowExecution", { ...target(s), workflowTaskFinishEventId, requestId: randomUUID(), reason: "again" });
        return [await reset(9), await reset(4)];
      },
      answer: [["INVALID_ARGUMENT", "WorkflowResetter encountered pending child workflows."], "OK"],
    },
  ],
};
