/** What a server says once it listens: one line of JSON for programs, one line for people. */
import type { Addresses } from "../server/options.js";

export interface Ready {
  readonly addresses: Addresses;
  readonly pid: number;
  readonly version: string;
  /** Undefined: in memory. */
  readonly dbFilename?: string;
}

export function readyLine({ addresses, pid, version, dbFilename }: Ready): string {
  const { grpc, http, metrics, ui } = addresses;
  return JSON.stringify({ ready: true, pid, version, grpc, http: `http://${http}`, metrics: `http://${metrics}/metrics`, ui: ui === undefined ? null : `http://${ui}`, db: dbFilename ?? null });
}

const friendly = (address: string): string => address.replace(/^(127\.0\.0\.1|\[::1\]):/, "localhost:");

export function banner({ addresses, version, dbFilename }: Ready): string {
  const parts = [`Perdure ${version} listens on ${friendly(addresses.grpc)}`];
  if (addresses.ui !== undefined) parts.push(`web UI http://${friendly(addresses.ui)}`);
  parts.push(`metrics http://${friendly(addresses.metrics)}/metrics`, `data ${dbFilename ?? "in memory"}`);
  return parts.join(" · ");
}
