/** Deterministic pseudo-random numbers from a seed (splitmix32 steps): the core's only source of chance. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = (seed ^ Math.floor(seed / 0x100000000)) >>> 0;
  }

  uint32(): number {
    this.state = (this.state + 0x9e3779b9) >>> 0;
    let z = this.state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  /** In [0, 1). */
  float(): number {
    return this.uint32() / 0x100000000;
  }

  /** 16 bytes. */
  bytes16(): Uint8Array {
    return new Uint8Array(Uint32Array.of(this.uint32(), this.uint32(), this.uint32(), this.uint32()).buffer);
  }

  /** Integer in [1, 2^53). */
  nonce(): number {
    return (this.uint32() & 0x1fffff) * 0x100000000 + this.uint32() || 1;
  }
}
