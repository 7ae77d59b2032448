/** The options of TLS, authentication and limits, checked and put together. */
import { parseDurationMs } from "./dynamic-config.js";
import { OptionsError } from "./options-error.js";

export interface TlsOptions {
  /** Undefined: the server makes a certificate of its own. */
  readonly files: { readonly cert: string; readonly key: string } | undefined;
  readonly clientCa: string | undefined;
}

export interface AuthOptions {
  /** Undefined: the documents' claims alone prove nobody, API keys do. */
  readonly jwt: JwtSettings | undefined;
  readonly publicSubjects: readonly ("health" | "system-info" | "reflection")[];
  /** "SUBJECT=NAMESPACE:ROLE" */
  readonly certificates: readonly string[];
}

export interface JwtSettings {
  readonly jwks: { readonly url: string } | { readonly file: string } | undefined;
  readonly secretFile: string | undefined;
  readonly algorithms: readonly string[];
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  readonly clockSkewMs: number;
  readonly permissionsClaim: string;
  readonly namespaceClaim: string;
  readonly subjectClaim: string;
  readonly permissionPattern: RegExp | undefined;
}

export interface RawSecurity {
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsClientCa?: string | undefined;
  readonly tlsDev: boolean;
  readonly auth: boolean;
  readonly authPublic: readonly string[];
  readonly authCertificate: readonly string[];
  readonly authJwks?: string | undefined;
  readonly authHmacSecretFile?: string | undefined;
  readonly authAlgorithms: readonly string[];
  readonly authIssuer?: string | undefined;
  readonly authAudience?: string | undefined;
  readonly authClockSkew: string;
  readonly authPermissionsClaim: string;
  readonly authNamespaceClaim: string;
  readonly authSubjectClaim: string;
  readonly authPermissionPattern?: string | undefined;
}

const PUBLIC_SUBJECTS = ["health", "system-info", "reflection"] as const;
const ALGORITHMS: ReadonlySet<string> = new Set(
  ["RS", "PS", "ES", "HS"].flatMap((family) => [256, 384, 512].map((bits) => `${family}${bits}`)).concat("EdDSA"),
);
const isHmac = (algorithm: string): boolean => algorithm.startsWith("HS");

export function tlsOptions(raw: RawSecurity): TlsOptions | undefined {
  const { tlsCert: cert, tlsKey: key, tlsClientCa: clientCa } = raw;
  if ((cert === undefined) !== (key === undefined)) throw new OptionsError("--tls-cert and --tls-key: one needs the other");
  if (raw.tlsDev && cert !== undefined) throw new OptionsError("--tls-dev: not together with --tls-cert");
  if (cert !== undefined && key !== undefined) return { files: { cert, key }, clientCa };
  if (raw.tlsDev) return { files: undefined, clientCa };
  if (clientCa !== undefined) throw new OptionsError("--tls-client-ca: needs --tls-cert and --tls-key, or --tls-dev");
  return undefined;
}

export function authOptions(raw: RawSecurity): AuthOptions | undefined {
  const jwt = jwtSettings(raw);
  if (!raw.auth) {
    // Whoever names keys and grants wants them asked for.
    if (jwt !== undefined || raw.authCertificate.length > 0) throw new OptionsError("--auth-*: needs --auth");
    return undefined;
  }
  const publicSubjects = raw.authPublic
    .filter((s) => s !== "none")
    .map((given) => {
      const subject = PUBLIC_SUBJECTS.find((s) => s === given);
      if (subject === undefined) throw new OptionsError(`--auth-public ${given}: must be one of ${PUBLIC_SUBJECTS.join(", ")}, none`);
      return subject;
    });
  return { jwt, publicSubjects, certificates: raw.authCertificate };
}

function jwtSettings(raw: RawSecurity): JwtSettings | undefined {
  const { authJwks: jwks, authHmacSecretFile: secretFile, authAlgorithms: algorithms } = raw;
  if (jwks === undefined && secretFile === undefined) {
    const { authIssuer, authAudience, authPermissionPattern } = raw;
    // Whoever asks this of tokens wants tokens asked for.
    for (const [flag, value] of Object.entries({
      "--auth-issuer": authIssuer,
      "--auth-audience": authAudience,
      "--auth-permission-pattern": authPermissionPattern,
    }))
      if (value !== undefined) throw new OptionsError(`${flag}: needs --auth-jwks or --auth-hmac-secret-file`);
    return undefined;
  }
  for (const a of algorithms) if (!ALGORITHMS.has(a)) throw new OptionsError(`--auth-algorithms ${a}: must be one of ${[...ALGORITHMS].join(", ")}`);
  if (algorithms.some(isHmac) !== (secretFile !== undefined))
    throw new OptionsError("--auth-hmac-secret-file: needs an HS algorithm in --auth-algorithms, and the other way round");
  const clockSkewMs = parseDurationMs(raw.authClockSkew);
  if (clockSkewMs === undefined || clockSkewMs < 0)
    throw new OptionsError(`--auth-clock-skew ${JSON.stringify(raw.authClockSkew)}: must be a duration such as 30s`);
  return {
    jwks: jwks === undefined ? undefined : /^https?:/.test(jwks) ? { url: urlOf(jwks) } : { file: jwks },
    secretFile,
    algorithms,
    issuer: raw.authIssuer,
    audience: raw.authAudience,
    clockSkewMs,
    permissionsClaim: raw.authPermissionsClaim,
    namespaceClaim: raw.authNamespaceClaim,
    subjectClaim: raw.authSubjectClaim,
    permissionPattern: raw.authPermissionPattern === undefined ? undefined : patternOf(raw.authPermissionPattern),
  };
}

function urlOf(text: string): string {
  if (URL.canParse(text)) return text;
  throw new OptionsError(`--auth-jwks ${text}: not a URL`);
}

function patternOf(text: string): RegExp {
  let pattern: RegExp;
  try {
    pattern = new RegExp(text);
  } catch (e) {
    throw new OptionsError(`--auth-permission-pattern: ${(e as Error).message}`);
  }
  if (!/\(\?<namespace>/.test(text) || !/\(\?<role>/.test(text))
    throw new OptionsError("--auth-permission-pattern: must have the groups (?<namespace>...) and (?<role>...)");
  return pattern;
}
