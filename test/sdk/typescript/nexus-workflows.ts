/** Workflows of nexus.test.ts: callers of operations, and what serves them. Runs in the SDK's sandbox. */
import * as wf from "@temporalio/workflow";
import { service } from "./nexus-service.js";

type Operation = "echo" | "refuse" | "fail" | "flaky" | "never" | "run";
type Options = Parameters<wf.NexusServiceClient<typeof service>["executeOperation"]>[2];

export const proceed = wf.defineSignal<[string]>("proceed");

/** The result, or how it failed: names of the failure and of its causes, with their texts. */
export async function calls(endpoint: string, operation: Operation, input: string, options: Options = {}): Promise<string | string[]> {
  const client = wf.createNexusServiceClient({ endpoint, service });
  try {
    return await client.executeOperation(operation, input, options);
  } catch (e) {
    const chain: string[] = [];
    for (let c: unknown = e; c instanceof Error; c = (c as { cause?: unknown }).cause) chain.push(`${c.name}: ${c.message}`);
    return chain;
  }
}

export async function callsWithoutInput(endpoint: string): Promise<string> {
  const nothing: unknown = await wf.createNexusServiceClient({ endpoint, service }).executeOperation("none", undefined);
  return String(nothing);
}

export async function callsAtOnce(endpoint: string, count: number): Promise<string[]> {
  const client = wf.createNexusServiceClient({ endpoint, service });
  return Promise.all(Array.from({ length: count }, (_, i) => client.executeOperation(i % 2 === 0 ? "echo" : "run", `answer ${i}`)));
}

/** Cancels the operation when told to, and says what it came to. */
export async function callsAndCancels(endpoint: string, cancellationType: wf.NexusOperationCancellationType): Promise<string> {
  const client = wf.createNexusServiceClient({ endpoint, service });
  const scope = new wf.CancellationScope();
  const running = scope.run(async () => {
    const handle = await client.startOperation("run", "wait", { cancellationType });
    return handle.result();
  });
  wf.setHandler(proceed, () => scope.cancel());
  try {
    return await running;
  } catch (e) {
    return `${(e as Error).name}, ${((e as { cause?: Error }).cause as Error).name}`;
  }
}

/** Serves `run`: at once, or when told to. */
export async function serves(input: string): Promise<string> {
  if (input === "fail") throw wf.ApplicationFailure.nonRetryable("served badly", "Served");
  if (input === "again" && wf.workflowInfo().continuedFromExecutionRunId === undefined) await wf.continueAsNew<typeof serves>(input);
  if (input !== "wait") return input;
  let told: string | undefined;
  wf.setHandler(proceed, (word) => {
    told = word;
  });
  await wf.condition(() => told !== undefined);
  return told as unknown as string;
}
