/**
 * CloudService: namespaces. They are those of the registry, whoever made them, with what CloudService alone keeps of them beside
 * (settings, tags). A namespace goes by the name that it was given: there is one account.
 */
import type {
  CreateNamespaceRequest,
  CreateNamespaceResponse,
  DeleteNamespaceRequest,
  DeleteNamespaceResponse,
  FailoverNamespaceRegionRequest,
  FailoverNamespaceRegionResponse,
  GetNamespaceCapacityInfoRequest,
  GetNamespaceCapacityInfoResponse,
  GetNamespaceRequest,
  GetNamespaceResponse,
  GetNamespacesRequest,
  GetNamespacesResponse,
  RenameCustomSearchAttributeRequest,
  RenameCustomSearchAttributeResponse,
  UpdateNamespaceRequest,
  UpdateNamespaceResponse,
  UpdateNamespaceTagsRequest,
  UpdateNamespaceTagsResponse,
} from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/request_response.js";
import { CloudService } from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/service.js";
import { NamespaceAccess_Permission } from "../../../gen/wire/temporal/api/cloud/identity/v1/message.js";
import { type Namespace, NamespaceRegionStatus_State, Replica_ReplicaState } from "../../../gen/wire/temporal/api/cloud/namespace/v1/message.js";
import { ResourceState } from "../../../gen/wire/temporal/api/cloud/resource/v1/message.js";
import { NamespaceState } from "../../../gen/wire/temporal/api/enums/v1/namespace.js";
import type { Call, Handler } from "../../api/call.js";
import { failedPrecondition, invalidArgument, namespaceNotFound, permissionDenied } from "../../api/service-error.js";
import { timestamp, timestampOf } from "../../api/time.js";
import { copyMap, type Init } from "../../api/wire.js";
import { allows, allowsAction } from "../../authorization/permissions.js";
import { withNamespaceAccess } from "../../cloud/access.js";
import { actionOf } from "../../cloud/custom-roles.js";
import type { Draft } from "../../cloud/draft.js";
import { type Before, checkNamespace, checkTags, type Installation, retentionDays, shownAttributes, UNTOUCHED } from "../../cloud/namespace-spec.js";
import type { Operation } from "../../cloud/operations.js";
import { page } from "../../cloud/page.js";
import { checkVersion } from "../../cloud/resource-table.js";
import type { NamespaceEntry } from "../../namespace/record.js";
import { SYSTEM_NAMESPACE } from "../../namespace/registry.js";
import type { Services } from "../services.js";
import { isAdministrator } from "./authority.js";
import { changing } from "./changing.js";
import { ruleOf } from "./connectivity-rules.js";

const M = CloudService.methods;
const NAME_LENGTH_MAX = 255;

/** The namespace of a name that is in use. @throws NamespaceNotFound */
export function liveNamespace(s: Services, name: string): NamespaceEntry {
  const entry = s.namespaces.entry(name);
  if (entry.view.state === NamespaceState.DELETED || name === SYSTEM_NAMESPACE) throw namespaceNotFound(name);
  return entry;
}

const installation = (s: Services): Installation => ({
  region: s.limits("").cloudRegion,
  isFair: s.limits("").isFairnessEnabled,
  hasConnectivityRule: (id) => s.cloud.connectivityRules.find(id) !== undefined,
});

/** Of the registry's row and of what is kept beside it. */
const versionOf = (s: Services, { version, view }: NamespaceEntry): string => `${version}.${s.cloud.namespaceSettings.find(view.id)?.version ?? 0}`;

function namespaceOf(s: Services, entry: NamespaceEntry): Init<Namespace> {
  const { view, record } = entry;
  const kept = s.cloud.namespaceSettings.find(view.id);
  const spec = kept?.spec ?? UNTOUCHED;
  const { region, isFair } = installation(s);
  const isOpen = spec.apiKeyAuth?.enabled === true;
  return {
    namespace: view.name,
    resourceVersion: versionOf(s, entry),
    spec: {
      ...spec,
      name: view.name,
      regions: [region],
      replicas: [{ region }],
      retentionDays: retentionDays(view.retention),
      searchAttributes: shownAttributes(view.searchAttributes),
      capacitySpec: { spec: { case: "onDemand", value: {} } },
      fairness: { taskQueueFairnessEnabled: isFair },
    },
    state: ResourceState.ACTIVE,
    endpoints: { grpcAddress: isOpen ? s.server.address : "" },
    activeRegion: region,
    limits: { actionsPerSecondLimit: s.limits(view.name).namespaceRps },
    createdTime: timestampOf(record.createTime),
    lastModifiedTime: timestamp(kept?.record.updateTime ?? 0),
    regionStatus: { [region]: { state: NamespaceRegionStatus_State.ACTIVE } },
    connectivityRules: spec.connectivityRuleIds.flatMap((id) => {
      const rule = s.cloud.connectivityRules.find(id);
      return rule === undefined ? [] : [ruleOf(rule)];
    }),
    tags: kept?.record.tags ?? {},
    capacity: { currentMode: { case: "onDemand", value: {} } },
    replicas: [{ id: region, isPrimary: true, state: Replica_ReplicaState.ACTIVE, region }],
  };
}

/** A namespace that is on its way out, under the name that it had. */
function leaving(s: Services, { id, record }: Operation): Init<Namespace> | undefined {
  const entry = s.namespaces.directory.entryById(record.namespaceId);
  if (entry === undefined) return undefined;
  const shown = namespaceOf(s, entry);
  return {
    ...shown,
    namespace: record.namespace,
    spec: { ...shown.spec, name: record.namespace },
    state: ResourceState.DELETING,
    asyncOperationId: id,
  };
}

const deletions = (s: Services): Operation[] => s.cloud.operations.all().filter(({ record: r }) => r.finishedTime === 0 && r.namespaceId !== "");

/** What the caller may see: as RPCs of namespaces are allowed, or all with the action of the list. */
function isShownTo({ identity }: Call): (name: string) => boolean {
  if (identity === undefined || allowsAction(identity.access, actionOf("GetNamespaces"), {})) return () => true;
  return (name) => allows(identity.access, "namespace.read", name);
}

export const getNamespaces =
  (s: Services): Handler<GetNamespacesRequest, GetNamespacesResponse> =>
  (request, call) => {
    const isShown = isShownTo(call);
    const live = s.namespaces.directory
      .entries()
      .filter(({ view }) => view.state !== NamespaceState.DELETED && view.name !== SYSTEM_NAMESPACE)
      .map((e) => namespaceOf(s, e));
    const names = new Set(live.map((n) => n.namespace));
    const gone = deletions(s).flatMap((o) => leaving(s, o) ?? []);
    const all = [...live, ...gone.filter((n) => !names.has(n.namespace))]
      .filter(({ namespace = "" }) => isShown(namespace) && (request.name === "" || namespace === request.name))
      .sort((a, b) => ((a.namespace ?? "") < (b.namespace ?? "") ? -1 : 1));
    const { items, nextPageToken } = page(all, (n) => n.namespace ?? "", request);
    return { namespaces: items, nextPageToken };
  };

export const getNamespace =
  (s: Services): Handler<GetNamespaceRequest, GetNamespaceResponse> =>
  ({ namespace }) => {
    if (s.namespaces.directory.byName(namespace) === undefined) {
      const deletion = deletions(s).findLast((o) => o.record.namespace === namespace);
      const shown = deletion && leaving(s, deletion);
      if (shown !== undefined) return { namespace: shown };
    }
    return { namespace: namespaceOf(s, liveNamespace(s, namespace)) };
  };

export const createNamespace = (s: Services): Handler<CreateNamespaceRequest, CreateNamespaceResponse> =>
  changing(
    s,
    M.CreateNamespace,
    async ({ spec, tags }, draft, call) => {
      const { settings, kept } = checkNamespace(spec, undefined, installation(s));
      const name = spec?.name ?? "";
      if (name.length > NAME_LENGTH_MAX) throw invalidArgument(`name of the namespace is longer than ${NAME_LENGTH_MAX}`);
      if (Object.keys(tags).length > 0 && !isAdministrator(call)) throw permissionDenied("Request unauthorized: tags are for administrators.", "");
      const given = checkTags(copyMap(tags));
      await s.namespaces.create(name, settings, (batch, id) => {
        draft.about(name, name);
        draft.put(s.cloud.namespaceSettings, id, kept, { tags: given });
        giveToMaker(s, call, draft, name, id);
        draft.into(batch);
      });
    },
    (namespace, operation) => ({ namespace, ...operation }),
  );

/** Who makes a namespace and has not all of them administers it. */
function giveToMaker(s: Services, call: Call, draft: Draft, name: string, namespaceId: string): void {
  const { identity } = call;
  if (identity === undefined || isAdministrator(call) || (identity.kind !== "user" && identity.kind !== "service-account")) return;
  const put = <S extends { access: Parameters<typeof withNamespaceAccess>[0] | undefined }>(
    table: Parameters<typeof draft.put<S>>[0],
    specOf: (spec: S, access: Parameters<typeof withNamespaceAccess>[0]) => Init<S>,
  ): void => {
    const maker = table.find(identity.id);
    if (maker?.spec.access === undefined) return;
    const access = withNamespaceAccess(maker.spec.access, name, NamespaceAccess_Permission.ADMIN);
    draft.put(table, maker.id, specOf(maker.spec, access), { namespaceIds: { ...maker.record.namespaceIds, [name]: namespaceId } });
  };
  if (identity.kind === "user") put(s.cloud.users, ({ email }, access) => ({ email, access }));
  else put(s.cloud.serviceAccounts, (spec, access) => ({ ...spec, access }));
}

export const updateNamespace = (s: Services): Handler<UpdateNamespaceRequest, UpdateNamespaceResponse> =>
  changing(s, M.UpdateNamespace, async ({ namespace, spec, resourceVersion }, draft) => {
    const entry = liveNamespace(s, namespace);
    checkVersion(`namespace ${namespace}`, versionOf(s, entry), resourceVersion);
    const before: Before = { name: namespace, attributes: entry.view.searchAttributes };
    const { settings, kept } = checkNamespace(spec, before, installation(s));
    draft.about(namespace, namespace);
    draft.put(s.cloud.namespaceSettings, entry.view.id, kept);
    await s.namespaces.configure(namespace, settings, (batch) => draft.into(batch));
  });

export const updateNamespaceTags = (s: Services): Handler<UpdateNamespaceTagsRequest, UpdateNamespaceTagsResponse> =>
  changing(s, M.UpdateNamespaceTags, ({ namespace, tagsToUpsert, tagsToRemove }, draft) => {
    const { view } = liveNamespace(s, namespace);
    if (Object.keys(tagsToUpsert).length === 0 && tagsToRemove.length === 0)
      throw invalidArgument("at least one of tags_to_upsert and tags_to_remove must be set on request.");
    const kept = s.cloud.namespaceSettings.find(view.id);
    const left = Object.entries(kept?.record.tags ?? {}).filter(([key]) => !tagsToRemove.includes(key));
    const tags = checkTags({ ...Object.fromEntries(left), ...copyMap(tagsToUpsert) });
    draft.put(s.cloud.namespaceSettings, view.id, kept?.spec ?? UNTOUCHED, { tags });
    draft.about(namespace, namespace);
  });

export const renameCustomSearchAttribute = (s: Services): Handler<RenameCustomSearchAttributeRequest, RenameCustomSearchAttributeResponse> =>
  changing(s, M.RenameCustomSearchAttribute, async (request, draft) => {
    const { namespace, existingCustomSearchAttributeName: from, newCustomSearchAttributeName: to, resourceVersion } = request;
    const entry = liveNamespace(s, namespace);
    checkVersion(`namespace ${namespace}`, versionOf(s, entry), resourceVersion);
    draft.about(namespace, namespace);
    await s.namespaces.renameSearchAttribute(namespace, from, to, (batch) => draft.into(batch));
  });

export const deleteNamespace = (s: Services): Handler<DeleteNamespaceRequest, DeleteNamespaceResponse> =>
  changing(s, M.DeleteNamespace, async ({ namespace, resourceVersion }, draft) => {
    const entry = liveNamespace(s, namespace);
    checkVersion(`namespace ${namespace}`, versionOf(s, entry), resourceVersion);
    checkDeletable(s, entry);
    draft.about(namespace, namespace);
    // Everything of it has yet to go.
    draft.operation.namespaceId = entry.view.id;
    draft.operation.finishedTime = 0;
    await s.namespaceDeletion.begin(entry.view.id, s.limits(namespace).namespaceDeleteDelay, (batch) => draft.into(batch));
  });

/** @throws FAILED_PRECONDITION */
export function checkDeletable(s: Services, { view }: NamespaceEntry): void {
  if (s.limits(view.name).protectedNamespaces.includes(view.name)) throw failedPrecondition(`namespace ${view.name} is protected from deletion`);
  if (s.cloud.namespaceSettings.find(view.id)?.spec.lifecycle?.enableDeleteProtection === true)
    throw failedPrecondition(`namespace ${view.name} is protected from deletion: lifecycle.enable_delete_protection`);
  const endpoint = s.limits(view.name).canDeleteEndpointTargets ? undefined : s.nexusEndpoints.targeting(view.id);
  if (endpoint !== undefined) throw failedPrecondition(`cannot delete a namespace that is a target of a Nexus endpoint ${endpoint}`);
}

export const failoverNamespaceRegion = (s: Services): Handler<FailoverNamespaceRegionRequest, FailoverNamespaceRegionResponse> =>
  changing(s, M.FailoverNamespaceRegion, ({ namespace, region }) => {
    liveNamespace(s, namespace);
    const { region: here } = installation(s);
    if (region === "") throw invalidArgument("region is not set on request.");
    if (region !== here) throw invalidArgument(`namespace ${namespace} is not available in region ${JSON.stringify(region)}`);
    throw failedPrecondition(`namespace ${namespace} is active in ${here} already, its only region`);
  });

export const getNamespaceCapacityInfo =
  (s: Services): Handler<GetNamespaceCapacityInfoRequest, GetNamespaceCapacityInfoResponse> =>
  ({ namespace }) => {
    liveNamespace(s, namespace);
    return {
      capacityInfo: {
        namespace,
        currentCapacity: { currentMode: { case: "onDemand", value: {} } },
        modeOptions: { provisioned: {}, onDemand: { apsLimit: s.limits(namespace).namespaceRps } },
      },
    };
  };
