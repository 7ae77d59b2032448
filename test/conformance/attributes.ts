/** The attributes of what a script recorded, each with a copy in which it is changed: what a comparison does not see, shows itself so. */
import { HIDDEN, normalise } from "./normalise.js";
import type { Session } from "./session.js";

type Entry = Session["log"][number];
type Path = readonly (string | number)[];

/** Every attribute that has a value. A moment is one: how it was shown is up to the clock. */
function* attributes(value: unknown, path: Path = []): Iterable<{ path: Path; changed: unknown }> {
  if (value === undefined || value === "" || value === 0 || value === false) return;
  const isMoment = typeof value === "object" && value !== null && "seconds" in value && Number(value.seconds) > 1e9;
  if (typeof value !== "object" || value === null || value instanceof Uint8Array || isMoment) {
    if (value instanceof Uint8Array && value.length === 0) return;
    yield { path, changed: typeof value === "number" ? value + 1 : typeof value === "boolean" ? false : isMoment ? undefined : "changed" };
    return;
  }
  for (const [k, v] of Object.entries(value)) yield* attributes(v, [...path, Array.isArray(value) ? Number(k) : k]);
}

function changedAt(value: unknown, [first, ...rest]: Path, to: unknown): unknown {
  if (first === undefined) return to;
  if (Array.isArray(value)) return value.map((v, i) => (i === first ? changedAt(v, rest, to) : v));
  const from = value as Record<string, unknown>;
  return { ...from, [first]: changedAt(from[first], rest, to) };
}

const isHidden = (path: Path): boolean => path.some((n, i) => HIDDEN.has(String(n)) || (i > 0 && HIDDEN.has(`${path[i - 1]}.${n}`)));

/** Attributes of many scripts, each kind tried once: the first time that it has a value. */
export class TriedAttributes {
  private readonly tried = new Set<string>();
  /** Those whose change no comparison sees, and which the list does not name. */
  readonly unseen: string[] = [];

  get count(): number {
    return this.tried.size;
  }

  look(session: Session): void {
    const names = [session.id, session.queue];
    for (const { what, value } of session.log)
      for (const part of what === "history" && Array.isArray(value) ? (value as { type: string }[]) : [value]) this.tryOut(what, part, names);
  }

  private tryOut(what: string, value: unknown, names: readonly string[]): void {
    const kind = what === "history" ? `${what} ${(value as { type: string }).type}` : what;
    let before: string | undefined;
    for (const { path, changed } of attributes(value)) {
      const name = `${kind}: ${path.filter((k) => typeof k === "string").join(".")}`;
      if (this.tried.has(name)) continue;
      this.tried.add(name);
      if (isHidden(path)) continue;
      before ??= normalised(what, value, names);
      if (normalised(what, changedAt(value, path, changed), names) === before) this.unseen.push(name);
    }
  }
}

const normalised = (what: string, value: unknown, names: readonly string[]): string =>
  JSON.stringify(normalise([{ what, value } satisfies Entry], names));
