/**
 * A worker deployment under way: its builds come and go, operators make one of them current, ramp another up, and send workflows to a
 * build of their own. A workflow says by its id whether it is pinned or goes with the routing. Where a task may go is worked out anew
 * from the run's history and from the routing that was in force when the task began (`checkTask`, and `check` for activities); what
 * was acknowledged of the routing outlives the process; a build is drained only when no open run is pinned to it.
 */
import { WorkerDeploymentRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { type RoutingConfig, WorkerDeploymentOptions } from "../../gen/wire/temporal/api/deployment/v1/message.js";
import { VersionDrainageStatus, WorkerVersioningMode } from "../../gen/wire/temporal/api/enums/v1/deployment.js";
import { TaskQueueType } from "../../gen/wire/temporal/api/enums/v1/task_queue.js";
import { VersioningBehavior, WorkflowExecutionStatus } from "../../gen/wire/temporal/api/enums/v1/workflow.js";
import type { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import {
  VersioningOverride_PinnedOverrideBehavior as PinnedBehavior,
  type VersioningOverride,
} from "../../gen/wire/temporal/api/workflow/v1/message.js";
import { UpdateWorkflowExecutionOptionsRequest } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { decode, type Init } from "../../src/api/wire.js";
import { findVersion, type Routed, setCurrent, setRamping } from "../../src/core/versioning/deployment.js";
import { UNVERSIONED } from "../../src/core/versioning/version.js";
import { fingerprint32 } from "../../src/lib/fingerprint32.js";
import { DEPLOYMENT_REGISTRY_KIND } from "../../src/matching/deployments.js";
import type { Batch } from "../../src/persistence/batch.js";
import type { Run } from "./checks.js";
import { behaviorOf } from "./programs.js";
import { NAMESPACE } from "./server.js";
import type { Disk } from "./sim-store.js";
import type { SimWorld } from "./world.js";

export const BUILDS = ["1", "2", "3"] as const;
const DEPLOYMENT = "d";
const IDS = 8;
/** So long a task may have stood between two routings: matching tries again after a second what the store did not take. */
const LEEWAY_MICROS = 2_000_000;
const DOWN_MICROS_MAX = 8_000_000;
/** Workers 0 to 2 are of no build. */
const FIRST_OF_BUILD = 3;

export const buildOf = (worker: number): string | undefined => BUILDS[worker - FIRST_OF_BUILD];
export const workerOf = (build: string): number => FIRST_OF_BUILD + BUILDS.indexOf(build as (typeof BUILDS)[number]);
export const identityOf = (worker: number): string => (buildOf(worker) === undefined ? `worker-${worker}` : `build-${buildOf(worker)}`);

export function deploymentOptionsOf(worker: number): WorkerDeploymentOptions | undefined {
  const buildId = buildOf(worker);
  if (buildId === undefined) return undefined;
  return WorkerDeploymentOptions.create({ deploymentName: DEPLOYMENT, buildId, workerVersioningMode: WorkerVersioningMode.VERSIONED });
}

const pinnedTo = (buildId: string): Init<VersioningOverride> => ({
  override: { case: "pinned", value: { behavior: PinnedBehavior.PINNED, version: { deploymentName: DEPLOYMENT, buildId } } },
});

/** What a history says of where its run's tasks go: a build, or wherever the routing sends them. */
class Place {
  private override: string | "routing" | undefined;
  private behavior = VersioningBehavior.UNSPECIFIED;
  private version: string | undefined;
  /** A run that is on its way to another build is not held up by an override, as on the official server. */
  isMoving = false;

  take({ attributes: a }: HistoryEvent): void {
    switch (a.case) {
      case "workflowExecutionStartedEventAttributes":
        this.overrideWith(a.value.versioningOverride);
        if (a.value.inheritedPinnedVersion !== undefined) {
          this.behavior = VersioningBehavior.PINNED;
          this.version = a.value.inheritedPinnedVersion.buildId;
        }
        return;
      case "workflowExecutionOptionsUpdatedEventAttributes":
        if (this.pinned === undefined) this.isMoving = true;
        if (a.value.unsetVersioningOverride) this.override = undefined;
        else if (a.value.versioningOverride !== undefined) this.overrideWith(a.value.versioningOverride);
        return;
      case "workflowTaskCompletedEventAttributes":
        this.behavior = a.value.versioningBehavior;
        this.version = a.value.deploymentVersion?.buildId;
        // A worker elsewhere that completes the task which it had then is sticky still, and may have speculative tasks.
        if (this.override === undefined || this.override === "routing" || this.override === this.version) this.isMoving = false;
        return;
      default:
    }
  }

  private overrideWith(o: VersioningOverride | undefined): void {
    const target = o?.override;
    this.override = target?.case === "pinned" ? target.value.version?.buildId : target?.case === "autoUpgrade" ? "routing" : undefined;
  }

  get isOverridden(): boolean {
    return this.override !== undefined;
  }

  /** The build that completed its last task. */
  get last(): string | undefined {
    return this.version;
  }

  /** The only build that may have its tasks; undefined: the routing says which. */
  get pinned(): string | undefined {
    if (this.override === "routing") return undefined;
    return this.override ?? (this.behavior === VersioningBehavior.PINNED ? this.version : undefined);
  }
}

export class Versions {
  private requests = 0;
  /** Routings as they came into force, oldest first. */
  private readonly routings: { from: number; config: RoutingConfig }[] = [];
  private readonly downUntil = new Map<string, number>();
  /** Runs that are pinned to a build by what its workers say, and since when. */
  private readonly pinned = new Map<string, { build: string; since: number }>();
  /** Runs that somebody has given an override, or may have: what their workers say is not all. */
  private readonly steered = new Set<string>();
  private readonly memberSince = new Map<string, number>();
  private readonly drainage = new Map<string, VersionDrainageStatus>();
  private isSettling = false;
  private isSettled = false;

  constructor(
    private readonly w: SimWorld,
    private readonly disk: Disk,
  ) {}

  private get record(): WorkerDeploymentRecord | undefined {
    return this.w.server?.deployments.get(NAMESPACE.id, DEPLOYMENT);
  }

  newOverride(): Init<VersioningOverride> {
    const { w } = this;
    return w.chance(250) ? { override: { case: "autoUpgrade", value: true } } : pinnedTo(BUILDS[w.pick(BUILDS.length)] as string);
  }

  // --- The builds' workers

  isDown(build: string): boolean {
    return !this.w.isHealed && (this.downUntil.get(build) ?? 0) > this.w.now;
  }

  /** Whether a worker of the build takes activities: it begins with them, so that no activity comes to a version that does not. */
  takesActivities(build: string): boolean {
    return findVersion(this.record, build)?.taskQueues.some((q) => q.type === TaskQueueType.ACTIVITY) === true;
  }

  /** For so long that no task was on its way before. */
  private isMember(build: string): boolean {
    const version = findVersion(this.record, build);
    return version !== undefined && isInQueue(version) && (this.memberSince.get(build) ?? 0) < this.w.now - LEEWAY_MICROS;
  }

  // --- Operators

  step(): void {
    const { w } = this;
    const kind = w.pick(100);
    const build = BUILDS[w.pick(BUILDS.length)] as string;
    if (kind < 25) this.makeCurrent(w.chance(150) ? undefined : build);
    else if (kind < 45) this.ramp(w.chance(250) ? undefined : build, [0, 20, 50, 80, 100][w.pick(5)] as number);
    else if (kind < 80) this.overrideOne(`v${w.pick(IDS)}${w.chance(200) ? "/s0" : ""}`);
    else if (w.swarm.workerDeaths) {
      w.count("workers of a version down");
      this.downUntil.set(build, w.now + w.pick(DOWN_MICROS_MAX));
    }
  }

  private route(
    f: (record: WorkerDeploymentRecord, now: number) => Routed,
    check: (c: RoutingConfig) => boolean,
    then: () => void = () => undefined,
  ): void {
    const { w } = this;
    w.call(async (s) => {
      let refused: Error | undefined;
      await s.deployments.change(NAMESPACE.id, DEPLOYMENT, (record, now) => {
        if (record === undefined) return undefined;
        const routed = f(record, now);
        refused = routed.refused;
        return routed.record;
      });
      if (refused !== undefined) throw refused;
      // Still before anything else can come between.
      const config = s.deployments.get(NAMESPACE.id, DEPLOYMENT)?.routingConfig;
      if (config === undefined) return false;
      this.noteRouting(config);
      return check(config);
    }).then(
      (is) => {
        if (!is && this.record !== undefined) w.problem("a change of the routing was acknowledged and is not in force");
        then();
      },
      (e) => w.expected(e),
    );
  }

  private makeCurrent(build: string | undefined, then?: () => void): void {
    const version = build === undefined ? UNVERSIONED : `${DEPLOYMENT}.${build}`;
    const request = { version, identity: `sim-${this.requests++}`, conflictToken: NONE, ignoreMissingTaskQueues: true, allowNoPollers: false };
    this.route(
      (record, now) => setCurrent(record, request, this.limits(record.namespaceId), this.facts, now),
      (c) => c.currentVersion === version,
      then,
    );
  }

  private ramp(build: string | undefined, percentage: number, then?: () => void): void {
    const version = build === undefined ? "" : `${DEPLOYMENT}.${build}`;
    const request = { version, identity: `sim-${this.requests++}`, conflictToken: NONE, ignoreMissingTaskQueues: true, allowNoPollers: false };
    const share = build === undefined ? 0 : percentage;
    this.route(
      (record, now) => setRamping(record, { ...request, percentage: share }, this.limits(record.namespaceId), this.facts, now),
      (c) => c.rampingVersion === version && c.rampingVersionPercentage === share,
      then,
    );
  }

  private limits(namespaceId: string) {
    const { server } = this.w;
    if (server === undefined) throw new Error("no server");
    return server.deployments.limits(namespaceId);
  }

  private get facts() {
    const { server } = this.w;
    if (server === undefined) throw new Error("no server");
    return server.matching.queueFacts(NAMESPACE);
  }

  private overrideOne(workflowId: string): void {
    const { w } = this;
    const versioningOverride = w.chance(300) ? undefined : this.newOverride();
    const request = UpdateWorkflowExecutionOptionsRequest.create({
      workflowExecutionOptions: { versioningOverride },
      updateMask: { paths: ["versioning_override"] },
      identity: "sim",
    } as Init<UpdateWorkflowExecutionOptionsRequest>);
    w.submit<"historyPosition">(workflowId, "", { kind: "historyPosition" })
      .then(({ runId }) => {
        this.pinned.delete(runId);
        this.steered.add(runId);
        return w.submit<"updateOptions">(workflowId, runId, { kind: "updateOptions", request }).then((r) => {
          const told = r.workflowExecutionOptions?.versioningOverride as VersioningOverride | undefined;
          w.acknowledged.overrides.push({ runId, build: buildIn(versioningOverride as VersioningOverride | undefined) });
          this.overridden(runId, told);
        });
      })
      .catch((e: unknown) => w.expected(e));
  }

  /** As the frontend does it: a build that drains, or has, is in use again. */
  overridden(runId: string, override: VersioningOverride | undefined): void {
    const { w } = this;
    const build = buildIn(override);
    if (build === undefined) return;
    w.call((s) => s.deployments.reactivate(NAMESPACE.id, { deploymentName: DEPLOYMENT, buildId: build })).then(
      () => this.pinned.delete(runId),
      (e) => w.expected(e),
    );
  }

  // --- What is seen on the way

  private noteRouting(config: RoutingConfig): void {
    const last = this.routings.at(-1);
    if (last !== undefined && last.config.revisionNumber > config.revisionNumber)
      this.w.problem(`routing ${last.config.revisionNumber} was acknowledged, and ${config.revisionNumber} is in force`);
    if (last?.config.revisionNumber !== config.revisionNumber) this.routings.push({ from: this.w.now, config });
  }

  /** Another process has begun: what it knows must be what was acknowledged, or what was on its way. */
  booted(): void {
    const config = this.record?.routingConfig;
    if (config !== undefined) this.noteRouting(config);
    else if (this.routings.length > 0) this.w.problem("a worker deployment was acknowledged and is lost");
  }

  onWritten(batch: Batch): void {
    for (const { write } of batch.registry.get(DEPLOYMENT_REGISTRY_KIND)?.values() ?? []) {
      if (write.op === "delete") continue;
      for (const v of decode(WorkerDeploymentRecord, write.value).versions) {
        if (isInQueue(v) && !this.memberSince.has(v.buildId)) this.memberSince.set(v.buildId, this.w.now);
        const before = this.drainage.get(v.buildId);
        this.drainage.set(v.buildId, v.drainageStatus);
        if (before === v.drainageStatus || v.drainageStatus !== VersionDrainageStatus.DRAINED) continue;
        this.w.count("version drained");
        for (const row of this.disk.visibility.values()) {
          // One that is paused is not counted, as on the official server.
          const pin = row.status === WorkflowExecutionStatus.RUNNING ? this.pinned.get(row.runId) : undefined;
          if (pin?.build === v.buildId && pin.since < this.w.now - LEEWAY_MICROS)
            this.w.problem(`build ${v.buildId} is said to be drained, and ${row.workflowId} ${row.runId} is pinned to it`);
        }
      }
    }
  }

  /** A worker has completed a task, and said how the run behaves. */
  completed(workflowId: string, runId: string, worker: number): void {
    const build = buildOf(worker);
    if (build === undefined || behaviorOf(workflowId) !== VersioningBehavior.PINNED) return;
    if (!this.pinned.has(runId) && !this.steered.has(runId)) this.pinned.set(runId, { build, since: this.w.now });
  }

  /** A worker has got a workflow task; `events` is what the server read for it, `givenAt` when, in real time. */
  checkTask(workflowId: string, runId: string, events: readonly HistoryEvent[], worker: number, givenAt: number): void {
    if (!workflowId.startsWith("v")) return;
    const { w } = this;
    const build = buildOf(worker);
    const place = new Place();
    for (const e of events) place.take(e);
    // The answer to the start that said so may have been lost.
    if (place.isOverridden) this.steered.add(runId);
    const where = `${workflowId} ${runId}`;
    if (place.isMoving) return;
    if (place.pinned !== undefined) {
      w.count("task of a pinned run");
      if (place.pinned !== build) w.problem(`${where}: is pinned to build ${place.pinned}, and build ${build} has its task`);
      return;
    }
    const inForce = this.routings.filter((_, i) => (this.routings[i + 1]?.from ?? Number.POSITIVE_INFINITY) >= givenAt - LEEWAY_MICROS);
    const allowed = new Set(inForce.filter((r) => r.from <= givenAt).map(({ config }) => this.target(config, workflowId)));
    if (inForce[0] === this.routings[0]) allowed.add(undefined);
    if (allowed.has("any") || allowed.has(build)) {
      if (allowed.size === 1) w.count("task by the routing");
      return;
    }
    // Where the routing names no version, a run stays with the worker that has it in memory.
    if (allowed.has(undefined) && w.swarm.sticky && place.last === build) return;
    w.problem(`${where}: build ${build} has its task, the routing says ${[...allowed].join(" or ")}`);
  }

  private target(c: RoutingConfig, workflowId: string): string | "any" | undefined {
    const current = c.currentDeploymentVersion?.buildId;
    const ramping = c.rampingDeploymentVersion?.buildId;
    // A version that has not polled the queue is passed over.
    if ([current, ramping].some((b) => b !== undefined && !this.isMember(b))) return "any";
    const share = fingerprint32(Buffer.from(workflowId)) / 2 ** 32;
    if (ramping !== undefined && c.rampingVersionPercentage > 0 && share * 100 <= c.rampingVersionPercentage) {
      this.w.count("task by the ramp");
      return ramping;
    }
    return current;
  }

  // --- The end

  /** The newest build is current, nothing ramps: what waits for a build or for the routing goes on. Called again until it is so. */
  settle(): boolean {
    if (this.record === undefined || this.isSettled) return true;
    if (this.isSettling) return false;
    this.isSettling = true;
    this.ramp(undefined, 0);
    this.makeCurrent(BUILDS.at(-1), () => {
      this.isSettled = true;
    });
    this.w.later(2_000_000, () => {
      this.isSettling = false;
    });
    return false;
  }

  get isDraining(): boolean {
    return this.record?.versions.some((v) => v.drainageStatus === VersionDrainageStatus.DRAINING) === true;
  }

  check(runs: ReadonlyMap<string, Run>): void {
    const { w } = this;
    for (const { runId, build } of w.acknowledged.overrides) {
      const run = runs.get(runId);
      const has = run?.events.some(({ attributes: a }) => {
        if (a.case !== "workflowExecutionOptionsUpdatedEventAttributes" && a.case !== "workflowExecutionStartedEventAttributes") return false;
        return build === undefined || buildIn(a.value.versioningOverride) === build;
      });
      if (has === false) w.problem(`${run?.where}: an override to build ${build} was acknowledged and is lost`);
    }
    for (const run of runs.values()) if (run.state.info.workflowId.startsWith("v")) this.checkActivities(run);
  }

  /** What a run asks for while it is pinned, and stays so, is done by workers of that build. */
  private checkActivities({ events, where, state }: Run): void {
    const place = new Place();
    let build: string | undefined;
    let since = 0;
    for (const e of events) {
      place.take(e);
      const now = place.isMoving ? undefined : place.pinned;
      if (now === build) continue;
      build = now;
      since = e.eventId;
    }
    if (build === undefined || state.info.reset !== undefined) return;
    for (const { attributes: a } of events) {
      if (a.case !== "activityTaskStartedEventAttributes" || a.value.scheduledEventId <= since) continue;
      this.w.count("activity of a pinned run");
      if (!a.value.identity.startsWith(`build-${build}`))
        this.w.problem(`${where}: is pinned to build ${build}, and ${a.value.identity} has its activity ${a.value.scheduledEventId}`);
    }
  }
}

const NONE = new Uint8Array(0);
const isInQueue = (v: { readonly taskQueues: readonly { readonly type: number }[] }): boolean =>
  v.taskQueues.some((q) => q.type === TaskQueueType.WORKFLOW);
const buildIn = (o: VersioningOverride | undefined): string | undefined =>
  o?.override.case === "pinned" ? o.override.value.version?.buildId : undefined;
