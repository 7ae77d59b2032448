/** The google.api.http bindings of services, read from their descriptors: which method and path call which RPC. */
import { type DescMethod, type DescService, getOption, hasOption } from "@bufbuild/protobuf";
import { http } from "../../../gen/es/google/api/annotations_pb.js";
import type { HttpRule } from "../../../gen/es/google/api/http_pb.js";
import { CloudService } from "../../../gen/es/temporal/api/cloud/cloudservice/v1/service_pb.js";
import { OperatorService } from "../../../gen/es/temporal/api/operatorservice/v1/service_pb.js";
import { WorkflowService } from "../../../gen/es/temporal/api/workflowservice/v1/service_pb.js";

/** Those that the official server serves by their bindings, and describes. */
export const OFFICIAL_SERVICES: readonly DescService[] = [WorkflowService, OperatorService];
/** Every service that is served by its bindings. */
export const BOUND_SERVICES: readonly DescService[] = [...OFFICIAL_SERVICES, CloudService];

export interface Binding {
  readonly method: "GET" | "PUT" | "POST" | "DELETE" | "PATCH";
  readonly template: string;
  /** The request is in the body, apart from what is in the path; without a body it is in the query. */
  readonly hasBody: boolean;
  readonly service: DescService;
  readonly rpc: DescMethod;
  /** "/package.Service/Method" */
  readonly path: string;
}

const METHODS = { get: "GET", put: "PUT", post: "POST", delete: "DELETE", patch: "PATCH" } as const;

export function bindingsOf(services: readonly DescService[]): Binding[] {
  return services.flatMap((service) =>
    service.methods.flatMap((rpc) => {
      if (!hasOption(rpc, http)) return [];
      const rule = getOption(rpc, http);
      return [rule, ...rule.additionalBindings].map((r) => binding(service, rpc, r));
    }),
  );
}

/** @throws Error when a binding is of a kind that no published service has. */
function binding(service: DescService, rpc: DescMethod, rule: HttpRule): Binding {
  const { pattern } = rule;
  const path = `/${service.typeName}/${rpc.name}`;
  if (pattern.case === undefined || pattern.case === "custom" || rule.responseBody !== "" || (rule.body !== "" && rule.body !== "*"))
    throw new Error(`${path}: a binding that is not supported`);
  return { method: METHODS[pattern.case], template: pattern.value, hasBody: rule.body === "*", service, rpc, path };
}
