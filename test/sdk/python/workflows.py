"""Workflows of the Python suite: each uses one thing of the server that no other one uses."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy, SearchAttributeKey
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    NexusOperationError,
    TimeoutError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    import activities as a
    import nexus_service as n

WORD = SearchAttributeKey.for_keyword("CustomKeywordField")
NUMBER = SearchAttributeKey.for_int("CustomIntField")
QUICK = dict(start_to_close_timeout=timedelta(seconds=10), retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=10)))
ONCE = dict(start_to_close_timeout=timedelta(seconds=10), retry_policy=RetryPolicy(maximum_attempts=1))


def child_id() -> str:
    return workflow.info().workflow_id + "-child"


@workflow.defn
class OneActivity:
    @workflow.run
    async def run(self, value: str) -> str:
        return await workflow.execute_activity(a.echo, value, **QUICK)


@workflow.defn
class Retried:
    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity(a.third_time, **QUICK)


@workflow.defn
class AsksForDelay:
    @workflow.run
    async def run(self) -> int:
        patient = RetryPolicy(initial_interval=timedelta(hours=1))
        return await workflow.execute_activity(a.later, start_to_close_timeout=timedelta(seconds=10), retry_policy=patient)


@workflow.defn
class FailsForGood:
    @workflow.run
    async def run(self) -> list:
        try:
            await workflow.execute_activity(a.final, **QUICK)
        except ActivityError as e:
            assert isinstance(e.cause, ApplicationError)
            return [e.cause.type, *e.cause.details, e.retry_state.name if e.retry_state else None]
        return []


@workflow.defn
class Parallel:
    @workflow.run
    async def run(self) -> int:
        done = await asyncio.gather(*(workflow.execute_activity(a.echo, str(i), **QUICK) for i in range(10)))
        return len(done)


@workflow.defn
class Elsewhere:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(a.completed_elsewhere, activity_id="by-hand", **ONCE)


@workflow.defn
class Heartbeats:
    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity(a.falls_silent, heartbeat_timeout=timedelta(milliseconds=800), **QUICK)


@workflow.defn
class CancelsActivity:
    """The cancellation reaches the activity, which completes: with WAIT_CANCELLATION_COMPLETED that is what counts."""

    @workflow.run
    async def run(self) -> str:
        task = workflow.start_activity(
            a.until_canceled,
            heartbeat_timeout=timedelta(seconds=1),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            **ONCE,
        )
        await asyncio.sleep(0.05)
        task.cancel()
        return await task


@workflow.defn
class Threaded:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(a.in_a_thread, "runs", **ONCE)


@workflow.defn(dynamic=True)
class Whatever:
    """Takes the types that nobody else takes, and so does its activity."""

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> str:
        did = await workflow.execute_activity("unheard-of", args=[1, 2], result_type=str, **ONCE)
        return f"{workflow.info().workflow_type}: {did}"


@workflow.defn
class LocalActivity:
    @workflow.run
    async def run(self) -> int:
        near = RetryPolicy(initial_interval=timedelta(milliseconds=5))
        return await workflow.execute_local_activity(a.third_time, start_to_close_timeout=timedelta(seconds=5), retry_policy=near)


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

    @workflow.signal(dynamic=True)
    def any_other(self, name: str, args: Sequence[RawValue]) -> None:
        self.names.append(f"{name}/{len(args)}")

    @workflow.query
    def count(self) -> int:
        return len(self.names)

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.done)
        return self.names


@workflow.defn
class SlowSignals:
    """Handlers that outlast the signal; the run waits for them."""

    def __init__(self) -> None:
        self.handled: list[str] = []

    @workflow.signal
    async def handle(self, value: str) -> None:
        self.handled.append(await workflow.execute_activity(a.echo, value, **QUICK))

    @workflow.run
    async def run(self, wanted: int) -> list[str]:
        await workflow.wait_condition(lambda: len(self.handled) == wanted and workflow.all_handlers_finished())
        return sorted(self.handled)


@workflow.defn
class Parent:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_child_workflow(OneActivity.run, "child", id=child_id())


@workflow.defn
class ChildFails:
    @workflow.run
    async def run(self) -> list:
        try:
            await workflow.execute_child_workflow(Fails.run, id=child_id())
        except ChildWorkflowError as e:
            assert isinstance(e.cause, ApplicationError)
            return [e.workflow_type, e.cause.type, e.retry_state.name if e.retry_state else None]
        return []


@workflow.defn
class ChildTimesOut:
    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.execute_child_workflow(Greeter.run, id=child_id(), execution_timeout=timedelta(milliseconds=300))
        except ChildWorkflowError as e:
            return type(e.cause).__name__ if isinstance(e.cause, TimeoutError) else "another failure"
        return "completed"


@workflow.defn
class ChildIdTaken:
    @workflow.run
    async def run(self) -> str:
        """Its own id is taken, by itself."""
        try:
            await workflow.start_child_workflow(Greeter.run, id=workflow.info().workflow_id)
        except WorkflowAlreadyStartedError:
            return "taken"
        return "started"


@workflow.defn
class LeavesChild:
    @workflow.run
    async def run(self) -> None:
        await workflow.start_child_workflow(
            Cancelable.run, id=child_id(), parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL
        )


@workflow.defn
class SignalsAndCancels:
    """Does to another workflow all that a workflow can do."""

    @workflow.run
    async def run(self, other: str) -> str:
        handle = workflow.get_external_workflow_handle(other)
        await handle.signal("add", "from outside")
        await handle.cancel()
        return "done"


@workflow.defn
class Canceled:
    """Collects, and ends as canceled with what it collected."""

    def __init__(self) -> None:
        self.names: list[str] = []

    @workflow.signal
    def add(self, name: str) -> None:
        self.names.append(name)

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


@workflow.defn
class Continues:
    @workflow.run
    async def run(self, n: int) -> list:
        if n > 0:
            workflow.continue_as_new(n - 1, memo={"left": n - 1})
        info = workflow.info()
        return [workflow.memo(), info.typed_search_attributes.get(WORD), info.continued_run_id is not None]


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
class Shielded:
    @workflow.run
    async def run(self) -> str:
        work = asyncio.ensure_future(workflow.execute_activity(a.held, **ONCE))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            return f"canceled, {await work}"


@workflow.defn
class Fails:
    @workflow.run
    async def run(self) -> None:
        raise ApplicationError("no", type="Typed", non_retryable=True)


@workflow.defn
class RunRetried:
    @workflow.run
    async def run(self) -> int:
        if workflow.info().attempt < 2:
            raise ApplicationError("not yet")
        return workflow.info().attempt


@workflow.defn
class Annotates:
    @workflow.run
    async def run(self) -> list:
        workflow.upsert_search_attributes([WORD.value_set("later"), NUMBER.value_unset()])
        workflow.upsert_memo({"new": 1, "gone": None})
        return [dict(workflow.memo()), workflow.info().typed_search_attributes.get(NUMBER)]


@workflow.defn
class Patched:
    @workflow.run
    async def run(self) -> list:
        return [workflow.patched("a-change"), workflow.patched("a-change"), len(str(workflow.uuid4()))]


@workflow.defn
class CronRun:
    @workflow.run
    async def run(self) -> int:
        if workflow.has_last_completion_result():
            return workflow.get_last_completion_result(int) + 1
        return 1


mistakes = 0


@workflow.defn(sandboxed=False)
class Mistaken:
    """Fails its first task, as code with a mistake does."""

    @workflow.run
    async def run(self) -> str:
        global mistakes
        if not workflow.unsafe.is_replaying():
            mistakes += 1
            if mistakes == 1:
                raise RuntimeError("a mistake")
        return "mended"


@workflow.defn
class Sums:
    """Adds what it is told to, positive numbers only, until it is told to end."""

    def __init__(self) -> None:
        self.sum = 0
        self.over = False

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.over and workflow.all_handlers_finished())
        return self.sum

    @workflow.signal
    def end(self) -> None:
        self.over = True

    @workflow.update
    async def add(self, n: int) -> int:
        if n > 100:
            raise ApplicationError("too much", type="TooMuch")
        if n > 10:
            await asyncio.sleep(0.05)
        self.sum += n
        return self.sum

    @add.validator
    def check(self, n: int) -> None:
        if n <= 0:
            raise ApplicationError("only up")


@workflow.defn
class Calls:
    """Calls one operation and says how it ended: its result, or what kind of failure it was."""

    @workflow.run
    async def run(self, endpoint: str, operation: str, value: str) -> str:
        desk = workflow.create_nexus_client(service=n.Desk, endpoint=endpoint)
        try:
            if operation == "echo":
                return await desk.execute_operation(n.Desk.echo, value)
            return await desk.execute_operation(n.Desk.serve, value, start_to_close_timeout=timedelta(seconds=1))
        except NexusOperationError as e:
            return f"{type(e.cause).__name__}: {e.cause}"


@workflow.defn
class CallsAndCancels:
    @workflow.run
    async def run(self, endpoint: str, value: str) -> bool:
        desk = workflow.create_nexus_client(service=n.Desk, endpoint=endpoint)
        handle = await desk.start_operation(n.Desk.serve, value)
        handle.cancel()
        try:
            await handle
        except NexusOperationError as e:
            return is_cancelled_exception(e)
        return False


ALL = [n.Serves, *(v for v in list(globals().values()) if isinstance(v, type) and hasattr(v, "__temporal_workflow_definition"))]
