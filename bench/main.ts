/**
 * `npm run bench`: the loads of docs/ARCHITECTURE.md section 2, driven by the official Go SDK, on this server with a durable file
 * and side by side on the official server in memory. Needs Go; `--ours` leaves the official server out, `--load NAME` picks one.
 * Commits (each one fsync of the log) and rows are what /metrics counts, per start.
 * CPU is that of the server's own processes, per finished workflow: it holds on a noisy machine, wall time does not.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { freePort } from "../test/harness/free-port.js";
import { counts } from "./counts.js";

const root = join(import.meta.dirname, "..");
const cache = join(root, ".setup/bench");

interface Load {
  name: string;
  load: string;
  n: number;
  c: number;
  figure: "server_cpu_ms_each" | "p50_ms";
  goal: number;
}

const LOADS: readonly Load[] = [
  { name: "start only", load: "Start", n: 1, c: 50, figure: "server_cpu_ms_each", goal: 0.25 },
  { name: "1 activity", load: "Activities", n: 1, c: 50, figure: "server_cpu_ms_each", goal: 1.5 },
  { name: "10 sequential activities", load: "Activities", n: 10, c: 20, figure: "server_cpu_ms_each", goal: 8 },
  { name: "50 parallel activities", load: "FanOut", n: 50, c: 5, figure: "server_cpu_ms_each", goal: 20 },
  { name: "10 signals", load: "Signals", n: 10, c: 20, figure: "server_cpu_ms_each", goal: 4 },
  { name: "10 updates", load: "Updates", n: 10, c: 20, figure: "server_cpu_ms_each", goal: 6 },
  { name: "5 timers of 1 ms, wall", load: "Timers", n: 5, c: 20, figure: "p50_ms", goal: 25 },
  { name: "1 activity, one at a time, latency", load: "Activities", n: 1, c: 1, figure: "p50_ms", goal: 8 },
];

interface Result {
  per_s: number;
  failed: number;
  p50_ms: number;
  p99_ms: number;
  server_cpu_ms_each: number;
  server_rss_mib: number;
}

function build(name: string): string {
  mkdirSync(cache, { recursive: true });
  const binary = join(cache, name);
  execFileSync("go", ["build", "-o", binary, "."], { cwd: join(root, "bench", name), stdio: ["ignore", "inherit", "inherit"] });
  return binary;
}

async function listening(port: number): Promise<void> {
  for (let i = 0; i < 300; i++) {
    const ok = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      });
      socket.on("error", () => resolve(false));
    });
    if (ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nothing listens on ${port}`);
}

function drive(driver: string, port: number, pid: number, l: Load, seconds: number): Result {
  const out = execFileSync(
    driver,
    ["-addr", `127.0.0.1:${port}`, "-pid", String(pid), "-load", l.load, "-n", String(l.n), "-c", String(l.c), "-s", String(seconds), "-warm", "3"],
    { encoding: "utf8" },
  );
  return JSON.parse(out) as Result;
}

const { values } = parseArgs({
  options: { ours: { type: "boolean", default: false }, load: { type: "string" }, seconds: { type: "string", default: "8" } },
});
const driver = build("driver");
const children: ChildProcess[] = [];
try {
  const ourPort = await freePort();
  const db = join(cache, `bench-${process.pid}.db`);
  const ours = spawn(
    join(root, "bin/perdure"),
    ["server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", String(ourPort), "--db-filename", db],
    { stdio: "ignore" },
  );
  children.push(ours);
  await listening(ourPort);
  let refPort = 0;
  let reference: ChildProcess | undefined;
  if (!values.ours) {
    const binary = build("reference");
    refPort = await freePort();
    reference = spawn(binary, ["-port", String(refPort)], { stdio: "ignore" });
    children.push(reference);
    await listening(refPort);
    await new Promise((resolve) => setTimeout(resolve, 4000));
  }
  process.stdout.write(
    "| load | ours | goal | official, memory | ratio | ours/s | official/s | commits each | rows each | failed |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
  );
  for (const l of LOADS) {
    if (values.load !== undefined && values.load !== l.load) continue;
    const before = await counts(ourPort);
    const a = drive(driver, ourPort, ours.pid ?? 0, l, Number(values.seconds));
    const after = await counts(ourPort);
    const each = (what: "commits" | "rows") => ((after[what] - before[what]) / (after.starts - before.starts)).toFixed(1);
    const b = reference === undefined ? undefined : drive(driver, refPort, reference.pid ?? 0, l, Number(values.seconds));
    const unit = "ms";
    const ratio = b === undefined ? "" : `${(b[l.figure] / a[l.figure]).toFixed(1)}x`;
    process.stdout.write(
      `| ${l.name} | ${a[l.figure].toFixed(2)} ${unit} | ${l.goal} ${unit} | ${b === undefined ? "" : `${b[l.figure].toFixed(1)} ${unit}`} | ${ratio} | ${a.per_s.toFixed(0)} | ${b?.per_s.toFixed(0) ?? ""} | ${each("commits")} | ${each("rows")} | ${a.failed + (b?.failed ?? 0)} |\n`,
    );
  }
} finally {
  for (const c of children) c.kill("SIGTERM");
}
