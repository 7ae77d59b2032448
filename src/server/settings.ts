/**
 * The configuration of a running server: defaults, the profile of --limits, --dynamic-config-file, --dynamic-config-value, the last one
 * strongest: a key of the command line has that one value, whatever constraints it has in the file. The file is read again when it
 * changes; whoever asks for `current` each time follows.
 */
import { readFileSync, unwatchFile, watchFile } from "node:fs";
import { type Config, defaultConfig, type GivenValue, givenByPair, isSameKey, withValues } from "../config/dynamic-config.js";
import { parseDynamicConfig } from "../config/dynamic-config-file.js";
import { DOCUMENTED_LIMITS } from "../config/limits.js";
import type { ServerOptions } from "../config/options.js";
import type { Logger } from "../lib/runtime.js";

const WATCH_MS = 1_000;

type SettingsOptions = Pick<ServerOptions, "limits" | "dynamicConfig" | "dynamicConfigFile">;

export class Settings {
  /** Readings of the file, one after the other. */
  private reading: Promise<void> = Promise.resolve();

  private constructor(
    private readonly options: SettingsOptions,
    private readonly log: Logger,
    private config: Config,
  ) {
    if (options.dynamicConfigFile !== undefined) watchFile(options.dynamicConfigFile, { interval: WATCH_MS, persistent: false }, this.again);
  }

  /** @throws Error with a text for the user. */
  static async open(options: SettingsOptions, log: Logger): Promise<Settings> {
    return new Settings(options, log, await read(options, log, 1));
  }

  get current(): Config {
    return this.config;
  }

  close(): void {
    if (this.options.dynamicConfigFile !== undefined) unwatchFile(this.options.dynamicConfigFile, this.again);
  }

  private readonly again = (): void => {
    this.reading = this.reading.then(async () => {
      try {
        this.config = await read(this.options, this.log, this.config.version + 1);
        this.log.info({ file: this.options.dynamicConfigFile }, "dynamic config read again");
      } catch (e) {
        this.log.warn({ err: (e as Error).message }, "dynamic config changed and does not work; what was read before stays in use");
      }
    });
  };
}

async function read({ limits, dynamicConfig, dynamicConfigFile: file }: SettingsOptions, log: Logger, version: number): Promise<Config> {
  const base = defaultConfig();
  const start = limits === "documented" ? { ...base, limits: { ...base.limits, ...DOCUMENTED_LIMITS } as Config["limits"] } : base;
  const fromPairs = dynamicConfig.map(givenByPair);
  const fromFile = file === undefined ? [] : await readValues(file, log);
  const values = [...fromFile.filter(({ key }) => !fromPairs.some((p) => isSameKey(p.key, key))), ...fromPairs];
  return withValues({ ...start, version: version - 1 }, values, ({ key, where }, problem) => {
    if (problem === "unknown") log.warn({ key, where: where || "--dynamic-config-value" }, "dynamic config key is not known; it is ignored");
    else log.warn({ key, where }, "dynamic config value has constraints that its key is never looked up by; it is ignored");
  });
}

async function readValues(file: string, log: Logger): Promise<GivenValue[]> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (e) {
    throw new Error(`--dynamic-config-file ${file}: ${(e as NodeJS.ErrnoException).code === "ENOENT" ? "no such file" : (e as Error).message}`);
  }
  return parseDynamicConfig(file, text, ({ key, where }) => log.warn({ key, where }, "dynamic config value stands there twice; the first counts"));
}
