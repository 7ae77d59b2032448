/** Namespaces, search attributes through OperatorService, what the server says of itself. */
import { type Script, type Session, seconds } from "../session.js";

/** A namespace of the script's own, usable. */
const register = async (s: Session, extra: object = {}) => {
  const namespace = `${s.id}-ns`;
  await s.call("RegisterNamespace", {
    namespace,
    description: "d",
    ownerEmail: "o@example.org",
    workflowExecutionRetentionPeriod: seconds(3 * 86_400),
    data: { k: "v" },
    ...extra,
  });
  await s.until("the namespace is known", () =>
    s.call("DescribeNamespace", { namespace }).then(
      () => true,
      () => false,
    ),
  );
  return namespace;
};

export const scripts: Record<string, Script> = {
  "a namespace from its beginning": async (s) => {
    const namespace = await register(s);
    await s.shown("DescribeNamespace", { namespace });
    await s.refused("RegisterNamespace", { namespace, workflowExecutionRetentionPeriod: seconds(86_400) });
    await s.shown("UpdateNamespace", {
      namespace,
      updateInfo: { description: "new", data: { other: "w" } },
      config: { workflowExecutionRetentionTtl: seconds(5 * 86_400) },
    });
    await s.call("DeprecateNamespace", { namespace });
    await s.until("it is deprecated", async () => (await s.call("DescribeNamespace", { namespace })).namespaceInfo?.state === 2);
  },
  "a namespace refused": async (s) => {
    const retention = { workflowExecutionRetentionPeriod: seconds(86_400) };
    await s.refused("RegisterNamespace", { namespace: "", ...retention });
    await s.refused("RegisterNamespace", { namespace: `${s.id}-x` });
    await s.refused("RegisterNamespace", { namespace: `${s.id}-x`, workflowExecutionRetentionPeriod: seconds(60) });
    await s.refused("RegisterNamespace", { namespace: "x".repeat(1001), ...retention });
    await s.refused("RegisterNamespace", { namespace: "no spaces please", ...retention });
    await s.refused("RegisterNamespace", { namespace: "default", ...retention });
    await s.refused("RegisterNamespace", { namespace: `${s.id}-x`, isGlobalNamespace: true, ...retention });
    await s.refused("UpdateNamespace", { namespace: "there-is-no-such-namespace", updateInfo: { description: "d" } });
    await s.refused("UpdateNamespace", { namespace: "" });
    await s.refused("DescribeNamespace", { namespace: "there-is-no-such-namespace" });
    await s.refused("DescribeNamespace", { namespace: "" });
    await s.refused("DeprecateNamespace", { namespace: "there-is-no-such-namespace" });
    await s.refused("DeprecateNamespace", { namespace: "" });
  },
  "namespaces listed": async (s) => {
    const namespace = await register(s);
    const names: string[] = [];
    let nextPageToken: Uint8Array = new Uint8Array(0);
    do {
      const r = await s.call("ListNamespaces", { pageSize: 1, nextPageToken });
      names.push(...r.namespaces.map((n) => n.namespaceInfo?.name ?? ""));
      nextPageToken = r.nextPageToken;
    } while (nextPageToken.length > 0);
    s.note(
      "among them",
      [namespace, "default"].map((n) => names.includes(n)),
    );
  },
  "the default namespace": async (s) => {
    await s.shown("DescribeNamespace", { namespace: "default" }, (d) => [
      d.namespaceInfo?.name,
      d.namespaceInfo?.state,
      d.config?.workflowExecutionRetentionTtl,
      d.isGlobalNamespace,
      d.namespaceInfo?.limits,
    ]);
    await s.shown("DescribeNamespace", { namespace: "temporal-system" }, (d) => [
      d.namespaceInfo?.name,
      d.namespaceInfo?.state,
      d.config?.workflowExecutionRetentionTtl,
    ]);
  },
  "search attributes come and go": async (s) => {
    const namespace = await register(s);
    await s.call("AddSearchAttributes", { namespace, searchAttributes: { Colour: 2, Amount: 3 } });
    await s.until("they are listed", async () => Object.keys((await s.call("ListSearchAttributes", { namespace })).customAttributes).length === 2);
    await s.shown("ListSearchAttributes", { namespace }, (r) => r.customAttributes);
    await s.call("RemoveSearchAttributes", { namespace, searchAttributes: ["Colour"] });
    await s.until("one is gone", async () => Object.keys((await s.call("ListSearchAttributes", { namespace })).customAttributes).length === 1);
    await s.shown("ListSearchAttributes", { namespace }, (r) => r.customAttributes);
  },
  "search attributes refused": async (s) => {
    const namespace = await register(s);
    await s.refused("AddSearchAttributes", { namespace });
    await s.refused("AddSearchAttributes", { namespace, searchAttributes: { WorkflowId: 2 } });
    await s.refused("RemoveSearchAttributes", { namespace });
    await s.refused("RemoveSearchAttributes", { namespace, searchAttributes: ["WorkflowId"] });
    await s.refused("RemoveSearchAttributes", { namespace, searchAttributes: ["Nope"] });
    await s.refused("AddSearchAttributes", { namespace: "there-is-no-such-namespace", searchAttributes: { Colour: 2 } });
    await s.refused("ListSearchAttributes", { namespace: "there-is-no-such-namespace" });
  },
  "what the server is": async (s) => {
    await s.shown("GetClusterInfo", {}, (r) => [Object.keys(r.supportedClients).sort(), r.persistenceStore !== "", r.visibilityStore !== ""]);
    await s.shown("GetSearchAttributes", {}, (r) =>
      ["WorkflowId", "RunId", "WorkflowType", "StartTime", "CloseTime", "ExecutionStatus", "TaskQueue", "HistoryLength"].map((k) => [k, r.keys[k]]),
    );
    await s.shown("GetSystemInfo", {}, (r) => [r.capabilities, r.serverVersion !== ""]);
    await s.shown("RecordWorkerHeartbeat", { identity: "worker", workerHeartbeat: [{ workerInstanceKey: s.id }] });
    await s.refused("RecordWorkerHeartbeat", { namespace: "there-is-no-such-namespace" });
    await s.shown("ListClusters", {}, (l) => l.clusters.length);
  },
  "calls of no namespace": async (s) => {
    const execution = { workflowId: s.id };
    await s.refused("StartWorkflowExecution", { namespace: "", workflowId: s.id, workflowType: { name: "T" }, taskQueue: { name: s.queue } });
    await s.refused("DescribeWorkflowExecution", { namespace: "", execution });
    await s.refused("GetWorkflowExecutionHistory", { namespace: "", execution });
    await s.refused("SignalWorkflowExecution", { namespace: "", workflowExecution: execution, signalName: "x" });
    await s.refused("PollWorkflowTaskQueue", { namespace: "", taskQueue: { name: s.queue } });
    await s.refused("ListWorkflowExecutions", { namespace: "" });
  },
  "requests that lack what they need": async (s) => {
    const workflowExecution = { workflowId: s.id };
    await s.refused("SignalWorkflowExecution", { signalName: "x" });
    await s.refused("SignalWorkflowExecution", { workflowExecution });
    await s.refused("SignalWorkflowExecution", { workflowExecution, signalName: "x".repeat(1001) });
    await s.refused("SignalWorkflowExecution", { workflowExecution, signalName: "x", requestId: "x".repeat(1001) });
    await s.refused("SignalWorkflowExecution", { workflowExecution: { workflowId: s.id, runId: "no uuid" }, signalName: "x" });
    await s.refused("RequestCancelWorkflowExecution", {});
    await s.refused("RequestCancelWorkflowExecution", { workflowExecution: { workflowId: s.id, runId: "no uuid" } });
    await s.refused("TerminateWorkflowExecution", {});
    await s.refused("TerminateWorkflowExecution", { workflowExecution: { workflowId: s.id, runId: "no uuid" } });
    await s.refused("DescribeWorkflowExecution", {});
    await s.refused("DescribeWorkflowExecution", { execution: { workflowId: s.id, runId: "no uuid" } });
    await s.refused("DescribeWorkflowExecution", { execution: { workflowId: "x".repeat(1001) } });
  },
};
