/** What of the Cloud Ops API only the vendor of a cloud can do is refused with the reason. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FakeRuntime } from "../../src/lib/fake-runtime.js";
import { openWholeServer, type WholeServer } from "../harness/whole-server.js";
import { client } from "../http/http-client.js";

const compat = readFileSync(join(import.meta.dirname, "../../COMPAT.md"), "utf8");
const refused = [...compat.matchAll(/^\| CloudService\.(\w+) \| refused \| (.+) \|$/gm)].map(([, name = ""]) => name);

let server: WholeServer;
beforeAll(async () => {
  server = await openWholeServer({ runtime: new FakeRuntime("free") });
});
afterAll(() => server.close());

it.each(refused)("%s", async (name) => {
  const ask = client(server.base);
  const answer = await ask(`POST /temporal.api.cloud.cloudservice.v1.CloudService/${name}`, {}, { "content-type": "application/json" });
  expect([answer.status, answer.body.code]).toEqual([400, "failed_precondition"]);
  expect(answer.body.message).toMatch(/\w+ \w+/);
});
