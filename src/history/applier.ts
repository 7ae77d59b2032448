/**
 * Calls the core with an input, and with all that it may see besides the state: the present, ids, namespaces, configuration, and
 * the rows that were loaded for it. What the core throws is a bug: it is reported, and the caller lets go of the chain's memory.
 */
import { namespaceNotFound } from "../api/service-error.js";
import { type Config, ofNamespace } from "../config/dynamic-config.js";
import type { apply as Apply } from "../core/engine.js";
import type { Env, ExecutionAddress, Input, InputKind, InputOf } from "../core/input.js";
import type { NamespaceDirectory } from "../core/namespace-view.js";
import type { NexusEndpointDirectory } from "../core/nexus-operation/endpoints.js";
import type { Loaded, Outcome } from "../core/transition.js";
import type { VersionDirectory } from "../core/versioning/routing.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import type { Clocks } from "./clocks.js";
import type { CachedChain } from "./execution-cache.js";
import type { HistoryReader } from "./history-reader.js";
import type { KeyAllocator, RunIds } from "./ids.js";
import { eventKey, historyKey, type PendingInput } from "./pending-input.js";
import { TurnEnv } from "./turn-env.js";
import type { UndurableEvents } from "./undurable-events.js";

/** A bug of the core, with what is needed to see it again. */
export interface BugReport {
  readonly error: unknown;
  readonly address: ExecutionAddress;
  readonly input: Input;
  readonly configVersion: number;
  readonly states: Uint8Array[];
}

/** An input of its own, or one that another has led to. */
export type AppliedInput = { readonly address: ExecutionAddress; readonly input: Input } & Partial<PendingInput>;

export interface ApplierOptions {
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly config: () => Config;
  readonly namespaces: () => NamespaceDirectory;
  readonly nexusEndpoints: (() => NexusEndpointDirectory) | undefined;
  readonly versions: (() => VersionDirectory) | undefined;
  readonly apply: typeof Apply;
  /** Answers where the report was put. */
  readonly onBug: (report: BugReport) => string;
  readonly runIds: RunIds;
  readonly keys: KeyAllocator;
  readonly clocks: () => Clocks;
  readonly undurable: UndurableEvents;
  readonly reader: HistoryReader;
  /** Microseconds: the present is never told to be before it. */
  readonly floor: number;
}

export class Applier {
  private lastNow: number;
  /** Inputs that were applied. */
  count = 0;

  constructor(private readonly o: ApplierOptions) {
    this.lastNow = o.floor;
  }

  /** The present in real time, microseconds: never below what was told before. */
  realNow(): number {
    this.lastNow = Math.max(this.lastNow, this.o.runtime.nowMicros());
    return this.lastNow;
  }

  apply<K extends InputKind>(chain: CachedChain, p: AppliedInput): Outcome<K> | "bug" {
    const env = this.env(chain, p.address);
    if (env === undefined) return { outcome: "error", error: namespaceNotFound(p.address.namespaceId) };
    const { undurable, reader } = this.o;
    const loaded: Loaded = {
      event: (r) => p.loadedEvents?.get(eventKey(r)) ?? undurable.find(r) ?? reader.cachedEvent(r),
      requestId: (id) => p.loadedRequestIds?.get(id),
      history: (range) => p.loadedHistories?.get(historyKey(range)),
      update: (id) => p.loadedUpdates?.get(id),
    };
    this.count++;
    try {
      return this.o.apply<K>(chain, p.address, p.input as InputOf<K>, env, loaded);
    } catch (error) {
      const states = [...chain.runs.values()].map((s) => s.encodeRecord());
      const where = this.o.onBug({ error, address: p.address, input: p.input, configVersion: env.config.version, states });
      this.o.logger.error({ err: error, reproducer: where, kind: p.input.kind, workflowId: p.address.workflowId }, "an input could not be applied");
      return "bug";
    }
  }

  private env(chain: CachedChain, address: ExecutionAddress): Env | undefined {
    const namespaces = this.o.namespaces();
    const namespace = namespaces.byId(address.namespaceId);
    if (namespace === undefined) return undefined;
    const now = this.realNow();
    const clock = this.o.clocks().viewOf(address.namespaceId);
    return new TurnEnv(
      clock === undefined ? now : now + clock.offset,
      clock,
      ofNamespace(this.o.config(), namespace.name),
      namespace,
      namespaces,
      this.o.versions,
      chain.currentRunId ?? address.runId,
      this.o.runIds,
      this.o.keys,
      this.o.runtime,
      this.o.nexusEndpoints,
    );
  }
}
