/**
 * The workflows that can be started, with their schemas: those of the configuration, and those that workers have registered. A name is
 * looked for among names and aliases; a worker's registration says which types its queue serves and never replaces a configured entry.
 */
import type { JsonSchema, ProductWorkflow } from "../../config/workflows.js";
import type { WorkerRegistration } from "../worker-registrations.js";

export interface CatalogEntry {
  readonly name: string;
  readonly workflowType: string;
  readonly taskQueue: string;
  readonly description: string | undefined;
  readonly aliases: readonly string[];
  readonly inputSchema: JsonSchema | undefined;
  readonly outputSchema: JsonSchema | undefined;
}

export class WorkflowCatalog {
  /** `registered`: what the workers of a namespace have said, oldest first. */
  constructor(
    private readonly configured: readonly ProductWorkflow[],
    private readonly defaultNamespace: string,
    private readonly registered: (namespace: string) => readonly Pick<WorkerRegistration, "taskQueue" | "workflowTypes" | "schemas">[],
  ) {}

  /** Of a namespace, by name; `catalog` is the task queue, undefined for all. */
  list(namespace: string, catalog?: string): CatalogEntry[] {
    const found: CatalogEntry[] = this.configured.filter((w) => (w.namespace ?? this.defaultNamespace) === namespace);
    const known = new Set(found.map((w) => JSON.stringify([w.taskQueue, w.workflowType])));
    for (const { taskQueue, workflowTypes, schemas } of this.registered(namespace).toReversed())
      for (const name of workflowTypes) {
        const key = JSON.stringify([taskQueue, name]);
        if (known.has(key)) continue;
        known.add(key);
        const { input, output } = schemas[name] ?? {};
        const entry = { name, workflowType: name, taskQueue, description: undefined, aliases: [] };
        found.push({ ...entry, inputSchema: schemaOf(input), outputSchema: schemaOf(output) });
      }
    return found.filter((w) => catalog === undefined || w.taskQueue === catalog).sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  find(namespace: string, name: string, catalog?: string): CatalogEntry | undefined {
    const all = this.list(namespace, catalog);
    return all.find((w) => w.name === name) ?? all.find((w) => w.aliases.includes(name)) ?? all.find((w) => w.workflowType === name);
  }
}

const schemaOf = (value: unknown): JsonSchema | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonSchema) : undefined;
