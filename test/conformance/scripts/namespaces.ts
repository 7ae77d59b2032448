/** The end of namespaces, clusters, archival where nothing is set up to archive. */
import { Payload } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { encode } from "../../../src/api/wire.js";
import { type Script, type Session, seconds } from "../session.js";

/** The official server lets few namespaces be made at a time. */
const patiently = async <T>(s: Session, f: () => Promise<T>): Promise<T> => {
  for (;;) {
    try {
      return await f();
    } catch (e) {
      if (!(e instanceof Error) || !e.message.includes("rate limit exceeded")) throw e;
      await s.sleep(500);
    }
  }
};

const RETENTION = { workflowExecutionRetentionPeriod: seconds(86_400) };

const register = async (s: Session, namespace = `${s.id}-ns`, extra: object = {}): Promise<{ namespace: string; id: string }> => {
  await patiently(s, () => s.call("RegisterNamespace", { namespace, ...RETENTION, ...extra }));
  await s.until("the namespace is usable", () =>
    s.call("CountWorkflowExecutions", { namespace, query: "" }).then(
      () => true,
      () => false,
    ),
  );
  return { namespace, id: (await s.call("DescribeNamespace", { namespace })).namespaceInfo?.id ?? "" };
};

const hour = seconds(3600);

export const scripts: Record<string, Script> = {
  "a namespace is deleted with what is in it": async (s) => {
    const { namespace, id } = await register(s);
    await s.start({ namespace });
    await s.start({ namespace, workflowId: `${s.id}-closed` });
    await s.call("TerminateWorkflowExecution", { namespace, workflowExecution: { workflowId: `${s.id}-closed` }, reason: "r" });
    await s.until("they are listed", async () => (await s.call("CountWorkflowExecutions", { namespace, query: "" })).count === 2);
    const { deletedNamespace } = await patiently(s, () => s.call("DeleteNamespace", { namespace }));
    s.note("its new name", deletedNamespace === `${namespace}-deleted-${id.slice(0, 5)}`);
    const isGone = () =>
      s.call("DescribeNamespace", { namespace: "", id }).then(
        () => false,
        () => true,
      );
    // The official server takes its time.
    for (let patience = 3; patience > 0; patience--)
      await s.until("it is gone", isGone).catch((e: unknown) => {
        if (patience === 1) throw e;
      });
    await s.refused("DescribeNamespace", { namespace });
    await s.refused("StartWorkflowExecution", { namespace, workflowId: "w", workflowType: { name: "T" }, taskQueue: { name: s.queue } });
  },
  "a deleted namespace that stays for a while": async (s) => {
    const { namespace, id } = await register(s);
    await s.start({ namespace });
    const { deletedNamespace } = await patiently(s, () => s.call("DeleteNamespace", { namespace: "", namespaceId: id, namespaceDeleteDelay: hour }));
    await s.until("its name is free", () =>
      s.call("DescribeNamespace", { namespace }).then(
        () => false,
        () => true,
      ),
    );
    const shown = await s.call("DescribeNamespace", { namespace: deletedNamespace });
    s.note("state", [shown.namespaceInfo?.state, shown.namespaceInfo?.id === id]);
    const names = async (includeDeleted: boolean) =>
      (await s.call("ListNamespaces", { pageSize: 1000, namespaceFilter: { includeDeleted } })).namespaces.map((n) => n.namespaceInfo?.name);
    s.note("listed", [(await names(false)).includes(deletedNamespace), (await names(true)).includes(deletedNamespace)]);
    await s.until("nothing can be started in it", () =>
      s
        .call("StartWorkflowExecution", { namespace: deletedNamespace, workflowId: "w", workflowType: { name: "T" }, taskQueue: { name: s.queue } })
        .then(
          () => false,
          (e: Error) => e.message.includes("invalid state"),
        ),
    );
    await s
      .call("DeleteNamespace", { namespace: deletedNamespace, namespaceDeleteDelay: hour })
      .then((r) => s.note("once more", r.deletedNamespace === deletedNamespace));
    const again = await register(s, namespace);
    s.note("another of that name", again.id !== id);
    // The official server may remember for a moment that there was none.
    await s.refused("CountWorkflowExecutions", { namespace: "there-is-no-such-namespace" });
  },
  "deletions refused": async (s) => {
    await s.refused("DeleteNamespace", { namespace: "" });
    await s.refused("DeleteNamespace", { namespace: "there-is-no-such-namespace" });
    await s.refused("DeleteNamespace", { namespace: "", namespaceId: "11111111-2222-4333-8444-555555555555" });
    await s.refused("DeleteNamespace", { namespace: "default", namespaceId: "11111111-2222-4333-8444-555555555555" });
    await s.refused("DeleteNamespace", { namespace: "temporal-system" });
  },
  "remote clusters": async (s) => {
    await s.refused("RemoveRemoteCluster", { clusterName: "nowhere" });
    await s.refused("RemoveRemoteCluster", { clusterName: "" });
    await s.refused("RemoveRemoteCluster", { clusterName: "active" });
    await s.shown("ListClusters", {}, (l) => [
      l.clusters.length,
      l.clusters[0]?.clusterName,
      l.clusters[0]?.isConnectionEnabled,
      l.nextPageToken.length,
    ]);
    await s.shown("ListClusters", { pageSize: 1 }, (l) => l.clusters.length);
  },
  "archival that is not set up": async (s) => {
    const archival = { historyArchivalState: 2 as const, historyArchivalUri: "file:///tmp/archive", visibilityArchivalState: 2 as const };
    const { namespace } = await register(s, undefined, { ...archival, visibilityArchivalUri: "no uri" });
    const of = (c: { historyArchivalState?: number; historyArchivalUri?: string; visibilityArchivalState?: number } | undefined) => [
      c?.historyArchivalState,
      c?.historyArchivalUri,
      c?.visibilityArchivalState,
    ];
    await s.shown("DescribeNamespace", { namespace }, (d) => of(d.config));
    await s.shown("UpdateNamespace", { namespace, config: archival }, (d) => of(d.config));
    await s.refused("ListArchivedWorkflowExecutions", { namespace });
    await s.refused("ListArchivedWorkflowExecutions", { namespace, pageSize: 10_001 });
    await s.refused("ListArchivedWorkflowExecutions", { namespace: "there-is-no-such-namespace" });
    await s.refused("GetWorkflowExecutionHistory", { namespace, execution: { workflowId: "w", runId: "11111111-2222-4333-8444-555555555555" } });
  },
  "an attribute that is removed": async (s) => {
    const { namespace } = await register(s);
    await s.call("AddSearchAttributes", { namespace, searchAttributes: { Colour: 2 } });
    await s.until("it is usable", () =>
      s.call("CountWorkflowExecutions", { namespace, query: "Colour = 'x'" }).then(
        () => true,
        () => false,
      ),
    );
    const red = encode(Payload, { metadata: { encoding: Buffer.from("json/plain") }, data: Buffer.from('"red"') });
    await s.start({ namespace, searchAttributes: { indexedFields: { Colour: red } } });
    await s.until("it is found by it", async () => (await s.call("CountWorkflowExecutions", { namespace, query: "Colour = 'red'" })).count === 1);
    await s.call("RemoveSearchAttributes", { namespace, searchAttributes: ["Colour"] });
    await s.until("it is not found by it", () =>
      s.call("CountWorkflowExecutions", { namespace, query: "Colour = 'red'" }).then(
        () => false,
        () => true,
      ),
    );
    await s.refused("CountWorkflowExecutions", { namespace, query: "Colour = 'red'" });
    await s.shown("ListWorkflowExecutions", { namespace, query: "" }, (l) => [
      l.executions.length,
      Object.keys(l.executions[0]?.searchAttributes?.indexedFields ?? {}).includes("Colour"),
    ]);
    await s.refused("StartWorkflowExecution", {
      namespace,
      workflowId: `${s.id}-2`,
      workflowType: { name: "T" },
      taskQueue: { name: s.queue },
      searchAttributes: { indexedFields: { Colour: red } },
    });
  },
};
