/** A few of the requests of `npm run fuzz:long`, which sends 100,000, and of `npm run fuzz:long -- --callers`. */
import { expect, it } from "vitest";
import { fuzzRound } from "./fuzz.js";
import { PROTOCOLS } from "./requests.js";

const SEED = 1;
const REQUESTS = 1_500;
/** With callers most are refused at once: nothing is waited for. */
const CALLERS_REQUESTS = 1_000;

it("random requests of every protocol are answered, never by a bug, and leave nothing when they are refused", { timeout: 120_000 }, async () => {
  const { problems, outcomes, refused } = await fuzzRound(SEED, REQUESTS);
  expect(problems, `replay: npm run fuzz:long -- --seed ${SEED} --requests ${REQUESTS}`).toEqual([]);
  // What is refused at the first door tests nothing behind it.
  const ok = (p: string) => outcomes.get(`${p} OK`) ?? 0;
  for (const p of PROTOCOLS) if (!p.startsWith("raw")) expect([p, ok(p) > 0]).toEqual([p, true]);
  expect(refused).toBeGreaterThan(REQUESTS / 3);
});

it("callers of every right over every protocol get what the matrices say, and nothing of namespaces that are not theirs", {
  timeout: 120_000,
}, async () => {
  const { problems, outcomes, denied, allowed } = await fuzzRound(SEED, CALLERS_REQUESTS, { hasCallers: true });
  expect(problems, `replay: npm run fuzz:long -- --callers --seed ${SEED} --requests ${CALLERS_REQUESTS}`).toEqual([]);
  const of = (p: string, codes: readonly string[]) => codes.some((c) => (outcomes.get(`${p} ${c}`) ?? 0) > 0);
  for (const p of PROTOCOLS.filter((p) => !p.startsWith("raw"))) {
    expect([p, of(p, ["OK"])]).toEqual([p, true]);
    expect([p, of(p, ["UNAUTHENTICATED", "401"])]).toEqual([p, true]);
    expect([p, of(p, ["PERMISSION_DENIED", "403"])]).toEqual([p, true]);
  }
  expect(denied).toBeGreaterThan(CALLERS_REQUESTS / 5);
  expect(allowed).toBeGreaterThan(CALLERS_REQUESTS / 50);
});
