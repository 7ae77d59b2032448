/**
 * The file's schema. Each version only adds; a file of an older version is brought up in one transaction, after a copy. What a
 * newer server wrote is refused by name.
 */
import type Database from "better-sqlite3";
import { FIRST_SEQUENCE } from "./journal.js";
import { VISIBILITY_SCHEMA } from "./visibility.js";

/** "Prdr" */
const APPLICATION_ID = 0x50726472;

/** What each version adds, oldest first. Released versions never change. */
const VERSIONS: readonly { name: string; sql: string }[] = [
  {
    name: "1 first light",
    sql: `
      CREATE TABLE execution (key INTEGER PRIMARY KEY, shard INTEGER NOT NULL, record BLOB NOT NULL);
      CREATE TABLE run (
        namespace INTEGER NOT NULL, workflow_id TEXT NOT NULL, run_id TEXT NOT NULL, key INTEGER NOT NULL,
        PRIMARY KEY (namespace, workflow_id, run_id)) WITHOUT ROWID;
      CREATE TABLE component (key INTEGER NOT NULL, kind INTEGER NOT NULL, id NOT NULL, record BLOB NOT NULL, PRIMARY KEY (key, kind, id)) WITHOUT ROWID;
      CREATE TABLE history (branch INTEGER NOT NULL, first_event_id INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (branch, first_event_id)) WITHOUT ROWID;
      CREATE TABLE fork (parent INTEGER NOT NULL, child INTEGER NOT NULL, end_event_id INTEGER NOT NULL, PRIMARY KEY (parent, child)) WITHOUT ROWID;
      CREATE TABLE due (clock INTEGER NOT NULL, due INTEGER NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (clock, due, key)) WITHOUT ROWID;
      CREATE TABLE backlog (
        queue INTEGER NOT NULL, priority INTEGER NOT NULL, pass INTEGER NOT NULL, id INTEGER NOT NULL, record BLOB NOT NULL,
        PRIMARY KEY (queue, priority, pass, id)) WITHOUT ROWID;
      CREATE TABLE registry (kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, record BLOB NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
      CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
      ${VISIBILITY_SCHEMA}
    `,
  },
  {
    name: "2 journal",
    sql: `
      CREATE TABLE journal (slot INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, part INTEGER NOT NULL, data BLOB NOT NULL);
      INSERT INTO meta (name, value) VALUES ('journal', ${FIRST_SEQUENCE - 1});
    `,
  },
  // Rows of one event are read as rows of several: nothing to do, but a server that knows the former only must not read the latter.
  { name: "3 buffered events of a transition in one row", sql: "" },
];

export const SCHEMA_VERSION = VERSIONS.length;

export class SchemaError extends Error {}

/** Version of the file; 0 when it is empty. @throws SchemaError when the file is another program's, or a newer server's. */
export function schemaVersion(db: Database.Database, file: string): number {
  const version = db.pragma("user_version", { simple: true }) as number;
  const application = db.pragma("application_id", { simple: true }) as number;
  const tables = (db.prepare("SELECT count(*) AS n FROM sqlite_schema").get() as { n: number }).n;
  if (tables > 0 && application !== APPLICATION_ID)
    throw new SchemaError(`${file} is a SQLite file of another program (application id ${application}).`);
  if (version > SCHEMA_VERSION) {
    const row = db.prepare("SELECT value FROM meta WHERE name = 'schema'").get() as { value: string } | undefined;
    throw new SchemaError(
      `${file} has schema version ${version} (${row?.value ?? "unnamed"}), which a newer server wrote; this one knows versions up to ${SCHEMA_VERSION} (${VERSIONS.at(-1)?.name}).`,
    );
  }
  return version;
}

/** Brings the file from `from` to the newest version, in one transaction. */
export function migrate(db: Database.Database, from: number): void {
  db.transaction(() => {
    for (const version of VERSIONS.slice(from)) db.exec(version.sql);
    db.prepare("INSERT INTO meta (name, value) VALUES ('schema', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value").run(
      VERSIONS.at(-1)?.name ?? "",
    );
    db.pragma(`user_version = ${SCHEMA_VERSION}`);
    db.pragma(`application_id = ${APPLICATION_ID}`);
  })();
}
