/** A request that comes again has been applied, wherever its workflow has got to meanwhile. */
import { describe, expect, it } from "vitest";
import { CommandType } from "../../../gen/wire/temporal/api/enums/v1/command_type.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import {
  RespondWorkflowTaskCompletedRequest,
  SignalWithStartWorkflowExecutionRequest,
  SignalWorkflowExecutionRequest,
  StartWorkflowExecutionRequest,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { CoreWorld } from "../../../test/harness/core-world.js";
import { decodeTaskToken } from "../../api/task-token.js";

const signalsOf = (world: CoreWorld) => world.history("w").filter((e) => e.eventType === EventType.WORKFLOW_EXECUTION_SIGNALED);
const target = { workflowId: "w", workflowType: { name: "t" }, taskQueue: { name: "q" } };

describe("SignalWithStart that comes again", () => {
  it("adds no second signal to the run that it has started, in memory or loaded anew", () => {
    const world = new CoreWorld();
    const request = SignalWithStartWorkflowExecutionRequest.create({ ...target, signalName: "s", requestId: "r" });
    const send = () => world.submit(world.address("w"), { kind: "signalWithStart", request });
    send();
    send();
    // As after a restart: rows tell, memory knows nothing.
    world.run("w").knownRequestIds = undefined;
    send();
    expect(signalsOf(world)).toHaveLength(1);
  });
});

describe("a signal that comes again when its workflow has continued as new", () => {
  it("is not applied to the next run", () => {
    const world = new CoreWorld();
    world.submit(world.address("w"), {
      kind: "start",
      request: StartWorkflowExecutionRequest.create({ ...target, requestId: "start" }),
      parent: undefined,
    });
    const request = SignalWorkflowExecutionRequest.create({ workflowExecution: { workflowId: "w" }, signalName: "s", requestId: "r" });
    const send = () => world.submit(world.address("w"), { kind: "signal", request, external: undefined });
    send();
    const token = decodeTaskToken(world.takeWorkflowTask()?.response.taskToken as Uint8Array);
    if (token === undefined) throw new Error("no workflow task");
    const before = world.run("w").info.runId;
    const commands = [
      {
        commandType: CommandType.CONTINUE_AS_NEW_WORKFLOW_EXECUTION,
        attributes: { case: "continueAsNewWorkflowExecutionCommandAttributes" as const, value: {} },
      },
    ];
    world.submit(world.address("w"), { kind: "completeWorkflowTask", token, request: RespondWorkflowTaskCompletedRequest.create({ commands }) });
    expect(world.run("w").info.runId).not.toBe(before);
    send();
    expect(signalsOf(world)).toEqual([]);
  });
});
