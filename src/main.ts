/** Entry of the program (bin/perdure). What it can do is in cli/command-line.ts. */
import { setFlagsFromString } from "node:v8";
import { parseCommandLine } from "./cli/command-line.js";
import { runServer } from "./cli/run-server.js";
import { PERDURE_VERSION } from "./server/version.js";

// What leaves a cache is old garbage. V8 would let the heap grow to four times what lives before it looks; it looks at twice as much, which
// costs nothing that can be measured (at half as much again it is 5 % of a workflow).
setFlagsFromString("--heap-growing-percent=100");

const commandLine = parseCommandLine(process.argv.slice(2), process.env, PERDURE_VERSION);
switch (commandLine.kind) {
  case "print":
    process.stdout.write(commandLine.text);
    break;
  case "wrong":
    process.stderr.write(`perdure: ${commandLine.message}\n`);
    process.exitCode = 1;
    break;
  case "key": {
    const { runKeyCommand } = await import("./cli/keys.js");
    const { createLogger } = await import("./telemetry/logger.js");
    try {
      await runKeyCommand(commandLine.command, {
        openKeys: async (file, logger) => (await import("./server/key-file.js")).openKeys(file, logger),
        logger: createLogger("warn", "text"),
        out: (line) => process.stdout.write(`${line}\n`),
        note: (line) => process.stderr.write(`${line}\n`),
      });
    } catch (error) {
      process.stderr.write(`perdure: ${(error as Error).message.split("\n", 1)[0]}\n`);
      process.exitCode = 1;
    }
    break;
  }
  case "start":
    await runServer(commandLine.command, commandLine.options, { version: PERDURE_VERSION, loadServer: () => import("./server/server.js") });
    break;
}
