/** What a workflow with one activity costs the store, with pollers waiting: docs/ARCHITECTURE.md section 5. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { SqliteStore } from "../../src/persistence/sqlite/store.js";
import { CoreSubject } from "../conformance/core-subject.js";
import { command as c, payloads, Session } from "../conformance/session.js";
import { temporaryDirectory } from "../harness/temporary-directory.js";

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

it("a workflow with one activity: 4 commits, 18 rows, less than 120 KiB of log", async () => {
  const file = join(temporaryDirectory(), "data.db");
  const store = await SqliteStore.open({ file, durability: "full", commitThread: "engine", pragmas: [], logger: SILENT, onFatal: () => undefined });
  const core = await CoreSubject.open(store);
  const s = new Session(core);

  /** Everything from the start to the close event, each poller waiting before its task is there. */
  const workflow = async (id: string) => {
    const first = s.workflowTask();
    const activity = s.activityTask();
    await core.sleep(1);
    await s.start({ workflowId: id, input: payloads("in") });
    const t = await first;
    const second = s.workflowTask();
    await core.sleep(1);
    await s.call("RespondWorkflowTaskCompleted", {
      taskToken: t.taskToken,
      identity: "worker",
      commands: [c.activity(s, "a", { input: payloads("in") })],
    });
    const a = await activity;
    await s.call("RespondActivityTaskCompleted", { taskToken: a.taskToken, identity: "worker", result: payloads("out") });
    const t2 = await second;
    await s.call("RespondWorkflowTaskCompleted", { taskToken: t2.taskToken, identity: "worker", commands: [c.complete(payloads("out"))] });
  };
  // The first one also writes what the process keeps of itself.
  await workflow("first");
  const before = store.statistics();
  const count = 20;
  for (let i = 0; i < count; i++) await workflow(`measured-${i}`);
  const after = store.statistics();
  const each = {
    commits: (after.commits - before.commits) / count,
    rows: (after.rows - before.rows) / count,
    logKib: (after.walBytes - before.walBytes) / count / 1024,
  };
  process.stdout.write(`each workflow: ${JSON.stringify(each)}\n`);
  expect(each.commits).toBe(4);
  expect(each.rows).toBeLessThanOrEqual(18);
  expect(each.logKib).toBeLessThan(120);
  core.close();
  await store.close();
});
