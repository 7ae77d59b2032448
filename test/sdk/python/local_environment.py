"""The Python SDK's local environment, run from an existing executable: a workflow in a first one, its result asked for in a second one.

Arguments: the executable and, to keep what the first one did, a database file.
"""

import asyncio
import os
import sys

from greeting import Greeting, greet
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

QUEUE = "local-environment"


async def main(executable: str, file: str | None) -> None:
    def environment():
        return WorkflowEnvironment.start_local(
            dev_server_existing_path=executable,
            dev_server_database_filename=file,
            search_attributes=[SearchAttributeKey.for_keyword("Word")],
        )

    async with await environment() as env:
        async with Worker(env.client, task_queue=QUEUE, workflows=[Greeting], activities=[greet]):
            print("first:", await env.client.execute_workflow(Greeting.run, "local", id="w", task_queue=QUEUE))
    async with await environment() as env:
        try:
            print("second:", await env.client.get_workflow_handle("w", result_type=str).result())
        except RPCError as e:
            if e.status != RPCStatusCode.NOT_FOUND:
                raise
            print("second: not found")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
    # The SDK's threads and the interpreter's own end do not get on: a process that is done may die of it.
    sys.stdout.flush()
    os._exit(0)
