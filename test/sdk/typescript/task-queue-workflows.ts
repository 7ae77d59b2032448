/** Workflows of task-queues.test.ts. Runs in the SDK's sandbox. */
import * as wf from "@temporalio/workflow";
import type * as activities from "./activities.js";

/** Starts activities of the given priorities at once, on a queue of their own; answers what each saw of its priority. */
export async function fanOut(taskQueue: string, priorities: wf.ActivityOptions["priority"][]): Promise<string[]> {
  return Promise.all(
    priorities.map((priority) =>
      wf.proxyActivities<typeof activities>({ taskQueue, startToCloseTimeout: "60s", ...(priority === undefined ? {} : { priority }) }).ownPriority(),
    ),
  );
}

export async function childPriority(): Promise<string> {
  return wf.executeChild(tellPriority);
}

export async function tellPriority(): Promise<string> {
  return JSON.stringify(wf.workflowInfo().priority);
}
