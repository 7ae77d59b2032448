"""Workflows of the official Python SDK against a running server: each asserts its result and its history's event types.

Prints one line a test, "ok NAME, TIME" or "FAILED NAME: why", then "ran N", and ends with 1 when any failed.
"""

import asyncio
import logging
import os
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import activities as a
import nexus_service as n
import workflows as w
from schedules import Schedules
from standalone import StandaloneActivities
from temporalio.api.nexus.v1 import EndpointSpec, EndpointTarget
from temporalio.api.operatorservice.v1 import CreateNexusEndpointRequest
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from temporalio.common import (
    Priority,
    QueryRejectCondition,
    RetryPolicy,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError, CancelledError, TerminatedError, WorkflowAlreadyStartedError
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer, Worker

QUEUE = f"python-suite-{uuid.uuid4()}"

STARTED, COMPLETED, FAILED = "WORKFLOW_EXECUTION_STARTED", "WORKFLOW_EXECUTION_COMPLETED", "WORKFLOW_EXECUTION_FAILED"
SIGNALED, CANCEL_ASKED = "WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_EXECUTION_CANCEL_REQUESTED"
SCHEDULED, ACTIVITY_STARTED, ACTIVITY_COMPLETED = "ACTIVITY_TASK_SCHEDULED", "ACTIVITY_TASK_STARTED", "ACTIVITY_TASK_COMPLETED"
TIMER_STARTED, TIMER_FIRED = "TIMER_STARTED", "TIMER_FIRED"
INITIATED, CHILD_STARTED = "START_CHILD_WORKFLOW_EXECUTION_INITIATED", "CHILD_WORKFLOW_EXECUTION_STARTED"
MARKER, UPSERTED = "MARKER_RECORDED", "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES"
ACTIVITY = [SCHEDULED, ACTIVITY_STARTED, ACTIVITY_COMPLETED]
ONE = [STARTED, *ACTIVITY, COMPLETED]
FAILED_ONE = [STARTED, SCHEDULED, ACTIVITY_STARTED, "ACTIVITY_TASK_FAILED", COMPLETED]


class Suite:
    def __init__(self, client: Client) -> None:
        self.client = client
        self.ran = 0
        self.bad = 0

    async def history(self, workflow_id: str, run_id: str | None = None) -> list:
        return list((await self.client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()).events)

    async def types(self, workflow_id: str, run_id: str | None = None) -> list[str]:
        names = [EventType.Name(e.event_type).removeprefix("EVENT_TYPE_") for e in await self.history(workflow_id, run_id)]
        return [n for n in names if not n.startswith("WORKFLOW_TASK_")]

    async def find(self, workflow_id: str, name: str):
        return next(e for e in await self.history(workflow_id) if EventType.Name(e.event_type) == f"EVENT_TYPE_{name}")

    def start(self, fn, workflow_id: str, *args, **options):
        return self.client.start_workflow(fn, args=list(args), id=workflow_id, task_queue=QUEUE, **options)

    def simple(self, fn, *args, **options):
        async def run(workflow_id: str):
            return await (await self.start(fn, workflow_id, *args, **options)).result()

        return run

    async def until(self, ask) -> None:
        """Until the answer is yes; the test's time limit is the limit."""
        while True:
            try:
                if await ask():
                    return
            except RPCError as e:
                if e.status != RPCStatusCode.NOT_FOUND:
                    raise
            await asyncio.sleep(0.02)

    async def until_event(self, workflow_id: str, name: str) -> None:
        async def there() -> bool:
            return name in await self.types(workflow_id)

        await self.until(there)

    async def check(self, name: str, run, expected, events: list[str], chance: frozenset[str] = frozenset()) -> None:
        """Events of `chance` may be there or not, and anywhere."""
        workflow_id = f"python-{uuid.uuid4()}"
        self.ran += 1
        began = time.monotonic()
        try:
            got = await asyncio.wait_for(run(workflow_id), 30)
            assert got == expected, f"answered {got!r}, not {expected!r}"
            types = [t for t in await self.types(workflow_id) if t not in chance]
            assert types == events, f"history is {types}"
            print(f"ok {name}, {(time.monotonic() - began) * 1000:.0f} ms", flush=True)
        except Exception as e:  # noqa: BLE001
            self.bad += 1
            print(f"FAILED {name}: {type(e).__name__} {e}", flush=True)

    async def check_all(self) -> None:
        for part in (self.activities, self.messages, self.updates, self.children, self.runs, self.schedules, self.standalone, self.nexus, self.replays):
            await part()

    async def schedules(self) -> None:
        schedules = Schedules(self.client, QUEUE)
        await schedules.check_all()
        self.ran += schedules.ran
        self.bad += schedules.bad

    async def standalone(self) -> None:
        standalone = StandaloneActivities(self.client, QUEUE)
        await standalone.check_all()
        self.ran += standalone.ran
        self.bad += standalone.bad

    async def activities(self) -> None:
        check, simple = self.check, self.simple
        await check("one activity", simple(w.OneActivity.run, "hi"), "hi", ONE)
        await check("a retried activity leaves no trace", simple(w.Retried.run), 3, ONE)
        await check("an activity's own delay beats the policy", simple(w.AsksForDelay.run), 2, ONE)
        await check("a final failure arrives whole", simple(w.FailsForGood.run), ["Final", {"a": 1}, "second", "NON_RETRYABLE_FAILURE"], FAILED_ONE)
        await check("heartbeat details carry over", simple(w.Heartbeats.run), 42, ONE)
        await check("an activity on a thread", simple(w.Threaded.run), "runs in a thread", ONE)
        await check("types that nobody named", simple("never-heard-of", 1), "never-heard-of: unheard-of with 2", ONE)
        await check("a retried local activity is one marker", simple(w.LocalActivity.run), 3, [STARTED, MARKER, COMPLETED])
        await check(
            "a canceled activity may complete",
            simple(w.CancelsActivity.run),
            "ended well",
            [STARTED, SCHEDULED, TIMER_STARTED, TIMER_FIRED, "ACTIVITY_TASK_CANCEL_REQUESTED", ACTIVITY_STARTED, ACTIVITY_COMPLETED, COMPLETED],
        )

        async def parallel(workflow_id):
            done = await simple(w.Parallel.run)(workflow_id)
            types = await self.types(workflow_id)
            assert len(types) == 32 and all(types.count(t) == 10 for t in ACTIVITY), types
            # The order of the ten is chance; what check compares is one that has none.
            return [done, await simple(w.OneActivity.run, "x")(workflow_id)]

        await check("ten activities at once", parallel, [10, "x"], ONE)

        async def elsewhere(workflow_id):
            h = await self.start(w.Elsewhere.run, workflow_id)

            async def taken() -> bool:
                return workflow_id in a.tokens

            await self.until(taken)
            await self.client.get_async_activity_handle(task_token=a.tokens[workflow_id]).heartbeat("half way")
            d = await h.describe()
            pending = d.raw_description.pending_activities[0]
            assert pending.activity_id == "by-hand" and len(pending.heartbeat_details.payloads) == 1
            by_id = self.client.get_async_activity_handle(workflow_id=workflow_id, run_id=None, activity_id="by-hand")
            await by_id.complete("by id")
            return await h.result()

        await check("described, then completed by id", elsewhere, "by id", ONE)

    async def messages(self) -> None:
        check = self.check

        async def signals(workflow_id):
            h = await self.start(w.Greeter.run, workflow_id)
            for n in ("a", "b"):
                await h.signal(w.Greeter.add, n)
            assert await h.query(w.Greeter.count) == 2
            await h.signal("not-declared", args=[1, 2, 3])
            await h.signal(w.Greeter.finish)
            return await h.result()

        await check("signals and a query", signals, ["a", "b", "not-declared/3"], [STARTED, *[SIGNALED] * 4, COMPLETED])

        async def slow_signals(workflow_id):
            h = await self.start(w.SlowSignals.run, workflow_id, 3)
            await asyncio.gather(*(h.signal(w.SlowSignals.handle, str(i)) for i in range(3)))
            result = await h.result()
            types = await self.types(workflow_id)
            assert all(types.count(t) == 3 for t in [SIGNALED, *ACTIVITY]) and types[-1] == COMPLETED, types
            return [result, await self.simple(w.OneActivity.run, "x")(workflow_id)]

        await check("signals whose handlers run activities", slow_signals, [["0", "1", "2"], "x"], ONE)

        async def with_start(workflow_id):
            h = await self.start(w.Greeter.run, workflow_id, start_signal="add", start_signal_args=["first"])
            again = await self.start(w.Greeter.run, workflow_id, start_signal="add", start_signal_args=["second"])
            await again.signal(w.Greeter.finish)
            return await h.result()

        await check("a signal with start", with_start, ["first", "second"], [STARTED, *[SIGNALED] * 3, COMPLETED])

        async def reset(workflow_id):
            h = await self.start(w.Greeter.run, workflow_id, start_signal="add", start_signal_args=["first"])
            assert await h.query(w.Greeter.count) == 1
            await h.signal(w.Greeter.finish)
            await h.result()
            completed = await self.find(workflow_id, "WORKFLOW_TASK_COMPLETED")
            request = ResetWorkflowExecutionRequest(
                namespace="default", reason="again", request_id=workflow_id, workflow_task_finish_event_id=completed.event_id
            )
            request.workflow_execution.workflow_id = workflow_id
            answer = await self.client.workflow_service.reset_workflow_execution(request)
            assert answer.run_id != h.first_execution_run_id
            return await self.client.get_workflow_handle(workflow_id, run_id=answer.run_id).result()

        await check("a closed run that is reset hears its signals again", reset, ["first"], [STARTED, SIGNALED, SIGNALED, COMPLETED])

        async def rejected(workflow_id):
            h = await self.start(w.Greeter.run, workflow_id)
            await h.signal(w.Greeter.finish)
            await h.result()
            assert await h.query(w.Greeter.count) == 0
            answers = []
            for query, condition in (("count", QueryRejectCondition.NOT_OPEN), ("unknown", None)):
                try:
                    await h.query(query, reject_condition=condition)
                except WorkflowQueryRejectedError as e:
                    answers.append(e.status.name if e.status else None)
                except WorkflowQueryFailedError:
                    answers.append("failed")
            return answers

        await check("queries that are rejected and that fail", rejected, ["COMPLETED", "failed"], [STARTED, SIGNALED, COMPLETED])

        async def outside(workflow_id):
            other = await self.start(w.Canceled.run, f"{workflow_id}-other")
            result = await self.simple(w.SignalsAndCancels.run, other.id)(workflow_id)
            try:
                await other.result()
            except WorkflowFailureError as e:
                assert isinstance(e.cause, CancelledError), e.cause
            types = await self.types(other.id)
            assert types == [STARTED, SIGNALED, CANCEL_ASKED, "WORKFLOW_EXECUTION_CANCELED"], types
            return result

        await check(
            "signals and cancels another",
            outside,
            "done",
            [
                STARTED,
                "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
                "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED",
                "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
                "EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED",
                COMPLETED,
            ],
        )

        async def canceled(workflow_id):
            h = await self.start(w.Cancelable.run, workflow_id)
            await self.until_event(workflow_id, TIMER_STARTED)
            await h.cancel()
            return await h.result()

        await check("cleans up when canceled", canceled, "cleaned", [STARTED, TIMER_STARTED, CANCEL_ASKED, "TIMER_CANCELED", COMPLETED])

        async def shielded(workflow_id):
            h = await self.start(w.Shielded.run, workflow_id)

            async def running() -> bool:
                return workflow_id in a.gates

            await self.until(running)
            await h.cancel()
            await self.until_event(workflow_id, CANCEL_ASKED)
            a.gates[workflow_id].set()
            return await h.result()

        await check("a shielded activity ends", shielded, "canceled, let go", [STARTED, SCHEDULED, CANCEL_ASKED, ACTIVITY_STARTED, ACTIVITY_COMPLETED, COMPLETED])

    async def children(self) -> None:
        check, simple = self.check, self.simple
        await check("a child's result", simple(w.Parent.run), "child", [STARTED, INITIATED, CHILD_STARTED, "CHILD_WORKFLOW_EXECUTION_COMPLETED", COMPLETED])
        await check(
            "a child's failure",
            simple(w.ChildFails.run),
            ["Fails", "Typed", "RETRY_POLICY_NOT_SET"],
            [STARTED, INITIATED, CHILD_STARTED, "CHILD_WORKFLOW_EXECUTION_FAILED", COMPLETED],
        )
        await check(
            "a child's timeout",
            simple(w.ChildTimesOut.run),
            "TimeoutError",
            [STARTED, INITIATED, CHILD_STARTED, "CHILD_WORKFLOW_EXECUTION_TIMED_OUT", COMPLETED],
        )
        await check("a child's id is taken", simple(w.ChildIdTaken.run), "taken", [STARTED, INITIATED, "START_CHILD_WORKFLOW_EXECUTION_FAILED", COMPLETED])

        async def leaves(workflow_id):
            await simple(w.LeavesChild.run)(workflow_id)
            child = self.client.get_workflow_handle(f"{workflow_id}-child")
            return await child.result()

        await check("a child is canceled with its parent", leaves, "cleaned", [STARTED, INITIATED, CHILD_STARTED, COMPLETED])

    async def runs(self) -> None:
        check, simple = self.check, self.simple
        await check("a timer", simple(w.Timer.run), "timed out", [STARTED, TIMER_STARTED, TIMER_FIRED, COMPLETED])

        async def continues(workflow_id):
            attributes = TypedSearchAttributes([SearchAttributePair(w.WORD, "kept")])
            h = await self.start(w.Continues.run, workflow_id, 2, memo={"left": 2}, search_attributes=attributes)
            result = await h.result()
            first = await self.types(workflow_id, h.first_execution_run_id)
            assert first == [STARTED, "WORKFLOW_EXECUTION_CONTINUED_AS_NEW"], first
            return result

        await check("continue as new with another memo", continues, [{"left": 0}, "kept", True], [STARTED, COMPLETED])

        async def fails(workflow_id):
            try:
                await simple(w.Fails.run)(workflow_id)
            except WorkflowFailureError as e:
                assert isinstance(e.cause, ApplicationError)
                return [e.cause.type, e.cause.non_retryable]

        await check("a typed failure", fails, ["Typed", True], [STARTED, FAILED])

        async def retried(workflow_id):
            policy = RetryPolicy(initial_interval=timedelta(milliseconds=10), maximum_attempts=3)
            h = await self.start(w.RunRetried.run, workflow_id, retry_policy=policy)
            result = await h.result()
            assert await self.types(workflow_id, h.first_execution_run_id) == [STARTED, FAILED]
            return result

        await check("a run is retried by its policy", retried, 2, [STARTED, COMPLETED])
        await check("a mistake in the code is mended", self.mended, "mended", [STARTED, COMPLETED])
        await check("a patch", simple(w.Patched.run), [True, True, 36], [STARTED, MARKER, UPSERTED, COMPLETED])

        async def annotated(workflow_id):
            attributes = TypedSearchAttributes([SearchAttributePair(w.WORD, "early"), SearchAttributePair(w.NUMBER, 7)])
            h = await self.start(w.Annotates.run, workflow_id, memo={"gone": 1, "stays": 2}, search_attributes=attributes)
            result = await h.result()
            d = await h.describe()
            assert await d.memo() == {"stays": 2, "new": 1}

            async def listed() -> bool:
                query = f"CustomKeywordField = 'later' AND CustomIntField IS NULL AND WorkflowId = '{workflow_id}'"
                return [x.id async for x in self.client.list_workflows(query)] == [workflow_id]

            await self.until(listed)
            return result

        await check(
            "attributes and memo",
            annotated,
            [{"stays": 2, "new": 1}, None],
            [STARTED, UPSERTED, "WORKFLOW_PROPERTIES_MODIFIED", COMPLETED],
        )

        async def cron(workflow_id):
            h = await self.start(w.CronRun.run, workflow_id, cron_schedule="@every 1s")
            results = []
            run_id = h.first_execution_run_id
            while len(results) < 2:
                run = self.client.get_workflow_handle(workflow_id, run_id=run_id)
                results.append(await self.result_of(run))
                run_id = results[-1][1]
            await self.client.get_workflow_handle(workflow_id).terminate()
            return [r for r, _ in results]

        await check("cron hands its result on", cron, [1, 2], [STARTED, "WORKFLOW_EXECUTION_TERMINATED"])

        async def delayed(workflow_id):
            h = await self.start(w.OneActivity.run, workflow_id, "late", start_delay=timedelta(milliseconds=400))
            d = await h.describe()
            assert d.execution_time and d.execution_time - d.start_time == timedelta(milliseconds=400)
            return await h.result()

        await check("a delayed start", delayed, "late", ONE)

        async def policies(workflow_id):
            running = await self.start(w.Greeter.run, workflow_id)
            same = await self.start(w.Greeter.run, workflow_id, id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING)
            assert same.first_execution_run_id in (None, running.first_execution_run_id)
            fresh = await self.start(w.OneActivity.run, workflow_id, "new", id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING)
            try:
                await running.result()
            except WorkflowFailureError as e:
                assert isinstance(e.cause, TerminatedError)
            result = await fresh.result()
            try:
                await self.start(w.Greeter.run, workflow_id, id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE)
            except WorkflowAlreadyStartedError:
                return [result, "rejected"]

        await check("an id's policies", policies, ["new", "rejected"], ONE)

        async def described(workflow_id):
            h = await self.start(
                w.Greeter.run,
                workflow_id,
                memo={"k": "v"},
                static_summary="short",
                static_details="long",
                priority=Priority(priority_key=2),
            )
            d = await h.describe()
            key = d.raw_description.workflow_execution_info.priority.priority_key
            told = [d.status.name if d.status else None, await d.memo(), await d.static_summary(), await d.static_details(), key]
            await h.terminate("enough")
            assert (await h.describe()).status.name == "TERMINATED"
            return told

        await check(
            "what describe tells",
            described,
            ["RUNNING", {"k": "v"}, "short", "long", 2],
            [STARTED, "WORKFLOW_EXECUTION_TERMINATED"],
        )

    async def updates(self) -> None:
        update = ["WORKFLOW_EXECUTION_UPDATE_ACCEPTED", "WORKFLOW_EXECUTION_UPDATE_COMPLETED"]

        async def answered(workflow_id):
            h = await self.start(w.Sums.run, workflow_id)
            said = [await h.execute_update(w.Sums.add, 1)]
            for n in (-1, 101):
                try:
                    await h.execute_update(w.Sums.add, n)
                except WorkflowUpdateFailedError as e:
                    said.append(e.cause.message)
            await h.signal(w.Sums.end)
            return [*said, await h.result()]

        await self.check(
            "updates are answered, rejected and failed", answered, [1, "only up", "too much", 1], [STARTED, *update, *update, SIGNALED, COMPLETED]
        )

        async def accepted(workflow_id):
            h = await self.start(w.Sums.run, workflow_id)
            u = await h.start_update(w.Sums.add, 11, wait_for_stage=WorkflowUpdateStage.ACCEPTED, id="mine")
            first = await u.result()
            again = await h.execute_update(w.Sums.add, 50, id="mine")
            await h.signal(w.Sums.end)
            result = await h.result()
            return [first, again, result, await h.get_update_handle_for(w.Sums.add, "mine").result()]

        await self.check(
            "an update is accepted first, and done once",
            accepted,
            [11, 11, 11, 11],
            [STARTED, update[0], TIMER_STARTED, TIMER_FIRED, update[1], SIGNALED, COMPLETED],
        )

        async def with_start(workflow_id):
            said = []
            for n in (1, 2):
                operation = WithStartWorkflowOperation(
                    w.Sums.run, id=workflow_id, task_queue=QUEUE, id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING
                )
                said.append(await self.client.execute_update_with_start_workflow(w.Sums.add, n, start_workflow_operation=operation))
            h = await operation.workflow_handle()
            refused = WithStartWorkflowOperation(w.Sums.run, id=workflow_id, task_queue=QUEUE, id_conflict_policy=WorkflowIDConflictPolicy.FAIL)
            try:
                await self.client.execute_update_with_start_workflow(w.Sums.add, 3, start_workflow_operation=refused)
            except WorkflowAlreadyStartedError as e:
                said.append(type(e).__name__)
            await h.signal(w.Sums.end)
            return [*said, await h.result()]

        await self.check(
            "an update with start starts once", with_start, [1, 3, "WorkflowAlreadyStartedError", 3], [STARTED, *update, *update, SIGNALED, COMPLETED]
        )

    async def result_of(self, run) -> tuple[int, str]:
        """A run's result and the run after it."""
        while True:
            last = (await self.history(run.id, run.run_id))[-1]
            if last.HasField("workflow_execution_completed_event_attributes"):
                attributes = last.workflow_execution_completed_event_attributes
                values = await self.client.data_converter.decode(attributes.result.payloads)
                return values[0], attributes.new_execution_run_id
            await asyncio.sleep(0.02)

    async def mended(self, workflow_id: str) -> str:
        result = await self.simple(w.Mistaken.run)(workflow_id)
        failed = (await self.find(workflow_id, "WORKFLOW_TASK_FAILED")).workflow_task_failed_event_attributes
        assert failed.failure.message == "a mistake", failed
        return result

    async def nexus(self) -> None:
        check, simple = self.check, self.simple
        endpoint = f"python-{uuid.uuid4()}"
        target = EndpointTarget(worker=EndpointTarget.Worker(namespace=self.client.namespace, task_queue=QUEUE))
        spec = EndpointSpec(name=endpoint, target=target)
        await self.client.operator_service.create_nexus_endpoint(CreateNexusEndpointRequest(spec=spec))

        def told(word: str):
            async def run(workflow_id: str):
                handle = await self.start(w.Calls.run, workflow_id, endpoint, "serve", workflow_id)
                await self.until_event(workflow_id, "NEXUS_OPERATION_STARTED")
                event = await self.find(workflow_id, "NEXUS_OPERATION_STARTED")
                assert event.links[0].workflow_event.workflow_id == n.served_by(workflow_id), event
                if word:
                    await self.client.get_workflow_handle(n.served_by(workflow_id)).signal(n.Serves.go, word)
                return (await handle.result()).replace(workflow_id, "W")

            return run

        async def canceled(workflow_id: str):
            return await (await self.start(w.CallsAndCancels.run, workflow_id, endpoint, workflow_id)).result()

        asked, began = "NEXUS_OPERATION_SCHEDULED", "NEXUS_OPERATION_STARTED"
        failed = [STARTED, asked, "NEXUS_OPERATION_FAILED", COMPLETED]
        answered = [STARTED, asked, "NEXUS_OPERATION_COMPLETED", COMPLETED]
        await check("a nexus operation answered at once", simple(w.Calls.run, endpoint, "echo", "hi"), "hi", answered)
        await check("a nexus operation that fails", simple(w.Calls.run, endpoint, "echo", "fail"), "ApplicationError: OperationError: failed on purpose", failed)
        await check("a nexus operation that is refused", simple(w.Calls.run, endpoint, "echo", "refuse"), "HandlerError: not like this", failed)
        served = [STARTED, asked, began]
        await check("a nexus operation served by a workflow", told("told"), "W told", [*served, "NEXUS_OPERATION_COMPLETED", COMPLETED])
        await check("one whose workflow fails", told("fail"), "ApplicationError: Broken: it broke", [*served, "NEXUS_OPERATION_FAILED", COMPLETED])
        await check("one that takes too long", told(""), "TimeoutError: operation timed out", [*served, "NEXUS_OPERATION_TIMED_OUT", COMPLETED])
        await check(
            "a nexus operation that is canceled",
            canceled,
            True,
            [*served, "NEXUS_OPERATION_CANCEL_REQUESTED", "NEXUS_OPERATION_CANCELED", COMPLETED],
            # The end of what was canceled may be heard of before the answer to the request, or with nobody left to hear that.
            chance=frozenset({"NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED"}),
        )

    async def replays(self) -> None:
        """Every closed run of this suite fits the code that made it, in the SDK's own replayer."""
        self.ran += 1
        replayer = Replayer(workflows=w.ALL)
        histories = self.client.list_workflows(f"TaskQueue = '{QUEUE}' AND ExecutionStatus = 'Completed'").map_histories()
        count = 0
        async with replayer.workflow_replay_iterator(histories) as results:
            async for result in results:
                count += 1
                if result.replay_failure is not None:
                    self.bad += 1
                    print(f"FAILED replay of {result.history.workflow_id}: {result.replay_failure}")
        print(f"ok {count} histories replay" if count > 25 else f"FAILED only {count} histories to replay")


async def main() -> int:
    # Failing activities and tasks are what is tested here.
    logging.disable(logging.CRITICAL)
    client = await Client.connect(sys.argv[1], runtime=Runtime(telemetry=TelemetryConfig(logging=None)))
    suite = Suite(client)
    with ThreadPoolExecutor(4) as pool:
        served = dict(workflows=w.ALL, activities=a.ALL, nexus_service_handlers=[n.DeskHandler()])
        async with Worker(client, task_queue=QUEUE, activity_executor=pool, **served):
            await suite.check_all()
    print(f"ran {suite.ran}", flush=True)
    return 1 if suite.bad else 0


if __name__ == "__main__":
    code = asyncio.run(main())
    # The SDK's threads and the interpreter's own end do not get on: a process that is done may die of it.
    sys.stdout.flush()
    os._exit(code)
