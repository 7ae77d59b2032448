import { describe, expect, it } from "vitest";
import type { Command } from "../../../../gen/wire/temporal/api/command/v1/message.js";
import { CommandType as Type } from "../../../../gen/wire/temporal/api/enums/v1/command_type.js";
import { WorkflowTaskFailedCause as Cause } from "../../../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import * as c from "../../../../test/harness/core-commands.js";
import { CoreWorld } from "../../../../test/harness/core-world.js";
import { Code } from "../../../api/service-error.js";
import type { SettingName } from "../../../config/limits.js";
import { COMMANDS } from "./table.js";

const LONG = "x".repeat(1001);
/** 501 characters, 1002 bytes. */
const WIDE = "é".repeat(501);
const BIG = c.payloads("x".repeat(100));
const NEGATIVE = c.seconds(-1);

type Refusal = [command: Command, cause: Cause, text: string];

const activity = (cause: string, more: Parameters<typeof c.activity>[1], id = "a"): Refusal => [
  c.activity(id, more),
  Cause.BAD_SCHEDULE_ACTIVITY_ATTRIBUTES,
  `BadScheduleActivityAttributes: ${cause}`,
];
const timer = (command: Command, text: string): Refusal => [command, Cause.BAD_START_TIMER_ATTRIBUTES, `BadStartTimerAttributes: ${text}`];
const child = (more: Parameters<typeof c.child>[1], text: string, id = "k"): Refusal => [
  c.child(id, more),
  Cause.BAD_START_CHILD_EXECUTION_ATTRIBUTES,
  `BadStartChildExecutionAttributes: ${text}`,
];
const next = (more: Parameters<typeof c.continueAsNew>[0], text: string): Refusal => [
  c.continueAsNew(more),
  Cause.BAD_CONTINUE_AS_NEW_ATTRIBUTES,
  `BadContinueAsNewAttributes: ${text}`,
];
const signal = (more: Parameters<typeof c.signalExternal>[1], text: string): Refusal => [
  c.signalExternal("other", more),
  Cause.BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES,
  `BadSignalWorkflowExecutionAttributes: ${text}`,
];
const cancel = (id: string, more: Parameters<typeof c.cancelExternal>[1], text: string): Refusal => [
  c.cancelExternal(id, more),
  Cause.BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES,
  `BadRequestCancelExternalWorkflowExecutionAttributes: ${text}`,
];
const notSet = (type: Type, cause: Cause, causeText: string, name: string): Refusal => [
  c.bare(type),
  cause,
  `${causeText}: ${name}CommandAttributes is not set on ${name}Command.`,
];

const nexus = (more: Parameters<typeof c.nexusOperation>[0], cause: string): Refusal => [
  c.nexusOperation(more),
  Cause.BAD_SCHEDULE_NEXUS_OPERATION_ATTRIBUTES,
  `BadScheduleNexusOperationAttributes: ${cause}`,
];

const ON_CHILD = "on StartChildWorkflowExecutionCommand";
const CHILD = "WorkflowId=k WorkflowType=C Namespace=default";
const ON_NEXT = "on ContinueAsNewWorkflowExecutionCommand";
const NEXT = `WorkflowType=T TaskQueue=name:"q" kind:TASK_QUEUE_KIND_NORMAL`;

const REFUSALS: Refusal[] = [
  notSet(Type.SCHEDULE_ACTIVITY_TASK, Cause.BAD_SCHEDULE_ACTIVITY_ATTRIBUTES, "BadScheduleActivityAttributes", "ScheduleActivityTask"),
  activity("taskQueue is not set", { taskQueue: undefined }),
  activity("missing task queue name", { taskQueue: {} }),
  activity("taskQueue length exceeds limit", { taskQueue: { name: LONG } }),
  activity("task queue name cannot start with reserved prefix /_sys/", { taskQueue: { name: "/_sys/q" } }),
  activity("activityId is not set", {}, ""),
  activity("activityType is not set", { activityType: undefined }),
  activity("activityId exceeds length limit. Length=1001 Limit=1000", {}, LONG),
  activity("activityId exceeds length limit. Length=1002 Limit=1000", {}, WIDE),
  activity("activityType exceeds length limit. Length=1001 Limit=1000", { activityType: { name: LONG } }),
  activity("BackoffCoefficient cannot be less than 1 on retry policy.", { retryPolicy: { backoffCoefficient: 0.5 } }),
  activity("MaximumAttempts cannot be negative on retry policy.", { retryPolicy: { maximumAttempts: -1 } }),
  activity("invalid InitialInterval set on retry policy: negative duration", { retryPolicy: { initialInterval: NEGATIVE } }),
  activity("invalid MaximumInterval set on retry policy: negative duration", { retryPolicy: { maximumInterval: NEGATIVE } }),
  activity("MaximumInterval cannot be less than InitialInterval on retry policy.", {
    retryPolicy: { initialInterval: c.seconds(9), maximumInterval: c.seconds(1) },
  }),
  activity("invalid priorities: priority key can't be negative", { priority: { priorityKey: -1 } }),
  activity("invalid ScheduleToCloseTimeout: negative duration", { scheduleToCloseTimeout: NEGATIVE }),
  activity("invalid ScheduleToStartTimeout: negative duration", { scheduleToStartTimeout: NEGATIVE }),
  activity("invalid StartToCloseTimeout: negative duration", { startToCloseTimeout: NEGATIVE }),
  activity("invalid HeartbeatTimeout: negative duration", { heartbeatTimeout: NEGATIVE }),
  activity("a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity. ActivityId=a ActivityType=A", {
    startToCloseTimeout: undefined,
  }),
  activity("Activity with UseCompatibleVersion cannot run on different task queue.", { useWorkflowBuildId: true, taskQueue: { name: "other" } }),

  notSet(
    Type.REQUEST_CANCEL_ACTIVITY_TASK,
    Cause.BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES,
    "BadRequestCancelActivityAttributes",
    "RequestCancelActivityTask",
  ),
  [
    c.cancelActivity(0),
    Cause.BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES,
    "BadRequestCancelActivityAttributes: ScheduledEventId is not set on RequestCancelActivityTaskCommand.",
  ],
  [
    c.cancelActivity(99),
    Cause.BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES,
    "BadRequestCancelActivityAttributes: invalid history builder state for action: add-activitytask-cancel-requested-event, ScheduledEventID: 99",
  ],

  notSet(Type.START_TIMER, Cause.BAD_START_TIMER_ATTRIBUTES, "BadStartTimerAttributes", "StartTimer"),
  timer(c.timer("", 1), "TimerId is not set on StartTimerCommand."),
  timer(c.timer(LONG, 1), `TimerId on StartTimerCommand exceeds length limit. TimerId=${LONG} Length=1001 Limit=1000`),
  timer(c.timer(WIDE, 1), `TimerId on StartTimerCommand exceeds length limit. TimerId=${WIDE} Length=1002 Limit=1000`),
  timer(c.timer("t", -1), "An invalid StartToFireTimeout is set on StartTimerCommand: negative duration. TimerId=t"),

  notSet(Type.CANCEL_TIMER, Cause.BAD_CANCEL_TIMER_ATTRIBUTES, "BadCancelTimerAttributes", "CancelTimer"),
  [c.cancelTimer(""), Cause.BAD_CANCEL_TIMER_ATTRIBUTES, "BadCancelTimerAttributes: TimerId is not set on CancelTimerCommand."],
  [
    c.cancelTimer(LONG),
    Cause.BAD_CANCEL_TIMER_ATTRIBUTES,
    `BadCancelTimerAttributes: TimerId on CancelTimerCommand exceeds length limit. TimerId=${LONG} Length=1001 Limit=1000`,
  ],
  [
    c.cancelTimer("t"),
    Cause.BAD_CANCEL_TIMER_ATTRIBUTES,
    "BadCancelTimerAttributes: invalid history builder state for action: add-timer-canceled-event, TimerID: t",
  ],

  notSet(Type.RECORD_MARKER, Cause.BAD_RECORD_MARKER_ATTRIBUTES, "BadRecordMarkerAttributes", "RecordMarker"),
  [c.marker(""), Cause.BAD_RECORD_MARKER_ATTRIBUTES, "BadRecordMarkerAttributes: MarkerName is not set on RecordMarkerCommand."],
  [
    c.marker(LONG),
    Cause.BAD_RECORD_MARKER_ATTRIBUTES,
    `BadRecordMarkerAttributes: MarkerName on RecordMarkerCommand exceeds length limit. MarkerName=${LONG} Length=1001 Limit=1000`,
  ],

  notSet(
    Type.COMPLETE_WORKFLOW_EXECUTION,
    Cause.BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES,
    "BadCompleteWorkflowExecutionAttributes",
    "CompleteWorkflowExecution",
  ),
  notSet(Type.FAIL_WORKFLOW_EXECUTION, Cause.BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES, "BadFailWorkflowExecutionAttributes", "FailWorkflowExecution"),
  [
    c.fail(undefined),
    Cause.BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES,
    "BadFailWorkflowExecutionAttributes: Failure is not set on FailWorkflowExecutionCommand.",
  ],
  notSet(
    Type.CANCEL_WORKFLOW_EXECUTION,
    Cause.BAD_CANCEL_WORKFLOW_EXECUTION_ATTRIBUTES,
    "BadCancelWorkflowExecutionAttributes",
    "CancelWorkflowExecution",
  ),

  notSet(
    Type.CONTINUE_AS_NEW_WORKFLOW_EXECUTION,
    Cause.BAD_CONTINUE_AS_NEW_ATTRIBUTES,
    "BadContinueAsNewAttributes",
    "ContinueAsNewWorkflowExecution",
  ),
  next({ workflowType: { name: LONG } }, `WorkflowType ${ON_NEXT} exceeds length limit. WorkflowType=${LONG} Length=1001 Limit=1000`),
  next(
    { taskQueue: { name: LONG } },
    `error validating ContinueAsNewWorkflowExecutionCommand TaskQueue: taskQueue length exceeds limit. WorkflowType=T TaskQueue=name:"${LONG}" kind:TASK_QUEUE_KIND_NORMAL`,
  ),
  next({ workflowRunTimeout: NEGATIVE }, `Invalid WorkflowRunTimeout ${ON_NEXT}: negative duration. ${NEXT}`),
  next({ workflowTaskTimeout: NEGATIVE }, `Invalid WorkflowTaskTimeout ${ON_NEXT}: negative duration. ${NEXT}`),
  next({ backoffStartInterval: NEGATIVE }, `Invalid BackoffStartInterval ${ON_NEXT}: negative duration. ${NEXT}`),
  next(
    { retryPolicy: { backoffCoefficient: 0.5 } },
    `invalid WorkflowRetryPolicy ${ON_NEXT}: BackoffCoefficient cannot be less than 1 on retry policy.. ${NEXT}`,
  ),
  [
    c.continueAsNew({ searchAttributes: { indexedFields: { Nope: c.payload(1) } } }),
    Cause.BAD_SEARCH_ATTRIBUTES,
    "BadSearchAttributes: Namespace default has no mapping defined for search attribute Nope",
  ],

  notSet(
    Type.START_CHILD_WORKFLOW_EXECUTION,
    Cause.BAD_START_CHILD_EXECUTION_ATTRIBUTES,
    "BadStartChildExecutionAttributes",
    "StartChildWorkflowExecution",
  ),
  child({}, `Required field WorkflowId is not set ${ON_CHILD}. WorkflowType=C Namespace=default`, ""),
  child({ workflowType: undefined }, `Required field WorkflowType is not set ${ON_CHILD}. WorkflowId=k Namespace=default`),
  child({}, `WorkflowId ${ON_CHILD} exceeds length limit. WorkflowId=${LONG} Length=1001 Limit=1000 WorkflowType=C Namespace=default`, LONG),
  child(
    { workflowType: { name: LONG } },
    `WorkflowType ${ON_CHILD} exceeds length limit. WorkflowId=k WorkflowType=${LONG} Length=1001 Limit=1000 Namespace=default`,
  ),
  child({ workflowExecutionTimeout: NEGATIVE }, `Invalid WorkflowExecutionTimeout ${ON_CHILD}: negative duration. ${CHILD}`),
  child({ workflowRunTimeout: NEGATIVE }, `Invalid WorkflowRunTimeout ${ON_CHILD}: negative duration. ${CHILD}`),
  child({ workflowTaskTimeout: NEGATIVE }, `Invalid WorkflowTaskTimeout ${ON_CHILD}: negative duration. ${CHILD}`),
  child(
    { retryPolicy: { backoffCoefficient: 0.5 } },
    `invalid WorkflowRetryPolicy ${ON_CHILD}: BackoffCoefficient cannot be less than 1 on retry policy.. ${CHILD}`,
  ),
  child({ cronSchedule: "nonsense" }, `invalid CronSchedule ${ON_CHILD}: invalid CronSchedule.. ${CHILD}`),
  child({ priority: { priorityKey: -1 } }, "priority key can't be negative"),
  child(
    { taskQueue: { name: LONG } },
    `invalid TaskQueue ${ON_CHILD}: taskQueue length exceeds limit. ${CHILD} TaskQueue=name:"${LONG}" kind:TASK_QUEUE_KIND_NORMAL`,
  ),
  [
    c.child("k", { searchAttributes: { indexedFields: { Nope: c.payload(1) } } }),
    Cause.BAD_SEARCH_ATTRIBUTES,
    "BadSearchAttributes: Namespace default has no mapping defined for search attribute Nope",
  ],

  notSet(
    Type.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION,
    Cause.BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES,
    "BadSignalWorkflowExecutionAttributes",
    "SignalExternalWorkflowExecution",
  ),
  signal({ execution: undefined }, "Execution is not set on SignalExternalWorkflowExecutionCommand."),
  signal({ execution: {} }, "WorkflowId is not set on SignalExternalWorkflowExecutionCommand. Namespace= RunId= SignalName=s"),
  signal(
    { execution: { workflowId: LONG } },
    `WorkflowId on SignalExternalWorkflowExecutionCommand exceeds length limit. WorkflowId=${LONG} Length=1001 Limit=1000 Namespace= RunId= SignalName=s`,
  ),
  signal(
    { execution: { workflowId: "o", runId: "no uuid" } },
    "Invalid RunId set on SignalExternalWorkflowExecutionCommand. WorkflowId=o Namespace= RunId=no uuid SignalName=s",
  ),
  signal({ signalName: "" }, "SignalName is not set on SignalExternalWorkflowExecutionCommand. WorkflowId=other Namespace= RunId="),

  notSet(
    Type.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION,
    Cause.BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES,
    "BadRequestCancelExternalWorkflowExecutionAttributes",
    "RequestCancelExternalWorkflowExecution",
  ),
  cancel("", {}, "WorkflowId is not set on RequestCancelExternalWorkflowExecutionCommand. Namespace= RunId="),
  cancel(
    LONG,
    {},
    `WorkflowId on RequestCancelExternalWorkflowExecutionCommand exceeds length limit. WorkflowId=${LONG} Length=1001 Limit=1000 RunId= Namespace=`,
  ),
  cancel("o", { runId: "no uuid" }, "Invalid RunId set on RequestCancelExternalWorkflowExecutionCommand. WorkflowId=o RunId=no uuid Namespace="),

  notSet(Type.UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, Cause.BAD_SEARCH_ATTRIBUTES, "BadSearchAttributes", "UpsertWorkflowSearchAttributes"),
  [c.searchAttributes({}), Cause.BAD_SEARCH_ATTRIBUTES, "BadSearchAttributes: IndexedFields is not set on UpsertWorkflowSearchAttributesCommand."],
  [
    c.searchAttributes({ Nope: 1 }),
    Cause.BAD_SEARCH_ATTRIBUTES,
    "BadSearchAttributes: Namespace default has no mapping defined for search attribute Nope",
  ],
  [
    c.searchAttributes({ WorkflowId: "w" }),
    Cause.BAD_SEARCH_ATTRIBUTES,
    "BadSearchAttributes: WorkflowId attribute can't be set in SearchAttributes",
  ],

  notSet(
    Type.MODIFY_WORKFLOW_PROPERTIES,
    Cause.BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES,
    "BadModifyWorkflowPropertiesAttributes",
    "ModifyWorkflowProperties",
  ),
  [
    c.memo({}),
    Cause.BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES,
    "BadModifyWorkflowPropertiesAttributes: UpsertedMemo.Fields is not set on ModifyWorkflowPropertiesCommand.",
  ],

  notSet(Type.PROTOCOL_MESSAGE, Cause.BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE, "BadUpdateWorkflowExecutionMessage", "ProtocolMessage"),
  [
    c.protocolMessage(""),
    Cause.BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE,
    "BadUpdateWorkflowExecutionMessage: MessageID is not set on ProtocolMessageCommand.",
  ],

  [
    c.bare(Type.SCHEDULE_NEXUS_OPERATION),
    Cause.BAD_SCHEDULE_NEXUS_OPERATION_ATTRIBUTES,
    "BadScheduleNexusOperationAttributes: empty ScheduleNexusOperationCommandAttributes",
  ],
  nexus({ endpoint: "nowhere" }, 'endpoint "nowhere" not found'),
  nexus({ service: LONG }, "ScheduleNexusOperationCommandAttributes.Service exceeds length limit of 1000"),
  nexus({ operation: WIDE }, "ScheduleNexusOperationCommandAttributes.Operation exceeds length limit of 1000"),
  nexus({ scheduleToCloseTimeout: NEGATIVE }, "ScheduleNexusOperationCommandAttributes.ScheduleToCloseTimeout is invalid: negative duration"),
  nexus({ scheduleToStartTimeout: NEGATIVE }, "ScheduleNexusOperationCommandAttributes.ScheduleToStartTimeout is invalid: negative duration"),
  nexus({ startToCloseTimeout: NEGATIVE }, "ScheduleNexusOperationCommandAttributes.StartToCloseTimeout is invalid: negative duration"),
  nexus(
    { nexusHeader: { "Request-Timeout": "1s" } },
    'ScheduleNexusOperationCommandAttributes.NexusHeader contains a disallowed header key: "Request-Timeout"',
  ),
  nexus({ nexusHeader: { h: "x".repeat(8192) } }, "ScheduleNexusOperationCommandAttributes.NexusHeader exceeds size limit"),

  [
    c.bare(Type.REQUEST_CANCEL_NEXUS_OPERATION),
    Cause.BAD_REQUEST_CANCEL_NEXUS_OPERATION_ATTRIBUTES,
    "BadRequestCancelNexusOperationAttributes: empty CancelNexusOperationCommandAttributes",
  ],
  [
    c.cancelNexusOperation(99),
    Cause.BAD_REQUEST_CANCEL_NEXUS_OPERATION_ATTRIBUTES,
    "BadRequestCancelNexusOperationAttributes: requested cancelation for a non-existing or already completed operation with scheduled event ID of 99",
  ],
];

/** What was refused, as a title says it. */
const titled = (list: Refusal[]) =>
  list.map(([command, cause, text]) => [text.length > 160 ? `${text.slice(0, 100)}...` : text, command, cause, text] as const);

describe("a command that cannot be accepted", () => {
  it.each(titled(REFUSALS))("%s", (_, command, cause, text) => {
    const world = new CoreWorld();
    world.start();
    const { refused } = world.answer([command]);
    expect(refused).toMatchObject({ code: Code.INVALID_ARGUMENT, message: text });
    expect(world.last("workflowTaskFailedEventAttributes")).toMatchObject({
      cause,
      failure: { message: text, failureInfo: { case: "serverFailureInfo", value: { nonRetryable: false } } },
    });
    expect(world.types().slice(3)).toEqual(["WORKFLOW_TASK_FAILED"]);
    expect(world.run("w").isOpen).toBe(true);
    expect(world.transfers).toHaveLength(0);
  });

  it("is tried for each type of command", () => {
    const tried = new Set(REFUSALS.map(([command]) => command.commandType));
    expect([...tried].sort((a, b) => a - b)).toEqual(
      Object.keys(COMMANDS)
        .map(Number)
        .sort((a, b) => a - b),
    );
  });
});

describe("a command that names a namespace which does not exist", () => {
  it.each([
    ["start child", c.child("k", { namespace: "nowhere" })],
    ["signal", c.signalExternal("o", { namespace: "nowhere" })],
    ["cancel", c.cancelExternal("o", { namespace: "nowhere" })],
  ])("%s: the completion is an error, and the task goes on", (_, command) => {
    const world = new CoreWorld();
    world.start();
    const task = world.task();
    const before = world.snapshot();
    expect(() => world.complete(task, [command])).toThrow("Namespace nowhere is not found.");
    expect(world.snapshot()).toEqual(before);
  });
});

describe("an id that is taken", () => {
  it.each<[string, Command, Cause, string]>([
    [
      "of an activity",
      c.activity("id"),
      Cause.SCHEDULE_ACTIVITY_DUPLICATE_ID,
      "ScheduleActivityDuplicateId: invalid history builder state for action: add-activitytask-scheduled-event, ActivityID: id",
    ],
    [
      "of a timer",
      c.timer("id", 1),
      Cause.START_TIMER_DUPLICATE_ID,
      "StartTimerDuplicateId: invalid history builder state for action: add-timer-started-event, TimerID: id",
    ],
  ])("%s fails the task, whether it was taken before or by the same completion", (_, command, cause, text) => {
    const world = new CoreWorld();
    world.start();
    expect(world.answer([command, command]).refused?.message).toBe(text);
    expect(world.last("workflowTaskFailedEventAttributes").cause).toBe(cause);
    world.answer([command]);
    world.signal("s");
    expect(world.answer([command]).refused?.message).toBe(text);
  });

  it("is free again when its timer was canceled or its activity ended", () => {
    const world = new CoreWorld();
    world.running([c.timer("id", 10), c.activity("id")]);
    world.signal("s");
    expect(world.answer([c.cancelTimer("id"), c.timer("id", 10), c.cancelActivity(6), c.activity("id")]).refused).toBeUndefined();
  });
});

describe("too much that is pending", () => {
  it.each<[SettingName, Command[], Cause, string]>([
    [
      "pendingActivitiesMax",
      [c.activity("1"), c.activity("2"), c.activity("3")],
      Cause.PENDING_ACTIVITIES_LIMIT_EXCEEDED,
      "PendingActivitiesLimitExceeded: the number of pending activities, 2, has reached the per-workflow limit of 2",
    ],
    [
      "pendingChildExecutionsMax",
      [c.child("1"), c.child("2"), c.child("3")],
      Cause.PENDING_CHILD_WORKFLOWS_LIMIT_EXCEEDED,
      "PendingChildWorkflowsLimitExceeded: the number of pending child workflow executions, 2, has reached the per-workflow limit of 2",
    ],
    [
      "pendingSignalsMax",
      [c.signalExternal("1"), c.signalExternal("2"), c.signalExternal("3")],
      Cause.PENDING_SIGNALS_LIMIT_EXCEEDED,
      "PendingSignalsLimitExceeded: the number of pending signals to external workflows, 2, has reached the per-workflow limit of 2",
    ],
    [
      "pendingCancelRequestsMax",
      [c.cancelExternal("1"), c.cancelExternal("2"), c.cancelExternal("3")],
      Cause.PENDING_REQUEST_CANCEL_LIMIT_EXCEEDED,
      "PendingRequestCancelLimitExceeded: the number of pending requests to cancel external workflows, 2, has reached the per-workflow limit of 2",
    ],
  ])("%s fails the task", (limit, commands, cause, text) => {
    const world = new CoreWorld();
    world.limit({ [limit]: 2 });
    world.start();
    expect(world.answer(commands).refused?.message).toBe(text);
    expect(world.last("workflowTaskFailedEventAttributes").cause).toBe(cause);
    expect(world.answer(commands.slice(0, 2)).refused).toBeUndefined();
  });
});

describe("a blob that is too large", () => {
  it.each<[string, Command, string]>([
    [
      "input of an activity",
      c.activity("a", { input: BIG }),
      "BadScheduleActivityAttributes: ScheduleActivityTaskCommandAttributes.Input exceeds size limit.",
    ],
    ["details of a marker", c.marker("m", { d: BIG }), "BadRecordMarkerAttributes: RecordMarkerCommandAttributes.Details exceeds size limit."],
    ["result", c.complete("x".repeat(100)), "BadScheduleActivityAttributes: CompleteWorkflowExecutionCommandAttributes.Result exceeds size limit."],
    [
      "failure",
      c.fail({ message: "x".repeat(100) }),
      "BadFailWorkflowExecutionAttributes: FailWorkflowExecutionCommandAttributes.Failure exceeds size limit.",
    ],
    [
      "input of the next run",
      c.continueAsNew({ input: BIG }),
      "BadContinueAsNewAttributes: ContinueAsNewWorkflowExecutionCommandAttributes. Input exceeds size limit.",
    ],
    [
      "input of a child",
      c.child("k", { input: BIG }),
      "BadStartChildExecutionAttributes: StartChildWorkflowExecutionCommandAttributes. Input exceeds size limit.",
    ],
    [
      "input of a signal",
      c.signalExternal("o", { input: BIG }),
      "BadSignalWorkflowExecutionAttributes: SignalExternalWorkflowExecutionCommandAttributes.Input exceeds size limit.",
    ],
    ["memo", c.memo({ m: "x".repeat(100) }), "BadModifyWorkflowPropertiesAttributes: ModifyWorkflowPropertiesCommandAttributes exceeds size limit."],
  ])("%s ends the workflow, since the same would come again", (_, command, text) => {
    const world = new CoreWorld();
    world.limit({ blobSizeBytesMax: 90 });
    world.start();
    expect(world.answer([c.timer("t", 1), command]).refused).toMatchObject({ code: Code.INVALID_ARGUMENT, message: text });
    expect(world.types().slice(3)).toEqual(["WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_TERMINATED"]);
    expect(world.last("workflowExecutionTerminatedEventAttributes")).toMatchObject({ reason: text, identity: "history-service" });
  });

  it("is measured without the metadata of the payloads in a memo, and with it in a marker", () => {
    // The data has 62 bytes and a key of one; with metadata and framing the payload has more than 80.
    const world = new CoreWorld();
    world.limit({ blobSizeBytesMax: 80 });
    world.start();
    expect(world.answer([c.memo({ m: "x".repeat(60) })]).refused).toBeUndefined();
    world.signal("s");
    expect(world.answer([c.marker("m", { m: c.payloads("x".repeat(60)) })]).refused?.message).toContain("Details exceeds size limit.");
  });
});

describe("the order of commands", () => {
  it("has the closing one last", () => {
    const world = new CoreWorld();
    world.start();
    const task = world.task();
    expect(() => world.complete(task, [c.cancel(), c.timer("t", 1), c.complete()])).toThrow(
      "invalid command sequence: [CancelWorkflowExecution, StartTimer, CompleteWorkflowExecution], command CancelWorkflowExecution must be the last command.",
    );
    expect(() => world.complete(task, [c.bare(0 as Type)])).toThrow("unknown command type: Unspecified");
    expect(world.types()).toHaveLength(3);
  });

  it("is the order of their events", () => {
    const world = new CoreWorld();
    world.start();
    world.answer([c.marker("m"), c.timer("t", 1), c.activity("a"), c.memo({ k: 1 }), c.cancelTimer("t"), c.complete()]);
    expect(world.types().slice(4)).toEqual([
      "MARKER_RECORDED",
      "TIMER_STARTED",
      "ACTIVITY_TASK_SCHEDULED",
      "WORKFLOW_PROPERTIES_MODIFIED",
      "TIMER_CANCELED",
      "WORKFLOW_EXECUTION_COMPLETED",
    ]);
    for (const e of world.history("w").slice(4))
      expect((e.attributes.value as { workflowTaskCompletedEventId: number }).workflowTaskCompletedEventId).toBe(4);
  });
});
