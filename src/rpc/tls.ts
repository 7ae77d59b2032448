/**
 * TLS on the one port: the handshake, then the same protocols inside. ALPN says which; a client without it is told by its first bytes
 * as on a plain port. Files that change are read again: new connections get the new certificate, those that are open stay. Files
 * that do not fit each other (one of two is written before the other) leave the old ones in use.
 */
import { randomBytes } from "node:crypto";
import { readFileSync, unwatchFile, watchFile } from "node:fs";
import type { Socket } from "node:net";
import { createSecureContext, createServer, type Server, type TLSSocket } from "node:tls";
import type { Logger } from "../lib/runtime.js";
import type { WireProtocol } from "./first-bytes.js";

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Clients must have a certificate by one of these authorities. */
  readonly clientCa?: string | undefined;
}

const HANDSHAKE_MS_MAX = 10_000;
const WATCH_MS = 1_000;
const PROTOCOLS: Readonly<Record<string, WireProtocol>> = { h2: "http2", "http/1.1": "http1" };
const TICKET_KEY_BYTES = 48;

export class TlsEndpoint {
  private readonly server: Server;
  private readonly files: readonly string[];
  private onSecure: ((socket: TLSSocket, protocol: WireProtocol | undefined) => void) | undefined;

  /** @throws Error with a text for the user when the files are no certificate and its key. */
  constructor(
    private readonly o: TlsFiles,
    private readonly logger: Logger,
  ) {
    this.server = createServer({
      ...readContext(o),
      ALPNProtocols: Object.keys(PROTOCOLS),
      handshakeTimeout: HANDSHAKE_MS_MAX,
      requestCert: o.clientCa !== undefined,
      rejectUnauthorized: o.clientCa !== undefined,
    });
    this.server.on("secureConnection", (socket) => this.onSecure?.(socket, PROTOCOLS[socket.alpnProtocol || ""]));
    this.server.on("tlsClientError", (e, socket) => {
      logger.debug({ err: e.message }, "TLS handshake failed");
      socket.destroy();
    });
    this.files = [o.cert, o.key, ...(o.clientCa === undefined ? [] : [o.clientCa])];
    for (const file of this.files) watchFile(file, { interval: WATCH_MS, persistent: false }, this.reload);
  }

  /** Each socket whose handshake is done goes to `f`, with what ALPN says that it speaks. */
  serve(f: (socket: TLSSocket, protocol: WireProtocol | undefined) => void): void {
    this.onSecure = f;
  }

  accept(socket: Socket): void {
    this.server.emit("connection", socket);
  }

  close(): void {
    for (const file of this.files) unwatchFile(file, this.reload);
  }

  private readonly reload = (): void => {
    try {
      this.server.setSecureContext(readContext(this.o));
      // A session of before would let in who is not let in any more.
      this.server.setTicketKeys(randomBytes(TICKET_KEY_BYTES));
      this.logger.info({ cert: this.o.cert }, "TLS files read again");
    } catch (e) {
      this.logger.warn({ err: (e as Error).message }, "TLS files changed and do not fit; those of before stay in use");
    }
  };
}

function readContext({ cert, key, clientCa }: TlsFiles) {
  const read = (flag: string, path: string): Buffer => {
    try {
      return readFileSync(path);
    } catch (e) {
      throw new Error(`${flag} ${path}: ${(e as NodeJS.ErrnoException).code === "ENOENT" ? "no such file" : (e as Error).message}`);
    }
  };
  const context = {
    cert: read("--tls-cert", cert),
    key: read("--tls-key", key),
    ...(clientCa === undefined ? {} : { ca: read("--tls-client-ca", clientCa) }),
    minVersion: "TLSv1.2" as const,
  };
  try {
    createSecureContext(context);
  } catch (e) {
    throw new Error(`--tls-cert ${cert}: not a certificate and its key: ${(e as Error).message}`);
  }
  return context;
}

/** Subject of the certificate that the other end was let in by: "C=..,O=..,CN=..", in the certificate's order. */
export function subjectOf(socket: unknown): string | undefined {
  const { authorized, getPeerCertificate } = socket as Partial<TLSSocket>;
  if (authorized !== true || getPeerCertificate === undefined) return undefined;
  const { subject } = (socket as TLSSocket).getPeerCertificate() as { subject?: object };
  if (subject === undefined) return undefined;
  const quoted = (text: string): string => text.replace(/[\\,]/g, "\\$&");
  return Object.entries(subject)
    .flatMap(([name, value]) => (Array.isArray(value) ? value : [value]).map((v) => `${name}=${quoted(String(v))}`))
    .join(",");
}
