"""Activities of the Python suite."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import timedelta

from temporalio import activity
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

# Task tokens of the activities that somebody else completes, by workflow id.
tokens: dict[str, bytes] = {}
# Let go by a test, by workflow id.
gates: dict[str, asyncio.Event] = {}


@activity.defn
async def echo(value: str) -> str:
    return value


@activity.defn
async def third_time() -> int:
    attempt = activity.info().attempt
    if attempt < 3:
        raise RuntimeError(f"attempt {attempt}")
    return attempt


@activity.defn
async def later() -> int:
    if activity.info().attempt > 1:
        return activity.info().attempt
    raise ApplicationError("later", type="Later", next_retry_delay=timedelta(milliseconds=20))


@activity.defn
async def final() -> None:
    raise ApplicationError("no use", {"a": 1}, "second", type="Final", non_retryable=True)


@activity.defn
async def completed_elsewhere() -> str:
    tokens[activity.info().workflow_id] = activity.info().task_token
    activity.raise_complete_async()


@activity.defn
async def falls_silent() -> int:
    """Reports once and hangs; the second attempt goes on from the report."""
    details = activity.info().heartbeat_details
    if details:
        return details[0] + 1
    activity.heartbeat(41)
    await asyncio.Event().wait()
    return -1


@activity.defn
async def until_canceled() -> str:
    try:
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        # Swallowed: an activity may end well all the same.
        return "ended well"


@activity.defn
def in_a_thread(value: str) -> str:
    """Not a coroutine: runs on the worker's pool of threads."""
    assert threading.current_thread() is not threading.main_thread()
    return f"{value} in a thread"


@activity.defn(dynamic=True)
async def whatever(args: Sequence[RawValue]) -> str:
    return f"{activity.info().activity_type} with {len(args)}"


@activity.defn
async def held() -> str:
    gate = gates.setdefault(activity.info().workflow_id, asyncio.Event())
    await gate.wait()
    return "let go"


ALL = [echo, third_time, later, final, completed_elsewhere, falls_silent, until_canceled, in_a_thread, whatever, held]
