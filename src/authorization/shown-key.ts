/** An API key as lists show it. */
import type { Key } from "../../gen/wire/perdure/security/v1/service.js";
import { timestampOf } from "../api/time.js";
import type { Init } from "../api/wire.js";
import type { ApiKey } from "./api-keys.js";

export function shownKey({ id, record }: ApiKey): Init<Key> {
  const { systemRole = "", namespaceRoles = {} } = record.access ?? {};
  return {
    id,
    name: record.name,
    // A key with an owner has no role of its own.
    role: record.owner === undefined ? systemRole || (Object.values(namespaceRoles)[0] ?? "") : `${record.owner.kind}:${record.owner.id}`,
    namespaces: Object.keys(namespaceRoles),
    disabled: record.disabled,
    createTime: timestampOf(record.createTime),
    expireTime: record.expireTime === 0 ? undefined : timestampOf(record.expireTime),
  };
}
