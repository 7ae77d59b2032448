/** CloudService: the account, which is this installation; its one region; who calls; and what has been done. */
import { AccountSpec } from "../../../gen/wire/temporal/api/cloud/account/v1/message.js";
import type {
  GetAccountAuditLogSinksRequest,
  GetAccountAuditLogSinksResponse,
  GetAccountRequest,
  GetAccountResponse,
  GetAsyncOperationRequest,
  GetAsyncOperationResponse,
  GetAuditLogsRequest,
  GetAuditLogsResponse,
  GetCurrentIdentityRequest,
  GetCurrentIdentityResponse,
  GetRegionRequest,
  GetRegionResponse,
  GetRegionsRequest,
  GetRegionsResponse,
  UpdateAccountRequest,
  UpdateAccountResponse,
} from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/request_response.js";
import { CloudService } from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/service.js";
import { type Region, Region_CloudProvider } from "../../../gen/wire/temporal/api/cloud/region/v1/message.js";
import { ResourceState } from "../../../gen/wire/temporal/api/cloud/resource/v1/message.js";
import type { Handler } from "../../api/call.js";
import { failedPrecondition, invalidArgument, notFound } from "../../api/service-error.js";
import { MICROS_PER_SECOND, timestampMicros } from "../../api/time.js";
import type { Init } from "../../api/wire.js";
import { allows } from "../../authorization/permissions.js";
import { asyncOperation, logRecord } from "../../cloud/operations.js";
import { page } from "../../cloud/page.js";
import { checkVersion } from "../../cloud/resource-table.js";
import type { Services } from "../services.js";
import { apiKeyOf } from "./api-keys.js";
import { changing } from "./changing.js";
import { serviceAccountOf } from "./service-accounts.js";
import { userOf } from "./users.js";

const M = CloudService.methods;
/** There is one. */
const ACCOUNT = "account";
const LOG_MICROS_DEFAULT = 30 * 86_400 * MICROS_PER_SECOND;

export const getCurrentIdentity =
  (s: Services): Handler<GetCurrentIdentityRequest, GetCurrentIdentityResponse> =>
  (_request, { identity }) => {
    if (identity === undefined) throw failedPrecondition("nobody is asked who they are: the server was started without --auth");
    const key = identity.keyId === undefined ? undefined : s.apiKeys.find(identity.keyId);
    const user = identity.kind === "user" ? s.cloud.users.find(identity.id) : undefined;
    const account = identity.kind === "service-account" ? s.cloud.serviceAccounts.find(identity.id) : undefined;
    return {
      principal:
        user !== undefined
          ? { case: "user", value: userOf(s, user) }
          : account !== undefined
            ? { case: "serviceAccount", value: serviceAccountOf(s, account) }
            : { case: undefined },
      principalApiKey: key && apiKeyOf(s, key),
    };
  };

export const getAccount =
  (s: Services): Handler<GetAccountRequest, GetAccountResponse> =>
  () => {
    const account = s.cloud.accounts.find(ACCOUNT);
    return {
      account: {
        id: s.server.clusterId,
        spec: account?.spec ?? AccountSpec.create(),
        resourceVersion: String(account?.version ?? 0),
        state: ResourceState.ACTIVE,
        // Metrics are there whatever the specification says.
        metrics: { uri: `http://${s.server.address}/metrics` },
      },
    };
  };

export const updateAccount = (s: Services): Handler<UpdateAccountRequest, UpdateAccountResponse> =>
  changing(s, M.UpdateAccount, ({ spec, resourceVersion }, draft) => {
    if (spec === undefined) throw invalidArgument("spec is not set on request.");
    checkVersion("the account", String(s.cloud.accounts.find(ACCOUNT)?.version ?? 0), resourceVersion);
    if ((spec.metrics?.acceptedClientCa.length ?? 0) > 0)
      throw failedPrecondition("client certificates are accepted for the whole server (--tls-client-ca), the metrics with it");
    draft.put(s.cloud.accounts, ACCOUNT, spec);
    draft.about(s.server.clusterId);
  });

function regionOf(s: Services): Init<Region> {
  const id = s.limits("").cloudRegion;
  const [, provider, name = id] = /^(aws|gcp)-(.+)$/.exec(id) ?? [];
  const cloudProvider =
    provider === "aws" ? Region_CloudProvider.AWS : provider === "gcp" ? Region_CloudProvider.GCP : Region_CloudProvider.UNSPECIFIED;
  return { id, cloudProvider, cloudProviderRegion: name, location: "this installation" };
}

export const getRegions =
  (s: Services): Handler<GetRegionsRequest, GetRegionsResponse> =>
  () => ({ regions: [regionOf(s)] });

export const getRegion =
  (s: Services): Handler<GetRegionRequest, GetRegionResponse> =>
  ({ region }) => {
    if (region === "") throw invalidArgument("region is not set on request.");
    const here = regionOf(s);
    if (region !== here.id) throw notFound(`Region ${region} is not found.`);
    return { region: here };
  };

/** The caller's own, or any to whom sees the account. */
export const getAsyncOperation =
  (s: Services): Handler<GetAsyncOperationRequest, GetAsyncOperationResponse> =>
  ({ asyncOperationId }, { identity }) => {
    if (asyncOperationId === "") throw invalidArgument("async_operation_id is not set on request.");
    const operation = s.cloud.operations.find(asyncOperationId);
    const isOwn = operation?.record.principalKind === identity?.kind && operation?.record.principalId === identity?.id;
    const isVisible = identity === undefined || isOwn || allows(identity.access, "cluster.read", undefined);
    if (operation === undefined || !isVisible) throw notFound(`Async operation ${asyncOperationId} is not found.`);
    return { asyncOperation: asyncOperation(operation) };
  };

export const getAuditLogs =
  (s: Services): Handler<GetAuditLogsRequest, GetAuditLogsResponse> =>
  (request) => {
    const now = s.runtime.nowMicros();
    const from = request.startTimeInclusive === undefined ? now - LOG_MICROS_DEFAULT : timestampMicros(request.startTimeInclusive);
    const to = request.endTimeExclusive === undefined ? now + 1 : timestampMicros(request.endTimeExclusive);
    if (from >= to) throw invalidArgument("start_time_inclusive must be before end_time_exclusive");
    const key = ({ id, record }: (typeof all)[number]): string => `${String(record.startedTime).padStart(17, "0")}/${id}`;
    const all = s.cloud.operations.all().filter(({ record: { startedTime: t } }) => t >= from && t < to);
    const { items, nextPageToken } = page(
      all.sort((a, b) => (key(a) < key(b) ? -1 : 1)),
      key,
      request,
    );
    return { logs: items.map(logRecord), nextPageToken };
  };

/** There are none, since none can be made. */
export const noAuditLogSinks: Handler<GetAccountAuditLogSinksRequest, GetAccountAuditLogSinksResponse> = (request) => {
  page([], () => "", request);
  return {};
};

export const noAuditLogSink =
  <I extends { readonly name: string }, O>(): Handler<I, O> =>
  ({ name }) => {
    if (name === "") throw invalidArgument("name of the audit log sink is not set on request.");
    throw notFound(`Audit log sink ${name} is not found.`);
  };
