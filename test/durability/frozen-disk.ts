/**
 * The database files as a power cut would leave them, made from the records of freeze.c. A file's bytes are on disk once a sync
 * of it has completed that began after they were written; a name is, once its directory was synced. What came later may be there
 * or not, in any part: `torn` draws one such disk.
 */
import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import type { Random } from "../../src/lib/random.js";

const HEADER = 24;
/** What a disk writes whole or not at all. */
const SECTOR = 512;

type Change = { at: number; data: Buffer } | { size: number };

class Content {
  private bytes: Buffer;
  size: number;

  constructor(from?: Content) {
    this.bytes = from === undefined ? Buffer.alloc(1 << 16) : Buffer.from(from.bytes.subarray(0, from.size));
    this.size = from?.size ?? 0;
  }

  apply(change: Change): void {
    if ("size" in change) {
      if (change.size < this.size) this.bytes.fill(0, change.size, this.size);
      else this.grow(change.size);
      this.size = change.size;
      return;
    }
    const end = change.at + change.data.length;
    this.grow(end);
    change.data.copy(this.bytes, change.at);
    this.size = Math.max(this.size, end);
  }

  private grow(size: number): void {
    if (size <= this.bytes.length) return;
    const bigger = Buffer.alloc(Math.max(size, this.bytes.length * 2));
    this.bytes.copy(bigger, 0, 0, this.size);
    this.bytes = bigger;
  }

  get data(): Buffer {
    return this.bytes.subarray(0, this.size);
  }
}

class DiskFile {
  readonly durable = new Content();
  /** Changes that no completed sync covers, oldest first. */
  pending: Change[] = [];
  /** Not its log or journal. */
  readonly isDatabase: boolean;
  /** Changes made so far, and of those on disk. */
  private made = 0;
  private synced = 0;

  constructor(path: string) {
    this.isDatabase = !/-(wal|journal)$/.test(path);
  }

  change(c: Change): void {
    this.pending.push(c);
    this.made++;
  }

  /** What else must have been written, seeing that the file holds this now. Answers how many bytes that is. */
  found(data: Buffer): number {
    const known = new Content(this.durable);
    for (const c of this.pending) known.apply(c);
    const common = Math.min(data.length, known.size);
    let from = 0;
    while (from < common && data[from] === known.data[from]) from++;
    let to = data.length;
    if (to <= known.size) while (to > from && data[to - 1] === known.data[to - 1]) to--;
    if (data.length < known.size) this.change({ size: data.length });
    if (to > from) this.change({ at: from, data: data.subarray(from, to) });
    return Math.max(0, to - from);
  }

  get position(): number {
    return this.made;
  }

  /** Everything up to the position is on disk. */
  sync(position: number): void {
    for (; this.synced < position; this.synced++) this.durable.apply(this.pending.shift() as Change);
  }
}

/** Files of an image by their base names. */
export type Image = Map<string, Buffer>;

/** The moment just before the sync that follows number `counter`. To be used before the next one is asked for. */
export interface Freeze {
  readonly counter: number;
  /** Those of them that were of the database itself: checkpoints. */
  readonly checkpoints: number;
  /** Bytes that the files held and no record: what killed processes wrote last. */
  readonly unrecorded: number;
  /** Whether anything was written that is not on disk. */
  readonly hasPending: boolean;
  /** What is on disk for certain. */
  strict(): Image;
  /** That, and a part of what was written since. */
  torn(random: Random): Image;
}

interface DiskRecord {
  readonly op: string;
  readonly id: number;
  readonly at: number;
  readonly count: number;
  readonly data: Buffer;
  /** Where the next one begins. */
  readonly end: number;
}

/** The whole records of a log. */
function* records(log: Buffer): Generator<DiskRecord> {
  for (let p = 0; p + HEADER <= log.length; ) {
    const length = log.readUInt32LE(p + 16);
    const end = p + HEADER + length;
    if (end > log.length) return;
    yield {
      op: String.fromCharCode(log[p] as number),
      id: log.readUInt32LE(p + 4),
      at: Number(log.readBigUInt64LE(p + 8)),
      count: log.readUInt32LE(p + 20),
      data: log.subarray(p + HEADER, end),
      end,
    };
    p = end;
  }
}

/**
 * To be called when a process has died, before another opens the same files. Killed within a write it leaves the bytes in the file,
 * for the kernel ends what it has begun, and no record of them, or half of one: without it every image of the next life would lack
 * a frame in the middle of the log, and all that follows. With `syncsLeftOut` the process is one that was killed before that many of
 * its syncs, and after what it wrote for them. Answers how many were completed.
 */
export function settle(logFile: string, counterFile: string, database: string, syncsLeftOut = 0): number {
  const syncs: DiskRecord[] = [];
  let end = 0;
  for (const record of records(readFileSync(logFile))) {
    end = record.end;
    if (record.op === "S") syncs.push(record);
  }
  const last = syncs.at(-1 - syncsLeftOut);
  truncateSync(logFile, syncsLeftOut === 0 ? end : last?.end);
  const counter = last?.count ?? 0;
  // The record of a sync comes before it is counted.
  const count = Buffer.alloc(8);
  count.writeBigUInt64LE(BigInt(counter));
  writeFileSync(counterFile, count);
  for (const path of [database, `${database}-wal`, `${database}-journal`]) {
    const name = Buffer.from(path);
    const isThere = existsSync(path);
    const data = isThere ? Buffer.concat([name, readFileSync(path)]) : name;
    const header = Buffer.alloc(HEADER);
    header.write(isThere ? "F" : "U");
    header.writeBigUInt64LE(BigInt(isThere ? name.length : 0), 8);
    header.writeUInt32LE(data.length, 16);
    appendFileSync(logFile, Buffer.concat([header, data]));
  }
  return counter;
}

export function* freezes(log: Buffer): Generator<Freeze> {
  let names = new Map<string, DiskFile>();
  let durableNames = new Map<string, DiskFile>();
  const open = new Map<number, DiskFile | "directory">();
  /** Syncs that have begun: what they will have made durable. */
  const begun = new Map<string, () => void>();
  let counter = 0;
  let checkpoints = 0;
  let unrecorded = 0;

  const fileAt = (path: string): DiskFile => {
    let f = names.get(path);
    if (f === undefined) names.set(path, (f = new DiskFile(path)));
    return f;
  };
  const image = (files: Iterable<[string, Buffer]>): Image => new Map([...files].map(([path, data]) => [basename(path), data]));
  const freeze = (): Freeze => ({
    counter,
    checkpoints,
    unrecorded,
    hasPending: [...names.values()].some((f) => f.pending.length > 0),
    strict: () => image([...durableNames].map(([path, f]) => [path, Buffer.from(f.durable.data)])),
    torn: (random) => {
      const out: [string, Buffer][] = [];
      for (const path of new Set([...names.keys(), ...durableNames.keys()])) {
        const file = (random.uint32() % 2 === 0 ? names : durableNames).get(path);
        if (file !== undefined) out.push([path, tear(file, random)]);
      }
      return image(out);
    },
  });

  for (const { op, id, at, count, data } of records(log)) {
    const file = open.get(id);
    switch (op) {
      case "D":
        open.set(id, "directory");
        break;
      case "O": {
        const f = fileAt(data.toString());
        if (at === 1) f.change({ size: 0 });
        open.set(id, f);
        break;
      }
      case "W":
        (file as DiskFile).change({ at, data });
        break;
      case "T":
        (file as DiskFile).change({ size: at });
        break;
      case "B": {
        const key = `${id}/${at}`;
        if (file === "directory") {
          const then = new Map(names);
          begun.set(key, () => {
            durableNames = then;
          });
        } else if (file !== undefined) {
          const { position } = file;
          begun.set(key, () => file.sync(position));
        }
        break;
      }
      case "S": {
        yield freeze();
        const key = `${id}/${at}`;
        begun.get(key)?.();
        begun.delete(key);
        counter = count;
        if (file instanceof DiskFile && file.isDatabase) checkpoints++;
        break;
      }
      case "F":
        unrecorded += fileAt(data.subarray(0, at).toString()).found(data.subarray(at));
        break;
      case "U":
        names = new Map(names);
        names.delete(data.toString());
        break;
      case "R": {
        const [from, to] = data.toString().split("\n") as [string, string];
        const f = names.get(from);
        names = new Map(names);
        names.delete(from);
        if (f !== undefined) names.set(to, f);
        break;
      }
      default:
        throw new Error(`record ${op} is not known`);
    }
  }
  yield freeze();
}

/** The file with some of what was written to it since its last sync: up to a moment, and of that any sectors. */
function tear(file: DiskFile, random: Random): Buffer {
  if (file.pending.length === 0) return Buffer.from(file.durable.data);
  const out = new Content(file.durable);
  const until = random.uint32() % (file.pending.length + 1);
  // Some disks keep the order, some lose a little, some lose most.
  const keep = [1000, 900, 300][random.uint32() % 3] as number;
  for (const change of file.pending.slice(0, until)) {
    if ("size" in change) {
      if (random.uint32() % 1000 < keep) out.apply(change);
      continue;
    }
    for (let from = 0; from < change.data.length; ) {
      const end = Math.min(change.data.length, from + SECTOR - ((change.at + from) % SECTOR));
      if (random.uint32() % 1000 < keep) out.apply({ at: change.at + from, data: change.data.subarray(from, end) });
      from = end;
    }
  }
  return Buffer.from(out.data);
}
