/** COMPAT.md is true: its rows are the server's, and what it calls done names a test that is there. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CloudService } from "../../gen/wire/temporal/api/cloud/cloudservice/v1/service.js";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { OperatorService } from "../../gen/wire/temporal/api/operatorservice/v1/service.js";
import { TestService } from "../../gen/wire/temporal/api/testservice/v1/service.js";
import { WorkflowService } from "../../gen/wire/temporal/api/workflowservice/v1/service.js";
import { AdminService } from "../../gen/wire/temporal/server/api/adminservice/v1/service.js";
import type { Method } from "../../src/api/call.js";
import { Code, ServiceError } from "../../src/api/service-error.js";
import { SETTINGS, type Setting } from "../../src/config/limits.js";
import { COMMANDS } from "../../src/core/workflow/commands/table.js";
import { methodTable } from "../../src/frontend/methods.js";
import { shownBy } from "../conformance/coverage.js";
import { FILES, type Recorded, recorded } from "../conformance/play.js";

const root = join(import.meta.dirname, "../..");
const text = readFileSync(join(root, "COMPAT.md"), "utf8");

/** Cells of the rows under headings that begin with `heading`. */
function rows(heading: string): string[][] {
  const out: string[][] = [];
  let isIn = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("## ")) isIn = line.startsWith(`## ${heading}`);
    else if (isIn && line.startsWith("| ") && !line.startsWith("| ---"))
      out.push(
        line
          .split("|")
          .slice(1, -1)
          .map((c) => c.trim()),
      );
  }
  return out.filter((r) => !["RPC", "command", "event", "key", "subject"].includes(r[0] ?? ""));
}

const services = { WorkflowService, OperatorService, TestService, AdminService, CloudService };
const table = methodTable(new Proxy({}, { get: () => new Proxy({}, { get: () => () => undefined }) }) as never);
const names = (e: object) => Object.keys(e).filter((k) => Number.isNaN(Number(k)) && k !== "UNSPECIFIED");

/** Whether it answers UNIMPLEMENTED, or of CloudService FAILED_PRECONDITION, whatever it is asked. */
function refuses(method: Method, name: string): boolean {
  try {
    void method.handler?.(method.input.create({}), {} as never);
  } catch (e) {
    return e instanceof ServiceError && [Code.UNIMPLEMENTED, Code.FAILED_PRECONDITION].includes(e.code);
  }
  throw new Error(`${name} is called refused and is not`);
}

const shownDefault = (value: Setting["value"]) => (typeof value === "object" && !Array.isArray(value) ? JSON.stringify(value) : String(value));

describe("COMPAT.md", () => {
  it("has a row for each RPC, done exactly where the methods table has a handler", () => {
    const listed = new Map(rows("temporal.").map((r) => [r[0], r]));
    const all = Object.entries(services).flatMap(([service, s]) =>
      Object.values(s.methods).map((m) => ({ name: `${service}.${m.name}`, path: m.path })),
    );
    expect([...listed.keys()].sort()).toEqual(all.map((m) => m.name).sort());
    // "refused": answers so, and will; the row has the reason.
    for (const m of all)
      expect([m.name, listed.get(m.name)?.[1]]).toSatisfy(([name, state]) => {
        const method = table.get(m.path);
        if (state === "refused") return method?.handler === undefined || refuses(method, name);
        return state === (method?.handler === undefined ? "not yet" : "done");
      });
  });

  it("has a row for each command, done or different exactly where it is applied", () => {
    const listed = rows("Commands");
    expect(listed.map((r) => r[0]).sort()).toEqual(names(CommandType).sort());
    for (const [name, state] of listed)
      expect([name, state !== "not yet"]).toEqual([name, COMMANDS[CommandType[name as keyof typeof CommandType]] !== undefined]);
  });

  it("has a row for each event", () => {
    expect(
      rows("Events")
        .map((r) => r[0])
        .sort(),
    ).toEqual(names(EventType).sort());
  });

  it("has a row for each setting, with its default", () => {
    const listed = new Map(rows("Settings").map((r) => [r[0], r[1]]));
    for (const s of Object.values(SETTINGS)) expect([s.key, listed.get(s.key)]).toEqual([s.key, shownDefault(s.value)]);
  });

  it("says that a setting acts where it is read, and nowhere else", () => {
    const code = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
      .filter((f) => f.endsWith(".ts") && !f.endsWith(".test.ts") && f !== join("config", "limits.ts"))
      .map((f) => readFileSync(join(root, "src", f), "utf8"))
      .join("\n");
    const words = new Set(code.match(/\w+/g));
    const states = new Map(rows("Settings").map((r) => [r[0], r[2]]));
    const wrong = Object.entries(SETTINGS).filter(([name, { key }]) => states.get(key) === (words.has(name) ? "accepted" : "acts"));
    expect(wrong.map(([, s]) => s.key)).toEqual([]);
  });

  it("names for everything that is done a script that shows it on the official server and here, or a test", () => {
    const shown = shownBy(new Map(FILES.map((f) => [f as string, recorded(f) as Recorded])));
    const kinds = [
      ["temporal.", "rpc"],
      ["Commands", "command"],
      ["Events", "event"],
    ] as const;
    for (const [heading, kind] of kinds)
      for (const [name, state, proof] of rows(heading)) {
        if (state !== "done") continue;
        const subject = `${kind} ${(name as string).split(".").at(-1)}`;
        const isShown =
          shown
            .get(subject)
            ?.get("OK")
            ?.includes(proof as string) === true;
        expect([name, isShown || (/^(src|test)\//.test(proof as string) && existsSync(join(root, proof as string)))]).toEqual([name, true]);
      }
  });
});
