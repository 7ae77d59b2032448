"""What the document's Python names and does not show: the order workflow, its activities and records."""

from dataclasses import dataclass
from datetime import timedelta
from typing import List, Optional

from temporalio import activity, workflow


@dataclass
class OrderItem:
    product_id: str
    quantity: int
    price: float


@dataclass
class OrderInput:
    order_id: str
    customer_id: str
    items: List[OrderItem]


@dataclass
class PaymentInfo:
    payment_id: str
    amount: float
    currency: str
    method: str


@dataclass
class OrderStatus:
    state: str
    receipt: str


@activity.defn
async def process_payment(order: OrderInput, payment: PaymentInfo) -> str:
    return f"{order.customer_id}: {payment.amount:.2f} {payment.currency} by {payment.method}"


@activity.defn
async def update_inventory(items: List[OrderItem]) -> int:
    return items[0].quantity


@activity.defn
async def send_notification(receipt: str, count: int) -> str:
    return f"{receipt} for {count}"


@workflow.defn
class OrderProcessingWorkflow:
    def __init__(self) -> None:
        self.status = OrderStatus("awaiting payment", "")
        self.payment: Optional[PaymentInfo] = None

    @workflow.signal
    def payment_received(self, payment: PaymentInfo) -> None:
        self.payment = payment

    @workflow.query
    def get_order_status(self) -> OrderStatus:
        return self.status

    @workflow.run
    async def run(self, order: OrderInput) -> OrderStatus:
        await workflow.wait_condition(lambda: self.payment is not None)
        soon = timedelta(seconds=10)
        receipt = await workflow.execute_activity(
            process_payment, args=[order, self.payment], start_to_close_timeout=soon
        )
        count = await workflow.execute_activity(update_inventory, order.items, start_to_close_timeout=soon)
        told = await workflow.execute_activity(
            send_notification, args=[receipt, count], start_to_close_timeout=soon
        )
        self.status = OrderStatus("paid", told)
        return self.status
