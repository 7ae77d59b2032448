/** Namespaces: make, look at, list. */
import { Code } from "../../api/service-error.js";
import { isObject, type Json, type JsonObject } from "../json/json-text.js";
import { booleanOf, listOf, objectOf, pageFields, type RestCall, type RestRoute, textOf } from "./rest-call.js";
import { missingField, RestError } from "./rest-error.js";

export const NAMESPACE_ROUTES: readonly RestRoute[] = [
  { method: "POST", template: "/namespaces", isShared: true, handler: register },
  { method: "GET", template: "/namespaces", isShared: true, handler: list },
  { method: "GET", template: "/namespaces/{namespace}", isShared: true, handler: describe },
];

async function register(call: RestCall): Promise<JsonObject> {
  const { history_archival_config: history, visibility_archival_config: visibility, is_global_namespace: isGlobal, ...fields } = call.fields;
  if (textOf(fields["namespace"]) === "") throw missingField("Namespace", "namespace");
  if (booleanOf("is_global_namespace", isGlobal))
    throw new RestError(
      { code: Code.FAILED_PRECONDITION, message: "Global namespaces need several clusters; this server is one.", details: [] },
      undefined,
      { type: "PreconditionFailure", field: "is_global_namespace", description: "must be false" },
    );
  await call.rpc("RegisterNamespace", { ...fields, ...archival("history", history), ...archival("visibility", visibility) });
  return {};
}

function archival(name: "history" | "visibility", config: Json | undefined): JsonObject {
  if (!isObject(config)) return {};
  const { state, uri, ...others } = config;
  return {
    ...(state === undefined ? {} : { [`${name}_archival_state`]: state }),
    ...(uri === undefined ? {} : { [`${name}_archival_uri`]: uri }),
    // Named as what is unknown.
    ...Object.fromEntries(Object.entries(others).map(([key, value]) => [`${name}_archival_config.${key}`, value])),
  };
}

async function describe(call: RestCall): Promise<JsonObject> {
  return description(await call.rpc("DescribeNamespace", { namespace: call.namespace }));
}

const description = (reply: JsonObject): JsonObject => ({
  namespace_info: reply["namespace_info"] ?? null,
  config: reply["config"] ?? null,
  replication_config: reply["replication_config"] ?? null,
  failover_version: reply["failover_version"] ?? "0",
  is_global_namespace: reply["is_global_namespace"] ?? false,
});

async function list(call: RestCall): Promise<JsonObject> {
  const reply = await call.rpc("ListNamespaces", pageFields(call.fields, "page_size"));
  return { namespaces: listOf(reply["namespaces"]).map((n) => description(objectOf(n))), next_page_token: textOf(reply["next_page_token"]) };
}
