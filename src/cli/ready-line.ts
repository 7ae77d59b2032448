/** What a server says once it listens: one line for people, one line of JSON for programs. */
import { MEMORY_FILE } from "../config/options.js";
import type { Addresses } from "../server/options.js";

export interface Ready {
  readonly addresses: Addresses;
  readonly pid: number;
  readonly version: string;
  readonly file: string;
}

const inMemory = (file: string): boolean => file === MEMORY_FILE;

/** Where no port of its own was asked for, the main one answers. */
export function readyLine({ addresses, pid, version, file }: Ready): string {
  const { grpc, http = grpc, metrics = grpc, ui, api } = addresses;
  return JSON.stringify({
    ready: true,
    pid,
    version,
    grpc,
    http: `http://${http}`,
    metrics: `http://${metrics}/metrics`,
    ui: ui === undefined ? null : `http://${ui}`,
    ...(api === undefined ? {} : { api: `http://${api}` }),
    db: inMemory(file) ? null : file,
  });
}

const friendly = (address: string): string => address.replace(/^(127\.0\.0\.1|\[::1\]):/, "localhost:");

export function banner({ addresses, version, file }: Ready): string {
  const { grpc, metrics = grpc, ui, api } = addresses;
  const parts = [`Perdure ${version} listens on ${friendly(grpc)}`];
  if (ui !== undefined) parts.push(`web UI http://${friendly(ui)}`);
  if (api !== undefined) parts.push(`trigger API http://${friendly(api)}`);
  parts.push(`metrics http://${friendly(metrics)}/metrics`, inMemory(file) ? "data in memory" : `data in ${file}`);
  return parts.join(" · ");
}
