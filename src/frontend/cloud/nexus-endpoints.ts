/**
 * CloudService: Nexus endpoints. They are those of OperatorService, of one store, with the namespaces that may call them. Who may make
 * namespaces makes endpoints to those that they administer.
 */
import type { NexusEndpointRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type {
  CreateNexusEndpointRequest,
  CreateNexusEndpointResponse,
  DeleteNexusEndpointRequest,
  DeleteNexusEndpointResponse,
  GetNexusEndpointRequest,
  GetNexusEndpointResponse,
  GetNexusEndpointsRequest,
  GetNexusEndpointsResponse,
  UpdateNexusEndpointRequest,
  UpdateNexusEndpointResponse,
} from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/request_response.js";
import { CloudService } from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/service.js";
import type { Endpoint, EndpointSpec } from "../../../gen/wire/temporal/api/cloud/nexus/v1/message.js";
import { ResourceState } from "../../../gen/wire/temporal/api/cloud/resource/v1/message.js";
import { EndpointSpec as OfficialSpec } from "../../../gen/wire/temporal/api/nexus/v1/message.js";
import type { Call, Handler } from "../../api/call.js";
import { invalidArgument, notFound, permissionDenied } from "../../api/service-error.js";
import { timestamp, timestampOf } from "../../api/time.js";
import type { Init } from "../../api/wire.js";
import { allowsAction } from "../../authorization/permissions.js";
import { actionOf } from "../../cloud/custom-roles.js";
import { page } from "../../cloud/page.js";
import { checkVersion } from "../../cloud/resource-table.js";
import type { Services } from "../services.js";
import { administersNamespace, isAdministrator } from "./authority.js";
import { changing } from "./changing.js";

const M = CloudService.methods;

function endpointOf(s: Services, r: NexusEndpointRecord): Init<Endpoint> {
  const nameOf = (id: string): string => s.namespaces.directory.byId(id)?.name ?? "";
  return {
    id: r.id,
    resourceVersion: String(r.version),
    spec: {
      name: r.name,
      description: r.description,
      // One that leads elsewhere has no target that can be said here.
      targetSpec:
        r.url !== "" ? undefined : { variant: { case: "workerTargetSpec", value: { namespaceId: nameOf(r.namespaceId), taskQueue: r.taskQueue } } },
      policySpecs: r.allowedNamespaceIds
        .map(nameOf)
        .filter((name) => name !== "")
        .map((namespaceId) => ({ variant: { case: "allowedCloudNamespacePolicySpec", value: { namespaceId } } })),
    },
    state: ResourceState.ACTIVE,
    createdTime: timestampOf(r.createdTime),
    lastModifiedTime: timestamp(r.lastModifiedTime),
  };
}

/** @throws ServiceError */
function find(s: Services, id: string): NexusEndpointRecord {
  if (id === "") throw invalidArgument("endpoint_id is not set on request.");
  const found = s.nexusEndpoints.byId(id);
  if (found === undefined) throw notFound(`Nexus endpoint ${id} is not found.`);
  return found;
}

export const getNexusEndpoints =
  (s: Services): Handler<GetNexusEndpointsRequest, GetNexusEndpointsResponse> =>
  (request) => {
    const { name, targetNamespaceId, targetTaskQueue } = request;
    const target = targetNamespaceId === "" ? "" : s.namespaces.view(targetNamespaceId).id;
    const all = s.nexusEndpoints
      .all()
      .filter(
        (r) =>
          (name === "" || r.name === name) &&
          (target === "" || r.namespaceId === target) &&
          (targetTaskQueue === "" || r.taskQueue === targetTaskQueue),
      );
    const { items, nextPageToken } = page(all, (r) => r.id, request);
    return { endpoints: items.map((r) => endpointOf(s, r)), nextPageToken };
  };

export const getNexusEndpoint =
  (s: Services): Handler<GetNexusEndpointRequest, GetNexusEndpointResponse> =>
  ({ endpointId }) => ({ endpoint: endpointOf(s, find(s, endpointId)) });

export const createNexusEndpoint = (s: Services): Handler<CreateNexusEndpointRequest, CreateNexusEndpointResponse> =>
  changing(
    s,
    M.CreateNexusEndpoint,
    async ({ spec }, draft, call) => {
      const { official, allowedNamespaceIds } = checkSpec(s, call, "CreateNexusEndpoint", "", spec);
      await s.nexusEndpoints.create(official, {
        allowedNamespaceIds,
        also: (batch, id) => {
          draft.about(id);
          draft.into(batch);
        },
      });
    },
    (endpointId, operation) => ({ endpointId, ...operation }),
  );

export const updateNexusEndpoint = (s: Services): Handler<UpdateNexusEndpointRequest, UpdateNexusEndpointResponse> =>
  changing(s, M.UpdateNexusEndpoint, async ({ endpointId, spec, resourceVersion }, draft, call) => {
    const old = find(s, endpointId);
    checkVersion(`Nexus endpoint ${endpointId}`, String(old.version), resourceVersion);
    checkManages(s, call, "UpdateNexusEndpoint", endpointId, old.namespaceId);
    const { official, allowedNamespaceIds } = checkSpec(s, call, "UpdateNexusEndpoint", endpointId, spec);
    draft.about(endpointId);
    await s.nexusEndpoints.update(endpointId, old.version, official, { allowedNamespaceIds, also: (batch) => draft.into(batch) });
  });

export const deleteNexusEndpoint = (s: Services): Handler<DeleteNexusEndpointRequest, DeleteNexusEndpointResponse> =>
  changing(s, M.DeleteNexusEndpoint, async ({ endpointId, resourceVersion }, draft, call) => {
    const old = find(s, endpointId);
    checkVersion(`Nexus endpoint ${endpointId}`, String(old.version), resourceVersion);
    checkManages(s, call, "DeleteNexusEndpoint", endpointId, old.namespaceId);
    draft.about(endpointId);
    await s.nexusEndpoints.delete(endpointId, old.version, (batch) => draft.into(batch));
  });

/** @throws PERMISSION_DENIED unless the caller administers the target, or has a role for the endpoint. */
function checkManages(s: Services, call: Call, rpc: string, endpointId: string, namespaceId: string): void {
  const target = s.namespaces.directory.byId(namespaceId)?.name;
  if (isAdministrator(call) || (target !== undefined && administersNamespace(call, target))) return;
  if (call.identity !== undefined && allowsAction(call.identity.access, actionOf(rpc), { endpointId })) return;
  throw permissionDenied("Request unauthorized.", "");
}

/** The specification as OperatorService has it; the registry checks the rest. @throws ServiceError */
function checkSpec(
  s: Services,
  call: Call,
  rpc: string,
  endpointId: string,
  spec: EndpointSpec | undefined,
): { official: OfficialSpec; allowedNamespaceIds: string[] } {
  const target = spec?.targetSpec?.variant;
  if (spec === undefined || target?.case === undefined) throw invalidArgument("spec.target_spec is not set on request.");
  const { namespaceId: namespace, taskQueue } = target.value;
  checkManages(s, call, rpc, endpointId, s.cloud.namespaceId(namespace) ?? "");
  const allowedNamespaceIds = spec.policySpecs.map(({ variant }) => {
    if (variant.case === undefined) throw invalidArgument("a policy of the endpoint is not set on request.");
    return s.namespaces.view(variant.value.namespaceId).id;
  });
  const official = OfficialSpec.create({
    name: spec.name,
    description: spec.description,
    target: { variant: { case: "worker", value: { namespace, taskQueue } } },
  });
  return { official, allowedNamespaceIds: [...new Set(allowedNamespaceIds)] };
}
