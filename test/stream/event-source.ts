/** A reader of server-sent events that keeps what a browser's EventSource keeps: the last id, over all its connections. */
export interface ReceivedEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: unknown;
}

export class EventReader {
  readonly events: ReceivedEvent[] = [];
  lastEventId = "";
  comments = 0;
  private readonly waiting = new Set<() => void>();
  private connection: AbortController | undefined;
  /** Resolves when the present connection has ended, by whichever side. */
  ended: Promise<void> = Promise.resolve();

  /** Resolves when the stream is open. */
  async connect(url: string, headers: Record<string, string> = {}): Promise<Response> {
    const abort = new AbortController();
    this.connection = abort;
    const sent = this.lastEventId === "" ? headers : { ...headers, "last-event-id": this.lastEventId };
    const response = await fetch(url, { headers: { accept: "text/event-stream", ...sent }, signal: abort.signal });
    if (response.ok) this.ended = this.read(response).catch(() => undefined);
    return response;
  }

  private async read(response: Response): Promise<void> {
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true });
      // What is not ended by an empty line was cut off, and is no event.
      for (let at = text.indexOf("\n\n"); at >= 0; at = text.indexOf("\n\n")) {
        this.take(text.slice(0, at).split("\n"));
        text = text.slice(at + 2);
      }
      for (const wake of this.waiting) wake();
    }
  }

  private take(lines: readonly string[]): void {
    const field = (name: string): string | undefined => lines.find((l) => l.startsWith(`${name}: `))?.slice(name.length + 2);
    if (lines[0]?.startsWith(":") === true) this.comments++;
    const [id, event, data] = [field("id"), field("event"), field("data")];
    if (id !== undefined) this.lastEventId = id;
    if (event !== undefined && data !== undefined) this.events.push({ event, id, data: JSON.parse(data) });
  }

  /** Waits until the events are so. */
  async until(condition: (events: readonly ReceivedEvent[]) => boolean): Promise<void> {
    while (!condition(this.events))
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.waiting.delete(wake);
          resolve();
        };
        this.waiting.add(wake);
      });
  }

  of(event: string): unknown[] {
    return this.events.filter((e) => e.event === event).map((e) => e.data);
  }

  async close(): Promise<void> {
    this.connection?.abort();
    await this.ended;
  }
}
