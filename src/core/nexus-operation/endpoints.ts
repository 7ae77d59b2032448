/** What the core may know of Nexus endpoints: a snapshot, replaced as a whole when one changes. */
export interface NexusEndpointDirectory {
  /** Id of the endpoint; undefined when there is none of that name. */
  idOf(name: string): string | undefined;
  /** The server's own operations; without them there are none. */
  readonly system?: SystemOperations;
}

/** The endpoint of the server's own operations: it is in no list, and has no id. */
export const SYSTEM_ENDPOINT = "__temporal_system";

/** One of the server's own operations, as a workflow asks for it. */
export interface SystemOperation {
  /** Of the workflow. */
  readonly namespace: string;
  readonly service: string;
  readonly operation: string;
  /** Encoded Payload. */
  readonly input: Uint8Array | undefined;
}

export interface SystemOperations {
  /** Why it cannot be done whenever it is tried; undefined when it may. Depends on nothing that another operation changes. */
  problem(operation: SystemOperation): string | undefined;
}

export const NO_ENDPOINTS: NexusEndpointDirectory = { idOf: () => undefined };
