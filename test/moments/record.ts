/** `npm run moments:record [-- file ...]`: plays the scripts (of those files) on the official server and writes when everything happened. */
import { onOfficialServers } from "./official-plays.js";
import { play, record } from "./play-moments.js";

const recorded = await onOfficialServers(process.argv.slice(2), async () => ({
  play: ({ script }, official) => play(official, script),
  end: async () => undefined,
}));
for (const [file, played] of recorded) {
  try {
    record(file, played);
    process.stdout.write(`${file}: ${Object.keys(played).length} scripts, ${Object.values(played).flatMap((p) => p.lines).length} lines\n`);
  } catch (e) {
    process.stderr.write(`${(e as Error).message}\n`);
    process.exitCode = 1;
  }
}
