import { expect, test } from "vitest";
import type { CallbackCall } from "../core/callback/statemachine.js";
import { NexusCaller, type NexusCallerOptions } from "./caller.js";

test.each([
  ["http://here.example:80/path?q", "http://here.example:80"],
  ["HTTPS://user:secret@Here.example/path", "https://Here.example"],
  ["http://[::1]:7243", "http://[::1]:7243"],
  ["nowhere", ""],
])("a callback to %s has the time that its namespace and %s give it", async (url, destination) => {
  const asked: unknown[] = [];
  let given = 0;
  const caller = new NexusCaller({
    client: {
      complete: async (_call: CallbackCall, timeout: number) => {
        given = timeout;
      },
    },
    callbackTimeoutMs: (...of) => {
      asked.push(of);
      return 1_500;
    },
  } as Partial<NexusCallerOptions> as NexusCallerOptions);
  expect(await caller.deliverCallback("namespace-id", { url } as CallbackCall)).toEqual({ outcome: { kind: "done" }, isDown: false });
  expect({ asked, given }).toEqual({ asked: [["namespace-id", destination]], given: 1_500_000 });
});
