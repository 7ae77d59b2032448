/** `npm run conformance:record [-- file ...]`: plays every script (of those files) on the official server (built with Go from bench/reference) and writes what it answered. */
import { GrpcSubject } from "./grpc-subject.js";
import { buildOfficialServer, startOfficialServer } from "./official-server.js";
import { FILES, OFFICIAL_SETTINGS, play, prepare, record, scriptsOf } from "./play.js";
import { REFERENCE_SETTINGS } from "./reference-settings.js";

/** What the official server does by workflows of its own is slow when asked for all at once. */
const AT_ONCE: Readonly<Partial<Record<(typeof FILES)[number], number>>> = {
  "worker-deployments": 6,
  "versioned-runs": 6,
  "versioned-nexus": 5,
  nexus: 8,
  // It has no more at a time in one namespace.
  batches: 5,
  updates: 15,
};
type FileName = (typeof FILES)[number];

/** Plays the scripts of files that need the same settings. */
async function recordFiles(files: readonly FileName[], settings: readonly string[]): Promise<void> {
  const server = await startOfficialServer(settings);
  const official = new GrpcSubject(server.address);
  try {
    await prepare(official);
    for (const file of files) {
      const scripts = Object.entries(await scriptsOf(file));
      const out: [string, Awaited<ReturnType<typeof play>>][] = [];
      const width = AT_ONCE[file] ?? scripts.length;
      for (let i = 0; i < scripts.length; i += width)
        out.push(
          ...(await Promise.all(
            scripts.slice(i, i + width).map(async ([name, script]) => [name, await play(official, script)] as [string, (typeof out)[number][1]]),
          )),
        );
      record(file, Object.fromEntries(out));
      process.stdout.write(`${file}: ${out.length} scripts recorded\n`);
    }
  } finally {
    official.close();
    server.stop();
  }
}

buildOfficialServer();
const EVERYWHERE = Object.entries(REFERENCE_SETTINGS).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
const asked = process.argv.slice(2);
const groups = new Map<string, { settings: readonly string[]; files: FileName[] }>();
for (const file of FILES.filter((f) => asked.length === 0 || asked.includes(f))) {
  const settings = [...EVERYWHERE, ...(OFFICIAL_SETTINGS[file] ?? [])];
  const group = groups.get(settings.join(" ")) ?? { settings, files: [] };
  groups.set(settings.join(" "), group);
  group.files.push(file);
}
for (const { settings, files } of groups.values()) await recordFiles(files, settings);
