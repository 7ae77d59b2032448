/**
 * `npm run setup`: packages, generated code and bundle, each made only when its inputs changed. Imports nothing but node:*, because
 * on a fresh clone nothing else is there.
 *
 * A stage keeps one stamp in .setup/: the size and time of every input, and a hash of their contents. Same sizes and times: fresh,
 * nothing is read and nothing is spawned (that is the 150 ms path). Other times but the same contents (a checkout, a touch): the
 * stamp is renewed. Else the stage runs; its stamp says "running" meanwhile, so a run that was cut off is not taken for done.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamps = join(root, ".setup");

/** Relative paths of all files under `path` (a file or a folder) that `keep` accepts, in order. */
function filesUnder(path, keep = () => true) {
  const full = join(root, path);
  const stat = statSync(full, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  if (!stat.isDirectory()) return [path];
  const files = [];
  for (const entry of readdirSync(full, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const child = `${path}/${entry.name}`;
    if (entry.isDirectory()) files.push(...filesUnder(child, keep));
    else if (keep(child)) files.push(child);
  }
  return files;
}

const stampPath = (stage) => join(stamps, `${stage.name}.json`);

function readStamp(stage) {
  try {
    return JSON.parse(readFileSync(stampPath(stage), "utf8"));
  } catch {
    return undefined;
  }
}

function writeStamp(stage, stamp) {
  mkdirSync(stamps, { recursive: true });
  writeFileSync(stampPath(stage), JSON.stringify(stamp));
}

const timesOf = (files) => files.map((f) => ((s) => `${f} ${s.size} ${s.mtimeMs}`)(statSync(join(root, f)))).join("\n");

function contentsOf(files) {
  const hash = createHash("sha256");
  for (const f of files)
    hash
      .update(f)
      .update("\0")
      .update(readFileSync(join(root, f)))
      .update("\0");
  return hash.digest("hex");
}

const newest = (files) => Math.max(0, ...files.map((f) => statSync(join(root, f)).mtimeMs));

/** True when the stage need not run. */
function isFresh(stage, files) {
  const marker = statSync(join(root, stage.output), { throwIfNoEntry: false });
  if (marker === undefined) return false;
  const stamp = readStamp(stage);
  if (stamp === undefined) {
    // Made by hand (npm install, buf generate) before there was a stamp.
    if (!stage.adopt || marker.mtimeMs < newest(files)) return false;
    writeStamp(stage, { times: timesOf(files), contents: contentsOf(files) });
    return true;
  }
  if (stamp.running) return false;
  const times = timesOf(files);
  if (stamp.times === times) return true;
  if (stamp.contents !== contentsOf(files)) return false;
  writeStamp(stage, { ...stamp, times });
  return true;
}

function run(command, args, env = {}) {
  const done = spawnSync(command, args, { cwd: root, encoding: "utf8", env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 });
  return { ok: done.status === 0, output: `${done.stdout ?? ""}${done.stderr ?? ""}${done.error?.message ?? ""}` };
}

function must(result, what) {
  if (!result.ok) throw new Error(`${what} failed:\n${result.output.trim()}`);
}

function installPackages() {
  // better-sqlite3 may have to be compiled: headers that came with Node save node-gyp a download from outside the registry.
  const prefix = dirname(dirname(process.execPath));
  const env = existsSync(join(prefix, "include/node/node.h")) ? { npm_package_config_node_gyp_nodedir: prefix } : {};
  const flags = ["--no-audit", "--no-fund", "--loglevel=error", "--include=dev"];
  const ci = run("npm", ["ci", ...flags], env);
  if (ci.ok) return;
  // A registry that does not carry the binaries of other platforms leaves a lock file that `npm ci` calls incomplete. The versions
  // of everything that is installed here are in it all the same, and `npm install` holds to them.
  if (!ci.output.includes("EUSAGE")) must(ci, "npm ci");
  must(run("npm", ["install", "--no-save", ...flags], env), "npm install");
}

/** Into a folder beside, then into place: others may be reading gen/ meanwhile. */
function generate() {
  const next = join(stamps, "generated");
  rmSync(next, { recursive: true, force: true });
  must(run(join(root, "node_modules/.bin/buf"), ["generate", "--output", next]), "buf generate");
  rmSync(join(root, "gen"), { recursive: true, force: true });
  renameSync(join(next, "gen"), join(root, "gen"));
  rmSync(next, { recursive: true });
}

async function bundle(names) {
  const { build } = await import(pathToFileURL(join(root, "node_modules/esbuild/lib/main.js")).href);
  const started = Date.now();
  await build({ ...bundleOptions(), entryPoints: ["src/main.ts", ...names], outdir: join(root, "dist"), sourcemap: "linked" });
  // Chunks of earlier builds stay for an hour: a server that runs from them may not have loaded all yet.
  for (const file of filesUnder("dist")) if (started - statSync(join(root, file)).mtimeMs > 3_600_000) rmSync(join(root, file));
}

/** What dist/ and scripts/run-ts.mjs have in common. */
export function bundleOptions() {
  return {
    absWorkingDir: root,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    // Bundled, not resolved at start-up: zod alone costs 40 ms from node_modules and 10 ms here, without what nobody imports.
    external: ["better-sqlite3"],
    inject: ["scripts/node-globals.mjs"],
    banner: { js: 'import { createRequire as perdureRequire } from "node:module"; const require = perdureRequire(import.meta.url);' },
    // Flat, so that a worker lies beside the code that starts it wherever its chunk landed.
    entryNames: "[name]",
    chunkNames: "[name]-[hash]",
    logLevel: "silent",
  };
}

const isSource = (f) => /\.[cm]?[jt]s$/.test(f) && !f.includes(".test.");

/** Files that run on a thread of their own. */
export const workerEntries = () => filesUnder("src", (f) => f.endsWith("-worker.ts"));

const exists = (file) => existsSync(join(root, file));
// The published messages come with core-bridge: its version stands for them.
const protoInputs = () => ["buf.yaml", "buf.gen.yaml", "node_modules/@temporalio/core-bridge/package.json", ...filesUnder("proto")].filter(exists);

/** In order: each needs the ones before it. `output` is what the stage makes last. */
const stages = [
  { name: "packages", inputs: () => ["package-lock.json"], output: "node_modules/.package-lock.json", adopt: true, make: installPackages },
  {
    name: "generate",
    inputs: protoInputs,
    output: "gen/wire",
    adopt: true,
    make: generate,
  },
  {
    name: "bundle",
    inputs: () => [
      ...filesUnder("src", isSource),
      ...protoInputs(),
      "package.json",
      "package-lock.json",
      "scripts/setup.mjs",
      "scripts/node-globals.mjs",
    ],
    output: "dist/main.js",
    adopt: false,
    make: () => bundle(workerEntries()),
  },
];

/** The pid in a lock; 0 when there is none, or nothing readable. */
function pidIn(path) {
  try {
    return Number(readFileSync(path, "utf8")) || 0;
  } catch (error) {
    if (error.code === "ENOENT") return 0;
    throw error;
  }
}

/** Undefined when the lock is ours now, else who has it. Linked into place, so that it is never seen without its pid. */
function tryLock(path) {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, String(process.pid));
  try {
    linkSync(draft, path);
    return undefined;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    return pidIn(path);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Takes a dead holder's lock away; if another waiter was quicker, what was taken is that waiter's and goes back. */
function removeStale(path, holder) {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
    if (pidIn(aside) !== holder) linkSync(aside, path);
  } catch (error) {
    if (error.code !== "ENOENT" && error.code !== "EEXIST") throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Two set-ups at a time would delete each other's output. */
function takeTurn() {
  mkdirSync(stamps, { recursive: true });
  const path = join(stamps, "lock");
  for (;;) {
    const holder = tryLock(path);
    if (holder === undefined) return () => rmSync(path, { force: true });
    // This process waits for nobody but others: its own pid in there is an earlier process's.
    if (holder === process.pid || !isRunning(holder)) removeStale(path, holder);
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
}

function isRunning(pid) {
  if (pid === 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** @returns seconds by stage, of those that ran */
export async function setup({ only = stages.map((s) => s.name), log = (line) => console.error(line) } = {}) {
  const wanted = stages.filter((s) => only.includes(s.name));
  const seconds = {};
  let release;
  try {
    for (const stage of wanted) {
      const stale = () => !isFresh(stage, stage.inputs());
      if (!stale()) continue;
      release ??= takeTurn();
      if (!stale()) continue;
      const start = process.hrtime.bigint();
      log(`setup: ${stage.name}`);
      const before = stage.inputs();
      const stamp = { times: timesOf(before), contents: contentsOf(before) };
      writeStamp(stage, { running: true });
      await stage.make();
      // Packages bring inputs of the next stage, never of their own.
      writeStamp(stage, stamp);
      seconds[stage.name] = Number(process.hrtime.bigint() - start) / 1e9;
      log(`setup: ${stage.name} took ${seconds[stage.name].toFixed(1)} s`);
    }
  } finally {
    release?.();
  }
  return seconds;
}

if (process.argv[1] !== undefined && basename(process.argv[1]) === "setup.mjs")
  try {
    await setup();
  } catch (error) {
    console.error(`setup: ${error.message}`);
    process.exit(1);
  }
