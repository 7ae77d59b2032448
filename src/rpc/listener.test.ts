/** What connections may do to the port, and how it is closed. */
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { Client, credentials, type ServiceError as GrpcError } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WorkflowService } from "../../gen/wire/temporal/api/workflowservice/v1/service.js";
import type { Method } from "../api/call.js";
import { decode, encode } from "../api/wire.js";
import { Gate, type ListenerUnderTest, type Message, MessageType, openListenerUnderTest, path } from "./listener-under-test.js";
import { reply, WireClient } from "./wire-client.js";

const MIB = 1024 * 1024;
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
const HEALTH_REQUEST = "POST /grpc.health.v1.Health/Check HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

/** One that the other protocols know too. */
const LONG_POLL = {
  ...WorkflowService.methods.PollWorkflowTaskQueue,
  service: WorkflowService.typeName,
  handler: async () => {
    waiting.open();
    await answerWaiting.opened;
    return { attempt: 7 };
  },
  permission: "none",
  priority: 0,
  longPoll: true,
} as unknown as Method;

let server: ListenerUnderTest;
let waiting: Gate;
let answerWaiting: Gate<Message>;
let clients: WireClient[];
let sockets: Socket[];

beforeEach(async () => {
  waiting = new Gate();
  answerWaiting = new Gate();
  clients = [];
  sockets = [];
  server = await openListenerUnderTest({
    others: [LONG_POLL],
    handlers: {
      Wait: () => {
        waiting.open();
        return answerWaiting.opened;
      },
      PollForever: () => {
        waiting.open();
        return new Promise<Message>(() => undefined);
      },
    },
  });
});
afterEach(async () => {
  for (const c of clients) c.close();
  for (const s of sockets) s.destroy();
  await server.listener.close();
  await server.listener.drain(0);
});

async function http2(): Promise<WireClient> {
  const client = await WireClient.connect(server.port);
  clients.push(client);
  return client;
}

/** A connection by hand, what it has been told, and that it has been closed. */
async function raw(): Promise<{ socket: Socket; told: () => string; ended: Promise<unknown>; tells: (text: string) => Promise<void> }> {
  const socket = connect(server.port, "127.0.0.1");
  sockets.push(socket);
  let told = "";
  socket.on("data", (d: Buffer) => {
    told += d.toString("latin1");
  });
  socket.on("error", () => undefined);
  const ended = new Promise((resolve) => socket.once("close", resolve));
  await once(socket, "connect");
  return {
    socket,
    told: () => told,
    ended,
    tells: async (text) => {
      while (!told.includes(text)) await once(socket, "data");
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

describe("the first bytes of a connection", () => {
  it("tell HTTP/2 from HTTP/1.1 on one port", async () => {
    expect(await (await http2()).echo("two")).toBe("two");
    const one = await raw();
    one.socket.write(HEALTH_REQUEST);
    await one.tells("SERVING");
    expect(one.told()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    one.socket.write(HEALTH_REQUEST);
    await until(() => one.told().split("HTTP/1.1 200").length === 3);
  });

  it("may come one by one, and cost the others nothing meanwhile", async () => {
    const client = await http2();
    const slow = await raw();
    for (const byte of PREFACE) {
      slow.socket.write(byte);
      expect(await client.echo("fast")).toBe("fast");
    }
    slow.socket.write(SETTINGS);
    // Its own SETTINGS.
    await slow.tells("\0\0\0\x04\x01");
    const slowHttp1 = await raw();
    for (const byte of HEALTH_REQUEST.slice(0, 10)) {
      slowHttp1.socket.write(byte);
      expect(await client.echo("fast")).toBe("fast");
    }
    slowHttp1.socket.write(HEALTH_REQUEST.slice(10));
    await slowHttp1.tells("SERVING");
  });

  it("close the connection when they are rubbish, and harm no call in flight", async () => {
    const client = await http2();
    const inFlight = client.call({ path: path("Wait") });
    await waiting.opened;
    for (const rubbish of [
      "\0\x01\x02\x03\xff".repeat(100),
      "PRI * HTTP/1.1\r\n\r\n",
      "GET\r\n\r\n",
      `${PREFACE}${"\xff".repeat(200)}`,
      "\x16\x03\x01\x02\0\x01\0",
    ]) {
      const bad = await raw();
      bad.socket.write(Buffer.from(rubbish, "latin1"));
      await bad.ended;
    }
    answerWaiting.open({ workflowId: "unharmed", runId: "" });
    expect(reply(await inFlight).workflowId).toBe("unharmed");
    expect(server.errors).toEqual([]);
  });

  it("are waited for 30 seconds", async () => {
    const silent = await raw();
    const begun = await raw();
    begun.socket.write("PRI * HT");
    const alive = await http2();
    await until(() => server.runtime.timers.size === 3);
    server.runtime.elapse(29_999);
    expect(await alive.echo("x")).toBe("x");
    expect([silent.socket.closed, begun.socket.closed]).toEqual([false, false]);
    server.runtime.elapse(1);
    await Promise.all([silent.ended, begun.ended]);
    expect(await alive.echo("x")).toBe("x");
  });

  it("leave nothing behind when the connection goes before", async () => {
    const gone = await raw();
    gone.socket.write("PRI");
    await until(() => server.runtime.timers.size === 1);
    gone.socket.end();
    await until(() => server.runtime.timers.size === 0);
    expect(server.errors).toEqual([]);
  });
});

describe("an HTTP/1.1 request", () => {
  it("must be whole two minutes after its connection opened, or after the answer before", async () => {
    const slow = await raw();
    slow.socket.write("GET / HTTP/1.1\r\nhost: a\r\n");
    const second = await raw();
    second.socket.write(HEALTH_REQUEST);
    await second.tells("SERVING");
    second.socket.write(HEALTH_REQUEST.slice(0, -1));
    await until(() => server.runtime.timers.size === 2);
    server.runtime.elapse(119_999);
    expect([slow.socket.closed, second.socket.closed]).toEqual([false, false]);
    server.runtime.elapse(1);
    await Promise.all([slow.ended, second.ended]);
    await until(() => server.runtime.timers.size === 0);
  });
});

describe("an HTTP/1.1 call", () => {
  it("may take as long as it takes once its request is whole", async () => {
    const slow = await raw();
    slow.socket.write(HEALTH_REQUEST.replace("/grpc.health.v1.Health/Check", LONG_POLL.path));
    await waiting.opened;
    server.runtime.elapse(600_000);
    answerWaiting.open({ workflowId: "", runId: "" });
    await slow.tells('"attempt":7');
  });
});

describe("keepalive", () => {
  it("pings a connection every minute, idle or not, and keeps one that answers", async () => {
    const client = await http2();
    for (let i = 0; i < 3; i++) {
      const pinged = once(client.session, "ping");
      server.runtime.elapse(60_000);
      await pinged;
      await until(() => [...server.runtime.timers].every((t) => t.at === server.runtime.now + 60_000_000));
    }
    expect(await client.echo("alive")).toBe("alive");
  });

  it("closes a connection that does not answer, which cancels its calls, and no other", async () => {
    const client = await http2();
    const dead = await raw();
    dead.socket.write(PREFACE);
    dead.socket.write(SETTINGS);
    await dead.tells("\0\0\0\x04\x01");
    server.runtime.elapse(60_000);
    await dead.tells("\0\0\x08\x06\0");
    expect(await client.echo("alive")).toBe("alive");
    server.runtime.elapse(9_999);
    expect(dead.socket.closed).toBe(false);
    server.runtime.elapse(1);
    await dead.ended;
    expect(await client.echo("alive")).toBe("alive");
  });

  it("takes its times from the settings", async () => {
    const eager = await openListenerUnderTest({ limits: { keepAliveMs: 5_000, keepAliveTimeoutMs: 300 } });
    const client = await WireClient.connect(eager.port);
    const pinged = once(client.session, "ping");
    eager.runtime.elapse(5_000);
    expect([...eager.runtime.timers].map((t) => t.at - eager.runtime.now)).toEqual([300_000]);
    await pinged;
    client.close();
    await eager.listener.close();
  });

  it("leaves no timer of a connection that has gone", async () => {
    const client = await http2();
    const pinged = once(client.session, "ping");
    server.runtime.elapse(60_000);
    await pinged;
    client.close();
    await until(() => server.runtime.timers.size === 0);
  });
});

describe("drain", () => {
  it("lets calls in flight finish to their last byte, then closes their connection", async () => {
    const client = await http2();
    const inFlight = client.call({ path: path("Wait") });
    await waiting.opened;
    const goaway = once(client.session, "goaway");
    const closed = once(client.session, "close");
    const drained = server.listener.drain(60_000);
    expect((await goaway)[0]).toBe(0);
    const text = "x".repeat(8 * MIB);
    answerWaiting.open({ workflowId: text, runId: "" });
    await drained;
    await server.listener.close();
    expect(reply(await inFlight).workflowId).toBe(text);
    await closed;
  });

  it("refuses new calls and connections", async () => {
    const grpc = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
    const call = (name: string): Promise<string | number> =>
      new Promise((resolve) => {
        const answered = (e: GrpcError | null, m?: Message): void => resolve(e === null ? (m as Message).workflowId : e.code);
        grpc.makeUnaryRequest(
          path(name),
          (m: Message) => encode(MessageType, m),
          (b: Buffer) => decode(MessageType, b),
          { workflowId: "w", runId: "" },
          answered,
        );
      });
    const inFlight = call("Wait");
    await waiting.opened;
    const drained = server.listener.drain(60_000);
    const refused = connect(server.port, "127.0.0.1");
    expect((await once(refused, "error"))[0]).toMatchObject({ code: "ECONNREFUSED" });
    expect(await call("Echo")).toBe(14);
    answerWaiting.open({ workflowId: "done", runId: "" });
    expect(await inFlight).toBe("done");
    await drained;
    grpc.close();
  });

  it("closes idle connections of either kind at once, and waits for none", async () => {
    const client = await http2();
    const idle = await raw();
    idle.socket.write(HEALTH_REQUEST);
    await idle.tells("SERVING");
    const silent = await raw();
    const goaway = once(client.session, "goaway");
    await server.listener.drain(60_000);
    await Promise.all([goaway, idle.ended, silent.ended]);
    await until(() => server.runtime.timers.size === 0);
  });

  it("answers requests of the other protocols with 503", async () => {
    const client = await http2();
    const inFlight = client.call({ path: path("Wait") });
    await waiting.opened;
    const open = await raw();
    open.socket.write(HEALTH_REQUEST);
    await open.tells("SERVING");
    const drained = server.listener.drain(60_000);
    open.socket.write(HEALTH_REQUEST);
    await open.tells("HTTP/1.1 503");
    answerWaiting.open({ workflowId: "", runId: "" });
    await inFlight;
    await drained;
  });

  it("gives up when its time is over, and close() ends what is left", async () => {
    const client = await http2();
    const inFlight = client.call({ path: path("PollForever") });
    await waiting.opened;
    let isDrained = false;
    const drained = server.listener.drain(1_500).then(() => {
      isDrained = true;
    });
    server.runtime.elapse(1_499);
    await new Promise((resolve) => setImmediate(resolve));
    expect(isDrained).toBe(false);
    server.runtime.elapse(1);
    await drained;
    await server.listener.close();
    expect((await inFlight).status).toBeUndefined();
  });
});

describe("a burst of resets", () => {
  it("of more than 10,000 ends its connection and leaves the others alone", async () => {
    const other = await http2();
    const inFlight = other.call({ path: path("Wait") });
    await waiting.opened;
    const session = connectHttp2(`http://127.0.0.1:${server.port}`);
    session.on("error", () => undefined);
    await once(session, "remoteSettings");
    let refusal: number | undefined;
    session.on("goaway", (code) => {
      refusal = code;
    });
    let resets = 0;
    while (resets < 20_000 && !session.destroyed && !session.closed) {
      for (let i = 0; i < 50; i++, resets++) {
        const stream = session.request({ ":method": "POST", ":path": path("Wait"), "content-type": "application/grpc" });
        stream.on("error", () => undefined);
        stream.close(8);
      }
      await new Promise((resolve) => (session.closed || session.destroyed ? resolve(undefined) : session.ping(resolve)));
    }
    expect(session.destroyed || session.closed).toBe(true);
    expect(refusal).toBe(11);
    expect(resets).toBeGreaterThanOrEqual(10_000);
    expect(resets).toBeLessThan(11_000);
    session.destroy();
    answerWaiting.open({ workflowId: "unharmed", runId: "" });
    expect(reply(await inFlight).workflowId).toBe("unharmed");
    expect(await (await http2()).echo("new")).toBe("new");
    expect(server.errors).toEqual([]);
  });
});
