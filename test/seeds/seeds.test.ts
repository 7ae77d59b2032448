/** docs/SEEDS.md is its list, whole, and names tests that there are. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { render, SECTIONS } from "./seeds.js";

const root = join(import.meta.dirname, "../..");

it("is as the list says: npm run seeds", () => {
  expect(readFileSync(join(root, "docs/SEEDS.md"), "utf8")).toBe(render());
});

it.each(SECTIONS.map((s) => [s.title, s] as const))("has every row, each once: %s", (_, { count, rows }) => {
  expect(rows).toHaveLength(count);
  expect(new Set(rows.map((r) => r.what)).size).toBe(count);
});

it("names files of tests that there are", () => {
  const files = new Set(SECTIONS.flatMap((s) => s.rows).map((r) => /^[^:]+/.exec(r.test)?.[0] ?? ""));
  expect([...files].filter((f) => !f.endsWith(".test.ts") || !existsSync(join(root, f)))).toEqual([]);
});
