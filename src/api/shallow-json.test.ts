import { describe, expect, it } from "vitest";
import { parseShallowJson } from "./shallow-json.js";

const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

describe("JSON of strangers", () => {
  it("may be nested as deep as it says anything, and no deeper", () => {
    expect(JSON.stringify(parseShallowJson(nested(500)))).toBe(nested(500));
    for (const text of [nested(501), nested(1_000_000), `${'{"a":'.repeat(501)}1${"}".repeat(501)}`, "[".repeat(501)])
      expect(() => parseShallowJson(text)).toThrow("nested too deeply");
  });

  it("is as deep as its values are, whatever its texts and however many they are", () => {
    const text = JSON.stringify({ a: "[".repeat(1000), 'b\\"[': [..."[{".repeat(600)], c: '\\"['.repeat(600) });
    expect(JSON.stringify(parseShallowJson(text))).toBe(text);
    const wide = `[${Array(600).fill("[{}]").join(",")}]`;
    expect(JSON.stringify(parseShallowJson(wide))).toBe(wide);
    expect(() => parseShallowJson("{")).toThrow(SyntaxError);
  });
});
