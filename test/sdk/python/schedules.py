"""The schedule client of the Python SDK: what is asked for comes back, and what is scheduled runs on the suite's worker."""

import uuid
from datetime import datetime, timedelta, timezone

import workflows as w
from cases import Cases
from temporalio.client import (
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleCalendarSpec,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

WORD = SearchAttributeKey.for_keyword("CustomKeywordField")
EVERY = ScheduleRange(0, 23, 1)


class Schedules(Cases):
    SUBJECT = "schedules"
    PREFIX = "python-schedule"
    NAMES = ("round_trip", "acts", "triggers_and_backfills", "updates", "lists")

    def action(self, value: str = "x", **more) -> ScheduleActionStartWorkflow:
        return ScheduleActionStartWorkflow(w.OneActivity.run, value, id=f"scheduled-{uuid.uuid4()}", task_queue=self.queue, **more)

    async def round_trip(self, schedule_id: str) -> None:
        schedule = Schedule(
            action=self.action("in", memo={"k": "v"}, execution_timeout=timedelta(hours=1)),
            spec=ScheduleSpec(
                calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(8, 17, 3)], day_of_week=[ScheduleRange(1, 5, 1)], comment="work")],
                intervals=[ScheduleIntervalSpec(every=timedelta(days=10), offset=timedelta(days=2))],
                cron_expressions=["0 12 * * MON"],
                skip=[ScheduleCalendarSpec(second=[EVERY], minute=[EVERY], hour=[EVERY], month=[ScheduleRange(12, 12, 1)])],
                start_at=datetime(2100, 1, 1, tzinfo=timezone.utc),
                jitter=timedelta(seconds=80),
                time_zone_name="America/New_York",
            ),
            policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.BUFFER_ALL, catchup_window=timedelta(minutes=5), pause_on_failure=True),
            state=ScheduleState(note="as it is", paused=True, limited_actions=True, remaining_actions=30),
        )
        handle = await self.client.create_schedule(
            schedule_id, schedule, memo={"a": "b"}, search_attributes=TypedSearchAttributes([SearchAttributePair(WORD, "word")])
        )
        try:
            await self.client.create_schedule(schedule_id, schedule)
            raise AssertionError("it is there already")
        except ScheduleAlreadyRunningError:
            pass
        d = await handle.describe()
        assert d.schedule.policy == schedule.policy, d.schedule.policy
        assert d.schedule.state == schedule.state, d.schedule.state
        got, asked = d.schedule.spec, schedule.spec
        assert (got.intervals, got.jitter, got.start_at, got.time_zone_name) == (asked.intervals, asked.jitter, asked.start_at, asked.time_zone_name)
        shown = [(list(c.hour), list(c.day_of_week), c.comment) for c in (got.calendars[0], asked.calendars[0])]
        assert shown[0] == shown[1], shown
        assert [(list(c.second), list(c.month)) for c in got.skip] == [([EVERY], [ScheduleRange(12, 12, 1)])], got.skip
        assert [r.start for r in got.calendars[1].hour] == [12], got.calendars[1]
        assert d.typed_search_attributes[WORD] == "word"
        assert await d.memo() == {"a": "b"}
        assert isinstance(d.schedule.action, ScheduleActionStartWorkflow)
        assert d.schedule.action.workflow == "OneActivity" and d.schedule.action.execution_timeout == timedelta(hours=1)
        await handle.delete()
        try:
            await handle.describe()
            raise AssertionError("it is gone")
        except RPCError as e:
            assert e.status == RPCStatusCode.NOT_FOUND

    async def acts(self, schedule_id: str) -> None:
        spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(seconds=1))])
        state = ScheduleState(limited_actions=True, remaining_actions=2)
        handle = await self.client.create_schedule(schedule_id, Schedule(action=self.action("by the clock"), spec=spec, state=state))

        async def both():
            d = await handle.describe()
            return d.info.num_actions == 2 and not d.info.running_actions

        await self.until(both)
        d = await handle.describe()
        assert d.schedule.state.remaining_actions == 0 and not d.info.next_action_times, d.info
        for taken in d.info.recent_actions:
            assert isinstance(taken.action, ScheduleActionExecutionStartWorkflow)
            ran = self.client.get_workflow_handle(taken.action.workflow_id, first_execution_run_id=taken.action.first_execution_run_id)
            assert await ran.result() == "by the clock"
        await handle.delete()

    async def triggers_and_backfills(self, schedule_id: str) -> None:
        spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(minutes=1))])
        began = datetime(2024, 1, 1, tzinfo=timezone.utc)
        handle = await self.client.create_schedule(
            schedule_id,
            Schedule(action=self.action(), spec=spec, state=ScheduleState(paused=True)),
            trigger_immediately=True,
            backfill=[ScheduleBackfill(began, began + timedelta(minutes=2), overlap=ScheduleOverlapPolicy.ALLOW_ALL)],
        )
        async def taken(count: int) -> bool:
            return (await handle.describe()).info.num_actions == count

        await self.until(lambda: taken(4))
        await handle.backfill(
            ScheduleBackfill(began + timedelta(hours=1), began + timedelta(hours=1, minutes=1), overlap=ScheduleOverlapPolicy.ALLOW_ALL),
            ScheduleBackfill(began + timedelta(hours=2), began + timedelta(hours=2), overlap=ScheduleOverlapPolicy.ALLOW_ALL),
        )
        await self.until(lambda: taken(7))

        # A trigger of the same second would have the id of the first one.
        async def idle() -> bool:
            return not (await handle.describe()).info.running_actions

        await self.until(idle)
        await handle.trigger(overlap=ScheduleOverlapPolicy.ALLOW_ALL)
        await self.until(lambda: taken(8))
        await handle.delete()

    async def updates(self, schedule_id: str) -> None:
        handle = await self.client.create_schedule(schedule_id, Schedule(action=self.action(), spec=ScheduleSpec()))
        await handle.pause(note="stop")
        assert (await handle.describe()).schedule.state == ScheduleState(paused=True, note="stop")
        await handle.unpause(note="go")
        assert (await handle.describe()).schedule.state == ScheduleState(paused=False, note="go")

        async def change(told: ScheduleUpdateInput) -> ScheduleUpdate:
            told.description.schedule.spec = ScheduleSpec(cron_expressions=["@daily"])
            return ScheduleUpdate(told.description.schedule, search_attributes=TypedSearchAttributes([SearchAttributePair(WORD, "new")]))

        await handle.update(change)
        d = await handle.describe()
        assert len(d.schedule.spec.calendars) == 1 and d.info.last_updated_at is not None
        assert d.typed_search_attributes[WORD] == "new"
        await handle.delete()

    async def lists(self, schedule_id: str) -> None:
        spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(weeks=1))])
        words = TypedSearchAttributes([SearchAttributePair(WORD, schedule_id)])
        handles = [
            await self.client.create_schedule(f"{schedule_id}-{i}", Schedule(action=self.action(), spec=spec), memo={"i": i}, search_attributes=words)
            for i in range(3)
        ]
        listed = [s async for s in await self.client.list_schedules(f"CustomKeywordField = '{schedule_id}'", page_size=2)]
        assert sorted(s.id for s in listed) == sorted(h.id for h in handles), listed
        assert all(s.info is not None and len(s.info.next_action_times) > 0 for s in listed)
        assert sorted([(await s.memo())["i"] for s in listed]) == [0, 1, 2]
        for h in handles:
            await h.delete()
