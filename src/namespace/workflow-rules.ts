/** The workflow rules of a namespace: part of its record. An expired rule makes room when there are too many. */
import { NamespaceRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { WorkflowRule, type WorkflowRuleSpec } from "../../gen/wire/temporal/api/rules/v1/message.js";
import { invalidArgument } from "../api/service-error.js";
import { timestampMicros, timestampOf } from "../api/time.js";
import type { NamespaceEntry } from "./record.js";
import type { NamespaceRegistry } from "./registry.js";

export const rulesOf = (entry: NamespaceEntry): readonly WorkflowRule[] => entry.record.workflowRules;

/** @throws ServiceError */
export function ruleById(entry: NamespaceEntry, id: string): WorkflowRule {
  const rule = rulesOf(entry).find((r) => r.spec?.id === id);
  if (rule === undefined) throw invalidArgument("Workflow Rule with this ID not Found.");
  return rule;
}

export interface NewRule {
  readonly spec: WorkflowRuleSpec;
  readonly description: string;
  readonly createdByIdentity: string;
  readonly now: number;
}

export async function createRule(namespaces: NamespaceRegistry, namespace: string, rule: NewRule, max: number): Promise<WorkflowRule> {
  const created = WorkflowRule.create({
    createTime: timestampOf(rule.now),
    spec: rule.spec,
    createdByIdentity: rule.createdByIdentity,
    description: rule.description,
  });
  await namespaces.edit(namespace, (record) => {
    let rules = record.workflowRules;
    if (rules.length > 0 && rules.length >= max) rules = withoutExpired(rules, rule.now);
    if (rules.length > 0 && rules.length >= max) throw invalidArgument(`Workflow Rule limit exceeded. Max: ${max}`);
    if (rules.some((r) => r.spec?.id === rule.spec.id)) throw invalidArgument("Workflow Rule with this ID already exists.");
    return NamespaceRecord.create({ ...record, workflowRules: [...rules, created] });
  });
  return created;
}

/** Without the one that has been expired for longest. */
function withoutExpired(rules: readonly WorkflowRule[], now: number): WorkflowRule[] {
  const expired = rules
    .filter((r) => r.spec?.expirationTime !== undefined && timestampMicros(r.spec.expirationTime) < now)
    .sort((a, b) => timestampMicros(a.spec?.expirationTime) - timestampMicros(b.spec?.expirationTime));
  return rules.filter((r) => r !== expired[0]);
}

export async function deleteRule(namespaces: NamespaceRegistry, namespace: string, id: string): Promise<void> {
  await namespaces.edit(namespace, (record) => {
    const rules = record.workflowRules.filter((r) => r.spec?.id !== id);
    if (rules.length === record.workflowRules.length) throw invalidArgument("Workflow Rule with this ID not Found.");
    return NamespaceRecord.create({ ...record, workflowRules: rules });
  });
}
