/**
 * Brings the write-ahead log into the database file, off the commit path, and sees to it that the log is then used again from its start.
 * For that a checkpoint must catch up with the writer: SQLite starts over only when a commit finds that the database file has every frame.
 * Passes on the readers' thread take nearly all of it, each what was committed during the one before; the little that is left is taken on
 * the writer's own thread, between two commits.
 */
import type Database from "better-sqlite3";
import type { ReaderThread } from "./reader-thread.js";
import { logUse } from "./write-ahead-log.js";

const CHECKPOINT_LOG_BYTES = 16 * 1024 * 1024;
/** So much is there only when readers hold on to old snapshots: they are ended. */
const INTERRUPT_LOG_BYTES = 128 * 1024 * 1024;
const PASSES_MAX = 3;
/** 4 MiB: some milliseconds, of which fsync is the most, once for each time that the log fills. */
const LAST_PASS_FRAMES_MAX = 1_024;

export class Checkpoints {
  private running: Promise<void> | undefined;

  constructor(
    private readonly db: Database.Database,
    private readonly file: string,
    private readonly readers: ReaderThread,
    /** Whether commits are made on this thread. */
    private readonly isWriter: boolean,
  ) {}

  /** Looks at the log, and does what is due. */
  run(): Promise<void> {
    this.running ??= this.look().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async look(): Promise<void> {
    const { bytes } = this.use();
    if (bytes > INTERRUPT_LOG_BYTES) {
      this.readers.interrupt();
      this.db.pragma("wal_checkpoint(RESTART)");
    } else if (bytes > CHECKPOINT_LOG_BYTES) await this.catchUp();
  }

  private async catchUp(): Promise<void> {
    for (let pass = 0; pass < PASSES_MAX; pass++) {
      const copied = await this.readers.checkpoint();
      if (copied === undefined || !this.db.open) return;
      const left = this.use().frames - copied;
      // Less than none: a commit has found the database file complete.
      if (left <= 0) return;
      if (left <= LAST_PASS_FRAMES_MAX && this.isWriter) {
        this.db.pragma("wal_checkpoint(PASSIVE)");
        return;
      }
    }
  }

  private use() {
    return logUse(`${this.file}-wal`);
  }
}
