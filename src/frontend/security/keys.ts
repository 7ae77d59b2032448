/** The RPCs of our own KeyService: API keys of a running server. */
import type {
  CreateKeyRequest,
  CreateKeyResponse,
  DeleteKeyRequest,
  DeleteKeyResponse,
  ListKeysRequest,
  ListKeysResponse,
  SetKeyDisabledRequest,
  SetKeyDisabledResponse,
} from "../../../gen/wire/perdure/security/v1/service.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument } from "../../api/service-error.js";
import { timestampMicros } from "../../api/time.js";
import { keyWithRole } from "../../authorization/api-keys.js";
import { shownKey } from "../../authorization/shown-key.js";
import type { Services } from "../services.js";

export const createKey =
  (s: Services): Handler<CreateKeyRequest, CreateKeyResponse> =>
  async ({ name, role, namespaces, expireTime }) => {
    for (const namespace of namespaces) s.namespaces.view(namespace);
    if (expireTime !== undefined && expireTime.seconds <= 0) throw invalidArgument("API key expires in the past.");
    const wanted = keyWithRole(name, role, namespaces, expireTime === undefined ? 0 : timestampMicros(expireTime));
    const { key, token } = await s.apiKeys.create(wanted);
    return { key: shownKey(key), token };
  };

export const listKeys =
  (s: Services): Handler<ListKeysRequest, ListKeysResponse> =>
  () => ({ keys: s.apiKeys.list().map(shownKey) });

export const setKeyDisabled =
  (s: Services): Handler<SetKeyDisabledRequest, SetKeyDisabledResponse> =>
  async ({ id, disabled }) => ({ key: shownKey(await s.apiKeys.setDisabled(id, disabled)) });

export const deleteKey =
  (s: Services): Handler<DeleteKeyRequest, DeleteKeyResponse> =>
  async ({ id }) => {
    await s.apiKeys.delete(id);
    return {};
  };
