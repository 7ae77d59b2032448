/** The text of server-sent events (HTML standard, "Server-sent events"). */
export interface ServerSentEvent {
  readonly event: string;
  readonly data: unknown;
  /** What a client that comes back sends as Last-Event-ID; without one its last stays. */
  readonly id?: string;
}

/** JSON has no line ends, and neither have ids and names: each is one line. */
export function encodeEvent({ event, data, id }: ServerSentEvent): string {
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Keeps proxies and clients from giving up on a quiet stream. */
export const HEARTBEAT = ": heartbeat\n\n";

/** How long a client waits before it comes back. */
export const RETRY = "retry: 1000\n\n";

export const EVENT_STREAM_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  // Proxies that buffer would hold events back.
  "x-accel-buffering": "no",
};
