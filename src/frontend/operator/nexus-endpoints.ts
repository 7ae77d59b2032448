/** OperatorService: Nexus endpoints. */
import type { NexusEndpointRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { Endpoint } from "../../../gen/wire/temporal/api/nexus/v1/message.js";
import type {
  CreateNexusEndpointRequest,
  CreateNexusEndpointResponse,
  DeleteNexusEndpointRequest,
  DeleteNexusEndpointResponse,
  GetNexusEndpointRequest,
  GetNexusEndpointResponse,
  ListNexusEndpointsRequest,
  ListNexusEndpointsResponse,
  UpdateNexusEndpointRequest,
  UpdateNexusEndpointResponse,
} from "../../../gen/wire/temporal/api/operatorservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { timestamp } from "../../api/time.js";
import type { Init } from "../../api/wire.js";
import type { Services } from "../services.js";

export const createNexusEndpoint =
  (s: Services): Handler<CreateNexusEndpointRequest, CreateNexusEndpointResponse> =>
  async ({ spec }) => ({ endpoint: endpoint(s, await s.nexusEndpoints.create(spec)) });

export const updateNexusEndpoint =
  (s: Services): Handler<UpdateNexusEndpointRequest, UpdateNexusEndpointResponse> =>
  async ({ id, version, spec }) => ({ endpoint: endpoint(s, await s.nexusEndpoints.update(id, version, spec)) });

export const deleteNexusEndpoint =
  (s: Services): Handler<DeleteNexusEndpointRequest, DeleteNexusEndpointResponse> =>
  async ({ id, version }) => {
    await s.nexusEndpoints.delete(id, version);
    return {};
  };

export const getNexusEndpoint =
  (s: Services): Handler<GetNexusEndpointRequest, GetNexusEndpointResponse> =>
  ({ id }) => ({ endpoint: endpoint(s, s.nexusEndpoints.get(id)) });

export const listNexusEndpoints =
  (s: Services): Handler<ListNexusEndpointsRequest, ListNexusEndpointsResponse> =>
  (request) => {
    const { records, next } = s.nexusEndpoints.list(request);
    return { endpoints: records.map((r) => endpoint(s, r)), nextPageToken: Buffer.from(next) };
  };

function endpoint(s: Services, r: NexusEndpointRecord): Init<Endpoint> {
  const target =
    r.url !== ""
      ? ({ case: "external", value: { url: r.url } } as const)
      : ({ case: "worker", value: { namespace: s.namespaces.directory.byId(r.namespaceId)?.name ?? "", taskQueue: r.taskQueue } } as const);
  return {
    version: r.version,
    id: r.id,
    spec: { name: r.name, description: r.description, target: { variant: target } },
    createdTime: timestamp(r.createdTime),
    lastModifiedTime: timestamp(r.lastModifiedTime),
    urlPrefix: `/nexus/endpoints/${r.id}/services`,
  };
}
