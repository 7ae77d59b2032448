/**
 * AdminService: dead letters. There are none: a task of history is tried until it succeeds, and nothing is replicated. So queues of
 * dead letters are listed as none, and one that is asked for by name is not found, in the official server's words.
 */
import { createHash } from "node:crypto";
import type {
  CancelDLQJobRequest,
  CancelDLQJobResponse,
  DescribeDLQJobRequest,
  DescribeDLQJobResponse,
  GetDLQMessagesRequest,
  GetDLQMessagesResponse,
  GetDLQTasksRequest,
  GetDLQTasksResponse,
  ListQueuesRequest,
  ListQueuesResponse,
  MergeDLQMessagesRequest,
  MergeDLQMessagesResponse,
  MergeDLQTasksRequest,
  MergeDLQTasksResponse,
  PurgeDLQMessagesRequest,
  PurgeDLQMessagesResponse,
  PurgeDLQTasksRequest,
  PurgeDLQTasksResponse,
} from "../../../gen/wire/temporal/server/api/adminservice/v1/request_response.js";
import type { HistoryDLQKey } from "../../../gen/wire/temporal/server/api/common/v1/dlq.js";
import { DeadLetterQueueType } from "../../../gen/wire/temporal/server/api/enums/v1/common.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument, notFound, unavailable } from "../../api/service-error.js";
import type { Services } from "../services.js";
import { checkShardId } from "./address.js";

const CATEGORIES: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 7]);
/** Number of the official server's kind of queue. */
const HISTORY_DLQ = 2;

function checkKey(key: HistoryDLQKey | undefined): HistoryDLQKey {
  if (key === undefined || key.sourceCluster === "") throw invalidArgument("SourceCluster is not set on request.");
  if (key.targetCluster === "") throw invalidArgument("TargetCluster is not set on request.");
  if (!CATEGORIES.has(key.taskCategory)) throw invalidArgument(`Invalid task category id: ${key.taskCategory}`);
  return key;
}

function noQueue(call: string, { taskCategory, sourceCluster, targetCluster }: HistoryDLQKey): Error {
  const sha = (data: string | Uint8Array) => createHash("sha256").update(data).digest();
  const suffix = sha(Buffer.concat([sha(sourceCluster), sha(targetCluster)]))
    .toString("base64")
    .slice(0, 8);
  const name = `${taskCategory}_${sourceCluster}_${targetCluster}_${suffix}`;
  return unavailable(`${call} failed. Error: queue not found: type = ${HISTORY_DLQ} and name = ${name}`);
}

export const getDLQTasks =
  (_s: Services): Handler<GetDLQTasksRequest, GetDLQTasksResponse> =>
  ({ dlqKey, pageSize }) => {
    const key = checkKey(dlqKey);
    if (pageSize <= 0) throw invalidArgument("Invalid PageSize.");
    throw noQueue("GetDLQTasks", key);
  };

export const purgeDLQTasks =
  (_s: Services): Handler<PurgeDLQTasksRequest, PurgeDLQTasksResponse> =>
  ({ dlqKey }) => {
    throw noQueue("PurgeDLQTasks", checkKey(dlqKey));
  };

export const mergeDLQTasks =
  (_s: Services): Handler<MergeDLQTasksRequest, MergeDLQTasksResponse> =>
  ({ dlqKey }) => {
    throw noQueue("MergeDLQTasks", checkKey(dlqKey));
  };

export const describeDLQJob =
  (_s: Services): Handler<DescribeDLQJobRequest, DescribeDLQJobResponse> =>
  () => {
    throw notFound("there is no such job: no queue of dead letters was ever purged or merged");
  };

export const cancelDLQJob =
  (_s: Services): Handler<CancelDLQJobRequest, CancelDLQJobResponse> =>
  () => {
    throw notFound("there is no such job: no queue of dead letters was ever purged or merged");
  };

export const listQueues =
  (_s: Services): Handler<ListQueuesRequest, ListQueuesResponse> =>
  ({ pageSize }) => {
    if (pageSize <= 0) throw invalidArgument("Invalid PageSize.");
    return {};
  };

/** The older queues: of replication by shard, and of namespaces. */
function checkOlder(s: Services, { type, shardId }: { type: DeadLetterQueueType; shardId: number }): void {
  if (type === DeadLetterQueueType.REPLICATION) checkShardId(s, shardId);
  else if (type !== DeadLetterQueueType.NAMESPACE) throw invalidArgument("The DLQ type is not supported.");
}

export const getDLQMessages =
  (s: Services): Handler<GetDLQMessagesRequest, GetDLQMessagesResponse> =>
  (request) => {
    checkOlder(s, request);
    return {};
  };

export const purgeDLQMessages =
  (s: Services): Handler<PurgeDLQMessagesRequest, PurgeDLQMessagesResponse> =>
  (request) => {
    checkOlder(s, request);
    return {};
  };

export const mergeDLQMessages =
  (s: Services): Handler<MergeDLQMessagesRequest, MergeDLQMessagesResponse> =>
  (request) => {
    checkOlder(s, request);
    return {};
  };
