/**
 * The core alone, on its simulated clock, does everything when the official server did. A record that is older than its script fails, and
 * so does a comparison that would not see a moment moved or a line left out.
 */

import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { CoreSubject } from "../conformance/core-subject.js";
import { importedButMissing, REFERENCE } from "../conformance/records.js";
import { differences, type Tolerance, toleranceOf } from "./compare.js";
import { KNOWN_DIFFERENCES } from "./known-differences.js";
import { type Line, readLine } from "./line.js";
import {
  FILES,
  hashOf,
  type MomentFile,
  play,
  recorded,
  SETTINGS,
  scriptsOf,
  sourcesOf,
  toleranceIn,
  unexpected,
  type Watched,
} from "./play-moments.js";

const files = await Promise.all(FILES.map(async (file) => ({ file, expected: recorded(file), scripts: await scriptsOf(file) })));

describe("the records", () => {
  for (const { file, expected, scripts } of files)
    it(`${file} were made from the official server with the scripts as they stand`, () => {
      expect(expected?.reference).toBe(REFERENCE);
      expect(expected?.hash).toBe(hashOf(file));
      expect(Object.keys(expected?.scripts ?? {})).toEqual(Object.keys(scripts));
    });

  it("have every file in their hash that the scripts import", () => {
    const folders = [import.meta.dirname, join(import.meta.dirname, "../conformance")];
    expect(FILES.flatMap((file) => importedButMissing(sourcesOf(file), folders))).toEqual([]);
  });
});

describe("the core alone", () => {
  const plays: { file: MomentFile; name: string; theirs: Line[]; own: Line[] }[] = [];
  for (const { file, expected, scripts } of files)
    for (const [name, script] of Object.entries(scripts))
      it(`${file}: ${name}`, async () => {
        const official = expected?.scripts[name] as Watched;
        const core = await CoreSubject.open(new MemoryStore(), 1, { now: Date.parse(official.began) * 1000, settings: SETTINGS[file] ?? {} });
        const ours = await play(core, script);
        core.close();
        plays.push({ file, name, theirs: official.lines.map(readLine), own: ours.lines.map(readLine) });
        expect(unexpected(file, official, ours)).toEqual([]);
      });

  it("would fail if any moment, duration or value were another, or a line were missing", () => {
    const unseen: string[] = [];
    let count = 0;
    for (const { file, name, theirs, own } of plays) {
      const known = KNOWN_DIFFERENCES.filter((k) => k.files.includes(file));
      const tolerance = toleranceIn(file);
      theirs.forEach((line, i) => {
        if (known.some((k) => k.what.test(line.what))) return;
        count++;
        for (const changed of [...changes(line, tolerance), undefined]) {
          const other = theirs.flatMap((l, j) => (j !== i ? [l] : changed === undefined ? [] : [changed]));
          if (!differences(other, own, tolerance).some((d) => d.what === line.what)) unseen.push(`${file}: ${name}: ${line.what}`);
        }
      });
    }
    process.stdout.write(`${plays.length} scripts, ${count} lines, each moved and left out once\n`);
    expect(unseen).toEqual([]);
    expect(count).toBeGreaterThan(1_000);
  });

  it("differs where it is said to", () => {
    const unneeded = KNOWN_DIFFERENCES.filter(
      (k) =>
        !k.files.every((file) =>
          plays.some((p) => p.file === file && differences(p.theirs, p.own, toleranceIn(file)).some((d) => k.what.test(d.what))),
        ),
    );
    expect(unneeded).toEqual([]);
  });
});

/** The line with another value: moments and durations before and after what is tolerated, wherever in it they were. */
function changes(line: Line, ofMoments: Tolerance): Line[] {
  const tolerance = toleranceOf(line, ofMoments);
  if (tolerance === undefined) return [{ ...line, value: `not ${line.value}` }];
  const by = tolerance.early + tolerance.late + 0.01;
  return [by, -by].map((d) => ({ ...line, value: Number(line.value) + d }));
}
