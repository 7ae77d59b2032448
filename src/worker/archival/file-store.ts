/**
 * Archives in files. `<path>/<hashes of namespace id, workflow id and run id>_<failover version>.history` holds a JSON array of
 * batches, `<path>/<namespace id>/<close time in ns>_<hash of run id>.visibility` one record. A file appears whole: it is written
 * under another name, forced to the disk and moved.
 */
import { constants } from "node:fs";
import { mkdir, open, readdir, readFile, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { internal, invalidArgument, notFound } from "../../api/service-error.js";
import { EMPTY_BYTES } from "../../api/wire.js";
import { fingerprint64 } from "../../lib/fingerprint64.js";
import {
  type ArchivedHistory,
  type ArchivedPage,
  type ArchivedRun,
  type ArchiveStore,
  type ArchiveUri,
  FAILOVER_VERSION,
  type HistoryBatch,
} from "./archive-store.js";
import { parseFileQuery } from "./query.js";
import { recordFromJson, recordToJson, type VisibilityRecord } from "./visibility-record.js";

export interface FileModes {
  readonly file: number;
  readonly directory: number;
}

const hash = (text: string): string => fingerprint64(Buffer.from(text)).toString();
const historyPrefix = (r: ArchivedRun): string => `${hash(r.namespaceId)}${hash(r.workflowId)}${hash(r.runId)}`;
/** Microseconds are all that there is of a time here. */
const visibilityName = (r: { closeTime: number; runId: string }): string => `${r.closeTime}000_${hash(r.runId)}.visibility`;

interface HistoryToken {
  readonly CloseFailoverVersion: number;
  readonly NextBatchIdx: number;
}

interface VisibilityToken {
  readonly LastCloseTime: string;
  readonly LastRunID: string;
}

export class FileArchiveStore implements ArchiveStore {
  constructor(private readonly modes: () => FileModes) {}

  async validate({ path }: ArchiveUri): Promise<void> {
    if (path === "") throw invalidArgument("directory path is empty");
    const found = await stat(path).catch((e: NodeJS.ErrnoException) => {
      if (e.code === "ENOENT") return undefined;
      throw invalidArgument(`stat ${path}: ${e.message}`);
    });
    if (found !== undefined && !found.isDirectory()) throw invalidArgument("a path to a directory was expected");
  }

  async putHistory({ path }: ArchiveUri, run: ArchivedRun, batches: AsyncIterable<HistoryBatch>): Promise<void> {
    await this.write(path, join(path, `${historyPrefix(run)}_${FAILOVER_VERSION}.history`), async (append) => {
      let separator = "[";
      for await (const { json } of batches) {
        await append(`${separator}${JSON.stringify(json)}`);
        separator = ",";
      }
      await append(separator === "[" ? "[]" : "]");
    });
  }

  async getHistory({ path }: ArchiveUri, run: ArchivedRun, pageSize: number, pageToken: Uint8Array): Promise<ArchivedHistory> {
    const missing = notFound("requested workflow history does not exist");
    const token =
      pageToken.length === 0 ? { CloseFailoverVersion: await highestVersion(path, run), NextBatchIdx: 0 } : tokenOf<HistoryToken>(pageToken);
    if (token.CloseFailoverVersion === undefined) throw missing;
    const file = join(path, `${historyPrefix(run)}_${token.CloseFailoverVersion}.history`);
    const text = await readFile(file, "utf8").catch((e: NodeJS.ErrnoException) => {
      throw e.code === "ENOENT" ? missing : internal(e.message);
    });
    const all = JSON.parse(text) as { events?: unknown[] }[];
    const batches: unknown[] = [];
    let events = 0;
    let at = token.NextBatchIdx;
    for (; at < all.length && events < pageSize; at++) {
      const batch = all[at] ?? {};
      batches.push(batch);
      events += batch.events?.length ?? 0;
    }
    const next = { CloseFailoverVersion: token.CloseFailoverVersion, NextBatchIdx: at };
    return { batches, nextPageToken: at < all.length ? Buffer.from(JSON.stringify(next)) : EMPTY_BYTES };
  }

  async putVisibility({ path }: ArchiveUri, record: VisibilityRecord): Promise<void> {
    await this.write(path, join(path, record.namespaceId, visibilityName(record)), (append) => append(recordToJson(record)));
  }

  async listVisibility({ path }: ArchiveUri, namespaceId: string, query: string, pageSize: number, pageToken: Uint8Array): Promise<ArchivedPage> {
    const q = parseFileQuery(query);
    const none: ArchivedPage = { records: [], nextPageToken: EMPTY_BYTES };
    const token = pageToken.length === 0 ? undefined : tokenOf<VisibilityToken>(pageToken);
    if (q === undefined) return none;
    const directory = join(path, namespaceId);
    const names = await readdir(directory).catch((e: NodeJS.ErrnoException) => {
      if (e.code === "ENOENT") return [];
      throw internal(e.message);
    });
    const files = names
      .map((name) => ({ name, closeTime: Number(name.split("_")[0]?.slice(0, -3)), hash: /_(\d+)\./.exec(name)?.[1] ?? "" }))
      .sort((a, b) => b.closeTime - a.closeTime || (a.hash < b.hash ? 1 : -1));
    const after = token === undefined ? undefined : { closeTime: Number(token.LastCloseTime), hash: hash(token.LastRunID) };
    const records: VisibilityRecord[] = [];
    for (const f of files) {
      if (after !== undefined && (f.closeTime > after.closeTime || (f.closeTime === after.closeTime && f.hash >= after.hash))) continue;
      if (f.closeTime < q.earliestClose) break;
      const record = recordFromJson(await readFile(join(directory, f.name), "utf8"));
      if (!q.matches(record)) continue;
      records.push(record);
      if (records.length === pageSize) {
        const last = { LastCloseTime: String(record.closeTime), LastRunID: record.runId };
        return { records, nextPageToken: f === files.at(-1) ? EMPTY_BYTES : Buffer.from(JSON.stringify(last)) };
      }
    }
    return { records, nextPageToken: EMPTY_BYTES };
  }

  /** `base`: where the file is made before it is moved to where readers look for it. */
  private async write(base: string, file: string, fill: (append: (text: string) => Promise<void>) => Promise<void>): Promise<void> {
    const modes = this.modes();
    const directory = dirname(file);
    await mkdir(directory, { recursive: true, mode: modes.directory });
    const temporary = join(base, `.${hash(file)}.tmp`);
    const handle = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, modes.file);
    try {
      await fill(async (text) => {
        await handle.writeFile(text);
      });
      await handle.chmod(modes.file);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    const parent = await open(directory, constants.O_RDONLY);
    try {
      await parent.sync();
    } finally {
      await parent.close();
    }
  }
}

async function highestVersion(path: string, run: ArchivedRun): Promise<number | undefined> {
  const prefix = `${historyPrefix(run)}_`;
  const names = await readdir(path).catch((e: NodeJS.ErrnoException) => {
    if (e.code === "ENOENT") return [];
    throw internal(e.message);
  });
  const versions = names.filter((n) => n.startsWith(prefix)).map((n) => Number(/_(-?\d+)\.history$/.exec(n)?.[1] ?? Number.NaN));
  const known = versions.filter((v) => !Number.isNaN(v));
  return known.length === 0 ? undefined : Math.max(...known);
}

function tokenOf<T>(bytes: Uint8Array): T {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as T;
  } catch {
    throw invalidArgument("next page token is corrupted");
  }
}
