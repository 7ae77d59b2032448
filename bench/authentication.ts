/**
 * `npm run bench:authentication`: what authentication costs the gRPC hot path, as CPU of the server a call. Three servers - without, with
 * API keys, with JWT - get the same starts and descriptions in alternated rounds; the medians are compared.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { SignJWT } from "jose";
import { WorkflowService } from "../gen/wire/temporal/api/workflowservice/v1/service.js";
import { encode } from "../src/api/wire.js";
import { BINARY, startServer } from "../test/harness/server-process.js";
import { cpuMs, median } from "./process-usage.js";

const ROUNDS = 9;
const CALLS = 2_000;
const AT_ONCE = 32;
const SECRET = "a secret of thirty-two bytes and more";
const { StartWorkflowExecution, DescribeWorkflowExecution } = WorkflowService.methods;

const folder = mkdtempSync(join(tmpdir(), "perdure-bench-"));
const file = (name: string): string => join(folder, name);
const { stdout } = await promisify(execFile)(BINARY, ["key", "create", "-f", file("key.db"), "--role", "admin"]);
writeFileSync(file("secret"), SECRET);
const jwt = await new SignJWT({ sub: "bench", permissions: ["system:admin"] })
  .setProtectedHeader({ alg: "HS256" })
  .setExpirationTime("1h")
  .sign(Buffer.from(SECRET));

const kinds = [
  { name: "off", flags: [], token: undefined },
  { name: "API key", flags: ["--auth"], token: stdout.trim() },
  { name: "JWT", flags: ["--auth", "--auth-hmac-secret-file", file("secret"), "--auth-algorithms", "HS256"], token: jwt },
];
const subjects = await Promise.all(
  kinds.map(async (k, i) => {
    const server = await startServer(["-f", file(i === 1 ? "key.db" : `${i}.db`), "--log-level", "error", ...k.flags]);
    return { ...k, server, session: connect(`http://${server.address}`), costs: [] as number[] };
  }),
);

function call(session: ClientHttp2Session, path: string, body: Buffer, token: string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers", ...authorization });
    stream.on("trailers", (t) => (t["grpc-status"] === "0" ? resolve() : reject(new Error(String(t["grpc-message"])))));
    stream.on("error", reject);
    stream.resume();
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(body.length, 1);
    stream.end(Buffer.concat([prefix, body]));
  });
}

async function round({ session, token, server, costs }: (typeof subjects)[number], number: number): Promise<void> {
  const before = cpuMs(server.pid);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < CALLS) {
      const id = `${number}-${next++}`;
      const start = { namespace: "default", workflowId: id, requestId: id, workflowType: { name: "T" }, taskQueue: { name: "q" } };
      await call(session, StartWorkflowExecution.path, encode(StartWorkflowExecution.input, start as never), token);
      const describe = { namespace: "default", execution: { workflowId: id } };
      await call(session, DescribeWorkflowExecution.path, encode(DescribeWorkflowExecution.input, describe as never), token);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  costs.push(((cpuMs(server.pid) - before) * 1000) / (2 * CALLS));
}

// The first round of each is to warm up.
for (let i = 0; i <= ROUNDS; i++) for (const s of subjects) await round(s, i);
const off = median((subjects[0] as (typeof subjects)[number]).costs.slice(1));
for (const { name, costs } of subjects) {
  const cost = median(costs.slice(1));
  process.stdout.write(`${name.padEnd(8)} ${cost.toFixed(1).padStart(6)} us of CPU a call  ${((cost / off - 1) * 100).toFixed(1).padStart(6)} %\n`);
}
for (const { session, server } of subjects) {
  session.close();
  await server.stop();
}
rmSync(folder, { recursive: true, force: true });
