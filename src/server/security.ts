/** What the options of TLS, authentication and audit turn into at start, and what must be closed again at the end. */
import { X509Certificate } from "node:crypto";
import { appendFileSync, openSync, readFileSync, unwatchFile, watchFile } from "node:fs";
import type { AuditRecord } from "../authorization/audit.js";
import { ClientCertificates } from "../authorization/authenticator.js";
import { JwtVerifier } from "../authorization/jwt.js";
import type { ServerOptions } from "../config/options.js";
import type { AuthOptions, JwtSettings } from "../config/security-options.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import { TlsEndpoint } from "../rpc/tls.js";
import { devCertificate } from "./tls-dev.js";

export interface OpenedTls {
  readonly endpoint: TlsEndpoint;
  /** Of a certificate that the server has made itself: what clients are to trust. */
  readonly ca: string | undefined;
  /** That the certificate is for. */
  readonly names: readonly string[];
}

export interface AuthParts {
  readonly jwt: JwtVerifier | undefined;
  readonly certificates: ClientCertificates;
  readonly publicSubjects: AuthOptions["publicSubjects"];
  close(): void;
}

const WATCH_MS = 1_000;

/** @throws Error with a text for the user. */
export async function openTls(options: ServerOptions, directory: string | undefined, log: Logger): Promise<OpenedTls | undefined> {
  const { tls, ip } = options;
  if (tls === undefined) return undefined;
  const made = tls.files === undefined ? await devCertificate(directory, ip) : undefined;
  const { cert, key } = tls.files ?? (made as { cert: string; key: string });
  return { endpoint: new TlsEndpoint({ cert, key, clientCa: tls.clientCa }, log), ca: made?.ca, names: namesOf(cert) };
}

/** @throws Error with a text for the user. */
export async function openAuth(options: ServerOptions, runtime: Runtime, log: Logger): Promise<AuthParts | undefined> {
  const { auth } = options;
  if (auth === undefined) return undefined;
  let certificates: ClientCertificates;
  try {
    certificates = new ClientCertificates(auth.certificates);
  } catch (e) {
    throw new Error(`--auth-certificate ${(e as Error).message}`);
  }
  const watched: (() => void)[] = [];
  const jwt = auth.jwt === undefined ? undefined : await openJwt(auth.jwt, runtime, log, watched);
  return { jwt, certificates, publicSubjects: auth.publicSubjects, close: () => closeAll(watched) };
}

function closeAll(watched: (() => void)[]): void {
  for (const stop of watched.splice(0)) stop();
}

async function openJwt(settings: JwtSettings, runtime: Runtime, log: Logger, watched: (() => void)[]): Promise<JwtVerifier> {
  const { jwks, secretFile } = settings;
  const verifier = await JwtVerifier.create({
    algorithms: settings.algorithms,
    issuer: settings.issuer,
    audience: settings.audience,
    clockSkewMs: settings.clockSkewMs,
    mapping: {
      permissions: settings.permissionsClaim,
      namespace: settings.namespaceClaim,
      subject: settings.subjectClaim,
      pattern: settings.permissionPattern,
    },
    jwksUrl: jwks !== undefined && "url" in jwks ? jwks.url : undefined,
    runtime,
  });
  if (jwks !== undefined && "file" in jwks)
    watched.push(watchedFile("--auth-jwks", jwks.file, log, (contents) => verifier.setKeys(contents.toString("utf8"))));
  if (secretFile !== undefined)
    watched.push(watchedFile("--auth-hmac-secret-file", secretFile, log, (contents) => verifier.setSecret(trimmed(contents))));
  return verifier;
}

/** A file that an editor has written ends with a line end that is no part of the secret. */
function trimmed(secret: Buffer): Buffer {
  let end = secret.length;
  while (end > 0 && (secret[end - 1] === 10 || secret[end - 1] === 13)) end--;
  return secret.subarray(0, end);
}

/** Gives the contents now and whenever they change; contents that do not work are refused at start and passed over later. */
function watchedFile(flag: string, path: string, log: Logger, use: (contents: Buffer) => void): () => void {
  try {
    use(readFileSync(path));
  } catch (e) {
    throw new Error(`${flag} ${path}: ${(e as NodeJS.ErrnoException).code === "ENOENT" ? "no such file" : (e as Error).message}`);
  }
  const again = (): void => {
    try {
      use(readFileSync(path));
      log.info({ file: path }, "file read again");
    } catch (e) {
      log.warn({ file: path, err: (e as Error).message }, "file changed and does not work; what was read before stays in use");
    }
  };
  watchFile(path, { interval: WATCH_MS, persistent: false }, again);
  return () => unwatchFile(path, again);
}

/** @throws Error with a text for the user. */
export function auditWriter(path: string | undefined, log: Logger): ((record: AuditRecord) => void) | undefined {
  if (path === undefined) return undefined;
  let file: number;
  try {
    file = openSync(path, "a", 0o600);
  } catch (e) {
    throw new Error(`--audit-log ${path}: ${(e as Error).message}`);
  }
  return (record) => {
    try {
      // At once: a record that is lost with the process is no audit.
      appendFileSync(file, `${JSON.stringify(record)}\n`);
    } catch (e) {
      log.error({ err: e }, "the audit log cannot be written");
    }
  };
}

/** DNS names that a certificate is for. */
function namesOf(certificate: string): string[] {
  const { subjectAltName = "" } = new X509Certificate(readFileSync(certificate));
  return [...subjectAltName.matchAll(/DNS:([^,\s]+)/g)].map((m) => (m[1] as string).toLowerCase());
}
