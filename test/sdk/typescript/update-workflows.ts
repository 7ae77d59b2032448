/** Workflows of updates.test.ts. Runs in the SDK's sandbox. */
import * as wf from "@temporalio/workflow";
import type * as activities from "./activities.js";

export const add = wf.defineUpdate<number, [number]>("add");
export const slowly = wf.defineUpdate<string, [string]>("slowly");
export const failing = wf.defineUpdate<void, [string]>("failing");
export const release = wf.defineSignal("release");
export const end = wf.defineSignal("end");

const { echo } = wf.proxyActivities<typeof activities>({ startToCloseTimeout: "10s" });

/** Counts what it is told to add; positive numbers only. */
export async function counter(start = 0): Promise<number> {
  let sum = start;
  let over = false;
  let released = false;
  wf.setHandler(
    add,
    (n) => {
      sum += n;
      return sum;
    },
    {
      validator: (n) => {
        if (n <= 0) throw wf.ApplicationFailure.create({ message: "only up", type: "OnlyUp" });
      },
    },
  );
  wf.setHandler(slowly, async (text) => {
    await wf.condition(() => released);
    return echo(text);
  });
  wf.setHandler(failing, (why) => {
    throw wf.ApplicationFailure.create({ message: why, type: "Asked" });
  });
  wf.setHandler(release, () => {
    released = true;
  });
  wf.setHandler(end, () => {
    over = true;
  });
  await wf.condition(() => over);
  await wf.condition(wf.allHandlersFinished);
  return sum;
}

/** Ends with an update that it has accepted and not completed. */
export async function endsBefore(): Promise<void> {
  let got = false;
  wf.setHandler(slowly, async (text) => {
    got = true;
    await wf.sleep("1h");
    return text;
  });
  await wf.condition(() => got);
}

/** Goes on as a new run as soon as it has been told to; the new run counts. */
export async function movesOn(): Promise<number> {
  let moved = false;
  wf.setHandler(release, () => {
    moved = true;
  });
  await wf.condition(() => moved);
  return wf.makeContinueAsNewFunc<typeof counter>({ workflowType: "counter" })(100);
}
