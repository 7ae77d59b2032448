/**
 * A batch as one run of bytes, for the journal: a byte of version, then each kind of row as a count and its rows. Numbers are
 * doubles (exact for every number that a row holds), texts and values have their length before them. What is written here is read
 * by the same version of the server, or by a newer one after a crash: a change of the layout takes a new version and keeps the old
 * reader.
 */
import { assert } from "../../lib/assert.js";
import { Batch, type ComponentId, type RowWrite } from "../batch.js";
import type { VisibilityRow } from "../visibility.js";

const VERSION = 1;
const OPERATIONS = ["insert", "put", "delete"] as const;
type Operation = (typeof OPERATIONS)[number];

/** A batch that takes more goes into the tables at once. */
export const RECORD_BYTES_MAX = 256 * 1024;
const UTF8_BYTES_MAX = 3;

/** Writes into one piece of memory, used again for every record. */
class Writer {
  private readonly buffer = Buffer.allocUnsafeSlow(RECORD_BYTES_MAX);
  private at = 0;
  private isFull = false;

  reset(): void {
    this.at = 0;
    this.isFull = false;
  }

  /** Valid until the next reset; undefined when there was not enough room. */
  get written(): Buffer | undefined {
    return this.isFull ? undefined : this.buffer.subarray(0, this.at);
  }

  byte(n: number): void {
    if (this.hasRoom(1)) this.buffer[this.at++] = n;
  }

  number(n: number): void {
    if (this.hasRoom(8)) this.at = this.buffer.writeDoubleLE(n, this.at);
  }

  count(n: number): void {
    if (this.hasRoom(4)) this.at = this.buffer.writeUInt32LE(n, this.at);
  }

  text(text: string): void {
    if (!this.hasRoom(4 + UTF8_BYTES_MAX * text.length)) return;
    const length = this.buffer.write(text, this.at + 4);
    this.buffer.writeUInt32LE(length, this.at);
    this.at += 4 + length;
  }

  bytes(value: Uint8Array): void {
    if (!this.hasRoom(4 + value.length)) return;
    this.at = this.buffer.writeUInt32LE(value.length, this.at);
    this.buffer.set(value, this.at);
    this.at += value.length;
  }

  operation(op: Operation): void {
    this.byte(OPERATIONS.indexOf(op));
  }

  write(w: RowWrite): void {
    this.operation(w.op);
    if (w.op !== "delete") this.bytes(w.value);
  }

  id(id: ComponentId): void {
    this.byte(typeof id === "number" ? 0 : 1);
    if (typeof id === "number") this.number(id);
    else this.text(id);
  }

  private hasRoom(bytes: number): boolean {
    if (this.at + bytes > RECORD_BYTES_MAX) this.isFull = true;
    return !this.isFull;
  }
}

const scratch = new Writer();

/** Valid until the next call; undefined when it would be larger than a record may be. */
export function encodeBatch(b: Batch): Buffer | undefined {
  const w = scratch;
  w.reset();
  w.byte(VERSION);
  w.count(b.executions.size);
  for (const [key, e] of b.executions) {
    w.number(key);
    w.number(e.shard);
    w.write(e);
  }
  w.count(b.runs.size);
  for (const r of b.runs.values()) {
    w.operation(r.op);
    w.number(r.namespaceKey);
    w.text(r.workflowId);
    w.text(r.runId);
    w.number(r.key);
  }
  w.count(b.componentPurges.length);
  for (const key of b.componentPurges) w.number(key);
  w.count(b.components.size);
  for (const [key, kinds] of b.components) {
    w.number(key);
    w.count(kinds.size);
    for (const [kind, ids] of kinds) {
      w.number(kind);
      w.count(ids.size);
      for (const [id, row] of ids) {
        w.id(id);
        w.write(row);
      }
    }
  }
  w.count(b.history.length);
  for (const h of b.history) {
    w.number(h.branch);
    w.number(h.firstEventId);
    w.bytes(h.data);
  }
  w.count(b.historyDeletes.length);
  for (const d of b.historyDeletes) {
    w.number(d.branch);
    w.number(d.fromEventId);
    w.number(d.endEventId);
  }
  w.count(b.forks.length);
  for (const f of b.forks) {
    w.number(f.parentBranch);
    w.number(f.childBranch);
    w.number(f.endEventId);
  }
  w.count(b.forkDeletes.length);
  for (const f of b.forkDeletes) {
    w.number(f.parentBranch);
    w.number(f.childBranch);
  }
  w.count(b.dues.size);
  for (const d of b.dues.values()) {
    w.operation(d.op);
    w.number(d.clock);
    w.number(d.due);
    w.number(d.key);
  }
  w.count(b.backlog.size);
  for (const { at, write } of b.backlog.values()) {
    w.number(at.queue);
    w.number(at.priority);
    w.number(at.pass);
    w.number(at.id);
    w.write(write);
  }
  w.count(b.registry.size);
  for (const [kind, ids] of b.registry) {
    w.text(kind);
    w.count(ids.size);
    for (const [id, { version, write }] of ids) {
      w.text(id);
      w.number(version);
      w.write(write);
    }
  }
  w.count(b.visibility.size);
  for (const [key, op] of b.visibility) {
    w.operation(op.op);
    w.number(key);
    if (op.op === "delete") w.number(op.namespaceKey);
    else writeVisibility(w, op.row);
  }
  return w.written;
}

function writeVisibility(w: Writer, r: VisibilityRow): void {
  w.number(r.namespaceKey);
  w.text(r.workflowId);
  w.text(r.runId);
  w.text(r.workflowType);
  w.text(r.taskQueue);
  w.number(r.status);
  w.number(r.startTime);
  w.number(r.executionTime);
  w.number(r.closeTime);
  w.number(r.historyLength);
  w.number(r.historySizeBytes);
  w.number(r.stateTransitionCount);
  w.text(r.parentWorkflowId);
  w.text(r.parentRunId);
  w.text(r.rootWorkflowId);
  w.text(r.rootRunId);
  w.bytes(r.memo);
  w.bytes(r.searchAttributes);
  w.text(r.attributes.length === 0 ? "" : JSON.stringify(r.attributes));
}

class Reader {
  private at = 0;

  constructor(private readonly buffer: Buffer) {}

  get isAtEnd(): boolean {
    return this.at === this.buffer.length;
  }

  byte(): number {
    return this.buffer.readUInt8(this.at++);
  }

  number(): number {
    this.at += 8;
    return this.buffer.readDoubleLE(this.at - 8);
  }

  count(): number {
    this.at += 4;
    return this.buffer.readUInt32LE(this.at - 4);
  }

  text(): string {
    const length = this.count();
    this.at += length;
    return this.buffer.toString("utf8", this.at - length, this.at);
  }

  bytes(): Uint8Array {
    const length = this.count();
    this.at += length;
    return this.buffer.subarray(this.at - length, this.at);
  }

  operation(): Operation {
    const op = OPERATIONS[this.byte()];
    assert(op !== undefined, "an operation of a row");
    return op;
  }

  write(): RowWrite {
    const op = this.operation();
    return op === "delete" ? { op } : { op, value: this.bytes() };
  }

  id(): ComponentId {
    return this.byte() === 0 ? this.number() : this.text();
  }

  /** Calls `row` as often as the count says. */
  each(row: () => void): void {
    for (let n = this.count(); n > 0; n--) row();
  }
}

/** What encodeBatch has made. Values are views of `bytes`. @throws when the bytes are of a version that this server does not know */
export function decodeBatch(bytes: Buffer): Batch {
  const r = new Reader(bytes);
  const version = r.byte();
  if (version !== VERSION) throw new Error(`a journal record of version ${version}, which this server does not know`);
  const b = new Batch();
  r.each(() => {
    const [key, shard] = [r.number(), r.number()];
    b.executions.set(key, { ...r.write(), shard });
  });
  r.each(() => {
    const op = r.operation();
    const run = { namespaceKey: r.number(), workflowId: r.text(), runId: r.text(), key: r.number() };
    if (op === "delete") b.deleteRun(run);
    else b.insertRun(run);
  });
  r.each(() => b.purgeComponents(r.number()));
  r.each(() => {
    const key = r.number();
    r.each(() => {
      const kind = r.number();
      r.each(() => b.writeComponent(key, kind, r.id(), r.write()));
    });
  });
  r.each(() => b.appendHistory(r.number(), r.number(), r.bytes()));
  r.each(() => b.historyDeletes.push({ branch: r.number(), fromEventId: r.number(), endEventId: r.number() }));
  r.each(() => b.forks.push({ parentBranch: r.number(), childBranch: r.number(), endEventId: r.number() }));
  r.each(() => b.forkDeletes.push({ parentBranch: r.number(), childBranch: r.number() }));
  r.each(() => {
    const op = r.operation();
    const [clock, due, key] = [r.number(), r.number(), r.number()];
    if (op === "delete") b.deleteDue(clock, due, key);
    else b.insertDue(clock, due, key);
  });
  r.each(() => b.writeBacklog({ queue: r.number(), priority: r.number(), pass: r.number(), id: r.number() }, r.write()));
  r.each(() => {
    const kind = r.text();
    r.each(() => b.writeRegistry(kind, r.text(), r.number(), r.write()));
  });
  r.each(() => {
    const op = r.operation();
    const key = r.number();
    if (op === "delete") b.deleteVisibility(key, r.number());
    else b.putVisibility(readVisibility(r, key), op === "insert");
  });
  assert(r.isAtEnd, "a journal record is read to its end");
  return b;
}

function readVisibility(r: Reader, key: number): VisibilityRow {
  return {
    key,
    namespaceKey: r.number(),
    workflowId: r.text(),
    runId: r.text(),
    workflowType: r.text(),
    taskQueue: r.text(),
    status: r.number(),
    startTime: r.number(),
    executionTime: r.number(),
    closeTime: r.number(),
    historyLength: r.number(),
    historySizeBytes: r.number(),
    stateTransitionCount: r.number(),
    parentWorkflowId: r.text(),
    parentRunId: r.text(),
    rootWorkflowId: r.text(),
    rootRunId: r.text(),
    memo: r.bytes(),
    searchAttributes: r.bytes(),
    attributes: attributesOf(r.text()),
  };
}

const attributesOf = (text: string): VisibilityRow["attributes"] => (text === "" ? [] : (JSON.parse(text) as VisibilityRow["attributes"]));
