/**
 * Who calls, once that is known. Every way to prove it (API key, JWT, client certificate) ends in this one form; permissions, limits
 * per client, lists and the audit log read nothing else.
 */

/** `user` and `service-account`: owners of API keys; `key`: an API key that stands for itself; `token`: a JWT; `certificate`: of TLS. */
export type PrincipalKind = "user" | "service-account" | "key" | "token" | "certificate";

/** Sets of permissions are bits (authorization/permissions.ts). */
export interface Access {
  /** On the server itself. */
  readonly system: number;
  /** In every namespace, also one that is not there yet. */
  readonly everywhere: number;
  /** Beyond that, by the namespace's name. */
  readonly namespaces: ReadonlyMap<string, number>;
  /** What custom roles add, by action: on every resource of its type, or on some by their ids. */
  readonly actions?: ReadonlyMap<string, { readonly all: boolean; readonly ids: ReadonlySet<string> }> | undefined;
}

export interface Identity {
  readonly kind: PrincipalKind;
  /** Stable and unique within its kind: `kind` and `id` together are the client that limits count. */
  readonly id: string;
  /** For people: the name of a key, the subject of a token or certificate. */
  readonly subject: string;
  /** The API key that proved it. */
  readonly keyId: string | undefined;
  readonly access: Access;
  /** Microseconds since the epoch; undefined: the proof does not end by itself. */
  readonly expireTime: number | undefined;
}
