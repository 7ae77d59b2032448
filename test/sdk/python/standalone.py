"""Activities without a workflow, as clients and workers of the Python SDK see them."""

from datetime import timedelta

import activities as a
from cases import Cases
from temporalio.client import ActivityExecutionStatus, ActivityFailureError, ActivityOptionsKeys, Client, PendingActivityState
from temporalio.common import ActivityIDConflictPolicy, RetryPolicy, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ActivityAlreadyStartedError, ApplicationError, CancelledError, TerminatedError, TimeoutError, TimeoutType

WORD = SearchAttributeKey.for_keyword("CustomKeywordField")


class StandaloneActivities(Cases):
    SUBJECT = "standalone activities"
    PREFIX = "python-activity"
    NAMES = (
        "results",
        "retries",
        "heartbeats",
        "failures",
        "timeouts",
        "ends_while_it_waits",
        "may_end_well_when_canceled",
        "ids",
        "pauses_and_moves",
        "lists",
    )

    def __init__(self, client: Client, queue: str) -> None:
        super().__init__(client, queue)
        # Nobody polls it.
        self.nobody = f"{queue}-nobody"

    def start(self, fn, activity_id: str, *args, queue: str | None = None, **options):
        options.setdefault("start_to_close_timeout", timedelta(seconds=20))
        options.setdefault("retry_policy", RetryPolicy(initial_interval=timedelta(milliseconds=20)))
        return self.client.start_activity(fn, args=list(args), id=activity_id, task_queue=queue or self.queue, **options)

    @staticmethod
    async def cause_of(handle) -> BaseException | None:
        try:
            result = await handle.result()
        except ActivityFailureError as e:
            return e.cause
        raise AssertionError(f"answered {result!r} where a failure was due")

    async def results(self, activity_id: str) -> None:
        handle = await self.start(a.in_a_thread, activity_id, "runs")
        assert await handle.result() == "runs in a thread"
        later = self.client.get_activity_handle(activity_id, result_type=str)
        assert await later.result() == "runs in a thread"
        described = await later.describe()
        assert (described.status, described.activity_type) == (ActivityExecutionStatus.COMPLETED, "in_a_thread"), described

    async def retries(self, activity_id: str) -> None:
        handle = await self.start(a.third_time, activity_id)
        assert await handle.result() == 3
        assert (await handle.describe()).attempt == 3
        hours = RetryPolicy(initial_interval=timedelta(hours=1))
        assert await (await self.start(a.later, f"{activity_id}-later", retry_policy=hours)).result() == 2

    async def heartbeats(self, activity_id: str) -> None:
        handle = await self.start(a.falls_silent, activity_id, heartbeat_timeout=timedelta(milliseconds=600))
        assert await handle.result() == 42

    async def failures(self, activity_id: str) -> None:
        cause = await self.cause_of(await self.start(a.final, activity_id))
        assert isinstance(cause, ApplicationError) and (cause.type, list(cause.details)) == ("Final", [{"a": 1}, "second"]), cause

    async def timeouts(self, activity_id: str) -> None:
        handle = await self.start(a.echo, activity_id, "x", queue=self.nobody, schedule_to_start_timeout=timedelta(milliseconds=200))
        cause = await self.cause_of(handle)
        assert isinstance(cause, TimeoutError) and cause.type == TimeoutType.SCHEDULE_TO_START, cause

    async def ends_while_it_waits(self, activity_id: str) -> None:
        canceled = await self.start(a.echo, f"{activity_id}-c", "x", queue=self.nobody)
        await canceled.cancel(reason="no more")
        assert isinstance(await self.cause_of(canceled), CancelledError)
        terminated = await self.start(a.echo, f"{activity_id}-t", "x", queue=self.nobody)
        await terminated.terminate(reason="enough")
        assert isinstance(await self.cause_of(terminated), TerminatedError)

    async def may_end_well_when_canceled(self, activity_id: str) -> None:
        handle = await self.start(a.until_canceled, activity_id, heartbeat_timeout=timedelta(seconds=1))

        async def started() -> bool:
            return (await handle.describe()).run_state == PendingActivityState.STARTED

        await self.until(started)
        await handle.cancel()
        assert await handle.result() == "ended well"
        assert (await handle.describe()).status == ActivityExecutionStatus.COMPLETED

    async def ids(self, activity_id: str) -> None:
        first = await self.start(a.echo, activity_id, "x", queue=self.nobody)
        try:
            await self.start(a.echo, activity_id, "x", queue=self.nobody)
            raise AssertionError("started twice")
        except ActivityAlreadyStartedError as e:
            assert e.run_id == first.run_id, e
        same = await self.start(a.echo, activity_id, "x", queue=self.nobody, id_conflict_policy=ActivityIDConflictPolicy.USE_EXISTING)
        assert same.run_id == first.run_id
        await first.terminate()

    async def pauses_and_moves(self, activity_id: str) -> None:
        handle = await self.start(a.echo, activity_id, "late", queue=self.nobody)
        await handle.pause(reason="wait")
        assert (await handle.describe()).status == ActivityExecutionStatus.PAUSED
        await handle.update_options([ActivityOptionsKeys.task_queue.value_set(self.queue)])
        assert (await handle.describe()).status == ActivityExecutionStatus.PAUSED
        await handle.unpause()
        assert await handle.result() == "late"

    async def lists(self, activity_id: str) -> None:
        for word in ("one", "two"):
            attributes = TypedSearchAttributes([SearchAttributePair(WORD, word)])
            await self.start(a.echo, f"{activity_id}-{word}", "x", queue=self.nobody, search_attributes=attributes)
        query = f"ActivityId STARTS_WITH '{activity_id}' AND ActivityType = 'echo' AND ExecutionStatus = 'Running'"

        async def counted() -> bool:
            return (await self.client.count_activities(query)).count == 2

        await self.until(counted)
        found = sorted([x.typed_search_attributes.get(WORD) async for x in self.client.list_activities(query)])
        assert found == ["one", "two"], found
        for word in found:
            await self.client.get_activity_handle(f"{activity_id}-{word}").terminate()
