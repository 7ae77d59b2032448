import { condition, defineSignal, proxyActivities, setHandler, sleep } from "@temporalio/workflow";

const { greet } = proxyActivities<{ greet(name: string): Promise<string> }>({ startToCloseTimeout: "10 seconds" });

/** Enough of each kind of event to be worth a replay. */
export async function archived(name: string): Promise<string> {
  let isReleased = false;
  setHandler(defineSignal("release"), () => {
    isReleased = true;
  });
  const greeting = await greet(name);
  await sleep(1);
  await condition(() => isReleased);
  return greeting;
}
