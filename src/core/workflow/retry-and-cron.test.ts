import { describe, expect, it } from "vitest";
import { RetryState, TimeoutType } from "../../../gen/wire/temporal/api/enums/v1/workflow.js";
import { Failure } from "../../../gen/wire/temporal/api/failure/v1/message.js";
import { applicationFailure, MICROS, seconds } from "../../../test/harness/core-commands.js";
import type { Init } from "../../api/wire.js";
import { RETRY_DEFAULTS } from "../../config/limits.js";
import { isRetryable, nextBackoff, retryPolicyProblem, withRetryDefaults } from "./retry-and-cron.js";

const failure = (failureInfo: Init<Failure>["failureInfo"]) => Failure.create({ message: "no", failureInfo } as Init<Failure>);
const timeout = (timeoutType: TimeoutType) => failure({ case: "timeoutFailureInfo", value: { timeoutType } });

describe("whether a failure is tried again", () => {
  it.each<[string, Failure | undefined, string[], boolean]>([
    ["no failure", undefined, [], true],
    ["a failure of no kind", Failure.create({ message: "no" }), [], true],
    ["an application's", applicationFailure("no", { type: "T" }), ["U"], true],
    ["an application's that says no", applicationFailure("no", { nonRetryable: true }), [], false],
    ["an application's of a type that is named", applicationFailure("no", { type: "T" }), ["T"], false],
    ["a server's", failure({ case: "serverFailureInfo", value: {} }), [], true],
    ["a server's that says no", failure({ case: "serverFailureInfo", value: { nonRetryable: true } }), [], false],
    ["a cancellation", failure({ case: "canceledFailureInfo", value: {} }), [], false],
    ["a termination", failure({ case: "terminatedFailureInfo", value: {} }), [], false],
    ["an activity's", failure({ case: "activityFailureInfo", value: {} }), [], true],
    ["a child's", failure({ case: "childWorkflowExecutionFailureInfo", value: {} }), [], true],
    ["start-to-close", timeout(TimeoutType.START_TO_CLOSE), [], true],
    ["heartbeat", timeout(TimeoutType.HEARTBEAT), [], true],
    ["schedule-to-start", timeout(TimeoutType.SCHEDULE_TO_START), [], false],
    ["schedule-to-close", timeout(TimeoutType.SCHEDULE_TO_CLOSE), [], false],
    ["start-to-close that is named", timeout(TimeoutType.START_TO_CLOSE), ["TemporalTimeout:StartToClose"], false],
    ["heartbeat, when another is named", timeout(TimeoutType.HEARTBEAT), ["TemporalTimeout:StartToClose"], true],
  ])("%s", (_, f, types, expected) => {
    expect(isRetryable(f, types)).toBe(expected);
  });
});

describe("when the next attempt comes", () => {
  const policy = (more: object = {}) => ({ ...withRetryDefaults(undefined, RETRY_DEFAULTS), ...more });
  const NOW = 1000 * MICROS;
  const delays = (p: ReturnType<typeof policy>, attempts: number, maximum = 0) =>
    Array.from({ length: attempts }, (_, i) => (nextBackoff(p, i + 1, NOW, 0, undefined, maximum).delay ?? -1) / MICROS);

  it("doubles by default, up to the maximum", () => {
    expect(delays(policy(), 8, 100 * MICROS)).toEqual([1, 2, 4, 8, 16, 32, 64, 100]);
  });

  it("grows by the coefficient", () => {
    expect(delays(policy({ initialInterval: seconds(10), backoffCoefficient: 1.5 }), 3)).toEqual([10, 15, 22.5]);
    expect(delays(policy({ initialInterval: seconds(3), backoffCoefficient: 1 }), 3)).toEqual([3, 3, 3]);
  });

  it("is never when attempts are used up", () => {
    const p = policy({ maximumAttempts: 3 });
    expect(nextBackoff(p, 2, NOW, 0, undefined, 0).state).toBe(RetryState.IN_PROGRESS);
    expect(nextBackoff(p, 3, NOW, 0, undefined, 0).state).toBe(RetryState.MAXIMUM_ATTEMPTS_REACHED);
  });

  it("is never when it would be after the expiration, and is when it falls on it", () => {
    expect(nextBackoff(policy(), 1, NOW, NOW + MICROS, undefined, 0)).toEqual({ state: RetryState.IN_PROGRESS, delay: MICROS });
    expect(nextBackoff(policy(), 1, NOW, NOW + MICROS - 1, undefined, 0).state).toBe(RetryState.TIMEOUT);
  });

  it("is as the failure asks, within the maximum that it is given", () => {
    const asks = (s: number) => applicationFailure("no", { nextRetryDelay: seconds(s) });
    expect(nextBackoff(policy(), 1, NOW, 0, asks(7), 100 * MICROS).delay).toBe(7 * MICROS);
    expect(nextBackoff(policy(), 1, NOW, 0, asks(700), 100 * MICROS).delay).toBe(100 * MICROS);
    expect(nextBackoff(policy(), 1, NOW, 0, asks(0), 100 * MICROS).delay).toBe(100 * MICROS);
    expect(nextBackoff(policy(), 1, NOW, 0, asks(0), 0).state).toBe(RetryState.TIMEOUT);
  });

  it("stays a number when attempts are many", () => {
    const far = nextBackoff(policy(), 5000, NOW, 0, undefined, 100 * MICROS);
    expect(far).toEqual({ state: RetryState.IN_PROGRESS, delay: 100 * MICROS });
  });
});

describe("a retry policy", () => {
  it("has defaults: a second, doubled, up to a hundred times the first", () => {
    expect(withRetryDefaults(undefined, RETRY_DEFAULTS)).toEqual({
      initialInterval: seconds(1),
      backoffCoefficient: 2,
      maximumInterval: seconds(100),
      maximumAttempts: 0,
      nonRetryableErrorTypes: [],
    });
    expect(
      withRetryDefaults({ ...withRetryDefaults(undefined, RETRY_DEFAULTS), initialInterval: seconds(5), maximumInterval: undefined }, RETRY_DEFAULTS)
        .maximumInterval,
    ).toEqual(seconds(500));
  });

  // The feature activity/retry_on_error of temporalio/features has such a policy.
  it.each([
    [0, 1, { seconds: 0, nanos: 100 }],
    [1, 20_000_001, { seconds: 102, nanos: 100 }],
  ])("multiplies a first interval of %s s and %s ns to the nanosecond", (s, nanos, maximum) => {
    expect(
      withRetryDefaults(
        { ...withRetryDefaults(undefined, RETRY_DEFAULTS), initialInterval: { seconds: s, nanos }, maximumInterval: undefined },
        RETRY_DEFAULTS,
      ),
    ).toMatchObject({
      initialInterval: { seconds: s, nanos },
      maximumInterval: maximum,
    });
  });

  it.each<[string, object, string | undefined]>([
    ["the defaults", {}, undefined],
    ["a negative first interval", { initialInterval: seconds(-1) }, "invalid InitialInterval set on retry policy: negative duration"],
    ["a coefficient below 1", { backoffCoefficient: 0.9 }, "BackoffCoefficient cannot be less than 1 on retry policy."],
    ["a negative maximum", { maximumInterval: seconds(-1) }, "invalid MaximumInterval set on retry policy: negative duration"],
    ["a maximum below the first", { initialInterval: seconds(200) }, "MaximumInterval cannot be less than InitialInterval on retry policy."],
    ["negative attempts", { maximumAttempts: -1 }, "MaximumAttempts cannot be negative on retry policy."],
    ["a timeout that there is not", { nonRetryableErrorTypes: ["TemporalTimeout:Nap"] }, "Invalid timeout type value: Nap."],
    ["a timeout that there is", { nonRetryableErrorTypes: ["TemporalTimeout:Heartbeat"] }, undefined],
    ["anything, when there is but one attempt", { maximumAttempts: 1, backoffCoefficient: 0.1 }, undefined],
  ])("%s", (_, more, message) => {
    expect(retryPolicyProblem({ ...withRetryDefaults(undefined, RETRY_DEFAULTS), ...more })?.message).toBe(message);
  });
});
