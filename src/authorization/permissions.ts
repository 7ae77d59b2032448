/**
 * The permission tree as sets: which permissions a role or the name of a node stands for, and whether somebody has one.
 *
 * Permissions are bits, so that a check is one AND. Those of the server itself (`cluster.*`, `namespace.create`) are looked up in
 * `system` alone; those within a namespace in `everywhere` and in the namespace's own set.
 */
import type { MethodAction, Permission } from "../api/call.js";
import type { Access } from "../api/identity.js";

type Grantable = Exclude<Permission, "none" | "authenticated">;

const BITS: Readonly<Record<Grantable, number>> = {
  "cluster.read": 1 << 0,
  "cluster.write": 1 << 1,
  "namespace.create": 1 << 2,
  "namespace.read": 1 << 3,
  "namespace.update": 1 << 4,
  "namespace.delete": 1 << 5,
  "workflow.start": 1 << 6,
  "workflow.signal": 1 << 7,
  "workflow.query": 1 << 8,
  "workflow.read": 1 << 9,
  "workflow.list": 1 << 10,
  "workflow.terminate": 1 << 11,
  "workflow.cancel": 1 << 12,
  "worker.poll": 1 << 13,
  "worker.respond": 1 << 14,
};

const setOf = (...permissions: readonly Grantable[]): number => permissions.reduce((set, p) => set | BITS[p], 0);

/** Of the server itself: no namespace gives them. */
const SYSTEM = setOf("cluster.read", "cluster.write", "namespace.create");
const WORKER = setOf("worker.poll", "worker.respond");
const WORKFLOW = setOf(
  "workflow.start",
  "workflow.signal",
  "workflow.query",
  "workflow.read",
  "workflow.list",
  "workflow.terminate",
  "workflow.cancel",
);
const NAMESPACE = setOf("namespace.create", "namespace.read", "namespace.update", "namespace.delete");
const CLUSTER = setOf("cluster.read", "cluster.write");
const ALL = CLUSTER | NAMESPACE | WORKFLOW | WORKER;
const READ = setOf("cluster.read", "namespace.read", "workflow.query", "workflow.read", "workflow.list");

export const ROLES = ["read", "worker", "write", "admin"] as const;
export type Role = (typeof ROLES)[number];

const ROLE_SETS: Readonly<Record<Role, number>> = {
  read: READ,
  // What an SDK's worker needs and no more: it looks at the namespace and fetches histories, beside its tasks.
  worker: WORKER | setOf("namespace.read", "workflow.read"),
  write: READ | WORKFLOW | WORKER,
  admin: ALL,
};

export const roleSet = (role: Role): number => ROLE_SETS[role];
export const isRole = (text: string): text is Role => (ROLES as readonly string[]).includes(text);

/** Nodes of the tree by the name that claims give them. */
const NODES: ReadonlyMap<string, number> = new Map<string, number>([
  ["temporal:*", ALL],
  ["temporal:cluster:*", CLUSTER],
  ["temporal:namespace:*", NAMESPACE],
  // The documents' tree has no node for workers: who may do everything with workflows may also run them.
  ["temporal:workflow:*", WORKFLOW | WORKER],
  ["temporal:worker:*", WORKER],
  ...(Object.entries(BITS) as [Grantable, number][]).map(([name, bit]) => [`temporal:${name.replace(".", ":")}`, bit] as const),
]);

/** Undefined: no node of that name. */
export const nodeSet = (name: string): number | undefined => NODES.get(name);

/** Collects grants. */
export class AccessBuilder {
  private system = 0;
  private everywhere = 0;
  private readonly namespaces = new Map<string, number>();
  private readonly actions = new Map<string, { all: boolean; ids: Set<string> }>();

  /** On the server itself and in every namespace. */
  onServer(set: number): this {
    this.system |= set & SYSTEM;
    return this.inEveryNamespace(set);
  }

  inEveryNamespace(set: number): this {
    this.everywhere |= set & ~SYSTEM;
    return this;
  }

  inNamespace(name: string, set: number): this {
    this.namespaces.set(name, (this.namespaces.get(name) ?? 0) | (set & ~SYSTEM));
    return this;
  }

  action(name: string, all: boolean, ids: Iterable<string>): this {
    let grant = this.actions.get(name);
    if (grant === undefined) this.actions.set(name, (grant = { all: false, ids: new Set() }));
    grant.all ||= all;
    for (const id of ids) grant.ids.add(id);
    return this;
  }

  build(): Access {
    const { system, everywhere, namespaces, actions } = this;
    return { system, everywhere, namespaces, actions: actions.size === 0 ? undefined : actions };
  }
}

/** @param namespace undefined: the request is about none, or about one that cannot be told. */
export function allows(access: Access, permission: Permission, namespace: string | undefined): boolean {
  if (permission === "none" || permission === "authenticated") return true;
  const bit = BITS[permission];
  if ((bit & SYSTEM) !== 0) return (access.system & bit) !== 0;
  if ((access.everywhere & bit) !== 0) return true;
  return namespace !== undefined && ((access.namespaces.get(namespace) ?? 0) & bit) !== 0;
}

/** In one namespace at least. */
export function allowsSomewhere(access: Access, permission: Grantable): boolean {
  const bit = BITS[permission];
  if (((access.system | access.everywhere) & bit) !== 0) return true;
  for (const set of access.namespaces.values()) if ((set & bit) !== 0) return true;
  return false;
}

/** Whether a custom role says so. */
export function allowsAction({ actions }: Access, { name, resourceOf }: MethodAction, request: unknown): boolean {
  const grant = actions?.get(name);
  return grant !== undefined && (grant.all || grant.ids.has(resourceOf(request as never)));
}

/** What two proofs of the same caller give together. */
export function together(a: Access, b: Access): Access {
  const builder = new AccessBuilder();
  for (const { system, everywhere, namespaces, actions } of [a, b]) {
    builder.onServer(system).inEveryNamespace(everywhere);
    for (const [name, set] of namespaces) builder.inNamespace(name, set);
    for (const [name, { all, ids }] of actions ?? []) builder.action(name, all, ids);
  }
  return builder.build();
}

/** Whether somebody who may do `own` may do all of `other`. */
export function isWithin(other: Access, own: Access): boolean {
  const within = (a: number, b: number): boolean => (a & ~b) === 0;
  if (!within(other.system, own.system) || !within(other.everywhere, own.everywhere)) return false;
  for (const [name, set] of other.namespaces) if (!within(set, own.everywhere | (own.namespaces.get(name) ?? 0))) return false;
  for (const [name, { all, ids }] of other.actions ?? []) {
    const held = own.actions?.get(name);
    if (held === undefined || (all && !held.all)) return false;
    if (!held.all) for (const id of ids) if (!held.ids.has(id)) return false;
  }
  return true;
}
