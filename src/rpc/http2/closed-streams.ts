/**
 * Streams that have closed lately: what still comes for one that we gave up was on its way, what comes for one that the peer has
 * ended breaks the protocol. Older ones are forgotten, and so is the difference.
 */
const BY_PEER_MAX = 64;
const BY_US_MAX = 1000;

export class ClosedStreams {
  /** A ring. */
  private readonly byPeer = new Int32Array(BY_PEER_MAX);
  private next = 0;
  private readonly byUs = new Set<number>();

  /** Ended by both sides, or given up by the peer. */
  addEnded(id: number): void {
    this.byPeer[this.next] = id;
    this.next = (this.next + 1) % BY_PEER_MAX;
  }

  /** Given up by us. */
  addReset(id: number): void {
    this.byUs.add(id);
    if (this.byUs.size > BY_US_MAX) for (const oldest of this.byUs) return void this.byUs.delete(oldest);
  }

  wasEnded(id: number): boolean {
    return this.byPeer.includes(id);
  }

  wasReset(id: number): boolean {
    return this.byUs.has(id);
  }
}
