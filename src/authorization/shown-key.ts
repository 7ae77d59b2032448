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
    role: systemRole || (Object.values(namespaceRoles)[0] ?? ""),
    namespaces: Object.keys(namespaceRoles),
    disabled: record.disabled,
    createTime: timestampOf(record.createTime),
    expireTime: record.expireTime === 0 ? undefined : timestampOf(record.expireTime),
  };
}
