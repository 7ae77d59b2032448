/**
 * JSON Web Tokens: signature, times, issuer and audience by `jose`, claims by claims.ts.
 *
 * - An algorithm is taken only if it is configured; the kind of key follows from it, so that a public key can never pass for an HMAC
 *   secret. `none` cannot be configured.
 * - A token must say who it is for (subject) and when it ends.
 * - A token that has been verified is remembered by its hash until it ends, for a minute at most: a signature costs as much as a
 *   call. Keys that go (rotation) are so noticed within that minute.
 */
import { createHash } from "node:crypto";
import type { createLocalJWKSet, JWTVerifyGetKey } from "jose";
import type { Identity } from "../api/identity.js";
import { unavailable } from "../api/service-error.js";
import type { Runtime } from "../lib/runtime.js";
import { accessOf, type ClaimMapping, claimOf } from "./claims.js";

export const JWT_ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "HS256",
  "HS384",
  "HS512",
] as const;

export interface JwtOptions {
  readonly algorithms: readonly string[];
  /** Undefined: any. */
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  readonly clockSkewMs: number;
  readonly mapping: ClaimMapping;
  /** Where public keys are fetched from. */
  readonly jwksUrl: string | undefined;
  readonly runtime: Pick<Runtime, "nowMicros">;
}

const REMEMBERED_MICROS_MAX = 60_000_000;
const REMEMBERED_MAX = 10_000;
const JWKS_AGE_MS_MAX = 5 * 60_000;
/** Between fetches that unknown key ids ask for. */
const JWKS_COOLDOWN_MS = 10_000;
const JWKS_TIMEOUT_MS = 5_000;
const SECRET_BYTES_MIN = 32;

type JsonWebKeySet = Parameters<typeof createLocalJWKSet>[0];

export class JwtVerifier {
  private readonly remembered = new Map<string, { identity: Identity; until: number }>();
  private fileKeys: JWTVerifyGetKey | undefined;
  private secret: Uint8Array | undefined;
  private readonly remoteKeys: JWTVerifyGetKey | undefined;

  private constructor(
    private readonly jose: typeof import("jose"),
    private readonly o: JwtOptions,
  ) {
    if (o.jwksUrl !== undefined)
      this.remoteKeys = jose.createRemoteJWKSet(new URL(o.jwksUrl), {
        cacheMaxAge: JWKS_AGE_MS_MAX,
        cooldownDuration: JWKS_COOLDOWN_MS,
        timeoutDuration: JWKS_TIMEOUT_MS,
      });
  }

  /** `jose` is loaded only where tokens are taken. */
  static async create(o: JwtOptions): Promise<JwtVerifier> {
    return new JwtVerifier(await import("jose"), o);
  }

  /** Public keys of a file, in place of those before. @throws Error when it is no key set. */
  setKeys(json: string): void {
    this.fileKeys = this.jose.createLocalJWKSet(JSON.parse(json) as JsonWebKeySet);
    this.remembered.clear();
  }

  /** The secret of HS256, in place of the one before. @throws Error when it is too short to be one. */
  setSecret(secret: Uint8Array): void {
    if (secret.length < SECRET_BYTES_MIN) throw new Error(`the secret must have ${SECRET_BYTES_MIN} bytes at least`);
    this.secret = secret;
    this.remembered.clear();
  }

  /** Who the token proves; undefined when nobody. At once for a token that is remembered. */
  verify(token: string): Identity | undefined | Promise<Identity | undefined> {
    const hash = createHash("sha256").update(token).digest("base64");
    const known = this.remembered.get(hash);
    if (known !== undefined && known.until > this.o.runtime.nowMicros()) return known.identity;
    return this.verifyAnew(token, hash);
  }

  private async verifyAnew(token: string, hash: string): Promise<Identity | undefined> {
    const { jose, o } = this;
    const now = o.runtime.nowMicros();
    let payload: Readonly<Record<string, unknown>> & { exp?: number };
    try {
      payload = (
        await jose.jwtVerify(token, (header, input) => this.keyOf(header.alg, header, input), {
          algorithms: [...o.algorithms],
          requiredClaims: ["exp"],
          clockTolerance: o.clockSkewMs / 1000,
          currentDate: new Date(now / 1000),
          ...(o.issuer === undefined ? {} : { issuer: o.issuer }),
          ...(o.audience === undefined ? {} : { audience: o.audience }),
        })
      ).payload;
    } catch (e) {
      if (e instanceof UnreachableKeys || e instanceof jose.errors.JWKSTimeout)
        throw unavailable("The keys that tokens are signed with cannot be fetched.");
      return undefined;
    }
    const subject = claimOf(payload, o.mapping.subject);
    if (typeof subject !== "string" || subject === "" || payload.exp === undefined) return undefined;
    const expireTime = payload.exp * 1_000_000 + o.clockSkewMs * 1000;
    const issuer = typeof payload.iss === "string" ? payload.iss : "";
    const identity: Identity = {
      kind: "token",
      id: `${issuer}/${subject}`,
      subject,
      keyId: undefined,
      access: accessOf(payload, o.mapping),
      expireTime,
    };
    if (this.remembered.size >= REMEMBERED_MAX) this.remembered.clear();
    this.remembered.set(hash, { identity, until: Math.min(expireTime, now + REMEMBERED_MICROS_MAX) });
    return identity;
  }

  private async keyOf(algorithm: string | undefined, ...rest: Parameters<JWTVerifyGetKey>): Promise<Awaited<ReturnType<JWTVerifyGetKey>>> {
    if (algorithm?.startsWith("HS") === true) {
      if (this.secret === undefined) throw new Error("no secret");
      return this.secret;
    }
    if (this.fileKeys !== undefined) {
      try {
        return await this.fileKeys(...rest);
      } catch (e) {
        if (this.remoteKeys === undefined) throw e;
      }
    }
    if (this.remoteKeys === undefined) throw new Error("no keys");
    try {
      return await this.remoteKeys(...rest);
    } catch (e) {
      // Whatever is not jose's verdict on the keys is the way to them.
      throw e instanceof this.jose.errors.JOSEError && e.code !== "ERR_JOSE_GENERIC" ? e : new UnreachableKeys();
    }
  }
}

class UnreachableKeys extends Error {}
