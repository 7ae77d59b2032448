/**
 * The gRPC fast path on a real port. Codes and texts of bad requests are those that the official server answered to the same bytes
 * (the text for what is not protobuf excepted).
 */

import { randomBytes } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { Client, credentials, type ServiceError as GrpcError, Metadata } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Status } from "../../../gen/wire/google/rpc/status.js";
import { DataBlob } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { WorkflowExecutionAlreadyStartedFailure } from "../../../gen/wire/temporal/api/errordetails/v1/message.js";
import type { Call } from "../../api/call.js";
import { Code, detail, ServiceError, workflowAlreadyStarted } from "../../api/service-error.js";
import { decode, encode } from "../../api/wire.js";
import {
  Gate,
  type ListenerUnderTest,
  type Message,
  MessageType,
  method,
  openListenerUnderTest,
  path,
  TEST_SERVICE,
} from "../listener-under-test.js";
import { type Answer, frame, message, type Request, reply, WireClient } from "../wire-client.js";

const MIB = 1024 * 1024;

describe("gRPC", () => {
  let server: ListenerUnderTest;
  let client: WireClient;
  /** Of the call that Wait holds. */
  let waiting: Gate<Call>;
  let answerWaiting: Gate<Message>;
  let seen: Call | undefined;

  beforeEach(async () => {
    waiting = new Gate();
    answerWaiting = new Gate();
    seen = undefined;
    server = await openListenerUnderTest({
      others: [method("Encrypted", MessageType, DataBlob, (m) => ({ data: randomBytes(Number(m.workflowId)) }))],
      handlers: {
        See: (m, call) => {
          seen = call;
          return m;
        },
        Wait: (_, call) => {
          waiting.open(call);
          return answerWaiting.opened;
        },
        Metadata: (_, call) => ({ workflowId: Buffer.from(call.metadata("key-bin") ?? "none", "latin1").toString("hex") }),
        Large: (m) => ({ workflowId: "x".repeat(Number(m.workflowId)) }),
        Fail: (m) => {
          throw new ServiceError(Code.FAILED_PRECONDITION, m.workflowId);
        },
        AlreadyStarted: () => {
          throw workflowAlreadyStarted("Workflow execution is already running.", "request", "run");
        },
        Details: (m) => {
          throw new ServiceError(Code.NOT_FOUND, "gone", [detail(MessageType, { workflowId: "d".repeat(Number(m.workflowId)) })]);
        },
        Bug: () => {
          throw new Error("secret");
        },
        BadReply: () => ({ workflowId: 7 }) as never,
      },
    });
    client = await WireClient.connect(server.port);
  });
  afterEach(async () => {
    client.close();
    await server.listener.close();
    await server.listener.drain(0);
  });

  const outcome = (a: Answer): unknown[] => [a.status, a.text];

  describe("a message", () => {
    it("may come in a frame of its own for each byte", async () => {
      const bytes = frame(message("split"));
      const { stream, answer } = client.send({ chunks: [bytes.subarray(0, 1)], end: false });
      for (let i = 1; i < bytes.length; i++) await new Promise((sent) => stream.write(bytes.subarray(i, i + 1), sent));
      stream.end();
      expect(reply(await answer).workflowId).toBe("split");
    });

    it("that is left open is not waited for when the answer does not depend on it", async () => {
      const requests: Request[] = [
        { path: "/foo.Bar/Baz" },
        { path: "/a" },
        { headers: { "grpc-timeout": "x" } },
        { headers: { "content-type": "application/grpcx" } },
      ];
      for (const request of requests) {
        const { status, reset } = await client.call({ ...request, chunks: [Buffer.from([0])], end: false });
        expect(status).toBeGreaterThan(0);
        expect(reset).toBe(0);
      }
    });

    it("may come in frames of any sizes, the smallest and the largest mixed", async () => {
      const text = Array.from({ length: 30_000 }, (_, i) => i.toString(36)).join("");
      const bytes = frame(message(text));
      const chunks: Buffer[] = [];
      for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 7) % 9_001) chunks.push(bytes.subarray(at, at + size));
      expect(reply(await client.call({ chunks })).workflowId).toBe(text);
    });

    it("may be of the size of the limit, both ways, over many frames", async () => {
      const text = "x".repeat(4 * MIB - 5);
      const answer = await client.call({ chunks: [frame(message(text))] });
      expect(reply(answer).workflowId).toBe(text);
    });

    it("is the first one when a request has more", async () => {
      const both = Buffer.concat([frame(message("first")), frame(message("second"))]);
      for (const chunks of [
        [both],
        [both.subarray(0, 8), both.subarray(8)],
        [frame(message("first")), frame(message("second"))],
        [both, Buffer.from([0, 0])],
      ])
        expect(reply(await client.call({ chunks })).workflowId).toBe("first");
    });

    it("may be empty", async () => {
      expect(reply(await client.call({ chunks: [frame(Buffer.alloc(0))] }))).toEqual({ workflowId: "", runId: "" });
    });

    it("is asked of the interceptors before the handler", async () => {
      const order: string[] = [];
      const other = await openListenerUnderTest({
        handlers: {
          Echo: (m) => {
            order.push("handler");
            return m;
          },
        },
        interceptors: ["outer", "inner"].map((name) => async (method, request, _call, next) => {
          order.push(`${name} ${method.name} ${(request as Message).workflowId}`);
          return next();
        }),
      });
      const c = await WireClient.connect(other.port);
      expect(await c.echo("m")).toBe("m");
      expect(order).toEqual(["outer Echo m", "inner Echo m", "handler"]);
      c.close();
      await other.listener.close();
    });
  });

  const gzipped = gzipSync(message("x".repeat(100)));
  const gzip = { "grpc-encoding": "gzip" };
  const bad: Record<string, Request & { says: [number, string] }> = {
    "no body": { chunks: [], says: [2, "EOF"] },
    "a part of a prefix": { chunks: [Buffer.from([0, 0])], says: [2, "EOF"] },
    "a part of a message": { chunks: [Buffer.from([0, 0, 0, 0, 9, 1, 2])], says: [2, "unexpected EOF"] },
    "a compressed flag without an encoding": {
      chunks: [frame(gzipped, 1)],
      says: [13, "grpc: compressed flag set with identity or empty encoding"],
    },
    "a compressed flag with the encoding identity": {
      chunks: [frame(gzipped, 1)],
      headers: { "grpc-encoding": "identity" },
      says: [13, "grpc: compressed flag set with identity or empty encoding"],
    },
    "an unknown encoding": {
      chunks: [frame(gzipped, 1)],
      headers: { "grpc-encoding": "snappy" },
      says: [12, 'grpc: Decompressor is not installed for grpc-encoding "snappy"'],
    },
    "an unknown encoding that it does not use": {
      headers: { "grpc-encoding": "snappy" },
      says: [12, 'grpc: Decompressor is not installed for grpc-encoding "snappy"'],
    },
    "bytes that are not gzip": {
      chunks: [frame(Buffer.from("not gzip at all"), 1)],
      headers: gzip,
      says: [13, "grpc: failed to decompress the message: gzip: invalid header"],
    },
    "nothing for gzip": { chunks: [frame(Buffer.alloc(0), 1)], headers: gzip, says: [13, "grpc: failed to decompress the message: EOF"] },
    "a part of gzip": {
      chunks: [frame(gzipped.subarray(0, -6), 1)],
      headers: gzip,
      says: [13, "grpc: failed to read decompressed data: unexpected EOF"],
    },
    "gzip with a wrong checksum": {
      chunks: [frame(Buffer.concat([gzipped.subarray(0, -8), Buffer.from([1, 2, 3, 4]), gzipped.subarray(-4)]), 1)],
      headers: gzip,
      says: [13, "grpc: failed to read decompressed data: gzip: invalid checksum"],
    },
    "a gzip bomb": {
      chunks: [frame(gzipSync(Buffer.alloc(64 * MIB)), 1)],
      headers: gzip,
      says: [8, "grpc: received message after decompression larger than max 4194304"],
    },
    "an unknown flag": { chunks: [frame(message("x"), 2)], says: [13, "grpc: received unexpected payload format 2"] },
    "a prefix beyond the limit": {
      chunks: [Buffer.from([0, 0, 0x40, 0, 1])],
      end: false,
      says: [8, "grpc: received message larger than max (4194305 vs. 4194304)"],
    },
    "a prefix beyond the limit, in two parts": {
      chunks: [Buffer.from([0, 0xff]), Buffer.from([0xff, 0xff, 0xff, 1, 2])],
      end: false,
      says: [8, "grpc: received message larger than max (4294967295 vs. 4194304)"],
    },
    "what is not protobuf": {
      chunks: [frame(Buffer.from([0x0a, 0x7f, 1]))],
      says: [13, "grpc: error unmarshalling request: unexpected end of message"],
    },
    "a string that is not UTF-8": {
      chunks: [frame(Buffer.from([0x0a, 2, 0xff, 0xfe]))],
      says: [13, "grpc: error unmarshalling request: string field contains invalid UTF-8"],
    },
    "a long string that is not UTF-8": {
      chunks: [frame(Buffer.concat([Buffer.from([0x0a, 33]), Buffer.from("a".repeat(32)), Buffer.from([0xff])]))],
      says: [13, "grpc: error unmarshalling request: string field contains invalid UTF-8"],
    },
    "an unknown service": { path: "/foo.Bar/Baz", says: [12, "unknown service foo.Bar"] },
    "an unknown method": { path: path("Nope"), says: [12, `unknown method Nope for service ${TEST_SERVICE}`] },
    "a path that is no method": { path: "/abc", says: [12, 'malformed method name: "/abc"'] },
    "a path too deep": { path: "/a/b/c", says: [12, "unknown service a/b"] },
  };

  it.each(Object.entries(bad))("answers %s with its status", async (_, { says, ...request }) => {
    const answer = await client.call({ path: path("See"), ...request });
    expect([answer.httpStatus, ...outcome(answer)]).toEqual([200, ...says]);
    expect(answer.headers["content-type"]).toBe("application/grpc");
    expect(seen).toBeUndefined();
    expect(await client.echo("next")).toBe("next");
  });

  it("answers what HTTP forbids with the status of HTTP too", async () => {
    const method = await client.call({ headers: { ":method": "PUT" } });
    expect([method.httpStatus, ...outcome(method)]).toEqual([405, 13, 'Received a HEADERS frame with :method "PUT" which should be POST']);
    const type = await client.call({ headers: { "content-type": "application/grpcfoo" } });
    expect([type.httpStatus, ...outcome(type)]).toEqual([415, 3, 'invalid gRPC request content-type "application/grpcfoo"']);
  });

  it("answers in the content type of the request", async () => {
    for (const type of ["application/grpc", "application/grpc+proto"])
      expect((await client.call({ headers: { "content-type": type } })).headers["content-type"]).toBe(type);
  });

  it("no bad request harms another call in flight on the same connection", async () => {
    const inFlight = client.call({ path: path("Wait") });
    await waiting.opened;
    const answers = await Promise.all(Object.values(bad).map(({ says: _, ...request }) => client.call(request)));
    expect(answers.map((a) => a.status)).toEqual(Object.values(bad).map((b) => b.says[0]));
    answerWaiting.open({ workflowId: "unharmed", runId: "" });
    expect(reply(await inFlight).workflowId).toBe("unharmed");
    expect(server.errors).toEqual([]);
  });

  it("the limit of a message is a setting, for the bytes sent and the bytes unpacked", async () => {
    const small = await openListenerUnderTest({ limits: { receiveBytesMax: 1000 } });
    const c = await WireClient.connect(small.port);
    const text = "x".repeat(1000 - 3);
    expect(await c.echo(text)).toBe(text);
    expect(await c.echo(`${text}y`)).toBe("8 grpc: received message larger than max (1001 vs. 1000)");
    const packed = await c.call({ chunks: [frame(gzipSync(message(`${text}y`)), 1)], headers: gzip });
    expect(outcome(packed)).toEqual([8, "grpc: received message after decompression larger than max 1000"]);
    c.close();
    await small.listener.close();
  });

  describe("compression", () => {
    it("unpacks a gzip message of any size", async () => {
      for (const size of [1, 1500, 3 * MIB]) {
        const answer = await client.call({ path: path("Echo"), headers: gzip, chunks: [frame(gzipSync(message("z".repeat(size))), 1)] });
        expect(reply(answer).workflowId).toHaveLength(size);
      }
    });

    it("takes a message as it is when its flag says so, whatever the encoding", async () => {
      expect(reply(await client.call({ headers: gzip })).workflowId).toBe("hello");
    });

    const large = (size: number, accept: string): Promise<Answer> =>
      client.call({ path: path("Large"), headers: { "grpc-accept-encoding": accept }, chunks: [frame(message(`${size}`))] });

    it("packs an answer that the caller accepts packed and that shrinks", async () => {
      for (const size of [20_000, 2 * MIB]) {
        const answer = await large(size, "identity,deflate,gzip");
        expect(answer.headers["grpc-encoding"]).toBe("gzip");
        expect(answer.body[0]).toBe(1);
        expect(answer.body.length).toBeLessThan(size / 10);
        expect(answer.body.readUInt32BE(1)).toBe(answer.body.length - 5);
        expect(decode(MessageType, gunzipSync(answer.body.subarray(5))).workflowId).toHaveLength(size);
      }
    });

    it("leaves an answer as it is that the caller does not accept packed, that is small or that does not shrink", async () => {
      for (const answer of [await large(20_000, "identity"), await large(20_000, ""), await large(500, "gzip")]) {
        expect(answer.headers["grpc-encoding"]).toBeUndefined();
        expect(reply(answer).workflowId.length).toBeGreaterThanOrEqual(500);
      }
      for (const size of [20_000, MIB]) {
        const request = { path: path("Encrypted"), headers: { "grpc-accept-encoding": "gzip" }, chunks: [frame(message(`${size}`))] };
        const answer = await client.call(request);
        expect([answer.status, answer.headers["grpc-encoding"], answer.body[0]]).toEqual([0, undefined, 0]);
        expect(decode(DataBlob, answer.body.subarray(5)).data).toHaveLength(size);
      }
    });
  });

  describe("grpc-timeout", () => {
    it.each([
      ["2H", 7_200_000],
      ["3M", 180_000],
      ["4S", 4_000],
      ["5m", 5],
      ["6000u", 6],
      ["7000000n", 7],
      ["99999999H", 99_999_999 * 3_600_000],
    ])("%s is %d ms from now", async (timeout, ms) => {
      expect((await client.call({ path: path("See"), headers: { "grpc-timeout": timeout } })).status).toBe(0);
      expect((seen?.deadlineMs ?? 0) - server.runtime.now / 1000).toBe(ms);
      // The one left is the connection's keepalive.
      expect([...server.runtime.timers].map((t) => t.at - server.runtime.now)).toEqual([60_000_000]);
    });

    it.each([
      ["1", 'transport: timeout string is too short: "1"'],
      ["S", 'transport: timeout string is too short: "S"'],
      ["999999999S", 'transport: timeout string is too long: "999999999S"'],
      ["1x", 'transport: timeout unit is not recognized: "1x"'],
      ["-1S", 'strconv.ParseUint: parsing "-1": invalid syntax'],
      ["1.5S", 'strconv.ParseUint: parsing "1.5": invalid syntax'],
    ])("%s is malformed", async (timeout, text) => {
      const answer = await client.call({ path: path("See"), headers: { "grpc-timeout": timeout } });
      expect([answer.httpStatus, ...outcome(answer)]).toEqual([400, 13, `malformed grpc-timeout: ${text}`]);
      expect(seen).toBeUndefined();
    });

    it("that is over when the message is here answers at once, and the handler hears nothing", async () => {
      for (const timeout of ["0S", "0n"])
        expect(outcome(await client.call({ path: path("See"), headers: { "grpc-timeout": timeout } }))).toEqual([4, "context deadline exceeded"]);
      expect(seen).toBeUndefined();
    });

    it("that passes while the handler works answers, and cancels the call", async () => {
      const call = client.call({ path: path("Wait"), headers: { "grpc-timeout": "10S" } });
      const held = await waiting.opened;
      const cancelled = new Gate();
      held.onCancel(cancelled.open);
      server.runtime.elapse(9_999);
      expect(held.cancelled).toBe(false);
      server.runtime.elapse(1);
      expect(outcome(await call)).toEqual([4, "context deadline exceeded"]);
      await cancelled.opened;
      expect(held.cancelled).toBe(true);
      answerWaiting.open({ workflowId: "late", runId: "" });
      expect(await client.echo("next")).toBe("next");
    });

    it("that passes before the message is whole answers and ends the stream", async () => {
      const { answer } = client.send({ headers: { "grpc-timeout": "10S" }, chunks: [Buffer.from([0])], end: false });
      expect(await client.echo("the request before has begun")).toBeTruthy();
      server.runtime.elapse(10_000);
      expect(outcome(await answer)).toEqual([4, "context deadline exceeded"]);
    });
  });

  it("a -bin value is its bytes, with and without padding, the first of several", async () => {
    const hex = async (value: string | string[]) => reply(await client.call({ path: path("Metadata"), headers: { "key-bin": value } })).workflowId;
    expect(await hex("AP9/gA==")).toBe("00ff7f80");
    expect(await hex("AP9/gA")).toBe("00ff7f80");
    expect(await hex("AP9/gA,AQ")).toBe("00ff7f80");
    expect(await hex(["AP9/gA==", "AQ"])).toBe("00ff7f80");
    expect(await hex("")).toBe("");
  });

  describe("an error", () => {
    it("carries any text", async () => {
      for (const text of ["plain", "100% ünï — 漢字", "two\nlines", ""])
        expect(outcome(await client.call({ path: path("Fail"), chunks: [frame(message(text))] }))).toEqual([9, text]);
    });

    it("carries Temporal's typed details, in base64 without padding", async () => {
      const answer = await client.call({ path: path("AlreadyStarted") });
      expect(answer.details).not.toContain("=");
      const status = decode(Status, Buffer.from(answer.details as string, "base64"));
      expect([status.code, status.message, status.details.length]).toEqual([6, "Workflow execution is already running.", 1]);
      const { typeUrl, value } = status.details[0] as { typeUrl: string; value: Uint8Array };
      expect(typeUrl).toBe("type.googleapis.com/temporal.api.errordetails.v1.WorkflowExecutionAlreadyStartedFailure");
      expect(decode(WorkflowExecutionAlreadyStartedFailure, value)).toMatchObject({ startRequestId: "request", runId: "run" });
    });

    it("leaves out details that the caller could not take, and keeps code and text", async () => {
      const call = (c: WireClient, size: number) => c.call({ path: path("Details"), chunks: [frame(message(`${size}`))] });
      expect((await call(client, 30_000)).details?.length).toBeGreaterThan(40_000);
      const modest = await WireClient.connect(server.port, { maxHeaderListSize: 16_384 });
      for (const [c, size] of [
        [client, 100_000],
        [modest, 30_000],
      ] as const) {
        const answer = await call(c, size);
        expect([...outcome(answer), answer.details]).toEqual([5, "gone", undefined]);
      }
      expect((await call(modest, 1_000)).details).toBeDefined();
      modest.close();
    });

    it("of our own making is INTERNAL without its text, which is logged", async () => {
      expect(outcome(await client.call({ path: path("Bug") }))).toEqual([13, "internal error"]);
      expect(outcome(await client.call({ path: path("BadReply") }))).toEqual([13, "internal error"]);
      expect(server.errors).toHaveLength(2);
      expect(await client.echo("next")).toBe("next");
    });
  });

  describe("a caller that goes", () => {
    // 0 closes a stream before it is destroyed; 8 is what clients send.
    it.each([0, 2, 7, 8])("with RST_STREAM %d cancels its call, and its answer goes nowhere", async (code) => {
      const { stream, answer } = client.send({ path: path("Wait") });
      const call = await waiting.opened;
      const cancelled = new Gate();
      call.onCancel(cancelled.open);
      stream.close(code);
      await answer;
      await cancelled.opened;
      expect(call.cancelled).toBe(true);
      answerWaiting.open({ workflowId: "late", runId: "" });
      expect(await client.echo("next")).toBe("next");
    });

    it.each([0, 8])("with RST_STREAM %d in the turn of the answer harms nobody", async (code) => {
      const { stream, answer } = client.send({ path: path("Wait") });
      const call = await waiting.opened;
      call.onCancel(() => answerWaiting.open({ workflowId: "x".repeat(MIB), runId: "" }));
      stream.close(code);
      await answer;
      expect(await client.echo("next")).toBe("next");
    });

    it("with its connection cancels all its calls", async () => {
      const other = await WireClient.connect(server.port);
      void other.call({ path: path("Wait") });
      const call = await waiting.opened;
      const cancelled = new Gate();
      call.onCancel(cancelled.open);
      other.close();
      await cancelled.opened;
      expect(await client.echo("next")).toBe("next");
    });

    it("is told at once to a listener that comes late, and not to one that has left", async () => {
      const { stream } = client.send({ path: path("Wait") });
      const call = await waiting.opened;
      const heard: string[] = [];
      const leave = call.onCancel(() => heard.push("left"));
      leave();
      const cancelled = new Gate();
      call.onCancel(cancelled.open);
      stream.close(8);
      await cancelled.opened;
      call.onCancel(() => heard.push("late"));
      expect(heard).toEqual(["late"]);
    });
  });

  describe("the official client of Node", () => {
    let grpc: Client;
    beforeEach(() => {
      grpc = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
    });
    afterEach(() => grpc.close());

    function call(name: string, request: Partial<Message>, o: { compress?: boolean; deadline?: number } = {}) {
      const metadata = new Metadata();
      let cancel = (): void => undefined;
      const answer = new Promise<Message>((resolve, reject) => {
        const c = grpc.makeUnaryRequest(
          path(name),
          (m: Partial<Message>) => encode(MessageType, m),
          (b: Buffer) => decode(MessageType, b),
          request,
          metadata,
          o.deadline === undefined ? {} : { deadline: Date.now() + o.deadline },
          (e: GrpcError | null, m?: Message) => (e === null ? resolve(m as Message) : reject(e)),
        );
        cancel = () => c.cancel();
      });
      return { answer, cancel };
    }

    it("calls, also with large answers", async () => {
      expect(await call("Echo", { workflowId: "w", runId: "r" }).answer).toEqual({ workflowId: "w", runId: "r" });
      expect((await call("Large", { workflowId: `${3 * MIB}` }).answer).workflowId).toHaveLength(3 * MIB);
    });

    it("gets errors with their details", async () => {
      const e = (await call("AlreadyStarted", {}).answer.catch((x: unknown) => x)) as GrpcError;
      expect([e.code, e.details]).toEqual([6, "Workflow execution is already running."]);
      expect(decode(Status, e.metadata.get("grpc-status-details-bin")[0] as Buffer).details).toHaveLength(1);
      expect(await call("Nope", {}).answer.catch((x: GrpcError) => x.details)).toBe(`unknown method Nope for service ${TEST_SERVICE}`);
    });

    it("cancels: the poll is withdrawn", async () => {
      const { answer, cancel } = call("Wait", {});
      const held = await waiting.opened;
      const cancelled = new Gate();
      held.onCancel(cancelled.open);
      cancel();
      expect(await answer.catch((e: GrpcError) => e.code)).toBe(1);
      await cancelled.opened;
    });
  });
});
