/** The resources of one kind: in memory, from their rows of the registry. The row's version is the resource's. */
import { CloudResourceRecord } from "../../gen/wire/perdure/persistence/v1/cloud.js";
import { failedPrecondition, invalidArgument, notFound } from "../api/service-error.js";
import { decode, encode, type Init, type MessageType } from "../api/wire.js";

export interface Resource<S> {
  readonly id: string;
  readonly version: number;
  readonly record: CloudResourceRecord;
  readonly spec: S;
}

export interface RegistryRow {
  readonly kind: string;
  readonly id: string;
  readonly version: number;
  readonly value: Uint8Array;
}

export class ResourceTable<S> {
  private readonly entries = new Map<string, Resource<S>>();

  constructor(
    /** Of the registry's rows. */
    readonly kind: string,
    /** What texts call one. */
    readonly noun: string,
    private readonly type: MessageType<S>,
  ) {}

  load(rows: Iterable<RegistryRow>): void {
    for (const { kind, id, version, value } of rows) if (kind === this.kind) this.set(this.resource(id, version, decode(CloudResourceRecord, value)));
  }

  resource(id: string, version: number, record: CloudResourceRecord): Resource<S> {
    return { id, version, record, spec: decode(this.type, record.spec) };
  }

  specBytes(spec: Init<S>): Uint8Array {
    return encode(this.type, spec);
  }

  /** In the order of their ids. */
  all(): Resource<S>[] {
    return [...this.entries.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  find(id: string): Resource<S> | undefined {
    return this.entries.get(id);
  }

  /** @throws INVALID_ARGUMENT, NOT_FOUND */
  get(id: string): Resource<S> {
    if (id === "") throw invalidArgument(`${this.noun} is not set on request.`);
    const found = this.entries.get(id);
    if (found === undefined) throw notFound(`${this.noun} ${id} is not found.`);
    return found;
  }

  /** The one that a change is meant for. @throws ServiceError when it has changed since the caller read it. */
  at(id: string, resourceVersion: string): Resource<S> {
    const found = this.get(id);
    checkVersion(`${this.noun} ${id}`, String(found.version), resourceVersion);
    return found;
  }

  set(resource: Resource<S>): void {
    this.entries.set(resource.id, resource);
  }

  remove(id: string): void {
    this.entries.delete(id);
  }
}

/** @throws ServiceError when `given` is not the version. */
export function checkVersion(what: string, version: string, given: string): void {
  if (given === "") throw invalidArgument("resource_version is not set on request.");
  if (given !== version) throw failedPrecondition(`resource version mismatch of ${what}: received ${given}, current ${version}`);
}
