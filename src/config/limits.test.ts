import { describe, expect, test } from "vitest";
import { ACCEPTED_KEYS, SETTINGS, type Setting } from "./limits.js";

const settings = Object.entries(SETTINGS) as [string, Setting][];

const TYPE_OF_KIND: Readonly<Record<string, string>> = { bool: "boolean", text: "string", json: "string", list: "object", retry: "object" };

describe("table of limits", () => {
  test("no dynamic-config key stands twice, in any case", () => {
    const keys = [...settings.map(([, s]) => s.key), ...Object.keys(ACCEPTED_KEYS)].map((k) => k.toLowerCase());
    expect(keys.filter((k, i) => keys.indexOf(k) !== i)).toEqual([]);
  });

  test("every row has an effect, and its default the type of its kind", () => {
    for (const [name, s] of settings) {
      expect(s.effect, name).not.toBe("");
      expect(typeof s.value, name).toBe(TYPE_OF_KIND[s.kind] ?? "number");
    }
  });

  test("rates are off by default", () => {
    expect(settings.filter(([, s]) => /(rps|qps)$/i.test(s.key) && s.value !== 0)).toEqual([]);
  });

  test("a simulation range holds the default and begins above nothing", () => {
    for (const [name, s] of settings) {
      if (s.simulation === undefined) continue;
      expect(s.simulation[0], name).toBeGreaterThan(0);
      expect(s.value, name).toBeGreaterThanOrEqual(s.simulation[0]);
      expect(s.value, name).toBeLessThanOrEqual(s.simulation[1]);
    }
  });

  test("a name says its unit", () => {
    for (const [name, s] of settings) {
      if (s.kind === "ms") expect(name).toMatch(/Ms(Max|Min|Default)?$/);
      if (s.kind === "bytes") expect(name).toMatch(/Bytes/);
    }
  });
});
