/** History that is on its way to the disk: by branch, oldest batch first. What is durable goes over to the events cache. */
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import type { EventReference } from "../core/transition.js";
import type { EventBatch } from "../core/workflow/mutable-state.js";
import type { EventsCache } from "./events-cache.js";
import type { OpenBatch } from "./group-commit.js";
import { branchOf } from "./history-reader.js";

export class UndurableEvents {
  private readonly byBranch = new Map<number, EventBatch[]>();

  constructor(private readonly cache: EventsCache) {}

  add(b: EventBatch, open: OpenBatch): void {
    const batches = this.byBranch.get(b.branch);
    if (batches === undefined) this.byBranch.set(b.branch, [b]);
    else batches.push(b);
    open.replies.push(() => this.durable(b));
    open.undo.push(() => this.byBranch.delete(b.branch));
  }

  private durable(b: EventBatch): void {
    this.cache.append(b);
    const batches = this.byBranch.get(b.branch);
    if (batches === undefined) return;
    batches.shift();
    if (batches.length === 0) this.byBranch.delete(b.branch);
  }

  find(r: EventReference): HistoryEvent | undefined {
    const branch = branchOf(r);
    const batches = branch === undefined ? undefined : this.byBranch.get(branch);
    if (batches === undefined) return undefined;
    for (const b of batches) {
      const event = b.events[r.eventId - b.firstEventId];
      if (event !== undefined) return event;
    }
    return undefined;
  }
}
