/** What workers have said that they can run (RegisterWorker), in memory: a worker that lives says so again when it starts. */

export interface TypeSchemas {
  /** JSON Schema of the argument, and of the result. */
  readonly input?: unknown;
  readonly output?: unknown;
}

export interface WorkerRegistration {
  readonly identity: string;
  readonly taskQueue: string;
  readonly workflowTypes: readonly string[];
  readonly activityTypes: readonly string[];
  readonly buildId: string;
  /** By name of a workflow or activity type. */
  readonly schemas: Readonly<Record<string, TypeSchemas>>;
  /** Microseconds since the epoch. */
  readonly time: number;
}

/** Of all namespaces; the oldest go first. */
const REGISTRATIONS_MAX = 10_000;

export class WorkerRegistrations {
  private readonly entries = new Map<string, { readonly namespaceId: string; readonly registration: WorkerRegistration }>();

  /** The last word of a worker on a task queue counts. */
  record(namespaceId: string, registration: WorkerRegistration): void {
    const key = JSON.stringify([namespaceId, registration.taskQueue, registration.identity]);
    this.entries.delete(key);
    this.entries.set(key, { namespaceId, registration });
    if (this.entries.size <= REGISTRATIONS_MAX) return;
    for (const oldest of this.entries.keys()) {
      this.entries.delete(oldest);
      return;
    }
  }

  /** Oldest first. */
  list(namespaceId: string): WorkerRegistration[] {
    return [...this.entries.values()].filter((e) => e.namespaceId === namespaceId).map((e) => e.registration);
  }
}
