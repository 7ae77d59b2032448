/** Traces that the server itself puts into S3, with the documented settings. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { TraceStores } from "../../src/gateway/trace/trace-store.js";
import { type S3Server, startS3 } from "../archival/s3-server.js";
import { temporaryDirectory } from "../harness/server-process.js";

const folder = temporaryDirectory();
let s3: S3Server;
let environment: Record<string, string>;
beforeAll(async () => {
  mkdirSync(join(folder, "s3"));
  s3 = await startS3(join(folder, "s3"), "traces");
  environment = {
    OUTPUT_AWS_ACCESS_KEY_ID: "S3RVER",
    OUTPUT_AWS_SECRET_ACCESS_KEY: "S3RVER",
    OUTPUT_AWS_REGION: "eu-central-1",
    AWS_ENDPOINT_URL_S3: s3.endpoint,
  };
});
afterAll(async () => {
  await s3?.stop();
});

const run = { namespace: "default", workflowId: "a/b ü?", runId: "r1" };

it("are written under the prefix, and are there for whoever asks next, another process included", async () => {
  const stores = new TraceStores("s3://traces/kept/here", () => environment);
  expect(await stores.read(run)).toBeUndefined();
  const kept = await stores.keep(run, { steps: [1, { n: "ü" }] });
  expect(kept).toEqual({ source: "remote", remotePath: expect.stringMatching(/^s3:\/\/traces\/kept\/here\//) });
  const found = await new TraceStores("s3://traces/kept/here", () => environment).read(run);
  expect(found).toEqual({ ...kept, data: { steps: [1, { n: "ü" }] } });
  expect(await stores.read({ ...run, runId: "r2" })).toBeUndefined();
  expect(await stores.read({ ...run, namespace: "other" })).toBeUndefined();
  const { remotePath } = kept as { remotePath: string };
  const object = await fetch(`${s3.endpoint}/${remotePath.slice("s3://".length).split("/").map(encodeURIComponent).join("/")}`);
  expect([object.status, await object.json()]).toEqual([200, { steps: [1, { n: "ü" }] }]);
});

it("need the documented settings, and a bucket that is there", async () => {
  const { OUTPUT_AWS_SECRET_ACCESS_KEY: _, ...without } = environment;
  await expect(new TraceStores("s3://traces/x", () => without).keep(run, {})).rejects.toThrow("OUTPUT_AWS_SECRET_ACCESS_KEY");
  await expect(new TraceStores("s3://nowhere/x", () => environment).keep(run, {})).rejects.toThrow();
});
