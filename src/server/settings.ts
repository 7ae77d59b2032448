/**
 * The configuration of a running server: defaults, the profile of --limits, --dynamic-config-file, --dynamic-config-value, the last one
 * strongest. The file is read again when it changes; whoever asks for `current` each time follows.
 */
import { readFileSync, unwatchFile, watchFile } from "node:fs";
import { type Config, defaultConfig, withSettings } from "../config/dynamic-config.js";
import { DOCUMENTED_LIMITS } from "../config/limits.js";
import type { ServerOptions } from "../config/options.js";
import type { Logger } from "../lib/runtime.js";

const WATCH_MS = 1_000;

export class Settings {
  private config: Config;

  /** @throws Error with a text for the user. */
  constructor(
    private readonly options: Pick<ServerOptions, "limits" | "dynamicConfig" | "dynamicConfigFile">,
    private readonly log: Logger,
  ) {
    this.config = this.read(1);
    if (options.dynamicConfigFile !== undefined) watchFile(options.dynamicConfigFile, { interval: WATCH_MS, persistent: false }, this.again);
  }

  get current(): Config {
    return this.config;
  }

  close(): void {
    if (this.options.dynamicConfigFile !== undefined) unwatchFile(this.options.dynamicConfigFile, this.again);
  }

  private readonly again = (): void => {
    try {
      this.config = this.read(this.config.version + 1);
      this.log.info({ file: this.options.dynamicConfigFile }, "dynamic config read again");
    } catch (e) {
      this.log.warn({ err: (e as Error).message }, "dynamic config changed and does not work; what was read before stays in use");
    }
  };

  private read(version: number): Config {
    const { limits, dynamicConfig, dynamicConfigFile } = this.options;
    const base = defaultConfig();
    const start = limits === "documented" ? { ...base, limits: { ...base.limits, ...DOCUMENTED_LIMITS } as Config["limits"] } : base;
    const onUnknown = (key: string): void => this.log.warn({ key }, "dynamic config key is not known; it is ignored");
    const fromFile = dynamicConfigFile === undefined ? [] : pairsOf(dynamicConfigFile);
    return { ...withSettings(start, [...fromFile, ...dynamicConfig], onUnknown), version };
  }
}

/** As --dynamic-config-value has them. */
function pairsOf(path: string): string[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, "utf8"));
  } catch (e) {
    throw new Error(`--dynamic-config-file ${path}: ${(e as NodeJS.ErrnoException).code === "ENOENT" ? "no such file" : (e as Error).message}`);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw new Error(`--dynamic-config-file ${path}: not a JSON object`);
  return Object.entries(parsed).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
}
