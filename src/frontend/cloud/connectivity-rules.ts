/** CloudService: connectivity rules. Those of the public internet hold as they are; private links are between networks of a cloud's customers. */
import type {
  CreateConnectivityRuleRequest,
  CreateConnectivityRuleResponse,
  DeleteConnectivityRuleRequest,
  DeleteConnectivityRuleResponse,
  GetConnectivityRuleRequest,
  GetConnectivityRuleResponse,
  GetConnectivityRulesRequest,
  GetConnectivityRulesResponse,
} from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/request_response.js";
import { CloudService } from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/service.js";
import type { ConnectivityRule, ConnectivityRuleSpec } from "../../../gen/wire/temporal/api/cloud/connectivityrule/v1/message.js";
import type { Handler } from "../../api/call.js";
import { failedPrecondition, invalidArgument } from "../../api/service-error.js";
import type { Init } from "../../api/wire.js";
import { page } from "../../cloud/page.js";
import type { Resource } from "../../cloud/resource-table.js";
import type { Services } from "../services.js";
import { changing, shown } from "./changing.js";

const M = CloudService.methods;

export function ruleOf(r: Resource<ConnectivityRuleSpec>): Init<ConnectivityRule> {
  const { id, resourceVersion, state, createdTime } = shown(r);
  return { id, resourceVersion, state, createdTime, spec: r.spec };
}

export const getConnectivityRules =
  (s: Services): Handler<GetConnectivityRulesRequest, GetConnectivityRulesResponse> =>
  (request) => {
    const { namespace } = request;
    const of = namespace === "" ? undefined : s.cloud.namespaceSettings.find(s.namespaces.view(namespace).id)?.spec.connectivityRuleIds;
    const all = s.cloud.connectivityRules.all().filter((r) => namespace === "" || of?.includes(r.id));
    const { items, nextPageToken } = page(all, (r) => r.id, request);
    return { connectivityRules: items.map(ruleOf), nextPageToken };
  };

export const getConnectivityRule =
  (s: Services): Handler<GetConnectivityRuleRequest, GetConnectivityRuleResponse> =>
  ({ connectivityRuleId }) => ({ connectivityRule: ruleOf(s.cloud.connectivityRules.get(connectivityRuleId)) });

export const createConnectivityRule = (s: Services): Handler<CreateConnectivityRuleRequest, CreateConnectivityRuleResponse> =>
  changing(
    s,
    M.CreateConnectivityRule,
    ({ spec }, draft) => {
      const type = spec?.connectionType;
      if (type?.case === undefined) throw invalidArgument("spec.connection_type is not set on request.");
      if (type.case === "privateRule")
        throw failedPrecondition("private links are made by the vendor of a cloud: this server is reached at its own address");
      if (type.value.enableStableIps) throw failedPrecondition("this server is reached at the addresses of its machine, and hands out none");
      const id = draft.newId();
      draft.put(s.cloud.connectivityRules, id, { connectionType: { case: "publicRule", value: {} } });
      draft.about(id);
    },
    (connectivityRuleId, operation) => ({ connectivityRuleId, ...operation }),
  );

export const deleteConnectivityRule = (s: Services): Handler<DeleteConnectivityRuleRequest, DeleteConnectivityRuleResponse> =>
  changing(s, M.DeleteConnectivityRule, ({ connectivityRuleId, resourceVersion }, draft) => {
    const old = s.cloud.connectivityRules.at(connectivityRuleId, resourceVersion);
    if (s.cloud.namespaceSettings.all().some((n) => n.spec.connectivityRuleIds.includes(connectivityRuleId)))
      throw failedPrecondition(`connectivity rule ${connectivityRuleId} is used by a namespace`);
    draft.delete(s.cloud.connectivityRules, old);
    draft.about(connectivityRuleId);
  });
