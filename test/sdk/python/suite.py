"""Workflows of the official Python SDK against a running server: each asserts its result and its history's event types.

Prints one line a test, "ok NAME" or "FAILED NAME: why", and ends with 1 when any failed.
"""

import asyncio
import sys
import uuid
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError, is_cancelled_exception
from temporalio.worker import Worker

QUEUE = "python-suite"
attempts = 0


@activity.defn
async def echo(value: str) -> str:
    return value


@activity.defn
async def flaky() -> int:
    global attempts
    attempts += 1
    if attempts < 3:
        raise RuntimeError(f"attempt {attempts}")
    return attempts


QUICK = dict(start_to_close_timeout=timedelta(seconds=10), retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=10)))


@workflow.defn
class OneActivity:
    @workflow.run
    async def run(self, value: str) -> str:
        return await workflow.execute_activity(echo, value, **QUICK)


@workflow.defn
class Retried:
    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity(flaky, **QUICK)


@workflow.defn
class Parallel:
    @workflow.run
    async def run(self) -> int:
        done = await asyncio.gather(*(workflow.execute_activity(echo, str(i), **QUICK) for i in range(10)))
        return len(done)


@workflow.defn
class Timer:
    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.wait_condition(lambda: False, timeout=timedelta(milliseconds=50))
        except asyncio.TimeoutError:
            return "timed out"
        return "never"


@workflow.defn
class Greeter:
    def __init__(self) -> None:
        self.names: list[str] = []
        self.done = False

    @workflow.signal
    def add(self, name: str) -> None:
        self.names.append(name)

    @workflow.signal
    def finish(self) -> None:
        self.done = True

    @workflow.query
    def count(self) -> int:
        return len(self.names)

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.done)
        return self.names


@workflow.defn
class Parent:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_child_workflow(OneActivity.run, "child", id=workflow.info().workflow_id + "-child")


@workflow.defn
class Continues:
    @workflow.run
    async def run(self, n: int) -> int:
        if n > 0:
            workflow.continue_as_new(n - 1)
        return 7


@workflow.defn
class Cancelable:
    @workflow.run
    async def run(self) -> str:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return "cleaned"
        return "slept"


@workflow.defn
class Fails:
    @workflow.run
    async def run(self) -> None:
        raise ApplicationError("no", type="Typed", non_retryable=True)


async def event_types(client: Client, workflow_id: str) -> list[str]:
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    names = [EventType.Name(e.event_type).removeprefix("EVENT_TYPE_") for e in history.events]
    return [n for n in names if not n.startswith("WORKFLOW_TASK_")]


ONE = ["WORKFLOW_EXECUTION_STARTED", "ACTIVITY_TASK_SCHEDULED", "ACTIVITY_TASK_STARTED", "ACTIVITY_TASK_COMPLETED", "WORKFLOW_EXECUTION_COMPLETED"]


async def main() -> int:
    client = await Client.connect(sys.argv[1])
    bad = 0

    async def check(name, run, expected, events=None):
        nonlocal bad
        workflow_id = f"python-{uuid.uuid4()}"
        try:
            got = await asyncio.wait_for(run(workflow_id), 30)
            assert got == expected, f"answered {got!r}, not {expected!r}"
            if events is not None:
                types = await event_types(client, workflow_id)
                assert types == events, f"history is {types}"
            print(f"ok {name}", flush=True)
        except Exception as e:  # noqa: BLE001
            bad += 1
            print(f"FAILED {name}: {type(e).__name__} {e}", flush=True)

    def simple(fn, *args):
        return lambda workflow_id: client.execute_workflow(fn, args=list(args), id=workflow_id, task_queue=QUEUE)

    async def signals(workflow_id):
        h = await client.start_workflow(Greeter.run, id=workflow_id, task_queue=QUEUE)
        for n in ("a", "b"):
            await h.signal(Greeter.add, n)
        assert await h.query(Greeter.count) == 2
        await h.signal(Greeter.finish)
        return await h.result()

    async def canceled(workflow_id):
        h = await client.start_workflow(Cancelable.run, id=workflow_id, task_queue=QUEUE)
        await h.cancel()
        return await h.result()

    async def fails(workflow_id):
        try:
            await client.execute_workflow(Fails.run, id=workflow_id, task_queue=QUEUE)
        except WorkflowFailureError as e:
            assert isinstance(e.cause, ApplicationError) and not is_cancelled_exception(e)
            return e.cause.type
        return "no failure"

    async def described(workflow_id):
        h = await client.start_workflow(Greeter.run, id=workflow_id, task_queue=QUEUE, memo={"k": "v"})
        d = await h.describe()
        listed = [w.id async for w in client.list_workflows(f"WorkflowId = '{workflow_id}'")]
        await h.terminate("enough")
        return (d.status.name if d.status else None, await d.memo(), listed == [workflow_id])

    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[OneActivity, Retried, Parallel, Timer, Greeter, Parent, Continues, Cancelable, Fails],
        activities=[echo, flaky],
    ):
        await check("one activity", simple(OneActivity.run, "hi"), "hi", ONE)
        await check("a retried activity leaves no trace", simple(Retried.run), 3, ONE)
        await check("ten activities at once", simple(Parallel.run), 10)
        await check(
            "a timer",
            simple(Timer.run),
            "timed out",
            ["WORKFLOW_EXECUTION_STARTED", "TIMER_STARTED", "TIMER_FIRED", "WORKFLOW_EXECUTION_COMPLETED"],
        )
        await check(
            "signals and a query",
            signals,
            ["a", "b"],
            ["WORKFLOW_EXECUTION_STARTED", *["WORKFLOW_EXECUTION_SIGNALED"] * 3, "WORKFLOW_EXECUTION_COMPLETED"],
        )
        await check(
            "a child's result",
            simple(Parent.run),
            "child",
            [
                "WORKFLOW_EXECUTION_STARTED",
                "START_CHILD_WORKFLOW_EXECUTION_INITIATED",
                "CHILD_WORKFLOW_EXECUTION_STARTED",
                "CHILD_WORKFLOW_EXECUTION_COMPLETED",
                "WORKFLOW_EXECUTION_COMPLETED",
            ],
        )
        await check("continue as new", simple(Continues.run, 1), 7)
        await check("cleans up when canceled", canceled, "cleaned")
        await check("a typed failure", fails, "Typed", ["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_EXECUTION_FAILED"])
        await check("describe and list", described, ("RUNNING", {"k": "v"}, True))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
