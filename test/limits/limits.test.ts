/**
 * Every setting that acts, passed at a low value on a real server: effect, code and text as the official server has them. Groups of
 * settings that do not disturb one another share a process.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SETTINGS, type Setting } from "../../src/config/limits.js";
import { GrpcSubject } from "../conformance/grpc-subject.js";
import { prepare } from "../conformance/play.js";
import { Session } from "../conformance/session.js";
import { type ServerProcess, startServer } from "../harness/server-process.js";
import { GROUPS, WITHOUT_ROW } from "./table.js";

describe.each(GROUPS)("$name", ({ settings, rows }) => {
  let server: ServerProcess;
  let subject: GrpcSubject;

  beforeAll(async () => {
    server = await startServer(["--log-level", "warn", "--log-format", "json", ...settings.flatMap((s) => ["--dynamic-config-value", s])]);
    subject = new GrpcSubject(server.address);
    await prepare(subject);
  });
  afterAll(async () => {
    subject.close();
    expect(await server.stop()).toBe(0);
  });

  /** The log is written before the answer leaves, but comes by another pipe. */
  async function logged(session: Session, fields: object): Promise<object[]> {
    const records = () =>
      server
        .log()
        .split("\n")
        .filter((line) => line.startsWith("{") && line.endsWith("}"))
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    const matches = (r: Record<string, unknown>) => Object.entries({ level: "warn", ...fields }).every(([k, v]) => r[k] === v);
    await session.until(`logged ${JSON.stringify(fields)}`, async () => records().some(matches));
    return records().filter(matches);
  }

  for (const row of rows)
    test(`${row.keys.join(", ") || "without a setting"}: ${row.breach}`, async () => {
      const session = new Session(subject);
      const answer = JSON.parse(JSON.stringify((await row.play(session)) ?? null));
      expect(answer).toEqual(row.ours ?? row.answer);
      for (const fields of row.warnings?.(session) ?? []) expect(await logged(session, fields)).toHaveLength(1);
    });
});

describe("the table", () => {
  const settings = Object.values(SETTINGS) as Setting[];
  const known = new Set(settings.map((s) => s.key));
  const withRow = new Set(GROUPS.flatMap((g) => g.rows.flatMap((r) => r.keys)));

  test("has a row for every setting, or says why not", () => {
    const missing = settings.map((s) => s.key).filter((key) => !withRow.has(key) && WITHOUT_ROW[key] === undefined);
    expect(missing).toEqual([]);
  });

  test("names only settings that exist, each once", () => {
    const named = [...withRow, ...Object.keys(WITHOUT_ROW)];
    expect(named.filter((key) => !known.has(key))).toEqual([]);
    expect(named.filter((key, i) => named.indexOf(key) !== i)).toEqual([]);
  });

  test("rows breach a value that their group sets", () => {
    for (const group of GROUPS) {
      const set = new Set(group.settings.map((s) => s.slice(0, s.indexOf("="))));
      for (const row of group.rows) for (const key of row.keys) expect(set.has(key), `${group.name}: ${key}`).toBe(true);
    }
  });

  test("an answer that is not the official one says why", () => {
    const rows = GROUPS.flatMap((g) => g.rows);
    expect(rows.filter((r) => r.answer === undefined || (r.ours === undefined) !== (r.differs === undefined)).map((r) => r.breach)).toEqual([]);
  });

  test("a setting whose effect callers see has a row, unless what it limits does not exist yet", () => {
    const acting = ["INVALID_ARGUMENT", "the workflow is terminated", "the workflow task fails"];
    const idle = /not yet|no (updates|Nexus|callback|deployments|batch|standalone|global)|checks it for standalone/;
    const wrong = settings.filter((s) => acting.some((a) => s.effect.startsWith(a)) && !withRow.has(s.key) && !idle.test(WITHOUT_ROW[s.key] ?? ""));
    expect(wrong.map((s) => s.key)).toEqual([]);
  });
});
