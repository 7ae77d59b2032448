/**
 * The Go, Python and Java suites, each a program of its own against the real server; skipped with a line where the tool is missing. With
 * PERDURE_SDK_ADDRESS set, against the server that listens there.
 */
import { describe, expect, it } from "vitest";
import { type ServerProcess, startServer, startTestServer } from "../harness/server-process.js";
import { goIsHere, goProgram, javaClasses, javaIsHere, pythonFile, pythonIsHere, pythonWithSdk, run } from "./languages.js";

/** What a suite reported, with what it said on its way where it did not come to its end. */
async function report(command: string, args: (address: string) => string[]) {
  const elsewhere = process.env["PERDURE_SDK_ADDRESS"];
  const attributes = ["--search-attribute", "CustomKeywordField=Keyword", "--search-attribute", "CustomIntField=Int"];
  return reportAgainst(elsewhere === undefined ? await startServer(attributes) : elsewhere, command, args);
}

async function reportAgainst(server: ServerProcess | string, command: string, args: (address: string) => string[]) {
  const ended = await run(command, args(typeof server === "string" ? server : server.address), 240_000);
  if (typeof server !== "string") {
    expect(await server.stop()).toBe(0);
    expect(
      server
        .log()
        .split("\n")
        .filter((l) => /error/i.test(l)),
    ).toEqual([]);
  }
  const lines = ended.stdout.split("\n");
  const started = (word: string) => lines.filter((l) => l.startsWith(`${word} `) || l.startsWith(`${word}:`));
  const failed = started("FAILED");
  if (!ended.ok && failed.length === 0) failed.push(`the program failed: ${ended.stderr.slice(-2000)}`);
  return { failed, ok: started("ok").length, ran: Number(started("ran")[0]?.slice(4) ?? 0) };
}

function expectAll(got: Awaited<ReturnType<typeof report>>, atLeast: number): void {
  expect(got.failed).toEqual([]);
  expect(got.ok).toBe(got.ran);
  expect(got.ran).toBeGreaterThanOrEqual(atLeast);
}

const hasGo = goIsHere("the Go suite");
const hasPython = pythonIsHere("the Python suite");
const hasJava = javaIsHere("the Java suite");

describe("official SDKs of other languages", () => {
  it.runIf(hasGo)("Go", { timeout: 600_000 }, async () => {
    const program = goProgram(".", "go-suite");
    expectAll(await report(program, (address) => ["-addr", address]), 60);
  });

  it.runIf(hasPython)("Python", { timeout: 600_000 }, async () => {
    const interpreter = pythonWithSdk();
    expectAll(await report(interpreter, (address) => ["-B", pythonFile("suite.py"), address]), 60);
  });

  it.runIf(hasJava)("Java", { timeout: 600_000 }, async () => {
    const classes = javaClasses();
    expectAll(await report("java", (address) => ["-cp", classes, "suite.Suite", address]), 43);
  });

  it.runIf(hasJava)("sdk-java 1540, 1693, 1954, 2283, 2392, 2642: Java's TestWorkflowEnvironment in skipped time", { timeout: 600_000 }, async () => {
    const classes = javaClasses();
    const server = await startTestServer(["test-server", "0", "--enable-time-skipping"]);
    expectAll(await reportAgainst(server, "java", (address) => ["-cp", classes, "timeskipping.TimeSkipping", address]), 13);
  });
});
