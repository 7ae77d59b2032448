"""A Nexus service that the suite's worker serves, and the workflow behind one of its operations."""

import nexusrpc
from temporalio import nexus, workflow
from temporalio.exceptions import ApplicationError


@nexusrpc.service
class Desk:
    echo: nexusrpc.Operation[str, str]
    serve: nexusrpc.Operation[str, str]


@workflow.defn
class Serves:
    """Waits to be told, or to be canceled."""

    def __init__(self) -> None:
        self.told = ""

    @workflow.signal
    def go(self, word: str) -> None:
        self.told = word

    @workflow.run
    async def run(self, value: str) -> str:
        await workflow.wait_condition(lambda: self.told != "")
        if self.told == "fail":
            raise ApplicationError("it broke", type="Broken")
        return f"{value} {self.told}"


@nexusrpc.handler.service_handler(service=Desk)
class DeskHandler:
    @nexusrpc.handler.sync_operation
    async def echo(self, _ctx: nexusrpc.handler.StartOperationContext, value: str) -> str:
        if value == "fail":
            raise nexusrpc.OperationError("failed on purpose", state=nexusrpc.OperationErrorState.FAILED)
        if value == "refuse":
            raise nexusrpc.HandlerError("not like this", type=nexusrpc.HandlerErrorType.BAD_REQUEST)
        return value

    @nexus.workflow_run_operation
    async def serve(self, ctx: nexus.WorkflowRunOperationContext, value: str) -> nexus.WorkflowHandle[str]:
        return await ctx.start_workflow(Serves.run, value, id=served_by(value))


def served_by(value: str) -> str:
    return f"{value}-served"
