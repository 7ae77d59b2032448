/**
 * Archives in S3. A history is `<path>/<namespace id>/history/<workflow id>/<run id>/<failover version>/<n>`, about 2 MiB each; a
 * list entry is written under four keys, by workflow type and by workflow id, each by close time and by start time. The AWS SDK is
 * loaded when the first archive is used.
 */
import type { S3Client } from "@aws-sdk/client-s3";
import { Code, invalidArgument, notFound, ServiceError, unavailable } from "../../api/service-error.js";
import { EMPTY_BYTES } from "../../api/wire.js";
import {
  type ArchivedHistory,
  type ArchivedPage,
  type ArchivedRun,
  type ArchiveStore,
  type ArchiveUri,
  FAILOVER_VERSION,
  type HistoryBatch,
} from "./archive-store.js";
import { type Precision, parseS3Query, type S3Query } from "./query.js";
import { recordFromJson, recordToJson, type VisibilityRecord } from "./visibility-record.js";

export interface S3Settings {
  /** Empty: the environment's. */
  readonly region: string;
  /** Empty: the region's. */
  readonly endpoint: string;
  readonly isPathStyle: boolean;
}

const BLOB_BYTES = 2 * 1024 * 1024;
const CONNECT_MS = 5_000;
const REQUEST_MS = 30_000;
const BUCKET_MISSING = "requested bucket does not exist";

export type S3Sdk = typeof import("@aws-sdk/client-s3");

export async function openS3({ region, endpoint, isPathStyle }: S3Settings): Promise<{ sdk: S3Sdk; client: S3Client }> {
  const loaded = await import("@aws-sdk/client-s3");
  // Bundled, a CommonJS package is its default export.
  const sdk = (loaded as { default?: S3Sdk }).default ?? loaded;
  const client = new sdk.S3Client({
    ...(region === "" ? {} : { region }),
    ...(endpoint === "" ? {} : { endpoint }),
    forcePathStyle: isPathStyle,
    // Checksums that only Amazon's own service knows are left out.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS },
  });
  return { sdk, client };
}

interface HistoryToken {
  readonly CloseFailoverVersion: number;
  readonly BatchIdx: number;
}

/** Part of a history, as the archive keeps it (temporal.server.api.archiver.v1.HistoryBlob). */
interface HistoryBlob {
  readonly header?: { readonly isLast?: boolean };
  readonly body?: { readonly events?: unknown[] }[];
}

const join = (...parts: string[]): string => parts.join("/").replace(/^\/+/, "");
const historyPrefix = (path: string, r: ArchivedRun): string => join(path, r.namespaceId, "history", r.workflowId, r.runId);

/** Seconds are the finest that a key holds. */
const keyTime = (micros: number): string => `${new Date(Math.floor(micros / 1_000_000) * 1000).toISOString().slice(0, 19)}Z`;
const PRECISION_DIGITS: Readonly<Record<Precision, number>> = { Day: 11, Hour: 13, Minute: 16, Second: 19 };

export class S3ArchiveStore implements ArchiveStore {
  private loaded: Promise<{ sdk: S3Sdk; client: S3Client }> | undefined;

  constructor(private readonly settings: () => S3Settings) {}

  private open(): Promise<{ sdk: S3Sdk; client: S3Client }> {
    this.loaded ??= openS3(this.settings());
    return this.loaded;
  }

  close(): void {
    void this.loaded?.then(({ client }) => client.destroy());
  }

  async validate(uri: ArchiveUri): Promise<void> {
    checkBucket(uri);
    const { sdk, client } = await this.open();
    try {
      await client.send(new sdk.HeadBucketCommand({ Bucket: uri.host }));
    } catch (e) {
      throw nameOf(e) === "NotFound" || nameOf(e) === "NoSuchBucket" ? invalidArgument(BUCKET_MISSING) : unavailable(textOf(e));
    }
  }

  async putHistory(uri: ArchiveUri, run: ArchivedRun, batches: AsyncIterable<HistoryBatch>): Promise<void> {
    checkBucket(uri);
    const prefix = `${historyPrefix(uri.path, run)}/${FAILOVER_VERSION}/`;
    let index = 0;
    for await (const blob of blobsOf(run, batches)) {
      await this.put(uri, `${prefix}${index}`, blob);
      index++;
    }
  }

  private async put({ host }: ArchiveUri, key: string, body: string): Promise<void> {
    const { sdk, client } = await this.open();
    try {
      await client.send(new sdk.PutObjectCommand({ Bucket: host, Key: key, Body: body }));
    } catch (e) {
      throw nameOf(e) === "NoSuchBucket" ? invalidArgument(BUCKET_MISSING) : unavailable(textOf(e));
    }
  }

  private async get({ host }: ArchiveUri, key: string): Promise<string> {
    const { sdk, client } = await this.open();
    try {
      const { Body } = await client.send(new sdk.GetObjectCommand({ Bucket: host, Key: key }));
      return (await Body?.transformToString()) ?? "";
    } catch (e) {
      if (nameOf(e) === "NoSuchBucket") throw invalidArgument(BUCKET_MISSING);
      throw nameOf(e) === "NoSuchKey" ? notFound("requested workflow history does not exist") : unavailable(textOf(e));
    }
  }

  async getHistory(uri: ArchiveUri, run: ArchivedRun, pageSize: number, pageToken: Uint8Array): Promise<ArchivedHistory> {
    checkBucket(uri);
    const { CloseFailoverVersion: version, BatchIdx: first } =
      pageToken.length === 0 ? { CloseFailoverVersion: await this.highestVersion(uri, run), BatchIdx: 0 } : tokenOf(pageToken);
    const batches: unknown[] = [];
    let events = 0;
    for (let index = first; ; index++) {
      if (events >= pageSize) {
        const next: HistoryToken = { CloseFailoverVersion: version, BatchIdx: index };
        return { batches, nextPageToken: Buffer.from(JSON.stringify(next)) };
      }
      const blob = JSON.parse(await this.get(uri, `${historyPrefix(uri.path, run)}/${version}/${index}`)) as HistoryBlob;
      for (const batch of blob.body ?? []) {
        batches.push(batch);
        events += batch.events?.length ?? 0;
      }
      if (blob.header?.isLast === true) return { batches, nextPageToken: EMPTY_BYTES };
    }
  }

  private async highestVersion(uri: ArchiveUri, run: ArchivedRun): Promise<number> {
    const { sdk, client } = await this.open();
    const prefix = `${historyPrefix(uri.path, run)}/`;
    try {
      const found = await client.send(new sdk.ListObjectsV2Command({ Bucket: uri.host, Prefix: prefix, Delimiter: "/" }));
      const versions = (found.CommonPrefixes ?? []).map((p) => Number(p.Prefix?.slice(prefix.length, -1))).filter((v) => Number.isInteger(v));
      if (versions.length > 0) return Math.max(...versions);
    } catch (e) {
      throw nameOf(e) === "NoSuchBucket" ? invalidArgument(BUCKET_MISSING) : unavailable(textOf(e));
    }
    throw notFound("requested workflow history does not exist");
  }

  async putVisibility(uri: ArchiveUri, record: VisibilityRecord): Promise<void> {
    checkBucket(uri);
    const text = recordToJson(record);
    for (const [index, value] of [
      ["workflowTypeName", record.workflowTypeName],
      ["workflowID", record.workflowId],
    ] as const)
      for (const [of, time] of [
        ["closeTimeout", record.closeTime],
        ["startTimeout", record.startTime],
      ] as const)
        await this.put(uri, join(uri.path, record.namespaceId, "visibility", index, value, of, keyTime(time), record.runId), text);
  }

  async listVisibility(uri: ArchiveUri, namespaceId: string, query: string, pageSize: number, pageToken: Uint8Array): Promise<ArchivedPage> {
    checkBucket(uri);
    const base = join(uri.path, namespaceId, "visibility");
    if (query.trim() !== "") return this.listPrefix(uri, prefixOf(base, parseS3Query(query)), pageSize, pageToken, () => true);
    // Every run has two keys below each index: those by close time are taken.
    const records: VisibilityRecord[] = [];
    let token = pageToken;
    for (;;) {
      const page = await this.listPrefix(
        uri,
        `${base}/workflowTypeName`,
        pageSize - records.length,
        token,
        (key) => key.split("/").at(-3) === "closeTimeout",
      );
      records.push(...page.records);
      token = page.nextPageToken;
      if (token.length === 0 || records.length >= pageSize) return { records, nextPageToken: token };
    }
  }

  private async listPrefix(
    uri: ArchiveUri,
    prefix: string,
    keysMax: number,
    pageToken: Uint8Array,
    isWanted: (key: string) => boolean,
  ): Promise<ArchivedPage> {
    const { sdk, client } = await this.open();
    const token = pageToken.length === 0 ? {} : { ContinuationToken: Buffer.from(pageToken).toString() };
    const found = await client
      .send(new sdk.ListObjectsV2Command({ Bucket: uri.host, Prefix: prefix, MaxKeys: keysMax, ...token }))
      .catch((e: unknown) => {
        throw isPassing(e) ? unavailable(textOf(e)) : invalidArgument(textOf(e));
      });
    const records: VisibilityRecord[] = [];
    for (const { Key: key = "" } of found.Contents ?? []) if (isWanted(key)) records.push(recordFromJson(await this.get(uri, key)));
    const next = found.IsTruncated === true ? Buffer.from(found.NextContinuationToken ?? "") : EMPTY_BYTES;
    return { records, nextPageToken: next };
  }
}

function prefixOf(base: string, q: S3Query): string {
  const by = `${base}/${q.index}/${q.value}`;
  if (q.time === undefined) return `${by}/closeTimeout/`;
  return `${by}/${q.time.of}/${keyTime(q.time.micros).slice(0, PRECISION_DIGITS[q.time.precision])}`;
}

/** Blobs of about two megabytes; the last one says so, so that each is held back until the next is known. */
async function* blobsOf(run: ArchivedRun, batches: AsyncIterable<HistoryBatch>): AsyncGenerator<string> {
  let body: string[] = [];
  let bytes = 0;
  let first = 0;
  let last = 0;
  const blob = (isLast: boolean): string => {
    const header = {
      namespace: run.namespace,
      namespaceId: run.namespaceId,
      workflowId: run.workflowId,
      runId: run.runId,
      ...(isLast ? { isLast } : {}),
      firstEventId: String(first),
      lastEventId: String(last),
      eventCount: String(last - first + 1),
    };
    return `{"header":${JSON.stringify(header)},"body":[${body.join(",")}]}`;
  };
  for await (const batch of batches) {
    if (bytes >= BLOB_BYTES) {
      yield blob(false);
      body = [];
      bytes = 0;
    }
    if (body.length === 0) first = batch.firstEventId;
    const text = JSON.stringify(batch.json);
    body.push(text);
    bytes += text.length;
    last = batch.lastEventId;
  }
  yield blob(true);
}

function checkBucket({ host }: ArchiveUri): void {
  if (host === "") throw invalidArgument("no bucket specified");
}

const nameOf = (e: unknown): string => (e instanceof Error ? e.name : "");
/** The service, or the way to it, and not what was asked of it. */
const isPassing = (e: unknown): boolean => ((e as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 500) >= 500;
const textOf = (e: unknown): string => (e instanceof Error ? e.message || e.name : String(e));

function tokenOf(bytes: Uint8Array): HistoryToken {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as HistoryToken;
  } catch {
    throw new ServiceError(Code.INVALID_ARGUMENT, "next page token is corrupted");
  }
}
