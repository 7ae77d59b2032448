/** OperatorService: custom search attributes of a namespace. */
import type {
  AddSearchAttributesRequest,
  AddSearchAttributesResponse,
  ListSearchAttributesRequest,
  ListSearchAttributesResponse,
  RemoveSearchAttributesRequest,
  RemoveSearchAttributesResponse,
} from "../../../gen/wire/temporal/api/operatorservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument } from "../../api/service-error.js";
import { TYPE_NAMES } from "../../namespace/search-attribute-definitions.js";
import type { Services } from "../services.js";

function requireNamespace(namespace: string): void {
  if (namespace === "") throw invalidArgument("Namespace is not set on request.");
}

export const addSearchAttributes =
  (s: Services): Handler<AddSearchAttributesRequest, AddSearchAttributesResponse> =>
  async (request) => {
    const { namespace, searchAttributes } = request;
    if (Object.keys(searchAttributes).length === 0) throw invalidArgument("SearchAttributes are not set on request.");
    for (const [name, type] of Object.entries(searchAttributes)) {
      if (s.searchAttributes.isReserved(name)) throw invalidArgument(`Search attribute ${name} is reserved by system.`);
      if (!TYPE_NAMES.has(type)) throw invalidArgument(`Unknown search attribute type: ${type}.`);
    }
    requireNamespace(namespace);
    await s.namespaces.addSearchAttributes(namespace, searchAttributes);
    return {};
  };

export const removeSearchAttributes =
  (s: Services): Handler<RemoveSearchAttributesRequest, RemoveSearchAttributesResponse> =>
  async ({ namespace, searchAttributes }) => {
    if (searchAttributes.length === 0) throw invalidArgument("SearchAttributes are not set on request.");
    requireNamespace(namespace);
    const custom = s.namespaces.view(namespace).searchAttributes;
    for (const name of searchAttributes)
      if (!custom.has(name) && s.searchAttributes.predefined.has(name))
        throw invalidArgument(`Unable to remove non-custom search attributes: ${name}.`);
    await s.namespaces.removeSearchAttributes(namespace, searchAttributes);
    return {};
  };

export const listSearchAttributes =
  (s: Services): Handler<ListSearchAttributesRequest, ListSearchAttributesResponse> =>
  ({ namespace }) => {
    requireNamespace(namespace);
    const custom = [...s.namespaces.view(namespace).searchAttributes].map(([name, { type }]) => [name, type] as const);
    return { customAttributes: Object.fromEntries(custom), systemAttributes: Object.fromEntries(s.searchAttributes.predefined) };
  };
