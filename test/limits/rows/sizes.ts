/** What requests and commands carry: blobs, memos, failures, names of things. */
import { CommandType } from "../../../gen/wire/temporal/api/enums/v1/command_type.js";
import { command, payloads, type Session, seconds } from "../../conformance/session.js";
import { blob, effect, events, type Group, type Row, refusal, value } from "../row.js";

const target = (s: Session) => ({ workflowExecution: { workflowId: s.id } });
const startRequest = (s: Session, extra: object = {}) => ({
  workflowId: s.id,
  workflowType: { name: "T" },
  taskQueue: { name: s.queue },
  requestId: "r",
  ...extra,
});
const large = blob(4000);
const notable = blob(1500);

async function activityFor(s: Session): Promise<{ taskToken: Uint8Array; identity: string }> {
  await s.running([command.activity(s, "a", { retryPolicy: { maximumAttempts: 1 } })]);
  const { taskToken } = await s.activityTask();
  return { taskToken, identity: "worker" };
}

/** The failure of the last event, with its causes. */
async function failureText(s: Session): Promise<unknown> {
  const list = await events(s);
  const failed = [...list].reverse().find((e) => e.attributes.case === "activityTaskFailedEventAttributes")?.attributes;
  const failure = failed?.case === "activityTaskFailedEventAttributes" ? failed.value.failure : undefined;
  return [failure?.message, failure?.failureInfo.case, failure?.cause?.failureInfo.case];
}

/** A command with a large blob: the task fails, and the workflow is terminated. */
const ended = (text: string) => [
  ["INVALID_ARGUMENT", text],
  ["TERMINATED", "WORKFLOW_EXECUTION_TERMINATED", `${text} (history-service)`],
];

function badCommand(breach: string, of: (s: Session) => object, text: string): Row {
  return {
    keys: ["limit.blobSize.error"],
    breach,
    play: async (s) => {
      await s.start();
      const { taskToken } = await s.workflowTask();
      const r = await refusal(s, "RespondWorkflowTaskCompleted", { taskToken, identity: "worker", commands: [of(s)] as never });
      return [r, await effect(s)];
    },
    answer: ended(text),
  };
}
const raw = (commandType: CommandType, attributesCase: string, attributes: object) => ({
  commandType,
  attributes: { case: attributesCase, value: attributes } as never,
});

export const sizes: Group = {
  name: "sizes",
  settings: [
    "limit.blobSize.error=3000",
    "limit.blobSize.warn=1000",
    "limit.memoSize.error=2000",
    "limit.memoSize.warn=500",
    "limit.mutableStateActivityFailureSize.error=600",
    "limit.mutableStateActivityFailureSize.warn=300",
  ],
  rows: [
    {
      keys: ["limit.blobSize.error"],
      breach: "the input of a start",
      play: async (s) => [
        await refusal(s, "StartWorkflowExecution", startRequest(s, { input: large })),
        await refusal(s, "DescribeWorkflowExecution", { execution: { workflowId: s.id } }).then((r) => (r as string[])[0]),
      ],
      answer: [["INVALID_ARGUMENT", "Blob data size exceeds limit."], "NOT_FOUND"],
    },
    {
      keys: ["limit.blobSize.error"],
      breach: "the input of a signal, and of a signal with start",
      play: async (s) => {
        await s.start();
        return [
          await refusal(s, "SignalWorkflowExecution", { ...target(s), signalName: "s", input: large }),
          await refusal(s, "SignalWithStartWorkflowExecution", { ...startRequest(s), signalName: "s", signalInput: large }),
          await effect(s),
        ];
      },
      answer: [
        ["INVALID_ARGUMENT", "Blob data size exceeds limit."],
        ["INVALID_ARGUMENT", "Blob data size exceeds limit."],
        ["RUNNING", "WORKFLOW_TASK_SCHEDULED"],
      ],
    },
    {
      keys: ["limit.blobSize.error"],
      breach: "the arguments of a query",
      play: async (s) => {
        await s.start();
        return refusal(s, "QueryWorkflow", { execution: { workflowId: s.id }, query: { queryType: "q", queryArgs: large } });
      },
      answer: ["INVALID_ARGUMENT", "Blob data size exceeds limit."],
    },
    {
      keys: ["limit.blobSize.error"],
      breach: "the details of a termination",
      play: async (s) => {
        await s.start();
        return [await refusal(s, "TerminateWorkflowExecution", { ...target(s), details: large }), await effect(s)];
      },
      answer: ["OK", ["TERMINATED", "WORKFLOW_EXECUTION_TERMINATED", "terminated by user via frontend (frontend-service)"]],
    },
    {
      keys: ["limit.blobSize.error"],
      breach: "the result of an activity",
      play: async (s) => {
        const task = await activityFor(s);
        return [await refusal(s, "RespondActivityTaskCompleted", { ...task, result: large }), await failureText(s)];
      },
      answer: ["OK", ["Complete result exceeds size limit.", "serverFailureInfo", null]],
    },
    {
      keys: ["limit.blobSize.error"],
      breach: "the failure of an activity, and its heartbeat details",
      play: async (s) => {
        const task = await activityFor(s);
        const failure = { message: "m".repeat(4000), failureInfo: { case: "applicationFailureInfo" as const, value: { type: "t" } } };
        const reply = await s.call("RespondActivityTaskFailed", { ...task, failure, lastHeartbeatDetails: large });
        return [reply.failures.map((f) => f.message), await failureText(s)];
      },
      answer: [
        ["Heartbeat details exceed size limit.", "Failure exceeds size limit."],
        ["Failure exceeds size limit.", "serverFailureInfo", "applicationFailureInfo"],
      ],
    },
    {
      keys: ["limit.blobSize.error"],
      breach: "the details of a heartbeat",
      play: async (s) => {
        const task = await activityFor(s);
        const reply = await s.call("RecordActivityTaskHeartbeat", { ...task, details: large });
        return [reply.cancelRequested, await failureText(s)];
      },
      answer: [true, ["Heartbeat details exceed size limit.", "serverFailureInfo", null]],
    },
    {
      keys: ["limit.blobSize.error"],
      breach: "the details of a canceled activity",
      play: async (s) => {
        const task = await activityFor(s);
        return [await refusal(s, "RespondActivityTaskCanceled", { ...task, details: large }), await failureText(s)];
      },
      answer: ["OK", ["Cancel details exceed size limit.", "serverFailureInfo", null]],
    },
    {
      keys: ["limit.blobSize.error"],
      breach: "the failure of a workflow task",
      play: async (s) => {
        await s.start();
        const { taskToken } = await s.workflowTask();
        await s.call("RespondWorkflowTaskFailed", { taskToken, identity: "worker", cause: 1, failure: { message: "m".repeat(4000) } });
        return effect(s);
      },
      answer: ["RUNNING", "WORKFLOW_TASK_SCHEDULED"],
    },
    {
      keys: ["limit.blobSize.error"],
      breach: "the answer to a query",
      play: async (s) => {
        await s.running();
        const asked = refusal(s, "QueryWorkflow", { execution: { workflowId: s.id }, query: { queryType: "q" } });
        const { taskToken } = await s.workflowTask();
        await s.call("RespondQueryTaskCompleted", { taskToken, completedType: 1, queryResult: large });
        return asked;
      },
      answer: ["INVALID_ARGUMENT", "Blob data size exceeds limit."],
    },
    badCommand(
      "the input of an activity",
      (s) => command.activity(s, "a", { input: large }),
      "BadScheduleActivityAttributes: ScheduleActivityTaskCommandAttributes.Input exceeds size limit.",
    ),
    badCommand(
      "the result of a workflow",
      () => command.complete(large),
      "BadScheduleActivityAttributes: CompleteWorkflowExecutionCommandAttributes.Result exceeds size limit.",
    ),
    badCommand(
      "the failure of a workflow",
      () => command.fail("m".repeat(4000)),
      "BadFailWorkflowExecutionAttributes: FailWorkflowExecutionCommandAttributes.Failure exceeds size limit.",
    ),
    badCommand(
      "the details of a marker",
      () => raw(CommandType.RECORD_MARKER, "recordMarkerCommandAttributes", { markerName: "m", details: { d: large } }),
      "BadRecordMarkerAttributes: RecordMarkerCommandAttributes.Details exceeds size limit.",
    ),
    badCommand(
      "the input of a child",
      (s) => command.child(`${s.id}-child`, { input: large }),
      "BadStartChildExecutionAttributes: StartChildWorkflowExecutionCommandAttributes. Input exceeds size limit.",
    ),
    badCommand(
      "the input of the next run",
      () => command.continueAsNew({ input: large }),
      "BadContinueAsNewAttributes: ContinueAsNewWorkflowExecutionCommandAttributes. Input exceeds size limit.",
    ),
    badCommand(
      "the input of a signal to another workflow",
      (s) => command.signalExternal(`${s.id}-other`, { input: large }),
      "BadSignalWorkflowExecutionAttributes: SignalExternalWorkflowExecutionCommandAttributes.Input exceeds size limit.",
    ),
    badCommand(
      "search attributes upserted",
      () =>
        raw(CommandType.UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, "upsertWorkflowSearchAttributesCommandAttributes", {
          searchAttributes: { indexedFields: { ConformanceKeyword: payloads("v").subarray(2), ConformanceText: textValue(3500) } },
        }),
      "BadSearchAttributes: UpsertWorkflowSearchAttributesCommandAttributes exceeds size limit.",
    ),
    {
      keys: ["limit.blobSize.warn"],
      breach: "inputs of a start, a signal and an activity",
      play: async (s) => {
        await s.start({ input: notable });
        await s.call("SignalWorkflowExecution", { ...target(s), signalName: "s", input: notable });
        await s.answer([command.activity(s, "a", { input: notable }), command.timer("t", 60)]);
        return effect(s);
      },
      answer: ["RUNNING", "TIMER_STARTED"],
      warnings: (s) =>
        ["StartWorkflowExecution", "SignalWorkflowExecution", "ScheduleActivityTask"].map((operation) => ({
          msg: "Blob data size exceeds the warning limit.",
          namespace: "default",
          workflowId: s.id,
          operation,
        })),
    },
    {
      keys: ["limit.memoSize.error"],
      breach: "the memo of a start",
      play: async (s) => refusal(s, "StartWorkflowExecution", startRequest(s, { memo: { fields: { m: value(2500) } } })),
      answer: ["INVALID_ARGUMENT", "Memo size exceeds limit."],
    },
    {
      ...badCommand(
        "a memo that grows too large",
        () =>
          raw(CommandType.MODIFY_WORKFLOW_PROPERTIES, "modifyWorkflowPropertiesCommandAttributes", {
            upsertedMemo: { fields: { m: value(2500) } },
          }),
        "BadModifyWorkflowPropertiesAttributes: ModifyWorkflowPropertiesCommandAttributes. Memo exceeds size limit.",
      ),
      keys: ["limit.memoSize.error"],
    },
    {
      ...badCommand(
        "the memo of a child",
        (s) => command.child(`${s.id}-child`, { memo: { fields: { m: value(2500) } } }),
        "BadStartChildExecutionAttributes: StartChildWorkflowExecutionCommandAttributes.Memo exceeds size limit.",
      ),
      keys: ["limit.memoSize.error"],
    },
    {
      ...badCommand(
        "the memo of the next run",
        () => command.continueAsNew({ memo: { fields: { m: value(2500) } } }),
        "BadContinueAsNewAttributes: ContinueAsNewWorkflowExecutionCommandAttributes. Memo exceeds size limit.",
      ),
      keys: ["limit.memoSize.error"],
    },
    {
      keys: ["limit.memoSize.warn"],
      breach: "the memo of a start, and of a child",
      play: async (s) => {
        await s.start({ memo: { fields: { m: value(700) } } });
        await s.answer([command.child(`${s.id}-child`, { memo: { fields: { m: value(700) } } })]);
        return (await events(s)).length >= 5;
      },
      answer: true,
      warnings: (s) =>
        ["StartWorkflowExecution", "StartChildWorkflowExecution"].map((operation) => ({
          msg: "Blob data size exceeds the warning limit.",
          namespace: "default",
          workflowId: s.id,
          operation,
        })),
    },
    {
      keys: ["limit.mutableStateActivityFailureSize.error"],
      breach: "the failure of an attempt",
      play: async (s) => {
        await s.running([command.activity(s, "a", { retryPolicy: { initialInterval: seconds(60) } })]);
        const { taskToken } = await s.activityTask();
        const failure = { message: "m".repeat(700), failureInfo: { case: "applicationFailureInfo" as const, value: { type: "t" } } };
        await s.call("RespondActivityTaskFailed", { taskToken, identity: "worker", failure });
        const { pendingActivities } = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
        const kept = pendingActivities[0]?.lastFailure;
        return [kept?.message, kept?.failureInfo.case, kept?.cause?.message.length, kept?.cause?.failureInfo.case];
      },
      answer: ["Failure exceeds size limit.", "serverFailureInfo", 587, "applicationFailureInfo"],
    },
    {
      keys: ["limit.mutableStateActivityFailureSize.warn"],
      breach: "the failure of an attempt",
      play: async (s) => {
        await s.running([command.activity(s, "a", { retryPolicy: { initialInterval: seconds(60) } })]);
        const { taskToken } = await s.activityTask();
        const failure = { message: "m".repeat(400), failureInfo: { case: "applicationFailureInfo" as const, value: { type: "t" } } };
        await s.call("RespondActivityTaskFailed", { taskToken, identity: "worker", failure });
        const { pendingActivities } = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
        return pendingActivities[0]?.lastFailure?.message.length;
      },
      answer: 400,
      warnings: (s) => [{ namespace: "default", workflowId: s.id, operation: "RespondActivityTaskFailed" }],
    },
  ],
};

function textValue(size: number): Uint8Array {
  const data = Buffer.from(JSON.stringify("v".repeat(size)));
  const varint = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >>> 7)]);
  return Buffer.concat([
    Buffer.from([10, 22, 10, 8]),
    Buffer.from("encoding"),
    Buffer.from([18, 10]),
    Buffer.from("json/plain"),
    Buffer.from([18, ...varint(data.length)]),
    data,
  ]);
}
