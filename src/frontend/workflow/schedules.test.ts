/** What a caller sees of a schedule that it has just told to act. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { CoreSubject } from "../../../test/conformance/core-subject.js";
import { Session } from "../../../test/conformance/session.js";

let core: CoreSubject;
let s: Session;
beforeEach(async () => {
  core = await CoreSubject.open();
  s = new Session(core);
});
afterEach(() => core.close());

const startWorkflow = () => ({ workflowId: s.id, workflowType: { name: "T" }, taskQueue: { name: "q" } });
const create = (more: object = {}) =>
  s.call("CreateSchedule", {
    scheduleId: s.id,
    requestId: s.id,
    schedule: { action: { action: { case: "startWorkflow", value: startWorkflow() } } },
    ...more,
  } as never);
const describe = () =>
  s.call("DescribeSchedule", { scheduleId: s.id } as never) as Promise<{
    info?: { actionCount: number; recentActions: object[]; bufferSize: number };
  }>;

it("describe after a trigger shows the workflow that it has started", async () => {
  await create();
  await s.call("PatchSchedule", { scheduleId: s.id, requestId: "trigger", patch: { triggerImmediately: {} } } as never);
  expect((await describe()).info).toMatchObject({ actionCount: 1, recentActions: [{}], bufferSize: 0 });
});

it("describe after a creation with a trigger shows the workflow that it has started", async () => {
  await create({ initialPatch: { triggerImmediately: {} } });
  expect((await describe()).info).toMatchObject({ actionCount: 1, recentActions: [{}], bufferSize: 0 });
});
