/** Workflows of workers with a version. Which version ran what, its activities say: they are each worker's own. */
import { condition, defineQuery, defineSignal, executeChild, proxyActivities, setHandler, setWorkflowOptions } from "@temporalio/workflow";

const { whichBuild } = proxyActivities<{ whichBuild(): Promise<string> }>({ startToCloseTimeout: "10s" });
export const finish = defineSignal("finish");
export const step = defineSignal("step");
export const seen = defineQuery<string[]>("seen");

async function untilFinished(): Promise<string[]> {
  const builds: string[] = [];
  let steps = 1;
  let isFinished = false;
  setHandler(seen, () => builds);
  setHandler(step, () => {
    steps++;
  });
  setHandler(finish, () => {
    isFinished = true;
  });
  for (;;) {
    await condition(() => isFinished || builds.length < steps);
    if (builds.length >= steps) return builds;
    builds.push(await whichBuild());
  }
}

export const pinned = (): Promise<string[]> => untilFinished();
setWorkflowOptions({ versioningBehavior: "PINNED" }, pinned);

export const upgrading = (): Promise<string[]> => untilFinished();
setWorkflowOptions({ versioningBehavior: "AUTO_UPGRADE" }, upgrading);

export async function pinnedParent(): Promise<string[]> {
  return executeChild(untilStepped);
}
setWorkflowOptions({ versioningBehavior: "PINNED" }, pinnedParent);

export async function untilStepped(): Promise<string[]> {
  return [await whichBuild()];
}
setWorkflowOptions({ versioningBehavior: "PINNED" }, untilStepped);
