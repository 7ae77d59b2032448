/**
 * Deletes namespaces: what DeleteNamespace begins, in the background.
 *
 * The record of a namespace that was given up says so (`reclaim`), and that is all that has to be remembered: after a restart
 * every step is begun again, and finds the less to do the further the process before it came. The steps, each in slices:
 * executions of every archetype (open workflows are terminated), then what was left to delete of them and their effects on other runs, then task queues, then
 * every other registry row that begins with the namespace's id, and after the delay the record.
 * Invariant: the record goes last, when no row of any table belongs to the namespace.
 */
import { OutboundRecord, TransferRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { Code, ServiceError } from "../api/service-error.js";
import { decode } from "../api/wire.js";
import { Archetype } from "../core/execution.js";
import { Kind } from "../core/workflow/mutable-state.js";
import { deleteRun } from "../history/delete-run.js";
import type { HistoryEngine } from "../history/history-engine.js";
import type { Logger, Runtime } from "../lib/runtime.js";
import type { MatchingService } from "../matching/contract.js";
import type { NamespaceEntry } from "../namespace/record.js";
import { type Also, type NamespaceRegistry, REGISTRY_KIND } from "../namespace/registry.js";
import type { BacklogKey, ComponentId } from "../persistence/batch.js";
import { runSpace } from "../persistence/run-space.js";
import type { NamespaceRun, Store } from "../persistence/store.js";
import type { NamespaceDeletionService } from "./contract.js";

const ARCHETYPES = Object.values(Archetype).filter((a): a is Archetype => typeof a === "number");
const SLICE_ROWS = 500;
const RUNS_AT_ONCE = 16;
const PAUSE_MS = 20;
const RETRY_MS = 5_000;

export interface NamespaceDeletionOptions {
  readonly store: Store;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly namespaces: NamespaceRegistry;
  readonly history: Pick<HistoryEngine, "submit" | "rows" | "remnantsOf" | "clocks" | "forgetStatusChanges"> & Parameters<typeof deleteRun>[0];
  readonly matching: MatchingService;
}

export class NamespaceDeletion implements NamespaceDeletionService {
  /** Namespaces that wait for their next step; calling ends the wait. */
  private readonly waiting = new Map<string, () => void>();
  private readonly underWay = new Set<string>();
  private isStopped = false;

  constructor(private readonly o: NamespaceDeletionOptions) {}

  /** Goes on with what earlier processes began. */
  start(): void {
    for (const e of this.o.namespaces.directory.entries()) if (e.record.reclaim !== undefined) this.later(e.view.id, 0);
  }

  async begin(namespaceId: string, delayMicros: number, also?: Also): Promise<string> {
    const { view } = await this.o.namespaces.giveUp(namespaceId, delayMicros, also);
    this.later(view.id, 0);
    return view.name;
  }

  stop(): void {
    this.isStopped = true;
  }

  private later(id: string, delayMs: number): void {
    this.waiting.get(id)?.();
    const cancel = this.o.runtime.setTimer(delayMs, () => {
      this.waiting.delete(id);
      if (this.isStopped || this.underWay.has(id)) return;
      this.underWay.add(id);
      this.step(id).then(
        (again) => {
          this.underWay.delete(id);
          if (again !== undefined) this.later(id, again);
        },
        (e: unknown) => {
          this.underWay.delete(id);
          if (this.isStopped) return;
          this.o.logger.warn({ err: e, namespaceId: id }, "a namespace cannot be deleted now");
          this.later(id, RETRY_MS);
        },
      );
    });
    this.waiting.set(id, cancel);
  }

  /** Milliseconds after which to look again; undefined when the namespace has gone. */
  private async step(id: string): Promise<number | undefined> {
    const { namespaces, runtime, logger } = this.o;
    const entry = namespaces.directory.entryById(id);
    if (entry?.record.reclaim === undefined) return undefined;
    if (!(await this.deleteRuns(entry))) return RETRY_MS;
    if (this.o.history.remnantsOf(entry.view.key) > 0 || (await this.hasTransfers(id))) return PAUSE_MS;
    await this.deleteOutbound(id);
    await this.deleteQueues(id);
    await this.o.history.forgetStatusChanges(entry.view.key);
    this.o.history.clocks.forgetNamespace(id);
    await this.deleteRegistryRows(id);
    const { delay, deleteAt } = namespaces.directory.entryById(id)?.record.reclaim ?? { delay: 0, deleteAt: 0 };
    const now = runtime.nowMicros();
    const until = deleteAt > 0 ? deleteAt : now + delay;
    if (until > now) {
      if (deleteAt === 0) await namespaces.emptied(id, until);
      return Math.ceil((until - now) / 1000);
    }
    await namespaces.remove(id);
    logger.info({ namespace: entry.view.name, namespaceId: id }, "namespace deleted");
    return undefined;
  }

  /** Answers whether none is left. */
  private async deleteRuns({ view }: NamespaceEntry): Promise<boolean> {
    let isEmpty = true;
    for (const archetype of ARCHETYPES) isEmpty = (await this.deleteExecutions(view, archetype)) && isEmpty;
    return isEmpty;
  }

  private async deleteExecutions(view: NamespaceEntry["view"], archetype: Archetype): Promise<boolean> {
    let isEmpty = true;
    let after: NamespaceRun | undefined;
    for (;;) {
      const runs = await this.o.store.listNamespaceRuns(runSpace(view.key, archetype), after, SLICE_ROWS);
      after = runs.at(-1);
      if (after === undefined || this.isStopped) return isEmpty && !this.isStopped;
      const queue = [...runs];
      const work = async (): Promise<void> => {
        for (let run = queue.shift(); run !== undefined && !this.isStopped; run = queue.shift())
          if (!(await this.delete(view, archetype, run))) isEmpty = false;
      };
      await Promise.all(Array.from({ length: RUNS_AT_ONCE }, work));
    }
  }

  private async delete(namespace: { id: string; name: string }, archetype: Archetype, { workflowId, runId }: NamespaceRun): Promise<boolean> {
    try {
      if (archetype === Archetype.WORKFLOW) await deleteRun(this.o.history, namespace, workflowId, runId);
      else await this.o.history.submit({ namespaceId: namespace.id, workflowId, runId, archetype }, { kind: "delete" });
      return true;
    } catch (e) {
      if (e instanceof ServiceError && e.code === Code.NOT_FOUND) return true;
      this.o.logger.warn({ err: e, namespace: namespace.name, workflowId, runId }, "a run of a namespace that goes cannot be deleted now");
      return false;
    }
  }

  /** Effects that runs of the namespace have yet to have on others. They end by themselves, since their source has gone. */
  private async hasTransfers(namespaceId: string): Promise<boolean> {
    let after: ComponentId | undefined;
    for (;;) {
      const rows = await this.o.store.listComponents(0, Kind.TRANSFER, after, SLICE_ROWS);
      if (rows.some((r) => decode(TransferRecord, r.value).sourceNamespaceId === namespaceId)) return true;
      if (rows.length < SLICE_ROWS) return false;
      after = rows.at(-1)?.id;
    }
  }

  /** Calls to others that their executions, which have gone, asked for. One that is under way finds out and ends by itself. */
  private async deleteOutbound(namespaceId: string): Promise<void> {
    let after: ComponentId | undefined;
    for (;;) {
      const rows = await this.o.store.listComponents(0, Kind.OUTBOUND, after, SLICE_ROWS);
      const left = rows.filter((r) => decode(OutboundRecord, r.value).namespaceId === namespaceId);
      if (left.length > 0)
        await this.o.history.rows.commit((batch) => {
          for (const r of left) batch.writeComponent(0, Kind.OUTBOUND, r.id, { op: "delete" });
        });
      if (rows.length < SLICE_ROWS) return;
      after = rows.at(-1)?.id;
    }
  }

  private async deleteQueues(namespaceId: string): Promise<void> {
    for (const { registryId, key } of this.o.matching.forgetNamespace(namespaceId)) {
      let after: BacklogKey | undefined;
      for (;;) {
        const tasks = await this.o.store.readBacklog(key, after, SLICE_ROWS);
        if (tasks.length > 0)
          await this.o.history.rows.commit((rows) => {
            for (const t of tasks) rows.writeBacklog(t.at, { op: "delete" });
          });
        if (tasks.length < SLICE_ROWS) break;
        after = tasks.at(-1)?.at;
      }
      await this.o.history.rows.commit((rows) => rows.writeRegistry("queue", registryId, 0, { op: "delete" }));
    }
  }

  /** Whatever else is kept for the namespace is kept under an id that begins with its own. */
  private async deleteRegistryRows(namespaceId: string): Promise<void> {
    const left = (await this.o.store.loadRegistry()).filter((r) => r.id.startsWith(namespaceId) && r.kind !== REGISTRY_KIND);
    for (let at = 0; at < left.length; at += SLICE_ROWS)
      await this.o.history.rows.commit((rows) => {
        for (const r of left.slice(at, at + SLICE_ROWS)) rows.writeRegistry(r.kind, r.id, r.version, { op: "delete" });
      });
  }
}
