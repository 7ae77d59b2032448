/**
 * Nexus endpoints of the server: in memory, written through to registry rows. A change is visible once its row is durable; changes
 * apply one after the other; names and ids are unique. Rules and texts are those of the official server
 * (service/frontend/nexus_endpoint_client.go, service/matching/nexus_endpoint_client.go).
 */
import { NexusEndpointRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import type { EndpointSpec } from "../../gen/wire/temporal/api/nexus/v1/message.js";
import { alreadyExists, Code, failedPrecondition, internal, invalidArgument, notFound, ServiceError } from "../api/service-error.js";
import { decode, encode, type Init } from "../api/wire.js";
import type { NamespaceDirectory } from "../core/namespace-view.js";
import type { NexusEndpointDirectory } from "../core/nexus-operation/endpoints.js";
import type { Runtime } from "../lib/runtime.js";
import { isUuid, uuidV4 } from "../lib/uuid.js";
import { Batch } from "../persistence/batch.js";

export const NEXUS_ENDPOINT_REGISTRY_KIND = "nexus-endpoint";
const NAME = /^[a-zA-Z][a-zA-Z0-9-]*[a-zA-Z0-9]$/;
const NAME_TEXT = '"^[a-zA-Z][a-zA-Z0-9\\\\-]*[a-zA-Z0-9]$"';
const PAGE_SIZE_DEFAULT = 100;
const PAGE_SIZE_MAX = 1000;
const RESERVED_QUEUE_PREFIX = "/_sys/";

/** What CloudService says beside the specification; without it an endpoint is open to all callers, or stays as it is. */
export interface EndpointExtras {
  /** Ids of the namespaces that may call it. */
  readonly allowedNamespaceIds?: readonly string[];
  /** Adds rows of the caller's own to the transaction of the change. */
  readonly also?: (batch: Batch, id: string) => void;
}

export interface EndpointLimits {
  readonly nameLengthMax: number;
  readonly urlLengthMax: number;
  readonly descriptionBytesMax: number;
  readonly taskQueueLengthMax: number;
}

export interface NexusEndpointRegistryOptions {
  readonly rows: readonly { kind: string; id: string; value: Uint8Array }[];
  /** Makes the batch durable; rejects with a ServiceError when nothing was written. */
  readonly commit: (batch: Batch) => Promise<void>;
  readonly runtime: Runtime;
  readonly namespaces: () => NamespaceDirectory;
  readonly limits: () => EndpointLimits;
}

export class NexusEndpointRegistry implements NexusEndpointDirectory {
  private readonly records = new Map<string, NexusEndpointRecord>();
  private readonly names = new Map<string, string>();
  private lastChange: Promise<unknown> = Promise.resolve();

  constructor(private readonly o: NexusEndpointRegistryOptions) {
    for (const r of o.rows) if (r.kind === NEXUS_ENDPOINT_REGISTRY_KIND) this.keep(decode(NexusEndpointRecord, r.value));
  }

  private keep(record: NexusEndpointRecord): void {
    const old = this.records.get(record.id);
    if (old !== undefined && old.name !== record.name) this.names.delete(old.name);
    this.records.set(record.id, record);
    this.names.set(record.name, record.id);
  }

  idOf(name: string): string | undefined {
    return this.names.get(name);
  }

  byId(id: string): NexusEndpointRecord | undefined {
    return this.records.get(id);
  }

  byName(name: string): NexusEndpointRecord | undefined {
    const id = this.names.get(name);
    return id === undefined ? undefined : this.records.get(id);
  }

  /** Name of an endpoint that leads to the namespace. */
  targeting(namespaceId: string): string | undefined {
    for (const r of this.records.values()) if (r.namespaceId === namespaceId) return r.name;
    return undefined;
  }

  /** In the order of their ids. */
  all(): NexusEndpointRecord[] {
    return [...this.records.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  get(id: string): NexusEndpointRecord {
    throwIssues(idIssues(id));
    const record = this.records.get(id);
    if (record === undefined) throw notFound(`Nexus endpoint with ID \`${id}\` not found`);
    return record;
  }

  list(request: { pageSize: number; nextPageToken: Uint8Array; name: string }): { records: NexusEndpointRecord[]; next: string } {
    if (request.name !== "") {
      const record = this.byName(request.name);
      return { records: record === undefined ? [] : [record], next: "" };
    }
    if (request.pageSize < 0) throw invalidArgument("page_size is negative");
    if (request.pageSize > PAGE_SIZE_MAX) throw invalidArgument(`page_size exceeds limit of ${PAGE_SIZE_MAX}`);
    const size = request.pageSize === 0 ? PAGE_SIZE_DEFAULT : request.pageSize;
    const all = this.all();
    const token = Buffer.from(request.nextPageToken).toString();
    // The official server's answer to any token that is not its own.
    if (token !== "" && !isUuid(token)) throw internal("error listing Nexus endpoints");
    const rest = token === "" ? all : all.filter((r) => r.id >= token);
    return { records: rest.slice(0, size), next: rest[size]?.id ?? "" };
  }

  create(spec: EndpointSpec | undefined, { allowedNamespaceIds, also }: EndpointExtras = {}): Promise<NexusEndpointRecord> {
    return this.change(async () => {
      const target = this.check(spec);
      const name = spec?.name ?? "";
      if (this.names.has(name)) throw alreadyExists(`error creating Nexus endpoint. Endpoint with name ${name} already registered`);
      const record = NexusEndpointRecord.create({
        id: uuidV4(this.o.runtime.randomBytes16()),
        version: 1,
        name,
        description: spec?.description,
        ...target,
        createdTime: this.o.runtime.nowMicros(),
        isRestricted: allowedNamespaceIds !== undefined,
        allowedNamespaceIds: [...(allowedNamespaceIds ?? [])],
      });
      return this.put(record, "insert", also);
    });
  }

  update(
    id: string,
    version: number,
    spec: EndpointSpec | undefined,
    { allowedNamespaceIds, also }: EndpointExtras = {},
  ): Promise<NexusEndpointRecord> {
    return this.change(async () => {
      const target = this.check(spec);
      const old = this.records.get(id);
      if (old === undefined) throw notFound(`error updating Nexus endpoint. endpoint ID ${id} not found`);
      if (old.version !== version) throw failedPrecondition(`nexus endpoint version mismatch. received: ${version} expected ${old.version}`);
      const name = spec?.name ?? "";
      const holder = this.names.get(name);
      // The official server lets one endpoint take the name of another, which nobody reaches from then on.
      if (holder !== undefined && holder !== id) throw alreadyExists(`error updating Nexus endpoint. Endpoint with name ${name} already registered`);
      const record = NexusEndpointRecord.create({
        id,
        version: old.version + 1,
        name,
        description: spec?.description,
        ...target,
        createdTime: old.createdTime,
        lastModifiedTime: Math.max(this.o.runtime.nowMicros(), old.lastModifiedTime + 1),
        isRestricted: allowedNamespaceIds !== undefined || old.isRestricted,
        allowedNamespaceIds: [...(allowedNamespaceIds ?? old.allowedNamespaceIds)],
      });
      return this.put(record, "put", also);
    });
  }

  /** The version is asked for, but not compared: so it is on the official server. */
  delete(id: string, version: number, also?: EndpointExtras["also"]): Promise<void> {
    return this.change(async () => {
      const issues = idIssues(id);
      if (version <= 0) issues.push("endpoint version is non-positive");
      throwIssues(issues);
      const old = this.records.get(id);
      if (old === undefined) throw notFound(`error deleting nexus endpoint with ID: ${id}`);
      const batch = new Batch();
      batch.writeRegistry(NEXUS_ENDPOINT_REGISTRY_KIND, id, old.version + 1, { op: "delete" });
      also?.(batch, id);
      await this.o.commit(batch);
      this.records.delete(id);
      this.names.delete(old.name);
    });
  }

  private async put(record: NexusEndpointRecord, op: "insert" | "put", also?: EndpointExtras["also"]): Promise<NexusEndpointRecord> {
    const batch = new Batch();
    batch.writeRegistry(NEXUS_ENDPOINT_REGISTRY_KIND, record.id, record.version, { op, value: encode(NexusEndpointRecord, record) });
    also?.(batch, record.id);
    await this.o.commit(batch);
    this.keep(record);
    return record;
  }

  /** All that is wrong with it at once, and the target as the record has it. */
  private check(spec: EndpointSpec | undefined): Pick<Init<NexusEndpointRecord>, "namespaceId" | "taskQueue" | "url"> {
    const limits = this.o.limits();
    const name = spec?.name ?? "";
    const issues: string[] = [];
    if (name === "") issues.push("endpoint name not set");
    else {
      if (Buffer.byteLength(name) > limits.nameLengthMax) issues.push(`endpoint name exceeds length limit of ${limits.nameLengthMax}`);
      if (!NAME.test(name)) issues.push(`endpoint name must match the regex: ${NAME_TEXT}`);
    }
    const variant = spec?.target?.variant;
    if (variant?.case === undefined) throw issuesError([...issues, "empty target variant"]);
    const target = variant.case === "worker" ? this.checkWorker(variant.value, limits, issues) : checkExternal(variant.value.url, limits, issues);
    if ((spec?.description?.length ?? 0) > limits.descriptionBytesMax) issues.push(`description size exceeds limit of ${limits.descriptionBytesMax}`);
    throwIssues(issues);
    return target;
  }

  private checkWorker(
    { namespace, taskQueue }: { namespace: string; taskQueue: string },
    limits: EndpointLimits,
    issues: string[],
  ): { namespaceId: string; taskQueue: string } {
    const view = this.o.namespaces().byName(namespace);
    if (namespace === "") issues.push("target namespace not set");
    else if (view === undefined)
      throw failedPrecondition(`could not verify namespace referenced by target exists: Namespace ${namespace} is not found.`);
    const problem =
      taskQueue === ""
        ? "taskQueue is not set"
        : Buffer.byteLength(taskQueue) > limits.taskQueueLengthMax
          ? "taskQueue length exceeds limit"
          : taskQueue.startsWith(RESERVED_QUEUE_PREFIX)
            ? `task queue name cannot start with reserved prefix ${RESERVED_QUEUE_PREFIX}`
            : undefined;
    if (problem !== undefined) issues.push(`invalid target task queue: ${JSON.stringify(problem)}`);
    return { namespaceId: view?.id ?? "", taskQueue };
  }

  /** Runs changes one after the other: each sees the outcome of the one before. */
  private change<T>(f: () => Promise<T>): Promise<T> {
    const result = this.lastChange.then(f);
    this.lastChange = result.catch(() => undefined);
    return result;
  }
}

function checkExternal(url: string, limits: EndpointLimits, issues: string[]): { url: string } {
  if (url === "") issues.push("empty target URL");
  else if (Buffer.byteLength(url) > limits.urlLengthMax) issues.push(`target URL length exceeds limit of ${limits.urlLengthMax}`);
  else {
    const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(url)?.[1]?.toLowerCase() ?? "";
    const problem = urlProblem(url);
    if (problem !== undefined) issues.push(`invalid target URL: parse ${JSON.stringify(url)}: ${problem}`);
    else if (scheme !== "http" && scheme !== "https") issues.push(`invalid target URL scheme: ${JSON.stringify(scheme)}, expected http or https`);
  }
  return { url };
}

function urlProblem(url: string): string | undefined {
  if (/^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/\[[^\]]*$/.test(url)) return "missing ']' in host";
  if (!/^[a-zA-Z][a-zA-Z0-9+.-]*:/.test(url)) return undefined;
  return URL.canParse(url) ? undefined : "invalid URL";
}

function idIssues(id: string): string[] {
  if (id === "") return ["endpoint ID not set"];
  if (isUuid(id)) return [];
  const text = [36, 45, 38, 32].includes(id.length) ? "invalid UUID format" : `invalid UUID length: ${id.length}`;
  return [`malformed endpoint ID: ${JSON.stringify(text)}`];
}

const issuesError = (issues: readonly string[]): ServiceError => new ServiceError(Code.INVALID_ARGUMENT, issues.join(", "));

function throwIssues(issues: readonly string[]): void {
  if (issues.length > 0) throw issuesError(issues);
}
