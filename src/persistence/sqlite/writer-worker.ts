/** The writer thread's own side: writer-thread.ts. */
import { parentPort, workerData } from "node:worker_threads";
import type { Batch } from "../batch.js";
import { type Durability, openConnection } from "./connection.js";
import { BatchWriter } from "./write-batch.js";

const { file, durability, pragmas } = workerData as { file: string; durability: Durability; pragmas: string[] };
const db = openConnection({ file, durability, pragmas });
const writer = new BatchWriter(db);

parentPort?.on("message", (m: { id: number; batch?: Batch; close?: boolean }) => {
  if (m.close === true) {
    db.close();
    process.exit(0);
  }
  const result = m.batch === undefined ? undefined : writer.write(m.batch);
  if (result === undefined) parentPort?.postMessage({ id: m.id });
  else {
    const e = result.failed as { code?: string; message?: string };
    parentPort?.postMessage({ id: m.id, failed: { code: e.code ?? "", message: e.message ?? String(result.failed) }, committing: result.committing });
  }
});
parentPort?.postMessage({ id: 0 });
