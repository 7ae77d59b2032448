import { expect, it } from "vitest";
import { BatchOperationInput } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { CommandType } from "../../../gen/wire/temporal/api/enums/v1/command_type.js";
import { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { jsonPayloads } from "../../api/json-payload.js";
import { batchInput, nextCommands, readBatchInput } from "./job-workflow.js";

const event = (attributes: object): HistoryEvent => HistoryEvent.create({ attributes: attributes as never });
const STARTED = event({
  case: "workflowExecutionStartedEventAttributes",
  value: { input: batchInput(BatchOperationInput.create({ namespaceId: "n", batchType: 3 })) },
});
const SCHEDULED = event({ case: "activityTaskScheduledEventAttributes", value: {} });
const types = (events: HistoryEvent[]) => {
  const { commands, isOver } = nextCommands(events);
  return [commands.map((c) => CommandType[c.commandType ?? 0]), isOver];
};

it("schedules its activity with its own input, once", () => {
  const { commands } = nextCommands([STARTED]);
  const value = commands[0]?.attributes?.value as { input: Uint8Array };
  expect(readBatchInput(value.input)).toMatchObject({ namespaceId: "n", batchType: 3 });
  expect(types([STARTED])).toEqual([["SCHEDULE_ACTIVITY_TASK"], false]);
  expect(types([STARTED, SCHEDULED, event({ case: "workflowExecutionSignaledEventAttributes", value: {} })])).toEqual([[], false]);
});

it("ends as its activity ends, with the counts in the memo", () => {
  const result = jsonPayloads({ PageToken: null, CurrentPage: 1, TotalEstimate: 5, SuccessCount: 3, ErrorCount: 2 });
  const completed = event({ case: "activityTaskCompletedEventAttributes", value: { result } });
  expect(types([STARTED, SCHEDULED, completed])).toEqual([["MODIFY_WORKFLOW_PROPERTIES", "COMPLETE_WORKFLOW_EXECUTION"], true]);
  expect(
    JSON.stringify(nextCommands([STARTED, SCHEDULED, completed]).commands[0], (_k, v) => (v?.type === "Buffer" ? Buffer.from(v).toString() : v)),
  ).toContain('{\\"NumSuccess\\":3,\\"NumFailure\\":2}');
  const failed = event({ case: "activityTaskFailedEventAttributes", value: { failure: { message: "bad" } } });
  expect(types([STARTED, SCHEDULED, failed])).toEqual([["FAIL_WORKFLOW_EXECUTION"], true]);
  const timedOut = event({ case: "activityTaskTimedOutEventAttributes", value: {} });
  expect(types([STARTED, SCHEDULED, timedOut])).toEqual([["FAIL_WORKFLOW_EXECUTION"], true]);
  const canceled = event({ case: "workflowExecutionCancelRequestedEventAttributes", value: {} });
  expect(types([STARTED, SCHEDULED, canceled])).toEqual([["CANCEL_WORKFLOW_EXECUTION"], true]);
});
