/**
 * Where traces of finished runs are: in the store that the server is configured with (a folder, or a bucket of S3), and where a worker
 * put its own, which the workflow's result then names (`trace.destinations.local` and `.remote`). A trace that is made from a history
 * is put into the configured store, so that it outlives the history.
 * S3 is read with OUTPUT_AWS_ACCESS_KEY_ID, OUTPUT_AWS_SECRET_ACCESS_KEY and OUTPUT_AWS_REGION.
 */
import { randomUUID } from "node:crypto";
import { mkdir, readFile, realpath, rename, writeFile } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { S3Client } from "@aws-sdk/client-s3";
import type { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { resultValue } from "../trigger/json-values.js";
import { ProductError } from "../trigger/product-error.js";
import type { Execution } from "../trigger/workflow-calls.js";

export type StoredTrace =
  | { readonly source: "local"; readonly localPath: string; readonly data?: unknown }
  | { readonly source: "remote"; readonly remotePath: string; readonly data?: unknown };

type Sdk = typeof import("@aws-sdk/client-s3");
type Environment = Readonly<Record<string, string | undefined>>;

interface ObjectName {
  readonly bucket: string;
  readonly key: string;
}

const MISSING: ReadonlySet<string> = new Set(["NoSuchKey", "NotFound", "ENOENT"]);

export class TraceStores {
  private readonly folder: string | undefined;
  private readonly prefix: ObjectName | undefined;
  private readonly s3: S3Traces;

  /** `uri`: file:///folder or s3://bucket/prefix. */
  constructor(uri: string | undefined, environment: () => Environment) {
    this.folder = uri?.startsWith("file:") === true ? fileURLToPath(uri) : undefined;
    this.prefix = uri?.startsWith("s3:") === true ? objectName(uri) : undefined;
    this.s3 = new S3Traces(environment);
  }

  /** From the configured store. */
  async read(e: Execution): Promise<StoredTrace | undefined> {
    if (this.folder !== undefined) {
      const localPath = join(this.folder, ...partsOf(e));
      const data = await readJson(localPath);
      return data === undefined ? undefined : { source: "local", localPath, data };
    }
    if (this.prefix === undefined) return undefined;
    const name = this.nameOf(this.prefix, e);
    const data = await this.s3.get(name);
    return data === undefined ? undefined : { source: "remote", remotePath: uriOf(name), data };
  }

  /** Puts it into the configured store, if there is one; answers where it is. */
  async keep(e: Execution, data: object): Promise<StoredTrace | { readonly source: "history" }> {
    if (this.folder !== undefined) {
      const localPath = join(this.folder, ...partsOf(e));
      await mkdir(dirname(localPath), { recursive: true });
      // Whole or not at all, also where two ask at once.
      const unfinished = `${localPath}.${randomUUID()}`;
      await writeFile(unfinished, JSON.stringify(data));
      await rename(unfinished, localPath);
      return { source: "local", localPath };
    }
    if (this.prefix === undefined) return { source: "history" };
    const name = this.nameOf(this.prefix, e);
    await this.s3.put(name, JSON.stringify(data));
    return { source: "remote", remotePath: uriOf(name) };
  }

  /** What the worker has written, if the run's result names it. */
  async named(events: readonly HistoryEvent[]): Promise<StoredTrace | undefined> {
    const end = events.at(-1)?.attributes;
    if (end?.case !== "workflowExecutionCompletedEventAttributes") return undefined;
    const { local, remote } = destinationsOf(resultValue(end.value.result));
    if (remote !== undefined) {
      const name = objectName(remote);
      if (name === undefined) throw new ProductError(424, "TraceNotAvailableError", "The workflow names a remote trace that is not in S3.");
      const data = await this.s3.get(name);
      if (data === undefined) throw new ProductError(404, "TraceNotAvailableError", `There is no trace at ${remote}.`);
      return { source: "remote", remotePath: remote, data };
    }
    if (local === undefined) return undefined;
    // A path that a workflow made up is never read: only what is in the folder of traces.
    const data = (await this.isOurs(local)) ? await readJson(local) : undefined;
    return { source: "local", localPath: local, ...(data === undefined ? {} : { data }) };
  }

  private async isOurs(path: string): Promise<boolean> {
    if (this.folder === undefined) return false;
    try {
      return (await realpath(path)).startsWith((await realpath(this.folder)) + sep);
    } catch {
      return false;
    }
  }

  private nameOf({ bucket, key }: ObjectName, e: Execution): ObjectName {
    return { bucket, key: [key.replace(/\/+$/, ""), ...partsOf(e)].filter((p) => p !== "").join("/") };
  }
}

class S3Traces {
  private opened: ReturnType<S3Traces["open"]> | undefined;

  constructor(private readonly environment: () => Environment) {}

  private async open() {
    const {
      OUTPUT_AWS_ACCESS_KEY_ID: accessKeyId,
      OUTPUT_AWS_SECRET_ACCESS_KEY: secretAccessKey,
      OUTPUT_AWS_REGION: region,
      AWS_ENDPOINT_URL_S3: endpoint,
    } = this.environment();
    if (!accessKeyId || !secretAccessKey || !region) {
      const message = "Remote traces need OUTPUT_AWS_ACCESS_KEY_ID, OUTPUT_AWS_SECRET_ACCESS_KEY and OUTPUT_AWS_REGION.";
      throw new ProductError(424, "TraceNotAvailableError", message);
    }
    const loaded = await import("@aws-sdk/client-s3");
    // Bundled, a CommonJS package is its default export.
    const sdk = (loaded as { default?: Sdk }).default ?? (loaded as Sdk);
    const client: S3Client = new sdk.S3Client({
      region,
      credentials: { accessKeyId, secretAccessKey },
      // Another service than Amazon's has its buckets in the path.
      ...(endpoint ? { endpoint, forcePathStyle: true } : {}),
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      requestHandler: { connectionTimeout: 5_000, requestTimeout: 30_000 },
    });
    return { sdk, client };
  }

  private connection(): ReturnType<S3Traces["open"]> {
    this.opened ??= this.open().catch((e: unknown) => {
      this.opened = undefined;
      throw e;
    });
    return this.opened;
  }

  async get({ bucket, key }: ObjectName): Promise<unknown> {
    const { sdk, client } = await this.connection();
    try {
      const { Body } = await client.send(new sdk.GetObjectCommand({ Bucket: bucket, Key: key }));
      return JSON.parse((await Body?.transformToString()) ?? "null");
    } catch (e) {
      if (MISSING.has((e as Error).name)) return undefined;
      throw unreadable(e);
    }
  }

  async put({ bucket, key }: ObjectName, body: string): Promise<void> {
    const { sdk, client } = await this.connection();
    try {
      await client.send(new sdk.PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentType: "application/json" }));
    } catch (e) {
      throw unreadable(e);
    }
  }
}

const unreadable = (e: unknown): ProductError =>
  new ProductError(424, "TraceNotAvailableError", `The store of traces cannot be used: ${(e as Error).message || (e as Error).name}`);

const partsOf = (e: Execution): string[] => [e.namespace, e.workflowId, `${e.runId}.json`].map(filePart);
/** No part means a folder above, or hides a file. */
const filePart = (text: string): string => encodeURIComponent(text).replace(/^\./, "%2E");
const uriOf = ({ bucket, key }: ObjectName): string => `s3://${bucket}/${key}`;

/** s3://bucket/key, or the address of an object in Amazon's S3. */
function objectName(uri: string): ObjectName | undefined {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(uri) ?? /^https:\/\/([^/]+?)\.s3[a-z0-9.-]*\.amazonaws\.com\/(.+)$/.exec(uri) ?? [];
  return bucket === undefined || key === undefined ? undefined : { bucket, key: uri.startsWith("https:") ? decodeURIComponent(key) : key };
}

function destinationsOf(result: unknown): { local?: string; remote?: string } {
  const found = (result as { trace?: { destinations?: { local?: unknown; remote?: unknown } } } | null)?.trace?.destinations;
  const { local, remote } = found ?? {};
  return { ...(typeof local === "string" && local !== "" ? { local } : {}), ...(typeof remote === "string" && remote !== "" ? { remote } : {}) };
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (e) {
    if (MISSING.has((e as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw unreadable(e);
  }
}
