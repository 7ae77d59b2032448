/** Workflows of workers.test.ts as they were written at first; code-after.ts has them as they became. Runs in the SDK's sandbox. */
import * as wf from "@temporalio/workflow";
import type * as activities from "./activities.js";

const quick = wf.proxyActivities<typeof activities>({ startToCloseTimeout: "10s" });
export const go = wf.defineSignal("go");

async function signaled(): Promise<void> {
  let gone = false;
  wf.setHandler(go, () => {
    gone = true;
  });
  await wf.condition(() => gone);
}

/** With a mistake in it. */
export async function repaired(): Promise<string> {
  await quick.echo("before");
  throw new TypeError("a mistake in the code");
}

export async function movesOn(): Promise<string> {
  const first = await quick.echo("first");
  await signaled();
  return `${first}, ${await quick.echo("second")}`;
}

export async function evolves(): Promise<string> {
  await signaled();
  return quick.echo("old way");
}

/** Its later form does something else at the same place. */
export async function changesItsMind(): Promise<string> {
  const first = await quick.echo("as it was");
  await signaled();
  return first;
}
