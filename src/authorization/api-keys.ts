/**
 * API keys: in memory, written through to registry rows of kind "api-key". A key is shown once, when it is made; kept is the SHA-256
 * of it (it has 256 random bits: there is nothing to guess, so no slow hash). A change counts once its row is durable, and from then
 * on at once: calls that still wait under a key that has ended are ended too.
 *
 * A key stands for itself, or for an owner (a user, a service account) whose access it then has: `owners` says what that is.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { ApiKeyRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import type { Access, Identity, PrincipalKind } from "../api/identity.js";
import { invalidArgument, notFound } from "../api/service-error.js";
import { decode, encode } from "../api/wire.js";
import type { Runtime } from "../lib/runtime.js";
import { Batch } from "../persistence/batch.js";
import { AccessBuilder, isRole, roleSet } from "./permissions.js";

export const API_KEY_REGISTRY_KIND = "api-key";
const PREFIX = "pdk_";
const ID_LENGTH = 16;
const TOKEN = new RegExp(`^${PREFIX}[0-9a-f]{${ID_LENGTH}}_[A-Za-z0-9_-]{43}$`);
const NAME_LENGTH_MAX = 200;
const NO_HASH = Buffer.alloc(32);

/** What an owner may do now; undefined: there is no such owner any more. */
export interface OwnerDirectory {
  ownerAccess(kind: "user" | "service-account", id: string): Access | undefined;
}

export interface ApiKey {
  readonly id: string;
  readonly record: ApiKeyRecord;
  readonly version: number;
}

/** Adds rows of the caller's own to the transaction of a change. */
export type Also = (batch: Batch, id: string) => void;

export interface ApiKeyChanges {
  readonly name: string;
  readonly description: string;
  readonly disabled: boolean;
  /** Microseconds since the epoch; 0 for never. */
  readonly expireTime: number;
}

interface Entry extends ApiKey {
  readonly hash: Uint8Array;
  /** Of a key that stands for itself. */
  readonly identity: Identity | undefined;
}

interface ApiKeysOptions {
  readonly rows: Iterable<{ kind: string; id: string; version: number; value: Uint8Array }>;
  /** Makes the batch durable; rejects with a ServiceError when nothing was written. */
  readonly commit: (batch: Batch) => Promise<void>;
  readonly runtime: Pick<Runtime, "nowMicros" | "randomBytes16">;
  readonly owners?: () => OwnerDirectory;
}

export interface NewApiKey {
  readonly name: string;
  readonly description?: string;
  readonly owner?: { readonly kind: "user" | "service-account"; readonly id: string };
  readonly systemRole?: string;
  readonly namespaceRoles?: Readonly<Record<string, string>>;
  /** Microseconds since the epoch; 0 for never. */
  readonly expireTime: number;
  readonly disabled?: boolean;
}

export const isApiKey = (token: string): boolean => token.startsWith(PREFIX);

export class ApiKeys {
  private readonly entries = new Map<string, Entry>();
  private readonly listeners = new Map<string, Set<() => void>>();
  private readonly ownerListeners = new Set<() => void>();
  private lastChange: Promise<unknown> = Promise.resolve();

  constructor(private readonly o: ApiKeysOptions) {
    for (const { kind, id, version, value } of o.rows)
      if (kind === API_KEY_REGISTRY_KIND) this.entries.set(id, entryOf(id, decode(ApiKeyRecord, value), version));
  }

  /** Oldest first. */
  list(): ApiKey[] {
    return [...this.entries.values()].sort((a, b) => a.record.createTime - b.record.createTime || (a.id < b.id ? -1 : 1));
  }

  find(id: string): ApiKey | undefined {
    return this.entries.get(id);
  }

  /** Who the token proves; undefined when it proves nobody, for whatever reason. */
  verify(token: string): Identity | undefined {
    if (!TOKEN.test(token)) return undefined;
    const entry = this.entries.get(token.slice(PREFIX.length, PREFIX.length + ID_LENGTH));
    // The same work for a key that is not there.
    const isSame = timingSafeEqual(hashOf(token), entry?.hash ?? NO_HASH);
    return entry !== undefined && isSame ? this.identityOf(entry) : undefined;
  }

  /** Who the key stands for now; undefined once it is no proof any more. */
  current(id: string): Identity | undefined {
    const entry = this.entries.get(id);
    return entry === undefined ? undefined : this.identityOf(entry);
  }

  private identityOf(entry: Entry): Identity | undefined {
    return this.isUsable(entry.record) ? (entry.identity ?? this.ownerIdentity(entry)) : undefined;
  }

  private isUsable({ disabled, expireTime }: ApiKeyRecord): boolean {
    return !disabled && (expireTime === 0 || expireTime > this.o.runtime.nowMicros());
  }

  private ownerIdentity({ id, record }: Entry): Identity | undefined {
    const { kind, id: ownerId } = record.owner ?? { kind: "", id: "" };
    if (kind !== "user" && kind !== "service-account") return undefined;
    const access = this.o.owners?.().ownerAccess(kind, ownerId);
    return access === undefined ? undefined : identityOf(kind, ownerId, id, record, access);
  }

  /** Calls `f` whenever the key has changed or what its owner may do has: it may prove less now, or nothing. The result ends it. */
  onChange(id: string, f: () => void): () => void {
    let listeners = this.listeners.get(id);
    if (listeners === undefined) this.listeners.set(id, (listeners = new Set()));
    listeners.add(f);
    return () => {
      listeners.delete(f);
      if (listeners.size === 0) this.listeners.delete(id);
    };
  }

  /** Calls `f` whenever what owners may do has changed. The result ends it. */
  onOwnersChange(f: () => void): () => void {
    this.ownerListeners.add(f);
    return () => this.ownerListeners.delete(f);
  }

  /** What owners may do has changed. */
  ownersChanged(): void {
    for (const f of [...this.ownerListeners]) f();
    for (const id of [...this.listeners.keys()]) if (this.entries.get(id)?.record.owner !== undefined) this.changed(id);
  }

  /** @returns the key, and the token that is not kept. */
  create(wanted: NewApiKey, also?: Also): Promise<{ key: ApiKey; token: string }> {
    return this.change(async () => {
      const now = this.o.runtime.nowMicros();
      checkNew(wanted, now);
      const id = Buffer.from(this.o.runtime.randomBytes16()).toString("hex").slice(0, ID_LENGTH);
      const secret = Buffer.concat([this.o.runtime.randomBytes16(), this.o.runtime.randomBytes16()]).toString("base64url");
      const token = `${PREFIX}${id}_${secret}`;
      const record = ApiKeyRecord.create({
        tokenHash: hashOf(token),
        name: wanted.name,
        description: wanted.description ?? "",
        owner: wanted.owner,
        access: { systemRole: wanted.systemRole ?? "", namespaceRoles: { ...wanted.namespaceRoles } },
        createTime: now,
        updateTime: now,
        expireTime: wanted.expireTime,
        disabled: wanted.disabled ?? false,
      });
      return { key: await this.put(id, record, 1, also), token };
    });
  }

  /** @throws NOT_FOUND */
  setDisabled(id: string, disabled: boolean): Promise<ApiKey> {
    return this.change(async () => {
      const old = this.entry(id);
      if (old.record.disabled === disabled) return old;
      const record = ApiKeyRecord.create({ ...old.record, disabled, updateTime: this.o.runtime.nowMicros() });
      const key = await this.put(id, record, old.version + 1);
      return key;
    });
  }

  /** @throws NOT_FOUND */
  update(id: string, changes: ApiKeyChanges, also?: Also): Promise<ApiKey> {
    return this.change(async () => {
      const old = this.entry(id);
      const now = this.o.runtime.nowMicros();
      checkName(changes.name);
      // What has ended stays as it was.
      if (changes.expireTime !== old.record.expireTime) checkExpiry(changes.expireTime, now);
      const record = ApiKeyRecord.create({ ...old.record, ...changes, updateTime: now });
      return this.put(id, record, old.version + 1, also);
    });
  }

  /** @throws NOT_FOUND */
  delete(id: string, also?: Also): Promise<void> {
    return this.change(async () => {
      this.entry(id);
      await this.remove([id], (batch) => also?.(batch, id));
    });
  }

  /** All keys of an owner, who goes in the same transaction. */
  deleteOwned(kind: "user" | "service-account", ownerId: string, also: (batch: Batch) => void): Promise<void> {
    return this.change(async () => {
      const owned = [...this.entries.values()].filter(({ record: { owner } }) => owner?.kind === kind && owner.id === ownerId);
      await this.remove(
        owned.map((e) => e.id),
        also,
      );
    });
  }

  private async remove(ids: readonly string[], also: (batch: Batch) => void): Promise<void> {
    const batch = new Batch();
    for (const id of ids) batch.writeRegistry(API_KEY_REGISTRY_KIND, id, this.entry(id).version, { op: "delete" });
    also(batch);
    await this.o.commit(batch);
    for (const id of ids) {
      this.entries.delete(id);
      this.changed(id);
    }
  }

  private entry(id: string): Entry {
    const entry = this.entries.get(id);
    if (entry === undefined) throw notFound(`API key ${id} is not found.`);
    return entry;
  }

  private async put(id: string, record: ApiKeyRecord, version: number, also?: Also): Promise<Entry> {
    const batch = new Batch();
    batch.writeRegistry(API_KEY_REGISTRY_KIND, id, version, { op: version === 1 ? "insert" : "put", value: encode(ApiKeyRecord, record) });
    also?.(batch, id);
    await this.o.commit(batch);
    const entry = entryOf(id, record, version);
    this.entries.set(id, entry);
    if (version > 1) this.changed(id);
    return entry;
  }

  private changed(id: string): void {
    for (const f of [...(this.listeners.get(id) ?? [])]) f();
  }

  /** Runs changes one after the other. */
  private change<T>(f: () => Promise<T>): Promise<T> {
    const result = this.lastChange.then(f);
    this.lastChange = result.catch(() => undefined);
    return result;
  }
}

const hashOf = (token: string): Buffer => createHash("sha256").update(token).digest();

function entryOf(id: string, record: ApiKeyRecord, version: number): Entry {
  const access = new AccessBuilder();
  const { systemRole, namespaceRoles } = record.access ?? { systemRole: "", namespaceRoles: {} };
  if (isRole(systemRole)) access.onServer(roleSet(systemRole));
  for (const [namespace, role] of Object.entries(namespaceRoles)) if (isRole(role)) access.inNamespace(namespace, roleSet(role));
  const identity = record.owner === undefined ? identityOf("key", id, id, record, access.build()) : undefined;
  return { id, record, version, hash: record.tokenHash, identity };
}

function identityOf(kind: PrincipalKind, id: string, keyId: string, record: ApiKeyRecord, access: Access): Identity {
  const expireTime = record.expireTime === 0 ? undefined : record.expireTime;
  return { kind, id, subject: record.name, keyId, access, expireTime };
}

function checkName(name: string): void {
  if (name.length > NAME_LENGTH_MAX) throw invalidArgument(`Name of the API key is longer than ${NAME_LENGTH_MAX}.`);
}

function checkExpiry(expireTime: number, now: number): void {
  if (expireTime !== 0 && expireTime <= now) throw invalidArgument("API key expires in the past.");
}

function checkNew({ name, owner, systemRole = "", namespaceRoles = {}, expireTime }: NewApiKey, now: number): void {
  checkName(name);
  checkExpiry(expireTime, now);
  const roles = [...(systemRole === "" ? [] : [systemRole]), ...Object.values(namespaceRoles)];
  for (const role of roles) if (!isRole(role)) throw invalidArgument(`Unknown role ${JSON.stringify(role)}: must be read, worker, write or admin.`);
  for (const namespace of Object.keys(namespaceRoles))
    if (namespace === "" || namespace === "*") throw invalidArgument(`Not a namespace: ${JSON.stringify(namespace)}.`);
  if ((owner === undefined) === (roles.length === 0)) throw invalidArgument("API key must have either an owner or a role.");
}

/** One role, on the server with all its namespaces or in some: as the CLI and KeyService ask for it. */
export function keyWithRole(name: string, role: string, namespaces: readonly string[], expireTime: number): NewApiKey {
  if (namespaces.length === 0) return { name, systemRole: role, expireTime };
  return { name, namespaceRoles: Object.fromEntries(namespaces.map((n) => [n, role])), expireTime };
}
