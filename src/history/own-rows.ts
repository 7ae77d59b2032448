/** Rows that no input makes: those of registries, of queues and of what is deleted. They join the open batch. */
import { unavailable } from "../api/service-error.js";
import type { Runtime } from "../lib/runtime.js";
import type { Batch } from "../persistence/batch.js";
import { diskFull } from "./chain-renewal.js";
import type { GroupCommit } from "./group-commit.js";
import type { ReadyChains } from "./ready-chains.js";

const RETRY_MS = 1_000;

export interface OwnRowsHost {
  readonly runtime: Runtime;
  readonly commits: Pick<GroupCommit, "open">;
  readonly ready: Pick<ReadyChains, "scheduleTurn">;
  readonly isStopped: () => boolean;
}

export class OwnRows {
  constructor(private readonly host: OwnRowsHost) {}

  /** Resolves when they are durable. A batch that is not written is tried again. */
  commitSurely(fill: (rows: Batch) => void): Promise<void> {
    return this.join(fill, (resolve, reject) => {
      this.host.runtime.setTimer(RETRY_MS, () => void this.commitSurely(fill).then(resolve, reject));
    });
  }

  /** Resolves when they are durable, rejects when their batch is not written. */
  commit(fill: (rows: Batch) => void): Promise<void> {
    return this.join(fill, (_resolve, reject, kind) => {
      reject(kind === "full" ? diskFull() : unavailable("the store did not take the change"));
    });
  }

  private join(fill: (rows: Batch) => void, undo: (resolve: () => void, reject: (error: unknown) => void, kind: string) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.host.isStopped()) {
        reject(unavailable("server is shutting down"));
        return;
      }
      const { open } = this.host.commits;
      fill(open.rows);
      open.replies.push(resolve);
      open.undo.push((kind) => undo(resolve, reject, kind));
      this.host.ready.scheduleTurn();
    });
  }
}
