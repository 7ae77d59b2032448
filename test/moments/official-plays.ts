/** The official server plays scripts, some at a time: with more at once, it is late by itself. */
import { GrpcSubject } from "../conformance/grpc-subject.js";
import { buildOfficialServer, startOfficialServer } from "../conformance/official-server.js";
import { prepare } from "../conformance/play.js";
import type { MomentScript } from "./moment-session.js";
import { FILES, type MomentFile, officialFlags, scriptsOf } from "./play-moments.js";

const AT_ONCE = 16;

interface Play {
  readonly file: MomentFile;
  readonly name: string;
  readonly script: MomentScript;
}

/**
 * The scripts of files asked for by name, or of all, each with the official server; files with the same settings share one. `begin` comes
 * before those of one server, with what is to be ended after them.
 */
export async function onOfficialServers<T>(
  asked: readonly string[],
  begin: (file: MomentFile) => Promise<{ play(p: Play, official: GrpcSubject): Promise<T>; end(): Promise<void> }>,
): Promise<Map<MomentFile, Record<string, T>>> {
  buildOfficialServer();
  const groups = new Map<string, MomentFile[]>();
  for (const file of FILES.filter((name) => asked.length === 0 || asked.includes(name))) {
    const flags = officialFlags(file).join(" ");
    groups.set(flags, [...(groups.get(flags) ?? []), file]);
  }
  const out = new Map<MomentFile, Record<string, T>>();
  for (const files of groups.values()) {
    const [first] = files;
    if (first === undefined) continue;
    const server = await startOfficialServer(officialFlags(first));
    const official = new GrpcSubject(server.address);
    const { play, end } = await begin(first);
    try {
      await prepare(official);
      const plays: Play[] = [];
      for (const file of files) for (const [name, script] of Object.entries(await scriptsOf(file))) plays.push({ file, name, script });
      const results = await inTurn(plays, (p) => play(p, official));
      plays.forEach(({ file, name }, i) => {
        out.set(file, { ...out.get(file), [name]: results[i] as T });
      });
    } finally {
      await end();
      official.close();
      server.stop();
    }
  }
  return out;
}

/** So many at once; the results in order. */
async function inTurn<T, R>(all: readonly T[], f: (x: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const rest = all.entries();
  const work = async (): Promise<void> => {
    for (const [i, x] of rest) results[i] = await f(x);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return results;
}
