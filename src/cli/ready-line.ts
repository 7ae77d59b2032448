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
  const { grpc, http = grpc, metrics = grpc, ui, api, tls } = addresses;
  const scheme = tls === undefined ? "http" : "https";
  return JSON.stringify({
    ready: true,
    pid,
    version,
    grpc,
    http: `${scheme}://${http}`,
    metrics: `${scheme}://${metrics}/metrics`,
    ui: ui === undefined ? null : `${scheme}://${ui}`,
    ...(tls?.ca === undefined ? {} : { tlsCa: tls.ca }),
    ...(api === undefined ? {} : { api: `${scheme}://${api}` }),
    db: inMemory(file) ? null : file,
  });
}

const friendly = (address: string): string => address.replace(/^(127\.0\.0\.1|\[::1\]):/, "localhost:");

export function banner({ addresses, version, file }: Ready): string {
  const { grpc, metrics = grpc, ui, api, tls } = addresses;
  const scheme = tls === undefined ? "http" : "https";
  const parts = [`Perdure ${version} listens on ${friendly(grpc)}`];
  if (ui !== undefined) parts.push(`web UI ${scheme}://${friendly(ui)}`);
  if (api !== undefined) parts.push(`trigger API ${scheme}://${friendly(api)}`);
  parts.push(`metrics ${scheme}://${friendly(metrics)}/metrics`, inMemory(file) ? "data in memory" : `data in ${file}`);
  if (tls?.ca !== undefined) parts.push(`trust ${tls.ca}`);
  return parts.join(" · ");
}
