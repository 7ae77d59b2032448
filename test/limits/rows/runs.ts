/** Runs as a whole: length and size of the history, size of the state, of one transaction; what may be pending at once. */
import { randomUUID } from "node:crypto";
import { CommandType } from "../../../gen/wire/temporal/api/enums/v1/command_type.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { command, type Session } from "../../conformance/session.js";
import { blob, effect, events, type Group, type Row, refusal, typesOf, value } from "../row.js";

const target = (s: Session) => ({ workflowExecution: { workflowId: s.id } });
const answerOf = async (s: Session, commands: object[]) => {
  const { taskToken } = await s.workflowTask();
  return refusal(s, "RespondWorkflowTaskCompleted", { taskToken, identity: "worker", commands: commands as never });
};
const signal = (s: Session, size = 0) =>
  refusal(s, "SignalWorkflowExecution", { ...target(s), signalName: "s", requestId: randomUUID(), ...(size === 0 ? {} : { input: blob(size) }) });
const markers = (count: number, size = 0) =>
  Array.from({ length: count }, () => ({
    commandType: CommandType.RECORD_MARKER,
    attributes: {
      case: "recordMarkerCommandAttributes",
      value: { markerName: "m", details: size === 0 ? {} : { d: blob(size) } },
    } as never,
  }));
const memoOf = (size: number, key = "m") => ({
  commandType: CommandType.MODIFY_WORKFLOW_PROPERTIES,
  attributes: { case: "modifyWorkflowPropertiesCommandAttributes", value: { upsertedMemo: { fields: { [key]: value(size) } } } } as never,
});

/** Signals until one is refused; answers how many were taken, and why not more. */
async function signalUntilRefused(s: Session, size: number): Promise<[taken: number, refused: unknown]> {
  for (let taken = 0; taken < 60; taken++) {
    const r = await signal(s, size);
    if (r !== "OK") return [taken, r];
  }
  return [60, "OK"];
}

/** What the next workflow task says of continuing as new. */
async function suggestion(s: Session): Promise<unknown> {
  await s.workflowTask();
  const started = (await events(s)).at(-1);
  return started?.attributes.case === "workflowTaskStartedEventAttributes"
    ? [started.eventId, started.attributes.value.suggestContinueAsNew, started.attributes.value.suggestContinueAsNewReasons]
    : EventType[started?.eventType ?? 0];
}

const warned = (key: string, msg: string) => (s: Session) => [{ key, msg, namespace: "default", workflowId: s.id }];

export const history: Group = {
  name: "history",
  settings: [
    "limit.historyCount.error=30",
    "limit.historyCount.warn=20",
    "limit.historyCount.suggestContinueAsNew=12",
    "limit.historySize.error=20000",
    "limit.historySize.warn=10000",
    "limit.historySize.suggestContinueAsNew=6000",
  ],
  rows: [
    {
      keys: ["limit.historyCount.suggestContinueAsNew"],
      breach: "a workflow task of many events",
      play: async (s) => {
        await s.running();
        for (let i = 0; i < 10; i++) await signal(s);
        return suggestion(s);
      },
      answer: [16, true, [2]],
    },
    {
      keys: ["limit.historyCount.suggestContinueAsNew"],
      breach: "not before",
      play: async (s) => {
        await s.running();
        for (let i = 0; i < 4; i++) await signal(s);
        return suggestion(s);
      },
      answer: [10, false, []],
    },
    {
      keys: ["limit.historySize.suggestContinueAsNew"],
      breach: "a workflow task of a large history",
      play: async (s) => {
        await s.running();
        for (let i = 0; i < 2; i++) await signal(s, 4000);
        return suggestion(s);
      },
      answer: [8, true, [1]],
    },
    {
      keys: ["limit.historyCount.warn"],
      breach: "a long history",
      play: async (s) => {
        await s.running();
        for (let i = 0; i < 20; i++) await signal(s);
        return effect(s);
      },
      answer: ["RUNNING", "WORKFLOW_EXECUTION_SIGNALED"],
      warnings: warned("limit.historyCount.warn", "history count exceeds warn limit."),
    },
    {
      keys: ["limit.historySize.warn"],
      breach: "a large history",
      play: async (s) => {
        await s.running();
        for (let i = 0; i < 3; i++) await signal(s, 4000);
        return effect(s);
      },
      answer: ["RUNNING", "WORKFLOW_EXECUTION_SIGNALED"],
      warnings: warned("limit.historySize.warn", "history size exceeds warn limit."),
    },
    {
      keys: ["limit.historyCount.error"],
      breach: "one signal too many",
      play: async (s) => {
        await s.running();
        const refused = await signalUntilRefused(s, 0);
        return [refused, await effect(s), (await events(s)).length, (await signal(s)) !== "OK"];
      },
      answer: [
        [26, ["INVALID_ARGUMENT", "Workflow history count exceeds limit."]],
        ["TERMINATED", "WORKFLOW_EXECUTION_TERMINATED", "Workflow history count exceeds limit. (history-service)"],
        32,
        true,
      ],
      warnings: (s) => [{ msg: "Workflow history count exceeds limit.", workflowId: s.id }],
    },
    {
      keys: ["limit.historyCount.error"],
      breach: "one completion with too many commands",
      play: async (s) => {
        await s.start();
        return [await answerOf(s, markers(40)), await effect(s), typesOf(await events(s))];
      },
      answer: [
        ["INVALID_ARGUMENT", "Workflow history count exceeds limit."],
        ["TERMINATED", "WORKFLOW_EXECUTION_TERMINATED", "Workflow history count exceeds limit. (history-service)"],
        ["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED", "WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_TERMINATED"],
      ],
    },
    {
      keys: ["limit.historyCount.error"],
      breach: "a workflow task nobody started yet",
      play: async (s) => {
        await s.running();
        for (let i = 0; i < 25; i++) await signal(s);
        const task = await s.call("PollWorkflowTaskQueue", { taskQueue: { name: s.queue }, identity: "worker" }, 3000);
        return [task.startedEventId, await effect(s), (await events(s)).length];
      },
      answer: [0, ["TERMINATED", "WORKFLOW_EXECUTION_TERMINATED", "Workflow history count exceeds limit. (history-service)"], 31],
    },
    {
      keys: ["limit.historySize.error"],
      breach: "one signal too many",
      play: async (s) => {
        await s.running();
        const refused = await signalUntilRefused(s, 4000);
        return [refused, await effect(s), (await events(s)).length];
      },
      answer: [
        [5, ["INVALID_ARGUMENT", "Workflow history size exceeds limit."]],
        ["TERMINATED", "WORKFLOW_EXECUTION_TERMINATED", "Workflow history size exceeds limit. (history-service)"],
        11,
      ],
      warnings: (s) => [{ msg: "Workflow history size exceeds limit.", workflowId: s.id }],
    },
  ],
};

export const state: Group = {
  name: "state",
  settings: ["limit.mutableStateSize.error=9000", "limit.mutableStateSize.warn=6000"],
  rows: [
    {
      keys: ["limit.mutableStateSize.error"],
      breach: "a memo that makes the state too large",
      play: async (s) => {
        await s.start({ memo: { fields: { a: value(4000) } } });
        const first = await answerOf(s, [memoOf(2000, "b")]);
        await signal(s);
        return [first, await answerOf(s, [memoOf(4000, "c")]), await effect(s), typesOf(await events(s)).slice(4)];
      },
      answer: [
        "OK",
        ["INVALID_ARGUMENT", "Workflow mutable state size exceeds limit."],
        ["TERMINATED", "WORKFLOW_EXECUTION_TERMINATED", "Workflow mutable state size exceeds limit. (history-service)"],
        [
          "WORKFLOW_PROPERTIES_MODIFIED",
          "WORKFLOW_EXECUTION_SIGNALED",
          "WORKFLOW_TASK_SCHEDULED",
          "WORKFLOW_TASK_STARTED",
          "WORKFLOW_TASK_FAILED",
          "WORKFLOW_EXECUTION_TERMINATED",
        ],
      ],
      warnings: (s) => [
        { key: "limit.mutableStateSize.warn", msg: "mutable state size exceeds warn limit.", namespace: "default", workflowId: s.id },
        { msg: "Workflow mutable state size exceeds limit.", workflowId: s.id },
      ],
    },
    {
      keys: ["limit.mutableStateSize.error", "limit.mutableStateSize.warn"],
      breach: "signals that wait for a workflow task",
      play: async (s) => {
        await s.start();
        await s.workflowTask();
        return [await signalUntilRefused(s, 3000), await effect(s)];
      },
      answer: [
        [2, ["INVALID_ARGUMENT", "Workflow mutable state size exceeds limit."]],
        ["TERMINATED", "WORKFLOW_EXECUTION_TERMINATED", "Workflow mutable state size exceeds limit. (history-service)"],
      ],
    },
  ],
};

export const transaction: Group = {
  name: "transaction",
  settings: ["system.transactionSizeLimit=6000"],
  rows: [
    {
      keys: ["system.transactionSizeLimit"],
      breach: "the commands of a completion",
      play: async (s) => {
        await s.start();
        const refused = await answerOf(s, markers(2, 4000));
        const last = (await events(s)).at(-1)?.attributes;
        const details = last?.case === "workflowExecutionTerminatedEventAttributes" ? (last.value.details ?? []) : [];
        const digits = (text: string) => text.replace(/of \d+ bytes exceeds/, "of N bytes exceeds");
        const [code, text] = refused as [string, string];
        return [code, digits(text), await effect(s), digits(/"(.*)"/.exec(Buffer.from(details).toString("latin1"))?.[1] ?? "")];
      },
      answer: [
        "INVALID_ARGUMENT",
        "transaction size of N bytes exceeds limit of 6000 bytes",
        ["TERMINATED", "WORKFLOW_EXECUTION_TERMINATED", "Transaction size exceeds limit. (history-service)"],
        "transaction size of N bytes exceeds limit of 6000 bytes",
      ],
    },
    {
      keys: ["system.transactionSizeLimit"],
      breach: "a start, and a signal",
      play: async (s) => {
        const digits = (r: unknown) => (Array.isArray(r) ? [r[0], String(r[1]).replace(/of \d+ bytes/, "of N bytes")] : r);
        const request = { workflowId: s.id, workflowType: { name: "T" }, taskQueue: { name: s.queue }, input: blob(7000) };
        const started = digits(await refusal(s, "StartWorkflowExecution", request));
        await s.running();
        return [started, digits(await signal(s, 7000)), await effect(s), await signal(s)];
      },
      answer: [
        ["INVALID_ARGUMENT", "transaction size of N bytes exceeds limit of 6000 bytes"],
        ["INVALID_ARGUMENT", "transaction size of N bytes exceeds limit of 6000 bytes"],
        ["RUNNING", "WORKFLOW_TASK_COMPLETED"],
        "OK",
      ],
    },
    {
      keys: ["system.transactionSizeLimit"],
      breach: "a termination of what waits",
      play: async (s) => {
        await s.start();
        await s.workflowTask();
        await signal(s, 3500);
        await signal(s, 3500);
        const refused = await refusal(s, "TerminateWorkflowExecution", { ...target(s), reason: "enough" });
        return [Array.isArray(refused) ? refused[0] : refused, await effect(s)];
      },
      answer: ["INVALID_ARGUMENT", ["RUNNING", "WORKFLOW_TASK_STARTED"]],
      ours: ["OK", ["TERMINATED", "WORKFLOW_EXECUTION_TERMINATED", "enough (frontend-service)"]],
      differs: "a run can always be terminated, however much waits for its workflow task",
    },
    {
      keys: ["system.transactionSizeLimit"],
      breach: "a deletion of what waits",
      play: async (s) => {
        await s.start();
        await s.workflowTask();
        await signal(s, 3500);
        await signal(s, 3500);
        const refused = await refusal(s, "DeleteWorkflowExecution", target(s));
        const gone = async () =>
          ((await refusal(s, "DescribeWorkflowExecution", { execution: { workflowId: s.id } })) as string[])[0] === "NOT_FOUND";
        let isGone = false;
        for (let i = 0; i < 100 && !isGone; i++) {
          isGone = await gone();
          if (!isGone) await s.sleep(50);
        }
        return [Array.isArray(refused) ? refused[0] : refused, isGone];
      },
      answer: ["INVALID_ARGUMENT", false],
      ours: ["OK", true],
      differs: "a run can always be deleted, however much waits for its workflow task",
    },
  ],
};

/** Three commands where two may be pending. */
function pending(key: string, breach: string, of: (s: Session, i: number) => object, text: string): Row {
  return {
    keys: [key],
    breach,
    play: async (s) => {
      await s.start();
      const refused = await answerOf(
        s,
        [0, 1, 2].map((i) => of(s, i)),
      );
      const failed = (await events(s)).at(-2)?.attributes;
      return [
        refused,
        failed?.case,
        await effect(s),
        await answerOf(
          s,
          [0, 1].map((i) => of(s, i)),
        ),
      ];
    },
    answer: [["INVALID_ARGUMENT", text], "workflowTaskFailedEventAttributes", ["RUNNING", "WORKFLOW_TASK_SCHEDULED"], "OK"],
  };
}

export const pendings: Group = {
  name: "pending",
  settings: [
    "limit.numPendingActivities.error=2",
    "limit.numPendingChildExecutions.error=2",
    "limit.numPendingSignals.error=2",
    "limit.numPendingCancelRequests.error=2",
    "history.maximumSignalsPerExecution=5",
    "history.maximumBufferedEventsBatch=3",
    "history.maximumBufferedEventsSizeInBytes=5000",
    "history.MaxBufferedQueryCount=0",
    "history.historyMaxAutoResetPoints=2",
  ],
  rows: [
    pending(
      "limit.numPendingActivities.error",
      "three activities",
      (s, i) => command.activity(s, `a${i}`),
      "PendingActivitiesLimitExceeded: the number of pending activities, 2, has reached the per-workflow limit of 2",
    ),
    pending(
      "limit.numPendingChildExecutions.error",
      "three children",
      (s, i) => command.child(`${s.id}-${i}`),
      "PendingChildWorkflowsLimitExceeded: the number of pending child workflow executions, 2, has reached the per-workflow limit of 2",
    ),
    pending(
      "limit.numPendingSignals.error",
      "three signals to others",
      (s, i) => command.signalExternal(`${s.id}-${i}`),
      "PendingSignalsLimitExceeded: the number of pending signals to external workflows, 2, has reached the per-workflow limit of 2",
    ),
    pending(
      "limit.numPendingCancelRequests.error",
      "three cancel requests",
      (s, i) => command.cancelExternal(`${s.id}-${i}`),
      "PendingRequestCancelLimitExceeded: the number of pending requests to cancel external workflows, 2, has reached the per-workflow limit of 2",
    ),
    {
      keys: ["history.maximumSignalsPerExecution"],
      breach: "six signals",
      play: async (s) => {
        await s.running();
        return [await signalUntilRefused(s, 0), await effect(s)];
      },
      answer: [
        [5, ["INVALID_ARGUMENT", "exceeded workflow execution limit for signal events"]],
        ["RUNNING", "WORKFLOW_EXECUTION_SIGNALED"],
      ],
    },
    {
      keys: ["history.maximumBufferedEventsBatch"],
      breach: "four signals to a workflow whose task runs",
      play: async (s) => {
        await s.start();
        const { taskToken } = await s.workflowTask();
        for (let i = 0; i < 4; i++) await signal(s);
        return [await refusal(s, "RespondWorkflowTaskCompleted", { taskToken, identity: "worker" }), typesOf(await events(s))];
      },
      answer: [
        ["NOT_FOUND", "Workflow task not found."],
        [
          "WORKFLOW_EXECUTION_STARTED",
          "WORKFLOW_TASK_SCHEDULED",
          "WORKFLOW_TASK_STARTED",
          "WORKFLOW_TASK_FAILED",
          "WORKFLOW_EXECUTION_SIGNALED",
          "WORKFLOW_EXECUTION_SIGNALED",
          "WORKFLOW_EXECUTION_SIGNALED",
          "WORKFLOW_EXECUTION_SIGNALED",
          "WORKFLOW_TASK_SCHEDULED",
        ],
      ],
    },
    {
      keys: ["history.maximumBufferedEventsSizeInBytes"],
      breach: "two large signals to a workflow whose task runs",
      play: async (s) => {
        await s.start();
        await s.workflowTask();
        await signal(s, 3000);
        const before = typesOf(await events(s)).length;
        await signal(s, 3000);
        const failed = (await events(s))[3]?.attributes;
        return [before, typesOf(await events(s)).slice(3), failed?.case === "workflowTaskFailedEventAttributes" ? failed.value.cause : undefined];
      },
      answer: [3, ["WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_TASK_SCHEDULED"], 17],
    },
    {
      keys: ["history.MaxBufferedQueryCount"],
      breach: "a query that would wait",
      play: async (s) => {
        await s.running();
        await signal(s);
        return refusal(s, "QueryWorkflow", { execution: { workflowId: s.id }, query: { queryType: "q" } });
      },
      answer: [
        "RESOURCE_EXHAUSTED",
        "consistent query buffer is full, this may be caused by too many queries and workflow not able to process query fast enough",
      ],
    },
    {
      keys: ["history.historyMaxAutoResetPoints"],
      breach: "a third build of the worker",
      play: async (s) => {
        await s.start();
        for (const [i, binaryChecksum] of ["b1", "b2", "b3"].entries()) {
          if (i > 0) await signal(s);
          await s.answer([], { binaryChecksum });
        }
        const { workflowExecutionInfo } = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
        return workflowExecutionInfo?.autoResetPoints?.points.map((p) => p.binaryChecksum);
      },
      answer: ["b2", "b3"],
    },
  ],
};
