/** Settings of standalone activities: what may be asked for, and how much may be attached. */
import { payloads, type Session, seconds } from "../../conformance/session.js";
import { type Group, refusal } from "../row.js";

const start = (s: Session, extra: object = {}) =>
  ({
    activityId: s.id,
    activityType: { name: "A" },
    taskQueue: { name: s.queue },
    startToCloseTimeout: seconds(60),
    ...extra,
  }) as never;

const link = (workflowId: string) => ({ variant: { case: "workflowEvent" as const, value: { namespace: "n", workflowId, runId: "r" } } });
const long = payloads("x".repeat(60)).subarray(2);

export const activityExecutions: Group = {
  name: "standalone activities",
  settings: [
    "limit.userMetadataSummarySize=50",
    "limit.userMetadataDetailsSize=60",
    "activity.startDelayEnabled=false",
    "activity.enableCallbacks=false",
    "chasm.maxLinksPerComponent=1",
    'activity.longPollTimeout="300ms"',
    "history.enableStandaloneActivityOperatorCommands=false",
  ],
  rows: [
    {
      keys: ["limit.userMetadataSummarySize"],
      breach: "a long summary",
      play: (s) => refusal(s, "StartActivityExecution", start(s, { userMetadata: { summary: long } })),
      answer: ["INVALID_ARGUMENT", `user_metadata.summary exceeds size limit. Length=${long.length} Limit=50`],
    },
    {
      keys: ["limit.userMetadataDetailsSize"],
      breach: "long details",
      play: (s) => refusal(s, "StartActivityExecution", start(s, { userMetadata: { details: long } })),
      answer: ["INVALID_ARGUMENT", `user_metadata.details exceeds size limit. Length=${long.length} Limit=60`],
    },
    {
      keys: ["activity.longPollTimeout"],
      breach: "a wait for the outcome, by a caller with much more time",
      play: async (s) => {
        await s.call("StartActivityExecution", start(s));
        const { runId, outcome } = await s.call("PollActivityExecution", { activityId: s.id }, 300_000);
        return [runId === "", outcome === undefined];
      },
      answer: [true, true],
    },
    {
      keys: ["activity.startDelayEnabled"],
      breach: "a delay of the start",
      play: (s) => refusal(s, "StartActivityExecution", start(s, { startDelay: seconds(1) })),
      answer: ["INVALID_ARGUMENT", "start_delay is not enabled for this namespace"],
    },
    {
      keys: ["activity.enableCallbacks"],
      breach: "a completion callback",
      play: (s) =>
        refusal(
          s,
          "StartActivityExecution",
          start(s, { completionCallbacks: [{ variant: { case: "nexus", value: { url: "http://localhost/x" } } }] }),
        ),
      answer: ["INVALID_ARGUMENT", "completion callbacks are not enabled for this namespace"],
    },
    {
      keys: ["chasm.maxLinksPerComponent"],
      breach: "a second link, attached by a later request",
      play: async (s) => [
        await refusal(s, "StartActivityExecution", start(s, { links: [link("a")] })),
        await refusal(s, "StartActivityExecution", start(s, { links: [link("b")], idConflictPolicy: 2, onConflictOptions: { attachLinks: true } })),
      ],
      answer: ["OK", ["FAILED_PRECONDITION", "cannot attach more than 1 links to an activity (1 links already attached)"]],
    },
    {
      keys: ["history.enableStandaloneActivityOperatorCommands"],
      breach: "what operators do",
      play: async (s) => [
        await refusal(s, "PauseActivityExecution", { activityId: s.id }),
        await refusal(s, "UnpauseActivityExecution", { activityId: s.id }),
        await refusal(s, "ResetActivityExecution", { activityId: s.id }),
        await refusal(s, "UpdateActivityExecutionOptions", { activityId: s.id, restoreOriginal: true }),
      ],
      answer: Array.from({ length: 4 }, () => ["UNIMPLEMENTED", "Standalone activity operator commands are disabled"]),
    },
  ],
};

export const noActivityExecutions: Group = {
  name: "no standalone activities",
  settings: ["activity.enableStandalone=false"],
  rows: [
    {
      keys: ["activity.enableStandalone"],
      breach: "a standalone activity",
      play: async (s) => [
        await refusal(s, "StartActivityExecution", start(s)),
        await refusal(s, "ListActivityExecutions", {}),
        await refusal(s, "RespondActivityTaskCompletedById", { activityId: s.id } as never),
      ],
      answer: [
        ["UNIMPLEMENTED", "Standalone activity is disabled"],
        ["UNIMPLEMENTED", "Standalone activity is disabled"],
        ["INVALID_ARGUMENT", "WorkflowId is not set on request."],
      ],
    },
  ],
};
