/** Workflows that the tests of the product APIs run. */
import * as wf from "@temporalio/workflow";

const { work } = wf.proxyActivities<{ work(value: unknown): Promise<unknown> }>({ startToCloseTimeout: "10s", retry: { maximumAttempts: 1 } });

export async function echo(...args: unknown[]): Promise<unknown> {
  return args.length === 1 ? args[0] : { args };
}

export async function fails(message: string): Promise<void> {
  await work({ fails: message });
}

/** Waits for the signal `finish`, and answers what it was told meanwhile. */
export async function conversation(): Promise<unknown> {
  const heard: unknown[] = [];
  let result: unknown;
  wf.setHandler(wf.defineSignal<[unknown]>("say"), (what) => {
    heard.push(what);
  });
  wf.setHandler(wf.defineSignal<[unknown]>("finish"), (what) => {
    result = { heard, finished: what };
  });
  wf.setHandler(wf.defineQuery<unknown, [unknown]>("heard"), (asked) => ({ asked: asked ?? null, heard }));
  wf.setHandler(wf.defineUpdate<number, [unknown]>("add"), (what) => {
    if (what === "nothing") throw wf.ApplicationFailure.create({ message: "say something" });
    return heard.push(what);
  });
  try {
    await wf.condition(() => result !== undefined);
  } catch (e) {
    if (!wf.isCancellation(e)) throw e;
    await wf.CancellationScope.nonCancellable(() => work("cleaned up"));
    throw e;
  }
  return result;
}

export async function steps(input: { name: string }): Promise<unknown> {
  await wf.sleep(1);
  const answer = await work(input.name);
  return { answer };
}

export async function traced(destinations: unknown): Promise<unknown> {
  return { output: 1, trace: { destinations } };
}

export async function again(left: number): Promise<string> {
  if (left > 0) await wf.continueAsNew<typeof again>(left - 1);
  return "at last";
}
