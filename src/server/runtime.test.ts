import { nextTick } from "node:process";
import { describe, expect, it } from "vitest";
import { systemRuntime } from "./runtime.js";

describe("the real event loop", () => {
  it("runs what comes after a turn when its promises and what these write are through, and before the next turn", async () => {
    const order: string[] = [];
    await new Promise<void>((resolve) =>
      systemRuntime.defer(async () => {
        systemRuntime.defer(() => {
          order.push("next turn");
          resolve();
        });
        systemRuntime.afterTurn(() => order.push("after the turn"));
        for (let i = 0; i < 20; i++) await undefined;
        order.push("answer");
        nextTick(() => order.push("write"));
      }),
    );
    expect(order).toEqual(["answer", "write", "after the turn", "next turn"]);
  });
});
