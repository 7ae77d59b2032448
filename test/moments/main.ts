/**
 * `npm run moments [-- file ...]`: plays the scripts (of those files) on our server and on the official one side by side, in real time,
 * and prints what differs. Ends with 1 if anything does.
 */
import { GrpcSubject } from "../conformance/grpc-subject.js";
import { prepare } from "../conformance/play.js";
import { startServer } from "../harness/server-process.js";
import { onOfficialServers } from "./official-plays.js";
import { ownFlags, play, unexpected } from "./play-moments.js";

const found = await onOfficialServers(process.argv.slice(2), async (first) => {
  const server = await startServer(ownFlags(first));
  const ours = new GrpcSubject(server.address);
  await prepare(ours);
  return {
    play: async ({ file, script }, official) => {
      const [theirs, own] = await Promise.all([play(official, script), play(ours, script)]);
      return unexpected(file, theirs, own);
    },
    end: async () => {
      ours.close();
      await server.stop();
    },
  };
});
let count = 0;
for (const [file, scripts] of found)
  for (const [name, texts] of Object.entries(scripts)) {
    process.stdout.write(`${texts.length === 0 ? "same" : "DIFFERENT"}: ${file}: ${name}\n${texts.map((t) => `  ${t}\n`).join("")}`);
    count += texts.length;
  }
process.exitCode = count === 0 ? 0 : 1;
