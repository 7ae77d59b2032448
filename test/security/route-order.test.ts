/**
 * The product doors do more than one thing for a request, and look at the configuration and the catalog for it: all the permissions that
 * it takes are asked for before the first of it.
 */
import { SignJWT } from "jose";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ClientCertificates } from "../../src/authorization/authenticator.js";
import { JwtVerifier } from "../../src/authorization/jwt.js";
import { FakeRuntime } from "../../src/lib/fake-runtime.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { openWholeServer, type WholeServer } from "../harness/whole-server.js";

const SECRET = Buffer.from("0123456789abcdef0123456789abcdef");
const store = new MemoryStore();
const denied: string[] = [];
let server: WholeServer;

beforeAll(async () => {
  const runtime = new FakeRuntime("free");
  const jwt = await JwtVerifier.create({
    ...{ algorithms: ["HS256"], issuer: undefined, audience: undefined, clockSkewMs: 0, jwksUrl: undefined, runtime },
    mapping: { permissions: "permissions", namespace: "namespace", subject: "sub", pattern: undefined },
  });
  jwt.setSecret(SECRET);
  server = await openWholeServer({
    ...{ runtime, store },
    auth: { jwt, certificates: new ClientCertificates([]), publicSubjects: [], close: () => undefined },
    writeAudit: (r) => denied.push(`${r.method} ${r.namespace} ${r.code}`),
    workflows: { known: { workflowType: "T", taskQueue: "q", inputSchema: { type: "object" } } },
  });
});
afterAll(() => server.close());

/** Of a caller with these permissions in namespace "one". */
async function ask(permissions: readonly string[], method: string, path: string, body: object, namespace = "one"): Promise<[number, string]> {
  const token = await new SignJWT({ permissions, namespace: "one" })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject("s")
    .setExpirationTime(4e9)
    .sign(SECRET);
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", "temporal-namespace": namespace };
  const answer = await fetch(server.base + path, { method, headers, body: JSON.stringify(body) });
  return [answer.status, await answer.text()];
}
const statusOf = async (...a: Parameters<typeof ask>): Promise<number> => (await ask(...a))[0];

it("whoever may start and not read is refused where the answer is how it ended, before anything is started", async () => {
  const start = ["temporal:workflow:start"];
  const runs = store.executionKeys().length;
  expect(await statusOf(start, "POST", "/workflows/known", {})).toBe(403);
  expect(await statusOf(start, "POST", "/workflow/run", { workflowName: "known", input: {} })).toBe(403);
  expect(store.executionKeys()).toHaveLength(runs);
  expect(denied).toEqual([
    "/perdure.gateway/POST /workflows/known one PERMISSION_DENIED",
    "/perdure.gateway/POST /workflow/run one PERMISSION_DENIED",
  ]);
  expect(await statusOf(start, "POST", "/workflows/known/async", {})).toBe(200);
  expect(await statusOf(start, "POST", "/workflow/start", { workflowName: "known", input: {} })).toBe(200);
});

it("what is configured and in the catalog is not told to whoever may not start it", async () => {
  const read = ["temporal:workflow:read"];
  const bodies = [{}, { workflowName: "known", input: 1 }, { workflowName: "none", input: {} }];
  for (const body of bodies)
    for (const namespace of ["one", "two"])
      for (const path of ["/workflows/known", "/workflows/none/async", "/workflow/run", "/workflow/start"])
        expect(await ask(read, "POST", path, body, namespace)).toEqual([403, expect.stringContaining("Request unauthorized.")]);
});

it("what is not there reads like what is to whoever may not stop it", async () => {
  const read = ["temporal:workflow:read"];
  expect(await statusOf(read, "PATCH", "/workflow/none/stop", {})).toBe(403);
  expect(await statusOf(read, "POST", "/workflow/none/terminate", {})).toBe(403);
  expect(await statusOf([...read, "temporal:workflow:cancel"], "PATCH", "/workflow/none/stop", {})).toBe(404);
});
