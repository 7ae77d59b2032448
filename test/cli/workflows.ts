/** What the commands of the CLI are about: workflows whose state is known whenever a command looks at them. */
import {
  ApplicationFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  proxyActivities,
  setHandler,
  setWorkflowOptions,
} from "@temporalio/workflow";
import type { Activities } from "./play-commands.js";

const { double } = proxyActivities<Activities>({ startToCloseTimeout: "1 minute", retry: { maximumAttempts: 1 } });
const { unfinished } = proxyActivities<Activities>({ startToCloseTimeout: "1 hour", heartbeatTimeout: "30 minutes" });
const { refuse } = proxyActivities<Activities>({
  startToCloseTimeout: "1 minute",
  retry: { initialInterval: "1 hour", backoffCoefficient: 1, maximumAttempts: 9 },
});

export async function greet(name: string): Promise<string> {
  return `Hello, ${name}`;
}

export async function fail(message: string): Promise<void> {
  throw ApplicationFailure.nonRetryable(message);
}

const state = defineQuery<string[]>("state");
const add = defineSignal<[string]>("add");
const end = defineSignal("end");
const set = defineUpdate<number, [number]>("set");

/** Keeps what signals and updates bring, until it is told to end. */
export async function collect(): Promise<string[]> {
  const got: string[] = [];
  let ended = false;
  setHandler(state, () => got);
  setHandler(add, (word) => {
    got.push(word);
  });
  setHandler(end, () => {
    ended = true;
  });
  setHandler(
    set,
    async (n) => {
      got.push(String(n));
      return await double(n);
    },
    {
      validator: (n) => {
        if (n < 0) throw new Error("less than nothing");
      },
    },
  );
  await condition(() => ended);
  return got;
}

export async function parent(n: number): Promise<number> {
  return await executeChild(timesFour, { args: [n], workflowId: "cli-child" });
}

export async function timesFour(n: number): Promise<number> {
  return await double(await double(n));
}

export async function countDown(n: number): Promise<string> {
  if (n > 0) await continueAsNew<typeof countDown>(n - 1);
  return "landed";
}

export async function wait(): Promise<void> {
  await unfinished();
}

export async function insist(): Promise<void> {
  await refuse();
}

export async function pinned(): Promise<void> {
  let ended = false;
  setHandler(end, () => {
    ended = true;
  });
  await condition(() => ended);
}
setWorkflowOptions({ versioningBehavior: "PINNED" }, pinned);
