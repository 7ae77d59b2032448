"""Cases of one subject, each a method with an id of its own: how they are run and counted, in the words of suite.py."""

import asyncio
import time
import uuid
from typing import ClassVar

from temporalio.client import Client


class Cases:
    SUBJECT: ClassVar[str]
    # What its ids begin with.
    PREFIX: ClassVar[str]
    NAMES: ClassVar[tuple[str, ...]]

    def __init__(self, client: Client, queue: str) -> None:
        self.client = client
        self.queue = queue
        self.ran = 0
        self.bad = 0

    async def check_all(self) -> None:
        for name in self.NAMES:
            self.ran += 1
            began = time.monotonic()
            try:
                await asyncio.wait_for(getattr(self, name)(f"{self.PREFIX}-{uuid.uuid4()}"), 30)
                print(f"ok {self.SUBJECT}: {name}, {(time.monotonic() - began) * 1000:.0f} ms", flush=True)
            except Exception as e:  # noqa: BLE001
                self.bad += 1
                print(f"FAILED {self.SUBJECT}: {name}: {type(e).__name__} {e}", flush=True)

    @staticmethod
    async def until(ask) -> None:
        while not await ask():
            await asyncio.sleep(0.02)
