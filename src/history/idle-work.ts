/** What the store does best while nobody needs it: it is asked for that a moment after the last batch, until nothing is left. */
import type { Logger, Runtime } from "../lib/runtime.js";
import type { Store } from "../persistence/store.js";

const QUIET_MS = 50;

export class IdleWork {
  private isScheduled = false;
  private isStopped = false;

  constructor(
    private readonly store: Pick<Store, "idle">,
    private readonly runtime: Runtime,
    private readonly logger: Logger,
  ) {}

  schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.runtime.setTimer(QUIET_MS, () => {
      this.isScheduled = false;
      if (this.isStopped) return;
      this.store.idle().then(
        (more) => {
          if (more) this.schedule();
        },
        (e: unknown) => this.logger.warn({ err: e }, "idle work failed"),
      );
    });
  }

  stop(): void {
    this.isStopped = true;
  }
}
