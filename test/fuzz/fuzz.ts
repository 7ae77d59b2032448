/**
 * One round: a whole server in this process, and so many random requests one after the other. Of each it is known what the server
 * answered and whether any table is another afterwards.
 */
import { createHash } from "node:crypto";
import { setTimeout as realTime } from "node:timers/promises";
import { defaultConfig } from "../../src/config/dynamic-config.js";
import { FakeRuntime } from "../../src/lib/fake-runtime.js";
import type { Logger } from "../../src/lib/runtime.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { openWholeServer } from "../harness/whole-server.js";
import { type Caller, Callers } from "./callers.js";
import { Chance } from "./chance.js";
import { type Answer, Doors } from "./doors.js";
import { type FuzzRequest, Requests } from "./requests.js";
import { Rights } from "./rights.js";

export interface RoundResult {
  readonly problems: string[];
  /** Answers by protocol and outcome. */
  readonly outcomes: Map<string, number>;
  readonly refused: number;
  /** With callers: requests that their caller may not make, and those that he may and that are answered. */
  readonly denied: number;
  readonly allowed: number;
}

interface RoundOptions {
  /** Each request is made by a caller of random rights, and the server asks for them. */
  readonly hasCallers?: boolean;
}

const STEP_MS = 5_000;
/** Longer than anything the server waits for. */
const STEPS_MAX = 60;
const NEVER_MS = 2 ** 40;
const WAITING_STEPS_MAX = 3;
const REAL_MS_MAX = 20_000;
const SOON_MS = 25;
const LAST_MS = 200;
const PROBLEMS_MAX = 20;

/** Refusals that write all the same, as on the official server. */
const WRITES_ON_REFUSAL: readonly RegExp[] = [
  // A workflow task whose commands make no sense is failed, and the worker is told why.
  /RespondWorkflowTaskCompleted|workflow-tasks\/complete/,
];
/** What the official server calls INTERNAL though it is the caller's. */
const INTERNAL_BY_NAME = /unknown( |%20)reset( |%20)reapply( |%20)type|error( |%20)listing( |%20)Nexus( |%20)endpoints/;
/** There, and UNIMPLEMENTED on one installation or without test clocks: COMPAT.md. */
const NOT_THERE: readonly RegExp[] = [
  /Method Not Allowed/,
  /^AdminService\./,
  /^TestService\./,
  /Deployments?( |%20)are( |%20)deprecated/,
  /unknown( |%20)callback( |%20)variant/,
];

/** Of requests, with callers: about the second namespace. */
const ELSEWHERE = 0.4;

const commitsOf = (store: MemoryStore): number => store.statistics().commits;
function digestOf(store: MemoryStore): string {
  const { visibility, ...tables } = (store as unknown as { tables: { visibility: { rows: unknown } } }).tables;
  return createHash("sha256")
    .update(JSON.stringify([tables, visibility.rows], plain))
    .digest("hex");
}
/** By value: how V8 keeps a number or a text for the moment is no difference. */
function plain(this: Record<string, unknown>, key: string): unknown {
  const value = this[key];
  if (value instanceof Map) return [...value];
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("latin1") : value;
}

export async function fuzzRound(seed: number, count: number, { hasCallers = false }: RoundOptions = {}): Promise<RoundResult> {
  const problems: string[] = [];
  const outcomes = new Map<string, number>();
  const runtime = new FakeRuntime("free");
  const store = new MemoryStore();
  const callers = hasCallers ? await Callers.make(store, runtime) : undefined;
  const rights = callers === undefined ? undefined : new Rights(callers, problems);
  const note = (fields: object, message?: string): void => rights?.logged(fields, message);
  const logger: Logger = {
    ...{ debug: note, info: note, warn: note },
    error: (fields, message) => problems.push(`logged at error: ${message} ${describeError(fields)}`),
  };
  const config = defaultConfig();
  // A sink that is tried finds nobody. Exports wait for that in real time, so there are none.
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: "x", AWS_SECRET_ACCESS_KEY: "x" });
  const server = await openWholeServer({
    ...{ runtime, store, logger },
    ...(rights === undefined ? {} : { auth: callers?.auth, namespaces: ["one", "two", "unseen"], writeAudit: (r) => rights.audited(r) }),
    config: { ...config, limits: { ...config.limits, archivalS3Endpoint: "http://127.0.0.1:1", cloudExportMs: NEVER_MS } },
    workflows: { plain: { workflowType: "T", taskQueue: "q1" }, schema: { workflowType: "T", taskQueue: "q1", inputSchema: { type: "object" } } },
  });
  await rights?.furnish(server, store);
  const doors = new Doors(server.host, server.port);
  const chance = new Chance(seed);
  const requests = new Requests(chance, hasCallers ? ELSEWHERE : undefined);
  let digest: { readonly commits: number; readonly tables: string } | undefined;
  let refused = 0;
  const isThere = ({ rpc }: FuzzRequest): boolean => rpc === "" || server.api.methods.get(rpc ?? "-")?.handler !== undefined;
  const failed = (i: number, r: FuzzRequest, text: string): void => {
    problems.push(`request ${i}, ${r.protocol} ${r.subject}: ${text}\n    ${shown(r)}`);
  };
  try {
    for (let i = 0; i < count && problems.length < PROBLEMS_MAX; i++) {
      const caller = callers?.next(chance);
      const request = sentBy(requests.next(), caller, chance);
      const before = commitsOf(store);
      // Of the tables as the last request left them; what is not known yet is looked at once.
      if (digest?.commits !== before) digest = { commits: before, tables: digestOf(store) };
      const answering = Buffer.isBuffer(request.wire) ? doors.raw(request.wire) : doors.send(request.wire);
      // A refusal comes at once, however slow the machine is: no time need pass for it.
      const isDenied = caller !== undefined && rights?.isDenied(caller, request) === true;
      const found = await withinTime(answering, runtime, request.waits === true ? WAITING_STEPS_MAX : STEPS_MAX, isDenied ? REAL_MS_MAX : SOON_MS);
      if (found === undefined && request.waits === true) {
        if (isDenied) failed(i, request, `${caller.name}: may not ask, and waits`);
        doors.abandon();
        await answering;
        continue;
      }
      if (found === undefined) {
        failed(i, request, "no answer, however long it is waited for");
        break;
      }
      const { answer, hasTimePassed } = found;
      const outcome = outcomeOf(request, answer);
      const key = `${request.protocol} ${outcome}`;
      outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
      const wrong = caller === undefined ? undefined : rights?.wrongWith(caller, request, answer, outcome);
      if (wrong !== undefined) failed(i, request, `${caller?.name}: ${wrong}: ${outcome} ${textOf(answer)}`);
      if (isInternal(request, answer, outcome)) failed(i, request, `${outcome}: ${textOf(answer)}`);
      if (
        isUnimplemented(outcome) &&
        isThere(request) &&
        !isBrokenGrpc(request) &&
        !NOT_THERE.some((p) => p.test(request.subject) || p.test(textOf(answer)))
      )
        failed(i, request, `${outcome}: ${textOf(answer)}`);
      if (outcome === "OK") {
        try {
          request.learn?.(answer);
        } catch (e) {
          failed(i, request, `an answer that cannot be read: ${(e as Error).message}`);
        }
      } else if (!hasTimePassed && outcome !== "ended") {
        refused++;
        // What is written and taken back in the same call leaves nothing either.
        const after = { commits: commitsOf(store), tables: digestOf(store) };
        const mayWrite = WRITES_ON_REFUSAL.some((p) => p.test(request.subject)) && (caller === undefined || rights?.isAllowed(caller, request));
        if (after.tables !== digest.tables && !mayWrite) failed(i, request, `${outcome}, but tables have changed: ${textOf(answer)}`);
        digest = after;
      }
    }
  } catch (e) {
    problems.push(`the fuzzer itself: ${(e as Error).stack}`);
  } finally {
    doors.abandon();
    await server.close();
  }
  const { denied = 0, allowed = 0 } = rights ?? {};
  return { problems, outcomes, refused, denied, allowed };
}

/** With the proof of who sends it, where the request can have one. */
function sentBy(request: FuzzRequest, caller: Caller | undefined, chance: Chance): FuzzRequest {
  if (caller === undefined) return request;
  const { wire } = request;
  if (!Buffer.isBuffer(wire)) return { ...request, wire: { ...wire, headers: { ...wire.headers, ...caller.headers } } };
  const proof = caller.headers["authorization"];
  if (proof === undefined || chance.is(0.3)) return request;
  const text = wire.toString("latin1").replaceAll("\r\nHost: ", `\r\nAuthorization: ${proof}\r\nHost: `);
  return { ...request, wire: Buffer.from(text, "latin1") };
}

/** Waits for the answer; when nothing goes on any more the server's time passes. Undefined: there is none. */
async function withinTime(
  answering: Promise<Answer>,
  runtime: FakeRuntime,
  stepsMax: number,
  soonMs: number,
): Promise<{ answer: Answer; hasTimePassed: boolean } | undefined> {
  const none = Symbol();
  const soon = async (ms: number) => Promise.race([answering, realTime(ms, none)]);
  const first = await soon(soonMs);
  if (first !== none) return { answer: first as Answer, hasTimePassed: false };
  for (let step = 0; step < stepsMax; step++) {
    runtime.elapse(STEP_MS);
    const answer = await soon(2);
    if (answer !== none) return { answer: answer as Answer, hasTimePassed: true };
  }
  if (stepsMax < STEPS_MAX) return undefined;
  // A slow machine may have begun with the request only when all that time was over.
  for (const begun = performance.now(); performance.now() - begun < REAL_MS_MAX; runtime.elapse(STEP_MS)) {
    const last = await soon(LAST_MS);
    if (last !== none) return { answer: last as Answer, hasTimePassed: true };
  }
  return undefined;
}

const GRPC: readonly string[] = [
  ...["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED"],
  ...[
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
  ],
];

function outcomeOf({ protocol }: FuzzRequest, { status, grpcStatus, body }: Answer): string {
  if (status === 0) return "ended";
  if (protocol === "grpc" || protocol === "grpc-web") {
    const code = grpcStatus ?? /grpc-status: ?(\d+)/.exec(body.toString("latin1"))?.[1];
    if (code !== undefined) return GRPC[Number(code)] ?? code;
    if (status === 200) return "no status";
  }
  return status === 200 ? "OK" : String(status);
}

const isUnimplemented = (outcome: string): boolean => outcome === "UNIMPLEMENTED" || outcome === "501";

/** By its own specification: an encoding that is not known, no message where one must be. */
const isBrokenGrpc = ({ protocol, isBroken = false }: FuzzRequest): boolean => isBroken && protocol.startsWith("grpc");

function isInternal(request: FuzzRequest, answer: Answer, outcome: string): boolean {
  if (request.protocol === "raw-http2" || isBrokenGrpc(request)) return false;
  if (INTERNAL_BY_NAME.test(textOf(answer))) return false;
  // How the trigger API's document has it: a workflow that failed is a 500.
  if (request.protocol === "trigger" && answer.body.toString().includes("Workflow failed: ")) return false;
  return (
    ["500", "502", "INTERNAL", "UNKNOWN", "DATA_LOSS", "no status"].includes(outcome) ||
    answer.body.subarray(0, 200).toString().includes("internal error")
  );
}

const textOf = ({ body, grpcMessage }: Answer): string => grpcMessage + JSON.stringify(body.subarray(0, 300).toString());
const describeError = (fields: object): string =>
  "err" in fields && fields.err instanceof Error ? (fields.err.stack ?? "") : JSON.stringify(fields);

function shown({ wire }: FuzzRequest): string {
  if (Buffer.isBuffer(wire)) return JSON.stringify(wire.toString("latin1"));
  const { version, method, path, headers, body } = wire;
  return `HTTP/${version} ${method} ${path.slice(0, 300)} ${JSON.stringify(headers).slice(0, 300)} ${JSON.stringify(body?.toString("latin1").slice(0, 1500))}`;
}
