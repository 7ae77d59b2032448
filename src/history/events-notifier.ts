/** Long polls for new events of a run. A waiter is woken after the commit that brought an event, at its time limit, or when cancelled. */
import type { Runtime } from "../lib/runtime.js";

export class EventsNotifier {
  private readonly waiters = new Map<number, Set<{ afterEventId: number; wake: () => void }>>();

  constructor(private readonly runtime: Runtime) {}

  /** Resolves once; the caller looks at the run again. */
  wait(
    runKey: number,
    afterEventId: number,
    timeoutMs: number,
    onCancel: (f: () => void) => () => void,
  ): { promise: Promise<void>; wake: () => void } {
    let wake = (): void => undefined;
    const promise = new Promise<void>((resolve) => {
      let set = this.waiters.get(runKey);
      if (set === undefined) this.waiters.set(runKey, (set = new Set()));
      const own = set;
      const waiter = { afterEventId, wake: () => wake() };
      const stopTimer = this.runtime.setDeadline(timeoutMs, () => wake());
      const stopCancel = onCancel(() => wake());
      wake = () => {
        if (!own.delete(waiter)) return;
        if (own.size === 0 && this.waiters.get(runKey) === own) this.waiters.delete(runKey);
        stopTimer();
        stopCancel();
        resolve();
      };
      own.add(waiter);
    });
    return { promise, wake: () => wake() };
  }

  /** The run has events up to `lastEventId`, durably. */
  notify(runKey: number, lastEventId: number, isClosed: boolean): void {
    const set = this.waiters.get(runKey);
    if (set === undefined) return;
    for (const w of [...set]) if (isClosed || lastEventId > w.afterEventId) w.wake();
  }

  wakeAll(): void {
    for (const set of [...this.waiters.values()]) for (const w of [...set]) w.wake();
  }
}
