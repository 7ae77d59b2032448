/** Every script gives here what it gave on the official server. A record that is older than its script fails. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServerProcess, startServer } from "../harness/server-process.js";
import { FILES, hashOf, play, prepare, REFERENCE, recorded, scriptsOf } from "./play.js";

let server: ServerProcess;
beforeAll(async () => {
  server = await startServer();
  await prepare(server.address);
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
});

for (const file of FILES) {
  const expected = recorded(file);
  const scripts = await scriptsOf(file);
  describe(`scripts: ${file}`, () => {
    it("were recorded from the official server as they stand", () => {
      expect(expected?.reference).toBe(REFERENCE);
      expect(expected?.hash).toBe(hashOf(file));
      expect(Object.keys(expected?.scripts ?? {})).toEqual(Object.keys(scripts));
    });
    for (const [name, script] of Object.entries(scripts))
      it.concurrent(name, { timeout: 60_000 }, async ({ expect: own }) => {
        own(await play(server.address, script)).toEqual(expected?.scripts[name]);
      });
  });
}
