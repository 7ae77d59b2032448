/** The comparison sees every attribute but those of its one list: whatever of ours changes, the record changes. */
import { describe, expect, it } from "vitest";
import { CoreSubject } from "./core-subject.js";
import { HIDDEN, normalise } from "./normalise.js";
import { prepare, scriptsOf } from "./play.js";
import { Session } from "./session.js";

type Leaf = { path: string; change: (log: unknown) => void };

/** Every attribute that has a value, with a way to change it in a copy of the log. */
function leaves(value: unknown, path: (string | number)[] = [], out: Leaf[] = []): Leaf[] {
  if (value === undefined || value === "" || value === 0 || value === false) return out;
  const isMoment = typeof value === "object" && value !== null && "seconds" in value && Number(value.seconds) > 1e9;
  if (typeof value !== "object" || value === null || value instanceof Uint8Array || isMoment) {
    if (!(value instanceof Uint8Array) || value.length > 0)
      out.push({
        path: path.join("."),
        change: (log) => {
          let at = log as Record<string | number, unknown>;
          for (const k of path.slice(0, -1)) at = at[k] as Record<string | number, unknown>;
          at[path.at(-1) as string] = typeof value === "number" ? value + 1 : typeof value === "boolean" ? false : isMoment ? undefined : "changed";
        },
      });
    return out;
  }
  for (const [k, v] of Object.entries(value)) leaves(v, [...path, k], out);
  return out;
}

const isHidden = (path: string): boolean => {
  const names = path.split(".");
  return names.some((n, i) => HIDDEN.has(n) || (i > 0 && HIDDEN.has(`${names[i - 1]}.${n}`)));
};

describe("a change of any attribute", () => {
  for (const [file, name] of [
    ["starts", "a start with everything"],
    ["starts", "described at each stage"],
    ["children", "a child with everything"],
    ["workers", "events that came during a task, in their order"],
    ["workers", "a task as a worker gets it"],
    ["lists", "a row as it is listed"],
  ] as const)
    it(`shows in "${name}"`, async () => {
      const script = (await scriptsOf(file))[name];
      const core = await CoreSubject.open();
      await prepare(core);
      const session = new Session(core);
      await script?.(session);
      core.close();
      const before = JSON.stringify(session.record());
      const all = leaves(session.log);
      const unseen: string[] = [];
      for (const leaf of all) {
        const log = structuredClone(session.log);
        leaf.change(log);
        if (JSON.stringify(normalise(log, [session.id, session.queue])) === before && !isHidden(leaf.path)) unseen.push(leaf.path);
      }
      expect(unseen).toEqual([]);
      expect(all.length).toBeGreaterThan(20);
    });
});
