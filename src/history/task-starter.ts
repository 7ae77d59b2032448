/** Starts tasks from the backlog for matching. */
import type { PollActivityTaskQueueRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { ExecutionAddress, Poller } from "../core/input.js";
import type { DispatchTask, StartedActivity, StartedWorkflowTask } from "../core/transition.js";
import type { TaskStarter } from "../matching/contract.js";
import type { BacklogKey } from "../persistence/batch.js";
import type { HistoryEngine } from "./history-engine.js";

const addressOf = ({ namespaceId, workflowId, runId, archetype }: DispatchTask): ExecutionAddress =>
  archetype === undefined ? { namespaceId, workflowId, runId } : { namespaceId, workflowId, runId, archetype };
const options = (consumed: BacklogKey | undefined, isGone: () => boolean) => (consumed === undefined ? { isGone } : { consumed, isGone });

export class EngineTaskStarter implements TaskStarter {
  constructor(private readonly engine: HistoryEngine) {}

  startWorkflowTask(task: DispatchTask, poller: Poller, consumed: BacklogKey | undefined, isGone: () => boolean): Promise<StartedWorkflowTask> {
    this.engine.tookWaiting(task.createTime);
    return this.engine.submit(
      addressOf(task),
      { kind: "startWorkflowTask", scheduledEventId: task.scheduledEventId, attempt: task.attempt, stamp: task.stamp, poller },
      options(consumed, isGone),
    );
  }

  startActivity(
    task: DispatchTask,
    poller: Poller,
    request: PollActivityTaskQueueRequest,
    consumed: BacklogKey | undefined,
    isGone: () => boolean,
  ): Promise<StartedActivity> {
    this.engine.tookWaiting(task.createTime);
    return this.engine.submit(
      addressOf(task),
      {
        kind: "startActivity",
        scheduledEventId: task.scheduledEventId,
        attempt: task.attempt,
        stamp: task.stamp,
        poller,
        metadata: request.taskQueueMetadata,
      },
      options(consumed, isGone),
    );
  }

  drop(_task: DispatchTask, consumed: BacklogKey): Promise<void> {
    return this.engine.rows.commitSurely((rows) => rows.writeBacklog(consumed, { op: "delete" }));
  }
}
