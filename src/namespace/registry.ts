/**
 * The namespaces of the server: in memory, written through to the registry rows of the store.
 *
 * Inputs: the rows at start-up, then calls of the frontend and of the start-up flags. Outputs: the directory, an immutable
 * snapshot that is replaced as a whole, and one registry row per change.
 * Invariants:
 * - A change is visible once its row is durable, and not before; changes apply one after the other.
 * - A namespace's key and id never change and are never given out again while its record exists; the id of a custom search
 *   attribute is never given out again at all.
 * - A snapshot that somebody holds stays as it is.
 * Rules and texts are those of the official server (service/frontend/namespace_handler.go, operator_handler.go).
 */
import { NamespaceRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { IndexedValueType } from "../../gen/wire/temporal/api/enums/v1/common.js";
import { ArchivalState, NamespaceState } from "../../gen/wire/temporal/api/enums/v1/namespace.js";
import type { NamespaceConfig } from "../../gen/wire/temporal/api/namespace/v1/message.js";
import type { RegisterNamespaceRequest, UpdateNamespaceRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { alreadyExists, invalidArgument, namespaceAlreadyExists, namespaceNotFound, notFound } from "../api/service-error.js";
import { DURATION_MICROS_MAX, duration, durationMicros, durationProblem, MICROS_PER_SECOND, timestampOf } from "../api/time.js";
import { copyMap, decode, encode, type Init } from "../api/wire.js";
import type { NamespaceView } from "../core/namespace-view.js";
import { assert } from "../lib/assert.js";
import type { Runtime } from "../lib/runtime.js";
import { uuidV4 } from "../lib/uuid.js";
import { Batch } from "../persistence/batch.js";
import { type ArchivalConfig, nextArchivalConfig } from "./archival-state.js";
import type { NamespaceLimits } from "./limits.js";
import { DirectorySnapshot, type NamespaceEntry, namespaceEntry } from "./record.js";
import { addDefinition, fieldName, fieldType, removeDefinition, TYPE_NAMES } from "./search-attribute-definitions.js";

export const REGISTRY_KIND = "namespace";
export const CLUSTER_NAME = "active";
export const DEFAULT_NAMESPACE = "default";
export const SYSTEM_NAMESPACE = "temporal-system";
export const SYSTEM_NAMESPACE_ID = "32049b68-7872-4094-8e63-d0dd59896a83";
const SYSTEM_RETENTION = 7 * 86_400 * MICROS_PER_SECOND;
/** Of namespaces made by start-up flags, as `temporal server start-dev` makes them. */
const FLAG_RETENTION = 86_400 * MICROS_PER_SECOND;
export const PAGE_SIZE_DEFAULT = 100;

export interface NamespaceRegistryOptions {
  readonly rows: readonly { kind: string; id: string; version: number; value: Uint8Array }[];
  /** Makes the batch durable; rejects with a ServiceError when nothing was written. */
  readonly commit: (batch: Batch) => Promise<void>;
  readonly runtime: Runtime;
  readonly limits: (namespace: string) => NamespaceLimits;
  /** Names that no custom attribute may have. */
  readonly isReservedAttribute: (name: string) => boolean;
  /** Undefined: nothing can be archived. */
  readonly archival?: () => ArchivalRules;
}

interface ClusterArchival {
  readonly isConfigured: boolean;
  /** temporal.api.enums.v1.ArchivalState of a namespace that names none. */
  readonly defaultState: number;
  readonly defaultUri: string;
}

export interface ArchivalRules {
  readonly history: ClusterArchival;
  readonly visibility: ClusterArchival;
  /** @throws ServiceError when nothing can be archived there. */
  validate(uri: string): Promise<void>;
}

/** Adds rows of the caller's own to the transaction of a change. */
export type Also = (batch: Batch, id: string) => void;

/** What CloudService says of a namespace at once; what is left out stays. */
export interface NamespaceSettings {
  /** Microseconds. */
  readonly retention: number;
  /** Name to temporal.api.enums.v1.IndexedValueType: those that are not there yet are added. */
  readonly attributes: Readonly<Record<string, number>>;
}

export class NamespaceRegistry {
  private current: DirectorySnapshot;
  private nextKey: number;
  private lastChange: Promise<unknown> = Promise.resolve();
  private readonly listeners = new Set<(directory: DirectorySnapshot) => void>();

  constructor(private readonly options: NamespaceRegistryOptions) {
    const entries = options.rows.filter((r) => r.kind === REGISTRY_KIND).map((r) => namespaceEntry(decode(NamespaceRecord, r.value), r.version));
    this.current = new DirectorySnapshot(entries);
    this.nextKey = entries.reduce((max, e) => Math.max(max, e.view.key), 0) + 1;
  }

  /** Every namespace at one version; to be held for the length of one input. */
  get directory(): DirectorySnapshot {
    return this.current;
  }

  /** Calls `f` after each change; the result ends it. */
  onChange(f: (directory: DirectorySnapshot) => void): () => void {
    this.listeners.add(f);
    return () => this.listeners.delete(f);
  }

  /** @throws NamespaceNotFound */
  view(name: string): NamespaceView {
    return this.entry(name).view;
  }

  /** @throws NamespaceNotFound */
  viewById(id: string): NamespaceView {
    const view = this.current.byId(id);
    if (view === undefined) throw namespaceNotFound(id);
    return view;
  }

  /** @throws NamespaceNotFound */
  entry(name: string): NamespaceEntry {
    if (name === "") throw invalidArgument("Namespace is empty.");
    const entry = this.current.entryByName(name);
    if (entry === undefined) throw namespaceNotFound(name);
    return entry;
  }

  /** A page of namespaces in id order; `after` is the last id of the page before. `isShown`: by name; all without it. */
  list(pageSize: number, after: string, includeDeleted: boolean, isShown?: (name: string) => boolean): { entries: NamespaceEntry[]; next: string } {
    const size = pageSize > 0 ? pageSize : PAGE_SIZE_DEFAULT;
    const isListed = ({ id, name, state }: NamespaceView): boolean =>
      id > after && (includeDeleted || state !== NamespaceState.DELETED) && (isShown === undefined || isShown(name));
    const all = this.current.entries().filter((e) => isListed(e.view));
    const entries = all.slice(0, size);
    return { entries, next: all.length > size ? (entries.at(-1)?.view.id ?? "") : "" };
  }

  register(request: Init<RegisterNamespaceRequest>): Promise<NamespaceEntry> {
    return this.change(async () => {
      const name = request.namespace ?? "";
      if (request.isGlobalNamespace === true) throw invalidArgument("Cannot register global namespace when not enabled");
      const retention = this.checkRetention(request.workflowExecutionRetentionPeriod);
      if (this.current.byName(name) !== undefined) throw namespaceAlreadyExists(`Namespace "${name}" already exists`);
      const active = request.activeClusterName || CLUSTER_NAME;
      const clusters = (request.clusters ?? []).map((c) => c.clusterName ?? "");
      checkClusters(active, clusters.length > 0 ? clusters : [active]);
      const never: ArchivalConfig = { state: ArchivalState.DISABLED, uri: "" };
      const archival = await this.nextArchival({ history: never, visibility: never }, request, true);
      return this.insert({
        name,
        id: uuidV4(this.options.runtime.randomBytes16()),
        retention,
        archival,
        description: request.description ?? "",
        ownerEmail: request.ownerEmail ?? "",
        data: copyMap(request.data ?? {}),
      });
    });
  }

  update(request: Init<UpdateNamespaceRequest>): Promise<NamespaceEntry> {
    return this.change(async () => {
      const old = this.entry(request.namespace ?? "");
      const record = NamespaceRecord.create(old.record);
      const { info, config } = record;
      assert(info !== undefined && config !== undefined, "a namespace record has info and config");
      const archival = request.config === undefined ? undefined : await this.nextArchival(archivalOf(config), request.config, false);
      const next = request.updateInfo;
      if (next !== undefined) {
        if (next.description) info.description = next.description;
        if (next.ownerEmail) info.ownerEmail = next.ownerEmail;
        info.data = { ...info.data, ...copyMap(next.data ?? {}) };
        if (next.state !== undefined && next.state !== NamespaceState.UNSPECIFIED && next.state !== info.state) {
          checkStateChange(info.state, next.state);
          info.state = next.state;
        }
      }
      const wanted = request.config;
      if (wanted?.workflowExecutionRetentionTtl !== undefined)
        config.workflowExecutionRetentionTtl = duration(this.checkRetention(wanted.workflowExecutionRetentionTtl));
      if (archival !== undefined) setArchival(config, archival);
      const binaries = { ...config.badBinaries?.binaries };
      if (wanted?.badBinaries !== undefined) {
        const createTime = timestampOf(this.options.runtime.nowMicros());
        for (const [checksum, b] of Object.entries(wanted.badBinaries.binaries ?? {}))
          binaries[checksum] = { reason: b?.reason ?? "", operator: b?.operator ?? "", createTime };
        const max = this.options.limits(record.info?.name ?? "").badBinariesMax;
        if (Object.keys(binaries).length > max) throw invalidArgument(`Total resetBinaries cannot exceed the max limit: ${max}`);
      }
      this.updateAliases(record, wanted?.customSearchAttributeAliases ?? {});
      const deleted = request.deleteBadBinary ?? "";
      if (deleted !== "") {
        if (!Object.hasOwn(binaries, deleted)) throw invalidArgument(`Bad binary checksum ${deleted} doesn't exists.`);
        delete binaries[deleted];
      }
      config.badBinaries = { binaries };
      const replication = request.replicationConfig;
      const clusters = (replication?.clusters ?? []).map((c) => c.clusterName ?? "");
      checkClusters(replication?.activeClusterName || CLUSTER_NAME, clusters.length > 0 ? clusters : [CLUSTER_NAME]);
      if (request.promoteNamespace === true)
        throw invalidArgument(
          `global namespace is not enabled on this cluster, cannot update global namespace or promote local namespace: ${info.name}`,
        );
      return this.put(record, old.version + 1);
    });
  }

  /** Replaces the record by what `f` makes of it; a ServiceError that it throws changes nothing. */
  edit(name: string, f: (record: NamespaceRecord) => NamespaceRecord): Promise<NamespaceEntry> {
    return this.change(async () => {
      const old = this.entry(name);
      return this.put(f(NamespaceRecord.create(old.record)), old.version + 1);
    });
  }

  /** A new namespace with its settings. */
  create(name: string, settings: NamespaceSettings, also: Also): Promise<NamespaceEntry> {
    return this.change(async () => {
      if (this.current.byName(name) !== undefined) throw namespaceAlreadyExists(`Namespace "${name}" already exists`);
      const retention = this.checkRetention(duration(settings.retention));
      const id = uuidV4(this.options.runtime.randomBytes16());
      return this.insert({ name, id, retention, description: "", ownerEmail: "", data: {}, attributes: settings.attributes }, also);
    });
  }

  configure(name: string, settings: NamespaceSettings, also: Also): Promise<NamespaceEntry> {
    return this.change(async () => {
      const old = this.entry(name);
      const record = NamespaceRecord.create(old.record);
      assert(record.config !== undefined, "a namespace record has config");
      record.config.workflowExecutionRetentionTtl = duration(this.checkRetention(duration(settings.retention)));
      for (const [attribute, type] of Object.entries(settings.attributes)) this.define(record, attribute, type);
      return this.put(record, old.version + 1, also);
    });
  }

  /** Values stay where they are: they are kept by the attribute's id. */
  renameSearchAttribute(namespace: string, from: string, to: string, also: Also): Promise<NamespaceEntry> {
    return this.change(async () => {
      const old = this.entry(namespace);
      if (!old.view.searchAttributes.has(from)) throw notFound(`Search attribute ${from} is not found.`);
      if (to === "" || this.options.isReservedAttribute(to)) throw invalidArgument(`Search attribute ${to} is reserved by system.`);
      if (old.view.searchAttributes.has(to)) throw alreadyExists(`Search attribute ${to} already exists.`);
      const record = NamespaceRecord.create(old.record);
      record.searchAttributes = record.searchAttributes.map((a) => (a.name === from ? { ...a, name: to } : a));
      return this.put(record, old.version + 1, also);
    });
  }

  deprecate(name: string): Promise<NamespaceEntry> {
    return this.change(async () => {
      const old = this.entry(name);
      const record = NamespaceRecord.create(old.record);
      if (record.info !== undefined) record.info.state = NamespaceState.DEPRECATED;
      return this.put(record, old.version + 1);
    });
  }

  /**
   * Gives the namespace up: it is DELETED, has a name that nobody uses, and remembers until all is done that it is to be emptied.
   * A namespace that is given up already gets the new delay.
   */
  giveUp(id: string, delayMicros: number, also?: Also): Promise<NamespaceEntry> {
    return this.change(async () => {
      const old = this.byId(id);
      const record = NamespaceRecord.create(old.record);
      assert(record.info !== undefined, "a namespace record has info");
      record.info.state = NamespaceState.DELETED;
      record.info.name = this.nameOfDeleted(old.view);
      record.reclaim = { delay: delayMicros, deleteAt: 0 };
      return this.put(record, old.version + 1, also);
    });
  }

  /** Nothing but the record is left of the namespace: it goes at `deleteAt` (microseconds). */
  emptied(id: string, deleteAt: number): Promise<NamespaceEntry> {
    return this.change(async () => {
      const old = this.byId(id);
      const record = NamespaceRecord.create(old.record);
      record.reclaim = { delay: record.reclaim?.delay ?? 0, deleteAt };
      return this.put(record, old.version + 1);
    });
  }

  /** The last of a namespace. Its key is free again only in a process that starts later, when no row can know it. */
  remove(id: string): Promise<void> {
    return this.change(async () => {
      const entry = this.current.entryById(id);
      if (entry === undefined) return;
      const batch = new Batch();
      batch.writeRegistry(REGISTRY_KIND, id, entry.version, { op: "delete" });
      await this.options.commit(batch);
      this.current = this.current.without(id);
      for (const f of [...this.listeners]) f(this.current);
    });
  }

  private byId(id: string): NamespaceEntry {
    const entry = this.current.entryById(id);
    if (entry === undefined) throw namespaceNotFound(id);
    return entry;
  }

  /** As short a part of the id as tells it from others. */
  private nameOfDeleted({ id, name }: NamespaceView): string {
    for (let length = 5; length < id.length; length++) {
      const suffix = `-deleted-${id.slice(0, length)}`;
      if (name.endsWith(suffix)) return name;
      if (this.current.byName(`${name}${suffix}`) === undefined) return `${name}${suffix}`;
    }
    return `${name}-deleted-${id}`;
  }

  /** Adds what is missing; an attribute that exists stays as it is, whatever its type. */
  addSearchAttributes(namespace: string, attributes: Readonly<Record<string, number>>): Promise<NamespaceEntry> {
    return this.change(async () => {
      const old = this.entry(namespace);
      const record = NamespaceRecord.create(old.record);
      const before = record.searchAttributes;
      for (const [name, type] of Object.entries(attributes)) this.define(record, name, type);
      return record.searchAttributes === before ? old : this.put(record, old.version + 1);
    });
  }

  /** Names that are not defined are passed over. */
  removeSearchAttributes(namespace: string, names: readonly string[]): Promise<NamespaceEntry> {
    return this.change(async () => {
      const old = this.entry(namespace);
      const known = names.filter((n) => old.view.searchAttributes.has(n));
      if (known.length === 0) return old;
      const record = NamespaceRecord.create(old.record);
      for (const name of known) record.searchAttributes = removeDefinition(record.searchAttributes, name);
      return this.put(record, old.version + 1);
    });
  }

  /**
   * What the server needs before it listens: the system namespace, and those that the flags name with the attributes that they
   * name. Safe to repeat: what exists stays as it is.
   */
  async ensure(namespaces: readonly string[], attributes: Readonly<Record<string, number>> = {}): Promise<void> {
    await this.change(async () => {
      if (this.current.byId(SYSTEM_NAMESPACE_ID) === undefined)
        await this.insert({
          name: SYSTEM_NAMESPACE,
          id: SYSTEM_NAMESPACE_ID,
          retention: SYSTEM_RETENTION,
          description: "Temporal internal system namespace",
          ownerEmail: "temporal-core@temporal.io",
          data: {},
        });
    });
    for (const name of namespaces) {
      await this.change(async () => {
        if (this.current.byName(name) === undefined)
          await this.insert({
            name,
            id: uuidV4(this.options.runtime.randomBytes16()),
            retention: FLAG_RETENTION,
            description: "",
            ownerEmail: "",
            data: {},
          });
      });
      if (Object.keys(attributes).length > 0) await this.addSearchAttributes(name, attributes);
    }
  }

  private define(record: NamespaceRecord, name: string, type: number): void {
    if (record.searchAttributes.some((a) => a.name === name && a.id > 0 && name !== "")) return;
    if (name === "" || this.options.isReservedAttribute(name)) throw invalidArgument(`Search attribute ${name} is reserved by system.`);
    if (!TYPE_NAMES.has(type)) throw invalidArgument(`Unknown search attribute type: ${type}.`);
    const { searchAttributesPerTypeMax, searchAttributesPerTypeSetting } = this.options.limits(record.info?.name ?? "");
    const max = type === IndexedValueType.UNSPECIFIED ? 0 : searchAttributesPerTypeMax;
    if (record.searchAttributes.filter((a) => a.type === type && a.name !== "").length >= max)
      throw invalidArgument(
        `Unable to create search attributes: cannot have more than ${max} search attribute of type ${TYPE_NAMES.get(type)}.` +
          (max === 0 ? "" : ` The limit is set by ${searchAttributesPerTypeSetting}.`),
      );
    record.searchAttributes = addDefinition(record.searchAttributes, name, type);
  }

  /** UpdateNamespace's way to change attributes: field to name, an empty name to remove. */
  private updateAliases(record: NamespaceRecord, aliases: Readonly<Record<string, string | undefined>>): void {
    for (const [field, name] of Object.entries(aliases)) {
      const holder = record.searchAttributes.find((a) => a.name !== "" && fieldName(a) === field);
      if (name === undefined || name === "") {
        if (holder !== undefined) record.searchAttributes = removeDefinition(record.searchAttributes, holder.name);
      } else if (!record.searchAttributes.some((a) => a.name === name)) {
        if (holder !== undefined) throw invalidArgument("Custom search attribute field name already allocated.");
        this.define(record, name, fieldType(field) ?? IndexedValueType.UNSPECIFIED);
      }
    }
  }

  /** State and URI that a request asks for; those of before where the server is not set up to archive. */
  private async nextArchival(current: Archival, wanted: ArchivalRequest, isNew: boolean): Promise<Archival> {
    const rules = this.options.archival?.();
    if (rules === undefined) return current;
    const next = (of: ArchivalConfig, cluster: ClusterArchival, state: ArchivalState, uri: string): Promise<ArchivalConfig> | ArchivalConfig => {
      if (!cluster.isConfigured) return of;
      const asked = isNew && state === ArchivalState.UNSPECIFIED ? cluster.defaultState : state;
      return nextArchivalConfig(of, { state: asked, uri }, cluster.defaultUri, (u) => rules.validate(u));
    };
    const history = await next(current.history, rules.history, wanted.historyArchivalState ?? 0, wanted.historyArchivalUri ?? "");
    const visibility = await next(current.visibility, rules.visibility, wanted.visibilityArchivalState ?? 0, wanted.visibilityArchivalUri ?? "");
    return { history, visibility };
  }

  private checkRetention(retention: { seconds?: number; nanos?: number } | undefined): number {
    const micros = durationMicros(retention);
    if (durationProblem(retention) !== undefined || micros < this.options.limits("").retentionMin)
      throw invalidArgument("A valid retention period is not set on request.");
    return Math.min(micros, DURATION_MICROS_MAX);
  }

  private insert(n: NewNamespace, also?: Also): Promise<NamespaceEntry> {
    const record = NamespaceRecord.create({
      info: { id: n.id, name: n.name, state: NamespaceState.REGISTERED, description: n.description, ownerEmail: n.ownerEmail, data: n.data },
      config: {
        workflowExecutionRetentionTtl: duration(n.retention),
        historyArchivalState: n.archival?.history.state ?? ArchivalState.DISABLED,
        historyArchivalUri: n.archival?.history.uri ?? "",
        visibilityArchivalState: n.archival?.visibility.state ?? ArchivalState.DISABLED,
        visibilityArchivalUri: n.archival?.visibility.uri ?? "",
        badBinaries: {},
      },
      createTime: this.options.runtime.nowMicros(),
      activeClusterName: CLUSTER_NAME,
      clusters: [CLUSTER_NAME],
      key: this.nextKey,
    });
    for (const [attribute, type] of Object.entries(n.attributes ?? {})) this.define(record, attribute, type);
    this.nextKey++;
    return this.put(record, 1, also);
  }

  private async put(record: NamespaceRecord, version: number, also?: Also): Promise<NamespaceEntry> {
    const entry = namespaceEntry(record, version);
    const batch = new Batch();
    batch.writeRegistry(REGISTRY_KIND, entry.view.id, version, { op: version === 1 ? "insert" : "put", value: encode(NamespaceRecord, record) });
    also?.(batch, entry.view.id);
    await this.options.commit(batch);
    this.current = this.current.with(entry);
    for (const f of [...this.listeners]) f(this.current);
    return entry;
  }

  /** Runs changes one after the other: each sees the outcome of the one before. */
  private change<T>(f: () => Promise<T>): Promise<T> {
    const result = this.lastChange.then(f);
    this.lastChange = result.catch(() => undefined);
    return result;
  }
}

interface NewNamespace {
  name: string;
  id: string;
  /** Microseconds. */
  retention: number;
  archival?: Archival;
  description: string;
  ownerEmail: string;
  data: Record<string, string>;
  attributes?: Readonly<Record<string, number>>;
}

interface Archival {
  readonly history: ArchivalConfig;
  readonly visibility: ArchivalConfig;
}

interface ArchivalRequest {
  historyArchivalState?: ArchivalState;
  historyArchivalUri?: string;
  visibilityArchivalState?: ArchivalState;
  visibilityArchivalUri?: string;
}

function archivalOf(c: NamespaceConfig): Archival {
  return {
    history: { state: c.historyArchivalState, uri: c.historyArchivalUri },
    visibility: { state: c.visibilityArchivalState, uri: c.visibilityArchivalUri },
  };
}

function setArchival(c: NamespaceConfig, { history, visibility }: Archival): void {
  c.historyArchivalState = history.state;
  c.historyArchivalUri = history.uri;
  c.visibilityArchivalState = visibility.state;
  c.visibilityArchivalUri = visibility.uri;
}

function checkStateChange(from: NamespaceState, to: NamespaceState): void {
  const fine =
    (from === NamespaceState.REGISTERED && (to === NamespaceState.DEPRECATED || to === NamespaceState.DELETED)) ||
    (from === NamespaceState.DEPRECATED && to === NamespaceState.DELETED);
  if (!fine) throw invalidArgument("Invalid namespace state update.");
}

function checkClusters(active: string, clusters: readonly string[]): void {
  for (const name of [active, ...clusters]) if (name !== CLUSTER_NAME) throw invalidArgument(`Invalid cluster name: ${name}`);
  if (clusters.length !== 1) throw invalidArgument("Invalid local namespace clusters");
}
