/**
 * CloudService: API keys, of users and service accounts. They are those that `perdure key` and KeyService know: a key without an owner
 * shows none here. Everybody has their own keys to make, look at, change and delete, who administers the server all of them.
 */
import type { ApiKeyRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type {
  CreateApiKeyRequest,
  CreateApiKeyResponse,
  DeleteApiKeyRequest,
  DeleteApiKeyResponse,
  GetApiKeyRequest,
  GetApiKeyResponse,
  GetApiKeysRequest,
  GetApiKeysResponse,
  UpdateApiKeyRequest,
  UpdateApiKeyResponse,
} from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/request_response.js";
import { CloudService } from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/service.js";
import { type ApiKeySpec, type ApiKey as CloudApiKey, OwnerType } from "../../../gen/wire/temporal/api/cloud/identity/v1/message.js";
import { ResourceState } from "../../../gen/wire/temporal/api/cloud/resource/v1/message.js";
import type { Call, Handler } from "../../api/call.js";
import { alreadyExists, invalidArgument, notFound, permissionDenied } from "../../api/service-error.js";
import { timestamp, timestampMicros, timestampOf } from "../../api/time.js";
import type { Init } from "../../api/wire.js";
import type { ApiKey } from "../../authorization/api-keys.js";
import { asyncOperation } from "../../cloud/operations.js";
import { page } from "../../cloud/page.js";
import { checkVersion } from "../../cloud/resource-table.js";
import type { Services } from "../services.js";
import { administersNamespace, checkMayTouch, isAdministrator } from "./authority.js";
import { changing } from "./changing.js";

const M = CloudService.methods;
const DESCRIPTION_LENGTH_MAX = 1000;

type OwnerKind = "user" | "service-account";
interface Owner {
  readonly kind: OwnerKind;
  readonly id: string;
}

const TYPES: Readonly<Record<OwnerKind, OwnerType>> = { user: OwnerType.USER, "service-account": OwnerType.SERVICE_ACCOUNT };

function kindOf(type: OwnerType, old: string): OwnerKind | undefined {
  if (type === OwnerType.USER || (type === 0 && old === "user")) return "user";
  return type === OwnerType.SERVICE_ACCOUNT || (type === 0 && old === "service-account") ? "service-account" : undefined;
}

export function apiKeyOf(s: Services, { id, record, version }: ApiKey): Init<CloudApiKey> {
  const isExpired = record.expireTime !== 0 && record.expireTime <= s.runtime.nowMicros();
  return {
    id,
    resourceVersion: String(version),
    spec: {
      ownerId: record.owner?.id ?? "",
      ownerType: TYPES[record.owner?.kind as OwnerKind] ?? OwnerType.UNSPECIFIED,
      displayName: record.name,
      description: record.description,
      expiryTime: timestamp(record.expireTime),
      disabled: record.disabled,
    },
    state: isExpired ? ResourceState.EXPIRED : ResourceState.ACTIVE,
    createdTime: timestampOf(record.createTime),
    lastModifiedTime: version === 1 ? undefined : timestampOf(record.updateTime),
  };
}

/** Whether the keys of an owner are the caller's to manage. Keys of an account that is bound to a namespace are its administrators'. */
function manages(s: Services, call: Call, owner: Owner | undefined): boolean {
  if (isAdministrator(call)) return true;
  if (owner === undefined) return false;
  const { identity } = call;
  if (identity?.kind === owner.kind && identity.id === owner.id) return true;
  const bound = owner.kind === "user" ? undefined : s.cloud.serviceAccounts.find(owner.id)?.spec.namespaceScopedAccess;
  return bound !== undefined && administersNamespace(call, bound.namespace);
}

const ownerOf = ({ owner }: ApiKeyRecord): Owner | undefined => (owner === undefined ? undefined : { kind: owner.kind as OwnerKind, id: owner.id });

/** The key, if the caller may know of it. @throws NOT_FOUND */
function visible(s: Services, call: Call, id: string): ApiKey {
  if (id === "") throw invalidArgument("key_id is not set on request.");
  const key = s.apiKeys.find(id);
  // A key by which the call is made is the caller's, whoever its owner is.
  if (key === undefined || !(call.identity?.keyId === id || manages(s, call, ownerOf(key.record)))) throw notFound(`API key ${id} is not found.`);
  return key;
}

export const getApiKeys =
  (s: Services): Handler<GetApiKeysRequest, GetApiKeysResponse> =>
  (request, call) => {
    const { ownerId, ownerType, ownerTypeDeprecated } = request;
    const kind = kindOf(ownerType, ownerTypeDeprecated);
    const all = s.apiKeys
      .list()
      .filter(({ id, record }) => {
        const owner = ownerOf(record);
        const isWanted = (ownerId === "" || owner?.id === ownerId) && (kind === undefined || owner?.kind === kind);
        return isWanted && (call.identity?.keyId === id || manages(s, call, owner));
      })
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    const { items, nextPageToken } = page(all, (k) => k.id, request);
    return { apiKeys: items.map((k) => apiKeyOf(s, k)), nextPageToken };
  };

export const getApiKey =
  (s: Services): Handler<GetApiKeyRequest, GetApiKeyResponse> =>
  ({ keyId }, call) => ({ apiKey: apiKeyOf(s, visible(s, call, keyId)) });

export const createApiKey =
  (s: Services): Handler<CreateApiKeyRequest, CreateApiKeyResponse> =>
  async (request, call) => {
    let token = "";
    const { operation, again } = await s.cloud.change(call, M.CreateApiKey, request, async (draft) => {
      const spec = checkSpec(request.spec);
      const owner = checkOwner(s, call, spec);
      const wanted = { name: spec.displayName, description: spec.description, owner, expireTime: timestampMicros(spec.expiryTime) };
      const created = await s.apiKeys.create({ ...wanted, disabled: spec.disabled }, (batch, id) => {
        draft.about(id);
        draft.into(batch);
      });
      token = created.token;
    });
    // It was shown once.
    if (again)
      throw alreadyExists(`the API key of async operation ${operation.id} has been created and its token shown: ${operation.record.resourceId}`);
    return { keyId: operation.record.resourceId, token, asyncOperation: asyncOperation(operation) };
  };

export const updateApiKey = (s: Services): Handler<UpdateApiKeyRequest, UpdateApiKeyResponse> =>
  changing(s, M.UpdateApiKey, async ({ keyId, spec: given, resourceVersion }, draft, call) => {
    const key = visible(s, call, keyId);
    const spec = checkSpec(given);
    checkVersion(`API key ${keyId}`, String(key.version), resourceVersion);
    const owner = ownerOf(key.record);
    checkManages(s, call, owner);
    const kind = kindOf(spec.ownerType, spec.ownerTypeDeprecated);
    if ((spec.ownerId !== "" && spec.ownerId !== owner?.id) || (kind !== undefined && kind !== owner?.kind))
      throw invalidArgument("the owner of an API key cannot be changed");
    draft.about(keyId);
    const { displayName: name, description, disabled } = spec;
    await s.apiKeys.update(keyId, { name, description, disabled, expireTime: timestampMicros(spec.expiryTime) }, (batch) => draft.into(batch));
  });

export const deleteApiKey = (s: Services): Handler<DeleteApiKeyRequest, DeleteApiKeyResponse> =>
  changing(s, M.DeleteApiKey, async ({ keyId, resourceVersion }, draft, call) => {
    const key = visible(s, call, keyId);
    checkVersion(`API key ${keyId}`, String(key.version), resourceVersion);
    checkManages(s, call, ownerOf(key.record));
    draft.about(keyId);
    await s.apiKeys.delete(keyId, (batch) => draft.into(batch));
  });

/** @throws ServiceError */
function checkSpec(spec: ApiKeySpec | undefined): ApiKeySpec {
  if (spec === undefined || spec.displayName === "") throw invalidArgument("spec.display_name is not set on request.");
  if (spec.description.length > DESCRIPTION_LENGTH_MAX) throw invalidArgument(`description is longer than ${DESCRIPTION_LENGTH_MAX}`);
  // 1970 and before would read as never.
  if (spec.expiryTime !== undefined && spec.expiryTime.seconds <= 0) throw invalidArgument("API key expires in the past.");
  return spec;
}

/** @throws ServiceError */
function checkOwner(s: Services, call: Call, spec: ApiKeySpec): Owner {
  const kind = kindOf(spec.ownerType, spec.ownerTypeDeprecated);
  if (kind === undefined) throw invalidArgument("spec.owner_type is not set on request.");
  if (spec.ownerId === "") throw invalidArgument("spec.owner_id is not set on request.");
  const owner = { kind, id: spec.ownerId };
  checkManages(s, call, owner);
  // Not found, where the caller may know.
  if (kind === "user") s.cloud.users.get(owner.id);
  else s.cloud.serviceAccounts.get(owner.id);
  return owner;
}

/** @throws PERMISSION_DENIED */
function checkManages(s: Services, call: Call, owner: Owner | undefined): void {
  if (!manages(s, call, owner)) throw permissionDenied("Request unauthorized.", "");
  if (owner === undefined || (call.identity?.kind === owner.kind && call.identity.id === owner.id)) return;
  const holder = owner.kind === "user" ? s.cloud.users.find(owner.id) : s.cloud.serviceAccounts.find(owner.id);
  checkMayTouch(s, call, holder?.spec.access);
}
