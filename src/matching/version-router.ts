/**
 * Whose a task is: which of a queue's versions gets it, by deployments first, by rules and sets of build ids where those say
 * nothing. A task is stored under the version that it is bound to (`storedBy`), else in the queue without one, and waits with the
 * pollers of the version that it goes to at the moment (`waitsFor`): routing may change while it waits. Keys: "d:" and the names of
 * a deployment's version, "b:" and a build id, "s:" and the set of a build id. Behaviour: task_queue_partition_manager.go of the
 * official server.
 */
import { VersioningBehavior } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { PollNexusTaskQueueRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { DispatchTask } from "../core/transition.js";
import { dispatchTarget, type QueueVersions, servesQueue } from "../core/versioning/routing.js";
import { assignedBuildId, terminalBuildId, upstreamBuildIds } from "../core/versioning/rules.js";
import { ofBuildId } from "../core/versioning/task-version.js";
import { sameVersion, type Version, versionOfWorker } from "../core/versioning/version.js";
import { findBuildId } from "../core/versioning/version-sets.js";
import type { BuildIds } from "./build-ids.js";
import { type Deployments, QUEUE_TYPES } from "./deployments.js";
import type { QueueName } from "./queue-keys.js";

/** Undefined: the queue without a version. */
export type VersionKey = string | undefined;
export type TaskKind = QueueName["type"] | "nexus";
export type RoutedTask = Pick<DispatchTask, "version" | "workflowId" | "runId" | "namespaceId"> & { readonly type: TaskKind };

/** What a poll says of its worker's version. */
export type VersionedPoll = Pick<PollNexusTaskQueueRequest, "deploymentOptions" | "workerVersionCapabilities">;

export const deploymentKey = (v: Version): string => `d:${v.deploymentName}:${v.buildId}`;

export class VersionRouter {
  constructor(
    readonly deployments: Deployments,
    private readonly buildIds: BuildIds,
  ) {}

  onChange(f: (namespaceId: string, queue: string, type: QueueName["type"]) => void): void {
    this.deployments.onChange((namespaceId, queue, type) => {
      if (type === QUEUE_TYPES.workflow) f(namespaceId, queue, "workflow");
      if (type === QUEUE_TYPES.activity) f(namespaceId, queue, "activity");
    });
    this.buildIds.onChange((namespaceId, queue) => {
      f(namespaceId, queue, "workflow");
      f(namespaceId, queue, "activity");
    });
  }

  /** What is said of a queue of Nexus tasks has changed. */
  onNexusChange(f: (namespaceId: string, queue: string) => void): void {
    this.deployments.onChange((namespaceId, queue, type) => {
      if (type === QUEUE_TYPES.nexus) f(namespaceId, queue);
    });
    this.buildIds.onChange(f);
  }

  /** Keys of the build ids that redirect to this queue's. */
  upstreamOf(name: QueueName): string[] {
    if (name.version?.startsWith("b:") !== true || this.buildIds.isEmpty) return [];
    const { redirectRules } = this.buildIds.get(name.namespaceId, name.name);
    return [...upstreamBuildIds(redirectRules, name.version.slice(2))].filter((id) => id !== "").map((id) => `b:${id}`);
  }

  /** False as long as nobody uses versions: everything is in the one queue. */
  get isActive(): boolean {
    return !this.deployments.isEmpty || !this.buildIds.isEmpty;
  }

  versionsOf(namespaceId: string, queue: string, type: TaskKind): QueueVersions | undefined {
    return this.deployments.directory.queue(namespaceId, queue, QUEUE_TYPES[type]);
  }

  /** `stored`: the queue that has the task's row. */
  waitsFor(task: RoutedTask, queue: string, stored?: VersionKey): VersionKey {
    if (stored?.startsWith("b:") === true) return this.place({ ...task, version: ofBuildId(stored.slice(2)) }, queue).waitsFor;
    return this.place(task, queue).waitsFor;
  }

  /**
   * Whose a Nexus task is: the current or the ramping version's, by rules and sets of build ids else. It is of no workflow, so the ramp
   * is drawn by the task's own id.
   */
  nexusTarget(namespaceId: string, queue: string, taskId: string): VersionKey {
    return this.place({ version: undefined, workflowId: taskId, runId: taskId, namespaceId, type: "nexus" }, queue).waitsFor;
  }

  storedBy(task: RoutedTask, queue: string): VersionKey {
    return this.place(task, queue).storedBy;
  }

  private place(task: RoutedTask, queue: string): { waitsFor: VersionKey; storedBy: VersionKey } {
    const { version: said, namespaceId, workflowId } = task;
    const versions = this.versionsOf(namespaceId, queue, task.type);
    if (said?.behavior === VersioningBehavior.PINNED && said.version !== undefined) {
      // An activity whose queue the version does not serve is independent of it.
      if (task.type === "workflow" || servesQueue(versions, said.version)) {
        const key = deploymentKey(said.version);
        return { waitsFor: key, storedBy: key };
      }
    }
    if ((said?.assignedBuildId ?? "") === "") {
      const of = { version: said?.version, revision: said?.revision ?? 0, usesRamping: said?.usesRamping === true };
      const target = dispatchTarget(versions, workflowId, of).version;
      if (target !== undefined) return { waitsFor: deploymentKey(target), storedBy: undefined };
      if (said?.isUnversioned === true || (said?.behavior ?? VersioningBehavior.UNSPECIFIED) !== VersioningBehavior.UNSPECIFIED) return HERE;
    }
    return this.byBuildIds(task, queue);
  }

  private byBuildIds({ version: said, namespaceId, runId }: RoutedTask, queue: string): { waitsFor: VersionKey; storedBy: VersionKey } {
    const { sets, assignmentRules, redirectRules } = this.buildIds.get(namespaceId, queue);
    let buildId = said?.assignedBuildId ?? "";
    if (buildId === "") {
      buildId = assignedBuildId(assignmentRules, runId);
      const last = sets.at(-1);
      if (buildId === "" && last !== undefined) return { waitsFor: setKey(last), storedBy: undefined };
    } else {
      const found = findBuildId(sets, buildId);
      const set = found === undefined ? undefined : sets[found.set];
      if (set !== undefined) return { waitsFor: setKey(set), storedBy: undefined };
    }
    const key = (id: string) => (id === "" ? undefined : `b:${id}`);
    return { storedBy: key(buildId), waitsFor: key(terminalBuildId(redirectRules, buildId)) };
  }

  /** Whether the worker that has the workflow in memory may go on with it; else the task goes by the normal queue. */
  fitsSticky(task: RoutedTask, normalQueue: string): boolean {
    const said = task.version;
    if (said?.behavior === VersioningBehavior.PINNED) return true;
    const versions = this.versionsOf(task.namespaceId, normalQueue, task.type);
    const assigned = said?.assignedBuildId ?? "";
    if (assigned === "") {
      const of = { version: said?.version, revision: said?.revision ?? 0, usesRamping: said?.usesRamping === true };
      const target = dispatchTarget(versions, task.workflowId, of).version;
      return target === undefined || sameVersion(target, said?.version);
    }
    const { sets, redirectRules } = this.buildIds.get(task.namespaceId, normalQueue);
    const found = findBuildId(sets, assigned);
    if (found !== undefined) return found.index === (sets[found.set]?.buildIds.length ?? 0) - 1;
    return terminalBuildId(redirectRules, assigned) === assigned;
  }

  /** The queue that a poll waits in. */
  polls(request: VersionedPoll, namespaceId: string, queue: string): VersionKey {
    const version = versionOfWorker(request);
    if (version !== undefined) return deploymentKey(version);
    const caps = request.workerVersionCapabilities;
    if (caps?.useVersioning !== true || caps.buildId === "") return undefined;
    const { sets } = this.buildIds.get(namespaceId, queue);
    const found = findBuildId(sets, caps.buildId);
    const set = found === undefined ? undefined : sets[found.set];
    return set === undefined ? `b:${caps.buildId}` : setKey(set);
  }

  /** Whether pollers wait under the key for nothing: their set has another key now. */
  isOutdated(key: string, namespaceId: string, queue: string): boolean {
    if (key.startsWith("d:")) return false;
    const { sets } = this.buildIds.get(namespaceId, queue);
    if (key.startsWith("s:")) return !sets.some((s) => setKey(s) === key);
    return findBuildId(sets, key.slice(2)) !== undefined;
  }
}

const HERE = { waitsFor: undefined, storedBy: undefined };

/** A set has no name of its own. */
function setKey(set: { readonly buildIds: readonly { readonly id: string }[] }): string {
  return `s:${set.buildIds.map((b) => b.id).sort()[0] ?? ""}`;
}
