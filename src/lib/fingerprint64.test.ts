import { expect, it } from "vitest";
import { fingerprint64 } from "./fingerprint64.js";

it("gives what FarmHash's own implementation gives, on each of its paths", () => {
  const text = Buffer.from("The quick brown fox. ".repeat(20));
  const known: [length: number, hash: bigint][] = [
    [0, 11160318154034397263n],
    [1, 1366698271136253306n],
    [3, 9622071900453499901n],
    [4, 17648915545525335717n],
    [7, 18103137151329643399n],
    [8, 5102859526078303239n],
    [12, 16046829537012271495n],
    [16, 4320848957565769301n],
    [17, 14385391840113208765n],
    [24, 2914400264621916208n],
    [32, 2890438252560351813n],
    [33, 16538649719562400225n],
    [50, 5493254201592876668n],
    [64, 8153046377529952617n],
    [65, 4018692605587020853n],
    [100, 17676694574540629052n],
    [127, 16468654872347583594n],
    [128, 2211880172374622208n],
    [129, 12308040920588441972n],
    [200, 4280635962660876834n],
    [300, 1367850197282856464n],
  ];
  for (const [length, hash] of known) expect([length, fingerprint64(text.subarray(0, length))]).toEqual([length, hash]);
});
