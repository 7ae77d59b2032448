/**
 * Watches versions that take no new workflows: counts the open workflows that are pinned to each, and says when there are none left.
 * One timer stands for the version that is to be asked next. Behaviour: refreshDrainageInfo of the official server.
 */
import { MICROS_PER_MS } from "../api/time.js";
import { nextDrainageCheck } from "../core/versioning/deployment.js";
import { type Version, versionText } from "../core/versioning/version.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import type { Deployments } from "../matching/deployments.js";
import type { NamespaceRegistry } from "../namespace/registry.js";
import type { VisibilityManager } from "../visibility/manager.js";

const RETRY_MS = 1_000;

interface VersionDrainageOptions {
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly namespaces: NamespaceRegistry;
  readonly deployments: Deployments;
  readonly visibility: Pick<VisibilityManager, "count">;
  readonly graceMs: (namespaceId: string) => number;
  readonly intervalMs: (namespaceId: string) => number;
}

export class VersionDrainage {
  private stopTimer: (() => void) | undefined;
  private isChecking = false;
  private isStopped = true;

  constructor(private readonly o: VersionDrainageOptions) {
    o.deployments.onDrainage(() => this.arm());
  }

  start(): void {
    this.isStopped = false;
    this.arm();
  }

  stop(): void {
    this.isStopped = true;
    this.stopTimer?.();
    this.stopTimer = undefined;
  }

  private *due(): Generator<{ namespaceId: string; version: Version; at: number }> {
    for (const { namespaceId, name, versions } of this.o.deployments.all()) {
      const grace = this.o.graceMs(namespaceId) * MICROS_PER_MS;
      const interval = this.o.intervalMs(namespaceId) * MICROS_PER_MS;
      for (const v of versions) {
        const at = nextDrainageCheck(v, grace, interval);
        if (at !== undefined) yield { namespaceId, version: { deploymentName: name, buildId: v.buildId }, at };
      }
    }
  }

  private arm(delayMsMin = 0): void {
    if (this.isStopped || this.isChecking) return;
    this.stopTimer?.();
    this.stopTimer = undefined;
    let next: number | undefined;
    for (const { at } of this.due()) next = next === undefined ? at : Math.min(next, at);
    if (next === undefined) return;
    const delayMs = Math.max(delayMsMin, Math.ceil((next - this.o.runtime.nowMicros()) / MICROS_PER_MS));
    this.stopTimer = this.o.runtime.setTimer(Math.min(delayMs, 2 ** 31 - 1), () => void this.check());
  }

  private async check(): Promise<void> {
    this.isChecking = true;
    let failed = false;
    try {
      const now = this.o.runtime.nowMicros();
      for (const { namespaceId, version, at } of [...this.due()]) {
        if (at > now || this.isStopped) continue;
        await this.o.deployments.noteDrainage(namespaceId, version, await this.hasWorkflows(namespaceId, version));
      }
    } catch (error) {
      failed = true;
      this.o.logger.warn({ error: String(error) }, "counting the workflows of a draining version failed");
    }
    this.isChecking = false;
    this.arm(failed ? RETRY_MS : 0);
  }

  private async hasWorkflows(namespaceId: string, version: Version): Promise<boolean> {
    const text = versionText(version).replaceAll("\\", "\\\\").replaceAll("'", "''");
    const query = `TemporalWorkerDeploymentVersion = '${text}' AND TemporalWorkflowVersioningBehavior = 'Pinned' AND ExecutionStatus = 'Running'`;
    const { count } = await this.o.visibility.count(this.o.namespaces.viewById(namespaceId), query);
    return (count ?? 0) > 0;
  }
}
