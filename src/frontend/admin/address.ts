/** How AdminService names an execution. Other archetypes than workflows are known to the official server by names of its own. */
import type { WorkflowExecution } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { invalidArgument } from "../../api/service-error.js";
import type { ExecutionAddress } from "../../core/input.js";
import type { Services } from "../services.js";
import { validateExecution } from "../validation/execution.js";

const WORKFLOW_ARCHETYPE = "workflow.workflow";

export function addressOf(s: Services, namespace: string, execution: WorkflowExecution | undefined): ExecutionAddress {
  const { workflowId, runId } = validateExecution(execution);
  return { namespaceId: s.namespaces.view(namespace).id, workflowId, runId };
}

/** Only workflows have the state, the history and the tasks that these calls are about. */
export function requireWorkflow({ archetype, archetypeId }: { archetype: string; archetypeId: number }): void {
  if (archetypeId !== 0) throw invalidArgument(`unknown archetype ID: ${archetypeId}`);
  if (archetype !== "" && archetype !== WORKFLOW_ARCHETYPE) throw invalidArgument(`unknown archetype: ${archetype}`);
}

export function checkShardId(s: Services, shardId: number): void {
  if (shardId <= 0) throw invalidArgument(`Invalid ShardID: ${shardId}`);
  if (shardId > s.server.historyShardCount) throw invalidArgument("shard Id cannot be larger than max shard count");
}
