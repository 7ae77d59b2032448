/** The tidy checks find what they are for: a check that cannot fail would pass on any tree. */
import { describe, expect, test } from "vitest";

const load = (name: string) => import(new URL(`../scripts/tidy/${name}.mjs`, import.meta.url).href);
const { parseSource } = await load("tree");
const { layers } = await load("layers");
const { bannedCalls } = await load("banned-calls");
const { unimportedFiles } = await load("unimported-files");
const { names, leftovers } = await load("names");

const tree = (files: Record<string, string>) => ({
  paths: Object.keys(files),
  sources: Object.entries(files).map(([path, text]) => parseSource(path, text)),
  documents: [],
});

describe("import direction", () => {
  test.each([
    ["src/core/a.ts", "../persistence/store.js", "core may not import persistence"],
    ["src/history/a.ts", "../matching/b.js", "history may not import matching"],
    ["src/frontend/workflow/a.ts", "../../rpc/b.js", "frontend may not import rpc"],
    ["src/newcomer/a.ts", "./b.js", "not in the table of layers"],
    ["src/frontend/a.ts", "../../gen/es/x.js", "use gen/wire"],
  ])("%s may not import %s", (path, specifier, problem) => {
    expect(layers(tree({ [path]: `import { x } from "${specifier}";` }))).toEqual([expect.stringContaining(problem)]);
    expect(layers(tree({ [path]: `const x = await import("${specifier}");` }))).toEqual([expect.stringContaining(problem)]);
  });

  test("from left to right, within a folder, types of descriptors and unit tests are free", () => {
    const files = {
      "src/frontend/a.ts": 'import "../history/b.js"; import "./c.js"; import type { X } from "../../gen/es/x.js";',
      "src/core/a.test.ts": 'import "../persistence/store.js";',
      "src/rpc/rest/a.ts": 'import "../../../gen/es/x.js";',
    };
    expect(layers(tree(files))).toEqual([]);
  });
});

describe("banned calls", () => {
  test.each([
    ["Date.now()", "use env.now"],
    ["new Date()", "use env.now"],
    ["Math.random()", "use lib/random"],
    ["setTimeout(f, 1)", "TimerFired"],
    ["(async () => {})()", "synchronous"],
    ["const f = (x: Promise<void>) => x", "synchronous function"],
    ["process.env.X", "env.config"],
  ])("%s is refused in the core with what to use instead", (code, instead) => {
    expect(bannedCalls(tree({ "src/core/a.ts": code })).join("\n")).toContain(instead);
    expect(bannedCalls(tree({ "src/history/a.ts": code }))).toEqual([]);
  });

  test("properties and own names that sound alike are free", () => {
    expect(bannedCalls(tree({ "src/core/a.ts": "const process = (x: { Date: number }) => x.Date; process({ Date: 1 });" }))).toEqual([]);
  });

  test("node modules in the core and mocks in tests are refused", () => {
    expect(bannedCalls(tree({ "src/core/a.ts": 'import "node:fs";' }))).toHaveLength(1);
    expect(bannedCalls(tree({ "src/history/a.test.ts": "vi.mock('x')" }))).toHaveLength(1);
  });
});

test("a file that nothing reaches is dead; entries, workers and what tests use are not", () => {
  const files = {
    "src/main.ts": 'import "./cli/a.js";',
    "src/cli/a.ts": "",
    "src/cli/b.ts": "",
    "src/persistence/x-worker.ts": 'import "./y.js";',
    "src/persistence/y.ts": "",
    "src/cli/fake.ts": "",
    "test/z.test.ts": 'import "../src/cli/fake.js";',
  };
  expect(unimportedFiles(tree(files))).toEqual(["src/cli/b.ts: nothing imports it"]);
});

test("names say their subject, and notes are issues", () => {
  expect(names(tree({ "src/lib/string-utils.ts": "", "src/helpers/a.ts": "", "src/lib/aB.ts": "", "src/lib/heap.ts": "" }))).toHaveLength(3);
  expect(leftovers(tree({ "src/a.ts": `// ${"TO"}DO: later`, "src/b.test.ts": `test.${"only"}("x")` }))).toHaveLength(2);
});

test("a merge is finished in every document", () => {
  const documents = [{ path: "A.md", text: "<<<<<<< ours\n- a\n=======\n- b\n>>>>>>> theirs\n| --- |\n" }];
  expect(leftovers({ sources: [], documents })).toEqual([1, 3, 5].map((line) => `A.md:${line}: a merge that was not finished`));
});
