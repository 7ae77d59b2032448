/**
 * From the store into memory: the run that an address names, and the single rows that an input asks for. Nothing here decides when:
 * the engine loads a chain when no batch on its way holds rows of it.
 */
import { CompletedUpdateRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { decode } from "../api/wire.js";
import type { ExecutionAddress } from "../core/input.js";
import { loadState } from "../core/load-state.js";
import type { NamespaceDirectory } from "../core/namespace-view.js";
import type { Outcome } from "../core/transition.js";
import { Kind, RunState } from "../core/workflow/mutable-state.js";
import { runSpace } from "../persistence/run-space.js";
import type { Store } from "../persistence/store.js";
import type { CachedChain, ExecutionCache } from "./execution-cache.js";
import type { HistoryReader } from "./history-reader.js";
import { eventKey, historyKey, type PendingInput } from "./pending-input.js";

export type Need = Extract<Outcome, { outcome: "need" }>;

/** Runs of a chain, behind the addressed one, that are asked whether they have taken a request. */
const RUNS_BEFORE_MAX = 3;

export class ExecutionLoader {
  constructor(
    private readonly store: Store,
    private readonly namespaces: () => NamespaceDirectory,
    private readonly cache: ExecutionCache,
    private readonly reader: HistoryReader,
  ) {}

  /** The chain knows afterwards what the address names, or that it names nothing. */
  async load(chain: CachedChain, address: ExecutionAddress): Promise<void> {
    const namespace = this.namespaces().byId(address.namespaceId);
    const at = namespace && { namespaceKey: runSpace(namespace.key, chain.archetype), workflowId: address.workflowId, runId: address.runId };
    const found = at && (await this.store.findRun(at));
    if (found === undefined) return isMissing(chain, address);
    if (!chain.runs.has(found.runId)) {
      const rows = await this.store.loadExecution(found.key);
      if (rows === undefined) return isMissing(chain, address);
      const state = loadState(chain.archetype, rows);
      chain.add(state);
      this.cache.index(chain, state);
      this.cache.count(chain);
    }
    if (address.runId === "") chain.currentRunId = found.runId;
  }

  /** Whether all that the input needs was read for it before. */
  hasAll(p: PendingInput, need: Need): boolean {
    const { runs = [], histories = [], updateIds = [] } = need;
    return (
      runs.length === 0 &&
      need.events.every((r) => p.loadedEvents?.has(eventKey(r)) === true) &&
      need.requestIds.every((id) => p.loadedRequestIds?.has(id) === true) &&
      histories.every((r) => p.loadedHistories?.has(historyKey(r)) === true) &&
      updateIds.every((id) => p.loadedUpdates?.has(id) === true)
    );
  }

  /** Reads what the input needs, and puts it into the input. */
  async loadNeeded(chain: CachedChain, p: PendingInput, need: Need): Promise<void> {
    const { address } = p;
    p.loadedEvents ??= new Map();
    p.loadedRequestIds ??= new Map();
    for (const r of need.events) p.loadedEvents.set(eventKey(r), await this.reader.event(r));
    const state = address.runId === "" ? chain.current() : chain.run(address.runId);
    for (const id of need.requestIds) {
      const applied = state instanceof RunState && (await this.wasApplied(state, id));
      p.loadedRequestIds.set(id, applied ? { eventType: 0, eventId: 0 } : null);
    }
    for (const runId of need.runs ?? []) await this.load(chain, { ...address, runId });
    for (const range of need.histories ?? []) {
      p.loadedHistories ??= new Map();
      p.loadedHistories.set(historyKey(range), await this.reader.all(range));
    }
    for (const id of need.updateIds ?? []) {
      const row = state === undefined ? undefined : await this.store.loadComponent(state.key, Kind.COMPLETED_UPDATE, id);
      p.loadedUpdates ??= new Map();
      p.loadedUpdates.set(id, row === undefined ? null : decode(CompletedUpdateRecord, row).completedEventId);
    }
  }

  /** Whether the run has taken the request, or one of the last before it in its chain: a caller that asks again may find the next run. */
  private async wasApplied(state: RunState, requestId: string): Promise<boolean> {
    let { key, info } = state;
    for (let n = 0; ; n++) {
      if ((await this.store.loadComponent(key, Kind.REQUEST_ID, requestId)) !== undefined) return true;
      const namespace = this.namespaces().byId(info.namespaceId);
      // A run that a reset has made goes on from the one that was reset.
      const before = info.reset?.baseRunIds[0] ?? info.continuedRunId;
      if (before === "" || n === RUNS_BEFORE_MAX || namespace === undefined) return false;
      const found = await this.store.findRun({ namespaceKey: namespace.key, workflowId: info.workflowId, runId: before });
      const rows = found === undefined ? undefined : await this.store.loadExecution(found.key);
      if (rows === undefined) return false;
      key = rows.key;
      info = RunState.load(rows.key, rows.record, []).info;
      if (info.startRequestId === requestId) return true;
    }
  }
}

function isMissing(chain: CachedChain, address: ExecutionAddress): void {
  if (address.runId === "") chain.currentRunId = null;
  else chain.addMissing(address.runId);
}
