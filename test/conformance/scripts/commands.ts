/** Every command, in every way in which it is refused. What a refused completion did before is undone; the workflow task fails. */
import { CommandType } from "../../../gen/wire/temporal/api/enums/v1/command_type.js";
import { command as c, payloads, type Script, type Session, seconds } from "../session.js";

/** Refused commands, each in a workflow of its own: errors and histories are recorded. */
const refusals =
  (list: (s: Session) => object[][]): Script =>
  async (s) => {
    for (const [i, commands] of list(s).entries()) {
      const workflowId = `${s.id}-${i}`;
      await s.start({ workflowId });
      await s.badAnswer(commands);
      await s.history(workflowId);
      await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId } });
    }
  };

const LONG = "x".repeat(1001);

export const scripts: Record<string, Script> = {
  "schedule activity, refused": refusals((s) => [
    [c.activity(s, "a", { activityType: { name: "" } })],
    [c.activity(s, LONG)],
    [c.activity(s, "a", { activityType: { name: LONG } })],
    [c.activity(s, "a", { taskQueue: { name: LONG } })],
    [c.activity(s, "a", { taskQueue: { name: "/_sys/q" } })],
    [c.activity(s, "a", { taskQueue: { name: "temporal-sys-per-ns-tq" } })],
    [c.activity(s, "a", { startToCloseTimeout: seconds(-1) })],
    [c.activity(s, "a", { heartbeatTimeout: seconds(-1) })],
    [c.activity(s, "a", { retryPolicy: { backoffCoefficient: 0.5 } })],
    [c.activity(s, "a", { retryPolicy: { initialInterval: seconds(-1) } })],
    [c.activity(s, "a", { retryPolicy: { initialInterval: seconds(10), maximumInterval: seconds(1) } })],
    [c.activity(s, "a", { retryPolicy: { maximumAttempts: -1 } })],
    [c.activity(s, "a", { priority: { priorityKey: -1 } })],
    [{ commandType: CommandType.SCHEDULE_ACTIVITY_TASK }],
  ]),
  "cancel activity, refused": refusals(() => [
    [c.cancelActivity(99)],
    [c.cancelActivity(0)],
    [{ commandType: CommandType.REQUEST_CANCEL_ACTIVITY_TASK }],
  ]),
  "timers, refused": refusals(() => [
    [c.timer("t", -1)],
    [c.timer(LONG, 1)],
    [c.cancelTimer("")],
    [c.cancelTimer(LONG)],
    [{ commandType: CommandType.START_TIMER }],
    [{ commandType: CommandType.CANCEL_TIMER }],
  ]),
  "close commands, refused": refusals(() => [
    [{ commandType: CommandType.COMPLETE_WORKFLOW_EXECUTION }],
    [{ commandType: CommandType.FAIL_WORKFLOW_EXECUTION }],
    [
      {
        commandType: CommandType.FAIL_WORKFLOW_EXECUTION,
        attributes: { case: "failWorkflowExecutionCommandAttributes", value: {} },
      },
    ],
    [{ commandType: CommandType.CANCEL_WORKFLOW_EXECUTION }],
  ]),
  "continue as new, refused": refusals(() => [
    [{ commandType: CommandType.CONTINUE_AS_NEW_WORKFLOW_EXECUTION }],
    [c.continueAsNew({ workflowType: { name: LONG } })],
    [c.continueAsNew({ workflowRunTimeout: seconds(-1) })],
    [c.continueAsNew({ workflowTaskTimeout: seconds(-1) })],
    [c.continueAsNew({ backoffStartInterval: seconds(-1) })],
    [c.continueAsNew({ taskQueue: { name: LONG } })],
    [c.continueAsNew({ retryPolicy: { backoffCoefficient: 0.5 } })],
    [c.continueAsNew({ searchAttributes: { indexedFields: { Nope: payloads("v").subarray(2) } } })],
  ]),
  "start child, refused": refusals((s) => [
    [c.child("")],
    [c.child(`${s.id}-child`, { workflowType: { name: "" } })],
    [c.child(LONG)],
    [c.child(`${s.id}-child`, { workflowType: { name: LONG } })],
    [c.child(`${s.id}-child`, { workflowRunTimeout: seconds(-1) })],
    [c.child(`${s.id}-child`, { workflowExecutionTimeout: seconds(-1) })],
    [c.child(`${s.id}-child`, { workflowTaskTimeout: seconds(-1) })],
    [c.child(`${s.id}-child`, { cronSchedule: "nonsense" })],
    [c.child(`${s.id}-child`, { retryPolicy: { backoffCoefficient: 0.5 } })],
    [c.child(`${s.id}-child`, { taskQueue: { name: LONG } })],
    [c.child(`${s.id}-child`, { searchAttributes: { indexedFields: { Nope: payloads("v").subarray(2) } } })],
    [c.child(`${s.id}-child`, { priority: { priorityKey: -1 } })],
  ]),
  "a child in a namespace that is not there": async (s) => {
    await s.start();
    await s.badAnswer([c.child(`${s.id}-child`, { namespace: "there-is-no-such-namespace" })]);
    await s.history();
  },
  "signal external, refused": refusals(() => [
    [{ commandType: CommandType.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION }],
    [c.signalExternal("", {})],
    [c.signalExternal("w", { execution: undefined })],
    [c.signalExternal("w", { signalName: "" })],
    [c.signalExternal("w", { execution: { workflowId: "w", runId: "no uuid" } })],
    [c.signalExternal(LONG)],
  ]),
  "cancel external, refused": refusals((s) => [
    [{ commandType: CommandType.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION }],
    [c.cancelExternal("")],
    [c.cancelExternal("w", { runId: "no uuid" })],
    [c.cancelExternal(LONG)],
    [c.child(`${s.id}-child`), c.cancelExternal(`${s.id}-child`)],
  ]),
  "markers, refused": refusals(() => [[{ commandType: CommandType.RECORD_MARKER }], [c.marker(LONG)]]),
  "search attributes, refused": refusals(() => [
    [{ commandType: CommandType.UPSERT_WORKFLOW_SEARCH_ATTRIBUTES }],
    [
      {
        commandType: CommandType.UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
        attributes: { case: "upsertWorkflowSearchAttributesCommandAttributes", value: {} },
      },
    ],
    [c.searchAttributes("WorkflowId")],
    [c.searchAttributes("ExecutionStatus")],
  ]),
  "properties, refused": refusals(() => [
    [{ commandType: CommandType.MODIFY_WORKFLOW_PROPERTIES }],
    [
      {
        commandType: CommandType.MODIFY_WORKFLOW_PROPERTIES,
        attributes: { case: "modifyWorkflowPropertiesCommandAttributes", value: {} },
      },
    ],
  ]),
  "protocol messages, refused": refusals(() => [[{ commandType: CommandType.PROTOCOL_MESSAGE }], [c.message("")]]),
  "a command of no type": refusals(() => [[{ commandType: CommandType.UNSPECIFIED }]]),
  "what a refused completion did is undone": async (s) => {
    await s.start();
    await s.badAnswer([c.timer("t", 100), c.marker("m"), c.memo("k"), c.activity(s, "a"), c.cancelTimer("other")]);
    await s.history();
    await s.shown("DescribeWorkflowExecution", { execution: { workflowId: s.id } }, (d) => [d.pendingActivities, d.workflowExecutionInfo?.memo]);
  },
  "a second bad answer waits for the timeout": async (s) => {
    await s.start({ workflowTaskTimeout: seconds(1) });
    await s.badAnswer([c.marker("")]);
    await s.badAnswer([c.marker("")]);
    const t = await s.workflowTask();
    s.note("attempt", t.attempt);
    await s.history();
  },
  "all that a workflow can ask in one task": async (s) => {
    await s.start();
    await s.answer([
      c.activity(s, "a", { header: undefined, input: payloads("in") }),
      c.timer("t", 100),
      c.marker("m"),
      c.memo("k"),
      c.child(`${s.id}-child`, { parentClosePolicy: 2, taskQueue: { name: `${s.queue}-c` } }),
    ]);
    await s.until("the child has started", async () => {
      const d = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
      return (d.pendingChildren[0]?.runId ?? "") !== "";
    });
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id }, reason: "enough", identity: "client" });
    await s.history();
  },
  "a workflow that signals and cancels itself": async (s) => {
    await s.running([c.signalExternal(s.id, { control: "s" })]);
    await s.answer([c.cancelExternal(s.id, { control: "c", reason: "r" })]);
    await s.answer([c.complete()]);
    await s.history();
  },
  "an empty search attribute and an empty memo take away": async (s) => {
    await s.start({ memo: { fields: { k: payloads("v").subarray(2), other: payloads("o").subarray(2) } } });
    await s.answer([c.memo("k", null), c.complete()]);
    await s.history();
    await s.shown("DescribeWorkflowExecution", { execution: { workflowId: s.id } }, (d) => d.workflowExecutionInfo?.memo);
  },
  "a timer and an activity canceled in the task that made them": async (s) => {
    await s.start();
    await s.answer([c.timer("t", 100), c.cancelTimer("t"), c.activity(s, "a"), c.cancelActivity(7)]);
    await s.answer([c.complete()]);
    await s.history();
  },
  "a timer that fires while a task runs is canceled by it": async (s) => {
    await s.running([c.timer("t", 1)]);
    await s.signal("wake");
    const t = await s.workflowTask();
    await s.sleep(1300);
    await s.call("RespondWorkflowTaskCompleted", { taskToken: t.taskToken, identity: "worker", commands: [c.cancelTimer("t")] });
    await s.until("the next task", async () => {
      const d = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
      return d.pendingWorkflowTask === undefined || d.pendingWorkflowTask.state === 1;
    });
    await s.history();
  },
};
