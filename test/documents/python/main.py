"""The program around the document's functions."""

import asyncio
import json

from document import create_client, query_workflow, signal_workflow, start_workflow
from order import OrderProcessingWorkflow, process_payment, send_notification, update_inventory
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker


async def is_running(client) -> bool:
    try:
        return (await client.get_workflow_handle("order-processing-12345").describe()).status == WorkflowExecutionStatus.RUNNING
    except RPCError as e:
        if e.status != RPCStatusCode.NOT_FOUND:
            raise
        return False


async def main() -> None:
    client = await create_client()
    async with Worker(
        client,
        task_queue="order-processing-queue",
        workflows=[OrderProcessingWorkflow],
        activities=[process_payment, update_inventory, send_notification],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        # Answers with the result of the workflow, which the others are needed for.
        started = asyncio.create_task(start_workflow())
        while not started.done() and not await is_running(client):
            await asyncio.sleep(0.02)
        before = await query_workflow()
        await signal_workflow()
        result = await started
        after = await query_workflow()
        print(json.dumps([before.state, after.state, result.receipt]))


asyncio.run(main())
