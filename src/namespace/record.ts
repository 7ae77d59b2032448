/** What the rest of the server sees of a stored namespace: frozen views and the directory of all of them at one version. */
import type { NamespaceRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { ArchivalState } from "../../gen/wire/temporal/api/enums/v1/namespace.js";
import { durationMicros } from "../api/time.js";
import type { NamespaceDirectory, NamespaceView, SearchAttributeType } from "../core/namespace-view.js";

/** A namespace at one version. Immutable: a change makes another entry. */
export interface NamespaceEntry {
  readonly record: NamespaceRecord;
  readonly view: NamespaceView;
  /** Version of its registry row. */
  readonly version: number;
}

export function namespaceEntry(record: NamespaceRecord, version: number): NamespaceEntry {
  const searchAttributes = new Map<string, SearchAttributeType>();
  for (const a of record.searchAttributes) if (a.name !== "") searchAttributes.set(a.name, { id: a.id, type: a.type });
  const view: NamespaceView = Object.freeze({
    id: record.info?.id ?? "",
    name: record.info?.name ?? "",
    key: record.key,
    retention: durationMicros(record.config?.workflowExecutionRetentionTtl),
    state: record.info?.state ?? 0,
    isArchiving: record.config?.historyArchivalState === ArchivalState.ENABLED || record.config?.visibilityArchivalState === ArchivalState.ENABLED,
    searchAttributes,
    workflowRules: record.workflowRules.length === 0 ? undefined : record.workflowRules,
  });
  return Object.freeze({ record, view, version });
}

export class DirectorySnapshot implements NamespaceDirectory {
  private readonly names = new Map<string, NamespaceEntry>();
  private readonly ids = new Map<string, NamespaceEntry>();

  constructor(entries: Iterable<NamespaceEntry>) {
    for (const e of entries) {
      this.names.set(e.view.name, e);
      this.ids.set(e.view.id, e);
    }
  }

  byName(name: string): NamespaceView | undefined {
    return this.names.get(name)?.view;
  }

  byId(id: string): NamespaceView | undefined {
    return this.ids.get(id)?.view;
  }

  entryByName(name: string): NamespaceEntry | undefined {
    return this.names.get(name);
  }

  entryById(id: string): NamespaceEntry | undefined {
    return this.ids.get(id);
  }

  /** In id order. */
  entries(): NamespaceEntry[] {
    return [...this.ids.values()].sort((a, b) => (a.view.id < b.view.id ? -1 : 1));
  }

  with(entry: NamespaceEntry): DirectorySnapshot {
    return new DirectorySnapshot([...this.othersThan(entry.view.id), entry]);
  }

  without(id: string): DirectorySnapshot {
    return new DirectorySnapshot(this.othersThan(id));
  }

  private othersThan(id: string): NamespaceEntry[] {
    return [...this.ids.values()].filter((e) => e.view.id !== id);
  }
}
