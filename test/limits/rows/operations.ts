/** Settings of operators' calls: batch operations, the deletion of namespaces, archives. */
import type { Session } from "../../conformance/session.js";
import { type Group, refusal } from "../row.js";

const batch = (s: Session) => ({ jobId: s.id, reason: "r", visibilityQuery: "WorkflowType = 'T'" });

export const operations: Group = {
  name: "operations",
  settings: ["frontend.enableBatcher=false", 'worker.protectedNamespaces=["default"]', "frontend.visibilityArchivalQueryMaxPageSize=5"],
  rows: [
    {
      keys: ["frontend.enableBatcher"],
      breach: "batch operations where there are to be none",
      play: async (s) => [
        await refusal(s, "StartBatchOperation", { ...batch(s), operation: { case: "terminationOperation", value: {} } } as never),
        await refusal(s, "StopBatchOperation", { jobId: s.id, reason: "r" } as never),
        await refusal(s, "DescribeBatchOperation", { jobId: s.id } as never),
        await refusal(s, "ListBatchOperations", {}),
      ],
      answer: Array.from({ length: 4 }, () => ["PERMISSION_DENIED", "Batch operation feature are disabled on this namespace."]),
    },
    {
      keys: ["worker.protectedNamespaces"],
      breach: "the deletion of a namespace that is protected",
      play: (s) => refusal(s, "DeleteNamespace", { namespace: "default" } as never),
      answer: ["FAILED_PRECONDITION", "namespace default is protected from deletion"],
    },
    {
      keys: ["frontend.visibilityArchivalQueryMaxPageSize"],
      breach: "a larger page of archived runs",
      play: (s) => refusal(s, "ListArchivedWorkflowExecutions", { pageSize: 6 } as never),
      answer: ["INVALID_ARGUMENT", "PageSize is larger than allowed 5."],
    },
  ],
};

export const batches: Group = {
  name: "batches",
  settings: ["frontend.MaxConcurrentBatchOperationPerNamespace=0", "frontend.enableBatchOperationsForStandaloneActivities=false"],
  rows: [
    {
      keys: ["frontend.MaxConcurrentBatchOperationPerNamespace"],
      breach: "one batch operation more",
      play: (s) => refusal(s, "StartBatchOperation", { ...batch(s), operation: { case: "terminationOperation", value: {} } } as never),
      answer: ["RESOURCE_EXHAUSTED", "Max concurrent batch operations is reached"],
    },
    {
      keys: ["frontend.enableBatchOperationsForStandaloneActivities"],
      breach: "a batch operation on standalone activities",
      play: (s) => refusal(s, "StartBatchOperation", { ...batch(s), operation: { case: "cancelActivitiesOperation", value: {} } } as never),
      answer: [
        "INVALID_ARGUMENT",
        "The operation type *workflowservice.StartBatchOperationRequest_CancelActivitiesOperation is not supported for this namespace",
      ],
    },
  ],
};
