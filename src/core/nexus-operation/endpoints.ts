/** What the core may know of Nexus endpoints: a snapshot, replaced as a whole when one changes. */
export interface NexusEndpointDirectory {
  /** Id of the endpoint; undefined when there is none of that name. */
  idOf(name: string): string | undefined;
}

export const NO_ENDPOINTS: NexusEndpointDirectory = { idOf: () => undefined };
