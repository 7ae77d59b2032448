/** What is in a server's file, table by table: for tests that nothing is left behind. The server must not be running. */
import Database from "better-sqlite3";

export interface FileTables {
  /** Rows of every table. */
  readonly counts: Readonly<Record<string, number>>;
  /** Tables that hold one of the texts anywhere in a row. */
  holding(texts: readonly string[]): string[];
}

export function readTables(file: string): FileTables {
  const db = new Database(file, { readonly: true });
  try {
    const names = db
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
      .pluck()
      .all() as string[];
    const tables = new Map(names.map((name) => [name, db.prepare(`SELECT * FROM "${name}"`).raw().all() as unknown[][]]));
    return {
      counts: Object.fromEntries([...tables].map(([name, rows]) => [name, rows.length])),
      holding: (texts) => {
        const needles = texts.map((t) => Buffer.from(t));
        const holds = (cell: unknown): boolean => {
          if (typeof cell !== "string" && !(cell instanceof Uint8Array)) return false;
          const bytes = Buffer.from(cell as string);
          return needles.some((n) => bytes.includes(n));
        };
        return [...tables].filter(([, rows]) => rows.some((row) => row.some(holds))).map(([name]) => name);
      },
    };
  } finally {
    db.close();
  }
}
