/**
 * Authentication and authorization of every call, whatever protocol it came by: first `identify`, which finds out who calls and
 * refuses nobody, then (limits and the form of the namespace's name between them) `authorize`, by the permission column of the table
 * of methods. Deny by default: what is not public needs somebody who is known, and what has a permission needs that.
 *
 * - A call with several namespaces needs its permission in each: a task's commands that start, signal or cancel elsewhere included.
 * - A refusal says nothing about what is there: an unknown namespace reads like one that the caller may not use.
 * - A call that waits ends when what proves the caller ends: an answer that leaves after a key is deleted is none to its holder.
 */
import type { RespondWorkflowTaskCompletedRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call, Interceptor, Method, Permission } from "../api/call.js";
import type { Identity } from "../api/identity.js";
import { Code, permissionDenied, ServiceError } from "../api/service-error.js";
import type { NamespaceDirectory } from "../core/namespace-view.js";
import type { Runtime } from "../lib/runtime.js";
import type { ApiKeys } from "./api-keys.js";
import type { AuditLog } from "./audit.js";
import type { Authenticator } from "./authenticator.js";
import { allows, allowsAction, allowsSomewhere } from "./permissions.js";

/** What may be open to everybody. */
export const PUBLIC_SUBJECTS = ["health", "system-info", "reflection"] as const;
export type PublicSubject = (typeof PUBLIC_SUBJECTS)[number];

interface AuthorizationOptions {
  readonly authenticator: Authenticator;
  readonly keys: ApiKeys;
  readonly audit: AuditLog;
  readonly publicSubjects: ReadonlySet<PublicSubject>;
  readonly namespaces: () => NamespaceDirectory;
  readonly runtime: Runtime;
  /** Whether a namespace takes no API keys. */
  readonly isClosedToKeys?: (namespace: string) => boolean;
}

/** These show what the caller may see and leave out the rest, or look at what they are about: to have it in one place is enough. */
const FILTERED: ReadonlySet<string> = new Set(["ListNamespaces", "CreateServiceAccount", "UpdateServiceAccount", "DeleteServiceAccount"]);
/** What a call does beside what its row says. */
const ALSO: ReadonlyMap<string, Permission> = new Map<string, Permission>([
  ["SignalWithStartWorkflowExecution", "workflow.signal"],
  ["ExecuteMultiOperation", "workflow.signal"],
]);
const ADMINISTRATIVE: ReadonlySet<Permission> = new Set<Permission>(["cluster.write", "namespace.create", "namespace.update", "namespace.delete"]);
/** They need no permission to the caller's own keys, or one in a namespace alone. */
const ADMINISTRATIVE_METHODS: ReadonlySet<string> = new Set(["CreateApiKey", "UpdateApiKey", "DeleteApiKey"]);
/** Longer than any call waits: what ends later is not watched. */
const WATCHED_MICROS_MAX = 180_000_000;

const unauthenticated = (text: string): ServiceError => new ServiceError(Code.UNAUTHENTICATED, text);
const ended = (): ServiceError => unauthenticated("Request unauthenticated: the credentials have ended.");

export class Authorization {
  constructor(private readonly o: AuthorizationOptions) {}

  /** Says who calls, in `call.identity`. */
  readonly identify: Interceptor = async (_method, _request, call, next) => {
    const found = this.o.authenticator.identify(call);
    call.identity = found instanceof Promise ? await found : found;
    return next();
  };

  readonly authorize: Interceptor = async (method, request, call, next) => {
    const { permission } = method;
    if (permission === "none" && this.isPublic(method)) return next();
    const identity = call.identity ?? this.refuseUnknown(call, namespacesOf(method.name, request, this.o.namespaces())[0]);
    if (!this.mayCall(identity, method, request)) {
      this.o.audit.denied(call, namespacesOf(method.name, request, this.o.namespaces())[0], "PERMISSION_DENIED");
      throw permissionDenied("Request unauthorized.", "");
    }
    const run = method.longPoll ? () => this.watched(identity, method, request, call, next) : next;
    return ADMINISTRATIVE.has(permission) || ADMINISTRATIVE_METHODS.has(method.name) ? this.audited(method, request, call, run) : run();
  };

  /** For streams that are not in the table of methods. @throws ServiceError */
  async admit(subject: PublicSubject, call: Call): Promise<void> {
    if (this.o.publicSubjects.has(subject)) return;
    call.identity = await this.o.authenticator.identify(call);
    if (call.identity === undefined) this.refuseUnknown(call, undefined);
  }

  /** Whether the caller is known, or need not be: for doors that would look at a request before it is a call. */
  async isKnown(subject: PublicSubject | undefined, call: Call): Promise<boolean> {
    if (subject !== undefined && this.o.publicSubjects.has(subject)) return true;
    return (await this.o.authenticator.identify(call)) !== undefined;
  }

  /** Whether the caller may do that there: for doors that look at what a call is about before they make it. */
  async mayDo(permission: Permission, namespace: string, call: Call): Promise<boolean> {
    const identity = await this.o.authenticator.identify(call);
    return identity !== undefined && this.mayCall(identity, { permission, name: "", action: undefined }, { namespace });
  }

  private isPublic({ service }: Method): boolean {
    return this.o.publicSubjects.has(service === "grpc.health.v1.Health" ? "health" : "system-info");
  }

  private refuseUnknown(call: Call, namespace: string | undefined): never {
    this.o.audit.denied(call, namespace, "UNAUTHENTICATED");
    throw unauthenticated(
      call.metadata("authorization") === undefined
        ? "Request unauthenticated: no credentials."
        : "Request unauthenticated: the credentials are not valid.",
    );
  }

  private mayCall({ access, keyId }: Identity, method: Pick<Method, "permission" | "name" | "action">, request: unknown): boolean {
    const { permission, name, action } = method;
    if (permission === "none" || permission === "authenticated") return true;
    if (action !== undefined && allowsAction(access, action, request)) return true;
    if (FILTERED.has(name)) return allowsSomewhere(access, permission);
    const namespaces = namespacesOf(method.name, request, this.o.namespaces());
    // CloudService is called with keys, whatever is said of a namespace's own callers.
    if (keyId !== undefined && action === undefined && namespaces.some((n) => this.o.isClosedToKeys?.(n) === true)) return false;
    const mayIn = (namespace: string | undefined): boolean => {
      const also = ALSO.get(name);
      return allows(access, permission, namespace) && (also === undefined || allows(access, also, namespace));
    };
    if (!(namespaces.length === 0 ? mayIn(undefined) : namespaces.every(mayIn))) return false;
    if (name !== "RespondWorkflowTaskCompleted") return true;
    return crossings(request as RespondWorkflowTaskCompletedRequest).every(([needed, namespace]) => allows(access, needed, namespace));
  }

  private async watched(identity: Identity, method: Method, request: unknown, call: Call, next: () => unknown): Promise<unknown> {
    const { keyId, expireTime } = identity;
    const end = (): void => call.abort?.(ended());
    let stopTimer = expireTime === undefined ? undefined : this.atTime(expireTime, end);
    const look = (now: Identity | undefined): void => {
      if (now === undefined) return end();
      if (!this.mayCall(now, method, request)) return call.abort?.(permissionDenied("Request unauthorized.", ""));
      stopTimer?.();
      stopTimer = now.expireTime === undefined ? undefined : this.atTime(now.expireTime, end);
    };
    const lookAgain = async (): Promise<void> => look(await this.o.authenticator.identify(call));
    const stop =
      keyId !== undefined
        ? this.o.keys.onChange(keyId, () => look(this.o.keys.current(keyId)))
        : // A user by a token: nothing of the token changes, but what the user may do.
          identity.kind === "user"
          ? this.o.keys.onOwnersChange(() => void lookAgain().catch(end))
          : undefined;
    try {
      return await next();
    } finally {
      stop?.();
      stopTimer?.();
    }
  }

  private atTime(time: number, f: () => void): (() => void) | undefined {
    const left = time - this.o.runtime.nowMicros();
    return left > WATCHED_MICROS_MAX ? undefined : this.o.runtime.setTimer(left / 1000, f);
  }

  private async audited(method: Method, request: unknown, call: Call, run: () => unknown): Promise<unknown> {
    const namespace = namespacesOf(method.name, request, this.o.namespaces())[0];
    try {
      const reply = await run();
      this.o.audit.administrative(call, namespace, "OK");
      return reply;
    } catch (e) {
      this.o.audit.administrative(call, namespace, e instanceof ServiceError ? (Code[e.code] ?? String(e.code)) : "INTERNAL");
      throw e;
    }
  }
}

interface Namespaced {
  namespace?: unknown;
  /** DeleteNamespace */
  namespaceId?: unknown;
  /** DescribeNamespace */
  id?: unknown;
}

/** Names of the namespaces that a request is about; an id that is not known stands for itself, which nobody has a name for. */
function namespacesOf(method: string, request: unknown, directory: NamespaceDirectory): string[] {
  if (typeof request !== "object" || request === null) return [];
  const { namespace, namespaceId, id } = request as Namespaced;
  const names: string[] = [];
  if (typeof namespace === "string" && namespace !== "") names.push(namespace);
  const byId = method === "DescribeNamespace" ? id : namespaceId;
  if (typeof byId === "string" && byId !== "") names.push(directory.byId(byId)?.name ?? `id:${byId}`);
  return names;
}

/** What the commands of a task do in other namespaces, as the permissions that they need there. */
function crossings({ namespace, commands }: RespondWorkflowTaskCompletedRequest): [Permission, string][] {
  const out: [Permission, string][] = [];
  const add = (permission: Permission, target: string): void => {
    if (target !== "" && target !== namespace) out.push([permission, target]);
  };
  for (const { attributes: a } of commands) {
    if (a.case === "startChildWorkflowExecutionCommandAttributes") add("workflow.start", a.value.namespace);
    else if (a.case === "signalExternalWorkflowExecutionCommandAttributes") add("workflow.signal", a.value.namespace);
    else if (a.case === "requestCancelExternalWorkflowExecutionCommandAttributes") add("workflow.cancel", a.value.namespace);
  }
  return out;
}
