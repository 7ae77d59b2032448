/** The bound on what a connection's peer has not taken, alone and on a real port. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Gate, type ListenerUnderTest, type Message, openListenerUnderTest, path } from "../listener-under-test.js";
import { frame, message, reply, WireClient } from "../wire-client.js";
import { Outbox } from "./outbox.js";

const MIB = 1024 * 1024;

describe("Outbox", () => {
  let started: string[];
  let outbox: Outbox;
  beforeEach(() => {
    started = [];
    outbox = new Outbox(100);
  });
  const enqueue = (name: string, bytes: number): (() => void) => outbox.enqueue(bytes, () => started.push(name));

  it("starts large replies in order while they fit, and the next when one has gone", () => {
    enqueue("a", 60);
    enqueue("b", 50);
    // It would fit, and waits its turn.
    enqueue("c", 10);
    expect(started).toEqual(["a"]);
    expect(outbox.unsentBytes).toBe(120);
    outbox.closed(60);
    expect(started).toEqual(["a", "b", "c"]);
    outbox.closed(50);
    outbox.closed(10);
    expect(outbox.unsentBytes).toBe(0);
  });

  it("counts small replies, which never wait", () => {
    outbox.started(90);
    enqueue("a", 20);
    expect(started).toEqual([]);
    outbox.closed(90);
    expect(started).toEqual(["a"]);
  });

  it("lets a reply larger than the bound go alone", () => {
    enqueue("a", 10);
    enqueue("huge", 500);
    enqueue("b", 10);
    expect(started).toEqual(["a"]);
    outbox.closed(10);
    expect(started).toEqual(["a", "huge"]);
    outbox.closed(500);
    expect(started).toEqual(["a", "huge", "b"]);
  });

  it("forgets a reply that is withdrawn, which may let the next start", () => {
    enqueue("a", 60);
    const withdraw = enqueue("b", 50);
    enqueue("c", 40);
    withdraw();
    withdraw();
    expect(started).toEqual(["a", "c"]);
    expect(outbox.unsentBytes).toBe(100);
  });

  it("has room for polls below the bound, for other calls below four times the bound", () => {
    const run: string[] = [];
    const ask = (name: string, isPoll: boolean): (() => void) => outbox.whenRoom(isPoll, () => run.push(name));
    outbox.started(100);
    expect([outbox.hasRoom(true), outbox.hasRoom(false)]).toEqual([false, true]);
    outbox.started(300);
    expect([outbox.hasRoom(true), outbox.hasRoom(false)]).toEqual([false, false]);
    ask("poll", true);
    const leave = ask("gone", true);
    ask("call", false);
    leave();
    outbox.closed(100);
    expect(run).toEqual(["call"]);
    outbox.closed(200);
    expect(run).toEqual(["call"]);
    outbox.closed(100);
    expect(run).toEqual(["call", "poll"]);
  });
});

describe("a connection", () => {
  let server: ListenerUnderTest;
  let client: WireClient;
  let ran: string[];
  let called: Gate;

  beforeEach(async () => {
    ran = [];
    called = new Gate();
    const text = "x".repeat(3 * MIB);
    server = await openListenerUnderTest({
      handlers: {
        Large: (m: Message) => {
          ran.push(`Large ${m.workflowId}`);
          return { workflowId: text, runId: m.workflowId };
        },
        PollTask: (m: Message) => {
          ran.push(`Poll ${m.workflowId}`);
          return m;
        },
        Call: (m: Message) => {
          ran.push(`Call ${m.workflowId}`);
          called.open();
          return m;
        },
      },
    });
    client = await WireClient.connect(server.port);
  });
  afterEach(async () => {
    client.close();
    await server.listener.close();
    await server.listener.drain(0);
  });

  it("carries 60 answers of 3 MiB at once", async () => {
    const names = Array.from({ length: 60 }, (_, i) => `${i}`);
    const answers = await Promise.all(names.map((n) => client.call({ path: path("Large"), chunks: [frame(message(n))] })));
    expect(answers.map((a) => [a.status, reply(a).runId, reply(a).workflowId.length])).toEqual(names.map((n) => [0, n, 3 * MIB]));
  });

  /** Calls whose answers the client does not read. */
  async function unread(count: number): Promise<{ readAll: () => Promise<number[]>; cancelAll: () => void }> {
    const streams = Array.from({ length: count }, (_, i) => {
      const stream = client.session.request({ ":method": "POST", ":path": path("Large"), "content-type": "application/grpc", te: "trailers" });
      stream.on("error", () => undefined);
      stream.end(frame(message(`${i}`)));
      return stream;
    });
    // What the server has read when it answers this, it has begun to work on.
    while (ran.length < count) await new Promise((resolve) => client.session.ping(resolve));
    await new Promise((resolve) => client.session.ping(resolve));
    return {
      readAll: () =>
        Promise.all(
          streams.map(
            (s) =>
              new Promise<number>((resolve) => {
                let bytes = 0;
                s.on("data", (d: Buffer) => {
                  bytes += d.length;
                });
                s.on("close", () => resolve(bytes));
              }),
          ),
        ),
      cancelAll: () => {
        // The last first: answers go that have not started.
        for (const s of streams.reverse()) s.close(8);
      },
    };
  }

  it("that does not take its answers gets no polls served, but other calls, and all of them once it reads", async () => {
    const large = await unread(11);
    const poll = client.call({ path: path("PollTask"), chunks: [frame(message("p"))] });
    const call = client.call({ path: path("Call"), chunks: [frame(message("c"))] });
    await called.opened;
    expect(ran.slice(11)).toEqual(["Call c"]);
    const sizes = await large.readAll();
    expect(sizes.every((n) => n > 3 * MIB)).toBe(true);
    expect([(await poll).status, (await call).status]).toEqual([0, 0]);
    expect(ran.slice(11)).toEqual(["Call c", "Poll p"]);
  });

  it("below the bound gets its polls served", async () => {
    const large = await unread(10);
    const poll = client.call({ path: path("PollTask"), chunks: [frame(message("p"))] });
    void client.call({ path: path("Call"), chunks: [frame(message("c"))] });
    await called.opened;
    expect(ran.slice(10)).toEqual(["Poll p", "Call c"]);
    await large.readAll();
    expect((await poll).status).toBe(0);
  });

  it("gets its polls served when the calls that it does not read are cancelled, and not those polls that are", async () => {
    const large = await unread(40);
    const gone = client.send({ path: path("PollTask"), chunks: [frame(message("gone"))] });
    const poll = client.call({ path: path("PollTask"), chunks: [frame(message("p"))] });
    void client.call({ path: path("Call"), chunks: [frame(message("c"))] });
    await called.opened;
    gone.stream.close(8);
    await gone.answer;
    large.cancelAll();
    expect((await poll).status).toBe(0);
    expect(ran.slice(40)).toEqual(["Call c", "Poll p"]);
  });

  it("that does not take its answers makes no other wait", async () => {
    await unread(40);
    const other = await WireClient.connect(server.port);
    expect((await other.call({ path: path("PollTask") })).status).toBe(0);
    expect((await other.call({ path: path("Large") })).body.length).toBeGreaterThan(3 * MIB);
    other.close();
  });
});
