/**
 * The workflows that can be started, with their schemas: those of the configuration, and those that workers have registered. A name is
 * looked for among names and aliases; a worker's registration says which types its queue serves and never replaces a configured entry.
 */
import type { JsonSchema, ProductWorkflow } from "../../config/workflows.js";

export interface CatalogEntry {
  readonly name: string;
  readonly workflowType: string;
  readonly taskQueue: string;
  readonly description: string | undefined;
  readonly aliases: readonly string[];
  readonly inputSchema: JsonSchema | undefined;
  readonly outputSchema: JsonSchema | undefined;
}

export interface WorkerRegistration {
  readonly namespace: string;
  readonly taskQueue: string;
  readonly identity: string;
  readonly workflowTypes: readonly string[];
  /** By workflow type. */
  readonly schemas?: Readonly<
    Record<string, { readonly inputSchema?: JsonSchema; readonly outputSchema?: JsonSchema; readonly description?: string }>
  >;
}

/** Types of one queue. */
const REGISTERED_MAX = 10_000;

export class WorkflowCatalog {
  /** By namespace, then task queue and type. */
  private readonly registered = new Map<string, Map<string, CatalogEntry>>();

  constructor(
    private readonly configured: readonly ProductWorkflow[],
    private readonly defaultNamespace: string,
  ) {}

  /** A worker says what it serves. The newest registration of a type on a queue holds, until the server ends. */
  register(worker: WorkerRegistration): void {
    let entries = this.registered.get(worker.namespace);
    if (entries === undefined) this.registered.set(worker.namespace, (entries = new Map()));
    for (const name of worker.workflowTypes) {
      const key = JSON.stringify([worker.taskQueue, name]);
      const { inputSchema, outputSchema, description } = worker.schemas?.[name] ?? {};
      entries.delete(key);
      entries.set(key, { name, workflowType: name, taskQueue: worker.taskQueue, description, aliases: [], inputSchema, outputSchema });
      const oldest = entries.keys().next().value;
      if (entries.size > REGISTERED_MAX && oldest !== undefined) entries.delete(oldest);
    }
  }

  /** Of a namespace, by name; `catalog` is the task queue, undefined for all. */
  list(namespace: string, catalog?: string): CatalogEntry[] {
    const found: CatalogEntry[] = this.configured.filter((w) => (w.namespace ?? this.defaultNamespace) === namespace);
    const known = new Set(found.map((w) => JSON.stringify([w.taskQueue, w.workflowType])));
    for (const [key, entry] of this.registered.get(namespace) ?? []) if (!known.has(key)) found.push(entry);
    return found.filter((w) => catalog === undefined || w.taskQueue === catalog).sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  find(namespace: string, name: string, catalog?: string): CatalogEntry | undefined {
    const all = this.list(namespace, catalog);
    return all.find((w) => w.name === name) ?? all.find((w) => w.aliases.includes(name)) ?? all.find((w) => w.workflowType === name);
  }
}
