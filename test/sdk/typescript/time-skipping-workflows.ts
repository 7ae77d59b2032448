/** Workflows of the time-skipping environment's tests. Runs in the SDK's sandbox. */
import * as wf from "@temporalio/workflow";

const activities = wf.proxyActivities<{ failUntil(attempt: number): Promise<number>; sleepsInTest(): Promise<string> }>({
  startToCloseTimeout: "1 day",
  retry: { initialInterval: "1 hour", backoffCoefficient: 2 },
});

export async function sleeps(days: number): Promise<number> {
  const before = Date.now();
  for (let i = 0; i < days; i++) await wf.sleep("1 day");
  return Date.now() - before;
}

export async function retries(): Promise<number> {
  const before = Date.now();
  await activities.failUntil(5);
  return Date.now() - before;
}

export async function asksTheTest(): Promise<string> {
  return activities.sleepsInTest();
}

export async function waitsForTimeout(): Promise<string> {
  let signalled = false;
  wf.setHandler(wf.defineSignal("go"), () => {
    signalled = true;
  });
  await wf.condition(() => signalled, "30 days");
  return signalled ? "signalled" : "timed out";
}

export async function parent(): Promise<number> {
  await wf.startChild(sleeps, { workflowId: "abandoned", args: [2], parentClosePolicy: "ABANDON" });
  return wf.executeChild(sleeps, { workflowId: "awaited", args: [3] });
}

export async function chain(left: number): Promise<string> {
  await wf.sleep("1 day");
  if (left > 0) await wf.continueAsNew<typeof chain>(left - 1);
  return "done";
}

/** Its update sleeps for as many days as it is told. */
export async function updated(): Promise<void> {
  wf.setHandler(wf.defineUpdate<string, [number]>("sleep"), async (days) => {
    await wf.sleep(`${days} days`);
    return `slept ${days} days`;
  });
  await wf.condition(() => false);
}
