/** Time skipping: how many skips a session has when its config does not say. */
import { command, seconds } from "../../conformance/session.js";
import { events, type Group, typesOf } from "../row.js";

export const timeSkipping: Group = {
  name: "time skipping",
  settings: ["frontend.WorkflowTimeSkippingEnabled=true", "frontend.WorkflowTimeSkippingMaxSkipPerSession=2"],
  rows: [
    {
      keys: ["frontend.WorkflowTimeSkippingMaxSkipPerSession"],
      breach: "a third skip of a session",
      play: async (s) => {
        await s.start({ timeSkippingConfig: { enabled: true } });
        await s.answer([command.timer("a", 3600), command.timer("b", 7200), command.timer("c", 10_800)]);
        await s.answer([]);
        await s.answer([]);
        const d = await s.call("DescribeWorkflowExecution", { execution: { workflowId: s.id } });
        const config = d.workflowExtendedInfo?.timeSkippingInfo?.effectiveConfig;
        const skips = typesOf(await events(s)).filter((t) => t === "WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED");
        // Another one may have as many as it asks for.
        await s.start({
          workflowId: `${s.id}-more`,
          timeSkippingConfig: { enabled: true, maxSessionSkipCount: 9 },
          workflowStartDelay: seconds(3600),
        });
        const more = await s.call("DescribeWorkflowExecution", { execution: { workflowId: `${s.id}-more` } });
        return [
          config?.enabled,
          config?.maxSessionSkipCount,
          skips.length,
          more.workflowExtendedInfo?.timeSkippingInfo?.effectiveConfig?.maxSessionSkipCount,
        ];
      },
      answer: [false, 2, 2, 9],
    },
  ],
};
