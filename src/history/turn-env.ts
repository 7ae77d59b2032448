/** What the core is told of the present, for one input. */
import type { Config } from "../config/dynamic-config.js";
import type { Env } from "../core/input.js";
import type { NamespaceDirectory } from "../core/namespace-view.js";
import { type NexusEndpointDirectory, NO_ENDPOINTS } from "../core/nexus-operation/endpoints.js";
import type { VersionDirectory } from "../core/versioning/routing.js";
import type { Runtime } from "../lib/runtime.js";
import type { KeyAllocator, RunIds } from "./ids.js";

/** Ids are made only when asked for: most inputs need none. */
export class TurnEnv implements Env {
  private runId: string | undefined;
  private key: number | undefined;
  private seedValue: number | undefined;

  constructor(
    readonly now: number,
    readonly clock: Env["clock"],
    readonly config: Config,
    readonly namespace: Env["namespace"],
    readonly namespaces: NamespaceDirectory,
    private readonly versionsNow: (() => VersionDirectory) | undefined,
    private readonly currentRunId: string,
    private readonly runIds: RunIds,
    private readonly keys: KeyAllocator,
    private readonly runtime: Runtime,
    private readonly endpoints: (() => NexusEndpointDirectory) | undefined,
  ) {}

  get nexusEndpoints(): NexusEndpointDirectory {
    return this.endpoints?.() ?? NO_ENDPOINTS;
  }
  get versions(): VersionDirectory | undefined {
    return this.versionsNow?.();
  }
  get newRunId(): string {
    return (this.runId ??= this.runIds.next(this.currentRunId));
  }
  get newKey(): number {
    return (this.key ??= this.keys.next());
  }
  get seed(): number {
    return (this.seedValue ??= this.runtime.randomSeed());
  }
}
