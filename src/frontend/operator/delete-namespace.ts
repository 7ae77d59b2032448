/** OperatorService.DeleteNamespace: checks; the deleting is a worker's. */
import type { DeleteNamespaceRequest, DeleteNamespaceResponse } from "../../../gen/wire/temporal/api/operatorservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { failedPrecondition, invalidArgument, namespaceNotFound } from "../../api/service-error.js";
import { cappedMicros } from "../../api/time.js";
import type { NamespaceEntry } from "../../namespace/record.js";
import { SYSTEM_NAMESPACE } from "../../namespace/registry.js";
import { checkDeletable } from "../cloud/namespaces.js";
import type { Services } from "../services.js";

export const deleteNamespace =
  (s: Services): Handler<DeleteNamespaceRequest, DeleteNamespaceResponse> =>
  async (request) => {
    const { namespace, namespaceId } = request;
    if (namespace === "" && namespaceId === "") throw invalidArgument("Namespace not set on request.");
    if (namespace !== "" && namespaceId !== "") throw invalidArgument("Only one of namespace name or Id should be set on request.");
    const entry = find(s, namespace, namespaceId);
    const { view } = entry;
    if (view.name === SYSTEM_NAMESPACE) throw failedPrecondition("unable to delete system namespace");
    checkDeletable(s, entry);
    const limits = s.limits(view.name);
    const delay = request.namespaceDeleteDelay === undefined ? limits.namespaceDeleteDelay : cappedMicros(request.namespaceDeleteDelay);
    return { deletedNamespace: await s.namespaceDeletion.begin(view.id, delay) };
  };

function find(s: Services, namespace: string, id: string): NamespaceEntry {
  const { directory } = s.namespaces;
  const entry = namespace === "" ? directory.entryById(id) : directory.entryByName(namespace);
  if (entry === undefined) throw namespaceNotFound(namespace || id);
  return entry;
}
