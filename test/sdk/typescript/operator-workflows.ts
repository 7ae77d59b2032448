/** Workflows of operators.test.ts: what operators do to them from outside. Runs in the SDK's sandbox. */
import * as wf from "@temporalio/workflow";
import type * as activities from "./activities.js";

type Activities = typeof activities;

export const add = wf.defineSignal<[string]>("add");
export const finish = wf.defineSignal("finish");
export const soFar = wf.defineQuery<string[]>("soFar");

/** Remembers what it was told, and each step that an activity made of it. */
export async function collects(): Promise<string[]> {
  const { echo } = wf.proxyActivities<Activities>({ startToCloseTimeout: "20s" });
  const told: string[] = [];
  const out: string[] = [];
  let isDone = false;
  wf.setHandler(add, (value) => void told.push(value));
  wf.setHandler(finish, () => {
    isDone = true;
  });
  wf.setHandler(soFar, () => out);
  for (;;) {
    await wf.condition(() => told.length > 0 || isDone);
    const next = told.shift();
    if (next === undefined) return out;
    out.push(await echo(next));
  }
}

/** One activity, which says in its second attempt what ended the first. */
export async function held(): Promise<string> {
  const { holds } = wf.proxyActivities<Activities>({
    startToCloseTimeout: "30s",
    heartbeatTimeout: "2s",
    activityId: "held",
    retry: { initialInterval: "50ms", maximumAttempts: 5 },
  });
  return holds(wf.workflowInfo().workflowId);
}

export async function parentOf(childId: string): Promise<string> {
  const child = await wf.startChild(collects, { workflowId: childId });
  await wf.sleep(1);
  return `child: ${(await child.result()).join()}`;
}
