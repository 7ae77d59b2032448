/** Opens a connection with the settings that the promises rest on. Every connection of the process goes through here. */
import Database from "better-sqlite3";

export type Durability = "full" | "normal" | "memory";

/**
 * `full`: nothing acknowledged is lost, whatever happens. `normal`: a power cut may lose the last commits, a crash of the process
 * nothing. `memory`: a crash of the machine may lose everything since the last checkpoint.
 */
const SYNCHRONOUS: Readonly<Record<Durability, string>> = { full: "FULL", normal: "NORMAL", memory: "OFF" };

const INCREMENTAL = 2;

/** What openConnection, the schema and the checkpoints set: another value would break what they promise. */
const OWN_PRAGMAS: ReadonlySet<string> = new Set([
  "auto_vacuum",
  "checkpoint_fullfsync",
  "fullfsync",
  "journal_mode",
  "locking_mode",
  "page_size",
  "synchronous",
  "user_version",
  "wal_autocheckpoint",
  "writable_schema",
]);

export interface ConnectionOptions {
  /** ":memory:" for none. */
  readonly file: string;
  readonly durability: Durability;
  /** The user's own pragmas, "name=value". */
  readonly pragmas: readonly string[];
  readonly readonly?: boolean;
}

/** Whether a user's pragma is left alone: command lines of the official development server have some of these. */
export const isOwnPragma = (pragma: string): boolean => OWN_PRAGMAS.has(pragma.split("=", 1)[0]?.trim().toLowerCase() ?? "");

export function openConnection(o: ConnectionOptions): Database.Database {
  const db = new Database(o.file, { readonly: o.readonly ?? false, timeout: 10_000 });
  if (o.readonly !== true) {
    // Only an empty file takes these two. Said to one that has it, the second would be a write, for which a full disk has no room.
    db.pragma("page_size = 4096");
    if (db.pragma("auto_vacuum", { simple: true }) !== INCREMENTAL) db.pragma(`auto_vacuum = ${INCREMENTAL}`);
    if (o.file !== ":memory:") db.pragma("journal_mode = WAL");
  }
  db.pragma(`synchronous = ${SYNCHRONOUS[o.durability]}`);
  db.pragma("fullfsync = 1");
  db.pragma("checkpoint_fullfsync = 1");
  db.pragma("foreign_keys = 0");
  db.pragma("temp_store = MEMORY");
  db.pragma("cache_size = -32768");
  // Checkpoints run off the commit path: store.ts idle().
  db.pragma("wal_autocheckpoint = 0");
  for (const p of o.pragmas) if (!isOwnPragma(p)) db.pragma(p);
  return db;
}
