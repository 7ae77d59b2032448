/** The official HTTP API answers as the official server's did, as recorded by main.ts; and what only ours has. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { REFERENCE } from "../conformance/records.js";
import { type ServerProcess, startServer } from "../harness/server-process.js";
import { SEQUENCES } from "./exchanges.js";
import { hashOfExchanges, operationsOf, playSequence, recordedExchanges } from "./play-exchanges.js";

let server: ServerProcess;
let base: string;
beforeAll(async () => {
  server = await startServer();
  base = `http://${server.address}`;
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
});

const recorded = recordedExchanges();

describe("the record", () => {
  it("was made from the official server with the exchanges as they stand", () => {
    expect(recorded?.reference).toBe(REFERENCE);
    expect(recorded?.hash).toBe(hashOfExchanges());
    expect(Object.keys(recorded?.sequences ?? {})).toEqual(Object.keys(SEQUENCES));
  });
});

describe("the official HTTP API", () => {
  for (const [name, sequence] of Object.entries(SEQUENCES))
    it(`answers as the official server: ${name}`, async () => {
      expect(await playSequence(base, sequence)).toEqual(recorded?.sequences[name]);
    });
});

describe("the description of the HTTP API", () => {
  it("has every operation of the official server's", async () => {
    expect(await operationsOf(base)).toEqual(recorded?.operations);
  });

  it("refers to nothing that it does not have, in both forms", async () => {
    const swagger = await (await fetch(`${base}/swagger.json`)).text();
    const definitions = new Set(Object.keys((JSON.parse(swagger) as { definitions: object }).definitions));
    const used = [...swagger.matchAll(/"#\/definitions\/([^"]+)"/g)].map((m) => m[1] as string);
    expect([used.length > 200, used.filter((u) => !definitions.has(u))]).toEqual([true, []]);
    const yaml = await (await fetch(`${base}/openapi.yaml`)).text();
    const schemas = new Set([...yaml.matchAll(/^ {4}([\w.]+):$/gm)].map((m) => m[1] as string));
    const inYaml = [...yaml.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map((m) => m[1] as string);
    expect([inYaml.length > 200, inYaml.filter((u) => !schemas.has(u))]).toEqual([true, []]);
  });

  it("is a page that calls nobody but this server", async () => {
    const page = await fetch(`${base}/api`);
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(await page.text()).not.toMatch(/(src|href)="https?:/);
  });
});
