import { describe, expect, test } from "vitest";
import { Payload, Payloads } from "../../gen/wire/temporal/api/common/v1/message.js";
import { RetryState, TimeoutType } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import { Failure } from "../../gen/wire/temporal/api/failure/v1/message.js";
import { encode, type Init } from "../api/wire.js";
import { causeOf, fromProto, fromTemporal, parseFailure, toTemporal } from "./failure.js";

const details = encode(Payloads, {
  payloads: [encode(Payload, { metadata: { encoding: Buffer.from("json/plain") }, data: Buffer.from('"d"') }), encode(Payload, {})],
});
/** By way of JSON, as over HTTP. */
const there = (f: Init<Failure>) => parseFailure(JSON.parse(JSON.stringify(fromTemporal(f))));
const back = (f: Init<Failure>) => Failure.create(toTemporal(there(f)));

const INFOS: Init<Failure["failureInfo"]>[] = [
  {
    case: "applicationFailureInfo",
    value: { type: "T", nonRetryable: true, details, nextRetryDelay: { seconds: 1, nanos: 500_000_000 }, category: 1 },
  },
  { case: "timeoutFailureInfo", value: { timeoutType: TimeoutType.SCHEDULE_TO_START, lastHeartbeatDetails: details } },
  { case: "canceledFailureInfo", value: { details, identity: "i" } },
  { case: "terminatedFailureInfo", value: { identity: "i" } },
  { case: "serverFailureInfo", value: { nonRetryable: true } },
  { case: "resetWorkflowFailureInfo", value: { lastHeartbeatDetails: details } },
  {
    case: "activityFailureInfo",
    value: { scheduledEventId: 5, startedEventId: 6, identity: "i", activityType: { name: "A" }, activityId: "a", retryState: RetryState.TIMEOUT },
  },
  {
    case: "childWorkflowExecutionFailureInfo",
    value: {
      namespace: "n",
      workflowExecution: { workflowId: "w", runId: "r" },
      workflowType: { name: "W" },
      initiatedEventId: 1,
      startedEventId: 2,
      retryState: RetryState.RETRY_POLICY_NOT_SET,
    },
  },
  {
    case: "nexusOperationExecutionFailureInfo",
    value: { scheduledEventId: 5, endpoint: "e", service: "s", operation: "o", operationId: "t", operationToken: "t" },
  },
];

describe("Temporal's failures", () => {
  test.each(INFOS.map((i) => [i.case, i] as const))("%s comes back as it was", (_case, failureInfo) => {
    const failure: Init<Failure> = { message: "m", source: "test", stackTrace: "at x", failureInfo, cause: { message: "c", failureInfo } };
    expect(back(failure)).toEqual(Failure.create(failure));
  });

  test("handler errors have the protocol's own form, with what is encoded of them", () => {
    const failure: Init<Failure> = {
      message: "m",
      stackTrace: "at x",
      encodedAttributes: encode(Payload, { data: Buffer.from("secret") }),
      failureInfo: { case: "nexusHandlerFailureInfo", value: { type: "BAD_REQUEST", retryBehavior: 1 } },
      cause: { message: "c" },
    };
    expect(there(failure)).toMatchObject({ metadata: { type: "nexus.HandlerError" }, details: { type: "BAD_REQUEST", retryableOverride: true } });
    expect(back(failure)).toEqual(Failure.create(failure));
  });
});

describe("failures of others", () => {
  test("an operation error is final, or a cancellation", () => {
    const error = (state: string) => ({ message: "m", metadata: { type: "nexus.OperationError" }, details: { state } });
    expect(toTemporal(error("failed"))).toMatchObject({ failureInfo: { value: { nonRetryable: true, type: "OperationError" } } });
    expect(toTemporal(error("canceled"))).toMatchObject({ failureInfo: { case: "canceledFailureInfo" } });
  });

  test("one of an unknown kind is kept whole", () => {
    const kept = toTemporal({ message: "m", metadata: { type: "mine" }, details: { a: [1] }, cause: { message: "c" } });
    expect(kept).toMatchObject({ message: "m", failureInfo: { value: { type: "NexusFailure" } }, cause: { message: "c" } });
    const bytes = (kept.failureInfo as { value: { details: Uint8Array } }).value.details;
    expect(Buffer.from(bytes).toString()).toContain('{"metadata":{"type":"mine"},"details":{"a":[1]},"cause":{"message":"c"}}');
  });

  test("a text alone has no kind", () => {
    expect(Failure.create(toTemporal({ message: "m" })).failureInfo.case).toBeUndefined();
  });

  test("a wrapper says nothing itself", () => {
    const cause = { message: "c" };
    expect(causeOf({ metadata: { type: "nexus.OperationError", "unwrap-error": "true" }, details: { state: "failed" }, cause }).message).toBe("c");
    expect(causeOf({ message: "own", metadata: { type: "nexus.OperationError" }, details: { state: "failed" }, cause }).message).toBe("own");
  });

  test("the older messages of workers have the same parts", () => {
    expect(fromProto({ message: "m", metadata: { k: "v" }, details: Buffer.from("[1]"), cause: { stackTrace: "s" } })).toEqual({
      message: "m",
      metadata: { k: "v" },
      details: [1],
      cause: { stackTrace: "s" },
    });
  });

  test.each([[null], [[]], ["text"], [{ message: 1 }], [{ metadata: { k: 1 } }], [{ cause: "c" }]])("%j is none", (json) => {
    expect(() => parseFailure(json)).toThrow();
  });

  test("details that do not fit their kind are refused", () => {
    expect(() => toTemporal({ metadata: { type: "temporal.api.failure.v1.Failure" }, details: "text" })).toThrow();
    expect(() => toTemporal({ metadata: { type: "nexus.HandlerError" }, details: [] })).toThrow();
  });
});
