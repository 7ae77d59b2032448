/** What the actions of a person are about. */
import { condition, defineSignal, defineUpdate, setHandler } from "@temporalio/workflow";

export async function greet(): Promise<string> {
  return "Hello";
}

const end = defineSignal("end");
const touch = defineUpdate<string>("touch");

export async function collect(): Promise<void> {
  let ended = false;
  setHandler(end, () => {
    ended = true;
  });
  setHandler(touch, () => "touched");
  await condition(() => ended);
}
