import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { zoneByName } from "./time-zone.js";
import { zoneFromTzif } from "./tzif.js";

interface Data {
  readonly times: readonly number[];
  readonly used: readonly number[];
  readonly types: readonly (readonly [offset: number, isDst: boolean])[];
  readonly footer: string;
}

/** A version 2 file; its version 1 part is empty but for one type. */
function tzif({ times, used, types, footer }: Data): Uint8Array {
  const header = (counts: number[]) => {
    const h = Buffer.alloc(44);
    h.write("TZif2");
    counts.forEach((n, i) => {
      h.writeUInt32BE(n, 20 + 4 * i);
    });
    return h;
  };
  const typeBytes = (list: Data["types"]) =>
    Buffer.concat(
      list.map(([offset, isDst]) => {
        const b = Buffer.alloc(6);
        b.writeInt32BE(offset);
        b[4] = isDst ? 1 : 0;
        return b;
      }),
    );
  const at = Buffer.concat(
    times.map((t) => {
      const b = Buffer.alloc(8);
      b.writeBigInt64BE(BigInt(t));
      return b;
    }),
  );
  return Buffer.concat([
    header([0, 0, 0, 0, 1, 1]),
    typeBytes([[0, false]]),
    Buffer.from([0]),
    header([0, 0, 0, times.length, types.length, 1]),
    at,
    Buffer.from(used),
    typeBytes(types),
    Buffer.from([0]),
    Buffer.from(`\n${footer}\n`),
  ]);
}

const day = (date: string): number => Date.parse(`${date}T00:00:00Z`) / 1000;

describe("a zone from a TZif file", () => {
  const types = [
    [-18_000, false],
    [-14_400, true],
  ] as const;

  it("changes at its transitions, and holds standard time before the first", () => {
    const zone = zoneFromTzif(tzif({ times: [1000, 2000, 3000], used: [1, 0, 1], types, footer: "" }));
    expect([0, 999, 1000, 1999, 2000, 3000, 9e9].map((s) => zone?.(s))).toEqual([-18_000, -18_000, -14_400, -14_400, -18_000, -14_400, -14_400]);
  });

  it.each([
    ["CET-1CEST,M3.5.0,M10.5.0/3", "Europe/Berlin"],
    ["EST5EDT,M3.2.0,M11.1.0", "America/New_York"],
    ["AEST-10AEDT,M10.1.0,M4.1.0/3", "Australia/Sydney"],
    ["IST-5:30", "Asia/Kolkata"],
    ["<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "Australia/Lord_Howe"],
    ["EST5EDT", "America/New_York"],
  ])("goes on with the rule %s as %s does", (footer, name) => {
    const zone = zoneFromTzif(tzif({ times: [0], used: [0], types: [[0, false]], footer }));
    const known = zoneByName(name);
    for (let t = day("2026-01-01"); t < day("2028-01-01"); t += 3 * 3600)
      if (zone?.(t) !== known?.(t)) throw new Error(`${t}: ${zone?.(t)}, not ${known?.(t)}`);
  });

  it.each([
    ["J60/0", "2027-03-01"],
    ["J60/0", "2028-03-01"],
    ["59/0", "2028-02-29"],
  ])("counts the day %s of the year as %s", (date, first) => {
    const zone = zoneFromTzif(tzif({ times: [], used: [], types: [[0, false]], footer: `AAA0BBB,${date},J300` }));
    expect([zone?.(day(first) - 1), zone?.(day(first))]).toEqual([0, 3600]);
  });

  it.each([
    ["nothing", new Uint8Array(0)],
    ["other bytes", Buffer.from("TZip and then some more to be as long as a header is")],
    ["a file that is cut off", tzif({ times: [1, 2], used: [0, 1], types, footer: "" }).subarray(0, 100)],
    ["an unknown type", tzif({ times: [1], used: [7], types, footer: "" })],
  ])("is none from %s", (_what, bytes) => {
    expect(zoneFromTzif(bytes)).toBeUndefined();
  });

  it.runIf(existsSync("/usr/share/zoneinfo/Europe/London"))("reads the files of this machine", () => {
    for (const name of ["Europe/London", "Pacific/Apia"]) {
      const zone = zoneFromTzif(readFileSync(`/usr/share/zoneinfo/${name}`));
      const known = zoneByName(name);
      for (let t = day("2000-01-01"); t < day("2025-01-01"); t += 3 * 86_400)
        if (zone?.(t) !== known?.(t)) throw new Error(`${name} ${t}: ${zone?.(t)}, not ${known?.(t)}`);
    }
  });
});
