import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Logger } from "../lib/runtime.js";
import { Settings } from "./settings.js";

describe("what the settings of a start warn of", () => {
  let directory: string;
  let file: string;
  let warnings: [fields: object, message: string][];
  const quiet = () => undefined;
  const log: Logger = { debug: quiet, info: quiet, warn: (fields, message) => warnings.push([fields, message]), error: quiet };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "settings-"));
    file = join(directory, "dynamic-config.yaml");
    warnings = [];
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  async function open(text: string, dynamicConfig: string[] = []): Promise<Settings["current"]> {
    writeFileSync(file, text);
    const settings = await Settings.open({ limits: "none", dynamicConfig, dynamicConfigFile: file }, log);
    settings.close();
    return settings.current;
  }

  it("names the line of a key that nobody knows", async () => {
    await open("limit.maxIDLength:\n- value: 7\nlimit.maxIdLenght:\n- value: 7\n");
    const fields = { key: "limit.maxIdLenght", where: `--dynamic-config-file ${file}, line 4` };
    expect(warnings).toEqual([[fields, "dynamic config key is not known; it is ignored"]]);
  });

  it("names the option of one on the command line", async () => {
    await open("", ["limit.maxIdLenght=7"]);
    const fields = { key: "limit.maxIdLenght", where: "--dynamic-config-value" };
    expect(warnings).toEqual([[fields, "dynamic config key is not known; it is ignored"]]);
  });

  it("says nothing of a key of the file that the command line replaces", async () => {
    const { limits } = await open("limit.maxIDLength:\n- value: 7\n", ["limit.maxIDLength=9"]);
    expect(limits.idLengthMax).toBe(9);
    expect(warnings).toEqual([]);
  });
});
