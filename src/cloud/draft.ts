/**
 * One change: the rows that it writes, and what is known of it for its operation. It goes to the store as one transaction, by itself or
 * with the rows of somebody else (an API key's, a namespace's), and to the tables when that is durable.
 */
import { type CloudExportRecord, CloudOperationRecord, CloudResourceRecord } from "../../gen/wire/perdure/persistence/v1/cloud.js";
import { encode, type Init } from "../api/wire.js";
import type { Batch } from "../persistence/batch.js";
import type { Resource, ResourceTable } from "./resource-table.js";

export const OPERATION_REGISTRY_KIND = "cloud-operation";

interface Write {
  into(batch: Batch): void;
  apply(): void;
}

export interface Extras {
  readonly namespaceIds?: Readonly<Record<string, string>>;
  readonly tags?: Readonly<Record<string, string>>;
  readonly export?: CloudExportRecord;
}

export class Draft {
  private readonly writes: Write[] = [];
  private readonly afterwards: (() => void)[] = [];
  /** The rows have gone with another transaction. */
  isWritten = false;

  constructor(
    readonly operationId: string,
    readonly operation: CloudOperationRecord,
    private readonly now: number,
    private readonly pruned: readonly string[],
    readonly newId: () => string,
  ) {}

  /** Says what the operation made or changed. */
  about(resourceId: string, namespace = ""): void {
    this.operation.resourceId = resourceId;
    this.operation.namespace = namespace;
  }

  put<S>(table: ResourceTable<S>, id: string, spec: Init<S>, extras: Extras = {}): void {
    const old = table.find(id);
    const record = CloudResourceRecord.create({
      createTime: old?.record.createTime ?? this.now,
      updateTime: old === undefined ? 0 : this.now,
      spec: table.specBytes(spec),
      namespaceIds: extras.namespaceIds ?? {},
      tags: extras.tags ?? old?.record.tags ?? {},
      export: extras.export ?? old?.record.export,
    });
    this.write(table, table.resource(id, (old?.version ?? 0) + 1, record), old === undefined);
  }

  delete<S>(table: ResourceTable<S>, { id, version }: Resource<S>): void {
    this.writes.push({
      into: (batch) => batch.writeRegistry(table.kind, id, version, { op: "delete" }),
      apply: () => table.remove(id),
    });
  }

  private write<S>(table: ResourceTable<S>, resource: Resource<S>, isNew: boolean): void {
    const { id, version, record } = resource;
    const value = encode(CloudResourceRecord, record);
    this.writes.push({
      into: (batch) => batch.writeRegistry(table.kind, id, version, { op: isNew ? "insert" : "put", value }),
      apply: () => table.set(resource),
    });
  }

  /** Runs once the change is durable. */
  after(f: () => void): void {
    this.afterwards.push(f);
  }

  /** Adds all rows to a transaction that somebody else commits. */
  into(batch: Batch): void {
    this.isWritten = true;
    for (const w of this.writes) w.into(batch);
    for (const id of this.pruned) batch.writeRegistry(OPERATION_REGISTRY_KIND, id, 1, { op: "delete" });
    const value = encode(CloudOperationRecord, this.operation);
    batch.writeRegistry(OPERATION_REGISTRY_KIND, this.operationId, 1, { op: "insert", value });
  }

  apply(): void {
    for (const w of this.writes) w.apply();
    for (const f of this.afterwards) f();
  }
}
