/** The workflow of the crash test: an activity for each signal, until the end. */
import * as wf from "@temporalio/workflow";

const { echo } = wf.proxyActivities<{ echo(v: string): Promise<string> }>({
  startToCloseTimeout: "5s",
  retry: { initialInterval: "100ms", maximumInterval: "1s" },
});

export async function collect(): Promise<string[]> {
  const got: string[] = [];
  const queue: string[] = [];
  wf.setHandler(wf.defineSignal<[string]>("s"), (v) => void queue.push(v));
  for (;;) {
    await wf.condition(() => queue.length > 0);
    const v = queue.shift() as string;
    if (v === "end") return got;
    got.push(await echo(v));
    await wf.sleep(5);
  }
}
