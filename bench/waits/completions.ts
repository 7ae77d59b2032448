/** Completions of workflow tasks with as many commands as get through, and what becomes of their workflows. */

import type { Command } from "../../gen/wire/temporal/api/command/v1/message.js";
import { UpdateWorkflowExecutionLifecycleStage as Stage } from "../../gen/wire/temporal/api/enums/v1/update.js";
import { Code } from "../../src/api/service-error.js";
import type { Init } from "../../src/api/wire.js";
import { accepted, responded } from "../../test/harness/core-commands.js";
import { activity, attribute, begin, child, complete, externalSignal, marker, memo, poll, signal, start, timer } from "./commands.js";
import { type Loads, refused, times } from "./loads.js";

/** Below 4 MiB, the limit of a message. */
const COMMANDS: Readonly<Record<string, readonly Init<Command>[]>> = {
  "50,000 markers": times(50_000, () => marker),
  "40,000 timers": times(40_000, (i) => timer(`${i}`)),
  "1,999 activities": times(1_999, (i) => activity(`${i}`)),
  "1,999 children": times(1_999, (i) => child(`child-${i}`)),
  "1,999 signals to others": times(1_999, (i) => externalSignal(`nobody-${i}`)),
  "20,000 search attributes": times(20_000, (i) => attribute("WaitsKeyword", `${i % 7}`)),
  "20,000 memos": times(20_000, (i) => memo(`m${i % 7}`, i)),
  "1,500 attributes that are lists of 300 values": times(1_500, (i) =>
    attribute(
      "WaitsList",
      times(300, (k) => `${100 + ((k + i) % 900)}`),
    ),
  ),
};
/** These end their run, since it has more events or bytes than are allowed. */
const TOO_MANY: Readonly<Record<string, readonly Init<Command>[]>> = {
  "150,000 markers": times(150_000, () => marker),
  "300,000 markers": times(300_000, () => marker),
};
const PAGE_COMMANDS = 150_000;
const PAGES = 8;

export async function completions(loads: Loads): Promise<void> {
  const { rpc } = loads;
  for (const [name, commands] of Object.entries(COMMANDS)) {
    const id = `completed with ${name}`;
    const token = await begin(rpc, id);
    await loads.play(`a completion with ${name}`, () => complete(rpc, token, commands));
    await loads.play("  what it leaves to be done", () => new Promise((resolve) => setTimeout(resolve, 1_000)));
    await loads.play("  its description", () => rpc.call("DescribeWorkflowExecution", { execution: { workflowId: id } }));
    await loads.play("  the first and the last page of its history", async () => {
      await rpc.call("GetWorkflowExecutionHistory", { execution: { workflowId: id } });
      await rpc.call("GetWorkflowExecutionHistoryReverse", { execution: { workflowId: id } });
    });
    await loads.play("  a signal to it", () => signal(rpc, id, "s"));
    await loads.play("  its termination, and that of its children", async () => {
      await rpc.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: id } });
      const open = { query: `ParentWorkflowId = '${id}' AND ExecutionStatus = 'Running'` };
      while ((await rpc.call("CountWorkflowExecutions", open)).count > 0);
    });
  }
  for (const [name, commands] of Object.entries(TOO_MANY)) {
    const token = await begin(rpc, name);
    await loads.play(`a completion with ${name}, too many`, () => refused(Code.INVALID_ARGUMENT, complete(rpc, token, commands)));
  }
  {
    const taskToken = await begin(rpc, "pages");
    const commands = times(PAGE_COMMANDS, () => marker);
    await loads.play(`a completion in ${PAGES} pages of ${PAGE_COMMANDS} markers, too many`, async () => {
      for (let pageNumber = 0; pageNumber < PAGES; pageNumber++)
        await rpc.call("RespondWorkflowTaskCompleted", { taskToken, commands, pageNumber, intermediatePage: true });
      await refused(Code.INVALID_ARGUMENT, rpc.call("RespondWorkflowTaskCompleted", { taskToken, pageNumber: PAGES, commands: [] }));
    });
  }
  await loads.play("20,000 timers that fire at once", async () => {
    const token = await begin(rpc, "firing");
    await complete(
      rpc,
      token,
      times(20_000, (i) => timer(`${i}`, 1_000_000)),
    );
    await poll(rpc, "firing");
    await rpc.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: "firing" } });
  });
  await loads.play("2,000 updates of one workflow, ten at once", async () => {
    await start(rpc, "updated");
    let isOver = false;
    const worker = (async () => {
      while (!isOver) {
        const { taskToken, messages } = await rpc.call("PollWorkflowTaskQueue", { taskQueue: { name: "updated" } });
        if (taskToken.length === 0) continue;
        const answers = messages.flatMap(({ protocolInstanceId: u }) => [accepted(u), responded(u)]);
        await rpc.call("RespondWorkflowTaskCompleted", { taskToken, messages: answers });
      }
    })();
    worker.catch(() => undefined);
    for (let i = 0; i < 2_000; i += 10) await Promise.all(times(10, (k) => update(`u${i + k}`)));
    isOver = true;
    await rpc.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: "updated" } });
  });
  await loads.play("5,000 updates at once, ten of them taken", async () => {
    await start(rpc, "flooded");
    const asked = times(5_000, (i) => update(`f${i}`, "flooded", Stage.ADMITTED).catch(() => undefined));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await rpc.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: "flooded" } });
    await Promise.all(asked);
  });
  await loads.play("200 starts with an update, as one", async () => {
    const asked = times(200, (i) => {
      const workflowId = `multi-${i}`;
      return rpc
        .call("ExecuteMultiOperation", {
          operations: [
            {
              operation: {
                case: "startWorkflow",
                value: { namespace: "default", workflowId, requestId: workflowId, workflowType: { name: "w" }, taskQueue: { name: "multi" } },
              },
            },
            { operation: { case: "updateWorkflow", value: updateRequest("u", workflowId, Stage.ACCEPTED) } },
          ],
        })
        .catch(() => undefined);
    });
    for (let i = 0; i < 200; i++) {
      const { taskToken, messages } = await rpc.call("PollWorkflowTaskQueue", { taskQueue: { name: "multi" } });
      await rpc.call("RespondWorkflowTaskCompleted", {
        taskToken,
        messages: messages.flatMap(({ protocolInstanceId: u }) => [accepted(u), responded(u)]),
      });
    }
    await Promise.all(asked);
  });

  function updateRequest(updateId: string, workflowId: string, stage: Stage) {
    return {
      namespace: "default",
      workflowExecution: { workflowId },
      waitPolicy: { lifecycleStage: stage },
      request: { meta: { updateId, identity: "bench" }, input: { name: "u" } },
    };
  }
  function update(updateId: string, workflowId = "updated", stage = Stage.COMPLETED) {
    return rpc.call("UpdateWorkflowExecution", updateRequest(updateId, workflowId, stage));
  }
}
