/** The official HTTP API answers as the official server's did, as recorded by main.ts; and what only ours has. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { REFERENCE } from "../conformance/play.js";
import { type ServerProcess, startServer } from "../harness/server-process.js";
import { SEQUENCES } from "./exchanges.js";
import { hashOfExchanges, playSequence, recordedExchanges } from "./play-exchanges.js";

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
