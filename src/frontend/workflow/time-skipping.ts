/**
 * PollWorkflowExecutionTimeSkipping: waits for the end of a fast-forward, or for what makes it impossible. The fast-forward of a
 * chain goes on with its next run.
 */
import { FastForwardPollingResult as Result } from "../../../gen/wire/temporal/api/enums/v1/time_skipping.js";
import type {
  PollWorkflowExecutionTimeSkippingRequest,
  PollWorkflowExecutionTimeSkippingResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument } from "../../api/service-error.js";
import { timestampMicros } from "../../api/time.js";
import type { Init } from "../../api/wire.js";
import type { ExecutionAddress } from "../../core/input.js";
import type { Replies } from "../../core/transition.js";
import type { Services } from "../services.js";
import { validateExecution } from "../validation/execution.js";
import { FAST_FORWARD_ID_NOT_SET, requireTimeSkipping } from "../validation/time-skipping.js";

type State = Replies["timeSkippingState"];

const ID_MISMATCH = "the requested fast_forward_id does not match the execution's current fast-forward";
const RESET = "the fast-forward was reset";
const ENDED = "the execution ended before the fast-forward completed";
const DISABLED = "time skipping was disabled before the fast-forward completed";

export const pollWorkflowExecutionTimeSkipping =
  (s: Services): Handler<PollWorkflowExecutionTimeSkippingRequest, PollWorkflowExecutionTimeSkippingResponse> =>
  async (request, call) => {
    const { workflowId, runId } = validateExecution(request.workflowExecution);
    const namespace = s.namespaces.view(request.namespace);
    const limits = s.limits(request.namespace);
    requireTimeSkipping(limits);
    const id = request.fastForwardId;
    if (id.trim() === "") throw invalidArgument(FAST_FORWARD_ID_NOT_SET);
    const until = s.runtime.nowMicros() / 1000 + limits.longPollExpirationMs;
    let address: ExecutionAddress = { namespaceId: namespace.id, workflowId, runId };
    let first: State | undefined;
    for (;;) {
      const state = await s.history.submit(address, { kind: "timeSkippingState" });
      const settled = outcome(state, id, first);
      if (settled !== undefined) return settled;
      first ??= state;
      address = { ...address, runId: state.isOpen ? state.runId : state.newRunId };
      if (!state.isOpen) continue;
      const left = until - s.runtime.nowMicros() / 1000;
      if (left <= 0 || call.cancelled) return { fastForwardPollingResult: Result.POLL_TIMEOUT, fastForwardInfo: state.fastForward };
      await s.clocks.waitForExecution(state.runKey, state.transitions, left, (f) => call.onCancel(f));
    }
  };

/** Undefined: the fast-forward goes on. `first`: as it was when the wait began. */
function outcome(state: State, id: string, first: State | undefined): Init<PollWorkflowExecutionTimeSkippingResponse> | undefined {
  const { fastForward } = state;
  const failed = (failedReason: string) => ({
    fastForwardPollingResult: Result.FAST_FORWARD_FAILED,
    failedReason,
    fastForwardInfo: fastForward,
  });
  if (fastForward === undefined || fastForward.fastForwardId !== id) return failed(ID_MISMATCH);
  const target = timestampMicros(fastForward.targetTime);
  if (first !== undefined && target !== timestampMicros(first.fastForward?.targetTime)) return failed(RESET);
  if (fastForward.hasCompleted === true) return { fastForwardPollingResult: Result.FAST_FORWARD_COMPLETED, fastForwardInfo: fastForward };
  if (!state.isOpen && state.newRunId === "") return failed(ENDED);
  return state.isEnabled ? undefined : failed(DISABLED);
}
