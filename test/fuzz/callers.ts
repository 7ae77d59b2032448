/**
 * Who sends the requests of a round with `--auth`: keys and tokens of every role, in one namespace, in another, in both and on the
 * server, and such as prove nothing. What each may do is read from the matrices of test/security, which nobody has made from the code.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SignJWT } from "jose";
import { ApiKeys, type NewApiKey } from "../../src/authorization/api-keys.js";
import { ClientCertificates } from "../../src/authorization/authenticator.js";
import { JwtVerifier } from "../../src/authorization/jwt.js";
import type { FakeRuntime } from "../../src/lib/fake-runtime.js";
import type { MemoryStore } from "../../src/persistence/memory/store.js";
import type { AuthParts } from "../../src/server/security.js";
import type { Chance } from "./chance.js";

const ROLES = ["read", "worker", "write", "admin"] as const;
type Role = (typeof ROLES)[number];
/** Whom a caller is told apart from: by the scope, "system" or the name of a namespace. */
type Grants = Readonly<Record<string, Role>>;

export interface Caller {
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined: nobody, whatever the headers say. */
  readonly grants: Grants | undefined;
  /** It has all of what its roles have; else some of it. */
  readonly isWhole: boolean;
}

/** What a request is about, as the matrices have it. */
export interface About {
  /** "Service.Rpc", or a route with its parameters as "{}". */
  readonly row: string;
  readonly namespaces: readonly string[];
  /** What it does beside that: the rows, and where. */
  readonly also: readonly (readonly [row: string, namespace: string])[];
  /** Nothing of it was changed: what it asks for is what is written here. */
  readonly isIntact: boolean;
}

const SECRET = Buffer.from("0123456789abcdef0123456789abcdef");
const OTHER_SECRET = Buffer.from("another secret, as long as it should be");
const FAR_SECONDS = 4_000_000_000;

const read = (name: string) => JSON.parse(readFileSync(join(import.meta.dirname, "../security", name), "utf8"));
export const parameterless = (route: string): string => route.replaceAll(/\{[^}]*\}/g, "{}");
const ROWS: ReadonlyMap<string, string> = new Map<string, string>([
  ...Object.entries((read("permissions.json") as { rpcs: Record<string, string> }).rpcs),
  ...Object.entries(read("route-permissions.json") as Record<string, Record<string, string>>)
    .filter(([door]) => door !== "about")
    .flatMap(([, rows]) => Object.entries(rows).map(([route, row]) => [parameterless(route), row] as const)),
]);

/** The column of the matrices: nobody, the four of the namespace, an administrator of another one, the four of the server. */
function columnOf({ grants }: Caller, namespace: string | undefined): number {
  if (grants === undefined) return 0;
  const system = grants["system"];
  if (system !== undefined) return 6 + ROLES.indexOf(system);
  const here = namespace === undefined ? undefined : grants[namespace];
  return here === undefined ? 5 : 1 + ROLES.indexOf(here);
}

/** Undefined: there is no such row. */
function allows(row: string, column: number): boolean {
  const cells = ROWS.get(row);
  if (cells === undefined) throw new Error(`no row ${row} in the matrices`);
  return cells[column] === "x";
}

export function mayAsk(caller: Caller, { row, namespaces, also }: About): boolean {
  const places: (string | undefined)[] = namespaces.length === 0 ? [undefined] : [...namespaces];
  return places.every((n) => allows(row, columnOf(caller, n))) && also.every(([r, n]) => allows(r, columnOf(caller, n)));
}
/** Of a request that was changed on its way: in no namespace that it might be about now. */
export const mayNeverAsk = (caller: Caller, { row }: About): boolean =>
  [undefined, ...Object.keys(caller.grants ?? {})].every((n) => !allows(row, columnOf(caller, n)));

export const maySee = ({ grants }: Caller, namespace: string): boolean => grants?.["system"] !== undefined || grants?.[namespace] !== undefined;

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** The callers of a round, and what the server is to be opened with. */
export class Callers {
  private readonly list: Caller[] = [];
  private readonly secrets: string[] = [];

  private constructor(
    private readonly keys: ApiKeys,
    readonly auth: AuthParts,
  ) {}

  /** Before the server is there: it reads the keys at its start. */
  static async make(store: MemoryStore, runtime: FakeRuntime): Promise<Callers> {
    const keys = new ApiKeys({ rows: [], commit: (batch) => store.commit(batch), runtime });
    const jwt = await JwtVerifier.create({
      ...{ algorithms: ["HS256"], issuer: undefined, audience: "here", clockSkewMs: 0, jwksUrl: undefined, runtime },
      mapping: { permissions: "permissions", namespace: "namespace", subject: "sub", pattern: undefined },
    });
    jwt.setSecret(SECRET);
    const publicSubjects = ["health", "system-info"] as const;
    const callers = new Callers(keys, { jwt, certificates: new ClientCertificates([]), publicSubjects, close: () => undefined });
    await callers.addKeys(runtime);
    await callers.addTokens(runtime);
    return callers;
  }

  next(chance: Chance): Caller {
    return chance.of(this.list);
  }

  /** What no log may have. */
  isSecretIn(text: string): boolean {
    return this.secrets.some((s) => text.includes(s));
  }

  private add(name: string, headers: Readonly<Record<string, string>>, grants: Grants | undefined, isWhole = true): void {
    this.list.push({ name, headers, grants, isWhole });
    const proof = headers["authorization"]?.split(" ").at(-1);
    if (proof !== undefined && proof.length > 20) this.secrets.push(proof.slice(-20));
  }

  private async addKeys(runtime: FakeRuntime): Promise<void> {
    const { keys } = this;
    const add = async (name: string, key: Omit<NewApiKey, "name" | "expireTime">, grants: Grants): Promise<string> => {
      const { token } = await keys.create({ name, expireTime: 0, ...key });
      this.add(`key: ${name}`, bearer(token), grants);
      return token;
    };
    let some = "";
    for (const role of ROLES) {
      await add(`${role} on the server`, { systemRole: role }, { system: role });
      for (const n of ["one", "two"]) some = await add(`${role} in ${n}`, { namespaceRoles: { [n]: role } }, { [n]: role });
    }
    await add("of both", { namespaceRoles: { one: "read", two: "write" } }, { one: "read", two: "write" });
    const admin = { systemRole: "admin" };
    const expired = await keys.create({ name: "expired", ...admin, expireTime: runtime.nowMicros() + 1 });
    const disabled = await keys.create({ name: "disabled", ...admin, expireTime: 0, disabled: true });
    const deleted = await keys.create({ name: "deleted", ...admin, expireTime: 0 });
    await keys.delete(deleted.key.id);
    runtime.elapse(1);
    const nobodies = {
      "an expired key": bearer(expired.token),
      "a disabled key": bearer(disabled.token),
      "a deleted key": bearer(deleted.token),
      "a key with another's secret": bearer(some.slice(0, -43) + expired.token.slice(-43)),
      "an unknown key": bearer(`pdk_0123456789abcdef_${"A".repeat(43)}`),
      "half a key": bearer(some.slice(0, -1)),
      "a key by another scheme": { authorization: `Basic ${some}` },
      "a key without a scheme": { authorization: some },
      "a token without end": bearer("e".repeat(9_000)),
      "no text": { authorization: "Bearer " },
    };
    this.add("nobody", {}, undefined);
    for (const [name, headers] of Object.entries(nobodies)) this.add(name, headers, undefined);
  }

  private async addTokens(runtime: FakeRuntime): Promise<void> {
    const claimsOf = (permissions: unknown, namespace?: unknown) => ({ permissions, ...(namespace === undefined ? {} : { namespace }) });
    const sign = (claims: Record<string, unknown>, secret: Uint8Array = SECRET, exp: number | undefined = FAR_SECONDS): Promise<string> => {
      const jwt = new SignJWT({ aud: "here", ...claims }).setProtectedHeader({ alg: "HS256" }).setSubject("who");
      return (exp === 0 ? jwt : jwt.setExpirationTime(exp)).sign(secret);
    };
    const add = async (permissions: unknown, namespace: unknown, grants: Grants, isWhole: boolean): Promise<void> =>
      this.add(`token: ${JSON.stringify([permissions, namespace])}`, bearer(await sign(claimsOf(permissions, namespace))), grants, isWhole);
    for (const role of ROLES) {
      await add([`one:${role}`], undefined, { one: role }, true);
      await add([`two:${role}`], undefined, { two: role }, true);
      await add([`system:${role}`], undefined, { system: role }, true);
    }
    await add(["temporal:*"], "one", { one: "admin" }, true);
    await add("temporal:*", ["two"], { two: "admin" }, true);
    await add(["temporal:*"], undefined, { system: "admin" }, true);
    for (const p of ["list", "read", "query"]) await add([`temporal:workflow:${p}`], "one", { one: "read" }, false);
    for (const p of ["start", "signal", "terminate", "cancel", "*"]) await add([`temporal:workflow:${p}`], "two", { two: "write" }, false);
    await add(["temporal:worker:*"], "one", { one: "worker" }, false);
    await add(["temporal:worker:poll"], undefined, { system: "worker" }, false);
    await add(["temporal:workflow:read"], undefined, { system: "read" }, false);
    await add(["temporal:cluster:read"], undefined, { system: "read" }, false);
    // Known, and nothing more.
    await add(["one:owner", "temporal:nothing:*", "temporal:workflow", "ONE:admin"], "one", {}, false);
    await add([], "one", {}, false);
    await add({ one: "admin" }, "one", {}, false);
    const all = claimsOf(["system:admin"]);
    const now = Math.floor(runtime.nowMicros() / 1_000_000);
    const part = (o: object): string => Buffer.from(JSON.stringify(o)).toString("base64url");
    const unsigned = { sub: "who", aud: "here", exp: FAR_SECONDS, ...all };
    const good = await sign(all);
    const nobodies = {
      "a token that has ended": await sign(all, SECRET, now - 1),
      "a token of another's": await sign(all, OTHER_SECRET),
      "a token for others": await sign({ ...all, aud: "there" }),
      "a token for ever": await sign(all, SECRET, 0),
      "an unsigned token": `${part({ alg: "none" })}.${part(unsigned)}.`,
      "a token with another's claims": [good.split(".")[0], part(unsigned), good.split(".")[2]].join("."),
      "a token cut off": good.slice(0, -2),
    };
    for (const [name, token] of Object.entries(nobodies)) this.add(name, bearer(token), undefined);
  }
}
