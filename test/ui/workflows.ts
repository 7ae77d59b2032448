/** What the actions of a person are about. */
import { condition, defineSignal, setHandler } from "@temporalio/workflow";

export async function greet(): Promise<string> {
  return "Hello";
}

const end = defineSignal("end");

export async function collect(): Promise<void> {
  let ended = false;
  setHandler(end, () => {
    ended = true;
  });
  await condition(() => ended);
}
