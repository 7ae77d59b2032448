"""The Python SDK over TLS with an API key: a workflow with an activity from its start to its result.

Arguments: address, file of the authority to trust, namespace, API version. The key is in API_KEY.
"""

import asyncio
import os
import sys
from pathlib import Path

from greeting import Greeting, greet
from temporalio.client import Client, TLSConfig
from temporalio.worker import UnsandboxedWorkflowRunner, Worker


async def main(address: str, ca: str, namespace: str, version: str) -> None:
    client = await Client.connect(
        address,
        namespace=namespace,
        tls=TLSConfig(server_root_ca_cert=Path(ca).read_bytes()),
        api_key=os.environ["API_KEY"],
        rpc_metadata={"temporal-api-version": version},
    )
    queue = f"python-{version}"
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Greeting],
        activities=[greet],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        print(await client.execute_workflow(Greeting.run, "Python", id=queue, task_queue=queue))


asyncio.run(main(*sys.argv[1:5]))
