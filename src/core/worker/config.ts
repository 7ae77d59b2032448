/**
 * The configuration that an operator gives a worker. The API has no command that would take it to the worker (WorkerCommand cancels
 * activities and nothing else), so the server keeps it and answers with it. The official server refuses both calls.
 */
import {
  WorkerConfig,
  WorkerConfig_AutoscalingPollerBehavior,
  WorkerConfig_SimplePollerBehavior,
} from "../../../gen/wire/temporal/api/sdk/v1/worker_config.js";
import { invalidArgument } from "../../api/service-error.js";

const SIMPLE = ["maxPollers"] as const;
const AUTOSCALING = ["minPollers", "maxPollers", "initialPollers"] as const;

/** `paths` as in a FieldMask; none, or "*", is everything. */
export function updatedWorkerConfig(old: WorkerConfig | undefined, change: WorkerConfig, paths: readonly string[]): WorkerConfig {
  const config = paths.length === 0 || paths.includes("*") ? WorkerConfig.create(change) : masked(old, change, paths);
  validate(config);
  return config;
}

function masked(old: WorkerConfig | undefined, change: WorkerConfig, paths: readonly string[]): WorkerConfig {
  const config = WorkerConfig.create(old);
  const wanted = change.pollerBehavior;
  for (const path of paths) {
    const [field = "", part] = path.split(".").map(camel);
    if (field === "workflowCacheSize" && part === undefined) config.workflowCacheSize = change.workflowCacheSize;
    else if (field === "pollerBehavior" && part === undefined) config.pollerBehavior = wanted;
    else if (field === "simplePollerBehavior") {
      const before = config.pollerBehavior.case === field ? config.pollerBehavior.value : undefined;
      const next = wanted.case === field ? wanted.value : undefined;
      const value = merged(path, part, SIMPLE, WorkerConfig_SimplePollerBehavior.create(before), WorkerConfig_SimplePollerBehavior.create(next));
      config.pollerBehavior = part === undefined && next === undefined ? { case: undefined } : { case: field, value };
    } else if (field === "autoscalingPollerBehavior") {
      const before = config.pollerBehavior.case === field ? config.pollerBehavior.value : undefined;
      const next = wanted.case === field ? wanted.value : undefined;
      const type = WorkerConfig_AutoscalingPollerBehavior;
      const value = merged(path, part, AUTOSCALING, type.create(before), type.create(next));
      config.pollerBehavior = part === undefined && next === undefined ? { case: undefined } : { case: field, value };
    } else throw unknownPath(path);
  }
  return config;
}

function merged<K extends string>(path: string, part: string | undefined, parts: readonly K[], before: Record<K, number>, next: Record<K, number>) {
  if (part === undefined) return next;
  const name = parts.find((p) => p === part);
  if (name === undefined) throw unknownPath(path);
  return { ...before, [name]: next[name] };
}

const camel = (text: string): string => text.replace(/_(.)/g, (_, c: string) => c.toUpperCase());
const unknownPath = (path: string) => invalidArgument(`update_mask names no field of the worker configuration: ${path}`);

/** What the API says of the fields. */
function validate({ workflowCacheSize, pollerBehavior }: WorkerConfig): void {
  if (workflowCacheSize < 0) throw invalidArgument("workflow_cache_size must not be negative");
  if (pollerBehavior.case === "simplePollerBehavior") {
    if (pollerBehavior.value.maxPollers < 1) throw invalidArgument("max_pollers must be at least 1");
  } else if (pollerBehavior.case === "autoscalingPollerBehavior") {
    const { minPollers, maxPollers, initialPollers } = pollerBehavior.value;
    if (minPollers < 1) throw invalidArgument("min_pollers must be at least 1");
    if (maxPollers < minPollers) throw invalidArgument("max_pollers must not be below min_pollers");
    if (initialPollers < minPollers || initialPollers > maxPollers)
      throw invalidArgument("initial_pollers must lie between min_pollers and max_pollers");
  }
}
