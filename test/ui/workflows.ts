/** What the actions of a person are about. */
import { condition, defineSignal, defineUpdate, setHandler } from "@temporalio/workflow";

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

const say = defineSignal<[string]>("say");
const ask = defineUpdate<string, [string]>("ask");

/** Ends with what it was told, after it was asked. */
export async function talk(): Promise<string> {
  let said = "";
  let asked = "";
  setHandler(say, (word) => {
    said = word;
  });
  setHandler(ask, (word) => {
    asked = word;
    return `${word}, and ${said}`;
  });
  await condition(() => said !== "" && asked !== "");
  return `said ${said}, asked ${asked}`;
}
