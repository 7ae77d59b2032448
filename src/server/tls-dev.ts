/**
 * `--tls-dev`: a certificate authority of this server's own and a certificate by it for the names of this machine, made at the first
 * start and kept beside the database (in a new temporary directory where there is none). Clients trust the authority's file, which the
 * ready line names. A leaf below an authority and not one self-signed certificate, because Rust's TLS (the core of the TypeScript and
 * Python SDKs) takes no authority for a server.
 */
import { X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";

export interface DevCertificate {
  readonly cert: string;
  readonly key: string;
  /** What clients are to trust. */
  readonly ca: string;
}

const DAY_MS = 86_400_000;
const VALID_DAYS = 365;
/** A server that runs for a while must not outlive its certificate. */
const LEFT_DAYS_MIN = 60;
const EC = { keyType: "ec", curve: "P-256", algorithm: "sha256" } as const;

/** @param directory of the database; undefined: there is none. */
export async function devCertificate(directory: string | undefined, ip: string, now = Date.now()): Promise<DevCertificate> {
  const folder = directory === undefined ? mkdtempSync(join(tmpdir(), "perdure-tls-")) : join(directory, "tls-dev");
  const paths = { cert: join(folder, "server.crt"), key: join(folder, "server.key"), ca: join(folder, "ca.crt") };
  if (isUsable(paths, ip, now)) return paths;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { default: selfsigned } = await import("selfsigned");
  const dates = { notBeforeDate: new Date(now - DAY_MS), notAfterDate: new Date(now + VALID_DAYS * DAY_MS) };
  const ca = await selfsigned.generate([{ name: "commonName", value: "Perdure development authority" }], {
    ...EC,
    ...dates,
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const names = ["localhost", hostname()].map((value) => ({ type: 2 as const, value }));
  const addresses = [...new Set(["127.0.0.1", "::1", ip])].filter((a) => a !== "0.0.0.0" && a !== "::").map((a) => ({ type: 7 as const, ip: a }));
  const leaf = await selfsigned.generate([{ name: "commonName", value: "localhost" }], {
    ...EC,
    ...dates,
    ca: { key: ca.private, cert: ca.cert },
    extensions: [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      { name: "subjectAltName", altNames: [...names, ...addresses] },
    ],
  });
  write(paths.ca, ca.cert, 0o644);
  write(paths.cert, leaf.cert, 0o644);
  write(paths.key, leaf.private, 0o600);
  return paths;
}

function isUsable({ cert, key, ca }: DevCertificate, ip: string, now: number): boolean {
  if (![cert, key, ca].every((f) => existsSync(f))) return false;
  const parsed = new X509Certificate(readFileSync(cert));
  const isFresh = Date.parse(parsed.validTo) - now > LEFT_DAYS_MIN * DAY_MS;
  return isFresh && (ip === "0.0.0.0" || ip === "::" || parsed.checkIP(ip) !== undefined);
}

function write(path: string, text: string, mode: number): void {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, text, { mode });
  renameSync(draft, path);
}
