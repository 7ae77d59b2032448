import { expect, it } from "vitest";
import { ArchivalState as S } from "../../gen/wire/temporal/api/enums/v1/namespace.js";
import { nextArchivalConfig } from "./archival-state.js";

const validated: string[] = [];
const next = (state: S, uri: string, wanted: S, wantedUri: string, defaultUri = "file:///default") =>
  nextArchivalConfig({ state, uri }, { state: wanted, uri: wantedUri }, defaultUri, async (u) => {
    validated.push(u);
  });

it("moves between states, and never from one URI to another", async () => {
  const to = async (...a: Parameters<typeof next>) => {
    const { state, uri } = await next(...a);
    return [S[state], uri];
  };
  expect(await to(S.DISABLED, "", S.ENABLED, "")).toEqual(["ENABLED", "file:///default"]);
  expect(await to(S.DISABLED, "", S.ENABLED, "file:///a")).toEqual(["ENABLED", "file:///a"]);
  expect(await to(S.DISABLED, "", S.UNSPECIFIED, "file:///a")).toEqual(["DISABLED", "file:///a"]);
  expect(await to(S.DISABLED, "", S.UNSPECIFIED, "")).toEqual(["DISABLED", ""]);
  expect(await to(S.DISABLED, "file:///a", S.ENABLED, "")).toEqual(["ENABLED", "file:///a"]);
  expect(await to(S.ENABLED, "file:///a", S.UNSPECIFIED, "")).toEqual(["ENABLED", "file:///a"]);
  expect(await to(S.ENABLED, "file:///a", S.DISABLED, "file:///a")).toEqual(["DISABLED", "file:///a"]);
  await expect(next(S.ENABLED, "file:///a", S.ENABLED, "file:///b")).rejects.toThrow("Cannot update existing archival URI");
  await expect(next(S.DISABLED, "file:///a", S.DISABLED, "file:///b")).rejects.toThrow("Cannot update existing archival URI");
  await expect(next(S.DISABLED, "", S.ENABLED, "", "")).rejects.toThrow("default URI is not set");
  expect(await next(S.DISABLED, "", S.ENABLED, "file:///a", "")).toEqual({ state: S.ENABLED, uri: "file:///a" });
  expect(validated).not.toContain("");
  expect(validated).not.toContain("file:///b");
});
