/** How long a caller of an update waits, and who ends the wait. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { CoreSubject } from "../../../test/conformance/core-subject.js";
import { Session } from "../../../test/conformance/session.js";
import * as c from "../../../test/harness/core-commands.js";
import { Code } from "../../api/service-error.js";

let core: CoreSubject;
let s: Session;
beforeEach(async () => {
  core = await CoreSubject.open();
  s = new Session(core);
  await s.running();
});
afterEach(() => core.close());

const ask = (updateId: string, timeoutMs: number) => {
  const { request, waitPolicy } = c.update(updateId);
  return s.call("UpdateWorkflowExecution", { workflowExecution: { workflowId: s.id }, request, waitPolicy } as never, timeoutMs);
};
const poll = (updateId: string, lifecycleStage: number, timeoutMs: number) =>
  s.call(
    "PollWorkflowExecutionUpdate",
    { updateRef: { workflowExecution: { workflowId: s.id }, updateId }, waitPolicy: { lifecycleStage } },
    timeoutMs,
  );
const complete = (taskToken: Uint8Array, messages: object[]) => s.call("RespondWorkflowTaskCompleted", { taskToken, messages } as never);

it("the server's patience ends after 20 seconds, with the stage that is reached", async () => {
  expect(await ask("u", 60_000)).toMatchObject({ stage: 1, outcome: undefined, link: undefined, updateRef: { updateId: "u" } });
  const t = await s.workflowTask();
  await complete(t.taskToken, [c.accepted("u")]);
  expect(await ask("u", 60_000)).toMatchObject({ stage: 2, outcome: undefined, link: { variant: { case: "workflowEvent" } } });
  expect(await poll("u", 3, 60_000)).toMatchObject({ stage: 2 });
});

it("a caller with less patience than the server is told that its time is up, and the update goes on", async () => {
  await expect(ask("u", 2_000)).rejects.toMatchObject({ code: Code.DEADLINE_EXCEEDED });
  const again = ask("u", 60_000);
  const t = await s.workflowTask();
  expect(t.messages).toHaveLength(1);
  await complete(t.taskToken, [c.accepted("u"), c.responded("u", "late")]);
  expect(await again).toMatchObject({ stage: 3, outcome: { value: { case: "success", value: c.payloads("late") } } });
});

it("an update without an id gets one, and a poll by it finds it", async () => {
  const asked = ask("", 60_000);
  const t = await s.workflowTask();
  const id = t.messages[0]?.protocolInstanceId ?? "";
  await complete(t.taskToken, [c.accepted(id), c.responded(id)]);
  expect(await asked).toMatchObject({ updateRef: { updateId: id } });
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(await poll(id, 3, 10_000)).toMatchObject({ stage: 3 });
});
