// @ts-check
import { ApplicationFailure } from "@temporalio/common";

const NAMES = { APPLE: "Apples", BANANA: "Bananas", ORANGE: "Oranges" };

/** @param {{ fruit: string, amount: number }} item */
export async function orderFruit({ fruit, amount }) {
  const name = NAMES[/** @type {keyof typeof NAMES} */ (fruit)];
  if (name === undefined) throw ApplicationFailure.nonRetryable(`we have no ${fruit}`, "OutOfStock");
  return `Ordered ${amount} ${name}...`;
}

/** @param {string} data */
export async function process(data) {
  return `Processed: ${data}`;
}
