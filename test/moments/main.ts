/**
 * `npm run moments [-- file ...]`: plays the scripts (of those files) on our server and on the official one side by side, in real time,
 * and prints what differs, each time that it is played. Ends with 1 if anything does.
 */
import { GrpcSubject } from "../conformance/grpc-subject.js";
import { prepare } from "../conformance/play.js";
import { startServer } from "../harness/server-process.js";
import { onOfficialServers } from "./official-plays.js";
import { ownFlags, play, unexpected } from "./play-moments.js";

/** A busy machine makes either server late for once. */
const PLAYS = 3;

const found = await onOfficialServers(process.argv.slice(2), async (first) => {
  const server = await startServer(ownFlags(first));
  const ours = new GrpcSubject(server.address);
  await prepare(ours);
  return {
    play: async ({ file, script }, official) => {
      let texts: string[] = [];
      for (let i = 0; i < PLAYS; i++) {
        const [theirs, own] = await Promise.all([play(official, script), play(ours, script)]);
        texts = unexpected(file, theirs, own);
        if (texts.length === 0) break;
      }
      return texts;
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
