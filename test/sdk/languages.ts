/**
 * Go, Python and Java for the suites that need them: are they here, and the programs of test/sdk, made ready under .setup/sdks/ (a binary;
 * a virtual environment with the official SDK; classes). Where a tool is missing, one line says what is skipped.
 */
import { execFile, execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import Database from "better-sqlite3";

const here = import.meta.dirname;
const cache = join(here, "../../.setup/sdks");

/** Makes something under .setup/sdks/ while no other test file does; a lock of SQLite ends with its process, however that ends. */
function alone<T>(make: () => T): T {
  mkdirSync(cache, { recursive: true });
  const lock = new Database(join(cache, "lock.db"), { timeout: 600_000 });
  try {
    lock.exec("BEGIN EXCLUSIVE");
    return make();
  } finally {
    lock.close();
  }
}

function has(command: string, args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

export function goIsHere(whatIsSkipped: string): boolean {
  const here = has("go", ["version"]);
  if (!here) process.stdout.write(`Go is not here: ${whatIsSkipped} is skipped\n`);
  return here;
}

export function pythonIsHere(whatIsSkipped: string): boolean {
  const here = has("python3", ["-m", "venv", "--help"]);
  if (!here) process.stdout.write(`python3 with venv is not here: ${whatIsSkipped} is skipped\n`);
  return here;
}

/** Builds a package of a module, that in test/sdk/go if not another; go's own cache makes the second time fast. */
export function goProgram(folder: string, name: string, module = join(here, "go")): string {
  mkdirSync(cache, { recursive: true });
  const binary = join(cache, name);
  execFileSync("go", ["build", "-o", binary, folder], { cwd: module });
  return binary;
}

export const pythonFile = (name: string): string => join(here, "python", name);

/** The interpreter of an environment with what requirements.txt names. */
export const pythonWithSdk = (): string => alone(makePython);

function makePython(): string {
  const environment = join(cache, "python");
  const wanted = readFileSync(pythonFile("requirements.txt"), "utf8");
  const stamp = join(environment, "installed.txt");
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
    execFileSync("python3", ["-m", "venv", environment]);
    execFileSync(join(environment, "bin/pip"), ["install", "--quiet", "-r", pythonFile("requirements.txt")]);
    writeFileSync(stamp, wanted);
  }
  return join(environment, "bin/python");
}

export function javaIsHere(whatIsSkipped: string): boolean {
  const here = has("java", ["-version"]) && has("mvn", ["-version"]);
  if (!here) process.stdout.write(`Java with Maven is not here: ${whatIsSkipped} is skipped\n`);
  return here;
}

/** Compiles the programs of test/sdk/java; a class path with what its pom.xml names. */
export const javaClasses = (): string => alone(makeJava);

function makeJava(): string {
  const project = join(here, "java");
  const target = join(cache, "java");
  const code = readdirSync(join(project, "src"), { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".java"));
  const sources = [join(project, "pom.xml"), ...code.sort().map((f) => join(project, "src", f))];
  const wanted = sources.map((f) => readFileSync(f, "utf8")).join("");
  const stamp = join(target, "built.txt");
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
    // Nothing stays of a version or a class that is no longer named.
    rmSync(target, { recursive: true, force: true });
    for (const f of sources) {
      mkdirSync(dirname(join(target, relative(project, f))), { recursive: true });
      copyFileSync(f, join(target, relative(project, f)));
    }
    execFileSync("mvn", ["-q", "-B", "compile", "dependency:copy-dependencies"], { cwd: target });
    writeFileSync(stamp, wanted);
  }
  return `${join(target, "target/classes")}:${join(target, "target/dependency/*")}`;
}

export interface Ended {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

export function run(
  command: string,
  args: readonly string[],
  timeoutMs: number,
  place: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(command, args, { ...place, timeout: timeoutMs, maxBuffer: 1 << 24 }, (error, stdout, stderr) =>
      resolve({
        ok: error === null,
        stdout,
        stderr: error === null ? stderr : `${stderr}\n${error.message.split("\n")[0]} ${error.signal ?? error.code}`,
      }),
    );
  });
}
