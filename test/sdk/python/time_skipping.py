"""The Python SDK's time-skipping environment, run from an existing executable.

Argument: the executable.
"""

import asyncio
import os
import sys
import time
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateStage
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

QUEUE = "time-skipping"


@activity.defn
async def fail_three_times() -> int:
    attempt = activity.info().attempt
    if attempt < 4:
        raise RuntimeError("again")
    return attempt


@workflow.defn
class Sleeps:
    @workflow.run
    async def run(self, days: float) -> float:
        before = workflow.now()
        await asyncio.sleep(days * 86_400)
        return (workflow.now() - before) / timedelta(days=1)


@workflow.defn
class Retries:
    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity(
            fail_three_times,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(initial_interval=timedelta(hours=10)),
        )


@workflow.defn
class Updated:
    """Its updates sleep for days; it ends as it is told, whatever its updates still do."""

    def __init__(self) -> None:
        self.end = ""

    @workflow.run
    async def run(self, runs: int) -> str:
        await workflow.wait_condition(lambda: self.end != "")
        if self.end == "failure":
            raise ApplicationError("as told", non_retryable=True)
        if self.end == "continue-as-new" and runs == 0:
            workflow.continue_as_new(1)
        return self.end

    @workflow.update(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def sleep(self, days: float) -> str:
        await asyncio.sleep(days * 86_400)
        return f"slept {days:.0f} days"

    @sleep.validator
    def check(self, days: float) -> None:
        if days < 0:
            raise ValueError("no way back")

    @workflow.signal
    def finish(self, how: str) -> None:
        self.end = how


async def updates(env: WorkflowEnvironment, start) -> None:
    handle = await start(Updated.run, 0, id="updated")
    print("an update", await handle.execute_update(Updated.sleep, 20.0))
    try:
        await handle.execute_update(Updated.sleep, -1.0)
    except WorkflowUpdateFailedError as e:
        print("refused:", e.cause)
    for how in ["cancellation", "failure", "continue-as-new"]:
        with env.auto_time_skipping_disabled():
            handle = await start(Updated.run, 0, id=how)
            update = await handle.start_update(Updated.sleep, 9.0, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
            await (handle.cancel() if how == "cancellation" else handle.signal(Updated.finish, how))
            try:
                await update.result()
                print(how, "and a result")
            except WorkflowUpdateFailedError as e:
                print(how, e.cause.type)


async def main(executable: str) -> None:
    begin = time.monotonic()
    # Without the core's log, which goes to the standard output too: it says there what the server's end cut off.
    runtime = Runtime(telemetry=TelemetryConfig(logging=None))
    async with await WorkflowEnvironment.start_time_skipping(test_server_existing_path=executable, runtime=runtime) as env:
        async with Worker(env.client, task_queue=QUEUE, workflows=[Sleeps, Retries, Updated], activities=[fail_three_times]):

            def start(run, *args, id):
                return env.client.start_workflow(run, *args, id=id, task_queue=QUEUE)

            slept = await (await start(Sleeps.run, 100.0, id="sleeps")).result()
            print("slept", round(slept), "days")
            print("retried", await (await start(Retries.run, id="retries")).result(), "times")
            await updates(env, start)
            before = await env.get_current_time()
            handle = await start(Sleeps.run, 10.0, id="beside")
            await env.sleep(timedelta(days=11))
            described = await handle.describe()
            passed = await env.get_current_time() - before
            is_done = described.close_time is not None and timedelta(days=11) <= passed < timedelta(days=12)
            print("the test slept" if is_done else f"{described.status} after {passed}")
            with env.auto_time_skipping_disabled():
                real = time.monotonic()
                await (await start(Sleeps.run, 1.5 / 86_400, id="real")).result()
                print("real time" if time.monotonic() - real >= 1.5 else "no real time")
    print("quick" if time.monotonic() - begin < 20 else "slow")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
    # The SDK's threads and the interpreter's own end do not get on: a process that is done may die of it.
    sys.stdout.flush()
    os._exit(0)
