/** The scripts leave nothing out: a table of what each RPC, command and event was seen to do, without an empty cell. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import { COMMANDS } from "../../src/core/workflow/commands/table.js";
import { required, shownBy } from "./coverage.js";
import { FILES, type Recorded, recorded } from "./play.js";

const compat = readFileSync(join(import.meta.dirname, "../../COMPAT.md"), "utf8");
const events = [...compat.slice(compat.indexOf("## Events")).matchAll(/^\| ([A-Z_]+) \| done/gm)].map((m) => m[1] as string);
const commands = Object.keys(COMMANDS).map((type) => CommandType[Number(type)] as string);
const records = new Map(FILES.map((f) => [f as string, recorded(f) as Recorded]));
const shown = shownBy(records);

describe("the conformance scripts", () => {
  const table = [...required(commands, events)].flatMap(([subject, outcomes]) =>
    outcomes.map((outcome) => ({ subject, outcome, scripts: shown.get(subject)?.get(outcome) ?? [] })),
  );

  it("show every outcome of every RPC, command and event", () => {
    const width = Math.max(...table.map((r) => r.subject.length));
    process.stdout.write(
      `${table.map((r) => `${r.subject.padEnd(width)}  ${r.outcome.padEnd(20)}  ${String(r.scripts.length).padStart(3)} scripts`).join("\n")}\n`,
    );
    expect(table.filter((r) => r.scripts.length === 0).map((r) => `${r.subject} ${r.outcome}`)).toEqual([]);
  });

  it("cover seventeen commands, and all events that COMPAT.md calls done", () => {
    expect(commands.length).toBe(17);
    expect(events.length).toBeGreaterThan(35);
  });
});
