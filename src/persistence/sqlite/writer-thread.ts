/** Commits on a thread of their own, for disks whose fsync would hold the engine up. Batches settle in the order of the calls. */
import { Worker } from "node:worker_threads";
import type { Batch } from "../batch.js";
import type { SqliteStoreOptions } from "./store.js";
import { threadFile } from "./thread-file.js";
import type { WriteResult } from "./write-batch.js";

export class WriterThread {
  private nextId = 1;
  private readonly waiting = new Map<number, (r: WriteResult) => void>();

  private constructor(private readonly worker: Worker) {
    worker.unref();
    worker.on("message", (m: { id: number; failed?: { code: string; message: string }; committing?: boolean }) => {
      const resolve = this.waiting.get(m.id);
      this.waiting.delete(m.id);
      resolve?.(
        m.failed === undefined
          ? undefined
          : { failed: Object.assign(new Error(m.failed.message), { code: m.failed.code }), committing: m.committing === true },
      );
    });
    worker.on("error", (e) => {
      for (const resolve of this.waiting.values()) resolve({ failed: e, committing: true });
      this.waiting.clear();
    });
  }

  static start(options: SqliteStoreOptions): Promise<WriterThread> {
    const worker = new Worker(threadFile("writer-worker"), {
      workerData: { file: options.file, durability: options.durability, pragmas: options.pragmas },
      execArgv: [],
    });
    return new Promise((resolve, reject) => {
      worker.once("error", reject);
      worker.once("message", () => {
        worker.removeListener("error", reject);
        resolve(new WriterThread(worker));
      });
    });
  }

  commit(batch: Batch): Promise<WriteResult> {
    const id = this.nextId++;
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
      // Maps and byte arrays clone as they are; the class is put back on the other side.
      this.worker.postMessage({ id, batch: { ...batch } });
    });
  }

  async close(): Promise<void> {
    this.worker.postMessage({ id: 0, close: true });
    await new Promise<void>((resolve) => this.worker.once("exit", () => resolve()));
  }
}
