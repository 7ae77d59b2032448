/** What the official `temporal` CLI said against the official server (record.ts), it says against ours. */
import { beforeAll, describe, expect, it } from "vitest";
import { REFERENCE } from "../conformance/play.js";
import { COMMON_SETTINGS } from "../conformance/reference-settings.js";
import { startServer } from "../harness/server-process.js";
import { goIsHere } from "../sdk/languages.js";
import { STORIES } from "./commands.js";
import { buildCli, findCli, hashOfCommands, playCommands, type Recorded, records, versionOf, wordsOf } from "./play-commands.js";

const BUILD_MS_MAX = 1_200_000;
const all = records();
const recordOf = async (cli: string): Promise<Recorded | undefined> => {
  const version = await versionOf(cli);
  return all.find((r) => r.cli === version);
};
const found = findCli();
// One of a version that was not recorded is none.
const isHere = found !== undefined && (await recordOf(found)) !== undefined;
const canRun = isHere || goIsHere(`the official CLI (none of ${all.map((r) => r.cli).join(", ")} is here to be used in its place)`);

describe.each(all.map((r) => [r.cli, r] as const))("the record of %s", (_, record) => {
  it("was made from the official server with the commands as they stand, those that this version knows", () => {
    expect([record.reference, record.hash]).toEqual([REFERENCE, hashOfCommands()]);
    for (const [name, commands] of Object.entries(STORIES)) {
      const said = record.stories[name]?.map((s) => s.say) ?? [];
      expect(commands.map((c) => c.say).filter((say) => said.includes(say))).toEqual(said);
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

describe.runIf(canRun)("the official CLI", () => {
  let cli: string;
  beforeAll(() => {
    cli = isHere ? found : buildCli();
  }, BUILD_MS_MAX);

  it("says the same of our server", { timeout: 300_000 }, async () => {
    const recorded = await recordOf(cli);
    const server = await startServer(
      Object.entries(COMMON_SETTINGS).flatMap(([key, value]) => ["--dynamic-config-value", `${key}=${JSON.stringify(value)}`]),
    );
    const stories = await playCommands(cli, server.address);
    expect(await server.stop()).toBe(0);
    expect(stories).toEqual(recorded?.stories);
  });
});
