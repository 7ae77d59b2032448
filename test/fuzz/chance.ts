/** Choices of a fuzz run, all from one seed. */
import { Random } from "../../src/lib/random.js";

export class Chance {
  private readonly random: Random;
  constructor(seed: number) {
    this.random = new Random(seed);
  }
  /** Integer in [0, n). */
  below(n: number): number {
    return this.random.uint32() % n;
  }
  is(probability: number): boolean {
    return this.random.float() < probability;
  }
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
  /** Some bytes changed, cut out, doubled or put in. */
  mutated(bytes: Buffer): Buffer {
    let out = Buffer.from(bytes);
    for (let i = 1 + this.below(4); i > 0; i--) {
      const at = this.below(out.length + 1);
      const some = this.below(8);
      const kind = this.below(5);
      if (kind === 0 && at < out.length) out[at] = this.below(256);
      else if (kind === 1) out = Buffer.concat([out.subarray(0, at), out.subarray(at + some)]);
      else if (kind === 2) out = Buffer.concat([out.subarray(0, at), this.bytes(some), out.subarray(at)]);
      else if (kind === 3) out = Buffer.concat([out.subarray(0, at), out.subarray(Math.max(0, at - some)), out.subarray(at)]);
      else if (at < out.length) out[at] = (out[at] as number) ^ (1 << this.below(8));
    }
    return out;
  }
}
