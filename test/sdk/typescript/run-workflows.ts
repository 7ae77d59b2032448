/** Workflows of runs.test.ts: how runs start, follow each other, are asked and end. Runs in the SDK's sandbox. */
import * as wf from "@temporalio/workflow";

export const add = wf.defineSignal<[string]>("add");
export const end = wf.defineSignal("end");
export const seen = wf.defineQuery<string[]>("seen");
export const fails = wf.defineQuery<void, [string]>("fails");

export async function told(): Promise<string[]> {
  const got: string[] = [];
  let over = false;
  wf.setHandler(add, (v) => void got.push(v));
  wf.setHandler(end, () => {
    over = true;
  });
  wf.setHandler(seen, () => got);
  wf.setHandler(fails, (why) => {
    throw wf.ApplicationFailure.create({ message: why, type: "Asked" });
  });
  await wf.condition(() => over);
  return got;
}

/** What a run knows of itself, before and after it continued as new. */
export async function carries(left: number): Promise<unknown> {
  const { memo, searchAttributes, attempt, firstExecutionRunId, runId, continuedFromExecutionRunId, retryPolicy, taskTimeoutMs } = wf.workflowInfo();
  if (left > 0) await wf.continueAsNew<typeof carries>(left - 1);
  return {
    memo,
    word: (searchAttributes["CustomKeywordField"] as string[])[0],
    attempt,
    first: firstExecutionRunId !== runId && continuedFromExecutionRunId !== undefined,
    attempts: retryPolicy?.maximumAttempts,
    taskTimeoutMs,
  };
}

export async function changesCourse(): Promise<void> {
  wf.upsertMemo({ kept: "no" });
  await wf.makeContinueAsNewFunc<typeof arrives>({
    workflowType: "arrives",
    memo: { replaced: true },
    searchAttributes: { CustomKeywordField: ["second leg"] },
    workflowRunTimeout: "50s",
  })("argument");
}

export async function arrives(argument: string): Promise<unknown> {
  const { memo, searchAttributes, runTimeoutMs, workflowType } = wf.workflowInfo();
  return { argument, memo, word: (searchAttributes["CustomKeywordField"] as string[])[0], runTimeoutMs, workflowType };
}

/** Continues for ever: only the execution timeout ends it. */
export async function roundAndRound(): Promise<void> {
  await wf.sleep(50);
  await wf.continueAsNew<typeof roundAndRound>();
}

export async function failsOn(final: number): Promise<void> {
  const { attempt } = wf.workflowInfo();
  throw wf.ApplicationFailure.create({ type: attempt >= final ? "Fatal" : "Passing", message: `attempt ${attempt}` });
}

/** A cron run that fails every second time. */
export async function cronRun(): Promise<string> {
  const { lastResult, lastFailure } = wf.workflowInfo();
  if (lastFailure !== undefined) return `${lastResult} after ${(lastFailure as Error).message}`;
  if (lastResult !== undefined) throw wf.ApplicationFailure.nonRetryable("the second one");
  return "first";
}

export async function summarized(): Promise<string> {
  wf.setCurrentDetails("sleeping");
  await wf.sleep(10, { summary: "a nap" });
  return "rested";
}

export async function counted(n: number): Promise<number> {
  wf.upsertSearchAttributes({ CustomIntField: [n] });
  return n;
}

export async function emptied(): Promise<unknown> {
  wf.upsertSearchAttributes({ CustomKeywordField: ["later"], CustomIntField: [] });
  wf.upsertMemo({ gone: null, stays: 2 });
  const { searchAttributes, memo } = wf.workflowInfo();
  return { int: searchAttributes["CustomIntField"], memo };
}

export async function shielded(): Promise<string> {
  const answer = wf.CancellationScope.nonCancellable(async () => {
    await wf.sleep(30);
    return "whole";
  });
  try {
    await wf.CancellationScope.current().cancelRequested;
    return "never";
  } catch {
    return answer;
  }
}

export async function deadline(): Promise<string> {
  let opened = false;
  wf.setHandler(end, () => {
    opened = true;
  });
  const first = await wf.condition(() => opened, 20);
  const second = await wf.condition(() => opened, "1h");
  return `${first} ${second}`;
}

export async function returnsNothing(): Promise<void> {}

export async function random(): Promise<{ uuids: string[]; sum: number; now: number }> {
  const uuids = [wf.uuid4()];
  await wf.sleep(1);
  uuids.push(wf.uuid4());
  return { uuids, sum: Math.random(), now: Date.now() };
}

const { sizeOf } = wf.proxyActivities<{ sizeOf(blob: string): Promise<number> }>({ startToCloseTimeout: "1 minute" });

/** All commands at once, each with so many bytes. */
export async function sendsMuch(count: number, bytes: number): Promise<number> {
  const sizes = await Promise.all(Array.from({ length: count }, (_, i) => sizeOf(String.fromCharCode(97 + i).repeat(bytes))));
  return sizes.reduce((a, b) => a + b, 0);
}
