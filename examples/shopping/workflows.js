// @ts-check
import { proxyActivities } from "@temporalio/workflow";

/** @type {import("@temporalio/workflow").ActivityInterfaceFor<typeof import("./activities.js")>} */
const { orderFruit, process } = proxyActivities({ startToCloseTimeout: "10s" });

/**
 * Orders what is on a shopping list, one item after the other.
 * @param {{ items: { fruit: string, amount: number }[] }} list
 */
export async function ShoppingWorkflow({ items }) {
  let receipt = "";
  for (const item of items) receipt += await orderFruit(item);
  return receipt;
}

/**
 * A workflow of one's own: served at /workflows/my-workflow by an entry in perdure.json.
 * @param {string} input
 */
export async function MyWorkflow(input) {
  return await process(input);
}
