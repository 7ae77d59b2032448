/** Gives the commands to the CLI, against one server, with workers of the TypeScript SDK beside it. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { ApplicationFailure, CompleteAsyncError } from "@temporalio/activity";
import { bundleWorkflowCode, DefaultLogger, GracefulShutdownPeriodExpiredError, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { temporaryDirectory } from "../harness/temporary-directory.js";
import { type Command, STORIES } from "./commands.js";
import { normaliseOutput } from "./normalise-output.js";

export type Activities = typeof activities;
const activities = {
  double: async (n: number) => 2 * n,
  unfinished: async (): Promise<void> => {
    throw new CompleteAsyncError();
  },
  refuse: async (): Promise<void> => {
    throw ApplicationFailure.create({ message: "refused", type: "Refusal" });
  },
};

export interface Said {
  readonly say: string;
  readonly code: number;
  readonly out: readonly string[];
}

/** By story. */
export type Played = Readonly<Record<string, readonly Said[]>>;

const here = import.meta.dirname;
/** The official server takes half a minute to delete. */
const ATTEMPTS_MAX = 300;

/** A worker waits for the end of its polls: the official server holds one back that comes while the worker says goodbye. */
const WORKER_END_MS_MAX = 20_000;

function onlyLate(e: unknown): void {
  if (!(e instanceof GracefulShutdownPeriodExpiredError)) throw e;
}

interface Answered {
  readonly code: number;
  readonly text: string;
}

function run(cli: string, args: readonly string[]): Promise<Answered> {
  // No configuration of whoever runs this, and no collection of garbage: a command lives for some milliseconds.
  const env = { PATH: process.env["PATH"] ?? "", HOME: nobody, TZ: "UTC", GOGC: "off" };
  return new Promise((resolve) => {
    const child = execFile(cli, args, { env, timeout: 30_000, maxBuffer: 1 << 24 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), text: `${stdout}${stderr}` }),
    );
    child.stdin?.end();
  });
}
const nobody = temporaryDirectory();

/** Words; quotes keep blanks, and a part in quotes may stand within a word. */
export function wordsOf(say: string): string[] {
  return [...say.matchAll(/(?:'[^']*'|[^\s'])+/g)].map(([word]) => word.replaceAll("'", ""));
}

async function playStory(cli: string, address: string, commands: readonly Command[]): Promise<Said[]> {
  const kept: Record<string, string> = {};
  const ids = new Map<string, number>();
  const said: Said[] = [];
  for (const { say, until, keep } of commands) {
    const words = wordsOf(say).map((w) => w.replace(/^\{(\w+)\}$/, (all, name: string) => kept[name] ?? all));
    const args = [...words, "--address", address, "--time-format", "iso", "--color", "never"];
    let answer = await run(cli, args);
    // An older CLI does not know them all.
    if (/unknown (command|flag|shorthand flag)/.test(answer.text)) continue;
    for (let i = 1; until !== undefined && !until.test(answer.text) && i < ATTEMPTS_MAX; i++) answer = await run(cli, args);
    for (const [name, pattern] of Object.entries(keep ?? {})) kept[name] = pattern.exec(answer.text)?.[1] ?? "";
    said.push({ say, code: answer.code, out: normaliseOutput(answer.text, address, ids) });
  }
  return said;
}

/** @param width how many stories at once */
export async function playCommands(cli: string, address: string, width = 3): Promise<Played> {
  Runtime.install({
    logger: new DefaultLogger("ERROR"),
    telemetryOptions: { logging: { filter: "OFF", forward: {} } },
    workerHeartbeatInterval: "1s",
  });
  const connection = await NativeConnection.connect({ address });
  const workflowBundle = await bundleWorkflowCode({ workflowsPath: join(here, "workflows.ts"), logger: new DefaultLogger("ERROR") });
  const common = { connection, workflowBundle, shutdownForceTime: WORKER_END_MS_MAX };
  const workers = [
    await Worker.create({ ...common, activities, taskQueue: "cli" }),
    // Without activities: queues of a version are shown in no order.
    await Worker.create({
      ...common,
      taskQueue: "cli-versioned",
      workerDeploymentOptions: {
        version: { deploymentName: "cli-shop", buildId: "2.0" },
        useWorkerVersioning: true,
        defaultVersioningBehavior: "AUTO_UPGRADE",
      },
    }),
  ];
  const running = workers.map((w) => w.run());
  const names = Object.keys(STORIES);
  const told: Record<string, readonly Said[]> = {};
  const left = [...names];
  const teller = async (): Promise<void> => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) told[name] = await playStory(cli, address, STORIES[name] ?? []);
  };
  await Promise.all(Array.from({ length: width }, teller));
  for (const w of workers) w.shutdown();
  await Promise.all(running.map((r) => r.catch(onlyLate)));
  await connection.close();
  return Object.fromEntries(names.map((n) => [n, told[n] ?? []]));
}
