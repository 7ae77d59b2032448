/** Workflow rules: Create, Describe, Delete and List, and TriggerWorkflowRule, which applies one to a running workflow at once. */
import type {
  CreateWorkflowRuleRequest,
  CreateWorkflowRuleResponse,
  DeleteWorkflowRuleRequest,
  DeleteWorkflowRuleResponse,
  DescribeWorkflowRuleRequest,
  DescribeWorkflowRuleResponse,
  ListWorkflowRulesRequest,
  ListWorkflowRulesResponse,
  TriggerWorkflowRuleRequest,
  TriggerWorkflowRuleResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import { invalidArgument, unimplemented } from "../../api/service-error.js";
import { createRule, deleteRule, ruleById, rulesOf } from "../../namespace/workflow-rules.js";
import type { Services } from "../services.js";
import { isLongerThan, validateExecution } from "../validation/execution.js";

function checkEnabled(s: Services, namespace: string, method: string): void {
  if (!s.limits(namespace).areWorkflowRulesEnabled) throw unimplemented(`method ${method} not supported`);
}

export const createWorkflowRule =
  (s: Services): Handler<CreateWorkflowRuleRequest, CreateWorkflowRuleResponse> =>
  async (request) => {
    const { namespace, spec, identity, description } = request;
    const limits = s.limits(namespace);
    checkEnabled(s, namespace, "CreateWorkflowRule");
    if (spec === undefined) throw invalidArgument("Rule Specification is not set.");
    if (spec.id === "") throw invalidArgument("Workflow Rule ID is not set.");
    if (isLongerThan(spec.id, limits.idLengthMax)) throw invalidArgument("Workflow Rule Id length exceeds limit.");
    const rule = { spec, description, createdByIdentity: identity, now: s.runtime.nowMicros() };
    return { rule: await createRule(s.namespaces, namespace, rule, limits.workflowRulesMax) };
  };

export const describeWorkflowRule =
  (s: Services): Handler<DescribeWorkflowRuleRequest, DescribeWorkflowRuleResponse> =>
  async (request) => {
    checkEnabled(s, request.namespace, "DescribeWorkflowRule");
    if (request.ruleId === "") throw invalidArgument("Workflow Rule ID is not set.");
    return { rule: ruleById(s.namespaces.entry(request.namespace), request.ruleId) };
  };

export const deleteWorkflowRule =
  (s: Services): Handler<DeleteWorkflowRuleRequest, DeleteWorkflowRuleResponse> =>
  async (request) => {
    checkEnabled(s, request.namespace, "DeleteWorkflowRule");
    if (request.ruleId === "") throw invalidArgument("Workflow Rule ID is not set.");
    await deleteRule(s.namespaces, request.namespace, request.ruleId);
    return {};
  };

export const listWorkflowRules =
  (s: Services): Handler<ListWorkflowRulesRequest, ListWorkflowRulesResponse> =>
  async (request) => {
    checkEnabled(s, request.namespace, "ListWorkflowRules");
    return { rules: [...rulesOf(s.namespaces.entry(request.namespace))] };
  };

export const triggerWorkflowRule =
  (s: Services): Handler<TriggerWorkflowRuleRequest, TriggerWorkflowRuleResponse> =>
  async (request) => {
    const { namespace, rule } = request;
    checkEnabled(s, namespace, "TriggerWorkflowRule");
    const { workflowId, runId } = validateExecution(request.execution);
    if (rule.case === undefined) throw invalidArgument("Either a rule id or a rule specification should be set on request.");
    const spec = rule.case === "spec" ? rule.value : ruleById(s.namespaces.entry(namespace), rule.value).spec;
    if (spec === undefined) throw invalidArgument("Rule Specification is not set.");
    const namespaceId = s.namespaces.view(namespace).id;
    return s.history.submit({ namespaceId, workflowId, runId }, { kind: "triggerRule", spec });
  };
