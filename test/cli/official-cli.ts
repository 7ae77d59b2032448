/**
 * The official `temporal` CLI: what each version of it said against the official server (test/cli/expected), and where a binary of one of
 * those versions is: the one that PERDURE_TEMPORAL_CLI names, the one kept in .setup/clients, one on the path, or the one that was built
 * here with Go (`npm run test:sdks`), which takes minutes.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { goIsHere } from "../sdk/languages.js";
import type { Played } from "./play-commands.js";

export interface Recorded {
  readonly reference: string;
  /** What `temporal --version` says, without the server that it carries. */
  readonly cli: string;
  /** Of the commands and the workflows. */
  readonly hash: string;
  readonly stories: Played;
}

const here = import.meta.dirname;
const CLIENTS = join(here, "../../.setup/clients");
const EXPECTED = join(here, "expected");
/** The newest that the module proxy's own code builds: later ones need a folder that is not in it. */
const BUILT = { version: "1.5.1", folder: join(CLIENTS, "temporal-v1.5.1") };

export function hashOfCommands(): string {
  const hash = createHash("sha256");
  for (const file of ["commands.ts", "workflows.ts"]) hash.update(readFileSync(join(here, file)));
  return hash.digest("hex").slice(0, 16);
}

/** One for each version of the CLI. */
export const records = (): Recorded[] => readdirSync(EXPECTED).map((name) => JSON.parse(readFileSync(join(EXPECTED, name), "utf8")) as Recorded);

export const recordCommands = (record: Recorded): void =>
  writeFileSync(join(EXPECTED, `${record.cli.replace(" version ", "-")}.json`), `${JSON.stringify(record, null, 1)}\n`);

export function versionOf(cli: string): string {
  return execFileSync(cli, ["--version"], { encoding: "utf8" }).split(" (")[0]?.trim() ?? "";
}

/** Every binary that is here, the one to prefer first. */
function binaries(): string[] {
  const named = process.env["PERDURE_TEMPORAL_CLI"];
  const folders = [CLIENTS, ...(process.env["PATH"] ?? "").split(":"), BUILT.folder];
  return [...(named === undefined ? [] : [named]), ...folders.map((folder) => join(folder, "temporal"))].filter((p) => existsSync(p));
}

export const findCli = (): string | undefined => binaries()[0];

/** The first of a version that was recorded; one of another version is none. */
export function findRecordedCli(): { readonly cli: string; readonly recorded: Recorded } | undefined {
  const all = records();
  for (const cli of binaries()) {
    const version = versionOf(cli);
    const recorded = all.find((r) => r.cli === version);
    if (recorded !== undefined) return { cli, recorded };
  }
  return undefined;
}

/** Where none is and Go is: into .setup, once. */
export function buildCliIfMissing(): void {
  if (findRecordedCli() !== undefined || !goIsHere("the official CLI")) return;
  process.stdout.write(`the official CLI ${BUILT.version} is built from the module proxy: some minutes, once\n`);
  mkdirSync(BUILT.folder, { recursive: true });
  // Its version is told by whoever builds it.
  const flags = `-X github.com/temporalio/cli/temporalcli.Version=${BUILT.version}`;
  execFileSync("go", ["install", "-ldflags", flags, `github.com/temporalio/cli/cmd/temporal@v${BUILT.version}`], {
    env: { ...process.env, GOBIN: BUILT.folder },
    stdio: ["ignore", "ignore", "inherit"],
  });
}
