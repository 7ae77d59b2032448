/**
 * `node scripts/run-ts.mjs test/admin/record-tdbg.ts <tdbg> <official server>`: gives the commands of tdbg-steps.ts to the official tool,
 * on the official server and on ours, and writes what the official server answered to the calls behind them. Both programs are built
 * from public sources: the tool from cmd/tools/tdbg of go.temporal.io/server, the server from bench/reference. Outputs are printed where
 * they differ after what tdbg-steps.ts hides.
 */
import { execFile, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { GrpcSubject } from "../conformance/grpc-subject.js";
import { REFERENCE } from "../conformance/records.js";
import { Session } from "../conformance/session.js";
import { freePort } from "../harness/free-port.js";
import { startServer } from "../harness/server-process.js";
import { AdminClient } from "./admin-call.js";
import { answerOf, prepare, STEPS, shownText } from "./tdbg-steps.js";

const [tdbg, reference] = process.argv.slice(2);
if (tdbg === undefined || reference === undefined) throw new Error("usage: record-tdbg.ts <tdbg> <official server>");

/** With more, which of them has a task is up to chance. */
const ONE_PARTITION = ["matching.numTaskqueueReadPartitions=1", "matching.numTaskqueueWritePartitions=1"];

interface Played {
  readonly answers: Record<string, unknown>;
  readonly outputs: Record<string, string>;
}

/** The calls on one workflow, the tool's commands on another one like it. */
async function play(address: string): Promise<Played> {
  const subject = new GrpcSubject(address);
  const admin = new AdminClient(subject);
  const answers: Record<string, unknown> = {};
  const outputs: Record<string, string> = {};
  const [called, told] = await Promise.all([prepare(new Session(subject)), prepare(new Session(subject))]);
  for (const step of STEPS) answers[step.name] = await answerOf(admin, step, called);
  for (const step of STEPS) {
    const text = await new Promise<string>((resolve) => {
      const child = execFile(tdbg as string, ["--address", address, ...step.args(told)], { timeout: 20_000 }, (_error, stdout, stderr) =>
        resolve(`${stdout}${stderr}`),
      );
      // It asks nothing: who would answer has gone.
      child.stdin?.end();
    });
    outputs[step.name] = shownText(text, told);
  }
  subject.close();
  return { answers, outputs };
}

const port = await freePort();
const official = spawn(reference, ["-port", String(port), ...ONE_PARTITION.flatMap((s) => ["-set", s])], { stdio: ["ignore", "pipe", "ignore"] });
await new Promise<void>((resolve) => official.stdout.once("data", () => resolve()));
const theirs = await play(`127.0.0.1:${port}`);
official.kill("SIGINT");
const server = await startServer();
const ours = await play(server.address);
await server.stop();

for (const { name } of STEPS) {
  const isEqual = theirs.outputs[name] === ours.outputs[name];
  process.stdout.write(`${isEqual ? "equal  " : "DIFFERS"} ${name}\n`);
  if (!isEqual) process.stdout.write(`--- official\n${theirs.outputs[name]}\n--- ours\n${ours.outputs[name]}\n`);
}
const record = {
  reference: REFERENCE,
  steps: Object.fromEntries(STEPS.map((s) => [s.name, { output: theirs.outputs[s.name], answer: theirs.answers[s.name] }])),
};
writeFileSync(join(import.meta.dirname, "expected/tdbg.json"), `${JSON.stringify(record, null, 1)}\n`);
