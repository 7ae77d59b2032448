/**
 * TestService: the clocks of tests. Its messages carry no namespace: a call acts on the namespace in its `temporal-namespace`
 * metadata, which gets a clock of its own by that, else on the server-wide clock.
 */
import type {
  GetCurrentTimeResponse,
  LockTimeSkippingRequest,
  LockTimeSkippingResponse,
  SleepRequest,
  SleepResponse,
  SleepUntilRequest,
  UnlockTimeSkippingRequest,
  UnlockTimeSkippingResponse,
} from "../../../gen/wire/temporal/api/testservice/v1/request_response.js";
import type { Call, Handler } from "../../api/call.js";
import { failedPrecondition } from "../../api/service-error.js";
import { durationMicros, timestampMicros, timestampOf } from "../../api/time.js";
import type { NamespaceView } from "../../core/namespace-view.js";
import type { Services } from "../services.js";

function namespaceOf(s: Services, call: Call): NamespaceView | undefined {
  const name = call.metadata("temporal-namespace");
  return name === undefined || name === "" ? undefined : s.namespaces.view(name);
}

/** The clock of the call may be moved. */
function movable(s: Services, call: Call): NamespaceView | undefined {
  if (!s.server.hasTestClocks)
    throw failedPrecondition("time is real on this server: start it with `perdure server start-dev` or `perdure test-server` to skip it");
  return namespaceOf(s, call);
}

export const lockTimeSkipping =
  (s: Services): Handler<LockTimeSkippingRequest, LockTimeSkippingResponse> =>
  async (_request, call) => {
    await s.clocks.lock(movable(s, call));
    return {};
  };

export const unlockTimeSkipping =
  (s: Services): Handler<UnlockTimeSkippingRequest, UnlockTimeSkippingResponse> =>
  async (_request, call) => {
    await s.clocks.unlock(movable(s, call));
    return {};
  };

export const sleep =
  (s: Services): Handler<SleepRequest, SleepResponse> =>
  async (request, call) => {
    await s.clocks.sleep(movable(s, call), durationMicros(request.duration), (f) => call.onCancel(f), { unlocked: false });
    return {};
  };

export const sleepUntil =
  (s: Services): Handler<SleepUntilRequest, SleepResponse> =>
  async (request, call) => {
    await s.clocks.sleepUntil(movable(s, call), timestampMicros(request.timestamp), (f) => call.onCancel(f));
    return {};
  };

export const unlockTimeSkippingWithSleep =
  (s: Services): Handler<SleepRequest, SleepResponse> =>
  async (request, call) => {
    await s.clocks.sleep(movable(s, call), durationMicros(request.duration), (f) => call.onCancel(f), { unlocked: true });
    return {};
  };

export const getCurrentTime =
  (s: Services): Handler<object, GetCurrentTimeResponse> =>
  (_request, call) => ({ time: timestampOf(s.clocks.currentTime(namespaceOf(s, call))) });
