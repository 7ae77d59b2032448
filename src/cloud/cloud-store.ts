/**
 * What CloudService keeps of one installation: users, groups and their members, service accounts, custom roles, connectivity rules,
 * settings of namespaces, export sinks, the account, and every change that was made. API keys and namespaces themselves are where they
 * have always been (src/authorization, src/namespace).
 *
 * In: registry rows at start, then `change` by the handlers. Out: tables, and the directory of what owners of API keys may do.
 * Invariants:
 * - Changes apply one after the other. Each is one transaction with the record of its operation, and is seen once that is durable.
 * - The same operation id with the same request changes nothing again; with another request it is refused.
 * - What somebody may do is looked up when it is asked for, by what is there then.
 */
import { CloudExportRecord, CloudOperationRecord, CloudResourceRecord } from "../../gen/wire/perdure/persistence/v1/cloud.js";
import { AccountSpec } from "../../gen/wire/temporal/api/cloud/account/v1/message.js";
import { ConnectivityRuleSpec } from "../../gen/wire/temporal/api/cloud/connectivityrule/v1/message.js";
import {
  CustomRoleSpec,
  ServiceAccountSpec,
  UserGroupMemberId,
  UserGroupSpec,
  UserSpec,
} from "../../gen/wire/temporal/api/cloud/identity/v1/message.js";
import { ExportSinkSpec, NamespaceSpec } from "../../gen/wire/temporal/api/cloud/namespace/v1/message.js";
import { NamespaceState } from "../../gen/wire/temporal/api/enums/v1/namespace.js";
import type { Call } from "../api/call.js";
import type { Access } from "../api/identity.js";
import { alreadyExists } from "../api/service-error.js";
import { encode, type Init, type MessageType } from "../api/wire.js";
import type { OwnerDirectory } from "../authorization/api-keys.js";
import type { PeopleDirectory } from "../authorization/authenticator.js";
import { AccessBuilder } from "../authorization/permissions.js";
import type { NamespaceDirectory } from "../core/namespace-view.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import { uuidV4 } from "../lib/uuid.js";
import { Batch } from "../persistence/batch.js";
import { type AccessDirectory, grant, grantScoped } from "./access.js";
import { liveRole } from "./custom-roles.js";
import { Draft, OPERATION_REGISTRY_KIND } from "./draft.js";
import { type Operation, Operations } from "./operations.js";
import { type RegistryRow, ResourceTable } from "./resource-table.js";

export interface CloudStoreOptions {
  readonly rows: readonly RegistryRow[];
  /** Makes the batch durable; rejects with a ServiceError when nothing was written. */
  readonly commit: (batch: Batch) => Promise<void>;
  readonly runtime: Pick<Runtime, "nowMicros" | "randomBytes16">;
  readonly logger: Logger;
  readonly namespaces: () => NamespaceDirectory;
  /** Told when what owners of API keys may do may have changed. */
  readonly onAccessChange: () => void;
}

/** A method of CloudService that changes something. */
export interface ChangingMethod<I> {
  readonly name: string;
  readonly input: MessageType<I>;
}

export class CloudStore implements OwnerDirectory, PeopleDirectory, AccessDirectory {
  readonly users = new ResourceTable("cloud-user", "User", UserSpec);
  readonly groups = new ResourceTable("cloud-group", "User group", UserGroupSpec);
  /** By `<group id>/<user id>`. */
  readonly members = new ResourceTable("cloud-group-member", "Member", UserGroupMemberId);
  readonly serviceAccounts = new ResourceTable("cloud-service-account", "Service account", ServiceAccountSpec);
  readonly customRoles = new ResourceTable("cloud-custom-role", "Custom role", CustomRoleSpec);
  readonly connectivityRules = new ResourceTable("cloud-connectivity-rule", "Connectivity rule", ConnectivityRuleSpec);
  /** What CloudService alone knows of a namespace, by its id. */
  readonly namespaceSettings = new ResourceTable("cloud-namespace", "Namespace", NamespaceSpec);
  /** By `<namespace id>/<name>`. */
  readonly exportSinks = new ResourceTable("cloud-export-sink", "Export sink", ExportSinkSpec);
  readonly accounts = new ResourceTable("cloud-account", "Account", AccountSpec);
  readonly operations: Operations;

  private lastChange: Promise<unknown> = Promise.resolve();
  private readonly accessOf = new Map<string, Access | undefined>();
  private accessSeen: NamespaceDirectory | undefined;
  private closed = new Set<string>();
  /** Ids of users by their addresses in lower case. */
  private byEmail: Map<string, string> | undefined;

  constructor(private readonly o: CloudStoreOptions) {
    const tables = [this.users, this.groups, this.members, this.serviceAccounts, this.customRoles];
    for (const t of [...tables, this.connectivityRules, this.namespaceSettings, this.exportSinks, this.accounts]) t.load(o.rows);
    this.operations = new Operations(o.rows);
    this.findClosed();
  }

  /**
   * Makes a change of a request. `work` says in the draft what is to be written; what it throws changes nothing.
   * `again`: the request was served before, under the same operation id.
   */
  change<I extends { readonly asyncOperationId: string }>(
    call: Call,
    method: ChangingMethod<I>,
    request: I,
    work: (draft: Draft) => Promise<void> | void,
  ): Promise<{ readonly operation: Operation; readonly again: boolean }> {
    return this.inOrder(async () => {
      const typeUrl = `type.googleapis.com/${method.input.typeName}`;
      const value = encode(method.input, request as never);
      const given = request.asyncOperationId;
      const known = this.operations.find(given);
      if (known !== undefined) {
        if (known.record.input?.typeUrl === typeUrl && Buffer.compare(known.record.input.value, value) === 0)
          return { operation: known, again: true };
        throw alreadyExists(`async operation ${given} is of another request`);
      }
      const now = this.o.runtime.nowMicros();
      const newId = (): string => uuidV4(this.o.runtime.randomBytes16());
      const { identity, peer } = call;
      const record = CloudOperationRecord.create({
        ...{ type: method.name, input: { typeUrl, value }, startedTime: now, finishedTime: now },
        ...{ principalKind: identity?.kind, principalId: identity?.id, principalName: identity?.subject, apiKeyId: identity?.keyId },
        address: peer.slice(0, Math.max(0, peer.lastIndexOf(":"))),
      });
      const id = given === "" ? newId() : given;
      const pruned = this.operations.tooMany();
      const draft = new Draft(id, record, now, pruned, newId);
      await work(draft);
      if (!draft.isWritten) {
        const batch = new Batch();
        draft.into(batch);
        await this.o.commit(batch);
      }
      const operation = { id, record };
      this.operations.remove(pruned);
      this.operations.set(operation);
      draft.apply();
      this.changed();
      return { operation, again: false };
    });
  }

  /** Says how far the exports of a sink have come: not a change that somebody made, and no new version for those who make them. */
  exported(id: string, outcome: Init<CloudExportRecord>): Promise<void> {
    return this.inOrder(async () => {
      const sink = this.exportSinks.find(id);
      const namespace = this.o.namespaces().byId(id.slice(0, id.indexOf("/")));
      // The rows of a namespace that goes are on their way out.
      if (sink === undefined || namespace === undefined || namespace.state === NamespaceState.DELETED) return;
      const record = CloudResourceRecord.copy(sink.record, { export: CloudExportRecord.create(outcome) });
      const batch = new Batch();
      batch.writeRegistry(this.exportSinks.kind, id, sink.version, { op: "put", value: encode(CloudResourceRecord, record) });
      await this.o.commit(batch);
      this.exportSinks.set({ ...sink, record });
    });
  }

  /** Namespaces have come or gone: finishes the operations that waited for one to go, and forgets what is kept of it. */
  async namespacesChanged(): Promise<void> {
    const directory = this.o.namespaces();
    const isGone = (id: string): boolean => directory.byId(id) === undefined;
    for (const { id } of this.namespaceSettings.all()) if (isGone(id)) this.namespaceSettings.remove(id);
    for (const { id } of this.exportSinks.all()) if (isGone(id.slice(0, id.indexOf("/")))) this.exportSinks.remove(id);
    this.findClosed();
    const done = (): Operation[] => this.operations.all().filter(({ record: r }) => r.finishedTime === 0 && isGone(r.namespaceId));
    if (done().length === 0) return;
    await this.inOrder(async () => {
      const finished = done().map(({ id, record }) => ({
        id,
        record: CloudOperationRecord.copy(record, { finishedTime: this.o.runtime.nowMicros() }),
      }));
      const batch = new Batch();
      for (const { id, record } of finished)
        batch.writeRegistry(OPERATION_REGISTRY_KIND, id, 2, { op: "put", value: encode(CloudOperationRecord, record) });
      await this.o.commit(batch);
      for (const f of finished) this.operations.set(f);
    }).catch((e: unknown) => this.o.logger.warn({ err: e }, "the end of a namespace cannot be noted now"));
  }

  namespaceId(name: string): string | undefined {
    return this.o.namespaces().byName(name)?.id;
  }

  customRole(id: string): CustomRoleSpec | undefined {
    const role = this.customRoles.find(id);
    return role && liveRole(role.spec, (name) => this.namespaceId(name) === role.record.namespaceIds[name]);
  }

  /** Whether a namespace that CloudService made takes no API keys. */
  isClosedToKeys(namespace: string): boolean {
    return this.closed.size > 0 && this.closed.has(this.namespaceId(namespace) ?? "");
  }

  groupsOf(userId: string): string[] {
    return this.members
      .all()
      .filter((m) => m.id.endsWith(`/${userId}`))
      .map((m) => m.id.slice(0, m.id.indexOf("/")));
  }

  ownerAccess(kind: "user" | "service-account", id: string): Access | undefined {
    const directory = this.o.namespaces();
    if (directory !== this.accessSeen) {
      this.accessOf.clear();
      this.accessSeen = directory;
    }
    const key = `${kind}/${id}`;
    if (this.accessOf.has(key)) return this.accessOf.get(key);
    const access = kind === "user" ? this.userAccess(id) : this.serviceAccountAccess(id);
    // Ids that are nobody's are not remembered: callers choose them.
    if (access !== undefined) this.accessOf.set(key, access);
    return access;
  }

  person(subject: string): { readonly id: string; readonly access: Access } | undefined {
    this.byEmail ??= new Map(this.users.all().map((u) => [u.spec.email.toLowerCase(), u.id]));
    const id = this.byEmail.size === 0 ? undefined : this.byEmail.get(subject.toLowerCase());
    const access = id === undefined ? undefined : this.ownerAccess("user", id);
    return id === undefined || access === undefined ? undefined : { id, access };
  }

  private userAccess(id: string): Access | undefined {
    const user = this.users.find(id);
    if (user === undefined) return undefined;
    const builder = new AccessBuilder();
    const groups = this.groupsOf(id).map((g) => this.groups.find(g));
    for (const holder of [user, ...groups]) if (holder !== undefined) grant(builder, holder.spec.access, holder.record.namespaceIds, this);
    return builder.build();
  }

  private serviceAccountAccess(id: string): Access | undefined {
    const account = this.serviceAccounts.find(id);
    if (account === undefined) return undefined;
    const { spec, record } = account;
    const builder = new AccessBuilder();
    if (spec.namespaceScopedAccess === undefined) grant(builder, spec.access, record.namespaceIds, this);
    else grantScoped(builder, spec.namespaceScopedAccess, record.namespaceIds, this);
    return builder.build();
  }

  private changed(): void {
    this.accessOf.clear();
    this.byEmail = undefined;
    this.findClosed();
    this.o.onAccessChange();
  }

  private findClosed(): void {
    this.closed = new Set(
      this.namespaceSettings
        .all()
        .filter((n) => n.spec.apiKeyAuth?.enabled !== true)
        .map((n) => n.id),
    );
  }

  /** Runs changes one after the other: each sees the outcome of the one before. */
  private inOrder<T>(f: () => Promise<T>): Promise<T> {
    const result = this.lastChange.then(f);
    this.lastChange = result.catch(() => undefined);
    return result;
  }
}
