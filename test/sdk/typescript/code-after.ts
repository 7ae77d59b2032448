/** Workflows of workers.test.ts after a change; see code-before.ts. Runs in the SDK's sandbox. */
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

export async function repaired(): Promise<string> {
  return `${await quick.echo("before")} and after`;
}

export async function movesOn(): Promise<string> {
  const first = await quick.echo("first");
  await signaled();
  return `${first}, ${await quick.echo("second")}`;
}

/** The old way for who began with it, the new way for who begins now. */
export async function evolves(): Promise<string> {
  const isNew = wf.patched("new-way");
  await signaled();
  return isNew ? `${await quick.echo("new")} way` : quick.echo("old way");
}

export async function changesItsMind(): Promise<string> {
  await wf.sleep("1h");
  return "slept";
}

export async function newcomer(): Promise<string> {
  return "here now";
}
