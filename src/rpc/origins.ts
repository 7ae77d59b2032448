/**
 * Which web pages may have a browser send requests here, and under which names the server answers to a browser at all.
 * - `Host` (HTTP/1, what a browser speaks to a plain port): an address, localhost, a name without a dot, or one that is allowed. A
 *   page whose own domain name has been turned to this address (DNS rebinding) sends that name.
 * - `Origin`: the server's own pages, and those that CORS allows. A page may send simple requests anywhere without asking first.
 * Programs send no Origin, and the host that they were told.
 */
import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";

export interface OriginsOptions {
  /** Names with a dot, lower case, "*.example.com" for those below; "*" for any. */
  readonly hosts: readonly string[];
  /** As CORS names them, "https://ui.example.com"; "*" for any. */
  readonly corsOrigins?: readonly string[];
}

interface Refusal {
  readonly status: number;
  readonly text: string;
}

export class Origins {
  private readonly hosts: ReadonlySet<string>;
  private readonly named: ReadonlySet<string>;

  constructor({ hosts, corsOrigins = [] }: OriginsOptions) {
    this.hosts = new Set(hosts);
    this.named = new Set(corsOrigins.map((c) => c.toLowerCase()));
  }

  /** What an answer says of a page's origin to its browser, when any was named; undefined: its origin may not call. */
  allowed(origin: string): string | undefined {
    if (this.named.has("*")) return "*";
    return this.named.has(origin.toLowerCase()) ? origin : undefined;
  }

  get isCorsOn(): boolean {
    return this.named.size > 0;
  }

  /** Why the request is not served; undefined when it is. */
  refusal(headers: IncomingHttpHeaders, isHttp1: boolean): Refusal | undefined {
    const authority = (headers.host ?? (headers[":authority"] as string | undefined))?.toLowerCase();
    if (isHttp1 && !this.isCorsOn && !this.isHost(authority)) return { status: 403, text: "host is not allowed: see --allowed-host" };
    const { origin } = headers;
    if (origin !== undefined && !this.isOrigin(origin.toLowerCase(), authority))
      return { status: 403, text: "origin is not allowed: see --cors-origin" };
    return undefined;
  }

  private isHost(authority: string | undefined): boolean {
    const name = /^(?:\[([0-9a-f:.]+)\]|([^:@/\s]+))(?::\d{1,5})?$/
      .exec(authority ?? "")
      ?.slice(1)
      .find((m) => m !== undefined);
    if (name === undefined) return false;
    if (isIP(name) !== 0 || name === "localhost" || name.endsWith(".localhost") || !name.includes(".")) return true;
    return this.hosts.has("*") || this.hosts.has(name) || this.hosts.has(`*${name.slice(name.indexOf("."))}`);
  }

  private isOrigin(origin: string, authority: string | undefined): boolean {
    if (this.allowed(origin) !== undefined) return true;
    return URL.canParse(origin) && /^https?:/.test(origin) && new URL(origin).host === withoutDefaultPort(authority, origin);
  }
}

/** As a URL's host is written. */
function withoutDefaultPort(authority: string | undefined, origin: string): string | undefined {
  const url = `${origin.slice(0, origin.indexOf(":"))}://${authority}`;
  return URL.canParse(url) ? new URL(url).host : undefined;
}
