/**
 * A thread with a read-only connection for list pages: each query is a snapshot of its own, opened after its arrival. It starts on
 * first use and knows SQL only. Checkpoints run here too, so that no commit waits for one.
 */
import { Worker } from "node:worker_threads";
import type { Choice } from "./choice.js";
import type { SqliteStoreOptions } from "./store.js";
import { threadFile } from "./thread-file.js";

type Message = { id: number; rows?: unknown[][]; error?: string };

export class ReaderThread {
  private worker: Worker | undefined;
  private nextId = 1;
  private readonly waiting = new Map<number, { resolve: (rows: unknown[][]) => void; reject: (e: Error) => void }>();

  constructor(private readonly options: SqliteStoreOptions) {}

  query(sql: string, params: readonly unknown[]): Promise<unknown[][]> {
    return this.ask({ sql, params });
  }

  choose(choice: Choice): Promise<unknown[][]> {
    return this.ask({ choice });
  }

  /** Brings into the database file what readers and the writer leave free. Answers how many frames of the log are there; undefined: it failed. */
  async checkpoint(): Promise<number | undefined> {
    const rows = await this.ask({ checkpoint: true }).catch(() => []);
    return rows[0]?.[1] as number | undefined;
  }

  /** Ends what readers are doing: their snapshots keep the log from being emptied. */
  interrupt(): void {
    const worker = this.worker;
    this.worker = undefined;
    for (const w of this.waiting.values()) w.reject(new Error("interrupted"));
    this.waiting.clear();
    void worker?.terminate();
  }

  private ask(message: object): Promise<unknown[][]> {
    this.worker ??= this.start();
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker?.postMessage({ id, ...message });
    });
  }

  private start(): Worker {
    const worker = new Worker(threadFile("reader-worker"), {
      workerData: { file: this.options.file, durability: this.options.durability },
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 64 },
    });
    worker.unref();
    worker.on("message", (m: Message) => {
      const w = this.waiting.get(m.id);
      this.waiting.delete(m.id);
      if (m.error !== undefined) w?.reject(new Error(m.error));
      else w?.resolve(m.rows ?? []);
    });
    worker.on("error", (e) => {
      if (this.worker === worker) this.worker = undefined;
      for (const w of this.waiting.values()) w.reject(e);
      this.waiting.clear();
    });
    return worker;
  }

  async close(): Promise<void> {
    const worker = this.worker;
    this.worker = undefined;
    if (worker === undefined) return;
    // Whoever waits for the end of the store is not to end before it, even when nothing else keeps the process.
    worker.ref();
    worker.postMessage({ id: 0, close: true });
    await new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  }
}
