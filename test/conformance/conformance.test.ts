/**
 * Every script gives on our server, and on the core alone, what it gave on the official server. A record that is older than its
 * script fails.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServerProcess, startServer } from "../harness/server-process.js";
import { TriedAttributes } from "./attributes.js";
import { CoreSubject } from "./core-subject.js";
import { GrpcSubject } from "./grpc-subject.js";
import { FILES, hashOf, play, prepare, recorded, scriptsOf, sourcesOf } from "./play.js";
import { importedButMissing, REFERENCE } from "./records.js";
import { COMMON_SETTINGS } from "./reference-settings.js";

let server: ServerProcess;
let ours: GrpcSubject;
beforeAll(async () => {
  server = await startServer(
    Object.entries(COMMON_SETTINGS).flatMap(([key, value]) => ["--dynamic-config-value", `${key}=${JSON.stringify(value)}`]),
  );
  ours = new GrpcSubject(server.address);
  await prepare(ours);
});
afterAll(async () => {
  ours.close();
  expect(await server.stop()).toBe(0);
});

const files = await Promise.all(FILES.map(async (file) => ({ file, expected: recorded(file), scripts: await scriptsOf(file) })));
const all = files.flatMap(({ file, expected, scripts }) =>
  Object.entries(scripts).map(([name, script]) => ({ title: `${file}: ${name}`, script, expected: expected?.scripts[name] })),
);

describe("the records", () => {
  for (const { file, expected, scripts } of files)
    it(`${file} were made from the official server with the scripts as they stand`, () => {
      expect(expected?.reference).toBe(REFERENCE);
      expect(expected?.hash).toBe(hashOf(file));
      expect(Object.keys(expected?.scripts ?? {})).toEqual(Object.keys(scripts));
    });

  it("have every file in their hash that the scripts import from here", () => {
    const missing = FILES.flatMap((file) => importedButMissing(sourcesOf(file), [import.meta.dirname]));
    expect(missing).toEqual([]);
  });
});

describe.concurrent("our server", () => {
  for (const { title, script, expected } of all)
    it(title, { timeout: 60_000 }, async ({ expect: own }) => {
      own(await play(ours, script)).toEqual(expected);
    });
});

describe("the core alone", () => {
  const tried = new TriedAttributes();
  for (const { title, script, expected } of all)
    it(title, async () => {
      const core = await CoreSubject.open();
      await prepare(core);
      expect(await play(core, script, (s) => tried.look(s))).toEqual(expected);
      core.close();
    });

  it("would fail a script if any attribute were another, but those of the one list", () => {
    process.stdout.write(`${tried.count} attributes of events and answers, each changed once\n`);
    expect(tried.unseen).toEqual([]);
    expect(tried.count).toBeGreaterThan(1_000);
  });
});
