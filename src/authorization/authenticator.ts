/**
 * Who a call comes from: the bearer token of its `authorization` metadata (an API key or a JWT), else the client certificate of its
 * connection. A token that proves nobody is nobody's, whatever certificate comes with it. At once where nothing need be computed
 * elsewhere: the promise is for tokens not seen before.
 */
import type { Call } from "../api/call.js";
import type { Access, Identity } from "../api/identity.js";
import { type ApiKeys, isApiKey } from "./api-keys.js";
import type { JwtVerifier } from "./jwt.js";
import { AccessBuilder, isRole, roleSet, together } from "./permissions.js";

/** Longer ones are not looked at: hashing and parsing cost by length. */
const TOKEN_BYTES_MAX = 8 * 1024;
const BEARER = /^bearer +/i;

/** The users of CloudService. */
export interface PeopleDirectory {
  /** Whose address a token's subject is, and what they may do now. */
  person(subject: string): { readonly id: string; readonly access: Access } | undefined;
}

export class Authenticator {
  /** Of tokens of users, as long as the users may do the same. */
  private readonly people = new WeakMap<Identity, { readonly own: Access; readonly identity: Identity }>();

  constructor(
    private readonly keys: ApiKeys,
    private readonly jwt: JwtVerifier | undefined,
    private readonly certificates: ClientCertificates,
    private readonly directory?: PeopleDirectory,
  ) {}

  identify(call: Call): Identity | undefined | Promise<Identity | undefined> {
    const header = call.metadata("authorization");
    if (header === undefined) return call.clientSubject === undefined ? undefined : this.certificates.identityOf(call.clientSubject);
    const scheme = BEARER.exec(header)?.[0].length;
    if (scheme === undefined || header.length - scheme > TOKEN_BYTES_MAX) return undefined;
    const token = header.slice(scheme);
    if (isApiKey(token)) return this.keys.verify(token);
    const proved = this.jwt?.verify(token);
    return proved instanceof Promise ? proved.then((p) => p && this.asPerson(p)) : proved && this.asPerson(proved);
  }

  /** A token whose subject is a user's address is that user's, by single sign-on: it has what the user has, beside what it says itself. */
  private asPerson(token: Identity): Identity {
    const user = this.directory?.person(token.subject);
    if (user === undefined) return token;
    const known = this.people.get(token);
    if (known?.own === user.access && known.identity.id === user.id) return known.identity;
    const identity: Identity = { ...token, kind: "user", id: user.id, access: together(token.access, user.access) };
    this.people.set(token, { own: user.access, identity });
    return identity;
  }
}

/** What the holder of a certificate may do, by its subject. */
export class ClientCertificates {
  private readonly identities = new Map<string, Identity>();

  /** @param grants "SUBJECT=SCOPE:ROLE", the subject whole or its CN alone. @throws Error with a text for the user. */
  constructor(grants: readonly string[]) {
    const builders = new Map<string, AccessBuilder>();
    for (const grant of grants) {
      const at = grant.lastIndexOf("=");
      const colon = grant.lastIndexOf(":");
      const scope = grant.slice(at + 1, colon);
      const role = grant.slice(colon + 1);
      if (at < 1 || colon < at || scope === "" || !isRole(role))
        throw new Error(`${JSON.stringify(grant)}: must have the form SUBJECT=NAMESPACE:ROLE, or SUBJECT=system:ROLE`);
      const subject = grant.slice(0, at);
      let builder = builders.get(subject);
      if (builder === undefined) builders.set(subject, (builder = new AccessBuilder()));
      if (scope === "system") builder.onServer(roleSet(role));
      else if (scope === "*") builder.inEveryNamespace(roleSet(role));
      else builder.inNamespace(scope, roleSet(role));
    }
    for (const [subject, builder] of builders) this.identities.set(subject, identityOf(subject, builder.build()));
  }

  /** A certificate that nothing is granted to is still known: it may call what needs no permission. */
  identityOf(subject: string): Identity {
    const commonName = /(?:^|(?<!\\),)CN=((?:[^\\,]|\\.)*)/.exec(subject)?.[1];
    const granted = this.identities.get(subject) ?? (commonName === undefined ? undefined : this.identities.get(`CN=${commonName}`));
    return identityOf(subject, granted?.access ?? NOTHING);
  }
}

const NOTHING: Access = new AccessBuilder().build();

function identityOf(subject: string, access: Access): Identity {
  return { kind: "certificate", id: subject, subject, keyId: undefined, access, expireTime: undefined };
}
