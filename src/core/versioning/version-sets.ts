/**
 * Version sets of a task queue: build ids that may go on with each other's workflows, the last one of a set being its default and the
 * last set the queue's. Deprecated upstream since rules and deployments (service/matching/version_sets.go).
 *
 * Invariant: sets are in the order in which they became the default, and so are the build ids of a set.
 */
import { VersionedBuildIdRecord, VersionSetRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { UpdateWorkerBuildIdCompatibilityRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { failedPrecondition, invalidArgument, notFound } from "../../api/service-error.js";

export interface VersionSetLimits {
  readonly versionSetsMax: number;
  readonly versionSetBuildIdsMax: number;
}

type Sets = readonly VersionSetRecord[];

/** Index of the set that has the build id, and its place in the set. */
export function findBuildId(sets: Sets, id: string): { set: number; index: number } | undefined {
  for (const [set, { buildIds }] of sets.entries()) {
    const index = buildIds.findIndex((b) => b.id === id);
    if (index >= 0) return { set, index };
  }
  return undefined;
}

/** `clock`: later than any earlier change. Answers the same sets when there is nothing to do. */
export function updatedSets(
  sets: Sets,
  operation: UpdateWorkerBuildIdCompatibilityRequest["operation"],
  clock: number,
  limits: VersionSetLimits,
): VersionSetRecord[] {
  const next = changed(sets, operation, clock);
  if (next.length > limits.versionSetsMax)
    throw failedPrecondition(
      `update would exceed number of compatible version sets permitted in namespace dynamic config (${next.length}/${limits.versionSetsMax})`,
    );
  const count = next.reduce((n, s) => n + s.buildIds.length, 0);
  if (count > limits.versionSetBuildIdsMax)
    throw failedPrecondition(
      `update would exceed number of build IDs permitted in namespace dynamic config (${count}/${limits.versionSetBuildIdsMax})`,
    );
  return next;
}

function changed(sets: Sets, operation: UpdateWorkerBuildIdCompatibilityRequest["operation"], clock: number): VersionSetRecord[] {
  const next = sets.map((s) => VersionSetRecord.create(s));
  switch (operation.case) {
    case "addNewBuildIdInNewDefaultSet": {
      const id = operation.value;
      const found = findBuildId(sets, id);
      if (found === undefined) return [...next, VersionSetRecord.create({ buildIds: [{ id, defaultSince: clock }], defaultSince: clock })];
      if (found.set === sets.length - 1 && sets[found.set]?.buildIds.length === 1) return next;
      throw invalidArgument(`version ${id} already exists`);
    }
    case "addNewCompatibleBuildId": {
      const { newBuildId: id, existingCompatibleBuildId: existing, makeSetDefault } = operation.value;
      const home = findBuildId(sets, existing);
      if (home === undefined) throw notFound(`targeted compatible_version ${existing} not found`);
      const found = findBuildId(sets, id);
      if (found === undefined) {
        next[home.set]?.buildIds.push(VersionedBuildIdRecord.create({ id, defaultSince: clock }));
        return makeSetDefault ? promoted(next, home.set, clock) : next;
      }
      if (found.set !== home.set)
        throw invalidArgument(`${id} requested to be made compatible with ${existing} but both versions exist and are incompatible`);
      if (makeSetDefault && found.set !== sets.length - 1) throw invalidArgument(`version ${id} already exists and is not default for queue`);
      if (found.index !== (sets[found.set]?.buildIds.length ?? 0) - 1)
        throw invalidArgument(`version ${id} already exists and is not default in set`);
      return next;
    }
    case "promoteSetByBuildId": {
      const found = findBuildId(sets, operation.value);
      if (found === undefined) throw notFound(`targeted version ${operation.value} not found`);
      return found.set === sets.length - 1 ? next : promoted(next, found.set, clock);
    }
    case "promoteBuildIdWithinSet": {
      const found = findBuildId(sets, operation.value);
      if (found === undefined) throw notFound(`targeted version ${operation.value} not found`);
      const { buildIds } = next[found.set] as VersionSetRecord;
      if (found.index < buildIds.length - 1) {
        buildIds.splice(found.index, 1);
        buildIds.push(VersionedBuildIdRecord.create({ id: operation.value, defaultSince: clock }));
      }
      return next;
    }
    case "mergeSets": {
      const { primarySetBuildId, secondarySetBuildId } = operation.value;
      const primary = findBuildId(sets, primarySetBuildId);
      if (primary === undefined) throw notFound(`targeted primary version ${primarySetBuildId} not found`);
      const secondary = findBuildId(sets, secondarySetBuildId);
      if (secondary === undefined) throw notFound(`targeted secondary version ${secondarySetBuildId} not found`);
      return primary.set === secondary.set ? next : merged(next, primary.set, secondary.set, clock);
    }
    default:
      return next;
  }
}

function promoted(sets: VersionSetRecord[], index: number, clock: number): VersionSetRecord[] {
  const [set] = sets.splice(index, 1) as [VersionSetRecord];
  set.defaultSince = clock;
  return [...sets, set];
}

/** The default of the first one is that of both. */
function merged(sets: VersionSetRecord[], primary: number, secondary: number, clock: number): VersionSetRecord[] {
  const [a, b] = [sets[primary] as VersionSetRecord, sets[secondary] as VersionSetRecord];
  const last = a.buildIds[a.buildIds.length - 1];
  if (last !== undefined) last.defaultSince = clock;
  const buildIds = [...a.buildIds, ...b.buildIds].sort((x, y) => x.defaultSince - y.defaultSince);
  const set = VersionSetRecord.create({ buildIds, defaultSince: Math.max(a.defaultSince, b.defaultSince) });
  return [...sets.filter((s) => s !== a && s !== b), set].sort((x, y) => x.defaultSince - y.defaultSince);
}
