import { expect, it } from "vitest";
import { OutboundRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { OutboundKind } from "../core/outbound.js";
import type { OutboundCaller } from "./contract.js";
import { OutboundCalls } from "./outbound-calls.js";

const record = OutboundRecord.create({ kind: OutboundKind.WORKER_COMMANDS, namespaceId: "n", runId: "r", destination: "control", componentId: 9 });

/** `answers`: whether the worker took the commands, try by try. `running`: how often the run still has something to tell. */
async function run(answers: boolean[], running = Number.POSITIVE_INFINITY) {
  const log: string[] = [];
  let left = running;
  const calls = new OutboundCalls({
    caller: {
      sendWorkerCommands: async (_namespaceId: string, queue: string) => {
        log.push(`told ${queue}`);
        return answers.shift() ?? false;
      },
    } as unknown as OutboundCaller,
    submit: async () => (left-- > 0 ? { cancel: [new Uint8Array([1])] } : undefined),
    deleteRow: async () => void log.push("row deleted"),
    pause: async () => void log.push("pause"),
  });
  return { outcome: await calls.run(1, record), log };
}

it("tells a worker three times at most, and leaves no row", async () => {
  const { outcome, log } = await run([false, false, false, true]);
  expect(log).toEqual(["told control", "pause", "told control", "pause", "told control", "row deleted"]);
  expect(outcome).toEqual({ done: true, isDown: true });
});

it("is done when the worker has answered, or there is nothing left to tell", async () => {
  expect((await run([false, true])).log).toEqual(["told control", "pause", "told control", "row deleted"]);
  const { outcome, log } = await run([false], 1);
  expect(log).toEqual(["told control", "pause", "row deleted"]);
  expect(outcome).toEqual({ done: true, isDown: false });
});
