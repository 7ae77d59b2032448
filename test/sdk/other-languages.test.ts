/** The Go and Python suites, each a program of its own against the real server; skipped with a line where the tool is missing. */
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startServer } from "../harness/server-process.js";

const here = import.meta.dirname;
const cache = join(here, "../../.setup/sdks");

function has(command: string, args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Runs a suite and answers its lines. */
async function linesOf(command: string, args: (address: string) => string[]): Promise<string[]> {
  const server = await startServer();
  try {
    const out = await new Promise<string>((resolve) => {
      execFile(command, args(server.address), { timeout: 240_000, maxBuffer: 1 << 24 }, (error, stdout, stderr) =>
        resolve(error === null ? stdout : `${stdout}\nFAILED to run: ${stderr.slice(-2000)}`),
      );
    });
    return out.split("\n").filter((l) => l.startsWith("ok ") || l.startsWith("FAILED"));
  } finally {
    expect(await server.stop()).toBe(0);
  }
}

const hasGo = has("go", ["version"]);
const hasPython = has("python3", ["-m", "venv", "--help"]);
if (!hasGo) process.stdout.write("Go is not here: the Go suite is skipped\n");
if (!hasPython) process.stdout.write("python3 with venv is not here: the Python suite is skipped\n");

describe("official SDKs of other languages", () => {
  it.runIf(hasGo)("Go", { timeout: 600_000 }, async () => {
    mkdirSync(cache, { recursive: true });
    const binary = join(cache, "go-suite");
    execFileSync("go", ["build", "-o", binary, "."], { cwd: join(here, "go") });
    const lines = await linesOf(binary, (address) => ["-addr", address]);
    expect(lines.filter((l) => l.startsWith("FAILED"))).toEqual([]);
    expect(lines.length).toBeGreaterThanOrEqual(8);
  });

  it.runIf(hasPython)("Python", { timeout: 600_000 }, async () => {
    const venv = join(cache, "python");
    const wanted = readFileSync(join(here, "python/requirements.txt"), "utf8");
    const stamp = join(venv, "installed.txt");
    if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
      execFileSync("python3", ["-m", "venv", venv]);
      execFileSync(join(venv, "bin/pip"), ["install", "--quiet", "-r", join(here, "python/requirements.txt")]);
      writeFileSync(stamp, wanted);
    }
    const lines = await linesOf(join(venv, "bin/python"), (address) => [join(here, "python/suite.py"), address]);
    expect(lines.filter((l) => l.startsWith("FAILED"))).toEqual([]);
    expect(lines.length).toBeGreaterThanOrEqual(8);
  });
});
