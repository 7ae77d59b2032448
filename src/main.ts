/** Entry of the program (bin/perdure). What it can do is in cli/command-line.ts. */
import { parseCommandLine } from "./cli/command-line.js";
import { runServer } from "./cli/run-server.js";
import { PERDURE_VERSION } from "./server/version.js";

const commandLine = parseCommandLine(process.argv.slice(2), process.env, PERDURE_VERSION);
switch (commandLine.kind) {
  case "print":
    process.stdout.write(commandLine.text);
    break;
  case "wrong":
    process.stderr.write(`perdure: ${commandLine.message}\n`);
    process.exitCode = 1;
    break;
  case "start":
    await runServer(commandLine.command, commandLine.options, { version: PERDURE_VERSION, loadServer: () => import("./server/server.js") });
    break;
}
