/** Workflows that schedules of the suite start. Runs in the SDK's sandbox. */
import * as wf from "@temporalio/workflow";

export interface Told {
  readonly name: string;
  readonly by: unknown;
  readonly at: unknown;
  readonly memo: unknown;
  readonly before: unknown;
}

/** What a scheduled workflow is told of itself and of the one before it. */
export async function tellsItsSchedule(name: string): Promise<Told> {
  const { searchAttributes, memo, lastResult } = wf.workflowInfo();
  const before = (lastResult as Told | undefined)?.name;
  return { name, by: searchAttributes["TemporalScheduledById"], at: searchAttributes["TemporalScheduledStartTime"], memo: memo?.["m"], before };
}

export const done = wf.defineSignal("done");

export async function waitsForDone(): Promise<string> {
  let isDone = false;
  wf.setHandler(done, () => {
    isDone = true;
  });
  await wf.condition(() => isDone);
  return "done";
}

export async function fails(): Promise<void> {
  throw wf.ApplicationFailure.nonRetryable("as it is meant to");
}
