/** What the document's TypeScript names and does not show: the order workflow and its records. Runs in the workflow sandbox. */
import { condition, defineQuery, defineSignal, proxyActivities, setHandler } from "@temporalio/workflow";
import type * as activities from "./activities.js";

export interface OrderInput {
  readonly orderId: string;
  readonly customerId: string;
  readonly items: readonly { readonly productId: string; readonly quantity: number; readonly price: number }[];
}

export interface PaymentInfo {
  readonly paymentId: string;
  readonly amount: number;
  readonly currency: string;
  readonly method: string;
}

export interface OrderStatus {
  readonly state: string;
  readonly receipt: string;
}

export const paymentReceivedSignal = defineSignal<[PaymentInfo]>("payment_received");
export const getOrderStatusQuery = defineQuery<OrderStatus>("get_order_status");

const { processPayment, updateInventory, sendNotification } = proxyActivities<typeof activities>({ startToCloseTimeout: "10s" });

export async function orderProcessingWorkflow(order: OrderInput): Promise<OrderStatus> {
  let status: OrderStatus = { state: "awaiting payment", receipt: "" };
  let payment: PaymentInfo | undefined;
  setHandler(getOrderStatusQuery, () => status);
  setHandler(paymentReceivedSignal, (received) => {
    payment = received;
  });
  await condition(() => payment !== undefined);
  const receipt = await processPayment(order, payment as unknown as PaymentInfo);
  const count = await updateInventory(order.items);
  status = { state: "paid", receipt: await sendNotification(receipt, count) };
  return status;
}
