/**
 * `node scripts/run-ts.mjs test/limits/main.ts <binary of bench/reference> [group ...]`: plays the rows on the official server and prints
 * where its answers are not those of the table.
 */
import { spawn } from "node:child_process";
import { isDeepStrictEqual } from "node:util";
import { GrpcSubject } from "../conformance/grpc-subject.js";
import { prepare } from "../conformance/play.js";
import { Session } from "../conformance/session.js";
import { freePort } from "../harness/free-port.js";
import { GROUPS } from "./table.js";

const [binary = "", ...names] = process.argv.slice(2);
for (const group of GROUPS.filter((g) => names.length === 0 || names.includes(g.name))) {
  const port = await freePort();
  // Nexus requests, the server's own among them, go over HTTP.
  const ports = ["-port", String(port), "-http-port", String(await freePort())];
  const server = spawn(binary, [...ports, ...group.settings.flatMap((s) => ["-set", s])], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise<void>((resolve) => server.stdout.once("data", () => resolve()));
  const official = new GrpcSubject(`127.0.0.1:${port}`);
  try {
    await prepare(official);
    for (const row of group.rows) {
      let answer: unknown;
      try {
        answer = JSON.parse(JSON.stringify((await row.play(new Session(official))) ?? null));
      } catch (e) {
        answer = `ended early: ${e instanceof Error ? e.message : String(e)}`;
      }
      if (!isDeepStrictEqual(answer, row.answer))
        process.stdout.write(
          `${row.keys.join(", ")}: ${row.breach}${row.differs === undefined ? "" : ` (differs: ${row.differs})`}\n  ${JSON.stringify(answer)}\n`,
        );
    }
  } finally {
    official.close();
    server.kill("SIGINT");
  }
}
