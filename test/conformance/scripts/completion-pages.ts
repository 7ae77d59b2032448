/** Completions of workflow tasks that come in pages. */
import { command as c, type Script, type Session, seconds } from "../session.js";

const page = (s: Session, taskToken: Uint8Array, pageNumber: number, commands: ReturnType<typeof c.marker>[], intermediatePage = true) =>
  s.call("RespondWorkflowTaskCompleted", { taskToken, identity: "worker", commands, pageNumber, intermediatePage });
const refused = (s: Session, taskToken: Uint8Array, extra: object) =>
  s.refused("RespondWorkflowTaskCompleted", { taskToken, identity: "worker", ...extra });

export const scripts: Record<string, Script> = {
  "pages are one completion, in their order, however they come": async (s) => {
    await s.start();
    const { taskToken } = await s.workflowTask();
    await page(s, taskToken, 1, [c.marker("third")]);
    await page(s, taskToken, 0, [c.marker("first"), c.marker("second")]);
    // Sent again, a page is what it was.
    await page(s, taskToken, 0, [c.marker("another")]);
    await page(s, taskToken, 2, [c.complete()], false);
    await s.history();
  },
  "a page changes nothing before the last one has come": async (s) => {
    await s.start({ workflowTaskTimeout: seconds(1) });
    const { taskToken } = await s.workflowTask();
    await page(s, taskToken, 0, [c.marker("lost")]);
    await s.signal("meanwhile");
    const again = await s.workflowTask();
    s.note("attempt", again.attempt);
    await refused(s, taskToken, { pageNumber: 1, commands: [c.complete()] });
    await refused(s, again.taskToken, { pageNumber: 1, commands: [c.complete()] });
    await page(s, again.taskToken, 0, [c.marker("kept")]);
    await page(s, again.taskToken, 1, [c.complete()], false);
    await s.history();
  },
  "pages that are lost are sent again from the first one on": async (s) => {
    await s.start();
    const { taskToken } = await s.workflowTask();
    await refused(s, taskToken, { pageNumber: 2, commands: [c.complete()] });
    await page(s, taskToken, 0, [c.marker("0")]);
    await refused(s, taskToken, { pageNumber: 2, commands: [c.complete()] });
    // The refusal has lost the first page, too.
    await page(s, taskToken, 1, [c.marker("1")]);
    await refused(s, taskToken, { pageNumber: 2, commands: [c.complete()] });
    await page(s, taskToken, 0, [c.marker("0")]);
    await page(s, taskToken, 1, [c.marker("1")]);
    await page(s, taskToken, 2, [c.complete()], false);
    await s.history();
  },
  "pages that are none": async (s) => {
    await s.start();
    const { taskToken } = await s.workflowTask();
    const commands = [c.marker("m")];
    await refused(s, taskToken, { pageNumber: 0, intermediatePage: true });
    await refused(s, taskToken, { pageNumber: -1, intermediatePage: true, commands });
    await refused(s, taskToken, { pageNumber: 1024, intermediatePage: true, commands });
    await refused(s, taskToken, { pageNumber: 1024, commands });
    // A bad page takes those before it along.
    await page(s, taskToken, 0, commands);
    await refused(s, taskToken, { pageNumber: 1, intermediatePage: true });
    await refused(s, taskToken, { pageNumber: 1, commands });
    await page(s, taskToken, -1, [c.complete()], false);
    await s.history();
  },
  "a command of an earlier page that is refused fails the task": async (s) => {
    await s.start();
    const { taskToken } = await s.workflowTask();
    await page(s, taskToken, 0, [c.timer("", 1)]);
    await refused(s, taskToken, { pageNumber: 1, commands: [c.complete()] });
    await s.answer([c.complete()]);
    await s.history();
  },
  "pages of a task that is over": async (s) => {
    await s.start();
    const { taskToken } = await s.workflowTask();
    await page(s, taskToken, 0, [c.marker("unused")]);
    await s.call("RespondWorkflowTaskCompleted", { taskToken, identity: "worker", commands: [c.timer("t", 60)] });
    await refused(s, taskToken, { pageNumber: 0, intermediatePage: true, commands: [c.marker("m")] });
    await refused(s, taskToken, { pageNumber: 1, commands: [c.complete()] });
    await s.history();
  },
};
