/** What retry policies have that their users left out. */
import { command, type Session, seconds } from "../../conformance/session.js";
import { events, type Group, refusal } from "../row.js";

const plain = (p: unknown) => JSON.parse(JSON.stringify(p ?? null));
/** The retry policies of the events of one type. */
async function policies(s: Session, attributes: string, workflowId = s.id): Promise<unknown> {
  const all = (await events(s, workflowId)).filter((e) => e.attributes.case === attributes);
  return all.map((e) => plain((e.attributes.value as { retryPolicy?: unknown }).retryPolicy));
}
const partial = { initialInterval: seconds(2) };
const policy = (first: object, maximum: object, coefficient: number, attempts: number) => ({
  initialInterval: { seconds: 0, nanos: 0, ...first },
  backoffCoefficient: coefficient,
  maximumInterval: { seconds: 0, nanos: 0, ...maximum },
  maximumAttempts: attempts,
  nonRetryableErrorTypes: [],
});
const activityOptions = async (s: Session, extra: object, retryPolicy?: object) => {
  await s.call("StartActivityExecution", {
    activityId: s.id,
    activityType: { name: "A" },
    taskQueue: { name: s.queue },
    startToCloseTimeout: seconds(60),
    ...(retryPolicy === undefined ? {} : { retryPolicy }),
  } as never);
  if (Object.keys(extra).length > 0) await s.call("UpdateActivityExecutionOptions", { activityId: s.id, ...extra } as never);
  return plain((await s.call("DescribeActivityExecution", { activityId: s.id })).info?.retryPolicy);
};
const scheduleWith = (s: Session, retryPolicy: object) => ({
  scheduleId: s.id,
  schedule: {
    spec: {},
    action: {
      action: { case: "startWorkflow", value: { workflowId: s.id, workflowType: { name: "T" }, taskQueue: { name: s.queue }, retryPolicy } },
    },
  },
  initialPatch: { triggerImmediately: {} },
  requestId: s.id,
});

export const retries: Group = {
  name: "retry policies",
  settings: [
    // The fraction of the third does not count. What is not named stays as it is by default.
    'history.defaultActivityRetryPolicy={"InitialIntervalInSeconds":"1500ms","MaximumIntervalCoefficient":3.9,"BackoffCoefficient":1.5,"MaximumAttempts":4}',
    'history.defaultWorkflowRetryPolicy={"initialintervalinseconds":3,"MaximumAttempts":2}',
    "history.enableStandaloneActivityOperatorCommands=true",
    "history.enableCHASMSchedulerCreation=true",
    "history.chasmSchedulerCreationRolloutPercent=100",
  ],
  rows: [
    {
      keys: ["history.defaultActivityRetryPolicy"],
      breach: "activities of a workflow, without a policy and with a part of one",
      play: async (s) => {
        await s.running([command.activity(s, "a"), command.activity(s, "b", { retryPolicy: partial })]);
        return policies(s, "activityTaskScheduledEventAttributes");
      },
      answer: [
        policy({ seconds: 1, nanos: 500_000_000 }, { seconds: 4, nanos: 500_000_000 }, 1.5, 4),
        policy({ seconds: 2 }, { seconds: 6 }, 1.5, 4),
      ],
    },
    {
      keys: ["history.defaultActivityRetryPolicy"],
      breach: "standalone activities: started without a policy and with a part of one, and given a part of one",
      play: async (s) => [
        await activityOptions(s, {}),
        await activityOptions(Object.assign(Object.create(s), { id: `${s.id}-2` }), {}, partial),
        await activityOptions(Object.assign(Object.create(s), { id: `${s.id}-3` }), {
          activityOptions: { retryPolicy: partial },
          updateMask: { paths: ["retry_policy"] },
        }),
      ],
      answer: [
        policy({ seconds: 1, nanos: 500_000_000 }, { seconds: 4, nanos: 500_000_000 }, 1.5, 4),
        policy({ seconds: 2 }, { seconds: 6 }, 1.5, 4),
        policy({ seconds: 2 }, { seconds: 6 }, 1.5, 4),
      ],
    },
    {
      keys: ["history.defaultWorkflowRetryPolicy"],
      breach: "workflows: started, started by a signal, as a child, as a next run, by a schedule; one without a policy has none",
      play: async (s) => {
        const started = "workflowExecutionStartedEventAttributes";
        await s.start({ retryPolicy: {} as never });
        const first = await policies(s, started);
        await s.answer([command.child(`${s.id}-child`, { retryPolicy: partial }), command.continueAsNew({ retryPolicy: partial })]);
        const next = await policies(s, started);
        const other = { workflowType: { name: "T" }, taskQueue: { name: s.queue }, signalName: "s" };
        await s.call("SignalWithStartWorkflowExecution", { ...other, workflowId: `${s.id}-2`, retryPolicy: { maximumAttempts: 7 } } as never);
        await s.call("SignalWithStartWorkflowExecution", { ...other, workflowId: `${s.id}-3` } as never);
        await s.call("CreateSchedule", scheduleWith(Object.assign(Object.create(s), { id: `${s.id}-4` }), partial) as never);
        let scheduled = "";
        await s.until("the schedule has started one", async () => {
          const { info } = await s.call("DescribeSchedule", { scheduleId: `${s.id}-4` });
          scheduled = info?.recentActions[0]?.startWorkflowResult?.workflowId ?? "";
          return scheduled !== "";
        });
        return [first, next, await policies(s, started, `${s.id}-2`), await policies(s, started, `${s.id}-3`), await policies(s, started, scheduled)];
      },
      answer: [
        [policy({ seconds: 3 }, { seconds: 300 }, 2, 2)],
        [policy({ seconds: 2 }, { seconds: 200 }, 2, 2)],
        [policy({ seconds: 3 }, { seconds: 300 }, 2, 7)],
        [null],
        [policy({ seconds: 2 }, { seconds: 200 }, 2, 2)],
      ],
    },
    {
      keys: ["history.defaultWorkflowRetryPolicy"],
      breach: "a policy whose longest interval is below the first one of the setting",
      play: (s) =>
        refusal(s, "StartWorkflowExecution", {
          workflowId: s.id,
          workflowType: { name: "T" },
          taskQueue: { name: s.queue },
          retryPolicy: { maximumInterval: seconds(2) },
        } as never),
      answer: ["INVALID_ARGUMENT", "MaximumInterval cannot be less than InitialInterval on retry policy."],
    },
  ],
};
