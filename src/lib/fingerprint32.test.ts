import { expect, it } from "vitest";
import { fingerprint32 } from "./fingerprint32.js";

// Made with github.com/dgryski/go-farm, which the official server uses.
it.each([
  [0, 3696677242],
  [1, 1864617065],
  [2, 2601130467],
  [3, 4037454766],
  [4, 1518301207],
  [5, 364169931],
  [7, 3875780348],
  [8, 2728076916],
  [11, 2294111992],
  [12, 717511438],
  [13, 1830986645],
  [16, 2275958477],
  [20, 1051452307],
  [23, 4224785740],
  [24, 2282545517],
  [25, 3704076896],
  [36, 1937333736],
  [40, 120817293],
  [41, 1092535465],
  [44, 1787958478],
  [45, 4291768096],
  [60, 2923595620],
  [61, 2984705978],
  [80, 914127010],
  [100, 697967268],
  [1037, 68124490],
])("%i bytes", (length, hash) => {
  const bytes = Buffer.from("namespace-id_workflow-id/é".repeat(Math.floor(length / 20) + 1)).subarray(0, length);
  expect(fingerprint32(bytes)).toBe(hash);
});
