/** How workflows of a namespace change status, as a stream by the real server. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { command as c, NAMESPACE, type Session, seconds } from "../conformance/session.js";
import { readTables } from "../harness/file-tables.js";
import { ServerOnFile } from "../harness/server-on-file.js";
import { EventReader } from "./event-source.js";

let server: ServerOnFile;
const readers: EventReader[] = [];

beforeEach(async () => {
  server = new ServerOnFile(["--dynamic-config-value", "history.statusChangesKept=512"]);
  await server.start();
});
afterEach(async () => {
  for (const r of readers.splice(0)) await r.close();
});

interface Change {
  readonly workflowId: string;
  readonly status: string;
}
const open = async (r: EventReader, namespace = NAMESPACE): Promise<Response> => {
  readers.push(r);
  return r.connect(`http://${server.address}/workflow/stream?namespace=${namespace}`);
};
const changesOf = (r: EventReader, s?: Session): string[] =>
  (r.of("workflow") as Change[]).filter((w) => s === undefined || w.workflowId === s.id).map((w) => w.status);
const isAt = (r: EventReader, status: string) => () => changesOf(r).includes(status);

it("tells every change of every workflow, and nothing else", async () => {
  const r = new EventReader();
  await open(r);
  await r.until((e) => e.length === 1);
  expect(r.events[0]).toMatchObject({ event: "namespace", id: "0", data: { namespace: NAMESPACE } });
  const [a, b] = [server.session(), server.session()];
  const runId = await a.running();
  await b.running();
  await a.signal("no change of status");
  await b.call("PauseWorkflowExecution", { workflowId: b.id, identity: "test", requestId: "p" });
  await b.call("UnpauseWorkflowExecution", { workflowId: b.id, identity: "test", requestId: "u" });
  await a.answer([c.continueAsNew({ taskQueue: { name: a.queue, kind: 1 } })]);
  await b.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: b.id } });
  await r.until(isAt(r, "terminated"));
  expect(changesOf(r, a)).toEqual(["running", "continued_as_new", "running"]);
  expect(changesOf(r, b)).toEqual(["running", "paused", "running", "terminated"]);
  expect(r.of("workflow")[0]).toMatchObject({ workflowId: a.id, runId, taskQueue: a.queue, workflowType: "T", closeTime: null });
  expect(r.events.slice(1).map((e) => e.id)).toEqual(["1", "2", "3", "4", "5", "6", "7"]);
});

it("goes on after the reader's last id, each change once, when the server was killed", async () => {
  const r = new EventReader();
  await open(r);
  const started = new Set<string>();
  const startSome = async (n: number): Promise<void> => {
    await Promise.allSettled(
      Array.from({ length: n }, async () => {
        const s = server.session();
        await s.start();
        started.add(s.id);
      }),
    );
  };
  for (let round = 0; round < 3; round++) {
    const starts = startSome(40);
    await r.until(() => changesOf(r).length >= round * 10 + 10);
    await server.stop("SIGKILL");
    await starts;
    await r.ended;
    await server.start();
    // While nobody listens.
    await startSome(5);
    expect((await open(r)).status).toBe(200);
  }
  const marker = server.session();
  await marker.start();
  await r.until(() => (r.of("workflow") as Change[]).some((w) => w.workflowId === marker.id));
  const ids = (r.of("workflow") as Change[]).map((w) => w.workflowId);
  expect(new Set(ids).size).toBe(ids.length);
  // A start whose answer was lost may have happened: the stream may tell of more than was acknowledged, never of less.
  expect([...started].filter((id) => !ids.includes(id))).toEqual([]);
  const numbers = r.events.filter((e) => e.event === "workflow").map((e) => Number(e.id));
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
});

it("answers 410 when changes after the reader's place are no longer kept", async () => {
  const r = new EventReader();
  await open(r);
  await r.until((e) => e.length === 1);
  await r.close();
  const s = server.session();
  const states = Array.from({ length: 600 }, (_, i) => s.start({ workflowId: `${s.id}-${i}` }));
  await Promise.all(states);
  await Promise.all(
    Array.from({ length: 600 }, (_, i) => s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: `${s.id}-${i}` } })),
  );
  const response = await open(r);
  expect([response.status, ((await response.json()) as { error: string }).error]).toEqual([410, "CursorExpiredError"]);
  const fresh = new EventReader();
  expect((await open(fresh)).status).toBe(200);
});

it("costs nothing in a namespace that nobody follows, and leaves nothing of one that is deleted", async () => {
  const s = server.session();
  await s.call("RegisterNamespace", { namespace: "followed", workflowExecutionRetentionPeriod: seconds(86_400) });
  const r = new EventReader();
  await open(r, "followed");
  await s.start({ namespace: "followed", workflowId: "in-followed" });
  await s.start();
  await r.until(isAt(r, "running"));
  expect(r.of("workflow")).toMatchObject([{ workflowId: "in-followed" }]);
  const { namespaceInfo } = await s.call("DescribeNamespace", { namespace: "followed" });
  await s.call("DeleteNamespace", { namespace: "followed", namespaceDeleteDelay: seconds(0) } as never);
  await s.until("the namespace has gone", async () => {
    const left = await s.call("DescribeNamespace", { namespace: "", id: namespaceInfo?.id ?? "" }).catch(() => undefined);
    return left === undefined;
  });
  await r.ended;
  await server.stop();
  expect(readTables(server.file).holding(["in-followed", namespaceInfo?.id ?? "none"])).toEqual([]);
});
