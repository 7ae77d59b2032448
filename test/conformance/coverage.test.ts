/** The scripts leave nothing out: a table of what each RPC, command and event was seen to do, without an empty cell. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { COMMANDS } from "../../src/core/workflow/commands/table.js";
import { CAPABILITIES, required, shownBy } from "./coverage.js";
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

  it("show every capability, but for those that a test of ours does", () => {
    const scripts = [...records].flatMap(([file, r]) => Object.keys(r.scripts).map((script) => `${file}: ${script}`));
    expect(scripts.length).toBeGreaterThanOrEqual(200);
    const rows = Object.entries(CAPABILITIES).map(([name, by]) => ({
      name,
      by,
      count: typeof by === "string" ? 0 : scripts.filter((script) => by.test(script)).length,
    }));
    const width = Math.max(...rows.map((r) => r.name.length));
    process.stdout.write(
      `${rows.map(({ name, by, count }) => `${name.padEnd(width)}  ${typeof by === "string" ? by : `${String(count).padStart(3)} scripts`}`).join("\n")}\n`,
    );
    const root = join(import.meta.dirname, "../..");
    expect(rows.filter(({ by, count }) => (typeof by === "string" ? !existsSync(join(root, by)) : count === 0)).map((r) => r.name)).toEqual([]);
  });

  it("cover seventeen commands, and every event type but those that no server writes", () => {
    expect(commands.length).toBe(17);
    const all = Object.values(EventType).filter((t) => typeof t === "string");
    expect(all.filter((t) => !events.includes(t)).sort()).toEqual([
      "ACTIVITY_PROPERTIES_MODIFIED_EXTERNALLY",
      "UNSPECIFIED",
      "WORKFLOW_EXECUTION_UPDATE_REJECTED",
      "WORKFLOW_PROPERTIES_MODIFIED_EXTERNALLY",
    ]);
  });
});
