/**
 * Assignment and redirect rules of a task queue: which build id new workflows get, and which one takes over the workflows of another.
 * Deprecated upstream since deployments (service/matching/version_rule_helpers.go).
 */
import {
  AssignmentRuleRecord as AssignmentRule,
  type AssignmentRuleRecord,
  type BuildIdsRecord,
  RedirectRuleRecord,
} from "../../../gen/wire/perdure/persistence/v1/records.js";
import { BuildIdAssignmentRule, type CompatibleBuildIdRedirectRule } from "../../../gen/wire/temporal/api/taskqueue/v1/message.js";
import type { UpdateWorkerVersioningRulesRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { alreadyExists, failedPrecondition, invalidArgument, notFound } from "../../api/service-error.js";
import type { Init } from "../../api/wire.js";
import { fingerprint32 } from "../../lib/fingerprint32.js";
import { findBuildId } from "./version-sets.js";

export interface RuleLimits {
  readonly assignmentRulesMax: number;
  readonly redirectRulesMax: number;
  readonly redirectRuleUpstreamMax: number;
  /** How long a rule that is deleted still counts as one that there was. */
  readonly deletedRuleRetentionMs: number;
}

type Rules = Pick<BuildIdsRecord, "sets" | "assignmentRules" | "redirectRules" | "defaultRuleDeleted">;

/** `clock`: in microseconds, that of the change. `hasPoller`: whether a worker of the build id has polled the queue lately. */
export function updatedRules(
  old: Rules,
  operation: UpdateWorkerVersioningRulesRequest["operation"],
  clock: number,
  limits: RuleLimits,
  hasPoller: (buildId: string) => boolean,
): Pick<Rules, "assignmentRules" | "redirectRules" | "defaultRuleDeleted"> {
  const rules = changedRules(old, operation, clock, limits, hasPoller);
  const isDeleted = old.assignmentRules.some((r) => isFullyRamped(r) && !rules.assignmentRules.includes(r));
  const deleted = isDeleted ? clock : old.defaultRuleDeleted;
  return { ...rules, defaultRuleDeleted: clock - deleted < limits.deletedRuleRetentionMs * 1000 ? deleted : 0 };
}

function changedRules(
  old: Rules,
  operation: UpdateWorkerVersioningRulesRequest["operation"],
  clock: number,
  limits: RuleLimits,
  hasPoller: (buildId: string) => boolean,
): Pick<Rules, "assignmentRules" | "redirectRules"> {
  const rules = { assignmentRules: [...old.assignmentRules], redirectRules: [...old.redirectRules] };
  const { assignmentRules, redirectRules } = rules;
  // Deleted ones count, as long as the official server keeps them.
  const hadDefault = old.defaultRuleDeleted > 0 || assignmentRules.some(isFullyRamped);
  switch (operation.case) {
    case "insertAssignmentRule": {
      const { ruleIndex, rule } = operation.value;
      if (ruleIndex < 0) throw invalidArgument("rule index cannot be negative");
      assignmentRules.splice(Math.min(ruleIndex, assignmentRules.length), 0, assignment(old, rule, clock));
      checkAssignments(rules.assignmentRules, limits);
      return rules;
    }
    case "replaceAssignmentRule": {
      const { ruleIndex, rule, force } = operation.value;
      const added = assignment(old, rule, clock);
      checkIndex(ruleIndex, assignmentRules.length);
      assignmentRules.splice(ruleIndex, 1, added);
      requireDefault(assignmentRules, hadDefault && !force);
      return rules;
    }
    case "deleteAssignmentRule": {
      const { ruleIndex, force } = operation.value;
      checkIndex(ruleIndex, assignmentRules.length);
      assignmentRules.splice(ruleIndex, 1);
      requireDefault(assignmentRules, hadDefault && !force);
      return rules;
    }
    case "addCompatibleRedirectRule": {
      const { rule } = operation.value;
      const { source, target } = redirect(old, rule);
      if (assignmentRules.some((r) => !isFullyRamped(r) && r.rule?.targetBuildId === source))
        throw failedPrecondition("redirect rule source build ID cannot be the target of any partially-ramped assignment rule");
      const existing = redirectRules.find((r) => r.rule?.sourceBuildId === source);
      if (existing !== undefined) throw alreadyExists(`source ${source} already redirects to target ${existing.rule?.targetBuildId ?? ""}`);
      redirectRules.unshift(RedirectRuleRecord.create({ rule: { sourceBuildId: source, targetBuildId: target }, createTime: clock }));
      if (redirectRules.length > limits.redirectRulesMax)
        throw failedPrecondition(
          `update exceeds number of redirect rules permitted in namespace (${redirectRules.length}/${limits.redirectRulesMax})`,
        );
      checkGraph(redirectRules, limits);
      return rules;
    }
    case "replaceCompatibleRedirectRule": {
      const { source, target } = redirect(old, operation.value.rule);
      removeRedirect(redirectRules, source);
      redirectRules.unshift(RedirectRuleRecord.create({ rule: { sourceBuildId: source, targetBuildId: target }, createTime: clock }));
      checkGraph(redirectRules, limits);
      return rules;
    }
    case "deleteCompatibleRedirectRule":
      removeRedirect(redirectRules, operation.value.sourceBuildId);
      return rules;
    case "commitBuildId": {
      const { targetBuildId: target, force } = operation.value;
      if (!force && !hasPoller(target))
        throw failedPrecondition(`no versioned poller with build ID '${target}' seen within the last 1m10s, use force=true to commit anyways`);
      refuseSetMember(old, target, "target");
      const kept = assignmentRules.filter((r) => r.rule?.targetBuildId !== target && !isFullyRamped(r));
      rules.assignmentRules = [...kept, AssignmentRule.create({ rule: fullRamp(target), createTime: clock })];
      checkAssignments(rules.assignmentRules, limits);
      return rules;
    }
    default:
      return rules;
  }
}

export function isFullyRamped({ rule }: AssignmentRuleRecord): boolean {
  return rule?.ramp.case !== "percentageRamp" || rule.ramp.value.rampPercentage === 100;
}

/** Of the first rule that takes everything; without one the unversioned workers are the default. */
export function defaultBuildId(rules: readonly AssignmentRuleRecord[]): string {
  return rules.find(isFullyRamped)?.rule?.targetBuildId ?? "";
}

/** The build id that a new run gets; empty: none. A ramp is decided by the run's id. */
export function assignedBuildId(rules: readonly AssignmentRuleRecord[], runId: string): string {
  if (rules.length === 0) return "";
  const threshold = 100 * (fingerprint32(Buffer.from(runId)) / 2 ** 32);
  const taken = rules.find((r) => isFullyRamped(r) || (r.rule?.ramp.case === "percentageRamp" && r.rule.ramp.value.rampPercentage > threshold));
  return taken?.rule?.targetBuildId ?? "";
}

/** Where redirect rules lead from a build id. */
export function terminalBuildId(rules: readonly RedirectRuleRecord[], buildId: string): string {
  let at = buildId;
  for (let i = 0; i <= rules.length; i++) {
    const next = rules.find((r) => r.rule?.sourceBuildId === at);
    if (next === undefined) return at;
    at = next.rule?.targetBuildId ?? "";
  }
  return "";
}

/** Build ids whose workflows come to this one. */
export function upstreamBuildIds(rules: readonly RedirectRuleRecord[], buildId: string): Set<string> {
  const found = new Set<string>();
  const waiting = [buildId];
  for (let target = waiting.pop(); target !== undefined; target = waiting.pop())
    for (const { rule } of rules)
      if (rule?.targetBuildId === target && rule.sourceBuildId !== buildId && !found.has(rule.sourceBuildId)) {
        found.add(rule.sourceBuildId);
        waiting.push(rule.sourceBuildId);
      }
  return found;
}

const fullRamp = (targetBuildId: string): Init<BuildIdAssignmentRule> => ({
  targetBuildId,
  ramp: { case: "percentageRamp", value: { rampPercentage: 100 } },
});

function assignment(old: Rules, rule: BuildIdAssignmentRule | undefined, clock: number): AssignmentRuleRecord {
  const target = rule?.targetBuildId ?? "";
  const ramped = BuildIdAssignmentRule.create(rule?.ramp.case === undefined ? fullRamp(target) : rule);
  const percentage = ramped.ramp.value?.rampPercentage ?? 0;
  if (percentage < 0 || percentage > 100) throw invalidArgument("ramp percentage must be in range [0, 100]");
  refuseSetMember(old, target, "target");
  const record = AssignmentRule.create({ rule: ramped, createTime: clock });
  if (!isFullyRamped(record) && old.redirectRules.some((r) => r.rule?.sourceBuildId === target))
    throw failedPrecondition(
      "update breaks requirement, this build ID cannot be the target of a partially-ramped assignment rule because it is the source of a redirect rule",
    );
  return record;
}

function redirect(old: Rules, rule: CompatibleBuildIdRedirectRule | undefined): { source: string; target: string } {
  const source = rule?.sourceBuildId ?? "";
  const target = rule?.targetBuildId ?? "";
  if (target === "") throw invalidArgument("the unversioned build ID cannot be the target of a redirect rule");
  refuseSetMember(old, source, "source");
  refuseSetMember(old, target, "target");
  return { source, target };
}

function refuseSetMember({ sets }: Rules, buildId: string, what: "source" | "target"): void {
  if (findBuildId(sets, buildId) !== undefined)
    throw failedPrecondition(`update breaks requirement, ${what} build ID is already a member of a version set`);
}

function checkIndex(index: number, length: number): void {
  if (index < 0 || index >= length) throw invalidArgument(`rule index ${index} is out of bounds for assignment rule list of length ${length}`);
}

function checkAssignments(rules: readonly AssignmentRuleRecord[], limits: RuleLimits): void {
  if (rules.length > limits.assignmentRulesMax)
    throw failedPrecondition(`update exceeds number of assignment rules permitted in namespace (${rules.length}/${limits.assignmentRulesMax})`);
}

function requireDefault(rules: readonly AssignmentRuleRecord[], isRequired: boolean): void {
  if (isRequired && !rules.some(isFullyRamped))
    throw failedPrecondition(
      "at least one fully-ramped assignment rule must exist (use force=true to bypass this requirement and set the unversioned queue as the default)",
    );
}

function removeRedirect(rules: RedirectRuleRecord[], source: string): void {
  const index = rules.findIndex((r) => r.rule?.sourceBuildId === source);
  if (index < 0) throw notFound(`no redirect rule found with source ID ${source}`);
  rules.splice(index, 1);
}

function checkGraph(rules: readonly RedirectRuleRecord[], limits: RuleLimits): void {
  // A build id has one rule at most: a walk that does not end goes round.
  for (const { rule } of rules)
    if (terminalBuildId(rules, rule?.sourceBuildId ?? "") === "") throw failedPrecondition("update would break acyclic requirement");
  for (const { rule } of rules) {
    const count = upstreamBuildIds(rules, rule?.targetBuildId ?? "").size;
    if (count > limits.redirectRuleUpstreamMax)
      throw failedPrecondition(`update exceeds number of upstream build ids permitted in namespace (${count}/${limits.redirectRuleUpstreamMax})`);
  }
}
