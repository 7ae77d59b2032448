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
  readonly owners?: OwnerDirectory;
}

export interface NewApiKey {
  readonly name: string;
  readonly description?: string;
  readonly owner?: { readonly kind: "user" | "service-account"; readonly id: string };
  readonly systemRole?: string;
  readonly namespaceRoles?: Readonly<Record<string, string>>;
  /** Microseconds since the epoch; 0 for never. */
  readonly expireTime: number;
}

export const isApiKey = (token: string): boolean => token.startsWith(PREFIX);

export class ApiKeys {
  private readonly entries = new Map<string, Entry>();
  private readonly endListeners = new Map<string, Set<() => void>>();
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
    if (entry === undefined || !isSame || !this.isUsable(entry.record)) return undefined;
    return entry.identity ?? this.ownerIdentity(entry);
  }

  private isUsable({ disabled, expireTime }: ApiKeyRecord): boolean {
    return !disabled && (expireTime === 0 || expireTime > this.o.runtime.nowMicros());
  }

  private ownerIdentity({ id, record }: Entry): Identity | undefined {
    const { kind, id: ownerId } = record.owner ?? { kind: "", id: "" };
    if (kind !== "user" && kind !== "service-account") return undefined;
    const access = this.o.owners?.ownerAccess(kind, ownerId);
    return access === undefined ? undefined : identityOf(kind, ownerId, id, record, access);
  }

  /** Calls `f` once when the key is deleted or disabled; the result removes it. */
  onEnd(id: string, f: () => void): () => void {
    let listeners = this.endListeners.get(id);
    if (listeners === undefined) this.endListeners.set(id, (listeners = new Set()));
    listeners.add(f);
    return () => {
      listeners.delete(f);
      if (listeners.size === 0) this.endListeners.delete(id);
    };
  }

  /** @returns the key, and the token that is not kept. */
  create(wanted: NewApiKey): Promise<{ key: ApiKey; token: string }> {
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
      });
      return { key: await this.put(id, record, 1), token };
    });
  }

  /** @throws NOT_FOUND */
  setDisabled(id: string, disabled: boolean): Promise<ApiKey> {
    return this.change(async () => {
      const old = this.entry(id);
      if (old.record.disabled === disabled) return old;
      const record = ApiKeyRecord.create({ ...old.record, disabled, updateTime: this.o.runtime.nowMicros() });
      const key = await this.put(id, record, old.version + 1);
      if (disabled) this.ended(id);
      return key;
    });
  }

  /** @throws NOT_FOUND */
  delete(id: string): Promise<void> {
    return this.change(async () => {
      const old = this.entry(id);
      const batch = new Batch();
      batch.writeRegistry(API_KEY_REGISTRY_KIND, id, old.version, { op: "delete" });
      await this.o.commit(batch);
      this.entries.delete(id);
      this.ended(id);
    });
  }

  private entry(id: string): Entry {
    const entry = this.entries.get(id);
    if (entry === undefined) throw notFound(`API key ${id} is not found.`);
    return entry;
  }

  private async put(id: string, record: ApiKeyRecord, version: number): Promise<Entry> {
    const batch = new Batch();
    batch.writeRegistry(API_KEY_REGISTRY_KIND, id, version, { op: version === 1 ? "insert" : "put", value: encode(ApiKeyRecord, record) });
    await this.o.commit(batch);
    const entry = entryOf(id, record, version);
    this.entries.set(id, entry);
    return entry;
  }

  private ended(id: string): void {
    for (const f of [...(this.endListeners.get(id) ?? [])]) f();
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

function checkNew({ name, owner, systemRole = "", namespaceRoles = {}, expireTime }: NewApiKey, now: number): void {
  if (name.length > NAME_LENGTH_MAX) throw invalidArgument(`Name of the API key is longer than ${NAME_LENGTH_MAX}.`);
  if (expireTime !== 0 && expireTime <= now) throw invalidArgument("API key expires in the past.");
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
