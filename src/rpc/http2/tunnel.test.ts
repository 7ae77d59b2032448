/** What is not ours to serve, on its way through a connection of ours to Node's http2: alone, and beside everything else on a real listener. */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer as createHttp2,
  type Http2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { type AddressInfo, connect as connectSocket, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../../gen/wire/grpc/health/v1/health.js";
import { WorkflowService } from "../../../gen/wire/temporal/api/workflowservice/v1/service.js";
import type { Method } from "../../api/call.js";
import { decode, encode } from "../../api/wire.js";
import { FakeRuntime } from "../../lib/fake-runtime.js";
import { Random } from "../../lib/random.js";
import { type ListenerUnderTest, openListenerUnderTest, path } from "../listener-under-test.js";
import { frame as grpcFrame, message, reply, WireClient } from "../wire-client.js";
import { Connection } from "./connection.js";
import { END_HEADERS, END_STREAM, FrameType, PREFACE } from "./frames.js";
import { encodeHeaders } from "./hpack.js";
import { data, frame, headers, reset, settings } from "./peer-under-test.js";
import { Tunnel, tunnelPeer } from "./tunnel.js";

const MIB = 1024 * 1024;

interface Got {
  headers: IncomingHttpHeaders;
  trailers: IncomingHttpHeaders;
  body: Buffer;
  code: number | undefined;
}

function got(stream: ClientHttp2Stream): Promise<Got> {
  return new Promise((resolve) => {
    const out: Got = { headers: {}, trailers: {}, body: Buffer.alloc(0), code: undefined };
    const parts: Buffer[] = [];
    stream.on("response", (h) => {
      out.headers = h;
    });
    stream.on("trailers", (h) => {
      out.trailers = h;
    });
    stream.on("data", (chunk: Buffer) => parts.push(chunk));
    stream.on("error", () => undefined);
    stream.on("close", () => resolve({ ...out, body: Buffer.concat(parts), code: stream.rstCode }));
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

function pattern(bytes: number): Buffer {
  const out = Buffer.alloc(bytes);
  for (let i = 0; i < bytes; i++) out[i] = (i * 31 + (i >> 9)) & 255;
  return out;
}

describe("a tunnel", () => {
  let far: Http2Server;
  let near: Server;
  let port: number;
  let client: ClientHttp2Session;
  let serve: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;
  let connections: Connection[];
  let sockets: Socket[];
  const problems: unknown[] = [];

  beforeEach(async () => {
    connections = [];
    sockets = [];
    far = createHttp2({ maxSessionMemory: 1024, settings: { initialWindowSize: MIB } });
    far.on("stream", (stream, h) => {
      stream.on("error", () => undefined);
      serve(stream, h);
    });
    far.on("session", (s) => s.on("error", () => undefined));
    near = createServer((socket) => {
      sockets.push(socket);
      const connection: Connection = new Connection(socket, {
        runtime: new FakeRuntime("free"),
        onError: (e) => problems.push(e),
        onBug: (e) => problems.push(e),
        onStreamClosed: () => undefined,
        onStream: (stream) => tunnel.open(stream),
      });
      const tunnel = new Tunnel(connection, (end) => {
        let session: Http2Session | undefined;
        far.once("session", (s) => {
          session = s;
        });
        far.emit("connection", end);
        return session;
      });
      connections.push(connection);
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => near.once("listening", resolve));
    port = (near.address() as AddressInfo).port;
    client = open();
  });
  afterEach(() => {
    client.destroy();
    for (const s of sockets) s.destroy();
    near.close();
    expect(problems.splice(0)).toEqual([]);
  });
  function open(windowSize = 65_535): ClientHttp2Session {
    const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: windowSize } });
    session.on("error", () => undefined);
    return session;
  }

  it("carries a request's headers, body and end, and the answer's headers, body and trailers", async () => {
    serve = (stream, h) => {
      const parts: Buffer[] = [];
      stream.on("data", (d: Buffer) => parts.push(d));
      stream.on("end", () => {
        stream.respond(
          { ":status": 201, "set-cookie": ["a=1", "b=2"], "x-method": `${h[":method"]} ${h[":path"]} ${h[":authority"]} ${h["x-own"]}` },
          { waitForTrailers: true },
        );
        stream.on("wantTrailers", () => stream.sendTrailers({ "x-trailer": Buffer.concat(parts).toString() }));
        stream.end("the answer");
      });
    };
    const request = client.request({ ":method": "POST", ":path": "/a?b=c", "x-own": ["one", "two"] });
    const answer = got(request);
    request.write("the ");
    request.end("request");
    const { headers: h, trailers, body, code } = await answer;
    expect(h).toMatchObject({ ":status": 201, "set-cookie": ["a=1", "b=2"], "x-method": `POST /a?b=c 127.0.0.1:${port} one, two` });
    expect([body.toString(), trailers["x-trailer"], code]).toEqual(["the answer", "the request", 0]);
  });

  it("says who the peer is", async () => {
    const peers: (string | undefined)[] = [];
    serve = (stream) => {
      peers.push(tunnelPeer(stream.session));
      stream.respond({ ":status": 200 }, { endStream: true });
    };
    const other = open();
    await Promise.all([got(client.request({})), got(other.request({}))]);
    expect(peers.sort()).toEqual([client, other].map((s) => `127.0.0.1:${s.socket?.localPort}`).sort());
    expect(tunnelPeer(undefined)).toBeUndefined();
    other.destroy();
  });

  it("ends an answer of nothing but headers with them, since a trailers-only answer of gRPC is told by that", async () => {
    serve = (stream) => stream.respond({ ":status": 200, "grpc-status": "5" }, { endStream: true });
    const request = client.request({});
    const flags = new Promise((resolve) => request.on("response", (_, f) => resolve(f)));
    expect(await flags).toBe(END_HEADERS | END_STREAM);
    await got(request);
  });

  it.each([1, 1000, 100_000])("brings large answers whole through a window of %i bytes, and small ones meanwhile", async (windowSize) => {
    const size = windowSize === 1 ? 3_000 : windowSize === 1000 ? 300_000 : 8 * MIB;
    serve = (stream, h) => {
      stream.respond({ ":status": 200 }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "x-trailer": "end" }));
      stream.end(pattern(h[":path"] === "/large" ? size : 1));
    };
    const narrow = open(windowSize);
    const large = [1, 2, 3].map(() => got(narrow.request({ ":path": "/large" })));
    expect((await got(narrow.request({ ":path": "/small" }))).body).toHaveLength(1);
    for (const { body, trailers, code } of await Promise.all(large)) {
      expect(body.equals(pattern(size))).toBe(true);
      expect([trailers["x-trailer"], code]).toEqual(["end", 0]);
    }
    narrow.destroy();
  });

  it("holds back an answer that its reader does not take, and an upload that nobody reads, and then brings them whole", async () => {
    let written = 0;
    let upload: ServerHttp2Stream | undefined;
    const part = pattern(64 * 1024);
    serve = (stream, h) => {
      stream.respond({ ":status": 200 });
      if (h[":path"] === "/up") {
        upload = stream;
        return;
      }
      const more = (): void => {
        while (written < 20 * MIB) {
          written += part.length;
          if (!stream.write(part)) return void stream.once("drain", more);
        }
        stream.end();
      };
      more();
    };
    const down = client.request({ ":path": "/down" });
    await new Promise((resolve) => down.once("response", resolve));
    down.pause();
    // On a connection of its own: what the other does not read keeps that one's window.
    const second = open();
    const up = second.request({ ":method": "POST", ":path": "/up" });
    const answer = got(up);
    let sent = 0;
    const feed = (): void => {
      while (sent < 20 * MIB) {
        sent += part.length;
        if (!up.write(part)) return void up.once("drain", feed);
      }
      up.end();
    };
    feed();
    // Neither moves any more.
    for (let before = -1, quiet = 0; quiet < 200; ) {
      quiet = before === written + sent ? quiet + 1 : 0;
      before = written + sent;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(Math.max(written, sent)).toBeLessThan(8 * MIB);
    let taken = 0;
    upload?.on("data", (d: Buffer) => {
      taken += d.length;
    });
    upload?.on("end", () => upload?.end("taken"));
    expect((await answer).body.toString()).toBe("taken");
    expect(taken).toBe(20 * MIB);
    const rest = got(down);
    down.resume();
    expect((await rest).body).toHaveLength(20 * MIB);
    second.destroy();
  });

  it("passes a reset on, from either side, with its code, and leaves the others alone", async () => {
    const closed: (number | undefined)[] = [];
    serve = (stream, h) => {
      stream.on("close", () => closed.push(stream.rstCode));
      if (h[":path"] === "/server") stream.close(7);
      else if (h[":path"] === "/half") {
        stream.respond({ ":status": 200 });
        stream.write("half");
        stream.on("data", () => stream.close(11));
      } else if (h[":path"] === "/client") stream.respond({ ":status": 200 });
      else stream.respond({ ":status": 200 }, { endStream: true });
    };
    expect((await got(client.request({ ":path": "/server" }))).code).toBe(7);
    const half = client.request({ ":method": "POST", ":path": "/half" });
    half.write("x");
    expect(await got(half)).toMatchObject({ code: 11 });
    const given = client.request({ ":method": "POST", ":path": "/client" });
    given.on("error", () => undefined);
    await new Promise((resolve) => given.once("response", resolve));
    closed.length = 0;
    given.close(8);
    await until(() => closed.length === 1);
    expect(closed).toEqual([8]);
    expect((await got(client.request({ ":path": "/fine" }))).headers[":status"]).toBe(200);
  });

  it("ends a request whose answer came before its body was whole, behind the answer", async () => {
    serve = (stream) => {
      stream.respond({ ":status": 413 });
      stream.end("too much");
      stream.close(0);
    };
    const request = client.request({ ":method": "POST" });
    request.write("begun");
    const answer = await got(request);
    expect([answer.headers[":status"], answer.body.toString(), answer.code]).toEqual([413, "too much", 0]);
  });

  it("goes with its connection, both ways", async () => {
    const streams: ServerHttp2Stream[] = [];
    serve = (stream) => {
      stream.respond({ ":status": 200 });
      streams.push(stream);
    };
    const request = client.request({});
    request.on("error", () => undefined);
    await until(() => streams.length === 1);
    client.destroy();
    await until(() => streams[0]?.closed === true && streams[0].session === undefined);

    client = open();
    const cut = got(client.request({}));
    await until(() => streams.length === 2);
    streams[1]?.session?.destroy(new Error("cut"));
    expect((await cut).code).not.toBe(0);
    // A new one for those that follow.
    const next = client.request({});
    next.on("error", () => undefined);
    await until(() => streams.length === 3);
    next.close();
  });

  it("refuses more than 1,000 requests at once, which may be tried again, and takes others when those have gone", async () => {
    const streams: ServerHttp2Stream[] = [];
    serve = (stream) => {
      streams.push(stream);
      stream.respond({ ":status": 200 });
    };
    const requests = Array.from({ length: 1000 }, () => client.request({}));
    for (const r of requests) r.on("error", () => undefined);
    await until(() => streams.length === 1000);
    expect((await got(client.request({}))).code).toBe(7);
    for (const s of streams) s.end();
    for (const r of requests) r.resume();
    await until(() => requests.every((r) => r.closed));
    serve = (stream) => stream.respond({ ":status": 204 }, { endStream: true });
    expect((await got(client.request({}))).headers[":status"]).toBe(204);
  });

  describe("given headers that no client library sends", () => {
    async function raw(...list: [string, string][]): Promise<void> {
      const socket = connectSocket(port, "127.0.0.1");
      socket.on("error", () => undefined);
      let isAnswered = false;
      socket.on("data", (d: Buffer) => {
        // HEADERS or RST_STREAM of stream 1.
        for (let at = 0; at + 9 <= d.length; at += 9 + d.readUIntBE(at, 3))
          if (d.readUInt32BE(at + 5) === 1 && (d[at + 3] === FrameType.HEADERS || d[at + 3] === FrameType.RST_STREAM)) isAnswered = true;
      });
      const block = Buffer.concat(
        [[":method", "GET"], [":scheme", "http"], [":path", "/"], ...list].map(([n, v]) => encodeHeaders({ [n as string]: v as string })),
      );
      const parts = [frame(FrameType.HEADERS, END_STREAM, 1, block.subarray(0, 16_384))];
      for (let at = 16_384; at < block.length; at += 16_384) parts.push(frame(FrameType.CONTINUATION, 0, 1, block.subarray(at, at + 16_384)));
      (parts.at(-1) as Buffer)[4] = ((parts.at(-1) as Buffer)[4] as number) | END_HEADERS;
      socket.write(Buffer.concat([PREFACE, settings(), ...parts]));
      await until(() => isAnswered);
      socket.destroy();
    }

    it.each<[string, [string, string][]]>([
      [
        "names that every object has",
        [
          ["__proto__", "a"],
          ["__proto__", "b"],
          ["constructor", "c"],
          ["tostring", "d"],
        ],
      ],
      [
        "two of what there can be only one",
        [
          ["content-type", "a"],
          ["content-type", "b"],
        ],
      ],
      [
        "two authorities by other means",
        [
          [":authority", "a"],
          ["host", "b"],
          ["host", "c"],
        ],
      ],
      ["bytes beyond ASCII", [["a", "\xff\x80"]]],
      ["control characters", [["a", "\x01\x7f"]]],
      ["a thousand of them", Array.from({ length: 1000 }, (_, i): [string, string] => [`a${i}`, "b"])],
      ["more of them than Node takes", [["a", "b".repeat(100_000)]]],
      ["just about as many as it takes", [["a", "b".repeat(47_000)]]],
      ["an expectation", [["expect", "100-continue"]]],
      ["a protocol", [[":protocol", "websocket"]]],
      ["a strange path and method", [["a", ""]]],
    ])("such as %s, answers or refuses, and the process goes on", async (_, list) => {
      serve = (stream) => stream.respond({ ":status": 200 }, { endStream: true });
      await raw(...list);
      expect((await got(client.request({}))).headers[":status"]).toBe(200);
    });
  });
});

describe("one connection", () => {
  let server: ListenerUnderTest;
  let client: WireClient;
  let peer: string;
  beforeEach(async () => {
    server = await openListenerUnderTest({
      others: [
        {
          ...WorkflowService.methods.GetSystemInfo,
          service: WorkflowService.typeName,
          handler: (_: unknown, call: { peer: string }) => {
            peer = call.peer;
            return { serverVersion: "v".repeat(200_000) };
          },
          permission: "none",
          priority: 0,
          longPoll: false,
        } as unknown as Method,
      ],
    });
    client = await WireClient.connect(server.port);
  });
  afterEach(async () => {
    client.close();
    await server.listener.close();
    await server.listener.drain(0);
    expect(server.errors).toEqual([]);
  });

  const info = WorkflowService.methods.GetSystemInfo.path;
  function watch(): { statuses: string[]; ended: Promise<Got>; stream: ClientHttp2Stream } {
    const statuses: string[] = [];
    const stream = client.session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Watch",
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.on("data", (d: Buffer) => statuses.push(ServingStatus[decode(HealthCheckResponse, d.subarray(5)).status] as string));
    stream.end(grpcFrame(encode(HealthCheckRequest, {})));
    return { statuses, ended: got(stream), stream };
  }

  it("carries gRPC calls, Connect, gRPC-Web and a health watch, all at once", async () => {
    const { statuses, stream } = watch();
    await until(() => statuses.length === 1);
    const rounds = 30;
    const connectJson = async (): Promise<void> => {
      const request = client.session.request({
        ":method": "POST",
        ":path": info,
        "content-type": "application/json",
        "connect-protocol-version": "1",
      });
      request.end("{}");
      const { headers: h, body } = await got(request);
      expect([h[":status"], JSON.parse(body.toString()).serverVersion.length]).toEqual([200, 200_000]);
    };
    const web = async (): Promise<void> => {
      const request = client.session.request({ ":method": "POST", ":path": info, "content-type": "application/grpc-web+proto" });
      request.end(grpcFrame(Buffer.alloc(0)));
      const { headers: h, body } = await got(request);
      expect(h[":status"]).toBe(200);
      expect(body.readUInt32BE(1)).toBeGreaterThan(200_000);
      expect(body.subarray(5 + body.readUInt32BE(1) + 5).toString()).toContain("grpc-status: 0");
    };
    const grpc = async (i: number): Promise<void> => {
      const text = `${i}`.repeat(i * 1000);
      expect(reply(await client.call({ chunks: [grpcFrame(message(text))] })).workflowId).toBe(text);
    };
    await Promise.all(
      Array.from({ length: rounds }, (_, i) => [
        connectJson(),
        web(),
        grpc(i),
        client.call({ path: info }).then((a) => expect(a.status).toBe(0)),
      ]).flat(),
    );
    server.health.setServing(false);
    await until(() => statuses.length === 2);
    expect(statuses).toEqual(["SERVING", "NOT_SERVING"]);
    stream.close(8);
    expect(await client.echo("still here")).toBe("still here");
    expect(peer).toBe(`127.0.0.1:${client.session.socket?.localPort}`);
  });

  it("that is drained lets the watch end with its status, and closes behind it", async () => {
    const { statuses, ended } = watch();
    await until(() => statuses.length === 1);
    const closed = new Promise((resolve) => client.session.once("close", resolve));
    await server.listener.drain(60_000);
    expect((await ended).trailers["grpc-status"]).toBeDefined();
    await closed;
  });

  it("that sends random and mutated frames, to any protocol, harms no other, nor the process", async () => {
    const { statuses } = watch();
    await until(() => statuses.length === 1);
    const random = new Random(11);
    const below = (n: number): number => random.uint32() % n;
    const requests = [
      { ":path": path("Echo"), "content-type": "application/grpc" },
      { ":path": info, "content-type": "application/grpc-web+proto" },
      { ":path": info, "content-type": "application/json" },
      { ":path": "/grpc.health.v1.Health/Watch", "content-type": "application/grpc" },
    ];
    for (let round = 0; round < 150; round++) {
      const socket = connectSocket(server.port, "127.0.0.1");
      socket.on("error", () => undefined);
      if (below(4) > 0) socket.resume();
      socket.write(Buffer.concat([PREFACE, settings()]));
      const pieces: Buffer[] = [];
      for (let id = 1; id < 12; id += 2) {
        pieces.push(headers(id, { ":method": "POST", te: "trailers", ...requests[below(requests.length)] }));
        const body = grpcFrame(below(2) === 0 ? message("x") : Buffer.alloc(below(20), below(256)));
        if (below(4) > 0) pieces.push(data(id, body, below(2)));
        if (below(5) === 0) pieces.push(reset(id, below(14)));
        if (below(9) === 0) pieces.push(frame(below(11), below(256), below(14), Buffer.alloc(below(30), below(256))));
      }
      const all = Buffer.concat(pieces);
      for (let n = below(3); n > 0; n--) all[below(all.length)] = below(256);
      const at = below(all.length);
      socket.write(all.subarray(0, at));
      if (below(2) === 0) await new Promise((resolve) => setImmediate(resolve));
      socket.write(all.subarray(at));
      if (below(3) > 0) expect(await client.echo("meanwhile")).toBe("meanwhile");
      if (below(2) === 0) socket.end();
      else socket.destroy();
    }
    expect(await client.echo("unharmed")).toBe("unharmed");
    expect(statuses).toEqual(["SERVING"]);
  });
});
