/** The streams of a connection that have something to send and a window of their own to send it in, each once, first come first served. */
import type { Stream } from "./stream.js";

/** Linked through the streams themselves: any of them may leave at any time, and there may be a hundred thousand. */
export class StreamQueue {
  first: Stream | undefined;
  private last: Stream | undefined;

  /** Does nothing when the stream is here already. */
  add(stream: Stream): void {
    if (stream.isQueued) return;
    stream.isQueued = true;
    stream.before = this.last;
    if (this.last === undefined) this.first = stream;
    else this.last.behind = stream;
    this.last = stream;
  }

  /** Does nothing when the stream is not here. */
  remove(stream: Stream): void {
    if (!stream.isQueued) return;
    const { before, behind } = stream;
    if (before === undefined) this.first = behind;
    else before.behind = behind;
    if (behind === undefined) this.last = before;
    else behind.before = before;
    stream.isQueued = false;
    stream.before = undefined;
    stream.behind = undefined;
  }
}
