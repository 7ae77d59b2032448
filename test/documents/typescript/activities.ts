/** Of the order workflow. */
import type { OrderInput, PaymentInfo } from "./workflows.js";

export async function processPayment(order: OrderInput, payment: PaymentInfo): Promise<string> {
  return `${order.customerId}: ${payment.amount.toFixed(2)} ${payment.currency} by ${payment.method}`;
}

export async function updateInventory(items: OrderInput["items"]): Promise<number> {
  return items[0]?.quantity ?? 0;
}

export async function sendNotification(receipt: string, count: number): Promise<string> {
  return `${receipt} for ${count}`;
}
