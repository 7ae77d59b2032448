import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { PERDURE_VERSION } from "./version.js";

test("the version is that of the package", () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  expect(PERDURE_VERSION).toBe(version);
});
