/** The workflows of the crash test: an activity and a timer for each signal, a child for some, a new run after a few, until the end. */
import * as wf from "@temporalio/workflow";

const { echo } = wf.proxyActivities<{ echo(v: string): Promise<string> }>({
  startToCloseTimeout: "5s",
  retry: { initialInterval: "100ms", maximumInterval: "1s" },
});

const VALUES_PER_RUN = 3;

/** `got`: what earlier runs have taken; `queue`: what they were sent and left. */
export async function collect(got: string[] = [], queue: string[] = []): Promise<string[]> {
  wf.setHandler(wf.defineSignal<[string]>("s"), (v) => void queue.push(v));
  for (let n = 0; ; n++) {
    await wf.condition(() => queue.length > 0);
    if (n === VALUES_PER_RUN) await wf.continueAsNew<typeof collect>(got, queue);
    const v = queue.shift() as string;
    if (v === "end") return got;
    got.push(n === 1 ? await wf.executeChild(pass, { args: [v], workflowId: `${wf.workflowInfo().workflowId}/${v}` }) : await echo(v));
    await wf.sleep(60);
  }
}

export async function pass(v: string): Promise<string> {
  return echo(v);
}
