/** What the official `temporal` CLI said against the official server (record.ts), it says against ours. */
import { describe, expect, it } from "vitest";
import { REFERENCE } from "../conformance/records.js";
import { COMMON_SETTINGS } from "../conformance/reference-settings.js";
import { startServer } from "../harness/server-process.js";
import { STORIES } from "./commands.js";
import { findRecordedCli, hashOfCommands, records } from "./official-cli.js";
import { playCommands, wordsOf } from "./play-commands.js";

const all = records();
const found = findRecordedCli();
if (found === undefined)
  process.stdout.write(
    `The official CLI is skipped: none of ${all.map((r) => r.cli).join(", ")} is here (PERDURE_TEMPORAL_CLI, .setup/clients or the path); \`npm run test:sdks\` builds one with Go\n`,
  );

describe.each(all.map((r) => [r.cli, r] as const))("the record of %s", (_, record) => {
  it("was made from the official server with the commands as they stand, those that this version knows", () => {
    expect([record.reference, record.hash]).toEqual([REFERENCE, hashOfCommands()]);
    for (const [name, commands] of Object.entries(STORIES)) {
      const said = record.stories[name]?.map((s) => s.say) ?? [];
      const left = [...said];
      for (const { say } of commands) if (left[0] === say) left.shift();
      expect([name, said.length > 0, left]).toEqual([name, true, []]);
    }
  });

  it("is of at least 60 different commands", () => {
    const commands = Object.values(record.stories).flatMap((story) =>
      story.map(({ say }) => {
        const words = wordsOf(say);
        return words.slice(0, words.findIndex((w) => w.startsWith("-")) >>> 0).join(" ");
      }),
    );
    expect(new Set(commands).size).toBeGreaterThanOrEqual(60);
  });
});

it("one record has every command", () => {
  const counts = all.map((r) => Object.values(r.stories).flat().length);
  expect(Math.max(...counts)).toBe(Object.values(STORIES).flat().length);
});

describe.runIf(found !== undefined)("the official CLI", () => {
  it("says the same of our server", { timeout: 300_000 }, async () => {
    const server = await startServer(
      Object.entries(COMMON_SETTINGS).flatMap(([key, value]) => ["--dynamic-config-value", `${key}=${JSON.stringify(value)}`]),
    );
    const stories = await playCommands(found?.cli as string, server.address);
    expect(await server.stop()).toBe(0);
    expect(stories).toEqual(found?.recorded.stories);
  });
});
