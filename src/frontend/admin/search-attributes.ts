/** AdminService: custom search attributes of a namespace, as OperatorService has them. */
import { ListSearchAttributesRequest } from "../../../gen/wire/temporal/api/operatorservice/v1/request_response.js";
import type {
  AddSearchAttributesRequest,
  AddSearchAttributesResponse,
  GetSearchAttributesRequest,
  GetSearchAttributesResponse,
  RemoveSearchAttributesRequest,
  RemoveSearchAttributesResponse,
} from "../../../gen/wire/temporal/server/api/adminservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import * as operator from "../operator/search-attributes.js";
import type { Services } from "../services.js";

export const addSearchAttributes = (s: Services): Handler<AddSearchAttributesRequest, AddSearchAttributesResponse> => {
  const add = operator.addSearchAttributes(s);
  return async ({ namespace, searchAttributes }, call) => {
    await add({ namespace, searchAttributes }, call);
    return {};
  };
};

export const removeSearchAttributes = (s: Services): Handler<RemoveSearchAttributesRequest, RemoveSearchAttributesResponse> => {
  const remove = operator.removeSearchAttributes(s);
  return async ({ namespace, searchAttributes }, call) => {
    await remove({ namespace, searchAttributes }, call);
    return {};
  };
};

export const getSearchAttributes = (s: Services): Handler<GetSearchAttributesRequest, GetSearchAttributesResponse> => {
  const list = operator.listSearchAttributes(s);
  return async ({ namespace }, call) => {
    const { customAttributes, systemAttributes } = await list(ListSearchAttributesRequest.create({ namespace }), call);
    return { customAttributes, systemAttributes };
  };
};
