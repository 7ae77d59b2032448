import { expect, it } from "vitest";
import { ScheduleOverlapPolicy as Policy } from "../../../gen/wire/temporal/api/enums/v1/schedule.js";
import { resolveOverlaps } from "./overlap.js";

const { SKIP, BUFFER_ONE, BUFFER_ALL, CANCEL_OTHER, TERMINATE_OTHER, ALLOW_ALL } = Policy;

/** What becomes of a buffer: names of what starts, what waits, how many are skipped, how the running one ends. */
function resolve(policies: readonly Policy[], isRunning: boolean) {
  const { start, wait, skipped, end } = resolveOverlaps(
    policies.map((policy, i) => ({ policy, i })),
    isRunning,
    (s) => s.policy,
  );
  return [start.map((s) => s.i), wait.map((s) => s.i), skipped, end];
}

it.each([
  ["nothing", [], true, [[], [], 0, undefined]],
  ["the first of those that skip", [SKIP, SKIP, SKIP], false, [[0], [], 2, undefined]],
  ["none of those that skip while one runs", [SKIP, SKIP], true, [[], [], 2, undefined]],
  ["one to wait", [BUFFER_ONE, BUFFER_ONE, BUFFER_ONE], false, [[0], [1], 1, undefined]],
  ["one to wait while one runs", [BUFFER_ONE, BUFFER_ONE], true, [[], [0], 1, undefined]],
  ["all to wait", [BUFFER_ALL, BUFFER_ALL, BUFFER_ALL], false, [[0], [1, 2], 0, undefined]],
  ["the last of those that cancel, when none has begun", [CANCEL_OTHER, CANCEL_OTHER, CANCEL_OTHER], false, [[2], [], 0, undefined]],
  ["those that cancel to wait for the end of the one that runs", [CANCEL_OTHER, CANCEL_OTHER], true, [[], [0, 1], 0, "cancel"]],
  ["to terminate before to cancel", [CANCEL_OTHER, TERMINATE_OTHER], true, [[], [0, 1], 0, "terminate"]],
  ["all at once", [ALLOW_ALL, ALLOW_ALL], true, [[0, 1], [], 0, undefined]],
  ["all at once before the one that is alone", [SKIP, ALLOW_ALL, BUFFER_ALL], false, [[1, 0], [2], 0, undefined]],
  ["no overlap of what is to be ended", [ALLOW_ALL, TERMINATE_OTHER], true, [[], [1], 0, "terminate"]],
] as const)("starts or keeps %s", (_what, policies, isRunning, expected) => {
  expect(resolve(policies, isRunning)).toEqual(expected);
});
