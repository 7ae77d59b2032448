/**
 * The real server on a disk with a bound (full-disk.c), under load: while there is no room, what would change anything is refused and
 * changes nothing, what was acknowledged can be read, and whatever had begun goes on as soon as there is room, with nobody's help.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { Code } from "../../src/api/service-error.js";
import { GrpcSubject } from "../conformance/grpc-subject.js";
import { Session } from "../conformance/session.js";
import { type ServerProcess, startServer, temporaryDirectory } from "../harness/server-process.js";
import { checkImage } from "./check-image.js";
import { buildLibrary, NO_COMPILER } from "./durability.js";
import { type Acknowledged, Load, type Refused } from "./load.js";
import { PARENT_TYPE, QUEUE } from "./program.js";

const library = buildLibrary("full-disk", temporaryDirectory());
if (library === undefined) process.stdout.write(`${NO_COMPILER}\n`);

const PLENTY = 1n << 30n;
const FULL = { code: Code.RESOURCE_EXHAUSTED, message: "the disk is full" };

class Disk {
  private readonly directory = temporaryDirectory();
  private readonly leftFile = join(this.directory, "left");
  private readonly at = join(this.directory, "disk");
  readonly file = join(this.at, "d.db");
  readonly counterFile = join(this.directory, "counter");

  constructor() {
    mkdirSync(this.at);
    writeFileSync(this.counterFile, Buffer.alloc(8));
    writeFileSync(this.leftFile, Buffer.alloc(8));
    this.left = PLENTY;
  }

  set left(bytes: bigint) {
    const b = Buffer.alloc(8);
    b.writeBigInt64LE(bytes);
    // Its bytes are mapped by the server: they are written over, never cut off first.
    writeFileSync(this.leftFile, b, { flag: "r+" });
  }

  get left(): bigint {
    return readFileSync(this.leftFile).readBigInt64LE();
  }

  async start(...args: string[]): Promise<ServerProcess> {
    const server = await startServer(["--db-filename", this.file, ...args], {
      LD_PRELOAD: library as string,
      FULL_DIRECTORY: this.at,
      FULL_LEFT: this.leftFile,
    });
    onTestFinished(async () => void (await server.stop("SIGKILL")));
    return server;
  }
}

function session(server: ServerProcess): Session {
  const subject = new GrpcSubject(server.address);
  onTestFinished(() => subject.close());
  return new Session(subject);
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  for (const end = Date.now() + 30_000; !isSo(); await new Promise((resolve) => setTimeout(resolve, 5)))
    if (Date.now() > end) throw new Error(`never: ${what}`);
}

/** Whatever was started by `acknowledged` is listed, counted and has its history. */
async function canBeRead(s: Session, acknowledged: readonly Acknowledged[]): Promise<void> {
  const runs = acknowledged.filter((a) => a.fact.kind === "started").map(({ workflowId, runId }) => ({ workflowId, runId }));
  const query = `WorkflowType = '${PARENT_TYPE}'`;
  const listed = new Set<string>();
  let nextPageToken: Uint8Array = new Uint8Array(0);
  do {
    const page = await s.call("ListWorkflowExecutions", { query, pageSize: 100, nextPageToken });
    for (const e of page.executions) listed.add(e.execution?.runId ?? "");
    nextPageToken = page.nextPageToken;
  } while (nextPageToken.length > 0);
  expect(runs.filter((r) => !listed.has(r.runId))).toEqual([]);
  expect((await s.call("CountWorkflowExecutions", { query })).count).toBeGreaterThanOrEqual(runs.length);
  for (const execution of runs.slice(-10)) {
    expect((await s.call("GetWorkflowExecutionHistory", { execution })).history?.length).toBeGreaterThan(0);
    await s.call("DescribeWorkflowExecution", { execution });
  }
  await s.call("DescribeTaskQueue", { taskQueue: { name: QUEUE, kind: 1 }, taskQueueType: 1, reportStats: true });
}

describe.skipIf(library === undefined).each(["engine", "writer"] as const)("on a full disk, with commits on the %s's thread", (thread) => {
  it("changes are refused and change nothing, reads go on, also after a kill, and with room again everything does", {
    timeout: 120_000,
  }, async () => {
    const disk = new Disk();
    const acknowledged: Acknowledged[] = [];
    const refused: Refused[] = [];
    const load = (server: ServerProcess, name: string): Load =>
      new Load({
        ...{ address: server.address, counterFile: disk.counterFile, acknowledged, refused },
        ...{ clients: name === "finish" ? 0 : 6, payloadBytes: 3_000, seed: 1, name },
      });
    let server = await disk.start("--commit-thread", thread);
    const first = load(server, "first");
    first.begin();
    await until("enough is acknowledged", () => acknowledged.length > 200);
    disk.left = 50_000n;
    await until("the disk is full", () => refused.length > 50);
    disk.left = 0n;
    let s = session(server);
    await canBeRead(s, [...acknowledged]);
    // The log may have begun anew meanwhile: then it has room for a few.
    let refusal: unknown;
    for (let i = 0; refusal === undefined && i < 1_000; i++)
      refusal = await s.call("RegisterNamespace", { namespace: `n${i}`, workflowExecutionRetentionPeriod: { seconds: 86_400, nanos: 0 } }).then(
        () => undefined,
        (e: unknown) => e,
      );
    expect(refusal).toMatchObject(FULL);
    expect(new Set(refused.map((r) => r.message))).toEqual(new Set([FULL.message]));

    disk.left = PLENTY;
    const before = acknowledged.length;
    await until("it goes on", () => acknowledged.length > before + 100);
    disk.left = 0n;
    const refusals = refused.length;
    await until("it is full again", () => refused.length > refusals + 50);
    await server.stop("SIGKILL");
    await first.stop();

    server = await disk.start("--commit-thread", thread);
    s = session(server);
    expect(disk.left).toBeLessThan(100_000n);
    disk.left = 0n;
    await canBeRead(s, acknowledged);
    disk.left = PLENTY;
    const second = load(server, "finish");
    second.begin();
    expect(await second.finishAll(30_000)).toEqual([]);
    expect(await server.stop()).toBe(0);
    await second.stop();
    expect(await checkImage(disk.file, acknowledged, new Set(refused.map((r) => r.requestId)))).toEqual([]);
  });
});

describe.skipIf(library === undefined)("on a full disk", () => {
  it("a server that has no room to open its file says so in one line; with a little it opens, and can be read", async () => {
    const disk = new Disk();
    expect(await (await disk.start()).stop()).toBe(0);
    // Without room for its lock, and for the index of the log.
    for (const left of [0n, 1_000n]) {
      disk.left = left;
      await expect(disk.start()).rejects.toThrow(/ended with 1: perdure: .*d\.db cannot be opened: the disk is full\n$/);
    }
    disk.left = 33_000n;
    const server = await disk.start();
    const s = session(server);
    await expect(s.start()).rejects.toMatchObject(FULL);
    expect((await s.call("ListNamespaces", {})).namespaces.map((n) => n.namespaceInfo?.name)).toContain("default");
    expect(await server.stop()).toBe(0);
    disk.left = PLENTY;
    expect(await (await disk.start()).stop()).toBe(0);
  });
});
