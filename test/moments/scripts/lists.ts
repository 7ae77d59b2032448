/** What lists, task queues, workers, namespaces and batch operations say of times. */
import { command as c, seconds } from "../../conformance/session.js";
import type { MomentScript, MomentSession } from "../moment-session.js";

const mine = (s: MomentSession) => ({ query: `WorkflowId = '${s.id}'` });

export const scripts: Record<string, MomentScript> = {
  "a workflow listed while it waits, runs and is closed": async (s) => {
    await s.start({ workflowExecutionTimeout: seconds(60), workflowStartDelay: seconds(2) });
    await s.goTo(1);
    s.leaves("waits", await s.call("ListWorkflowExecutions", mine(s)));
    const t = await s.workflowTaskBy(4);
    await s.goTo(3.5);
    s.leaves("runs", await s.call("ListWorkflowExecutions", mine(s)));
    await s.complete(t, c.complete());
    await s.goTo(5);
    s.leaves("closed", await s.call("ListWorkflowExecutions", mine(s)));
  },
  "runs of a chain, listed": async (s) => {
    await s.start();
    await s.answer([c.continueAsNew({ taskQueue: { name: s.queue }, backoffStartInterval: seconds(2) })]);
    await s.goTo(1);
    const { executions } = await s.call("ListWorkflowExecutions", mine(s));
    executions.sort((a, b) => a.status - b.status);
    s.leaves("rows", executions);
  },
  "a backlog of workflow tasks": async (s) => {
    for (let i = 0; i < 3; i++) await s.start({ workflowId: `${s.id}-${i}` });
    await s.goTo(2.5);
    const { stats } = await s.call("DescribeTaskQueue", {
      taskQueue: { name: s.queue },
      taskQueueType: 1,
      reportStats: true,
    });
    s.leaves("waits", { count: stats?.approximateBacklogCount, age: stats?.approximateBacklogAge });
    await s.workflowTaskBy(5);
    const { pollers } = await s.call("DescribeTaskQueue", { taskQueue: { name: s.queue }, taskQueueType: 1, reportPollers: true });
    s.leaves("pollers", pollers);
  },
  "a worker's heartbeat": async (s) => {
    const workerHeartbeat = {
      workerInstanceKey: s.id,
      workerIdentity: "w",
      taskQueue: s.queue,
      status: 1,
      startTime: s.moment(-60),
      heartbeatTime: s.moment(-1),
      elapsedSinceLastHeartbeat: seconds(10),
    };
    await s.call("RecordWorkerHeartbeat", { workerHeartbeat: [workerHeartbeat] });
    await s.goTo(1);
    s.leaves("described", await s.call("DescribeWorker", { workerInstanceKey: s.id }));
    s.leaves("listed", (await s.call("ListWorkers", { query: `WorkerInstanceKey = '${s.id}'` })).workers);
  },
  "a batch operation": async (s) => {
    await s.start();
    await s.goTo(1.5);
    const jobId = `${s.id}-job`;
    await s.call("StartBatchOperation", {
      jobId,
      reason: "r",
      executions: [{ workflowId: s.id }],
      operation: { case: "signalOperation", value: { signal: "s", identity: "x" } } as never,
    });
    await s.until("the job has ended", async () => (await s.call("DescribeBatchOperation", { jobId })).state >= 2);
    s.leaves("ended", await s.call("DescribeBatchOperation", { jobId }));
  },
};
