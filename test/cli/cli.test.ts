/** What the official `temporal` CLI said against the official server (record.ts), it says against ours. */
import { describe, expect, it } from "vitest";
import { REFERENCE } from "../conformance/play.js";
import { COMMON_SETTINGS } from "../conformance/reference-settings.js";
import { startServer } from "../harness/server-process.js";
import { STORIES } from "./commands.js";
import { findCli, hashOfCommands, playCommands, recordedCommands, versionOf, wordsOf } from "./play-commands.js";

const recorded = recordedCommands();
const found = findCli();
const cli = found !== undefined && (await versionOf(found)) === recorded.cli ? found : undefined;
if (cli === undefined)
  process.stdout.write(`${recorded.cli} is not here (PERDURE_TEMPORAL_CLI, .setup/clients or the path): its commands are skipped\n`);

describe("the record", () => {
  it("was made from the official server with the commands as they stand", () => {
    expect([recorded.reference, recorded.hash]).toEqual([REFERENCE, hashOfCommands()]);
    for (const [name, commands] of Object.entries(STORIES)) expect(recorded.stories[name]?.map((s) => s.say)).toEqual(commands.map((c) => c.say));
  });

  it("is of at least 60 different commands", () => {
    const commands = Object.values(STORIES).flatMap((story) =>
      story.map(({ say }) => {
        const words = wordsOf(say);
        return words.slice(0, words.findIndex((w) => w.startsWith("-")) >>> 0).join(" ");
      }),
    );
    expect(new Set(commands).size).toBeGreaterThanOrEqual(60);
  });
});

describe.runIf(cli !== undefined)("the official CLI", () => {
  it("says the same of our server", { timeout: 300_000 }, async () => {
    const server = await startServer(
      Object.entries(COMMON_SETTINGS).flatMap(([key, value]) => ["--dynamic-config-value", `${key}=${JSON.stringify(value)}`]),
    );
    const stories = await playCommands(cli as string, server.address);
    expect(await server.stop()).toBe(0);
    expect(stories).toEqual(recorded.stories);
  });
});
