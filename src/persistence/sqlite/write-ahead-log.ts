/**
 * The write-ahead log as a file: how much of it is in use, and that it is on disk. It never shrinks: once a checkpoint has brought all of
 * it into the database file, the next commit writes over it from the start, with a new salt in the headers of the log and of its frames.
 * The frames in use are the first ones that bear the log's own salt (https://sqlite.org/fileformat2.html#walformat).
 *
 * Of the files of a database this alone may be opened beside SQLite: closing any other would drop the locks that SQLite holds on it.
 */
import { closeSync, existsSync, fdatasyncSync, fstatSync, openSync, readSync } from "node:fs";

const HEADER_BYTES = 32;
const PAGE_BYTES_AT = 8;
const SALT_AT = 16;
const SALT_BYTES = 8;
const FRAME_HEADER_BYTES = 24;
const FRAME_SALT_AT = 8;

export interface LogUse {
  /** Pages in the log, whether or not the database file has them by now. */
  frames: number;
  bytes: number;
}

const UNUSED: LogUse = { frames: 0, bytes: 0 };

/** @throws nothing: a log that cannot be read is not in use */
export function logUse(file: string): LogUse {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch {
    return UNUSED;
  }
  try {
    return read(fd);
  } catch {
    return UNUSED;
  } finally {
    closeSync(fd);
  }
}

/**
 * Brings to disk what is in the log. A server that was killed between a write and its sync leaves a commit there that nobody was told
 * of; whoever opens the database reads it, and may tell. @throws what the file system does
 */
export function syncLog(file: string): void {
  if (!existsSync(file)) return;
  const fd = openSync(file, "r+");
  try {
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function read(fd: number): LogUse {
  const header = Buffer.alloc(HEADER_BYTES);
  if (readSync(fd, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return UNUSED;
  const frameBytes = FRAME_HEADER_BYTES + header.readUInt32BE(PAGE_BYTES_AT);
  const salt = header.subarray(SALT_AT, SALT_AT + SALT_BYTES);
  const own = Buffer.alloc(SALT_BYTES);
  const isInUse = (frame: number): boolean =>
    readSync(fd, own, 0, SALT_BYTES, HEADER_BYTES + frame * frameBytes + FRAME_SALT_AT) === SALT_BYTES && own.equals(salt);
  let frames = 0;
  let beyond = Math.floor((fstatSync(fd).size - HEADER_BYTES) / frameBytes);
  while (frames < beyond) {
    const middle = (frames + beyond) >>> 1;
    if (isInUse(middle)) frames = middle + 1;
    else beyond = middle;
  }
  return { frames, bytes: frames * frameBytes };
}
