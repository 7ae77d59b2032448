/**
 * The database files as a power cut would leave them, made from the records of freeze.c. A file's bytes are on disk once a sync
 * of it has completed that began after they were written; a name is, once its directory was synced. What came later may be there
 * or not, in any part: `torn` draws one such disk.
 */
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
  /** Whether anything was written that is not on disk. */
  readonly hasPending: boolean;
  /** What is on disk for certain. */
  strict(): Image;
  /** That, and a part of what was written since. */
  torn(random: Random): Image;
}

export function* freezes(log: Buffer): Generator<Freeze> {
  let names = new Map<string, DiskFile>();
  let durableNames = new Map<string, DiskFile>();
  const open = new Map<number, DiskFile | "directory">();
  /** Syncs that have begun: what they will have made durable. */
  const begun = new Map<string, () => void>();
  let counter = 0;
  let checkpoints = 0;

  const image = (files: Iterable<[string, Buffer]>): Image => new Map([...files].map(([path, data]) => [basename(path), data]));
  const freeze = (): Freeze => ({
    counter,
    checkpoints,
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

  for (let p = 0; p + HEADER <= log.length; ) {
    const op = String.fromCharCode(log[p] as number);
    const id = log.readUInt32LE(p + 4);
    const at = Number(log.readBigUInt64LE(p + 8));
    const length = log.readUInt32LE(p + 16);
    const count = log.readUInt32LE(p + 20);
    const data = log.subarray(p + HEADER, p + HEADER + length);
    if (data.length < length) break;
    p += HEADER + length;
    const file = open.get(id);
    switch (op) {
      case "D":
        open.set(id, "directory");
        break;
      case "O": {
        const path = data.toString();
        let f = names.get(path);
        if (f === undefined) names.set(path, (f = new DiskFile(path)));
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
