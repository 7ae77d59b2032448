/**
 * `perdure key create | list | disable | enable | delete`: on the database file, or, with --address, on the server that has it. The
 * first key is made on the file, before the server starts or while it is stopped: nobody could ask a server for it that asks everybody
 * for theirs. What a key is goes to stdout and nothing else does, so that `KEY=$(perdure key create ...)` works.
 */

import { readFileSync } from "node:fs";
import { connect } from "node:http2";
import type { Key } from "../../gen/wire/perdure/security/v1/service.js";
import { KeyService } from "../../gen/wire/perdure/security/v1/service.js";
import { timestampMicros, timestampOf } from "../api/time.js";
import { decode, encode, type Init, type MessageType } from "../api/wire.js";
import type { ApiKeys } from "../authorization/api-keys.js";
import { keyWithRole } from "../authorization/api-keys.js";
import { shownKey } from "../authorization/shown-key.js";
import type { Logger } from "../lib/runtime.js";

export type KeyAction =
  | { readonly action: "create"; readonly role: string; readonly namespaces: readonly string[]; readonly name: string; readonly expireTime: number }
  | { readonly action: "list" }
  | { readonly action: "disable" | "enable" | "delete"; readonly id: string };

export interface KeyCommand {
  readonly what: KeyAction;
  readonly where:
    | { readonly file: string }
    | { readonly address: string; readonly apiKey: string | undefined; readonly tls: boolean; readonly tlsCa: string | undefined };
}

export interface KeyContext {
  /** Loaded late: the store is not needed for a server elsewhere. */
  readonly openKeys: (file: string, logger: Logger) => Promise<{ keys: ApiKeys; close: () => Promise<void> }>;
  readonly logger: Logger;
  readonly out: (line: string) => void;
  readonly note: (line: string) => void;
}

/** What the two places have in common. */
interface Keys {
  create(wanted: Extract<KeyAction, { action: "create" }>): Promise<{ id: string; token: string }>;
  list(): Promise<Init<Key>[]>;
  setDisabled(id: string, disabled: boolean): Promise<void>;
  delete(id: string): Promise<void>;
}

/** @throws Error with a text for the user. */
export async function runKeyCommand({ what, where }: KeyCommand, context: KeyContext): Promise<void> {
  if ("address" in where) {
    await run(what, onServer(where), context);
    return;
  }
  const { keys, close } = await context.openKeys(where.file, context.logger);
  try {
    await run(what, onFile(keys), context);
  } finally {
    await close();
  }
}

async function run(what: KeyAction, keys: Keys, { out, note }: KeyContext): Promise<void> {
  if (what.action === "create") {
    const { id, token } = await keys.create(what);
    note(`API key ${id}, shown this once:`);
    out(token);
  } else if (what.action === "list") {
    for (const k of await keys.list()) out(line(k));
  } else {
    if (what.action === "delete") await keys.delete(what.id);
    else await keys.setDisabled(what.id, what.action === "disable");
    note(`API key ${what.id}: ${what.action}d`);
  }
}

function line(k: Init<Key>): string {
  const time = (t: Parameters<typeof timestampMicros>[0]): string => new Date(timestampMicros(t) / 1000).toISOString();
  const expires = k.expireTime === undefined ? "never expires" : `expires ${time(k.expireTime)}`;
  const isOwned = k.role?.includes(":") === true;
  const scope = isOwned ? "owner" : (k.namespaces ?? []).length === 0 ? "system" : (k.namespaces ?? []).join(",");
  return [k.id, scope, k.role, k.disabled === true ? "disabled" : "enabled", expires, `created ${time(k.createTime)}`, k.name || "-"].join("  ");
}

function onFile(keys: ApiKeys): Keys {
  return {
    create: async ({ name, role, namespaces, expireTime }) => {
      const { key, token } = await keys.create(keyWithRole(name, role, namespaces, expireTime));
      return { id: key.id, token };
    },
    list: async () => keys.list().map(shownKey),
    setDisabled: async (id, disabled) => void (await keys.setDisabled(id, disabled)),
    delete: (id) => keys.delete(id),
  };
}

function onServer(where: Extract<KeyCommand["where"], { address: string }>): Keys {
  const { CreateKey, ListKeys, SetKeyDisabled, DeleteKey } = KeyService.methods;
  return {
    create: async ({ name, role, namespaces, expireTime }) => {
      const request = { name, role, namespaces: [...namespaces], expireTime: expireTime === 0 ? undefined : timestampOf(expireTime) };
      const { key, token } = await call(where, CreateKey, request);
      return { id: key?.id ?? "", token };
    },
    list: async () => (await call(where, ListKeys, {})).keys,
    setDisabled: async (id, disabled) => void (await call(where, SetKeyDisabled, { id, disabled })),
    delete: async (id) => void (await call(where, DeleteKey, { id })),
  };
}

const CALL_MS_MAX = 10_000;
const FRAME = 5;

/** One unary gRPC call. */
async function call<I, O>(
  { address, apiKey, tls, tlsCa }: Extract<KeyCommand["where"], { address: string }>,
  method: { readonly path: string; readonly input: MessageType<I>; readonly output: MessageType<O> },
  request: Init<I>,
): Promise<O> {
  const ca = tlsCa === undefined ? {} : { ca: readFileSync(tlsCa) };
  const session = connect(`${tls ? "https" : "http"}://${address}`, ca);
  try {
    return await new Promise<O>((resolve, reject) => {
      session.on("error", (e) => reject(new Error(`cannot reach ${address}: ${e.message}`)));
      const body = encode(method.input, request);
      const frame = Buffer.alloc(FRAME + body.length);
      frame.writeUInt32BE(body.length, 1);
      body.copy(frame, FRAME);
      const stream = session.request({
        ":method": "POST",
        ":path": method.path,
        "content-type": "application/grpc",
        te: "trailers",
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      });
      stream.setTimeout(CALL_MS_MAX, () => reject(new Error(`${address} does not answer`)));
      const parts: Buffer[] = [];
      let status: Record<string, unknown> = {};
      const keep = (headers: object): void => {
        status = { ...status, ...headers };
      };
      stream.on("response", keep);
      stream.on("trailers", keep);
      stream.on("data", (chunk: Buffer) => parts.push(chunk));
      // Of a connection that there was not, the cause says it.
      stream.on("error", (e: Error & { cause?: unknown }) =>
        reject(new Error(`cannot reach ${address}: ${e.cause instanceof Error ? e.cause.message : e.message}`)),
      );
      // After the error, if there is one.
      stream.on("close", () =>
        reject(new Error(`${address} ends the connection without an answer${tls ? "" : ": if it speaks TLS, --tls or --tls-ca"}`)),
      );
      stream.on("end", () => {
        if (status[":status"] === undefined) return;
        if (status["grpc-status"] === "0") resolve(decode(method.output, Buffer.concat(parts).subarray(FRAME)));
        else reject(new Error(decodeURIComponent(String(status["grpc-message"] ?? `status ${status[":status"]}`))));
      });
      stream.end(frame);
    });
  } finally {
    session.destroy();
  }
}
