/**
 * How the workers of a version are to be run: kept and checked here, acted upon by nobody. Behaviour: the worker controller of the
 * official server (go.temporal.io/auto-scaled-workers).
 */
import type {
  ComputeConfig,
  ComputeConfigScalingGroup,
  ComputeConfigScalingGroupUpdate,
  ComputeConfigSummary,
} from "../../../gen/wire/temporal/api/compute/v1/config.js";
import { ComputeConfigScalingGroup as Group } from "../../../gen/wire/temporal/api/compute/v1/config.js";
import { TaskQueueType } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { invalidArgument } from "../../api/service-error.js";
import { enumName } from "../workflow/enum-name.js";

const PROVIDERS = new Set(["aws-lambda", "aws-agentcore", "aws-ecs", "subprocess", "k8s", "gcp-cloud-run", "test-invoke", "test-worker-set"]);
const SCALERS = new Set(["no-sync", "rate-based"]);

/** The configuration with groups changed and taken away. @throws ServiceError of a path that is not known. */
export function updatedComputeConfig(
  before: ComputeConfig | undefined,
  upserts: Readonly<Record<string, ComputeConfigScalingGroupUpdate>>,
  removes: readonly string[],
): ComputeConfig {
  const scalingGroups: Record<string, ComputeConfigScalingGroup> = { ...(before?.scalingGroups ?? {}) };
  for (const name of Object.keys(upserts).sort()) {
    const update = upserts[name];
    const group = Group.create(update?.scalingGroup ?? {});
    const existing = scalingGroups[name];
    scalingGroups[name] = existing === undefined ? group : masked(existing, group, update?.updateMask?.paths ?? []);
  }
  for (const name of removes) delete scalingGroups[name];
  return { scalingGroups };
}

function masked(into: ComputeConfigScalingGroup, from: ComputeConfigScalingGroup, paths: readonly string[]): ComputeConfigScalingGroup {
  const out = Group.create(into);
  const provider = () => (out.provider = { type: "", details: undefined, nexusEndpoint: "", ...out.provider });
  const scaler = (path: string) => {
    if (from.scaler === undefined) throw invalidArgument(`${path} set in field mask, but not provided`);
    out.scaler = { type: "", details: undefined, ...out.scaler };
    return { to: out.scaler, from: from.scaler };
  };
  for (const path of paths)
    switch (path) {
      case "task_queue_types":
        out.taskQueueTypes = from.taskQueueTypes;
        break;
      case "provider":
        out.provider = from.provider;
        break;
      case "provider.type":
        provider().type = from.provider?.type ?? "";
        break;
      case "provider.details":
        provider().details = from.provider?.details;
        break;
      case "provider.nexus_endpoint":
        provider().nexusEndpoint = from.provider?.nexusEndpoint ?? "";
        break;
      case "scaler":
        out.scaler = from.scaler;
        break;
      case "scaler.type": {
        const s = scaler(path);
        s.to.type = s.from.type;
        break;
      }
      case "scaler.details": {
        const s = scaler(path);
        s.to.details = s.from.details;
        break;
      }
      default:
        throw invalidArgument(`unsupported field mask path: "${path}"`);
    }
  return out;
}

/** @throws ServiceError of a configuration that nobody could follow. */
export function checkComputeConfig({ scalingGroups }: ComputeConfig): void {
  const groups = Object.entries(scalingGroups).sort(([a], [b]) => (a < b ? -1 : 1));
  if (groups.length === 0) throw invalidArgument("spec must have at least one entry");
  const seen = new Set<TaskQueueType>();
  let hasCatchAll = false;
  for (const [name, { taskQueueTypes, provider, scaler }] of groups) {
    if (name === "") throw invalidArgument("scaling groups without an ID are not supported");
    if (taskQueueTypes.length === 0) {
      if (hasCatchAll) throw invalidArgument(`entry ${name}: only one scaling group can have no task types defined`);
      hasCatchAll = true;
    }
    for (const type of taskQueueTypes) {
      if (seen.has(type)) throw invalidArgument(`entry ${name}: task type ${enumName(TaskQueueType, type)} appears in more than one entry`);
      if (type === TaskQueueType.UNSPECIFIED) throw invalidArgument(`entry ${name}: task type undefined not allowed in compute spec`);
      seen.add(type);
    }
    if (!PROVIDERS.has(provider?.type ?? "")) throw invalidArgument(`entry ${name}: invalid compute provider type '${provider?.type ?? ""}'`);
    if (scaler !== undefined && !SCALERS.has(scaler.type)) throw invalidArgument(`entry ${name}: invalid scaling algorithm type '${scaler.type}'`);
  }
}

export function computeSummary(config: ComputeConfig | undefined): ComputeConfigSummary | undefined {
  const groups = Object.entries(config?.scalingGroups ?? {});
  if (groups.length === 0) return undefined;
  return {
    scalingGroups: Object.fromEntries(groups.map(([name, g]) => [name, { taskQueueTypes: g.taskQueueTypes, providerType: g.provider?.type ?? "" }])),
  };
}
