/**
 * Executions in memory, by namespace and workflow id. What may leave memory is what the store has: a chain with queued inputs, with
 * transitions that are not durable, or with ephemeral state stays.
 */
import { Archetype, type ExecutionChain, type ExecutionState } from "../core/execution.js";
import type { ExecutionAddress } from "../core/input.js";
import type { PendingInput } from "./pending-input.js";
import { shardOf } from "./shard.js";

/** Of a chain without runs: what a question about an unknown workflow id leaves behind. */
const CHAIN_BYTES = 300;
const MISSING_MAX = 100;
/** Closed runs of a chain that are kept beside the current one. */
const CLOSED_RUNS_MAX = 4;

export class CachedChain implements ExecutionChain {
  readonly runs = new Map<string, ExecutionState>();
  /** Run ids that the store does not have. */
  private missing: Set<string> | undefined;
  /** Undefined: the store has not been asked. Null: the workflow id has no run. */
  currentRunId: string | null | undefined;
  readonly queue: PendingInput[] = [];
  isLoading = false;
  isReady = false;
  /** Newest batch that holds a transition of the chain. */
  sequence = 0;
  /** Set while a failed transition's batch settles: no input is taken. */
  isBlocked = false;
  lastUsed = 0;
  /** What the cache has counted for it. */
  countedBytes = 0;
  private knownShard: number | undefined;

  constructor(
    readonly id: string,
    readonly namespaceId: string,
    readonly workflowId: string,
    readonly archetype: Archetype,
  ) {}

  /** Its number is worked out once: every batch with a run of the chain asks. */
  get shard(): number {
    this.knownShard ??= shardOf(this);
    return this.knownShard;
  }

  current(): ExecutionState | undefined {
    return typeof this.currentRunId === "string" ? this.runs.get(this.currentRunId) : undefined;
  }

  run(runId: string): ExecutionState | undefined {
    return this.runs.get(runId);
  }

  isMissing(runId: string): boolean {
    return this.missing?.has(runId) === true;
  }

  /** Whether the addressed run is in memory, or known not to exist. */
  isLoaded(address: ExecutionAddress): boolean {
    if (address.runId !== "") return this.runs.has(address.runId) || this.isMissing(address.runId);
    return this.currentRunId === null || (this.currentRunId !== undefined && this.runs.has(this.currentRunId));
  }

  /** The store has no such run. */
  addMissing(runId: string): void {
    if (this.missing === undefined || this.missing.size >= MISSING_MAX) this.missing = new Set();
    this.missing.add(runId);
  }

  /** Of everything that the store can tell again. */
  forget(): void {
    this.runs.clear();
    this.missing = undefined;
    this.currentRunId = undefined;
  }

  add(state: ExecutionState): void {
    this.runs.set(state.info.runId, state);
    this.missing?.delete(state.info.runId);
  }

  /** A run has begun: it is the greatest run id. */
  began(state: ExecutionState): void {
    this.add(state);
    if (this.currentRunId === undefined || this.currentRunId === null || state.info.runId > this.currentRunId) this.currentRunId = state.info.runId;
  }

  get isPinned(): boolean {
    if (this.queue.length > 0 || this.isLoading || this.isBlocked) return true;
    for (const r of this.runs.values()) if (r.isPinned) return true;
    return false;
  }

  get sizeBytes(): number {
    let n = CHAIN_BYTES;
    for (const r of this.runs.values()) n += r.sizeBytes;
    return n;
  }
}

/** A namespace id is a UUID: no id of a workflow's chain begins like one of another archetype. */
const chainId = (namespaceId: string, workflowId: string, archetype: Archetype): string =>
  archetype === Archetype.WORKFLOW ? `${namespaceId}/${workflowId}` : `${archetype}:${namespaceId}/${workflowId}`;

export class ExecutionCache {
  private readonly chains = new Map<string, CachedChain>();
  /** Runs in memory by execution key. */
  private readonly keys = new Map<number, CachedChain>();
  private clock = 0;
  private bytes = 0;

  constructor(
    private readonly chainsMax: () => number,
    private readonly bytesMax: number,
  ) {}

  get(namespaceId: string, workflowId: string, archetype: Archetype = Archetype.WORKFLOW): CachedChain {
    const id = chainId(namespaceId, workflowId, archetype);
    let chain = this.chains.get(id);
    if (chain === undefined) {
      this.chains.set(id, (chain = new CachedChain(id, namespaceId, workflowId, archetype)));
      this.count(chain);
    }
    chain.lastUsed = ++this.clock;
    return chain;
  }

  find(namespaceId: string, workflowId: string, archetype: Archetype = Archetype.WORKFLOW): CachedChain | undefined {
    return this.chains.get(chainId(namespaceId, workflowId, archetype));
  }

  byKey(key: number): { chain: CachedChain; state: ExecutionState } | undefined {
    const chain = this.keys.get(key);
    if (chain === undefined) return undefined;
    for (const state of chain.runs.values()) if (state.key === key) return { chain, state };
    return undefined;
  }

  index(chain: CachedChain, state: ExecutionState): void {
    this.keys.set(state.key, chain);
  }

  unindex(key: number): void {
    this.keys.delete(key);
  }

  /** The chain has changed: its size is counted anew. */
  count(chain: CachedChain): void {
    const size = chain.sizeBytes;
    this.bytes += size - chain.countedBytes;
    chain.countedBytes = size;
  }

  /** Forgets what is in memory of a chain; the next input loads it again. */
  evict(chain: CachedChain): void {
    for (const state of chain.runs.values()) this.keys.delete(state.key);
    chain.forget();
    if (chain.queue.length === 0 && !chain.isLoading) {
      if (this.chains.get(chain.id) === chain) this.chains.delete(chain.id);
      this.bytes -= chain.countedBytes;
      chain.countedBytes = 0;
    } else this.count(chain);
  }

  /** Lets a chain go that nobody needs before its next timer or call: thousands of idle ones cost no memory. */
  rest(chain: CachedChain, durable: number): void {
    if (!chain.isPinned && chain.sequence <= durable && this.chains.get(chain.id) === chain) this.evict(chain);
  }

  /** Lets closed runs of a chain go that has begun many: a workflow that continues as new for ever stays small. */
  trim(chain: CachedChain, durable: number): void {
    if (chain.runs.size <= CLOSED_RUNS_MAX + 1 || chain.sequence > durable || chain.isLoading || chain.isBlocked) return;
    for (const [runId, state] of chain.runs) {
      if (chain.runs.size <= CLOSED_RUNS_MAX + 1) break;
      if (state.isOpen || state.isPinned || runId === chain.currentRunId) continue;
      chain.runs.delete(runId);
      this.keys.delete(state.key);
    }
    this.count(chain);
  }

  /** Lets the least used chains go. `durable`: the newest settled batch. */
  shrink(durable: number): void {
    const max = this.chainsMax();
    if (this.chains.size <= max && this.bytes <= this.bytesMax) return;
    // Insertion order is nearly age; a chain used lately, or that must stay, goes to the end.
    const threshold = this.clock - Math.floor(Math.min(max, this.chains.size) / 2);
    let budget = Math.max(0, this.chains.size - max) + 64;
    // More than is needed, as far as the budget goes: a map is slow to find its first entry when many before it have gone.
    const [enough, enoughBytes] = [max - max / 16, this.bytesMax - this.bytesMax / 16];
    for (const chain of this.chains.values()) {
      if (budget-- <= 0 || (this.chains.size <= enough && this.bytes <= enoughBytes)) return;
      if (chain.lastUsed > threshold || chain.isPinned || chain.sequence > durable) {
        this.chains.delete(chain.id);
        this.chains.set(chain.id, chain);
        continue;
      }
      this.evict(chain);
    }
  }

  all(): Iterable<CachedChain> {
    return this.chains.values();
  }

  /** Whether any chain has inputs that were not applied. */
  get hasWork(): boolean {
    for (const chain of this.chains.values()) if (chain.queue.length > 0 || chain.isLoading || chain.isBlocked) return true;
    return false;
  }

  get size(): number {
    return this.chains.size;
  }

  get sizeBytes(): number {
    return this.bytes;
  }
}
