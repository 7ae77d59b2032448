/**
 * What a connection's peer has not taken yet: replies stay in memory until the peer makes room, so a peer that reads slowly, or not
 * at all, must not have everything worked out for it.
 * - Small replies are handed over at once; they are counted until their streams close.
 * - Large replies start in order, while what is unsent stays below the bound.
 * - A session at its bound gets no more work done: its polls wait at once, its other calls when four times as much is unsent.
 * Cost for a small reply: two additions.
 */

/** Larger ones wait for `drain`. */
export const LARGE_REPLY_BYTES = 256 * 1024;
export const UNSENT_BYTES_MAX = 32 * 1024 * 1024;
const OTHER_CALLS_FACTOR = 4;

interface Large {
  readonly bytes: number;
  readonly start: () => void;
}

export class Outbox {
  /** Handed over, streams not closed yet. */
  private startedBytes = 0;
  /** Large replies that have not started. */
  private waitingBytes = 0;
  private readonly waiting = new Set<Large>();
  private readonly calls = new Set<{ isPoll: boolean; run: () => void }>();

  constructor(private readonly bytesMax = UNSENT_BYTES_MAX) {}

  get unsentBytes(): number {
    return this.startedBytes + this.waitingBytes;
  }

  /** May a call of this session be worked on now? */
  hasRoom(isPoll: boolean): boolean {
    return this.startedBytes + this.waitingBytes < (isPoll ? this.bytesMax : this.bytesMax * OTHER_CALLS_FACTOR);
  }

  /** Runs `run` when there is room, in the order of asking; the result withdraws it. */
  whenRoom(isPoll: boolean, run: () => void): () => void {
    const call = { isPoll, run };
    this.calls.add(call);
    return () => this.calls.delete(call);
  }

  /** A reply that is handed over now. */
  started(bytes: number): void {
    this.startedBytes += bytes;
  }

  /** The stream of a started reply has closed, whether the peer took the reply or not. */
  closed(bytes: number): void {
    this.startedBytes -= bytes;
    if (this.waiting.size > 0 || this.calls.size > 0) this.go();
  }

  /** Calls `start` when the reply may be handed over; it counts as started from then on. The result withdraws one that has not. */
  enqueue(bytes: number, start: () => void): () => void {
    const large = { bytes, start };
    this.waiting.add(large);
    this.waitingBytes += bytes;
    this.go();
    return () => {
      if (!this.waiting.delete(large)) return;
      this.waitingBytes -= bytes;
      this.go();
    };
  }

  private go(): void {
    for (const large of this.waiting) {
      // One that is larger than the bound goes alone.
      if (this.startedBytes > 0 && this.startedBytes + large.bytes > this.bytesMax) break;
      this.waiting.delete(large);
      this.waitingBytes -= large.bytes;
      this.startedBytes += large.bytes;
      large.start();
    }
    for (const call of this.calls)
      if (this.hasRoom(call.isPoll)) {
        this.calls.delete(call);
        call.run();
      }
  }
}
