/** Calls: how long they wait, how much they read and answer, how many may wait at once; timeouts of workflow tasks. */
import { randomUUID } from "node:crypto";
import { CommandType } from "../../../gen/wire/temporal/api/enums/v1/command_type.js";
import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { decode } from "../../../src/api/wire.js";
import { command, type Session } from "../../conformance/session.js";
import { blob, effect, events, type Group, refusal, typesOf } from "../row.js";

const target = (s: Session) => ({ workflowExecution: { workflowId: s.id } });
const execution = (s: Session) => ({ execution: { workflowId: s.id } });
const poll = (s: Session, timeoutMs: number, extra: object = {}) =>
  s.call("PollWorkflowTaskQueue", { taskQueue: { name: s.queue }, identity: "worker", ...extra }, timeoutMs);
/** A page of a completion, of 70,000 bytes. */
const page = (taskToken: Uint8Array, pageNumber: number) => ({
  taskToken,
  identity: "worker",
  pageNumber,
  intermediatePage: true,
  commands: [
    {
      commandType: CommandType.RECORD_MARKER,
      attributes: { case: "recordMarkerCommandAttributes", value: { markerName: "m", details: { d: blob(70_000) } } } as never,
    },
  ],
});
const countOf = (data: Uint8Array | undefined) => (data === undefined ? 0 : decode(History, data).events.length);

/** A deadline that no answer of a lowered setting waits for: it is longer than the test has. */
const FAR_MS = 200_000;

/** Fails the workflow task until this attempt is out; answers that one. */
async function attempt(s: Session, wanted: number) {
  await s.start();
  for (;;) {
    const task = await s.workflowTask();
    if (task.attempt >= wanted) return task;
    await s.call("RespondWorkflowTaskFailed", { taskToken: task.taskToken, identity: "worker", cause: 24 });
  }
}

const lasting = (d: { seconds: number; nanos: number } | undefined) => (d?.seconds ?? 0) + (d?.nanos ?? 0) / 1e9;

export const times: Group = {
  name: "times",
  settings: [
    'history.longPollExpirationInterval="1s"',
    'matching.longPollExpirationInterval="2s"',
    'matching.queryPollerUnavailableWindow="1s"',
    'history.defaultWorkflowTaskTimeout="7s"',
    'history.workflowTaskHeartbeatTimeout="0s"',
    'history.workflowTaskRetryMaxInterval="1ms"',
    "history.workflowTaskCriticalAttempt=3",
    'frontend.queryWithoutDeadline="1s"',
    "history.workflowTaskQueryAttempts=2",
    'history.workflowIdReuseMinimalInterval="0s"',
    "system.enableActivityEagerExecution=false",
    "system.enableEagerWorkflowStart=false",
    "frontend.enableUpdateWorkflowExecution=false",
    "history.enableWorkflowTaskCompletionPagination=false",
  ],
  rows: [
    {
      keys: ["history.enableWorkflowTaskCompletionPagination"],
      breach: "the first page of a completion, and a last one",
      play: async (s) => {
        await s.start();
        const { taskToken } = await s.workflowTask();
        return [
          await refusal(s, "RespondWorkflowTaskCompleted", page(taskToken, 0)),
          await refusal(s, "RespondWorkflowTaskCompleted", { ...page(taskToken, 1), intermediatePage: false }),
          (await s.call("DescribeNamespace", {})).namespaceInfo?.capabilities?.workflowTaskCompletionPagination,
        ];
      },
      answer: [
        ["FAILED_PRECONDITION", "workflow task completion pagination is disabled for this namespace default"],
        ["FAILED_PRECONDITION", "workflow task completion pagination is disabled for this namespace default"],
        false,
      ],
    },
    {
      keys: ["frontend.enableUpdateWorkflowExecution"],
      breach: "an update, and a poll for one",
      play: async (s) => {
        const request = { meta: { updateId: "u" }, input: { name: "u" } };
        return [
          await refusal(s, "UpdateWorkflowExecution", { ...target(s), request } as never),
          await refusal(s, "PollWorkflowExecutionUpdate", { updateRef: { ...target(s), updateId: "u" } } as never),
        ];
      },
      answer: [
        ["PERMISSION_DENIED", "UpdateWorkflowExecution operation is disabled on this namespace."],
        ["PERMISSION_DENIED", "UpdateWorkflowExecution operation is disabled on this namespace."],
      ],
    },
    {
      keys: ["history.longPollExpirationInterval"],
      breach: "a reader that waits for events that do not come",
      play: async (s) => {
        await s.start();
        const first = await s.call("GetWorkflowExecutionHistory", { ...execution(s), waitNewEvent: true });
        const second = await s.call(
          "GetWorkflowExecutionHistory",
          { ...execution(s), waitNewEvent: true, nextPageToken: first.nextPageToken },
          FAR_MS,
        );
        return [countOf(first.history), countOf(second.history), second.nextPageToken.length > 0];
      },
      answer: [2, 0, true],
    },
    {
      keys: ["matching.longPollExpirationInterval"],
      breach: "polls of queues without tasks",
      play: async (s) => {
        const [workflow, activity] = await Promise.all([
          poll(s, FAR_MS),
          s.call("PollActivityTaskQueue", { taskQueue: { name: s.queue }, identity: "worker" }, FAR_MS),
        ]);
        return [workflow.taskToken.length, activity.taskToken.length];
      },
      answer: [0, 0],
    },
    {
      keys: ["matching.queryPollerUnavailableWindow"],
      breach: "a query that no worker polls for",
      play: async (s) => {
        await s.running();
        // As long as the poll is recent, the query waits for the next one.
        let refused: unknown = ["DEADLINE_EXCEEDED"];
        while (Array.isArray(refused) && !["FAILED_PRECONDITION", "OK"].includes(refused[0] as string))
          refused = await refusal(s, "QueryWorkflow", { ...execution(s), query: { queryType: "q" } }, 500);
        return Array.isArray(refused)
          ? [
              refused[0],
              String(refused[1])
                .replaceAll(s.queue, "<queue>")
                .replace(/\d{4}-[^ ]+/, "<time>"),
            ]
          : refused;
      },
      answer: ["FAILED_PRECONDITION", "no poller seen for task queue recently, worker may be down"],
      ours: [
        "FAILED_PRECONDITION",
        'no poller seen for task queue recently, worker may be down: nobody has polled workflow task queue "<queue>" since <time>',
      ],
      differs: "ours names the queue and the time",
    },
    {
      keys: ["history.defaultWorkflowTaskTimeout"],
      breach: "a start that names no workflow task timeout",
      play: async (s) => {
        await s.start({ workflowTaskTimeout: undefined });
        const { executionConfig } = await s.call("DescribeWorkflowExecution", execution(s));
        return executionConfig?.defaultWorkflowTaskTimeout?.seconds;
      },
      answer: 7,
    },
    {
      keys: ["history.workflowTaskHeartbeatTimeout"],
      breach: "heartbeats of a workflow task",
      play: async (s) => {
        await s.start();
        const answers: unknown[] = [];
        for (let i = 0; i < 2; i++) {
          const { taskToken } = await s.workflowTask();
          answers.push(await refusal(s, "RespondWorkflowTaskCompleted", { taskToken, identity: "worker", forceCreateNewWorkflowTask: true }));
        }
        return [...answers, typesOf(await events(s))];
      },
      answer: [
        ["NOT_FOUND", "workflow task heartbeat timeout"],
        ["NOT_FOUND", "workflow task heartbeat timeout"],
        ["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED", "WORKFLOW_TASK_TIMED_OUT", "WORKFLOW_TASK_SCHEDULED"],
      ],
    },
    {
      keys: ["history.workflowTaskRetryMaxInterval"],
      breach: "the timeout of a late attempt",
      play: async (s) => {
        const task = await attempt(s, 5);
        const scheduled = decode(History, task.history ?? new Uint8Array(0)).events.at(-2)?.attributes;
        const timeout = scheduled?.case === "workflowTaskScheduledEventAttributes" ? lasting(scheduled.value.startToCloseTimeout) : -1;
        return [task.attempt, Math.round(timeout)];
      },
      answer: [5, 10],
    },
    {
      keys: ["history.workflowTaskCriticalAttempt"],
      breach: "a third attempt",
      play: async (s) => (await attempt(s, 3)).attempt,
      answer: 3,
      warnings: (s) => [{ msg: "Critical attempts processing workflow task", attempt: 3, namespace: "default", workflowId: s.id }],
    },
    {
      keys: ["history.workflowTaskQueryAttempts"],
      breach: "a query of a workflow whose first task fails",
      play: async (s) => {
        await attempt(s, 2);
        const refused = await refusal(s, "QueryWorkflow", { ...execution(s), query: { queryType: "q" } }, 3000);
        return (refused as string[])[1]?.startsWith("Unable") === true ? refused : "no answer in time";
      },
      answer: "no answer in time",
      ours: ["FAILED_PRECONDITION", "Unable to query workflow due to Workflow Task in failed state."],
      differs: "ours alone has the setting; the official server says so from the third attempt on",
    },
    {
      keys: ["frontend.queryWithoutDeadline"],
      breach: "a query without a deadline",
      play: async (s) => {
        await s.start();
        return refusal(s, "QueryWorkflow", { ...execution(s), query: { queryType: "q" } }, Number.POSITIVE_INFINITY);
      },
      answer: ["DEADLINE_EXCEEDED", "query timed out before a worker could process it"],
    },
    {
      keys: ["history.workflowIdReuseMinimalInterval"],
      breach: "a run that continues as new at once",
      play: async (s) => {
        await s.running([command.continueAsNew()]);
        const started = (await events(s))[0]?.attributes;
        return started?.case === "workflowExecutionStartedEventAttributes" ? lasting(started.value.firstWorkflowTaskBackoff) : -1;
      },
      answer: 0,
    },
    {
      keys: ["system.enableActivityEagerExecution"],
      breach: "an activity that its worker would take at once",
      play: async (s) => {
        await s.start();
        const reply = await s.answer([command.activity(s, "a", { requestEagerExecution: true })]);
        return reply.activityTasks.length;
      },
      answer: 0,
    },
    {
      keys: ["system.enableEagerWorkflowStart"],
      breach: "a start whose worker would take the task at once",
      play: async (s) => {
        const request = { workflowId: s.id, workflowType: { name: "T" }, taskQueue: { name: s.queue }, requestEagerExecution: true };
        const { eagerWorkflowTask } = await s.call("StartWorkflowExecution", { ...request, requestId: randomUUID() });
        const { capabilities } = await s.call("GetSystemInfo", {});
        return [eagerWorkflowTask === undefined, capabilities?.eagerWorkflowStart];
      },
      answer: [true, true],
    },
  ],
};

export const pages: Group = {
  name: "pages",
  settings: [
    "limit.historyMaxPageSize=5",
    "frontend.historyMaxPageSize=4",
    "matching.historyMaxPageSize=3",
    "frontend.receiveMessageSize=100000",
    "history.enableWorkflowTaskCompletionPagination=true",
    "history.workflowTaskCompletionBufferSizeLimit=123456",
    "history.workflowTaskCompletionBufferTotalSizeLimit=300000",
    "history.workflowTaskCompletionBufferNamespaceRatio=0.5",
    "system.searchAttributesPerTypeMax=2",
  ],
  rows: [
    {
      keys: ["frontend.historyMaxPageSize"],
      breach: "a read that names no page size, and one that asks for more",
      play: async (s) => {
        await s.running();
        for (let i = 0; i < 6; i++) await s.signal(`s${i}`);
        const sizes = [];
        for (const maximumPageSize of [0, 2, 1000]) {
          const page = await s.call("GetWorkflowExecutionHistory", { ...execution(s), maximumPageSize });
          sizes.push([countOf(page.history), page.nextPageToken.length > 0]);
        }
        const reverse = await s.call("GetWorkflowExecutionHistoryReverse", execution(s));
        return [...sizes, countOf(reverse.history)];
      },
      answer: [[6, true], [3, true], [11, false], 4],
      ours: [[4, true], [2, true], [11, false], 4],
      differs: "a page here ends with the batch of events that fills it; the official server counts batches",
    },
    {
      keys: ["limit.historyMaxPageSize"],
      breach: "the history that comes with a workflow task",
      play: async (s) => {
        await s.running();
        for (let i = 0; i < 6; i++) await s.signal(`s${i}`);
        const task = await s.workflowTask();
        return [countOf(task.history), task.nextPageToken.length > 0];
      },
      answer: [7, true],
      ours: [6, true],
      differs: "a page here ends with the batch of events that fills it; the official server counts batches",
    },
    {
      keys: ["matching.historyMaxPageSize"],
      breach: "the history that comes with a query",
      play: async (s) => {
        await s.running([command.complete()]);
        const asked = s.call("QueryWorkflow", { ...execution(s), query: { queryType: "q" } }, 10_000);
        const task = await s.workflowTask();
        await s.call("RespondQueryTaskCompleted", { taskToken: task.taskToken, completedType: 1, queryResult: blob(1) });
        await asked;
        return [countOf(task.history), task.nextPageToken.length > 0];
      },
      answer: [5, true],
      ours: [3, true],
      differs: "a page here ends with the batch of events that fills it; the official server counts batches",
    },
    {
      keys: ["frontend.receiveMessageSize"],
      breach: "a request of more bytes",
      play: async (s) => {
        await s.start();
        const refused = await refusal(s, "SignalWorkflowExecution", { ...target(s), signalName: "s", input: blob(150_000) });
        return [
          Array.isArray(refused) ? refused[0] : refused,
          (await events(s)).length,
          await refusal(s, "SignalWorkflowExecution", { ...target(s), signalName: "s" }),
        ];
      },
      answer: ["OK", 3, "OK"],
      ours: ["RESOURCE_EXHAUSTED", 2, "OK"],
      differs: "ours alone has the setting; the official limit is fixed",
    },
    {
      keys: ["history.workflowTaskCompletionBufferSizeLimit"],
      breach: "two pages of one completion",
      play: async (s) => {
        await s.start();
        const { taskToken } = await s.workflowTask();
        return [
          await refusal(s, "RespondWorkflowTaskCompleted", page(taskToken, 0)),
          await refusal(s, "RespondWorkflowTaskCompleted", page(taskToken, 1)),
          await effect(s),
        ];
      },
      answer: [
        "OK",
        ["INVALID_ARGUMENT", "RequestTooLarge: workflow task completion buffer size exceeds the per-workflow limit"],
        [
          "TERMINATED",
          "WORKFLOW_EXECUTION_TERMINATED",
          "RequestTooLarge: workflow task completion buffer size exceeds the per-workflow limit (history-service)",
        ],
      ],
    },
    {
      keys: ["history.workflowTaskCompletionBufferTotalSizeLimit", "history.workflowTaskCompletionBufferNamespaceRatio"],
      breach: "pages of three workflows at once",
      play: async (s) => {
        const tokens: Uint8Array[] = [];
        for (const n of [1, 2, 3]) {
          await s.start({ workflowId: `${s.id}-${n}`, workflowTaskTimeout: { seconds: 60 } });
          tokens.push((await s.workflowTask()).taskToken);
        }
        const answers: unknown[] = [];
        for (const taskToken of tokens) answers.push(await refusal(s, "RespondWorkflowTaskCompleted", page(taskToken, 0)));
        // A last page makes room, kept or not.
        for (const taskToken of tokens)
          await refusal(s, "RespondWorkflowTaskCompleted", { taskToken, pageNumber: 2, commands: [command.complete()] });
        answers.push(await refusal(s, "RespondWorkflowTaskCompleted", page(tokens[2] as Uint8Array, 0)));
        return answers;
      },
      answer: ["OK", "OK", ["ABORTED", "workflow task completion buffer memory limit reached while buffering page 0"], "OK"],
    },
    {
      keys: ["history.workflowTaskCompletionBufferSizeLimit"],
      breach: "what the namespace says of its limits",
      play: async (s) => (await s.call("DescribeNamespace", {})).namespaceInfo?.limits,
      answer: { blobSizeLimitError: 2097152, memoSizeLimitError: 2097152, workflowTaskCompletionSizeLimitError: 123456 },
    },
    {
      keys: ["system.searchAttributesPerTypeMax"],
      breach: "a third attribute of a type",
      play: async (s) => {
        const name = (n: number) => `Limit${s.id.slice(5, 13)}x${n}`;
        const add = (n: number) => refusal(s, "AddSearchAttributes", { searchAttributes: { [name(n)]: 3 } });
        const second = await add(1);
        const third = await add(2);
        return [second, third];
      },
      answer: ["OK", "OK"],
      ours: [
        "OK",
        [
          "INVALID_ARGUMENT",
          "Unable to create search attributes: cannot have more than 2 search attribute of type Int. The limit is set by system.searchAttributesPerTypeMax.",
        ],
      ],
      differs: "ours alone has the setting; the official server has as many as its columns",
    },
  ],
};

const REFUSED = ["RESOURCE_EXHAUSTED", "namespace concurrent poller limit exceeded"];
const REFUSED_ALL = [REFUSED, [REFUSED, REFUSED], REFUSED, REFUSED];

export const polls: Group = {
  name: "polls",
  settings: ["frontend.namespaceCount=2"],
  rows: [
    {
      keys: ["frontend.namespaceCount"],
      breach: "a third poll at once",
      play: async (s) => {
        const polls = [1, 2, 3].map((i) => refusal(s, "PollWorkflowTaskQueue", { taskQueue: { name: `${s.queue}-${i}` } }, 2500));
        const [first, ...rest] = (await Promise.all(polls)).sort((a, b) => JSON.stringify(b).localeCompare(JSON.stringify(a)));
        // Another method has a count of its own, and those that have ended count no more.
        const [activity, again] = await Promise.all([
          refusal(s, "PollActivityTaskQueue", { taskQueue: { name: s.queue } }, 2500),
          refusal(s, "PollWorkflowTaskQueue", { taskQueue: { name: s.queue } }, 2500),
        ]);
        return [first, rest, activity, again];
      },
      answer: REFUSED_ALL,
      ours: [REFUSED, ["OK", "OK"], "OK", "OK"],
      differs: "the official server's own workers poll in every namespace, and are counted",
    },
  ],
};

export const texts: Group = {
  name: "texts",
  settings: ["system.maxServiceErrorMessageLength=60", "frontend.WorkflowTimeSkippingEnabled=false"],
  rows: [
    {
      keys: ["frontend.WorkflowTimeSkippingEnabled"],
      breach: "time skipping where it is off",
      play: async (s) => {
        const start = { workflowId: s.id, workflowType: { name: "T" }, taskQueue: { name: s.queue }, timeSkippingConfig: { enabled: true } };
        return [
          await refusal(s, "StartWorkflowExecution", start),
          await refusal(s, "SignalWithStartWorkflowExecution", { ...start, signalName: "s" }),
          await refusal(s, "PollWorkflowExecutionTimeSkipping", { ...target(s), fastForwardId: "f" }),
        ];
      },
      answer: Array(3).fill(["UNIMPLEMENTED", "The Time-Skipping feature is not enabled for namespace."]),
    },
    {
      keys: ["system.maxServiceErrorMessageLength"],
      breach: "an error that quotes a long name",
      play: async (s) => {
        const workflowId = `${"é".repeat(40)}${"x".repeat(40)}`;
        return [await refusal(s, "DescribeWorkflowExecution", { execution: { workflowId } }), await refusal(s, "StartWorkflowExecution", {})];
      },
      answer: [
        ["NOT_FOUND", "workflow not found for ID: ééééééééé... <truncated>"],
        ["INVALID_ARGUMENT", "WorkflowId is not set on request."],
      ],
    },
  ],
};

/** What LIMITS.md has that no key changes, and defaults as they are. */
export const fixed: Group = {
  name: "fixed",
  settings: [],
  rows: [
    {
      keys: [],
      breach: "a poll with too near a deadline, and one without",
      play: async (s) => {
        const request = { taskQueue: { name: s.queue }, identity: "worker" };
        return [
          await refusal(s, "PollWorkflowTaskQueue", request, 1500),
          await refusal(s, "PollActivityTaskQueue", request, 1500),
          await refusal(s, "PollNexusTaskQueue", request, 1500),
          await refusal(s, "PollWorkflowTaskQueue", request, Number.POSITIVE_INFINITY),
          await refusal(s, "PollActivityTaskQueue", request, Number.POSITIVE_INFINITY),
          await refusal(s, "PollNexusTaskQueue", request, Number.POSITIVE_INFINITY),
        ];
      },
      answer: [
        ["FAILED_PRECONDITION", "Context timeout is too short."],
        ["FAILED_PRECONDITION", "Context timeout is too short."],
        ["FAILED_PRECONDITION", "Context timeout is too short."],
        ["INVALID_ARGUMENT", "Context timeout is not set."],
        ["INVALID_ARGUMENT", "Context timeout is not set."],
        ["INVALID_ARGUMENT", "Context timeout is not set."],
      ],
    },
    {
      keys: [],
      breach: "the retry policies of an activity and a workflow that name none of their fields",
      play: async (s) => {
        await s.start({ retryPolicy: {} });
        await s.answer([command.activity(s, "a"), command.activity(s, "b", { retryPolicy: {} })]);
        const list = await events(s);
        const policies = list.map(({ attributes: a }) =>
          a.case === "workflowExecutionStartedEventAttributes" || a.case === "activityTaskScheduledEventAttributes" ? a.value.retryPolicy : undefined,
        );
        return policies
          .filter((p) => p !== undefined)
          .map((p) => [lasting(p.initialInterval), p.backoffCoefficient, lasting(p.maximumInterval), p.maximumAttempts]);
      },
      answer: [
        [1, 2, 100, 0],
        [1, 2, 100, 0],
        [1, 2, 100, 0],
      ],
    },
    {
      keys: [],
      breach: "a request of more than 4 MiB",
      play: async (s) => {
        const refused = await refusal(s, "SignalWorkflowExecution", { ...target(s), signalName: "s", input: blob(4 * 1024 * 1024) });
        return Array.isArray(refused) ? [refused[0], String(refused[1]).replace(/\(\d+ vs/, "(N vs")] : refused;
      },
      answer: ["RESOURCE_EXHAUSTED", "grpc: received message larger than max (N vs. 4194304)"],
    },
    {
      keys: [],
      breach: "what a namespace says of its limits",
      play: async (s) => (await s.call("DescribeNamespace", {})).namespaceInfo?.limits,
      answer: { blobSizeLimitError: 2097152, memoSizeLimitError: 2097152, workflowTaskCompletionSizeLimitError: 41943040 },
    },
    {
      keys: [],
      breach: "a page of more than 256 events",
      play: async (s) => {
        await s.start();
        const marker = {
          commandType: CommandType.RECORD_MARKER,
          attributes: { case: "recordMarkerCommandAttributes", value: { markerName: "m" } },
        } as never;
        for (let i = 0; i < 300; i += 50)
          await s.answer(
            Array.from({ length: 50 }, () => marker),
            { forceCreateNewWorkflowTask: true },
          );
        const page = await s.call("GetWorkflowExecutionHistory", { ...execution(s), maximumPageSize: 1000 });
        return countOf(page.history) >= 256;
      },
      answer: true,
    },
  ],
};
