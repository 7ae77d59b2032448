/** A few of the requests of `npm run fuzz:long`, which sends 100,000. */
import { expect, it } from "vitest";
import { fuzzRound } from "./fuzz.js";
import { PROTOCOLS } from "./requests.js";

const SEED = 1;
const REQUESTS = 1_500;

it("random requests of every protocol are answered, never by a bug, and leave nothing when they are refused", { timeout: 120_000 }, async () => {
  const { problems, outcomes, refused } = await fuzzRound(SEED, REQUESTS);
  expect(problems, `replay: npm run fuzz:long -- --seed ${SEED} --requests ${REQUESTS}`).toEqual([]);
  // What is refused at the first door tests nothing behind it.
  const ok = (p: string) => outcomes.get(`${p} OK`) ?? 0;
  for (const p of PROTOCOLS) if (!p.startsWith("raw")) expect([p, ok(p) > 0]).toEqual([p, true]);
  expect(refused).toBeGreaterThan(REQUESTS / 3);
});
